//! OpenAI Chat Completions, and the many servers that speak it.

mod exchange;
mod reply;
mod request;
mod stream;
mod usage;

use bytes::Bytes;

use crate::document::Document;
use crate::exchange::{Exchange, ExchangePlace, Identity, Said};
use crate::literal::quoted;
use crate::protocol::{Protocol, Stream};
use crate::request::{Insertion, Message, Outline, Request};
use crate::scan::Id;
use crate::sse::Event;
use crate::turn::{Answer, Ending, Heard, Merge};
use crate::usage::Usage;

/// `POST /v1/chat/completions`.
pub(crate) struct OpenAiChat;

impl Protocol for OpenAiChat {
    fn tool_definition(&self) -> &'static str {
        crate::tool::definition!("{\"type\":\"function\",\"function\":{", "parameters", "}}")
    }

    fn outline(&self, document: &Document) -> Option<Outline> {
        request::outline(document)
    }

    fn instructions(&self, _: &Document) -> Option<Id> {
        None
    }

    fn identity(&self, document: &Document, message: &Message) -> Option<Identity> {
        exchange::identity(document, message)
    }

    fn digest(&self, document: &Document, message: &Message, hasher: &mut Said) {
        exchange::digest(document, message, hasher);
    }

    fn reinsert(&self, place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
        exchange::reinsert(place, exchange)
    }

    fn update_usage(&self, usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
        usage::update(usage, document, object)
    }

    fn observe(&self, usage: &mut Usage, event: &Event) -> bool {
        usage::observe(usage, event)
    }

    fn stream(&self, _request: &Request) -> Box<dyn Stream> {
        Box::new(stream::Chunks::default())
    }

    fn reply(&self, document: &Document) -> Option<(Heard, Ending)> {
        reply::reply(document)
    }

    fn result(&self, call_id: &str, answer: &Answer) -> String {
        format!("{{\"role\":\"tool\",\"tool_call_id\":{},\"content\":{}}}", quoted(call_id), quoted(&answer.text))
    }

    fn continuation(&self, heard: &Heard, results: &[String]) -> String {
        let calls: Vec<&str> = heard.items.iter().map(|item| item.json.as_str()).collect();
        format!("{},{}", exchange::assistant(&heard.text, &heard.aside, &calls), results.join(","))
    }

    fn merge(&self, merge: &Merge<'_>) -> Option<Vec<u8>> {
        reply::merge(merge)
    }

    fn error_event(&self, error: Option<&[u8]>) -> Bytes {
        let own = error.and_then(|error| std::str::from_utf8(error).ok()).filter(|error| {
            let is_error = |value: serde_json::Value| value.get("error").is_some_and(|error| !error.is_null());
            serde_json::from_str(error).is_ok_and(is_error)
        });
        let general = "{\"error\":{\"type\":\"server_error\",\"message\":\"the continuation of this turn failed\"}}";
        // An error body may be printed over several lines; an event's data is one.
        let data = own.map_or_else(|| general.to_owned(), |own| own.replace(['\r', '\n'], " "));
        format!("data: {data}\n\n").into()
    }
}
