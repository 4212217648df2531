/** A run of units that a compressed text does not show. */
export interface Omission {
  readonly unit: "line" | "row" | "key" | "sentence" | "byte";
  /** The first unit left out, from 1. */
  readonly first: number;
  /** The last unit left out. */
  readonly last: number;
  /** How many are left out. */
  readonly count: number;
  /** How many there were. */
  readonly total: number;
}

/** A text and what became of it. */
export interface CompressResult {
  /** The text to read: shorter, or the one that was given. */
  readonly text: string;
  /** What it was found to be: `json`, `log`, `code:python` and so on. */
  readonly kind: string;
  /** The compressor that was asked. */
  readonly compressor: string | null;
  /** Whether the text holds everything that the original holds. */
  readonly exact: boolean;
  /** Tokens of the original. */
  readonly tokensBefore: number;
  /** Tokens of the text. */
  readonly tokensAfter: number;
  /** Where the original is, when something was left out. */
  readonly handle: string | null;
  /** What was left out, in order. */
  readonly omissions: readonly Omission[];
  /** Why, as a stable code: `compressed`, `no-gain`, `below-floor`, `policy` and so on. */
  readonly reason: string;
}

export type Level = "lossless" | "light" | "standard";

/** What is said about one text. */
export interface TextOptions {
  /** `auto`, `json`, `table`, `log`, `command`, `search`, `diff`, `html`, `prose` or `code:LANGUAGE`. */
  kind?: string;
  /** How far to go; `light` is code without comments. */
  level?: Level;
  /** What the reader is after, in words. */
  query?: string;
  /** Tool that produced it. */
  tool?: string;
  /** Command line that produced it. */
  command?: string;
  /** File it was read from. */
  path?: string;
  /** Model whose tokens are counted. */
  model?: string;
}

/** Settings for one kind of text. */
export interface KindConfig {
  /** The kind's compressor; a name that does not fit is refused. */
  compressor?: string;
  /** `false`: texts of this kind pass as they are. */
  enabled?: boolean;
  /** Texts of fewer tokens pass as they are. */
  threshold?: number;
  /** Goes no further than this. */
  level?: Level;
}

/** Settings by kind of text. */
export interface CompressionConfig {
  /** `languages`: code in others passes as it is. */
  code?: KindConfig & { languages?: string[] };
  command?: KindConfig;
  diff?: KindConfig;
  html?: KindConfig;
  json?: KindConfig;
  log?: KindConfig;
  /** `ratio`: the share of a text's bytes that may stay, above 0 and at most 1. */
  prose?: KindConfig & { ratio?: number };
  search?: KindConfig;
  table?: KindConfig;
}

export interface HeadroomOptions {
  /**
   * `memory`, `sqlite:///absolute/path`, a path or `postgres://user:password@host/database`; by default the user's own store, which the proxy and the
   * command line share.
   */
  store?: string;
  /** Whose the originals are, where several share a store: nobody reads those of another tenant. */
  tenant?: string;
  /** Which of the tenant's projects they belong to: the same, one step further down. */
  project?: string;
  compressionConfig?: CompressionConfig;
  policy?: "off" | "meter" | "lossless" | "standard";
  /** When the retrieval tool is offered in conversations. */
  retrieval?: "auto" | "always" | "never";
  /** `false` is another word for `retrieval: "never"`. */
  ccrEnabled?: boolean;
}

/** A conversation as it is to be sent. */
export interface CompressedMessages<Message = unknown, Tool = unknown> {
  /** The messages. Those that nothing was changed in are the objects that were given. */
  messages: Message[];
  /** The tools, with `retrieve_original_content` where the model may ask for what was left out. */
  tools: Tool[] | null;
  /** Whether calls of that tool must be answered with `Headroom.answer`. */
  toolOffered: boolean;
  /** Under which `Headroom.explain` knows it. */
  id: string;
  /** Tokens that the changed texts had. */
  tokensBefore: number;
  /** Tokens that they have. */
  tokensAfter: number;
}

export interface MessagesOptions<Tool = unknown> {
  /** `anthropic` unless it is said. `openai-responses` takes its `input` as messages and `instructions` as system, `gemini` its `contents`. */
  dialect?: "anthropic" | "openai" | "openai-responses" | "gemini";
  /** Instructions outside the messages. */
  system?: unknown;
  /** The tools the model is offered. Whole units are left out only where there are some. */
  tools?: Tool[];
  model?: string;
}

/** Some lines of a text, from 1, both included: `"120-180"`, `[120, 180]` or `120`. */
export type Lines = string | number | [number, number];

/**
 * Makes a text shorter. Without a store only encodings are used that hold everything, whatever the level: what is left out must be kept somewhere, or nobody
 * could read it back.
 */
export function compress(text: string, options?: TextOptions & { store?: Headroom }): CompressResult;

/** The engine on a store. */
export class Headroom {
  /** @throws ConfigError, StoreError */
  constructor(options?: string | HeadroomOptions);
  /** `compress` with this store: what is left out is kept in it when this returns. */
  compress(text: string, options?: TextOptions): CompressResult;
  /**
   * Makes the tool results of a conversation shorter, the same way on every turn. Send the tools that come back, and where `toolOffered` is set answer calls of
   * `retrieve_original_content` with `answer`. `wrap` does all of that by itself.
   */
  compressMessages<Message, Tool = unknown>(
    messages: Message[],
    options?: MessagesOptions<Tool>,
  ): Promise<CompressedMessages<Message, Tool>>;
  /** What was left out, given back: the whole original, some of its lines, the lines that match a regular expression, or what a JSONPath selects. */
  retrieve(id: string, options?: Lines | { lines?: Lines; pattern?: string; jsonPath?: string }): Promise<string>;
  /** What the model gets for its call of `retrieve_original_content`: a page of the original, or a sentence that says what to do instead. */
  answer(args: string | object): Promise<string>;
  /** How a request (by its id) or the text of a handle was treated and why. */
  explain(id: string): Promise<{ original: { handle: string; bytes: number; lines: number } | null; request: Record<string, any> | null }>;
  /** Stops what `wrap` started and closes the store. Closing again does nothing. */
  close(): Promise<void>;
}

export interface ProxyOptions extends HeadroomOptions {
  /** Where requests go: the address of a provider, of a gateway that speaks for all of them, or one for each. */
  target?: string | { anthropic?: string; openai?: string; gemini?: string };
  /** 8787 unless it is said; 0 takes a free one. */
  port?: number;
  /** `127.0.0.1` unless it is said; anything but loopback needs a token. */
  host?: string;
  /** What every request has to carry in `x-headroom-token`. */
  token?: string;
  /** `auto` keeps values that change in instructions and tools (times, identifiers) from moving the provider's cached prefix. */
  align?: "auto" | "off";
}

/** `headroom proxy` inside this process. */
export class HeadroomProxy {
  /** @throws ConfigError */
  constructor(options?: ProxyOptions);
  /** Opens the store and listens. A proxy that runs goes on. */
  start(): Promise<this>;
  /** Lets requests under way finish and closes the store. Stopping again does nothing. */
  stop(): Promise<void>;
  /** Its base address. @throws ClosedError while it does not run */
  readonly url: string;
  /** Counters, what the store holds, and with `hours` what the requests of so many hours cost. */
  stats(hours?: number): Promise<Record<string, any>>;
}

/**
 * A copy of an official Anthropic or OpenAI client whose requests are made shorter on their way. Streams stay streams, and what the model asks back is
 * answered without the caller noticing. By default it uses the user's own store.
 */
export function wrap<Client extends object>(client: Client, headroom?: Headroom): Client;

/** A `fetch` that does the same for requests to endpoints of Anthropic, OpenAI and Gemini, wherever they are; others pass untouched. */
export function wrapFetch(options?: { headroom?: Headroom; fetch?: typeof fetch }): typeof fetch;

/**
 * Middleware for `wrapLanguageModel` of the Vercel AI SDK. `specificationVersion` is that of the SDK's models: `v3` (version 6) unless it is said.
 */
export function headroomMiddleware<Version extends "v2" | "v3" | "v4" = "v3">(options?: {
  headroom?: Headroom;
  specificationVersion?: Version;
}): {
  specificationVersion: Version;
  middlewareVersion: any;
  transformParams(options: { type: "generate" | "stream"; params: any; model: any }): Promise<any>;
  wrapGenerate(options: { doGenerate: () => PromiseLike<any>; doStream: () => PromiseLike<any>; params: any; model: any }): Promise<any>;
  wrapStream(options: { doGenerate: () => PromiseLike<any>; doStream: () => PromiseLike<any>; params: any; model: any }): Promise<any>;
};

/** Everything that Headroom throws by itself; wrong types of arguments are a TypeError. */
export class HeadroomError extends Error {}
/** An argument or a setting has a value that it cannot have. */
export class ConfigError extends HeadroomError {}
/** A handle or request id that is not one, or that names nothing here. */
export class HandleError extends HeadroomError {}
/** The store cannot be opened, read or written. */
export class StoreError extends HeadroomError {}
/** What was called has been closed, or has not been started. */
export class ClosedError extends HeadroomError {}
/** The proxy could not be started. */
export class ProxyError extends HeadroomError {}
