// Middleware for the Vercel AI SDK: any of its models, whatever the provider.
//
// The prompts of its language models (specifications v2 to v4) are no provider's bodies, so there are no bytes that a proxy could pass on. They are put to
// the engine as the chat conversation they are, and what it makes shorter is put back. What the model asks back is answered here.
"use strict";

const check = require("./arguments.cjs");
const { Headroom, defaultHeadroom } = require("./library.cjs");

const TOOL = "retrieve_original_content";

/** Retrievals in a row that are answered before the model has to do with what it has. */
const MOST_ROUNDS = 5;

function headroomMiddleware(options) {
  const given = check.known("options", options, ["headroom", "specificationVersion"]);
  if (given.headroom !== undefined && !(given.headroom instanceof Headroom)) check.refuse("headroom", "a Headroom", given.headroom);
  const version = check.optionalText("specificationVersion", given.specificationVersion) ?? "v3";
  const library = () => given.headroom ?? defaultHeadroom();
  return {
    specificationVersion: version,
    // What version 5 of the SDK calls it.
    middlewareVersion: version,
    transformParams: ({ params, model }) => shorter(library(), params, model?.modelId),
    wrapGenerate: ({ doGenerate, params, model }) => generate(library(), doGenerate, params, model),
    wrapStream: ({ doStream, params, model }) => stream(library(), doStream, params, model),
  };
}

/** The call with its tool results made shorter, the same way on every turn. */
async function shorter(headroom, params, model) {
  const { messages, places } = asChat(params.prompt);
  const functions = (params.tools ?? []).filter((tool) => tool.type === "function");
  const tools = functions.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: { name, description, parameters: inputSchema },
  }));
  const sent = await headroom.compressMessages(messages, { dialect: "openai", tools: tools.length ? tools : undefined, model });
  const prompt = [...params.prompt];
  for (const { at, message, part } of places) {
    const text = sent.messages[at].content;
    if (text !== messages[at].content) prompt[message] = withText(prompt[message], part, text);
  }
  if (!sent.toolOffered) return { ...params, prompt };
  const ours = sent.tools.find((tool) => tool.function.name === TOOL).function;
  const offered = { type: "function", name: TOOL, description: ours.description, inputSchema: ours.parameters };
  return { ...params, prompt, tools: [...params.tools, offered] };
}

/** A prompt as chat messages, and where in it the text of each tool result stands. */
function asChat(prompt) {
  const messages = [];
  const places = [];
  prompt.forEach((message, index) => {
    if (message.role === "system") return messages.push({ role: "system", content: message.content });
    if (message.role === "tool") {
      return message.content.forEach((part, position) => {
        const content = part.type === "tool-result" ? textOf(part.output) : undefined;
        if (content !== undefined) places.push({ at: messages.length, message: index, part: position });
        messages.push({ role: "tool", tool_call_id: part.toolCallId ?? "", content: content ?? "" });
      });
    }
    const content = message.content.filter((part) => part.type === "text").map((part) => part.text).join("\n");
    const calls = message.content.filter((part) => part.type === "tool-call").map((part) => ({
      id: part.toolCallId,
      type: "function",
      function: { name: part.toolName, arguments: typeof part.input === "string" ? part.input : JSON.stringify(part.input ?? {}) },
    }));
    messages.push({ role: message.role, content, ...(calls.length ? { tool_calls: calls } : {}) });
  });
  return { messages, places };
}

/** The text of a result, if it has one that may be made shorter: errors, refusals and media stay as they are. */
function textOf(output) {
  if (output?.type === "text") return output.value;
  if (output?.type === "json") return JSON.stringify(output.value);
  return undefined;
}

function withText(message, part, text) {
  const content = [...message.content];
  const { output } = content[part];
  content[part] = { ...content[part], output: { ...output, type: "text", value: text } };
  return { ...message, content };
}

/** Whether the model has asked for nothing but what was left out; only then may it be asked again. */
const isAlone = (calls) => calls.length > 0 && calls.every((call) => call.toolName === TOOL);

async function continued(headroom, params, content, calls) {
  const said = content.filter((part) => ["text", "reasoning", "tool-call"].includes(part.type)).map((part) => {
    const { providerMetadata, ...rest } = part;
    const kept = providerMetadata ? { ...rest, providerOptions: providerMetadata } : rest;
    return part.type === "tool-call" && typeof part.input === "string" ? { ...kept, input: parsed(part.input) } : kept;
  });
  const results = await Promise.all(
    calls.map(async ({ toolCallId, toolName, input }) => ({
      type: "tool-result",
      toolCallId,
      toolName,
      output: { type: "text", value: await headroom.answer(typeof input === "string" ? input : JSON.stringify(input ?? {})) },
    })),
  );
  return { ...params, prompt: [...params.prompt, { role: "assistant", content: said }, { role: "tool", content: results }] };
}

function parsed(input) {
  try {
    return JSON.parse(input);
  } catch {
    return {};
  }
}

async function generate(headroom, doGenerate, params, model) {
  const before = [];
  let usage;
  let result = await doGenerate();
  for (let round = 1; ; round += 1) {
    usage = added(usage, result.usage);
    const calls = result.content.filter((part) => part.type === "tool-call");
    if (!isAlone(calls) || round > MOST_ROUNDS) break;
    params = await continued(headroom, params, result.content, calls);
    before.push(...result.content.filter((part) => part.type !== "tool-call"));
    result = await model.doGenerate(params);
  }
  const own = result.content.filter((part) => part.type !== "tool-call" || part.toolName !== TOOL);
  return { ...result, content: [...before, ...own], usage };
}

async function stream(headroom, doStream, params, model) {
  const first = await doStream();
  let reader = first.stream.getReader();
  let turn = newTurn();
  let round = 1;
  let usage;
  const next = async (controller) => {
    const { done, value: part } = await reader.read();
    if (done) return controller.close();
    if (part.type === "finish") {
      usage = added(usage, part.usage);
      if (isAlone(turn.calls) && round <= MOST_ROUNDS) {
        params = await continued(headroom, params, turn.content(), turn.calls);
        round += 1;
        turn = newTurn();
        reader = (await model.doStream(params)).stream.getReader();
      } else {
        controller.enqueue({ ...part, usage });
      }
    } else if (turn.shows(part) && !(round > 1 && ["stream-start", "response-metadata"].includes(part.type))) {
      controller.enqueue(part);
    }
  };
  let open = true;
  const passed = new ReadableStream({
    async pull(controller) {
      // A reader waits until something comes, and parts of ours give nothing.
      let given = false;
      const to = {
        enqueue: (part) => {
          given = true;
          controller.enqueue(part);
        },
        close: () => {
          open = false;
          controller.close();
        },
      };
      while (open && !given) await next(to);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { ...first, stream: passed };
}

/** What one answer of the model has said so far. */
function newTurn() {
  const parts = new Map();
  const hidden = new Set();
  const calls = [];
  return {
    calls,
    content: () => [...parts.values(), ...calls],
    /** Notes a part; says whether the caller may see it. */
    shows(part) {
      const [type, step] = /^(text|reasoning)-(start|delta|end)$/.exec(part.type)?.slice(1) ?? [];
      if (type) {
        const key = `${type} ${part.id}`;
        if (step === "start") parts.set(key, { type, text: "" });
        const noted = parts.get(key);
        if (noted && step === "delta") noted.text += part.delta;
        if (noted && part.providerMetadata) noted.providerMetadata = part.providerMetadata;
        return true;
      }
      if (part.type === "tool-input-start" && part.toolName === TOOL) hidden.add(part.id);
      if (part.type === "tool-call") calls.push(part);
      return !hidden.has(part.id) && part.toolName !== TOOL;
    },
  };
}

/** Two usages together: every number in one with the same number in the other. */
function added(one, other) {
  if (one === undefined || one === null) return other;
  if (other === undefined || other === null) return one;
  if (typeof one === "number" && typeof other === "number") return one + other;
  if (typeof one !== "object" || typeof other !== "object") return other;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...names].map((name) => [name, added(one[name], other[name])]));
}

module.exports = { headroomMiddleware };
