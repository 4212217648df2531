// The snippets of the README files, compiled and run, and the example.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { TOOL, events, handleIn, provider } from "./provider.mjs";

const run = promisify(execFile);
const root = process.env.HEADROOM_ROOT;

/** A program with a home of its own that knows the provider as everybody does, from its environment. */
async function node(t, base, file) {
  const home = mkdtempSync(join(tmpdir(), "headroom-"));
  t.after(() => rmSync(home, { recursive: true }));
  const env = { ...process.env, ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: "k", HOME: home, XDG_DATA_HOME: home };
  return (await run(process.execPath, [file], { env })).stdout;
}

const message = (content, stop_reason) => ({
  id: "msg_1", type: "message", role: "assistant", model: "claude", content, stop_reason, stop_sequence: null, usage: { input_tokens: 5, output_tokens: 10 },
});

function stream(content, stop_reason = "end_turn") {
  const parts = [{ type: "message_start", message: { ...message([], null) } }];
  content.forEach((block, index) => {
    const isText = block.type === "text";
    parts.push({ type: "content_block_start", index, content_block: isText ? { ...block, text: "" } : { ...block, input: {} } });
    parts.push({ type: "content_block_delta", index, delta: isText ? { type: "text_delta", text: block.text } : { type: "input_json_delta", partial_json: JSON.stringify(block.input) } });
    parts.push({ type: "content_block_stop", index });
  });
  parts.push({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 10 } }, { type: "message_stop" });
  return { body: events(parts, true) };
}

test("the snippets compile and run", async (t) => {
  const folder = "readme";
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const files = ["README.md", "crates/node/README.md"].flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code),
  );
  assert.ok(files.length >= 4);
  files.forEach((code, n) => writeFileSync(`${folder}/snippet${n}.mts`, `${code}\nexport {};\n`));
  const names = files.map((_, n) => `${folder}/snippet${n}`);
  const options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"];
  await run("node_modules/.bin/tsc", [...options, ...names.map((name) => `${name}.mts`)]).catch(({ stdout }) => assert.fail(stdout));
  for (const name of names) {
    const { base } = await provider(t, { body: message([{ type: "text", text: "Here." }], "end_turn") });
    await node(t, base, `${name}.mjs`);
  }
});

test("debugging with logs", async (t) => {
  const { base, received } = await provider(
    t,
    stream([{ type: "tool_use", id: "toolu_1", name: "read_log", input: {} }], "tool_use"),
    (request) => stream([{ type: "text", text: "One line is odd. " }, { type: "tool_use", id: "toolu_r", name: TOOL, input: { content_id: handleIn(request), pattern: "ERROR" } }], "tool_use"),
    stream([{ type: "text", text: "db-2 refuses connections." }]),
  );
  // Beside the installed package, where an import finds it.
  writeFileSync("debug_logs.example.mjs", readFileSync(join(root, "examples/debug_logs.mjs")));
  assert.equal(await node(t, base, "debug_logs.example.mjs"), "One line is odd. db-2 refuses connections.\n");
  assert.equal(received.length, 3);
  const [shown] = received[1].json.messages.at(-1).content;
  assert.ok(shown.content.length < 3000 && shown.content.includes("cannot reach db-2"), shown.content.slice(0, 300));
  assert.match(received[2].json.messages.at(-1).content[0].content, /^1378:.*connection refused/);
});
