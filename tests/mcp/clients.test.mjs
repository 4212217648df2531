// Every tool of `headroom mcp` through the official TypeScript client.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const HEADROOM = process.env.HEADROOM_BIN;
const TOOLS = [
  "compress_command_output",
  "compress_file",
  "compress_rag_chunks",
  "forget",
  "recall",
  "remember",
  "retrieve_original_content",
  "search_memory",
];

const line = (n) =>
  n === 200
    ? "2026-01-05T10:03:20Z ERROR worker-3 disk /dev/sdb1 failed: I/O error 5\n"
    : `2026-01-05T10:00:${String(n % 60).padStart(2, "0")}Z INFO worker-${n % 7} handled request ${n * 7919} in ${n % 93} ms\n`;
const LOG = Array.from({ length: 400 }, (_, n) => line(n)).join("");

/** A source tree with a log in it, and a home of nobody's. */
function bench() {
  const folder = mkdtempSync(join(tmpdir(), "headroom-mcp-"));
  const [home, tree] = [join(folder, "home"), join(folder, "tree")];
  mkdirSync(home);
  mkdirSync(tree);
  execFileSync("git", ["init", "-q"], { cwd: tree });
  execFileSync("git", ["remote", "add", "origin", "https://github.com/example/tree"], { cwd: tree });
  writeFileSync(join(tree, "app.log"), LOG);
  const env = { HOME: home, PATH: process.env.PATH, HEADROOM_LOG: "trace" };
  return { tree, env, end: () => rmSync(folder, { recursive: true, force: true }) };
}

async function everyTool(client) {
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name).sort(), TOOLS);
  const called = new Set();
  const call = async (name, args, options) => {
    called.add(name);
    const result = await client.callTool({ name, arguments: args }, undefined, options);
    assert.ok(!result.isError, JSON.stringify(result));
    return result.content[0].text;
  };
  const told = [];
  const short = await call("compress_file", { path: "app.log" }, { onprogress: (step) => told.push(step.progress) });
  assert.match(short, /\/dev\/sdb1 failed/);
  assert.ok(short.length * 4 < LOG.length);
  assert.deepEqual(told, [0]);
  const handle = /hr_\w{10}/.exec(short)[0];
  const lines = await call("retrieve_original_content", { content_id: handle, line_range: "1-2" });
  assert.equal(lines, line(0) + line(1));
  assert.match(await call("compress_command_output", { output: LOG, command: "journalctl" }), /\/dev\/sdb1 failed/);
  const chunks = Array.from({ length: 8 }, (_, n) => `Room ${n} has a window. ${"The garden lies behind the house. ".repeat(30)}`);
  assert.match(await call("compress_rag_chunks", { chunks, query: "garden", budget: 300 }), /8 passages/);
  const note = await call("remember", { text: "The disk /dev/sdb1 is old." });
  assert.match(await call("recall", { query: "disk" }), /sdb1 is old/);
  assert.match(await call("search_memory", { query: "disk sdb1" }), /sdb1/);
  assert.match(await call("forget", { note: Number(/note (\d+)/.exec(note)[1]) }), /gone/);
  assert.deepEqual([...called].sort(), TOOLS);
  const outside = await client.callTool({ name: "compress_file", arguments: { path: "/etc/passwd" } });
  assert.ok(outside.isError);
  const original = await client.readResource({ uri: `headroom://original/${handle}` });
  assert.equal(original.contents[0].text, LOG);
}

// A server that says nothing must not hold the run up.
const TIMED = { timeout: 60_000 };

test("over stdio, with roots and a cancelled call", TIMED, async (t) => {
  const { tree, env, end } = bench();
  t.after(end);
  const client = new Client({ name: "test", version: "1" }, { capabilities: { roots: {} } });
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: `file://${tree}` }] }));
  t.after(() => client.close());
  const strays = [];
  client.onerror = (error) => strays.push(error);
  await client.connect(new StdioClientTransport({ command: HEADROOM, args: ["mcp"], env, cwd: tree, stderr: "ignore" }));
  await everyTool(client);
  const aborted = new AbortController();
  const call = client.callTool({ name: "compress_command_output", arguments: { output: LOG.repeat(20) } }, undefined, {
    signal: aborted.signal,
  });
  aborted.abort("enough");
  await assert.rejects(call);
  await everyTool(client);
  await client.close();
  assert.deepEqual(strays, [], "a byte that is no protocol is an error to the client");
});

test("over streamable HTTP", TIMED, async (t) => {
  const { tree, env, end } = bench();
  t.after(end);
  const server = spawn(HEADROOM, ["mcp", "--http", "127.0.0.1:0", "--root", tree], { env, cwd: tree });
  t.after(() => server.kill());
  let strays = "";
  server.stdout.on("data", (bytes) => (strays += bytes));
  const address = await new Promise((resolve) =>
    createInterface({ input: server.stderr }).on("line", (text) => {
      const said = /MCP at (http:\S+)/.exec(text);
      if (said) resolve(said[1]);
    }),
  );
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(address)));
  await everyTool(client);
  await client.close();
  assert.equal(strays, "");
});
