//! Conversations as a provider's SDK takes them, and the request bodies they are part of.

use std::collections::HashMap;

use headroom_wire::{Dialect, Request, parse_at};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Error;
use crate::options::no_such;

/// The parts of a conversation that shape what is sent, each as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// `anthropic`, `openai`, `openai-responses`, `gemini`.
    pub dialect: &'a str,
    /// The messages: a list of objects.
    pub messages: &'a str,
    /// Instructions outside the messages.
    pub system: Option<&'a str>,
    /// The tools the model is offered: a list.
    pub tools: Option<&'a str>,
    /// The model, by its name. Not JSON.
    pub model: Option<&'a str>,
}

/// What a dialect calls the parts.
struct Names {
    messages: &'static str,
    system: Option<&'static str>,
}

const fn names(dialect: Dialect) -> Names {
    match dialect {
        Dialect::AnthropicMessages => Names { messages: "messages", system: Some("system") },
        Dialect::OpenAiResponses => Names { messages: "input", system: Some("instructions") },
        Dialect::Gemini => Names { messages: "contents", system: Some("systemInstruction") },
        // Chat completions have them as their first message.
        _ => Names { messages: "messages", system: None },
    }
}

/// The request that a conversation is sent as.
///
/// # Errors
///
/// When the dialect is unknown or a part is not what it should be.
pub fn body(conversation: &Conversation<'_>) -> Result<Request, Error> {
    let known: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    let dialect: Dialect =
        conversation.dialect.parse().map_err(|_| no_such("dialect", conversation.dialect, &known))?;
    let names = names(dialect);
    let mut parts = Vec::new();
    if let Some(model) = conversation.model {
        parts.push(format!("\"model\":{}", Value::from(model)));
    }
    if let Some(system) = conversation.system {
        let Some(name) = names.system else {
            return Err(Error::Config(format!(
                "system: in the dialect {dialect} instructions are the first of the messages"
            )));
        };
        parts.push(format!("\"{name}\":{}", json("system", system)?));
    }
    if let Some(tools) = conversation.tools {
        parts.push(format!("\"tools\":{}", list("tools", tools)?));
    }
    parts.push(format!("\"{}\":{}", names.messages, list("messages", conversation.messages)?));
    let body = format!("{{{}}}", parts.join(","));
    let model = conversation.model.unwrap_or("unknown");
    Ok(match dialect {
        Dialect::Gemini => parse_at(dialect, &format!("/v1beta/models/{model}:generateContent"), body),
        _ => parse_at(dialect, dialect.path(), body),
    })
}

/// The messages and the tools of a body that was made from a conversation.
pub(crate) fn parts(request: &Request, body: &[u8]) -> Option<(String, Option<String>)> {
    let mut parts: HashMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let messages = parts.remove(names(request.dialect()).messages)?;
    Some((messages.get().to_owned(), parts.remove("tools").map(|tools| tools.get().to_owned())))
}

fn json<'t>(name: &str, text: &'t str) -> Result<&'t RawValue, Error> {
    serde_json::from_str(text).map_err(|error| Error::Config(format!("{name}: cannot be sent as JSON: {error}")))
}

fn list<'t>(name: &str, text: &'t str) -> Result<&'t RawValue, Error> {
    let value = json(name, text)?;
    if value.get().starts_with('[') {
        return Ok(value);
    }
    let found: String = value.get().chars().take(40).collect();
    Err(Error::Config(format!("{name}: expected a list, as it is sent to the provider, not {found}")))
}
