//! Gemini CLI: `tmp/PROJECT/chats/session-*.jsonl`, or one JSON object in `.json`; read as Chat Completions.

use std::path::Path;

use serde_json::{Value, json};

use super::{Billed, Builder, lines, number, seconds, string};

pub(super) fn read(file: &Path, text: &str) -> Vec<Builder> {
    let (values, unread) = match serde_json::from_str::<Value>(text) {
        Ok(whole) => (vec![whole], 0),
        Err(_) => lines(text),
    };
    // A later line with the same id says more of the same message.
    let mut records: Vec<Value> = Vec::new();
    for value in values {
        let listed = [&value["messages"], &value["$set"]["messages"]].into_iter().find_map(Value::as_array);
        for record in listed.cloned().unwrap_or_else(|| vec![value]) {
            let known = records.iter_mut().find(|known| !known["id"].is_null() && known["id"] == record["id"]);
            match known {
                Some(known) => *known = record,
                None => records.push(record),
            }
        }
    }
    let folder = file.parent().and_then(Path::parent).and_then(Path::file_name);
    let project = folder.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut builder = Builder { openai: true, project, unread, ..Builder::default() };
    records.iter().for_each(|record| add(&mut builder, record));
    vec![builder]
}

fn add(builder: &mut Builder, record: &Value) {
    match record["type"].as_str() {
        Some("user") => {
            let text = parts(&record["content"]);
            // The results of tools are repeated as the user's; they stand with their calls already.
            if !text.is_empty() {
                builder.messages.push(json!({"role": "user", "content": text}));
            }
        }
        Some("gemini") => {
            builder.model = string(&record["model"]);
            let calls = record["toolCalls"].as_array().map_or(&[][..], Vec::as_slice);
            let mut message = json!({"role": "assistant", "content": parts(&record["content"])});
            let written = |call: &Value| {
                let function = json!({"name": call["name"], "arguments": call["args"].to_string()});
                json!({"id": call["id"], "type": "function", "function": function})
            };
            if !calls.is_empty() {
                message["tool_calls"] = calls.iter().map(written).collect();
            }
            builder.messages.push(message);
            let tokens = &record["tokens"];
            if tokens.is_object() {
                let cached = number(tokens, "cached");
                builder.bill(Billed {
                    at: seconds(&record["timestamp"]),
                    input: number(tokens, "input").saturating_sub(cached),
                    cached,
                    written: 0,
                    output: number(tokens, "output") + number(tokens, "thoughts"),
                });
            }
            for call in calls {
                let output = result(&call["result"]);
                builder.messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": output}));
            }
        }
        _ => {}
    }
}

/// The text of `"text"`, or of `[{"text": "text"}]`.
fn parts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// What a tool gave: the output of its response, or the response itself.
fn result(result: &Value) -> String {
    let responses = result.as_array().into_iter().flatten().map(|part| &part["functionResponse"]["response"]);
    responses
        .map(|response| {
            ["output", "error"]
                .iter()
                .find_map(|key| response[*key].as_str())
                .map_or_else(|| response.to_string(), str::to_owned)
        })
        .collect()
}
