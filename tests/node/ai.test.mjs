// The middleware with the AI SDK itself and a model that plays a script.
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateText, stepCountIs, streamText, tool, jsonSchema, wrapLanguageModel } from "ai";
import { Headroom, headroomMiddleware } from "headroom";
import { INSTRUCTIONS, TOOL, rows } from "./provider.mjs";

const usage = {
  inputTokens: { total: 5, noCache: 5, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 10, text: 10, reasoning: 0 },
};

/** A language model that answers the n-th call with the n-th step: content made from the call. */
function scripted(...script) {
  const calls = [];
  const step = (params) => {
    calls.push(params);
    const content = script[calls.length - 1](params);
    const asks = content.some((part) => part.type === "tool-call");
    return { content, finishReason: { unified: asks ? "tool-calls" : "stop", raw: undefined } };
  };
  const model = {
    specificationVersion: "v3",
    provider: "scripted",
    modelId: "gpt-4o",
    supportedUrls: {},
    async doGenerate(params) {
      return { ...step(params), usage, warnings: [] };
    },
    async doStream(params) {
      const { content, finishReason } = step(params);
      const parts = [{ type: "stream-start", warnings: [] }];
      content.forEach((part, id) => {
        if (part.type === "text") parts.push({ type: "text-start", id: `${id}` }, { type: "text-delta", id: `${id}`, delta: part.text }, { type: "text-end", id: `${id}` });
        else parts.push({ type: "tool-input-start", id: part.toolCallId, toolName: part.toolName }, { type: "tool-input-delta", id: part.toolCallId, delta: part.input }, { type: "tool-input-end", id: part.toolCallId }, part);
      });
      parts.push({ type: "finish", finishReason, usage });
      return { stream: new ReadableStream({ start: (to) => (parts.forEach((part) => to.enqueue(part)), to.close()) }) };
    },
  };
  return { model, calls };
}

const text = (said) => ({ type: "text", text: said });
const call = (toolName, input, toolCallId = `call_${toolName}`) => ({ type: "tool-call", toolCallId, toolName, input: JSON.stringify(input) });
const lastResult = (params) => params.prompt.findLast((message) => message.role === "tool").content.at(-1).output;
const retrieve = (params) => call(TOOL, { content_id: /hr_[0-9a-z]{10}/.exec(JSON.stringify(lastResult(params)))[0], limit: 64000 });

function asked(model, original, headroom) {
  const list = tool({ description: "Lists services", inputSchema: jsonSchema({ type: "object", properties: {} }), execute: () => original });
  return {
    model: wrapLanguageModel({ model, middleware: headroomMiddleware({ headroom }) }),
    system: INSTRUCTIONS,
    prompt: "Which service has failed?",
    tools: { list },
    stopWhen: stepCountIs(5),
  };
}

for (const streamed of [false, true]) {
  test(`a retrieval is answered ${streamed ? "in a stream" : "whole"}`, async (t) => {
    const headroom = new Headroom({ store: "memory", retrieval: "always" });
    t.after(() => headroom.close());
    const original = rows();
    const { model, calls } = scripted(
      () => [call("list", {})],
      (params) => [text("I look. "), retrieve(params)],
      () => [text("It is number 77.")],
    );
    let said;
    let steps;
    if (streamed) {
      const result = streamText(asked(model, original, headroom));
      const types = [];
      for await (const part of result.fullStream) {
        types.push(part.type);
        assert.notEqual(part.toolName, TOOL);
        assert.notEqual(part.type, "error", part.error);
      }
      said = await result.text;
      steps = await result.steps;
    } else {
      const result = await generateText(asked(model, original, headroom));
      [said, steps] = [result.text, result.steps];
    }
    assert.equal(said, "I look. It is number 77.");
    assert.equal(steps.length, 2, "the caller sees its own call and the answer");
    assert.equal(steps[1].usage.outputTokens, 20);
    assert.deepEqual(calls[0].tools.map(({ name }) => name), ["list", TOOL]);
    const shown = lastResult(calls[1]);
    assert.ok(shown.value.length < original.length / 2 && shown.value.includes("FAILED: disk"), shown.value?.slice(0, 200));
    assert.equal(lastResult(calls[2]).value, original);
    // What was sent once is sent the same way again.
    assert.deepEqual(calls[2].prompt.slice(0, calls[1].prompt.length), calls[1].prompt);
  });
}

test("without tools of the caller's nothing is left out", async () => {
  const { model, calls } = scripted(() => [text("Fine.")]);
  const headroom = new Headroom({ store: "memory", retrieval: "always" });
  const result = await generateText({ model: wrapLanguageModel({ model, middleware: headroomMiddleware({ headroom }) }), prompt: "Hello?" });
  assert.equal(result.text, "Fine.");
  assert.equal(calls[0].tools?.length ?? 0, 0);
});
