"""The official OpenAI SDK's Responses API through the proxy."""

import json
import unittest

import openai

from harness import INSTRUCTIONS, TOOL, Reply, SdkCase, rows

KEY = "sk-of-the-caller"
BASH = {"type": "function", "name": "Bash", "description": "Runs a command", "parameters": {"type": "object"}, "strict": False}
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 13,
}


def call(call_id, name, arguments):
    return {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": json.dumps(arguments), "status": "completed"}


def retrieve(handle, **more):
    return call("call_r", TOOL, {"content_id": handle} | more)


def message(said, name="msg_1"):
    return {
        "type": "message",
        "id": name,
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": said, "annotations": []}],
    }


def response(output, status="completed", number=1):
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "gpt-4o",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE if status == "completed" else None,
    }


def whole(*output, number=1):
    return Reply(response(list(output), number=number))


def stream(*output, number=1):
    """The same answer as events."""
    events = [{"type": "response.created", "response": response([], "in_progress", number)}]
    for index, item in enumerate(output):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            said, place = item["content"][0]["text"], at | {"content_index": 0}
            part = {"type": "output_text", "annotations": []}
            events += [
                {"type": "response.output_item.added", "output_index": index, "item": item | {"content": [], "status": "in_progress"}},
                {"type": "response.content_part.added", "part": part | {"text": ""}} | place,
                {"type": "response.output_text.delta", "delta": said[:5], "logprobs": []} | place,
                {"type": "response.output_text.delta", "delta": said[5:], "logprobs": []} | place,
                {"type": "response.output_text.done", "text": said, "logprobs": []} | place,
                {"type": "response.content_part.done", "part": part | {"text": said}} | place,
            ]
        else:
            events += [
                {"type": "response.output_item.added", "output_index": index, "item": item | {"arguments": "", "status": "in_progress"}},
                {"type": "response.function_call_arguments.delta", "delta": item["arguments"]} | at,
                {"type": "response.function_call_arguments.done", "arguments": item["arguments"], "name": item["name"]} | at,
            ]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": response(list(output), number=number)})
    for number, event in enumerate(events):
        event["sequence_number"] = number
    return Reply([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events], content_type="text/event-stream")


def opening(result):
    """A question, a call, and its long result."""
    return [
        {"role": "user", "content": "Which service has failed?"},
        call("call_a", "Bash", {"command": "svc list --json"}),
        {"type": "function_call_output", "call_id": "call_a", "output": result},
    ]


def request(items, **more):
    return {"model": "gpt-4o", "instructions": INSTRUCTIONS, "tools": [BASH], "input": items} | more


def results(received):
    """Every tool result in a request, by the id of its call."""
    return {item["call_id"]: item["output"] for item in received.json["input"] if item.get("type") == "function_call_output"}


class ResponsesCase(SdkCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{self.proxy.base}/v1", api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def test_text_arrives_with_the_callers_key_and_the_long_result_is_shorter(self):
        self.provider.play(whole(message("Number 77.")))
        original = rows()
        answer = self.client.responses.create(**request(opening(original)))
        self.assertEqual((answer.output_text, answer.usage.total_tokens), ("Number 77.", 13))
        [sent] = self.received(1)
        self.assertEqual((sent.path, sent.headers["authorization"]), ("/v1/responses", f"Bearer {KEY}"))
        self.assertEqual([tool["name"] for tool in sent.json["tools"]], ["Bash", TOOL])
        shown = results(sent)["call_a"]
        self.assertLess(len(shown), len(original) / 2)
        self.assertIn("FAILED: disk", shown)

    def test_a_retrieval_is_answered_and_invisible(self):
        original = rows()
        self.provider.play(lambda r: whole(retrieve(r.handle, limit=64000)), whole(message("It is known.", "msg_2"), number=2))
        answer = self.client.responses.create(**request(opening(original)))
        self.assertEqual(answer.output_text, "It is known.")
        self.assertEqual([item.type for item in answer.output], ["message"])
        self.assertEqual(answer.usage.output_tokens, 8)
        sent = self.received(2)
        self.assertTrue(results(sent[1])["call_r"] == original, results(sent[1])["call_r"][:300])

    def test_a_retrieval_is_answered_inside_the_stream(self):
        original = rows()
        self.provider.play(
            lambda r: stream(message("I look it up."), retrieve(r.handle, limit=64000)),
            stream(message("It is known.", "msg_2"), number=2),
        )
        with self.client.responses.stream(**request(opening(original))) as events:
            seen = [event.type for event in events]
            answer = events.get_final_response()
        self.assertEqual((seen.count("response.created"), seen.count("response.completed")), (1, 1))
        self.assertNotIn("response.function_call_arguments.delta", seen)
        self.assertEqual([item.type for item in answer.output], ["message", "message"])
        self.assertEqual(answer.output_text, "I look it up.It is known.")
        sent = self.received(2)
        self.assertTrue(results(sent[1])["call_r"] == original, results(sent[1])["call_r"][:300])

    def test_the_callers_own_call_arrives_whole(self):
        self.provider.play(stream(call("call_b", "Bash", {"command": "df"})))
        with self.client.responses.stream(**request(opening(rows()))) as events:
            [made] = events.get_final_response().output
        self.assertEqual((made.call_id, made.name, json.loads(made.arguments)), ("call_b", "Bash", {"command": "df"}))


if __name__ == "__main__":
    unittest.main()
