"""The official Google GenAI SDK through the proxy."""

import json
import unittest

from google import genai
from google.genai import types

from harness import INSTRUCTIONS, TOOL, Reply, SdkCase, rows

KEY = "key-of-the-caller"
MODEL = "gemini-2.5-flash"
BASH = types.Tool(function_declarations=[{"name": "Bash", "description": "Runs a command", "parameters": {"type": "OBJECT", "properties": {"command": {"type": "STRING"}}}}])
CONFIG = types.GenerateContentConfig(
    system_instruction=INSTRUCTIONS,
    tools=[BASH],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)
USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}


def call(name, arguments):
    return {"functionCall": {"name": name, "args": arguments}}


def retrieve(handle, **more):
    return call(TOOL, {"content_id": handle} | more)


def said(text):
    return {"text": text}


def candidate(parts, **more):
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}} | more]}


def whole(*parts):
    return Reply(candidate(list(parts), finishReason="STOP") | {"usageMetadata": USAGE, "modelVersion": MODEL})


def stream(*parts):
    """The same answer, a part a chunk."""
    chunks = [candidate([part]) | {"modelVersion": MODEL} for part in parts]
    chunks.append(candidate([said("")], finishReason="STOP") | {"usageMetadata": USAGE, "modelVersion": MODEL})
    return Reply([f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks], content_type="text/event-stream")


def opening(result):
    """A question, a call, and its long result."""
    return [
        types.Content(role="user", parts=[types.Part(text="Which service has failed?")]),
        types.Content(role="model", parts=[types.Part.from_function_call(name="Bash", args={"command": "svc list --json"})]),
        types.Content(role="user", parts=[types.Part.from_function_response(name="Bash", response={"output": result})]),
    ]


def results(received):
    """Every function response in a request: its name and its object."""
    parts = [part for content in received.json["contents"] for part in content["parts"]]
    return [(part["functionResponse"]["name"], part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]


class GeminiCase(SdkCase):
    def setUp(self):
        self.client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=self.proxy.base))

    def ask(self, result):
        return self.client.models.generate_content(model=MODEL, contents=opening(result), config=CONFIG)

    def stream(self, result):
        return list(self.client.models.generate_content_stream(model=MODEL, contents=opening(result), config=CONFIG))

    def test_text_arrives_with_the_callers_key_and_the_long_result_is_shorter(self):
        self.provider.play(whole(said("Number 77.")))
        original = rows()
        answer = self.ask(original)
        self.assertEqual((answer.text, answer.usage_metadata.total_token_count), ("Number 77.", 13))
        [sent] = self.received(1)
        self.assertEqual(sent.headers["x-goog-api-key"], KEY)
        self.assertTrue(sent.path.endswith(f"/models/{MODEL}:generateContent"), sent.path)
        declared = [function["name"] for tool in sent.json["tools"] for function in tool["functionDeclarations"]]
        self.assertEqual(declared, ["Bash", TOOL])
        [(_, shown)] = results(sent)
        self.assertLess(len(shown["output"]), len(original) / 2)
        self.assertIn("FAILED: disk", shown["output"])

    def test_a_retrieval_is_answered_and_invisible(self):
        original = rows()
        self.provider.play(lambda r: whole(retrieve(r.handle, limit=64000)), whole(said("It is known.")))
        answer = self.ask(original)
        self.assertEqual((answer.text, answer.function_calls), ("It is known.", None))
        sent = self.received(2)
        name, given = results(sent[1])[-1]
        self.assertEqual(name, TOOL)
        self.assertTrue(original in given.values(), str(given)[:300])

    def test_a_retrieval_is_answered_inside_the_stream(self):
        original = rows()
        self.provider.play(
            lambda r: stream(said("I look it up. "), retrieve(r.handle, limit=64000)),
            stream(said("It is "), said("known.")),
        )
        chunks = self.stream(original)
        self.assertEqual("".join(chunk.text or "" for chunk in chunks), "I look it up. It is known.")
        self.assertFalse([chunk for chunk in chunks if chunk.function_calls])
        sent = self.received(2)
        self.assertTrue(original in results(sent[1])[-1][1].values())

    def test_the_callers_own_call_arrives_whole(self):
        self.provider.play(stream(said("I look."), call("Bash", {"command": "df"})))
        calls = [call for chunk in self.stream(rows()) for call in chunk.function_calls or []]
        self.assertEqual([(call.name, call.args) for call in calls], [("Bash", {"command": "df"})])


if __name__ == "__main__":
    unittest.main()
