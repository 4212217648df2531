// Debugging with logs: an agent loop whose tool returns thousands of lines. The client is wrapped: the model reads a digest with every kind of line in it, and
// what it asks back is answered on the way.
//
//     ANTHROPIC_API_KEY=... node examples/debug_logs.mjs
import Anthropic from "@anthropic-ai/sdk";
import { Headroom, wrap } from "headroom";

/** What `kubectl logs` would say: one failure among 2,000 lines. */
function readLog() {
  const line = (_, n) => {
    const time = new Date(Date.UTC(2024, 4, 1, 10, 0, n)).toISOString();
    if (n === 1377) return `${time} ERROR worker-3 cannot reach db-2:5432: connection refused (retry 5 of 5)`;
    return `${time} INFO worker-${n % 4} handled request ${n} in ${(n * 3) % 90}ms`;
  };
  return Array.from({ length: 2000 }, line).join("\n");
}

const headroom = new Headroom({ store: "memory", retrieval: "always" });
const client = wrap(new Anthropic(), headroom);
const tools = [{ name: "read_log", description: "Reads the log of the service", input_schema: { type: "object", properties: {} } }];
const messages = [{ role: "user", content: "Why do requests fail since this morning?" }];

for (;;) {
  const stream = client.messages.stream({
    model: "claude-sonnet-4-5",
    max_tokens: 1024,
    system: "You look after a service. ".repeat(300),
    tools,
    messages,
  });
  stream.on("text", (text) => process.stdout.write(text));
  const answer = await stream.finalMessage();
  const calls = answer.content.filter((block) => block.type === "tool_use");
  if (calls.length === 0) break;
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: readLog() }));
  messages.push({ role: "assistant", content: answer.content }, { role: "user", content: results });
}
process.stdout.write("\n");
await headroom.close();
