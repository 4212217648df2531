//! Codex CLI: `sessions/YEAR/MONTH/DAY/rollout-*.jsonl`, one item of the Responses API a line, read as Chat Completions.

use serde_json::{Value, json};

use super::{Billed, Builder, lines, number, plain, seconds, string};

pub(super) fn read(text: &str) -> Vec<Builder> {
    let (lines, unread) = lines(text);
    let fresh = |old: &Builder| Builder {
        openai: true,
        project: old.project.clone(),
        model: old.model.clone(),
        ..Builder::default()
    };
    let mut builder = Builder { openai: true, unread, ..Builder::default() };
    let mut done = Vec::new();
    for line in &lines {
        let payload = &line["payload"];
        match line["type"].as_str() {
            Some("session_meta") => builder.project = string(&payload["cwd"]),
            Some("turn_context") => builder.model = string(&payload["model"]),
            Some("response_item") => item(&mut builder, payload),
            Some("event_msg") if payload["type"] == "token_count" => {
                let usage = &payload["info"]["last_token_usage"];
                let cached = number(usage, "cached_input_tokens");
                let written = number(usage, "cache_write_input_tokens");
                if usage.is_object() {
                    builder.bill(Billed {
                        at: seconds(&line["timestamp"]),
                        input: number(usage, "input_tokens").saturating_sub(cached + written),
                        cached,
                        written,
                        output: number(usage, "output_tokens"),
                    });
                }
            }
            Some("compacted") => {
                let next = fresh(&builder);
                done.push(std::mem::replace(&mut builder, next));
                if let Some(summary) = payload["message"].as_str() {
                    builder.messages.push(json!({"role": "user", "content": summary}));
                }
            }
            _ => {}
        }
    }
    done.push(builder);
    done
}

fn item(builder: &mut Builder, item: &Value) {
    let messages = &mut builder.messages;
    match item["type"].as_str() {
        Some("message") => {
            let role = if item["role"] == "developer" { json!("system") } else { item["role"].clone() };
            messages.push(json!({"role": role, "content": plain(&item["content"])}));
        }
        Some("function_call" | "custom_tool_call" | "local_shell_call") => {
            let arguments = ["arguments", "input"].iter().find_map(|key| item[*key].as_str().map(str::to_owned));
            let arguments = arguments.unwrap_or_else(|| item["action"].to_string());
            let name = item["name"].as_str().unwrap_or("local_shell");
            let call =
                json!({"id": item["call_id"], "type": "function", "function": {"name": name, "arguments": arguments}});
            // Calls of one turn stand in one message.
            match messages.last_mut().and_then(|last| last["tool_calls"].as_array_mut()) {
                Some(calls) => calls.push(call),
                None => messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
            }
        }
        Some("function_call_output" | "custom_tool_call_output" | "local_shell_call_output") => {
            let output = &item["output"];
            let text = output["content"].as_str().map_or_else(|| plain(output), str::to_owned);
            messages.push(json!({"role": "tool", "tool_call_id": item["call_id"], "content": text}));
        }
        _ => {}
    }
}
