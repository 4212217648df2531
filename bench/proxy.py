#!/usr/bin/env python3
"""What the proxy adds to a request, beside nginx, in one run on this machine.

    cargo build --release --bin headroom && python3 bench/proxy.py

prints a table and writes it to bench/results/proxy.md. With `--with litellm` a Python gateway is measured as well (LiteLLM's proxy from PyPI, installed
below target/, about 750 MB), and the table is written to bench/results/proxy-litellm-DATE.md.

nginx and wrk are taken as Debian packages and unpacked below target/bench, so nothing is installed and no service starts.
Everything shares the machine's cores: client, proxies and upstream. Requests go to each of them in turn, so that what else the
machine does falls on all alike; a difference of medians is what the one in between adds.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RELEASE = TARGET / "release"
DEBIAN = TARGET / "bench"
RESULTS = ROOT / "bench" / "results"
LITELLM = TARGET / "litellm-venv"

# Size in bytes, and conversations measured. Each is sent whole (cold), and then with 5 % more (warm).
SIZES = [("1 KB", 1_000, 600), ("200 KB", 200_000, 25), ("1 MB", 1_000_000, 10), ("5 MB", 5_000_000, 4)]
LOAD_SECONDS = 6
CONNECTIONS = 16


# --- Programs ------------------------------------------------------------------------------------------------------------


def debian():
    """Unpacks nginx and wrk unless they are there; gives their environment."""
    if not (DEBIAN / "usr/bin/wrk").exists():
        packages = DEBIAN / "deb"
        packages.mkdir(parents=True, exist_ok=True)
        names = ["nginx", "wrk", "libluajit-5.1-2", "libluajit-5.1-common"]
        subprocess.run(["apt-get", "download", "-q", *names], cwd=packages, check=True, stdout=subprocess.DEVNULL)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, DEBIAN], check=True)
    libraries = next(DEBIAN.glob("usr/lib/*/libluajit*")).parent
    return os.environ | {"LD_LIBRARY_PATH": str(libraries)}


class Server:
    """A process that listens, and how long it took until it did."""

    def __init__(self, command, port=None, says=None, env=None, silent=False):
        begun = time.perf_counter()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if says else {}
        if silent:
            pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(part) for part in command], env=env, text=True, **pipes)
        if says:
            line = next(line for line in self.process.stdout if re.search(says, line))
            port = int(re.search(says, line).group(1))
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    sys.exit(f"{command[0]} did not start")
                time.sleep(0.001)
        self.started_ms = (time.perf_counter() - begun) * 1e3
        self.port = port

    def memory_mib(self):
        """Resident memory of the process and its children."""
        family = [self.process.pid]
        children = pathlib.Path(f"/proc/{family[0]}/task/{family[0]}/children").read_text()
        family += map(int, children.split())
        resident = [re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()) for pid in family]
        return sum(int(found.group(1)) for found in resident) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def nginx(upstream, folder, env):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; worker_processes auto; pid {folder}/pid; error_log stderr crit;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; client_max_body_size 64m; client_body_buffer_size 8m; keepalive_requests 1000000;
            client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
            uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
                              proxy_buffering off; }}
            }}
        }}"""
    )
    return Server([DEBIAN / "usr/sbin/nginx", "-p", folder, "-c", config, "-e", "stderr"], port=port, env=env)


def headroom(policy, upstream, folder):
    folder.mkdir()
    (folder / "config.toml").write_text("")
    env = {name: value for name, value in os.environ.items() if not name.startswith("HEADROOM_")}
    base = f"http://127.0.0.1:{upstream}"
    command = [
        RELEASE / "headroom", "--config", folder / "config.toml", "--store", folder / "store.db", "proxy",
        "--listen", "127.0.0.1:0", "--policy", policy, "--anthropic-upstream", base, "--openai-upstream", base,
    ]  # fmt: skip
    return Server(command, says=r"listening on http://127\.0\.0\.1:(\d+)", env=env)


def litellm(upstream, folder):
    """LiteLLM's proxy as its documentation starts it: one worker, one model, no database, no keys."""
    if not (LITELLM / "bin" / "litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", LITELLM], check=True)
        subprocess.run([LITELLM / "bin" / "pip", "install", "-q", "litellm[proxy]==1.106.2"], check=True)
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"""model_list:
  - model_name: claude
    litellm_params: {{model: anthropic/claude, api_base: "http://127.0.0.1:{upstream}", api_key: none}}
litellm_settings: {{telemetry: false}}
"""
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    unset = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [LITELLM / "bin" / "litellm", "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", port]
    return Server(command, port=port, env=os.environ | unset, silent=True)


# --- Requests ------------------------------------------------------------------------------------------------------------


def result(size, chance):
    """Tool output of about this size: records, a log, or search results."""
    word = lambda: chance.choice(("disk", "cache", "queue", "index", "worker", "router", "session", "backup"))
    kinds = (
        lambda n: json.dumps({"id": n, "name": f"{word()}-{chance.randrange(9999)}", "state": "running", "cpu": chance.randrange(100)}),
        lambda n: f"2026-01-05T10:{n // 60 % 60:02}:{n % 60:02}Z INFO {word()} handled request {chance.randrange(10**6)} in {chance.randrange(300)} ms",
        lambda n: f"src/{word()}/{word()}.rs:{n}:    let {word()} = {word()}({chance.randrange(10**4)});",
    )
    line, lines, length = chance.choice(kinds), [], 0
    while length < size:
        lines.append(line(len(lines) + 1))
        length += len(lines[-1]) + 3
    if lines[0].startswith("{"):
        return "[" + ", ".join(lines) + "]"
    return "\n".join(lines)


def turn(number, size, chance):
    call = {"type": "tool_use", "id": f"toolu_{chance.getrandbits(60):x}", "name": "Bash", "input": {"command": f"show {number}"}}
    answer = {"type": "tool_result", "tool_use_id": call["id"], "content": result(size, chance)}
    return [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answer]}]


def request(messages, stream=False):
    tool = {"name": "Bash", "description": "Runs a command. " * 3, "input_schema": {"type": "object"}}
    body = ({"stream": True} if stream else {}) | {"model": "claude", "max_tokens": 64, "tools": [tool], "messages": messages}
    # As clients write it: no spaces.
    return json.dumps(body, separators=(",", ":")).encode()


def conversation(size, seed):
    """A request of this size in 20 turns, and the next one, which is 5 % longer."""
    chance = random.Random(seed)
    if size < 10_000:
        start = [{"role": "user", "content": f"Question {seed}. " + "Say something about it. " * (size // 24 - 9)}]
        return request(start), request(start + [{"role": "assistant", "content": "ok"}, {"role": "user", "content": "go on, then"}])
    messages = [{"role": "user", "content": f"Question {seed}."}]
    # JSON quotes what records quote, so that a text of n bytes takes a little more than n.
    for number in range(20):
        messages += turn(number, size * 0.93 / 20, chance)
    return request(messages), request(messages + turn(20, size * 0.93 / 20, chance))


class Client:
    """One kept-alive connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, body):
        """Milliseconds from the first byte out to the last byte in."""
        head = b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        begun = time.perf_counter()
        self.socket.sendall(head + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.read()
        head, rest = answer.split(b"\r\n\r\n", 1)
        missing = int(re.search(rb"content-length: (\d+)", head, re.I).group(1)) - len(rest)
        while missing > 0:
            missing -= len(self.read())
        took = (time.perf_counter() - begun) * 1e3
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"unexpected answer: {head.decode()}")
        return took

    def read(self):
        if piece := self.socket.recv(1 << 16):
            return piece
        sys.exit("the connection was closed")


# --- Measuring -----------------------------------------------------------------------------------------------------------


def percentiles(times):
    times = sorted(times)
    return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]


def latencies(servers):
    """(size, temperature) -> name -> p50 and p99 in milliseconds."""
    measured = {}
    seed = 0
    for label, size, count in SIZES:
        times = {(kind, name): [] for kind in ("cold", "warm") for name in servers}
        clients = {name: Client(server.port) for name, server in servers.items()}
        for round_ in range(-1, count):
            seed += 1
            cold, warm = conversation(size, seed)
            for kind, body in (("cold", cold), ("warm", warm)):
                for name, client in clients.items():
                    took = client.send(body)
                    if round_ >= 0:  # The first round opens the connections upstream.
                        times[kind, name].append(took)
        for kind in ("cold", "warm"):
            measured[label, kind] = {name: percentiles(times[kind, name]) for name in servers}
    return measured


def load(port, body, env, folder):
    """Requests a second with 16 connections, as wrk counts them, of a server that has answered before."""
    client = Client(port)
    for _ in range(20):
        client.send(conversation(1000, 0)[0])
    (folder / "body").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(
        f'wrk.method = "POST"; wrk.headers["content-type"] = "application/json"; wrk.body = io.open("{folder}/body"):read("*a")'
    )
    command = [DEBIAN / "usr/bin/wrk", "-t1", f"-c{CONNECTIONS}", f"-d{LOAD_SECONDS}s", "--timeout", "30s", "-s", script, f"http://127.0.0.1:{port}/v1/messages"]
    said = subprocess.run([str(part) for part in command], env=env, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


def measure(with_litellm):
    env = debian()
    example = ["cargo", "build", "--release", "--locked", "-q", "-p", "headroom-testkit", "--example", "static_upstream"]
    subprocess.run(example, cwd=ROOT, check=True)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def start(server):
            stack.callback(server.close)
            return server

        upstream = start(Server([RELEASE / "examples" / "static_upstream"], says=r":(\d+)$"))
        servers = {"direct": upstream, "nginx": start(nginx(upstream.port, folder / "nginx", env))}
        if with_litellm:
            servers["litellm"] = start(litellm(upstream.port, folder / "litellm"))
        for policy in ("off", "standard") if with_litellm else ("off", "lossless", "standard"):
            servers[policy] = start(headroom(policy, upstream.port, folder / policy))
        time.sleep(0.5)
        idle = {name: server.memory_mib() for name, server in servers.items()}
        rates = {
            name: [load(server.port, conversation(1000, 0)[0], env, folder), load(server.port, request([{"role": "user", "content": "x" * 850}], True), env, folder)]
            for name, server in servers.items()
        }
        busy = {name: server.memory_mib() for name, server in servers.items()}
        measured = latencies(servers)
        large = {name: server.memory_mib() for name, server in servers.items()}
        started = {name: server.started_ms for name, server in servers.items()}
        return table(servers, measured, rates, idle, busy, large, started)


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    load_average = os.getloadavg()[0]
    name = cpu.group(1) if cpu else platform.machine()
    return f"{name}, {os.cpu_count()} cores, Linux {platform.release()}, load average at the start {load_average:.1f}"


def table(servers, measured, rates, idle, busy, large, started):
    names = list(servers)
    shown = {"off": "headroom off", "lossless": "headroom lossless", "standard": "headroom standard"}
    head = ["", *(shown.get(name, name) for name in names)]
    rows = [head, ["---"] + ["---:"] * len(names)]
    for (label, kind), times in measured.items():
        count = next(count for size, _, count in SIZES if size == label)
        direct = times["direct"]
        high = "p99" if count >= 100 else "worst"

        def cell(name):
            low_ms, high_ms = times[name]
            if name == "direct":
                return f"{low_ms:.3g} / {high_ms:.3g}"
            return f"{low_ms - direct[0]:+.3g} / {high_ms - direct[1]:+.3g}"

        rows.append([f"{label} {kind}, ms p50 / {high} of {count}", *map(cell, names)])
    rows.append([f"requests/s, 1 KB, {CONNECTIONS} connections", *(f"{rates[name][0]:.0f}" for name in names)])
    rows.append([f"streams/s, 14 events, {CONNECTIONS} connections", *(f"{rates[name][1]:.0f}" for name in names)])
    for label, values in (("idle", idle), ("after the small requests", busy), ("after the large bodies", large)):
        rows.append([f"resident MiB, {label}", *(f"{values[name]:.1f}" for name in names)])
    rows.append(["ms from start to listening", *(f"{started[name]:.0f}" for name in names)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--with", dest="other", choices=["litellm"], help="another gateway to measure in the same run")
    other = arguments.parse_args().other
    where = machine()
    begun = time.monotonic()
    found = measure(other == "litellm")
    took = time.monotonic() - begun
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    RESULTS.mkdir(exist_ok=True)
    result = RESULTS / (f"proxy-{other}-{today}.md" if other else "proxy.md")
    about = " LiteLLM 1.106.2 runs one worker, as by default, and answers at `/v1/messages`." if other else ""
    result.write_text(
        f"""# What the proxy adds

{today}, {commit or "no commit"}, {where}. One run of `python3 bench/proxy.py{f" --with {other}" if other else ""}`, {took:.0f} s.

`direct` is the whole time to a static provider; the other columns of the first rows are what comes on top of it. Cold: a
conversation of 20 tool results never seen before. Warm: the same with one more turn, 5 % of it. Client, provider and all
proxies share the machine's cores.{about}

{found}
"""
    )
    print(found)


if __name__ == "__main__":
    main()
