"""Every tool of `headroom mcp` through the official Python client, and its stdout through a client that forgives nothing."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import tempfile
import threading
import unittest

from mcp import Client, StdioServerParameters

HEADROOM = os.environ["HEADROOM_BIN"]
TOOLS = {
    "compress_file",
    "compress_command_output",
    "compress_rag_chunks",
    "retrieve_original_content",
    "search_memory",
    "remember",
    "recall",
    "forget",
}


def log():
    """A log in which one line in 400 is no routine."""
    lines = []
    for n in range(400):
        if n == 200:
            lines.append("2026-01-05T10:03:20Z ERROR worker-3 disk /dev/sdb1 failed: I/O error 5")
        else:
            lines.append(
                f"2026-01-05T10:{n // 60:02}:{n % 60:02}Z INFO worker-{n % 7} handled request {n * 7919} in {n % 93} ms"
            )
    return "\n".join(lines) + "\n"


def text(result):
    assert not result.is_error, result
    return result.content[0].text


class Tools(unittest.TestCase):
    """A source tree with a log in it, and a home of nobody's."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.home = os.path.join(self.folder.name, "home")
        self.tree = os.path.join(self.folder.name, "tree")
        for folder in (self.home, self.tree):
            os.mkdir(folder)
        for arguments in (["init", "-q"], ["remote", "add", "origin", "https://github.com/example/tree"]):
            subprocess.run(["git", *arguments], cwd=self.tree, check=True)
        with open(os.path.join(self.tree, "app.log"), "w") as file:
            file.write(log())
        # Whatever is logged, it may not be on stdout.
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "HEADROOM_LOG": "trace"}

    async def every_tool(self, client):
        listed = await client.list_tools()
        self.assertEqual({tool.name for tool in listed.tools}, TOOLS)
        called = set()

        async def call(tool, arguments, **more):
            called.add(tool)
            return await client.call_tool(tool, arguments, **more)

        told = []

        async def progress(done, total, message):
            told.append((done, total, message))

        short = text(await call("compress_file", {"path": "app.log"}, progress_callback=progress))
        self.assertIn("/dev/sdb1 failed", short)
        self.assertLess(len(short) * 4, len(log()))
        self.assertEqual([done for done, _, _ in told], [0.0])
        handle = re.search(r"hr_\w{10}", short).group()
        found = text(await call("retrieve_original_content", {"content_id": handle, "line_range": "1-2"}))
        self.assertEqual(found, "".join(log().splitlines(keepends=True)[:2]))
        output = text(await call("compress_command_output", {"output": log(), "command": "journalctl", "exit_code": 0}))
        self.assertIn("/dev/sdb1 failed", output)
        chunks = [{"id": n, "text": f"Room {n} has a window. " + "The garden lies behind the house. " * 30} for n in range(8)]
        passages = text(await call("compress_rag_chunks", {"chunks": chunks, "query": "garden", "budget": 300}))
        self.assertIn("8 passages", passages)
        note = text(await call("remember", {"text": "The disk /dev/sdb1 is old.", "topic": "hardware"}))
        number = int(re.search(r"note (\d+)", note).group(1))
        self.assertIn("/dev/sdb1 is old", text(await call("recall", {"query": "disk"})))
        self.assertIn("sdb1", text(await call("search_memory", {"query": "disk sdb1"})))
        self.assertIn("gone", text(await call("forget", {"note": number})))
        self.assertEqual(called, TOOLS)

        outside = await client.call_tool("compress_file", {"path": "/etc/passwd"})
        self.assertTrue(outside.is_error)
        marked = await client.call_tool("remember", {"text": f"[-1 of 2 lines; all in {handle}]"})
        self.assertTrue(marked.is_error and "must not be written" in marked.content[0].text)
        original = await client.read_resource(f"headroom://original/{handle}")
        self.assertEqual(original.contents[0].text, log())

    def test_over_stdio(self):
        async def run():
            env = {**self.env, "HEADROOM_LOG": "warn"}
            server = StdioServerParameters(command=HEADROOM, args=["mcp"], env=env, cwd=self.tree)
            async with Client(server) as client:
                await self.every_tool(client)

        asyncio.run(run())

    def test_over_streamable_http(self):
        async def run(address):
            async with Client(address) as client:
                await self.every_tool(client)

        command = [HEADROOM, "mcp", "--http", "127.0.0.1:0", "--root", self.tree]
        with subprocess.Popen(command, env=self.env, cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
            try:
                for line in server.stderr:
                    said = re.search(rb"MCP at (http://\S+)", line)
                    if said:
                        break
                threading.Thread(target=server.stderr.read, daemon=True).start()
                asyncio.run(run(said.group(1).decode()))
            finally:
                server.kill()
            self.assertEqual(server.stdout.read(), b"", "stdout is not for talk")

    def test_stdout_holds_the_protocol_and_nothing_else(self):
        requests = [
            {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "strict", "version": "1"}}},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/list"},
            {"id": 3, "method": "tools/call", "params": {"name": "compress_file", "arguments": {"path": "app.log"}}},
            {"id": 4, "method": "tools/call", "params": {"name": "no_such_tool", "arguments": {}}},
            {"id": 5, "method": "no/such/method"},
        ]
        with subprocess.Popen([HEADROOM, "mcp"], env=self.env, cwd=self.tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
            logged = []
            reader = threading.Thread(target=lambda: logged.append(server.stderr.read()), daemon=True)
            reader.start()
            answers = {}
            for request in requests:
                server.stdin.write(json.dumps({"jsonrpc": "2.0", **request}).encode() + b"\n")
                server.stdin.flush()
                while "id" in request and request["id"] not in answers:
                    line = server.stdout.readline()
                    self.assertTrue(line.endswith(b"\n") and not line.endswith(b"\r\n"), line)
                    message = json.loads(line)
                    self.assertEqual(message["jsonrpc"], "2.0")
                    self.assertTrue({"result", "error", "method"} & message.keys(), message)
                    answers[message.get("id")] = message
            server.stdin.close()
            rest = server.stdout.read()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            reader.join(10)
        self.assertEqual(rest, b"")
        self.assertIn("result", answers[3])
        self.assertTrue("error" in answers[4] or answers[4]["result"].get("isError"))
        self.assertIn("error", answers[5])
        self.assertTrue(logged and logged[0], "trace logging was on, so that there is something to stray")


if __name__ == "__main__":
    unittest.main()
