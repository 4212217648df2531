"""A provider that speaks Anthropic Messages, OpenAI Responses and Chat Completions, and Gemini.

Responses are also spoken over a WebSocket, as Codex prefers it. It asks for one shell command, if the request offers a tool
that runs one and holds no result yet, and says one sentence otherwise. Every body that arrives is kept.
"""

import base64
import gzip
import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SAID = "The disk /dev/sdb1 failed."
FAILURE = "worker-3 disk /dev/sdb1 failed: I/O error 5"
USAGE = {"input": 5000, "cached": 3000, "output": 20}


def command(lines):
    """Prints a log of that many lines, one of which is no routine."""
    line = "f'2026-01-05T10:{n//60%60:02}:{n%60:02}Z INFO worker-{n%7} handled request {n*7919} in {n%93} ms'"
    odd = f"'2026-01-05T10:05:00Z ERROR {FAILURE}'"
    return f'python3 -c "\nfor n in range({lines}): print({line} if n!=300 else {odd})"'


class Provider:
    """Runs on a free port until it is stopped."""

    def __init__(self, lines):
        self.command = command(lines)
        self.bodies = []
        self.websockets = 0
        provider = self

        class Handler(_Handler):
            pass

        Handler.provider = provider
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self):
        """The bodies since the last call."""
        taken, self.bodies = self.bodies, []
        return taken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._send("text/plain", b"")

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket" and self.path.split("?")[0].endswith("/responses"):
            return self._converse()
        self._json({"data": [], "models": []})

    def _converse(self):
        """Answers one `response.create` after the other, in the data of the events that a stream would have."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        self.wfile.write(head.encode())
        self.close_connection = True
        self.provider.websockets += 1
        while text := self._message():
            body = json.loads(text)
            if body.get("type") != "response.create":
                continue
            if body.get("generate") is False:
                # Only to be prepared for.
                response = {"id": "resp_warm", "output": [], "usage": {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}}
                self._tell(1, json.dumps({"type": "response.completed", "response": response}))
                continue
            self.provider.bodies.append(body)
            for event in responses(body, self.provider.command)[1]:
                for line in event.splitlines():
                    if line.startswith("data: "):
                        self._tell(1, line.removeprefix("data: "))

    def _message(self):
        """The next text, put together; nothing when the client leaves."""
        text = b""
        while len(head := self.rfile.read(2)) == 2:
            last, kind, size = head[0] >> 7, head[0] & 15, head[1] & 127
            if size > 125:
                size = struct.unpack(">H", self.rfile.read(2))[0] if size == 126 else struct.unpack(">Q", self.rfile.read(8))[0]
            mask = int.from_bytes(self.rfile.read(4) * (size // 4 + 1), "big") >> (8 * (4 - size % 4))
            data = (int.from_bytes(self.rfile.read(size), "big") ^ mask).to_bytes(size, "big")
            if kind == 8:
                return None
            if kind == 9:
                self._tell(10, data)
            elif kind < 8:
                text += data
                if last:
                    return text
        return None

    def _tell(self, kind, data):
        data = data.encode() if isinstance(data, str) else data
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 1 << 16 else b"\x7f" + struct.pack(">Q", size)
        self.wfile.write(bytes([128 | kind]) + length + data)
        self.wfile.flush()

    def do_POST(self):
        raw = self._read()
        try:
            body = json.loads(raw)
        except ValueError:
            return self._json({})
        path = self.path.split("?")[0]
        if path.endswith("/count_tokens"):
            return self._json({"input_tokens": 1000})
        self.provider.bodies.append(body)
        if path.endswith("/messages"):
            return self._answer(body, *anthropic(body, self.provider.command))
        if path.endswith("/responses"):
            return self._answer(body, *responses(body, self.provider.command))
        if path.endswith("/chat/completions"):
            return self._answer(body, *chat(body, self.provider.command))
        if "enerateContent" in path:
            whole = gemini(body, self.provider.command)
            return self._answer({"stream": "stream" in path}, whole, [f"data: {json.dumps(whole)}\n\n"])
        return self._json({})

    def _read(self):
        if self.headers.get("transfer-encoding") == "chunked":
            raw = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

    def _answer(self, body, whole, events):
        if not body.get("stream"):
            return self._json(whole)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in [*events, ""]:
            chunk = event.encode()
            self.wfile.write(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
            self.wfile.flush()

    def _json(self, value):
        self._send("application/json", json.dumps(value).encode())

    def _send(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def named(events):
    """Events with their type as a name, as Anthropic and Responses have them."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


def anthropic(body, shell):
    tools = [tool.get("name") for tool in body.get("tools") or []]
    tool = next((name for name in ("Bash", "bash") if name in tools), None)
    if tool and '"tool_result"' not in json.dumps(body["messages"]):
        arguments = {"command": shell, "description": "Show the log"}
        block = {"type": "tool_use", "id": "toolu_01ABCDEFGHIJKLMNOPQRSTUV", "name": tool, "input": arguments}
        start, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        stop = "tool_use"
    else:
        block = {"type": "text", "text": SAID}
        start, delta, stop = {**block, "text": ""}, {"type": "text_delta", "text": SAID}, "end_turn"
    usage = {"input_tokens": USAGE["input"] - USAGE["cached"], "cache_read_input_tokens": USAGE["cached"], "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    end = {"stop_reason": stop, "stop_sequence": None}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": USAGE["output"]}},
        {"type": "message_stop"},
    ]
    return {**message, "content": [block], **end}, named(events)


def responses(body, shell):
    items = [item for item in body["input"] if isinstance(item, dict)]
    asked = any(str(item.get("type")).endswith("_output") for item in items)
    tools = [tool.get("name") for tool in body.get("tools") or []]
    # Codex's code mode: the tools stand in the input, and one of them runs scripts.
    scripts = any(item.get("type") == "additional_tools" for item in items)
    arguments = {"exec_command": {"cmd": shell}, "shell_command": {"command": shell}, "shell": {"command": ["bash", "-lc", shell]}}
    tool = next((name for name in arguments if name in tools), None)
    if scripts and not asked:
        script = f"const r = await tools.exec_command({json.dumps({'cmd': shell, 'max_output_tokens': 20000})});\ntext(r.output);"
        item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "exec", "namespace": "functions"}
        item, empty, delta = {**item, "input": script}, {"input": ""}, ("custom_tool_call_input", "input", script)
    elif tool and not asked:
        given = json.dumps(arguments[tool])
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool, "arguments": given}
        empty, delta = {"arguments": ""}, ("function_call_arguments", "arguments", given)
    else:
        part = {"type": "output_text", "text": SAID, "annotations": []}
        item, empty, delta = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}, {"content": []}, None
    item["status"] = "completed"
    usage = {"input_tokens": USAGE["input"], "input_tokens_details": {"cached_tokens": USAGE["cached"]}}
    usage |= {"output_tokens": USAGE["output"], "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5020}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": body["model"], "status": "in_progress"}
    done = {**response, "status": "completed", "output": [item], "usage": usage}
    place = {"item_id": item["id"], "output_index": 0}
    if delta:
        kind, field, value = delta
        middle = [{"type": f"response.{kind}.delta", **place, "delta": value}, {"type": f"response.{kind}.done", **place, field: value}]
    else:
        place |= {"content_index": 0}
        middle = [
            {"type": "response.content_part.added", **place, "part": {**item["content"][0], "text": ""}},
            {"type": "response.output_text.delta", **place, "delta": SAID},
            {"type": "response.output_text.done", **place, "text": SAID},
        ]
    events = [
        {"type": "response.created", "response": {**response, "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, **empty, "status": "in_progress"}},
        *middle,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]
    return done, named({**event, "sequence_number": number} for number, event in enumerate(events))


def chat(body, shell):
    tools = [tool.get("function", {}).get("name") for tool in body.get("tools") or []]
    tool = next((name for name in ("run_shell_command", "bash", "shell") if name in tools), None)
    if tool and not any(message.get("role") == "tool" for message in body["messages"]):
        arguments = json.dumps({"command": shell, "is_background": False, "description": "Show the log"})
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": arguments}}
        message, stop = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    else:
        message, stop = {"role": "assistant", "content": SAID}, "stop"
    base = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": USAGE["input"], "completion_tokens": USAGE["output"], "total_tokens": 5020}
    whole = {**base, "object": "chat.completion", "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": stop}]}
    chunk = {**base, "object": "chat.completion.chunk"}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    return whole, [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def gemini(body, shell):
    tools = [function["name"] for tool in body.get("tools") or [] for function in tool.get("functionDeclarations") or []]
    config = body.get("generationConfig") or {}
    if "run_shell_command" in tools and "functionResponse" not in json.dumps(body["contents"]):
        part = {"functionCall": {"name": "run_shell_command", "args": {"command": shell, "description": "Show the log"}}}
    elif config.get("responseMimeType") == "application/json":
        # Which model to use, and who speaks next: the CLI asks before and after a turn.
        part = {"text": json.dumps({"reasoning": "short", "model_choice": "flash", "complexity_score": 10, "next_speaker": "user"})}
    else:
        part = {"text": SAID}
    usage = {"promptTokenCount": USAGE["input"], "cachedContentTokenCount": USAGE["cached"], "candidatesTokenCount": USAGE["output"]}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini", "responseId": "r1"}
