//! Claude Code: `projects/PROJECT/SESSION.jsonl`, one content block of a message a line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Billed, Builder, lines, number, seconds, string};

pub(super) fn read(text: &str) -> Vec<Builder> {
    let (lines, unread) = lines(text);
    // The main conversation, and one for each sub-agent whose lines stand between.
    let mut open: BTreeMap<String, Builder> = BTreeMap::new();
    let mut done = Vec::new();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for line in &lines {
        let whose = match line["isSidechain"].as_bool() {
            Some(true) => format!("sub {}", string(&line["agentId"])),
            _ => String::new(),
        };
        if line["type"] == "system" && line["subtype"] == "compact_boundary" {
            done.extend(open.remove(&whose));
            continue;
        }
        let role = string(&line["type"]);
        let message = &line["message"];
        if !matches!(role.as_str(), "user" | "assistant")
            || message["content"].is_null()
            || line["isApiErrorMessage"] == true
        {
            continue;
        }
        let builder = open.entry(whose.clone()).or_default();
        builder.project = string(&line["cwd"]);
        if role == "assistant" {
            builder.model = string(&message["model"]);
            let id = string(&message["id"]);
            let goes_on =
                ids.get(&whose) == Some(&id) && builder.messages.last().is_some_and(|last| last["role"] == "assistant");
            append(builder, "assistant", &message["content"]);
            let billed = billed(line);
            if goes_on {
                // Each line repeats the figures of the whole message; the last has all of its output.
                if let Some(last) = builder.billed.last_mut() {
                    *last = billed;
                }
            } else {
                builder.bill(billed);
            }
            ids.insert(whose, id);
        } else {
            append(builder, "user", &message["content"]);
        }
    }
    done.extend(open.into_values());
    if let Some(first) = done.first_mut() {
        first.unread = unread;
    }
    done
}

/// Adds content to the last message, if that is the same speaker's, or begins another one.
fn append(builder: &mut Builder, role: &str, content: &Value) {
    let blocks = |content: &Value| match content {
        Value::Array(blocks) => blocks.clone(),
        text => vec![json!({"type": "text", "text": text})],
    };
    match builder.messages.last_mut() {
        Some(last) if last["role"] == role => {
            let mut both = blocks(&last["content"]);
            both.extend(blocks(content));
            last["content"] = Value::Array(both);
        }
        _ => builder.messages.push(json!({"role": role, "content": content})),
    }
}

fn billed(line: &Value) -> Billed {
    let usage = &line["message"]["usage"];
    Billed {
        at: seconds(&line["timestamp"]),
        input: number(usage, "input_tokens"),
        cached: number(usage, "cache_read_input_tokens"),
        written: number(usage, "cache_creation_input_tokens"),
        output: number(usage, "output_tokens"),
    }
}
