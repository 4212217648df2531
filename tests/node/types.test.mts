// Compiled, not run: the types say what the package does.
import Anthropic from "@anthropic-ai/sdk";
import { wrapLanguageModel, type LanguageModel } from "ai";
import { compress, Headroom, HeadroomProxy, headroomMiddleware, wrap, wrapFetch, type CompressResult } from "headroom";
import OpenAI from "openai";

const result: CompressResult = compress("text", { kind: "json", level: "light", store: new Headroom("memory") });
const handle: string | null = result.handle;
const proxy = new HeadroomProxy({
  target: { anthropic: "https://api.anthropic.com" },
  compressionConfig: { json: { compressor: "SmartCrusher", threshold: 1000 }, code: { languages: ["python"] }, prose: { ratio: 0.4 } },
});
const anthropic: Anthropic = wrap(new Anthropic({ apiKey: "k" }));
const openai: OpenAI = wrap(new OpenAI({ apiKey: "k" }), new Headroom({ store: "memory", retrieval: "always" }));
const fetching: typeof fetch = wrapFetch();

export const model = (given: Parameters<typeof wrapLanguageModel>[0]["model"]): LanguageModel =>
  wrapLanguageModel({ model: given, middleware: headroomMiddleware() });
export const lines = async (): Promise<string> => new Headroom("memory").retrieve("hr_4k2m9x7qw3", { lines: [3, 9] });

// @ts-expect-error a kind of text that does not exist
new HeadroomProxy({ compressionConfig: { jsn: {} } });
// @ts-expect-error a ratio is for prose
new HeadroomProxy({ compressionConfig: { json: { ratio: 0.4 } } });
// @ts-expect-error a level that does not exist
compress("text", { level: "standrad" });

export { anthropic, fetching, handle, openai, proxy };
