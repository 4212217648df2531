//! OpenAI Responses.
//!
//! A request holds a flat list of items. What the model said in one answer stands there as several of them side by side, so a
//! hidden exchange needs no message to be cut: our call and its result go between the items that the client knows.
//!
//! The provider may hold the history instead (`previous_response_id`). The hidden call is then part of it, and a client may go on
//! from any response that it has seen the name of; what such a request has to bring is filed under those names.

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
use crate::turn::{Answer, Ending, Heard, Merge, Shown};
use crate::usage::Usage;

/// The event by which a request comes over a connection.
pub(crate) const CREATE: &str = "response.create";

/// `POST /v1/responses`, and its events over a connection.
pub(crate) struct OpenAiResponses;

impl Protocol for OpenAiResponses {
    /// Functions are strict here unless they say otherwise, and a strict one has no optional arguments.
    fn tool_definition(&self) -> &'static str {
        crate::tool::definition!("{\"type\":\"function\",\"strict\":false,", "parameters", "}")
    }

    fn outline(&self, document: &Document) -> Option<Outline> {
        request::outline(document)
    }

    fn instructions(&self, document: &Document) -> Option<Id> {
        document.field(document.root()?, "instructions")
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

    fn resume(&self, request: &Request, exchange: &Exchange) -> Vec<Insertion> {
        exchange::resume(request, exchange).unwrap_or_default()
    }

    fn filings(&self, request: &Request, shown: &Shown, last: &Heard) -> Vec<Filing> {
        exchange::filings(request, shown, last)
    }

    fn update_usage(&self, usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
        usage::update(usage, document, object)
    }

    fn observe(&self, usage: &mut Usage, event: &Event) -> bool {
        usage::observe(usage, event)
    }

    fn stream(&self, request: &Request) -> Box<dyn Stream> {
        Box::new(stream::Events::new(request.outline().connected))
    }

    fn reply(&self, document: &Document) -> Option<(Heard, Ending)> {
        reply::reply(document)
    }

    fn result(&self, call_id: &str, answer: &Answer) -> String {
        let (id, text) = (quoted(call_id), quoted(&answer.text));
        format!("{{\"type\":\"function_call_output\",\"call_id\":{id},\"output\":{text}}}")
    }

    fn continuation(&self, heard: &Heard, results: &[String]) -> String {
        exchange::said(heard).chain(results.iter().map(String::as_str)).collect::<Vec<_>>().join(",")
    }

    fn go_on(&self, sent: &Request, heard: &Heard, results: &[String]) -> Option<Vec<Insertion>> {
        exchange::go_on(sent, heard, results, &self.continuation(heard, results))
    }

    fn merge(&self, merge: &Merge<'_>) -> Option<Vec<u8>> {
        reply::merge(merge)
    }

    fn error_event(&self, error: Option<&[u8]>) -> Bytes {
        let own = error.and_then(|error| serde_json::from_slice::<serde_json::Value>(error).ok());
        let own = own
            .and_then(|mut body| body.get_mut("error").map(serde_json::Value::take))
            .filter(|error| !error.is_null());
        let general = "{\"type\":\"server_error\",\"message\":\"the continuation of this turn failed\"}".to_owned();
        let error = own.map_or(general, |error| error.to_string());
        format!("event: error\ndata: {{\"type\":\"error\",\"error\":{error}}}\n\n").into()
    }
}

/// What an object calls its `type`; empty when it does not say.
fn kind(document: &Document, object: Id) -> std::borrow::Cow<'_, str> {
    document.string_field(object, "type").unwrap_or_default()
}
