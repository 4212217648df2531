//! Hidden exchanges in a Chat Completions request.

use crate::document::Document;
use crate::exchange::{Exchange, ExchangePlace, Identity, Round, Said};
use crate::literal::quoted;
use crate::request::{Insertion, Message};

pub(crate) fn identity(document: &Document, message: &Message) -> Option<Identity> {
    let [content, calls] = document.fields(message.node, ["content", "tool_calls"])?;
    let calls = calls.into_iter().flat_map(|calls| document.elements(calls));
    let ids: Vec<String> =
        calls.map(|call| document.string_field(call, "id").map(String::from)).collect::<Option<_>>()?;
    if !ids.is_empty() {
        return Some(Identity::Calls(ids));
    }
    let content = content?;
    if let Some(text) = document.string(content) {
        return Some(Identity::Text(text.into_owned()));
    }
    let parts = document.elements(content).filter_map(|part| document.string_field(part, "text"));
    Some(Identity::Text(parts.collect()))
}

/// Hashes what a message says.
pub(crate) fn digest(document: &Document, message: &Message, hasher: &mut Said) {
    let names = ["role", "content", "tool_call_id", "tool_calls"];
    let [role, content, id, calls] = document.fields(message.node, names).unwrap_or_default();
    hasher.update(b"message");
    for part in [role, id].into_iter().flatten() {
        hasher.update(document.raw(part).as_bytes());
    }
    if let Some(content) = content.filter(|content| document.is_string(*content)) {
        hasher.update(b"text").update(document.raw(content).as_bytes());
    }
    for part in content.into_iter().flat_map(|content| document.elements(content)) {
        if let Some(text) = document.field(part, "text") {
            hasher.update(b"text").update(document.raw(text).as_bytes());
        }
    }
    for call in calls.into_iter().flat_map(|calls| document.elements(calls)) {
        hasher.update(b"call").update(document.field(call, "id").map_or("", |id| document.raw(id)).as_bytes());
    }
}

/// Puts the hidden calls and results back. `None` when the message does not have the shape it had.
pub(crate) fn reinsert(place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
    let document = place.document;
    let message = place.message();
    let [content, calls] = document.fields(message.node, ["content", "tool_calls"])?;
    let calls: Vec<_> =
        calls.into_iter().flat_map(|calls| document.elements(calls)).map(|call| document.span(call)).collect();
    if calls.len() != exchange.shown.all {
        return None;
    }
    let mut insertions = Vec::new();

    // Text of the hidden messages is taken out of the visible one, if it stands there as one string and leaves some.
    let alone: Vec<&Round> = exchange.rounds.iter().filter(|round| !round.mixed).collect();
    let said: String = alone.iter().map(|round| round.text.as_str()).collect();
    let literal = content.filter(|_| !said.is_empty()).and_then(|content| Some((content, document.literal(content)?)));
    let divisible =
        literal.filter(|(_, literal)| literal.text().strip_prefix(&said).is_some_and(|rest| !rest.is_empty()));
    for round in &alone {
        let text = if divisible.is_some() { round.text.as_str() } else { "" };
        let hidden: Vec<&str> = round.calls.iter().map(|call| call.json.as_str()).collect();
        let exchange = format!("{},{},", assistant(text, &round.aside, &hidden), round.results.join(","));
        insertions.push(Insertion::at(message.span.start, exchange));
    }
    if let Some((content, literal)) = &divisible {
        let start = document.span(*content).start + 1;
        let lead = 0..said.len();
        let raw = literal.locate(std::iter::once(&lead)).next()?;
        insertions.push(Insertion { range: start + raw.start..start + raw.end, text: String::new() });
    }

    for round in exchange.rounds.iter().filter(|round| round.mixed) {
        for call in &round.calls {
            insertions.push(match calls.get(call.place.all) {
                Some(next) => Insertion::at(next.start, format!("{},", call.json)),
                None => Insertion::at(calls.last()?.end, format!(",{}", call.json)),
            });
        }
        insertions.push(Insertion::at(message.span.end, format!(",{}", round.results.join(","))));
    }
    Some(insertions)
}

/// An assistant message with calls.
pub(crate) fn assistant(text: &str, aside: &str, calls: &[&str]) -> String {
    let content = if text.is_empty() { "null".to_owned() } else { quoted(text) };
    format!("{{\"role\":\"assistant\",\"content\":{content},{aside}\"tool_calls\":[{}]}}", calls.join(","))
}
