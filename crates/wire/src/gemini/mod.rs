//! Gemini `generateContent`, at Google AI and at Vertex AI.
//!
//! A stream has no event that ends it: its last chunk with a `finishReason` is kept back once a call of ours is hidden, and what follows
//! is decided when the stream closes. Calls may have no identifiers; they are then known by their name and arguments.

mod exchange;
mod reply;
mod request;
mod stream;
mod usage;

use bytes::Bytes;

use crate::document::Document;
use crate::exchange::{Exchange, ExchangePlace, Filing, Identity, Said};
use crate::literal::quoted;
use crate::protocol::{Protocol, Stream};
use crate::request::{Insertion, Message, Outline, Request};
use crate::scan::Id;
use crate::sse::Event;
use crate::tool;
use crate::turn::{Answer, Ending, Heard, Item, Merge, Shown};
use crate::usage::Usage;

/// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
pub(crate) struct Gemini;

impl Protocol for Gemini {
    fn tool_definition(&self) -> &'static str {
        crate::tool::definition!("{", "parameters", "}")
    }

    fn outline(&self, document: &Document) -> Option<Outline> {
        request::outline(document)
    }

    fn instructions(&self, document: &Document) -> Option<Id> {
        document.field(either(document, document.root()?, "systemInstruction", "system_instruction")?, "parts")
    }

    fn content(&self, document: &Document, message: Id) -> Option<Id> {
        document.field(message, "parts")
    }

    fn identity(&self, document: &Document, message: &Message) -> Option<Identity> {
        exchange::identity(document, message.node)
    }

    fn digest(&self, document: &Document, message: &Message, hasher: &mut Said) {
        exchange::digest(document, message, hasher);
    }

    fn reinsert(&self, place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
        exchange::reinsert(place, exchange)
    }

    fn filings(&self, request: &Request, shown: &Shown, last: &Heard) -> Vec<Filing> {
        exchange::filings(request, shown, last)
    }

    fn usage_key(&self) -> &'static str {
        usage::KEY
    }

    fn update_usage(&self, usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
        usage::update(usage, document, object)
    }

    fn observe(&self, usage: &mut Usage, event: &Event) -> bool {
        usage::observe(usage, event);
        false
    }

    fn stream(&self, _request: &Request) -> Box<dyn Stream> {
        Box::new(stream::Chunks::default())
    }

    fn reply(&self, document: &Document) -> Option<(Heard, Ending)> {
        reply::reply(document)
    }

    fn result(&self, call_id: &str, answer: &Answer) -> String {
        let id = if call_id.is_empty() { String::new() } else { format!("\"id\":{},", quoted(call_id)) };
        let key = if answer.is_error { "error" } else { "output" };
        let text = quoted(&answer.text);
        format!("{{\"functionResponse\":{{{id}\"name\":\"{}\",\"response\":{{\"{key}\":{text}}}}}}}", tool::NAME)
    }

    fn continuation(&self, heard: &Heard, results: &[String]) -> String {
        let said: Vec<&str> = heard.items.iter().filter(|item| reply::is_sayable(item)).map(json).collect();
        exchange::exchange(&said, results)
    }

    fn merge(&self, merge: &Merge<'_>) -> Option<Vec<u8>> {
        reply::merge(merge)
    }

    fn error_event(&self, error: Option<&[u8]>) -> Bytes {
        let own = error.and_then(|error| serde_json::from_slice::<serde_json::Value>(error).ok());
        let own = own.filter(|body| body.get("error").is_some_and(serde_json::Value::is_object));
        let message = "the continuation of this turn failed";
        let general = || serde_json::json!({"error": {"code": 502, "message": message, "status": "UNAVAILABLE"}});
        format!("data: {}\n\n", own.unwrap_or_else(general)).into()
    }
}

fn json(item: &Item) -> &str {
    &item.json
}

/// A member that may be spelled `camelCase` or `snake_case`, as protocol buffers are read.
fn either(document: &Document, object: Id, camel: &str, snake: &str) -> Option<Id> {
    let [camel, snake] = document.fields(object, [camel, snake])?;
    camel.or(snake)
}

/// The function call of a part.
fn call_of(document: &Document, part: Id) -> Option<Id> {
    either(document, part, "functionCall", "function_call")
}
