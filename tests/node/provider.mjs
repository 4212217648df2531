// A scripted provider: answers the n-th request with the n-th reply of the script, a reply or a function of the request that makes one.
import { createServer } from "node:http";

export const TOOL = "retrieve_original_content";

let seed = 0;

/** A tool's long, regular output with one odd row; no two calls give the same text, so that nothing is a repetition. */
export function rows(count = 400) {
  seed += 1;
  const row = (_, id) => ({
    id,
    name: `service-${seed}-${id}`,
    region: "eu-central-1",
    state: id === 77 ? "FAILED: disk" : "running",
    cpu: (id * 37) % 100,
    owner: `team-${id % 7}`,
  });
  return JSON.stringify(Array.from({ length: count }, row));
}

export const INSTRUCTIONS = "You are an operator. ".repeat(300);

export const events = (list, named) =>
  list.map((data) => `${named ? `event: ${data.type}\n` : ""}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);

/** The first handle in a request: what a model would copy into its call. */
export const handleIn = (received) => /\bhr_[0-9a-z]{10}\b(?!.{0,30}line_range)/.exec(JSON.stringify(received.json.messages))?.[0] ?? "hr_none";

export async function provider(t, ...script) {
  const received = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString();
    const one = { path: request.url, headers: request.headers, body, json: body ? JSON.parse(body) : undefined };
    received.push(one);
    const step = script[received.length - 1] ?? { status: 500, body: { error: { message: "the script has ended" } } };
    const reply = typeof step === "function" ? step(one) : step;
    const streamed = Array.isArray(reply.body);
    response.writeHead(reply.status ?? 200, { "content-type": streamed ? "text/event-stream" : "application/json" });
    if (!streamed) return response.end(JSON.stringify(reply.body));
    for (const piece of reply.body) response.write(piece);
    response.end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  return { base: `http://127.0.0.1:${server.address().port}`, received };
}
