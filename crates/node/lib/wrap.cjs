// Official clients, and any `fetch`, whose requests pass through Headroom inside this process.
//
// They are led to a proxy on the loopback interface of this very process, which is the proxy of `headroom proxy` and no second implementation: streams,
// retrievals and refusals are handled in one place. The proxy talks to the address that the client had, with the client's own key.
"use strict";

const { ConfigError, native } = require("./errors.cjs");
const check = require("./arguments.cjs");
const { Headroom, defaultHeadroom } = require("./library.cjs");

const TOKEN = "x-headroom-token";
const WRAPPED = Symbol.for("headroom.wrapped");

/** Endpoints that Headroom can make shorter; everything else goes where it was going. */
const ENDPOINT = /^(.*?)(\/v1\/(?:messages|chat\/completions|responses)|\/v\d\w*\/(?:[^?]*\/)?models\/[^/?]+:(?:generateContent|streamGenerateContent))$/;

function opened(headroom) {
  if (headroom === undefined) return defaultHeadroom();
  if (!(headroom instanceof Headroom)) check.refuse("headroom", "a Headroom, as in wrap(client, new Headroom())", headroom);
  return headroom;
}

/** Which client it is, by the names of its classes: the packages themselves are never imported. */
function recognised(client) {
  const names = [];
  for (let at = client && Object.getPrototypeOf(client); at; at = Object.getPrototypeOf(at)) names.push(at.constructor?.name);
  const isOne = (name) => names.includes(name) && typeof client.withOptions === "function" && typeof client.baseURL === "string";
  if (isOne("OpenAI") && !names.includes("AzureOpenAI")) return "openai";
  // Bedrock and Vertex have classes of their own below the same base.
  if (isOne("Anthropic") && ["Anthropic", "BaseAnthropic"].includes(names[0])) return "anthropic";
  const given = client === null || typeof client !== "object" ? typeof client : names[0];
  throw new TypeError(
    `client: expected Anthropic or OpenAI of the official packages, not ${given}; for others start a HeadroomProxy and use its url as base address`,
  );
}

function withoutVersion(base) {
  if (base.endsWith("/v1")) return [base.slice(0, -"/v1".length), "/v1"];
  throw new ConfigError(
    `client.baseURL: "${base}" does not end in /v1, below which OpenAI-compatible servers are known; use an address that does`,
  );
}

/** The SDKs take an object, pairs, or `Headers`; a null in an object means "not this one" and stays. */
function headersOf(given) {
  const iterable = given && typeof given[Symbol.iterator] === "function";
  return iterable ? Object.fromEntries(new Headers([...given])) : given;
}

function wrap(client, headroom) {
  const library = opened(headroom);
  if (client?.[WRAPPED]) return client;
  const sdk = recognised(client);
  const base = client.baseURL.replace(/\/+$/, "");
  const [upstream, path] = sdk === "anthropic" ? [base, ""] : withoutVersion(base);
  const { url, token } = native(() => library._library.loopback(upstream));
  const defaultHeaders = { ...headersOf(client._options?.defaultHeaders), [TOKEN]: token };
  const copy = client.withOptions({ baseURL: url + path, defaultHeaders });
  // Held, so that the store stays open as long as the copy is in use.
  Object.defineProperty(copy, WRAPPED, { value: library });
  return copy;
}

function wrapFetch(options) {
  const given = check.known("options", options, ["headroom", "fetch"]);
  const library = opened(given.headroom);
  const onwards = given.fetch ?? globalThis.fetch;
  if (typeof onwards !== "function") check.refuse("fetch", "a function", onwards);
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    const method = (init?.method ?? request?.method ?? "GET").toUpperCase();
    const url = new URL(request?.url ?? input);
    const [, before, endpoint] = (method === "POST" && ENDPOINT.exec(url.pathname)) || [];
    if (endpoint === undefined) return onwards(input, init);
    const { url: loopback, token } = native(() => library._library.loopback(url.origin + before));
    const headers = new Headers(init?.headers ?? request?.headers);
    headers.set(TOKEN, token);
    const target = loopback + endpoint + url.search;
    return request ? onwards(new Request(target, request), { ...init, headers }) : onwards(target, { ...init, headers });
  };
}

module.exports = { wrap, wrapFetch };
