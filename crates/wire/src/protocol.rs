//! What each dialect has to be able to do. One implementation per folder, chosen in [`crate::Dialect`].

use bytes::Bytes;

use crate::document::Document;
use crate::exchange::{Exchange, ExchangePlace, Filing, Identity, Said};
use crate::request::{Insertion, Message, Outline, Request};
use crate::scan::Id;
use crate::sse::Event;
use crate::turn::{Answer, Ending, Heard, Merge, Shown};
use crate::usage::Usage;

/// A provider's API. All functions are total and pure; `None` means "not understood", and what is not understood passes.
///
/// The first group reads requests, the second re-inserts hidden exchanges into them, the third follows responses.
pub(crate) trait Protocol: Sync {
    /// Our tool as this dialect spells it.
    fn tool_definition(&self) -> &'static str;

    /// What stands in a request.
    fn outline(&self, document: &Document) -> Option<Outline>;

    /// The value outside the messages that holds the client's instructions: a text, or a list of parts with texts.
    fn instructions(&self, document: &Document) -> Option<Id>;

    /// The value of a message that holds what it says.
    fn content(&self, document: &Document, message: Id) -> Option<Id> {
        document.field(message, "content")
    }

    /// What a client can be seen to know an assistant message by.
    fn identity(&self, document: &Document, message: &Message) -> Option<Identity>;

    /// Adds what a message says to a hash. The same message must give the same bytes on later turns, whatever cache markers the
    /// client has moved.
    fn digest(&self, document: &Document, message: &Message, hasher: &mut Said);

    /// Where the hidden parts of an exchange go around an assistant message that was recognised.
    fn reinsert(&self, place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>>;

    /// What a request has to bring that goes on from a response with hidden calls which the provider keeps.
    fn resume(&self, request: &Request, exchange: &Exchange) -> Vec<Insertion> {
        let _ = (request, exchange);
        Vec::new()
    }

    /// Under which names to file what was hidden in a turn: what later requests can be seen to know it by. `last` is its last
    /// response.
    fn filings(&self, request: &Request, shown: &Shown, last: &Heard) -> Vec<Filing> {
        let ids: Vec<String> = last.client_calls().map(str::to_owned).collect();
        let identity = match ids.is_empty() {
            true => Identity::Text(format!("{}{}", shown.text, last.text)),
            false => Identity::Calls(ids),
        };
        let filing = |key| Filing { lineage: request.lineage(), ..Filing::under(key) };
        identity.key().map(filing).into_iter().collect()
    }

    /// The member of a response that states its usage.
    fn usage_key(&self) -> &'static str {
        "usage"
    }

    /// Takes over the counters of a usage object; `None` when it states none.
    fn update_usage(&self, usage: &mut Usage, document: &Document, object: Id) -> Option<()>;

    /// Takes over the counters that an event of a stream states, and says whether the event is the one that ends every stream.
    fn observe(&self, usage: &mut Usage, event: &Event) -> bool;

    /// Follows the streams of the turn that a request begins.
    fn stream(&self, request: &Request) -> Box<dyn Stream>;

    /// What a whole JSON response says.
    fn reply(&self, document: &Document) -> Option<(Heard, Ending)>;

    /// A tool result as JSON.
    fn result(&self, call_id: &str, answer: &Answer) -> String;

    /// The messages that go on from a response with hidden calls: what the model said, then the results.
    fn continuation(&self, heard: &Heard, results: &[String]) -> String;

    /// What turns the request that was sent last into one that goes on from its response. `None` when there is no way to.
    fn go_on(&self, sent: &Request, heard: &Heard, results: &[String]) -> Option<Vec<Insertion>> {
        let end = sent.outline().messages_span.as_ref()?.end - 1;
        let comma = if sent.messages().is_empty() { "" } else { "," };
        Some(vec![Insertion::at(end, format!("{comma}{}", self.continuation(heard, results)))])
    }

    /// The last response of a turn as the client is to see it.
    fn merge(&self, merge: &Merge<'_>) -> Option<Vec<u8>>;

    /// An event that tells a client in the middle of a stream that its turn failed. `error` is the provider's own error body.
    fn error_event(&self, error: Option<&[u8]>) -> Bytes;
}

/// Follows the upstream's streams of one turn and says what the client gets of them.
///
/// [`event`](Self::event) is called with every event; when the response is over, [`close`](Self::close) or [`next_response`](Self::next_response) is called.
pub(crate) trait Stream: Send + Sync {
    /// Takes the next event and adds what the client gets of it. Once a call of ours is hidden, or in a later response of the
    /// turn, the events that end it are kept back.
    fn event(&mut self, event: Event, out: &mut Vec<Bytes>);

    /// How the response ended.
    fn ending(&self) -> Ending;

    /// Calls of ours that were hidden in this response.
    fn hidden(&self) -> usize;

    /// Everything the model said in this response. `None` when it was too long to be kept.
    fn heard(&self) -> Option<Heard>;

    /// Lets out the events that were kept back. `earlier` is the usage of the turn's earlier responses; with `ended` the model
    /// is said to have finished of its own accord.
    fn close(&mut self, earlier: &Usage, ended: bool, out: &mut Vec<Bytes>);

    /// Goes on to the response that continues this one; the events kept back are dropped.
    fn next_response(&mut self);
}

/// The events of one response, kept so that it can be put together when it must be continued.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    events: Vec<Event>,
    bytes: usize,
}

impl Transcript {
    /// Most bytes kept of one response. A longer one is still forwarded, but a retrieval in it is not answered.
    const BOUND: usize = 16 << 20;

    pub(crate) fn add(&mut self, event: &Event) {
        self.bytes += event.raw().len();
        if self.bytes <= Self::BOUND {
            self.events.push(event.clone());
        } else {
            self.events = Vec::new();
        }
    }

    /// The events; `None` when there were too many.
    pub(crate) fn events(&self) -> Option<&[Event]> {
        (self.bytes <= Self::BOUND).then_some(&self.events)
    }
}
