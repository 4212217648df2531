"""The official Anthropic SDK through the proxy."""

import asyncio
import json
import unittest

import anthropic

from harness import INSTRUCTIONS, TOOL, Reply, SdkCase, rows

KEY = "sk-ant-of-the-caller"
BASH = {
    "name": "Bash",
    "description": "Runs a command",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}
DF = {"type": "tool_use", "id": "toolu_b", "name": "Bash", "input": {"command": "df"}}


def text(said):
    return {"type": "text", "text": said}


def retrieve(handle, **more):
    return {"type": "tool_use", "id": "toolu_r", "name": TOOL, "input": {"content_id": handle, **more}}


def message(*content, stop="end_turn"):
    """An answer without streaming: 5 tokens in, 10 out."""
    usage = {"input_tokens": 5, "output_tokens": 10}
    return Reply(
        {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-of-the-test", "content": list(content),
            "stop_reason": stop, "stop_sequence": None, "usage": usage,
        }
    )  # fmt: skip


def events(*content, stop="end_turn"):
    """The same answer as a stream."""
    begun = message(*content).body | {"content": [], "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}
    parts = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(content):
        if block["type"] == "text":
            empty, whole, delta = block | {"text": ""}, block["text"], ("text_delta", "text")
        else:
            empty, whole, delta = block | {"input": {}}, json.dumps(block["input"]), ("input_json_delta", "partial_json")
        parts.append({"type": "content_block_start", "index": index, "content_block": empty})
        for piece in (whole[: len(whole) // 2], whole[len(whole) // 2 :]):
            parts.append({"type": "content_block_delta", "index": index, "delta": {"type": delta[0], delta[1]: piece}})
        parts.append({"type": "content_block_stop", "index": index})
    parts.append({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 10}})
    parts.append({"type": "message_stop"})
    return Reply([f"event: {part['type']}\ndata: {json.dumps(part)}\n\n" for part in parts], content_type="text/event-stream")


def opening(result):
    """A question, a call, and its long result."""
    call = {"type": "tool_use", "id": "toolu_a", "name": "Bash", "input": {"command": "svc list --json"}}
    return [
        {"role": "user", "content": "Which service has failed?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": result}]},
    ]


def request(messages, **more):
    return {
        "model": "claude-opus-of-the-test", "max_tokens": 1024, "system": INSTRUCTIONS, "tools": [BASH], "messages": messages,
    } | more  # fmt: skip


def results(received):
    """Every tool result in a request, by the id of its call."""
    blocks = [b for m in received.json["messages"] if isinstance(m["content"], list) for b in m["content"]]
    return {b["tool_use_id"]: b["content"] for b in blocks if b["type"] == "tool_result"}


def key_of(received):
    """The caller's key; versions of the SDK differ in the header they send it in."""
    return received.headers.get("x-api-key") or received.headers["authorization"].removeprefix("Bearer ")


class AnthropicCase(SdkCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=self.proxy.base, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def stream(self, messages):
        """The final message of the streaming helper, and every text it gave on the way."""
        with self.client.messages.stream(**request(messages)) as stream:
            heard = list(stream.text_stream)
            return stream.get_final_message(), heard

    def answered_with(self, received, original):
        """The retrieval of this request has the original as its answer, byte for byte."""
        # Not assertEqual, which would spend seconds on the difference of two long lines.
        self.assertTrue(results(received)["toolu_r"] == original, results(received)["toolu_r"][:300])


class Plain(AnthropicCase):
    def test_text_arrives_with_the_callers_key_and_the_long_result_is_shorter(self):
        self.provider.play(message(text("Number 77.")))
        original = rows()
        answer = self.client.messages.create(**request(opening(original)))
        self.assertEqual(answer.content[0].text, "Number 77.")
        self.assertEqual((answer.usage.input_tokens, answer.usage.output_tokens), (5, 10))
        [sent] = self.received(1)
        self.assertEqual(sent.path, "/v1/messages")
        self.assertEqual(key_of(sent), KEY)
        self.assertIn("anthropic-version", sent.headers)
        self.assertEqual([tool["name"] for tool in sent.json["tools"]], ["Bash", TOOL])
        shown = results(sent)["toolu_a"]
        self.assertLess(len(shown), len(original) / 2)
        self.assertIn("FAILED: disk", shown)

    def test_a_bearer_token_passes(self):
        self.provider.play(message(text("Yes.")))
        with anthropic.Anthropic(base_url=self.proxy.base, auth_token="oauth-token", max_retries=0) as client:
            client.messages.create(**request([{"role": "user", "content": "Hello?"}]))
        self.assertEqual(self.received(1)[0].headers["authorization"], "Bearer oauth-token")

    def test_text_streams(self):
        self.provider.play(events(text("It is number 77.")))
        answer, heard = self.stream(opening(rows()))
        self.assertEqual((heard, answer.content[0].text), (["It is nu", "mber 77."], "It is number 77."))
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("end_turn", 10))

    def test_raw_events_stream(self):
        self.provider.play(events(text("Seventy-seven.")))
        seen = [event.type for event in self.client.messages.create(**request(opening(rows()), stream=True))]
        self.assertEqual((seen[0], seen[-1], seen.count("content_block_delta")), ("message_start", "message_stop", 2))

    def test_tool_calls_arrive_and_their_arguments_are_whole(self):
        self.provider.play(message(text("I look."), DF, stop="tool_use"), events(text("I look."), DF, stop="tool_use"))
        whole = self.client.messages.create(**request(opening(rows())))
        streamed, _ = self.stream(opening(rows()))
        for answer in (whole, streamed):
            call = answer.content[1]
            self.assertEqual((call.id, call.name, call.input), ("toolu_b", "Bash", {"command": "df"}))
            self.assertEqual(answer.stop_reason, "tool_use")


class Retrieved(AnthropicCase):
    def test_alone_it_is_answered_and_invisible(self):
        original = rows()
        self.provider.play(
            lambda r: message(retrieve(r.handle, limit=64000), stop="tool_use"), message(text("Its name is known."))
        )
        answer = self.client.messages.create(**request(opening(original)))
        self.assertEqual([block.type for block in answer.content], ["text"])
        self.assertEqual((answer.content[0].text, answer.stop_reason), ("Its name is known.", "end_turn"))
        self.assertEqual(answer.usage.output_tokens, 20)
        _, continued = self.received(2)
        self.answered_with(continued, original)
        self.assertEqual(key_of(continued), KEY)

    def test_alone_in_a_stream(self):
        """T041, T113: usage is that of both responses."""
        original = rows()
        self.provider.play(
            lambda r: events(retrieve(r.handle, limit=64000), stop="tool_use"), events(text("Its name is known."))
        )
        answer, heard = self.stream(opening(original))
        self.assertEqual("".join(heard), "Its name is known.")
        self.assertEqual([block.type for block in answer.content], ["text"])
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("end_turn", 20))
        self.answered_with(self.received(2)[1], original)

    def test_after_text_and_the_next_request_carries_the_hidden_exchange(self):
        """T041"""
        original = rows()
        messages = opening(original)
        self.provider.play(
            lambda r: events(text("I look it up. "), retrieve(r.handle, limit=64000), stop="tool_use"),
            events(text("It is broken.")),
            events(text("You are welcome.")),
            events(text("Bye.")),
        )
        answer, heard = self.stream(messages)
        self.assertEqual("".join(heard), "I look it up. It is broken.")
        self.assertEqual([block.text for block in answer.content], ["I look it up. ", "It is broken."])
        # The SDK's own way to go on: its objects, put back as they came.
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "Thanks."}]
        answer, _ = self.stream(messages)
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "Bye."}]
        self.stream(messages)
        _, continued, second, third = self.received(4)
        self.answered_with(second, original)
        first_five = continued.json["messages"]
        self.assertEqual(len(first_five), 5)
        self.assertEqual(second.json["messages"][:5], first_five)
        self.assertEqual(second.json["messages"][5]["content"][0]["text"], "It is broken.")
        self.assertEqual(third.json["messages"][: len(second.json["messages"])], second.json["messages"])

    def test_beside_the_clients_own_call(self):
        """T042, whole and streamed."""
        for reply in (message, events):
            with self.subTest(streamed=reply is events):
                original, theirs = rows(), f"toolu_{reply.__name__}"
                messages = opening(original)
                self.provider.play(
                    lambda r: reply(text("Both. "), retrieve(r.handle, limit=64000), DF | {"id": theirs}, stop="tool_use"),
                    reply(text("The disk is full.")),
                )
                turn = (lambda m: self.stream(m)[0]) if reply is events else (lambda m: self.client.messages.create(**request(m)))
                answer = turn(messages)
                self.assertEqual([block.type for block in answer.content], ["text", "tool_use"])
                self.assertEqual((answer.content[1].id, answer.content[1].input), (theirs, {"command": "df"}))
                self.assertEqual(answer.stop_reason, "tool_use")
                self.received(1)
                messages += [
                    {"role": "assistant", "content": answer.content},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": theirs, "content": "100 %"}]},
                ]
                self.assertEqual(turn(messages).content[0].text, "The disk is full.")
                sent = self.received(2)[1].json["messages"]
                self.assertEqual([block.get("id") for block in sent[3]["content"]], [None, "toolu_r", theirs])
                self.assertEqual([block["tool_use_id"] for block in sent[4]["content"]], ["toolu_r", theirs])
                self.answered_with(self.provider.received[1], original)

    def test_calls_of_the_same_name_in_another_conversation_get_nothing(self):
        """Some servers count calls from zero in every conversation."""
        call = DF | {"id": "call_0"}
        result = {"type": "tool_result", "tool_use_id": "call_0", "content": "100 %"}
        self.provider.play(
            lambda r: message(retrieve(r.handle), call, stop="tool_use"), message(text("One.")),
            message(call, stop="tool_use"), message(text("Two.")),
        )  # fmt: skip
        for _ in range(2):
            messages = opening(rows())
            answer = self.client.messages.create(**request(messages))
            messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
            self.client.messages.create(**request(messages))
        _, with_it, _, without = self.received(4)
        self.assertEqual(list(results(with_it)), ["toolu_a", "toolu_r", "call_0"])
        self.assertEqual(list(results(without)), ["toolu_a", "call_0"])

    def test_with_the_asynchronous_client(self):
        original = rows()

        async def play():
            async with anthropic.AsyncAnthropic(base_url=self.proxy.base, api_key=KEY, max_retries=0) as client:
                self.provider.play(
                    lambda r: events(text("Wait. "), retrieve(r.handle, limit=64000), stop="tool_use"),
                    events(text("Now I know.")),
                    message(text("Whole.")),
                )
                async with client.messages.stream(**request(opening(original))) as stream:
                    heard = [piece async for piece in stream.text_stream]
                    answer = await stream.get_final_message()
                whole = await client.messages.create(**request(opening(original)))
                return heard, answer, whole

        heard, answer, whole = asyncio.run(play())
        self.assertEqual(("".join(heard), whole.content[0].text), ("Wait. Now I know.", "Whole."))
        self.assertEqual(answer.usage.output_tokens, 20)
        self.answered_with(self.received(3)[1], original)


class Refused(AnthropicCase):
    CASES = (
        (401, "authentication_error", anthropic.AuthenticationError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (529, "overloaded_error", anthropic.InternalServerError),
    )

    @staticmethod
    def refusal(status, kind):
        error = {"type": "error", "error": {"type": kind, "message": "said by the provider"}}
        return Reply(error, status=status, headers={"retry-after": "7", "request-id": "req_1"})

    def check(self, raised, status, kind):
        self.assertEqual(raised.status_code, status)
        self.assertEqual((raised.response.headers["retry-after"], raised.request_id), ("7", "req_1"))
        self.assertEqual(raised.body["error"]["type"], kind)

    def test_the_providers_refusals_are_the_sdks_exceptions(self):
        """T038, T110"""
        for status, kind, error in self.CASES:
            with self.subTest(status=status):
                self.provider.play(self.refusal(status, kind), self.refusal(status, kind))
                with self.assertRaises(error) as raised:
                    self.client.messages.create(**request(opening(rows())))
                self.check(raised.exception, status, kind)
                with self.assertRaises(error) as raised:
                    self.stream(opening(rows()))
                self.check(raised.exception, status, kind)

    def test_a_refusal_of_the_continuation_is_the_sdks_exception(self):
        for status, kind, error in self.CASES:
            with self.subTest(status=status):
                self.provider.play(lambda r: message(retrieve(r.handle), stop="tool_use"), self.refusal(status, kind))
                with self.assertRaises(error) as raised:
                    self.client.messages.create(**request(opening(rows())))
                self.check(raised.exception, status, kind)

    def test_a_refusal_inside_a_stream_is_an_exception(self):
        self.provider.play(lambda r: events(retrieve(r.handle), stop="tool_use"), self.refusal(529, "overloaded_error"))
        with self.assertRaises(anthropic.APIStatusError) as raised:
            self.stream(opening(rows()))
        self.assertEqual(raised.exception.body["error"]["type"], "overloaded_error")

    def test_the_sdks_own_retry_works(self):
        again = self.refusal(529, "overloaded_error")
        again.headers["retry-after"] = "0"
        self.provider.play(again, message(text("Now.")))
        patient = self.client.with_options(max_retries=1)
        self.assertEqual(patient.messages.create(**request(opening(rows()))).content[0].text, "Now.")
        first, second = self.received(2)
        self.assertEqual(first.body, second.body)


if __name__ == "__main__":
    unittest.main()
