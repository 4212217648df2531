//! A request as the provider's cache sees it: a flat list of blocks in order.

use headroom_core::ContentHash;
use headroom_wire::Dialect;
use serde_json::{Map, Value};

/// What a block is, as far as integrity and recall are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Tool,
    ToolResult,
    /// Everything else: instructions, user and assistant words, calls, thinking, images.
    Other,
}

/// One block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    /// Identity for the cache: role and content, without `cache_control`, which moves by design and is no content.
    pub(crate) key: ContentHash,
    /// What the model reads.
    pub(crate) text: String,
    /// Identity without the text, for tool results: the envelope must not change.
    pub(crate) envelope: ContentHash,
}

/// The blocks of a request body; empty when it is not the JSON of a request.
pub(crate) fn blocks(dialect: Dialect, body: &[u8]) -> Vec<Block> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Vec::new() };
    let mut out = Vec::new();
    match dialect {
        Dialect::OpenAiResponses => responses(&body, &mut out),
        Dialect::Gemini => gemini(&body, &mut out),
        _ => messages(dialect, &body, &mut out),
    }
    out
}

/// OpenAI Responses: items, of which those of messages have parts.
fn responses(body: &Map<String, Value>, out: &mut Vec<Block>) {
    for tool in array(body.get("tools")) {
        out.push(block(BlockKind::Tool, "tools", tool, tool.to_string()));
    }
    for part in parts(body.get("instructions")) {
        out.push(block(BlockKind::Other, "system", &part, text_of(&part)));
    }
    for item in array(body.get("input")) {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
        if kind.ends_with("_call_output") {
            out.push(block(BlockKind::ToolResult, "output", item, texts(item.get("output"))));
        } else if kind == "message" {
            let role = item.get("role").and_then(Value::as_str).unwrap_or_default();
            let parts = parts(item.get("content"));
            out.extend(parts.iter().map(|part| block(BlockKind::Other, role, part, text_of(part))));
        } else {
            out.push(block(BlockKind::Other, kind, item, item.to_string()));
        }
    }
}

/// Gemini: contents of parts, of which function responses are results.
fn gemini(body: &Map<String, Value>, out: &mut Vec<Block>) {
    for tool in array(body.get("tools")) {
        let declared = array(tool.get("functionDeclarations"));
        out.extend(declared.iter().map(|tool| block(BlockKind::Tool, "tools", tool, tool.to_string())));
    }
    for part in parts(body.get("systemInstruction").and_then(|system| system.get("parts"))) {
        out.push(block(BlockKind::Other, "system", &part, text_of(&part)));
    }
    for content in array(body.get("contents")) {
        let role = content.get("role").and_then(Value::as_str).unwrap_or_default();
        for part in array(content.get("parts")) {
            match part.get("functionResponse").and_then(|answer| answer.get("response")) {
                Some(Value::Object(response)) => {
                    let said: Vec<&str> = response.values().filter_map(Value::as_str).collect();
                    out.push(block(BlockKind::ToolResult, role, part, said.join("\n")));
                }
                _ => out.push(block(BlockKind::Other, role, part, text_of(part))),
            }
        }
    }
}

/// Anthropic Messages and OpenAI Chat.
fn messages(dialect: Dialect, body: &Map<String, Value>, out: &mut Vec<Block>) {
    for tool in array(body.get("tools")) {
        out.push(block(BlockKind::Tool, "tools", tool, stripped(tool).to_string()));
    }
    for part in parts(body.get("system")) {
        out.push(block(BlockKind::Other, "system", &part, text_of(&part)));
    }
    for message in array(body.get("messages")) {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if matches!(role, "tool" | "function") && dialect == Dialect::OpenAiChat {
            out.push(block(BlockKind::ToolResult, role, message, texts(message.get("content"))));
            continue;
        }
        for part in parts(message.get("content")) {
            match part.get("type").and_then(Value::as_str) {
                Some("tool_result") => out.push(block(BlockKind::ToolResult, role, &part, texts(part.get("content")))),
                _ => out.push(block(BlockKind::Other, role, &part, text_of(&part))),
            }
        }
        for call in array(message.get("tool_calls")) {
            out.push(block(BlockKind::Other, role, call, call.to_string()));
        }
    }
}

fn block(kind: BlockKind, role: &str, value: &Value, text: String) -> Block {
    let value = stripped(value);
    let envelope = match (kind, &value) {
        (BlockKind::ToolResult, Value::Object(fields)) => {
            let mut fields = fields.clone();
            for name in ["content", "output"].into_iter().filter(|name| value.get(name).is_some()) {
                fields.insert(name.to_owned(), shape(value.get(name)));
            }
            let said = fields.get_mut("functionResponse").and_then(|answer| answer.get_mut("response"));
            for said in said.and_then(Value::as_object_mut).into_iter().flatten() {
                *said.1 = shape(Some(&*said.1));
            }
            Value::Object(fields)
        }
        _ => value.clone(),
    };
    Block {
        kind,
        key: ContentHash::of(&format!("{role}|{value}")),
        envelope: ContentHash::of(&format!("{role}|{envelope}")),
        text,
    }
}

/// A result's content with its texts emptied: their number, order and neighbours must not change.
fn shape(content: Option<&Value>) -> Value {
    match content {
        Some(Value::String(_)) => Value::String(String::new()),
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| match part {
                Value::Object(fields) if fields.get("text").is_some_and(Value::is_string) => {
                    let mut fields = fields.clone();
                    fields.insert("text".to_owned(), Value::String(String::new()));
                    Value::Object(fields)
                }
                other => other.clone(),
            })
            .collect(),
        other => other.cloned().unwrap_or(Value::Null),
    }
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Content as a list of parts; a string is one text part.
fn parts(content: Option<&Value>) -> Vec<Value> {
    match content {
        Some(Value::Array(parts)) => parts.clone(),
        Some(text @ Value::String(_)) => {
            let fields = [("type".to_owned(), Value::from("text")), ("text".to_owned(), text.clone())];
            vec![Value::Object(Map::from_iter(fields))]
        }
        _ => Vec::new(),
    }
}

/// All text in a result's content.
fn texts(content: Option<&Value>) -> String {
    let texts: Vec<_> = parts(content).iter().map(text_of).collect();
    texts.join("\n")
}

/// What the model reads of one part; parts without text stand for themselves.
fn text_of(part: &Value) -> String {
    match part.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => part.to_string(),
    }
}

fn stripped(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "cache_control");
            Value::Object(kept.map(|(name, value)| (name.clone(), stripped(value))).collect())
        }
        Value::Array(items) => items.iter().map(stripped).collect(),
        other => other.clone(),
    }
}
