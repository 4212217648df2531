// The official SDKs, wrapped, and a wrapped fetch: what the model asks back is answered without the caller noticing.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { ConfigError, Headroom, wrap, wrapFetch } from "headroom";
import OpenAI, { AzureOpenAI } from "openai";
import { INSTRUCTIONS, TOOL, events, handleIn, provider, rows } from "./provider.mjs";

const library = (t) => {
  const headroom = new Headroom({ store: "memory", retrieval: "always" });
  t.after(() => headroom.close());
  return headroom;
};

const say = (text) => ({ type: "text", text });
const retrieve = (handle) => ({ type: "tool_use", id: "toolu_r", name: TOOL, input: { content_id: handle, limit: 64000 } });

function message(content, stop_reason = "end_turn") {
  const usage = { input_tokens: 5, output_tokens: 10 };
  return { body: { id: "msg_1", type: "message", role: "assistant", model: "claude", content, stop_reason, stop_sequence: null, usage } };
}

function messageStream(content, stop_reason = "end_turn") {
  const { body } = message([], stop_reason);
  const parts = [{ type: "message_start", message: { ...body, stop_reason: null, usage: { input_tokens: 5, output_tokens: 1 } } }];
  content.forEach((block, index) => {
    const isText = block.type === "text";
    parts.push({ type: "content_block_start", index, content_block: isText ? { ...block, text: "" } : { ...block, input: {} } });
    const delta = isText ? { type: "text_delta", text: block.text } : { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
    parts.push({ type: "content_block_delta", index, delta }, { type: "content_block_stop", index });
  });
  parts.push({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 10 } }, { type: "message_stop" });
  return { body: events(parts, true) };
}

const BASH = { name: "Bash", description: "Runs a command", input_schema: { type: "object", properties: { command: { type: "string" } } } };

const asked = (result) => ({
  model: "claude",
  max_tokens: 1024,
  system: INSTRUCTIONS,
  tools: [BASH],
  messages: [
    { role: "user", content: "Which service has failed?" },
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_a", name: "Bash", input: { command: "svc list" } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_a", content: result }] },
  ],
});

const answerIn = (received) => received.json.messages.at(-1).content[0].content;

test("Anthropic: a retrieval is answered, whole and in a stream", async (t) => {
  const [first, second] = [rows(), rows()];
  const { base, received } = await provider(
    t,
    (request) => message([retrieve(handleIn(request))], "tool_use"),
    message([say("It is known.")]),
    (request) => messageStream([say("I look. "), retrieve(handleIn(request))], "tool_use"),
    messageStream([say("It is known.")]),
  );
  const client = wrap(new Anthropic({ baseURL: base, apiKey: "of the caller", maxRetries: 0, defaultHeaders: { "x-own": "1" } }), library(t));
  const whole = await client.messages.create(asked(first));
  assert.deepEqual(whole.content.map((block) => block.text), ["It is known."]);
  assert.equal(whole.usage.output_tokens, 20);

  const stream = client.messages.stream(asked(second));
  const heard = [];
  stream.on("text", (text) => heard.push(text));
  const final = await stream.finalMessage();
  assert.equal(heard.join(""), "I look. It is known.");
  assert.deepEqual(final.content.map((block) => block.type), ["text", "text"]);
  assert.equal(final.stop_reason, "end_turn");

  assert.deepEqual(received.map((request) => request.path), Array(4).fill("/v1/messages"));
  for (const { headers } of received) {
    // Versions of the SDK differ in the header they send the key in.
    assert.equal(headers["x-api-key"] ?? headers.authorization.replace("Bearer ", ""), "of the caller");
    assert.deepEqual([headers["x-own"], headers["x-headroom-token"]], ["1", undefined]);
  }
  assert.deepEqual(received[0].json.tools.map((tool) => tool.name), ["Bash", TOOL]);
  assert.ok(answerIn(received[0]).length < first.length / 2);
  assert.equal(answerIn(received[1]), first);
  assert.equal(answerIn(received[3]), second);
});

test("Anthropic: the caller's own calls arrive", async (t) => {
  const own = { type: "tool_use", id: "toolu_b", name: "Bash", input: { command: "df" } };
  const { base } = await provider(t, messageStream([own], "tool_use"));
  const client = wrap(new Anthropic({ baseURL: base, apiKey: "k", maxRetries: 0 }), library(t));
  const final = await client.messages.stream(asked(rows())).finalMessage();
  assert.deepEqual([final.content[0].name, final.content[0].input, final.stop_reason], ["Bash", { command: "df" }, "tool_use"]);
});

test("Anthropic: a refusal is the SDK's exception", async (t) => {
  const error = { type: "error", error: { type: "rate_limit_error", message: "slow down" } };
  const { base } = await provider(t, { status: 429, body: error });
  const client = wrap(new Anthropic({ baseURL: base, apiKey: "k", maxRetries: 0 }), library(t));
  await assert.rejects(client.messages.create(asked(rows())), Anthropic.RateLimitError);
});

const chatCall = (handle) => ({ id: "call_r", type: "function", function: { name: TOOL, arguments: JSON.stringify({ content_id: handle, limit: 64000 }) } });

function completion(said, finish_reason = "stop") {
  const usage = { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 };
  return { body: { id: "chat_1", object: "chat.completion", created: 1, model: "gpt-4o", choices: [{ index: 0, message: { role: "assistant", content: null, ...said }, finish_reason }], usage } };
}

function completionStream(deltas, finish_reason = "stop") {
  const chunk = (choices) => ({ id: "chat_1", object: "chat.completion.chunk", created: 1, model: "gpt-4o", choices });
  const list = deltas.map((delta) => chunk([{ index: 0, delta, finish_reason: null }]));
  return { body: events([...list, chunk([{ index: 0, delta: {}, finish_reason }]), "[DONE]"]) };
}

const chat = (result) => ({
  model: "gpt-4o",
  tools: [{ type: "function", function: { name: "bash", description: "Runs a command", parameters: { type: "object", properties: { command: { type: "string" } } } } }],
  messages: [
    { role: "system", content: INSTRUCTIONS },
    { role: "user", content: "Which service has failed?" },
    { role: "assistant", content: null, tool_calls: [{ id: "call_a", type: "function", function: { name: "bash", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "call_a", content: result },
  ],
});

test("OpenAI: a retrieval is answered, whole and in a stream", async (t) => {
  const [first, second] = [rows(), rows()];
  const { base, received } = await provider(
    t,
    (request) => completion({ tool_calls: [chatCall(handleIn(request))] }, "tool_calls"),
    completion({ content: "It is known." }),
    (request) => completionStream([{ role: "assistant", content: "I look. " }, { tool_calls: [{ index: 0, ...chatCall(handleIn(request)) }] }], "tool_calls"),
    completionStream([{ role: "assistant", content: "It is known." }]),
  );
  const client = wrap(new OpenAI({ baseURL: `${base}/v1`, apiKey: "of the caller", maxRetries: 0 }), library(t));
  const whole = await client.chat.completions.create(chat(first));
  assert.equal(whole.choices[0].message.content, "It is known.");
  assert.equal(whole.choices[0].message.tool_calls, undefined);

  let heard = "";
  for await (const chunk of await client.chat.completions.create({ ...chat(second), stream: true })) {
    assert.equal(chunk.choices[0]?.delta.tool_calls, undefined);
    heard += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(heard, "I look. It is known.");
  assert.deepEqual(received.map((request) => request.path), Array(4).fill("/v1/chat/completions"));
  assert.ok(received.every(({ headers }) => headers.authorization === "Bearer of the caller"));
  assert.equal(received[1].json.messages.at(-1).content, first);
  assert.equal(received[3].json.messages.at(-1).content, second);
});

test("what cannot be wrapped is refused, and once is enough", async (t) => {
  const headroom = library(t);
  const azure = new AzureOpenAI({ apiKey: "k", apiVersion: "1", endpoint: "https://example.openai.azure.com" });
  assert.throws(() => wrap(azure, headroom), /not AzureOpenAI; for others start a HeadroomProxy/);
  assert.throws(() => wrap(new OpenAI({ apiKey: "k", baseURL: "https://example.com/api/v3" }), headroom), ConfigError);
  const client = new OpenAI({ apiKey: "k" });
  const wrapped = wrap(client, headroom);
  assert.equal(wrap(wrapped, headroom), wrapped);
  assert.equal(client.baseURL, "https://api.openai.com/v1");
});

test("a wrapped fetch leads requests to models through, and nothing else", async (t) => {
  const original = rows();
  const { base, received } = await provider(
    t,
    (request) => message([retrieve(handleIn(request))], "tool_use"),
    message([say("It is known.")]),
    { body: { data: [] } },
    message([say("Here.")]),
  );
  const fetching = wrapFetch({ headroom: library(t) });
  const head = { method: "POST", headers: { "content-type": "application/json", "x-api-key": "k" } };
  const body = JSON.stringify(asked(original));
  const answer = await fetching(`${base}/gateway/v1/messages?beta=true`, { ...head, body });
  assert.equal((await answer.json()).content[0].text, "It is known.");
  assert.equal(answerIn(received[1]), original);
  await fetching(`${base}/v1/models`);
  const request = new Request(`${base}/v1/messages`, { ...head, body });
  assert.equal((await (await fetching(request)).json()).content[0].text, "Here.");
  assert.deepEqual(
    received.map(({ path }) => path),
    ["/gateway/v1/messages?beta=true", "/gateway/v1/messages?beta=true", "/v1/models", "/v1/messages"],
  );
  assert.equal(received[3].headers["x-api-key"], "k");
});
