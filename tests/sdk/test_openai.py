"""The official OpenAI SDK through the proxy."""

import asyncio
import json
import unittest

import openai

from harness import INSTRUCTIONS, TOOL, Reply, SdkCase, rows

KEY = "sk-of-the-caller"
BASH = {"type": "function", "function": {"name": "Bash", "description": "Runs a command", "parameters": {"type": "object"}}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def call(call_id, name, arguments):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


DF = call("call_b", "Bash", {"command": "df"})


def retrieve(handle, **more):
    return call("call_r", TOOL, {"content_id": handle, **more})


def completion(said, *calls):
    """An answer without streaming: 9 tokens in, 4 out."""
    message = {"role": "assistant", "content": said, "refusal": None} | ({"tool_calls": list(calls)} if calls else {})
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}
    return Reply({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice], "usage": USAGE})


def chunks(said, *calls):
    """The same answer as a stream."""

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}

    parts = [chunk({"role": "assistant", "content": ""})]
    if said:
        parts += [chunk({"content": said[: len(said) // 2]}), chunk({"content": said[len(said) // 2 :]})]
    for index, made in enumerate(calls):
        function = made["function"]
        begun = made | {"index": index, "function": {"name": function["name"], "arguments": ""}}
        parts.append(chunk({"tool_calls": [begun]}))
        half = len(function["arguments"]) // 2
        for piece in (function["arguments"][:half], function["arguments"][half:]):
            parts.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    parts.append(chunk({}, "tool_calls" if calls else "stop"))
    parts.append(chunk({}) | {"choices": [], "usage": USAGE})
    data = [f"data: {json.dumps(part)}\n\n" for part in parts] + ["data: [DONE]\n\n"]
    return Reply(data, content_type="text/event-stream")


def opening(result):
    """A question, a call, and its long result."""
    return [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": "Which service has failed?"},
        {"role": "assistant", "content": None, "tool_calls": [call("call_a", "Bash", {"command": "svc list --json"})]},
        {"role": "tool", "tool_call_id": "call_a", "content": result},
    ]


def request(messages, **more):
    return {"model": "gpt-4o", "tools": [BASH], "messages": messages} | more


def results(received):
    """Every tool result in a request, by the id of its call."""
    return {m["tool_call_id"]: m["content"] for m in received.json["messages"] if m["role"] == "tool"}


def gathered(stream):
    """Text, calls by index (id, name, arguments), finish reason and usage of a stream of chunks."""
    said, calls, finish, usage = "", {}, None, []
    for chunk in stream:
        if chunk.usage:
            usage.append(chunk.usage)
        for choice in chunk.choices:
            said += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for delta in choice.delta.tool_calls or []:
                made = calls.setdefault(delta.index, ["", "", ""])
                made[0] += delta.id or ""
                made[1] += delta.function.name or ""
                made[2] += delta.function.arguments or ""
    return said, calls, finish, usage


class OpenAiCase(SdkCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{self.proxy.base}/v1", api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def stream(self, messages):
        options = {"stream": True, "stream_options": {"include_usage": True}}
        return gathered(self.client.chat.completions.create(**request(messages, **options)))

    def answered_with(self, received, original):
        """The retrieval of this request has the original as its answer, byte for byte."""
        # Not assertEqual, which would spend seconds on the difference of two long lines.
        self.assertTrue(results(received)["call_r"] == original, results(received)["call_r"][:300])


class Plain(OpenAiCase):
    def test_text_arrives_with_the_callers_key_and_the_long_result_is_shorter(self):
        self.provider.play(completion("Number 77."))
        original = rows()
        answer = self.client.chat.completions.create(**request(opening(original)))
        self.assertEqual(answer.choices[0].message.content, "Number 77.")
        self.assertEqual(answer.usage.total_tokens, 13)
        [sent] = self.received(1)
        self.assertEqual((sent.path, sent.headers["authorization"]), ("/v1/chat/completions", f"Bearer {KEY}"))
        self.assertEqual([tool["function"]["name"] for tool in sent.json["tools"]], ["Bash", TOOL])
        shown = results(sent)["call_a"]
        self.assertLess(len(shown), len(original) / 2)
        self.assertIn("FAILED: disk", shown)

    def test_text_streams(self):
        self.provider.play(chunks("It is number 77."))
        said, calls, finish, usage = self.stream(opening(rows()))
        self.assertEqual((said, calls, finish), ("It is number 77.", {}, "stop"))
        self.assertEqual([u.completion_tokens for u in usage], [4])

    def test_the_streaming_helper_gives_the_final_completion(self):
        self.provider.play(chunks("I look.", DF))
        with self.client.chat.completions.stream(**request(opening(rows()))) as stream:
            answer = stream.get_final_completion()
        [made] = answer.choices[0].message.tool_calls
        self.assertEqual((answer.choices[0].message.content, made.id), ("I look.", "call_b"))
        self.assertEqual(json.loads(made.function.arguments), {"command": "df"})

    def test_tool_calls_arrive_and_their_arguments_are_whole(self):
        self.provider.play(completion("I look.", DF), chunks("I look.", DF))
        answer = self.client.chat.completions.create(**request(opening(rows())))
        [made] = answer.choices[0].message.tool_calls
        self.assertEqual((made.id, made.function.name, json.loads(made.function.arguments)), ("call_b", "Bash", {"command": "df"}))
        said, calls, finish, _ = self.stream(opening(rows()))
        self.assertEqual((said, calls, finish), ("I look.", {0: ["call_b", "Bash", '{"command": "df"}']}, "tool_calls"))


class Retrieved(OpenAiCase):
    def test_alone_it_is_answered_and_invisible(self):
        original = rows()
        self.provider.play(lambda r: completion(None, retrieve(r.handle, limit=64000)), completion("Its name is known."))
        answer = self.client.chat.completions.create(**request(opening(original)))
        message = answer.choices[0].message
        self.assertEqual((message.content, message.tool_calls), ("Its name is known.", None))
        self.assertEqual((answer.choices[0].finish_reason, answer.usage.completion_tokens), ("stop", 8))
        _, continued = self.received(2)
        self.answered_with(continued, original)
        self.assertEqual(continued.headers["authorization"], f"Bearer {KEY}")

    def test_alone_in_a_stream(self):
        """T041, T113: usage is that of both responses."""
        original = rows()
        self.provider.play(lambda r: chunks(None, retrieve(r.handle, limit=64000)), chunks("Its name is known."))
        said, calls, finish, usage = self.stream(opening(original))
        self.assertEqual((said, calls, finish), ("Its name is known.", {}, "stop"))
        self.assertEqual([u.completion_tokens for u in usage], [8])
        self.answered_with(self.received(2)[1], original)

    def test_after_text_and_the_next_request_carries_the_hidden_exchange(self):
        """T041"""
        original = rows()
        messages = opening(original)
        self.provider.play(
            lambda r: chunks("I look it up. ", retrieve(r.handle, limit=64000)),
            chunks("It is broken."),
            completion("You are welcome."),
            completion("Bye."),
        )
        said, calls, finish, _ = self.stream(messages)
        self.assertEqual((said, calls, finish), ("I look it up. It is broken.", {}, "stop"))
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": "Thanks."}]
        answer = self.client.chat.completions.create(**request(messages))
        # The SDK's own way to go on: its object, put back as it came.
        messages += [answer.choices[0].message, {"role": "user", "content": "Bye."}]
        self.client.chat.completions.create(**request(messages))
        _, continued, second, third = self.received(4)
        self.answered_with(second, original)
        hidden = continued.json["messages"]
        self.assertEqual(len(hidden), 6)
        self.assertEqual(second.json["messages"][:6], hidden)
        self.assertEqual(second.json["messages"][6]["content"], "It is broken.")
        self.assertEqual(third.json["messages"][: len(second.json["messages"])], second.json["messages"])

    def test_beside_the_clients_own_call(self):
        """T042, whole and streamed."""
        for streamed in (False, True):
            with self.subTest(streamed=streamed):
                original, theirs = rows(), DF | {"id": f"call_{streamed}"}
                messages = opening(original)
                reply = chunks if streamed else completion
                self.provider.play(
                    lambda r: reply("Both.", retrieve(r.handle, limit=64000), theirs), completion("The disk is full.")
                )
                if streamed:
                    said, calls, finish, _ = self.stream(messages)
                    seen = [tuple(made) for made in calls.values()]
                    self.assertEqual(list(calls), [0])
                else:
                    answer = self.client.chat.completions.create(**request(messages))
                    choice = answer.choices[0]
                    said, finish = choice.message.content, choice.finish_reason
                    seen = [(c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls]
                self.assertEqual((said, finish), ("Both.", "tool_calls"))
                self.assertEqual(seen, [(theirs["id"], "Bash", '{"command": "df"}')])
                self.received(1)
                messages += [
                    {"role": "assistant", "content": said, "tool_calls": [theirs]},
                    {"role": "tool", "tool_call_id": theirs["id"], "content": "100 %"},
                ]
                answer = self.client.chat.completions.create(**request(messages))
                self.assertEqual(answer.choices[0].message.content, "The disk is full.")
                sent = self.received(2)[1]
                self.assertEqual([c["id"] for c in sent.json["messages"][4]["tool_calls"]], ["call_r", theirs["id"]])
                self.assertEqual(list(results(sent)), ["call_a", "call_r", theirs["id"]])
                self.answered_with(sent, original)

    def test_with_the_asynchronous_client(self):
        original = rows()

        async def play():
            async with openai.AsyncOpenAI(base_url=f"{self.proxy.base}/v1", api_key=KEY, max_retries=0) as client:
                self.provider.play(
                    lambda r: chunks("Wait. ", retrieve(r.handle, limit=64000)), chunks("Now I know."), completion("Whole.")
                )
                stream = await client.chat.completions.create(**request(opening(original), stream=True))
                seen = gathered([chunk async for chunk in stream])
                whole = await client.chat.completions.create(**request(opening(original)))
                return seen, whole

        (said, calls, finish, _), whole = asyncio.run(play())
        self.assertEqual((said, calls, finish), ("Wait. Now I know.", {}, "stop"))
        self.assertEqual(whole.choices[0].message.content, "Whole.")
        self.answered_with(self.received(3)[1], original)


class Refused(OpenAiCase):
    CASES = (
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (529, openai.InternalServerError),
    )

    @staticmethod
    def refusal(status):
        error = {"error": {"message": "said by the provider", "type": "t", "param": None, "code": f"code_{status}"}}
        return Reply(error, status=status, headers={"retry-after": "7", "x-request-id": "req_1"})

    def check(self, raised, status):
        self.assertEqual((raised.status_code, raised.code), (status, f"code_{status}"))
        self.assertEqual((raised.response.headers["retry-after"], raised.request_id), ("7", "req_1"))

    def test_the_providers_refusals_are_the_sdks_exceptions(self):
        """T038, T110"""
        for status, error in self.CASES:
            with self.subTest(status=status):
                self.provider.play(self.refusal(status), self.refusal(status))
                with self.assertRaises(error) as raised:
                    self.client.chat.completions.create(**request(opening(rows())))
                self.check(raised.exception, status)
                with self.assertRaises(error) as raised:
                    self.stream(opening(rows()))
                self.check(raised.exception, status)

    def test_a_refusal_of_the_continuation_is_the_sdks_exception(self):
        for status, error in self.CASES:
            with self.subTest(status=status):
                self.provider.play(lambda r: completion(None, retrieve(r.handle)), self.refusal(status))
                with self.assertRaises(error) as raised:
                    self.client.chat.completions.create(**request(opening(rows())))
                self.check(raised.exception, status)

    def test_a_refusal_inside_a_stream_is_an_exception(self):
        self.provider.play(lambda r: chunks("Wait. ", retrieve(r.handle)), self.refusal(429))
        with self.assertRaises(openai.APIError) as raised:
            self.stream(opening(rows()))
        self.assertEqual(raised.exception.code, "code_429")


if __name__ == "__main__":
    unittest.main()
