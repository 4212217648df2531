"""A scripted provider, and the real proxy in front of it."""

import itertools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = os.environ.get("HEADROOM_BIN", str(TARGET / "release" / "headroom"))
TOOL = "retrieve_original_content"
HANDLE = re.compile(r"\bhr_[0-9a-z]+")


@dataclass
class Reply:
    """One answer of the provider. A list body is written piece by piece, each flushed."""

    body: object
    status: int = 200
    content_type: str = "application/json"
    headers: dict = field(default_factory=dict)


@dataclass
class Received:
    """One request as the provider got it."""

    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def handle(self):
        """The first handle in the conversation: what a model would copy into its call."""
        found = HANDLE.search(self.body.decode())
        return found.group() if found else "hr_none"


class Provider:
    """Answers the n-th request with the n-th reply of the script: a `Reply`, or a function of the request that makes one."""

    def __init__(self):
        self.received = []
        self._script = iter(())
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                provider.received.append(request)
                step = next(provider._script, Reply({"error": {"message": "the script has ended"}}, status=500))
                self._answer(step(request) if callable(step) else step)

            def _answer(self, reply):
                self.send_response(reply.status)
                self.send_header("content-type", reply.content_type)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if isinstance(reply.body, list):
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    for piece in reply.body:
                        piece = piece.encode()
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    body = json.dumps(reply.body).encode()
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"

    def play(self, *script):
        self.received.clear()
        self._script = iter(script)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Proxy:
    """`headroom proxy` on a free port, with a store file of its own and none of the user's configuration."""

    def __init__(self, upstream):
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        (folder / "config.toml").write_text("")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HEADROOM_")}
        self._process = subprocess.Popen(
            [
                BINARY, "--config", str(folder / "config.toml"), "--store", str(folder / "store.db"),
                "proxy", "--listen", "127.0.0.1:0", "--retrieval", "always",
                "--anthropic-upstream", upstream, "--openai-upstream", upstream,
                "--gemini-upstream", upstream,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(r"listening on (http://\S+)", line):
                self.base = found.group(1)
                break
        else:
            raise RuntimeError(f"{BINARY} did not start: {''.join(said)}")
        # A full pipe would stop the proxy.
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=20)
        self._process.stderr.close()
        self._folder.cleanup()


class SdkCase(unittest.TestCase):
    """A test with both of them; each class starts its own."""

    # Whatever stands between client and provider: made with the provider's address, it has one of its own in `base`.
    door = Proxy

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.addClassCleanup(cls.provider.close)
        cls.proxy = cls.door(cls.provider.base)
        cls.addClassCleanup(cls.proxy.close)

    def received(self, count):
        """The requests the provider has got, which must be this many."""
        self.assertEqual(len(self.provider.received), count, [r.path for r in self.provider.received])
        return self.provider.received


_seeds = itertools.count(1)


def rows(count=400):
    """A tool's long, regular output with one odd row; no two calls give the same text, so that nothing is a repetition."""
    seed = next(_seeds)
    return json.dumps(
        [
            {
                "id": n,
                "name": f"service-{seed}-{n}",
                "region": "eu-central-1",
                "state": "FAILED: disk" if n == 77 else "running",
                "cpu": n * 37 % 100,
                "owner": f"team-{n % 7}",
            }
            for n in range(count)
        ]
    )


INSTRUCTIONS = "You are an operator. " * 300
