// Texts and conversations.
"use strict";

const { isDeepStrictEqual } = require("node:util");
const { native, nativeLater } = require("./errors.cjs");
const check = require("./arguments.cjs");
const library = require("./native.cjs").load();

const TEXT_OPTIONS = ["kind", "level", "query", "tool", "command", "path", "model"];

function textOptions(options) {
  const given = check.known("options", options, [...TEXT_OPTIONS, "store"]);
  return Object.fromEntries(TEXT_OPTIONS.map((name) => [name, check.optionalText(name, given[name])]));
}

function compress(text, options) {
  const store = options?.store;
  if (store !== undefined && !(store instanceof Headroom)) {
    check.refuse("store", "a Headroom, as in compress(text, { store: new Headroom() })", store);
  }
  check.text("text", text);
  const said = textOptions(options);
  const result = native(() => (store ? store._library.compress(text, said) : library.compress(text, said)));
  return {
    ...result,
    text: result.text ?? text,
    compressor: result.compressor ?? null,
    handle: result.handle ?? null,
  };
}

class Headroom {
  constructor(options) {
    const given = check.known("options", typeof options === "string" ? { store: options } : options, check.SETTINGS);
    const settings = check.settings(given);
    this._library = native(() => new library.Library(settings));
  }

  compress(text, options) {
    return compress(text, { ...check.known("options", options, TEXT_OPTIONS), store: this });
  }

  async compressMessages(messages, options) {
    if (!Array.isArray(messages)) check.refuse("messages", "an array, as it is passed to the provider's SDK", messages);
    const given = check.known("options", options, ["dialect", "system", "tools", "model"]);
    if (given.tools !== undefined && !Array.isArray(given.tools)) check.refuse("tools", "an array", given.tools);
    const written = check.json("messages", messages);
    const sent = await nativeLater(() =>
      this._library.prepare({
        dialect: check.optionalText("dialect", given.dialect) ?? "anthropic",
        messages: written,
        system: given.system === undefined || given.system === null ? undefined : check.json("system", given.system),
        tools: given.tools === undefined ? undefined : check.json("tools", given.tools),
        model: check.optionalText("model", given.model),
      }),
    );
    return {
      messages: kept(messages, JSON.parse(written), JSON.parse(sent.messages)),
      tools: sent.tools === undefined ? null : kept(given.tools ?? [], given.tools ?? [], JSON.parse(sent.tools)),
      toolOffered: sent.toolOffered,
      id: sent.id,
      tokensBefore: sent.tokensBefore,
      tokensAfter: sent.tokensAfter,
    };
  }

  async retrieve(id, options) {
    const plain = ["string", "number"].includes(typeof options) || Array.isArray(options);
    const given = plain ? { lines: options } : check.known("options", options, ["lines", "pattern", "jsonPath"]);
    check.text("id", id);
    const [first, last] = check.lines(given.lines);
    const [pattern, path] = [check.optionalText("pattern", given.pattern), check.optionalText("jsonPath", given.jsonPath)];
    return nativeLater(() => this._library.retrieve(id, first, last, pattern, path));
  }

  async answer(args) {
    const written = typeof args === "string" ? args : check.json("args", args);
    return nativeLater(() => this._library.answer(written));
  }

  async explain(id) {
    check.text("id", id);
    return JSON.parse(await nativeLater(() => this._library.explain(id)));
  }

  async close() {
    await nativeLater(() => this._library.close());
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

/** What is to be sent, with the caller's own objects wherever nothing was changed. */
function kept(given, plain, sent) {
  if (given.length > sent.length) return sent;
  return sent.map((ours, at) => (at < given.length && isDeepStrictEqual(plain[at], ours) ? given[at] : ours));
}

let ofThisUser;

/** The library on the user's own store, opened when it is first needed. */
function defaultHeadroom() {
  ofThisUser ??= new Headroom();
  return ofThisUser;
}

module.exports = { Headroom, compress, defaultHeadroom };
