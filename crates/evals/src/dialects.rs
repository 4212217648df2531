//! A recorded conversation as an agent of another provider would have had it.
//!
//! Words, calls, results, instructions and tools are said in the other dialect's way, in the same order; thinking, images and cache markers, which
//! only one provider understands, are left out.

use std::collections::HashMap;

use headroom_wire::Dialect;
use serde_json::{Map, Value, json};

/// One thing that a message says.
enum Said<'m> {
    Words(&'m str),
    Call { id: &'m str, name: &'m str, arguments: Value },
    Result { id: &'m str, text: String, failed: bool },
}

/// Says messages in the dialect of OpenAI Responses or Gemini, one after another.
pub(crate) struct Interpreter {
    to: Dialect,
    /// Names of the tools that were called, by the identifier of the call: Gemini answers by name.
    called: HashMap<String, String>,
}

impl Interpreter {
    /// `None` for dialects that sessions are recorded in.
    pub(crate) fn to(dialect: Dialect) -> Option<Self> {
        let other = matches!(dialect, Dialect::OpenAiResponses | Dialect::Gemini);
        other.then(|| Self { to: dialect, called: HashMap::new() })
    }

    /// The items of a recorded message (Anthropic or OpenAI Chat).
    pub(crate) fn message(&mut self, message: &Value) -> Vec<Value> {
        let role = message["role"].as_str().unwrap_or_default();
        let said = said(message);
        for part in &said {
            if let Said::Call { id, name, .. } = part {
                self.called.insert((*id).to_owned(), (*name).to_owned());
            }
        }
        match self.to {
            Dialect::Gemini => self.contents(role, &said),
            _ => said.iter().map(|part| item(role, part)).collect(),
        }
    }

    fn contents(&self, role: &str, said: &[Said<'_>]) -> Vec<Value> {
        let part = |part: &Said<'_>| match part {
            Said::Words(text) => json!({"text": text}),
            Said::Call { id, name, arguments } => {
                json!({"functionCall": {"id": id, "name": name, "args": arguments}})
            }
            Said::Result { id, text, failed } => {
                let name = self.called.get(*id).map_or("unknown", String::as_str);
                let key = if *failed { "error" } else { "output" };
                json!({"functionResponse": {"id": id, "name": name, "response": {key: text}}})
            }
        };
        let parts: Vec<Value> = said.iter().map(part).collect();
        let role = if role == "assistant" { "model" } else { "user" };
        if parts.is_empty() { Vec::new() } else { vec![json!({"role": role, "parts": parts})] }
    }

    /// The members of a request that stand for instructions, as a string or a list of texts.
    pub(crate) fn instructions(&self, system: &Value) -> Map<String, Value> {
        let text = match system {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        };
        let member = match self.to {
            Dialect::Gemini => ("systemInstruction".to_owned(), json!({"parts": [{"text": text}]})),
            _ => ("instructions".to_owned(), Value::from(text)),
        };
        Map::from_iter([member])
    }

    /// The tools of a request.
    pub(crate) fn tools(&self, tools: &Value) -> Value {
        let declared = tools.as_array().into_iter().flatten().map(|tool| {
            // OpenAI Chat puts what describes a function one level deeper, and calls its schema by another name.
            let function = tool.get("function").unwrap_or(tool);
            let schema = function.get("input_schema").or_else(|| function.get("parameters"));
            let mut declared =
                json!({"name": function["name"], "description": function["description"], "parameters": schema});
            if self.to == Dialect::OpenAiResponses {
                declared["type"] = json!("function");
            }
            declared
        });
        let declared: Vec<Value> = declared.collect();
        match self.to {
            Dialect::Gemini => json!([{"functionDeclarations": declared}]),
            _ => Value::from(declared),
        }
    }
}

/// An item of OpenAI Responses.
fn item(role: &str, said: &Said<'_>) -> Value {
    match said {
        Said::Words(text) => {
            let kind = if role == "assistant" { "output_text" } else { "input_text" };
            json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})
        }
        Said::Call { id, name, arguments } => {
            json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments.to_string()})
        }
        Said::Result { id, text, .. } => json!({"type": "function_call_output", "call_id": id, "output": text}),
    }
}

/// What a recorded message says, in order.
fn said(message: &Value) -> Vec<Said<'_>> {
    let word = |value: &'_ Value, name: &str| value.get(name).and_then(Value::as_str).is_some();
    if message["role"] == "tool" {
        let id = message["tool_call_id"].as_str().unwrap_or_default();
        return vec![Said::Result { id, text: texts(&message["content"]), failed: false }];
    }
    let mut said = Vec::new();
    match &message["content"] {
        Value::String(text) if !text.is_empty() => said.push(Said::Words(text)),
        Value::Array(parts) => said.extend(parts.iter().filter_map(|part| match part["type"].as_str()? {
            "tool_use" => Some(Said::Call {
                id: part["id"].as_str()?,
                name: part["name"].as_str()?,
                arguments: part["input"].clone(),
            }),
            "tool_result" => Some(Said::Result {
                id: part["tool_use_id"].as_str()?,
                text: texts(&part["content"]),
                failed: part["is_error"] == true,
            }),
            _ if word(part, "text") => Some(Said::Words(part["text"].as_str()?)),
            _ => None,
        })),
        _ => {}
    }
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    said.extend(calls.filter_map(|call| {
        let function = &call["function"];
        let written = function["arguments"].as_str().unwrap_or("{}");
        let arguments = serde_json::from_str(written).unwrap_or_else(|_| json!({"input": written}));
        Some(Said::Call { id: call["id"].as_str()?, name: function["name"].as_str()?, arguments })
    }));
    said
}

/// All text of a content.
fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}
