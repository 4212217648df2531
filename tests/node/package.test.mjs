// The package alone, as it is in a project without anything else.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as esm from "headroom";

const cjs = createRequire(import.meta.url)("headroom");
const { ClosedError, ConfigError, HandleError, Headroom, HeadroomError, HeadroomProxy, ProxyError, StoreError, compress, wrap, wrapFetch, headroomMiddleware } = esm;

const ROWS = JSON.stringify(Array.from({ length: 300 }, (_, n) => ({ id: n, state: "running", zone: "eu-1", load: (n * 37) % 100 })));

function vectors() {
  const read = JSON.parse(readFileSync(process.env.HEADROOM_VECTORS, "utf8"));
  const filled = (value) => {
    if (typeof value === "string") return value.startsWith("@") ? (read.inputs[value.slice(1)] ?? value) : value;
    if (Array.isArray(value)) return value.map(filled);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, filled(of)]));
    return value;
  };
  return { texts: filled(read.texts), conversations: filled(read.conversations) };
}

test("imported and required it is the same", () => {
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(cjs).sort());
  for (const name of Object.keys(cjs)) assert.equal(esm[name], cjs[name]);
});

test("without a store nothing is left out", () => {
  const result = compress(ROWS);
  assert.deepEqual([result.exact, result.handle, result.omissions, result.kind, result.reason], [true, null, [], "json", "compressed"]);
  assert.ok(result.tokensAfter < result.tokensBefore / 2);
  assert.equal(compress("short").text, "short");
});

test("what is left out is given back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "headroom-"));
  const hr = new Headroom({ store: `sqlite:///${folder}/store.db` });
  const { handle, omissions, exact } = hr.compress(ROWS);
  assert.deepEqual([exact, omissions[0].unit, omissions[0].total], [false, "row", 300]);
  await hr.close();
  const again = new Headroom(join(folder, "store.db"));
  assert.equal(await again.retrieve(handle), ROWS);
  assert.equal(await again.retrieve(handle, { jsonPath: "$[7].load" }), String((7 * 37) % 100));
  assert.equal((await again.explain(handle)).original.bytes, ROWS.length);
  assert.match(await again.answer({ content_id: handle, json_path: "$[7].state" }), /running/);
  await again.close();
  rmSync(folder, { recursive: true });
});

test("tenants share a store and nothing in it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "headroom-"));
  const open = (project) => new Headroom({ store: `sqlite:///${folder}/store.db`, tenant: "a", project });
  const [own, other] = [open("p"), open("q")];
  const { handle } = own.compress(ROWS);
  assert.equal(await own.retrieve(handle), ROWS);
  await assert.rejects(other.retrieve(handle), HandleError);
  await Promise.all([own.close(), other.close()]);
  rmSync(folder, { recursive: true });
});

test("lines are named in three ways", async () => {
  const lines = Array.from({ length: 300 }, (_, n) => `2024-05-01T10:00:${String(n % 60).padStart(2, "0")}Z INFO worker took ${n + 1} ms\n`);
  const hr = new Headroom("memory");
  const { handle } = hr.compress(lines.join(""));
  for (const some of ["7-8", [7, 8], { lines: "7-8" }]) assert.equal(await hr.retrieve(handle, some), lines.slice(6, 8).join(""));
  assert.equal(await hr.retrieve(handle, 300), lines[299]);
  assert.match(await hr.retrieve(handle, { pattern: "took 299 " }), /^299:2024/);
});

test("the vectors", async () => {
  for (const vector of vectors().texts) {
    const hr = new Headroom({ store: "memory", compressionConfig: vector.config });
    const result = hr.compress(vector.text, { kind: vector.kind, level: vector.level });
    const said = {
      text: result.handle ? result.text.replaceAll(result.handle, "hr_HANDLE") : result.text,
      kind: result.kind,
      exact: result.exact,
      tokens_before: result.tokensBefore,
      // A handle takes a token more or less in every store.
      tokens_after: result.handle ? null : result.tokensAfter,
      omitted: result.omissions.map(({ first, last }) => [first, last]),
    };
    assert.deepEqual(said, vector.expected, vector.name);
    if (result.handle) assert.equal(await hr.retrieve(result.handle), vector.text);
  }
});

test("the vectors of conversations", async () => {
  for (const vector of vectors().conversations) {
    const hr = new Headroom({ store: "memory", compressionConfig: vector.config, retrieval: "always" });
    const { dialect, system, tools, model } = vector;
    const sent = await hr.compressMessages(vector.messages, { dialect, system, tools, model });
    const handles = (await hr.explain(sent.id)).request.slots.flatMap((slot) => slot.handles);
    const written = handles.reduce((text, handle) => text.replaceAll(handle, "hr_HANDLE"), JSON.stringify(sent.messages));
    assert.deepEqual({ messages: JSON.parse(written), tools: sent.tools }, vector.expected, vector.name);
    assert.ok(sent.toolOffered && sent.tokensAfter < sent.tokensBefore);
    // The caller's own objects stay where nothing was changed.
    assert.equal(sent.messages[0], vector.messages[0]);
    assert.equal(sent.tools[0], tools[0]);
  }
});

test("wrong types are type errors", async () => {
  const hr = new Headroom("memory");
  const cases = [
    [() => compress(3), "text: expected a string, not number"],
    [() => compress("text", { level: 3 }), "level: expected a string"],
    [() => compress("text", { store: "memory" }), "store: expected a Headroom"],
    [() => compress("text", "standard"), "options: expected an object"],
    [() => new Headroom({ store: 3 }), "store: expected a string"],
    [() => new Headroom({ compressionConfig: "json" }), "compressionConfig: expected an object"],
    [() => new Headroom({ ccrEnabled: "yes" }), "ccrEnabled: expected true or false"],
    [() => hr.compressMessages("hello"), "messages: expected an array"],
    [() => hr.compressMessages([1n]), "messages: cannot be written as JSON"],
    [() => hr.retrieve("hr_4k2m9x7qw3", { lines: {} }), 'lines: expected "120-180"'],
    [() => wrap({}), "client: expected Anthropic or OpenAI"],
    [() => wrap({}, "memory"), "headroom: expected a Headroom"],
    [() => wrapFetch({ fetch: 3 }), "fetch: expected a function"],
    [() => headroomMiddleware({ headroom: 3 }), "headroom: expected a Headroom"],
    [() => new HeadroomProxy({ port: "8787" }), "port: expected a number"],
  ];
  for (const [call, said] of cases) {
    await assert.rejects(async () => call(), (error) => error instanceof TypeError && error.message.includes(said) || assert.fail(`${error} for ${said}`));
  }
});

test("every other mistake has its class, and says what, where and what to do", async () => {
  const hr = new Headroom("memory");
  const closed = new Headroom("memory");
  await closed.close();
  await closed.close();
  const cases = [
    [() => compress("text", { level: "standrad" }), ConfigError, 'did you mean "standard"?'],
    [() => compress("text", { kind: "jsn" }), ConfigError, 'kind: unknown kind "jsn"'],
    [() => compress("text", { levl: "light" }), ConfigError, 'options: unknown name "levl"; did you mean "level"?'],
    [() => compress("half \ud83d"), ConfigError, "half of a surrogate pair"],
    [() => hr.compressMessages([], { dialect: "antropic" }), ConfigError, 'did you mean "anthropic"?'],
    [() => new Headroom("mysql://host/db"), ConfigError, "is no kind of store"],
    [() => new Headroom({ sotre: "memory" }), ConfigError, 'did you mean "store"?'],
    [() => new Headroom({ compressionConfig: { json: { treshold: 1 } } }), ConfigError, 'compressionConfig.json: unknown key "treshold"; did you mean "threshold"?'],
    [() => new HeadroomProxy({ align: "always" }), ConfigError, 'align: unknown value "always"'],
    [() => new HeadroomProxy({ ccrEnabled: false, retrieval: "always" }), ConfigError, "ccrEnabled: says the opposite"],
    [() => new HeadroomProxy({ target: { antropic: "https://x" } }), ConfigError, 'did you mean "anthropic"?'],
    [() => new HeadroomProxy({ target: "api.anthropic.com" }), ConfigError, "write https://api.anthropic.com"],
    [() => new HeadroomProxy({ port: 70000 }), ConfigError, "from 0 to 65535"],
    [() => hr.retrieve("hr_4k2m9x7qw3", "a-b"), ConfigError, "is no range of lines"],
    [() => hr.retrieve("hr_nope"), HandleError, "looks like hr_"],
    [() => hr.retrieve("hr_4k2m9x7qw3"), HandleError, "is not kept in this store"],
    [() => hr.explain("hrq_1"), HandleError, "knows no request"],
    [() => new Headroom("/proc/nowhere/h.db"), StoreError, "/proc/nowhere/h.db"],
    [() => closed.compress("text"), ClosedError, "has been closed; open another one"],
    [() => compress("text", { store: closed }), ClosedError, "has been closed"],
    [() => closed.retrieve("hr_4k2m9x7qw3"), ClosedError, "has been closed"],
    [() => new HeadroomProxy({ store: "memory" }).url, ClosedError, "call start()"],
    [() => new HeadroomProxy({ store: "memory" }).stats(), ClosedError, "call start()"],
  ];
  for (const [call, Class, said] of cases) {
    await assert.rejects(async () => call(), (error) => {
      assert.ok(error instanceof Class && error instanceof HeadroomError && error.name === Class.name, `${error} for ${said}`);
      assert.ok(error.message.includes(said), `${error.message} for ${said}`);
      return true;
    });
  }
});

test("a proxy starts, serves and stops", async () => {
  const options = { target: "http://127.0.0.1:9", store: "memory", token: "secret", compressionConfig: { json: { enabled: false } } };
  const proxy = await new HeadroomProxy({ ...options, port: 0 }).start();
  const { url } = proxy;
  const headers = { "x-headroom-token": "secret", "content-type": "application/json" };
  const answer = await fetch(`${url}/v1/compress`, { method: "POST", headers, body: JSON.stringify({ text: ROWS }) });
  assert.equal((await answer.json()).reason, "policy");
  assert.equal((await fetch(`${url}/stats`)).status, 401);
  const stats = await proxy.stats(1);
  assert.deepEqual([stats.policy, stats.counters.exchanges, "ledger" in stats], ["standard", 0, true]);
  const port = Number(new URL(url).port);
  await assert.rejects(new HeadroomProxy({ store: "memory", port }).start(), (error) => error instanceof ProxyError && /another port/.test(error.message));
  await proxy.stop();
  await proxy.stop();
  assert.throws(() => proxy.url, ClosedError);
});
