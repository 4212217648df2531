//! Hidden exchanges in a Gemini request.

use std::ops::Range;

use serde_json::Value;

use super::{call_of, either};
use crate::document::Document;
use crate::exchange::{Exchange, ExchangePlace, Filing, Identity, Said};
use crate::request::{Insertion, Message, Request, Role};
use crate::scan::Id;
use crate::turn::{Heard, ItemKind, Shown};

/// What a message is known by: its first call, or else its text. Thinking does not count, because clients drop it.
pub(super) fn identity(document: &Document, content: Id) -> Option<Identity> {
    let mut text = String::new();
    for part in document.elements(document.field(content, "parts")?) {
        if let Some(call) = call_of(document, part) {
            return called(document, call);
        }
        let [words, thought] = document.fields(part, ["text", "thought"]).unwrap_or_default();
        if let Some(words) = words.filter(|_| thought.is_none()) {
            text.push_str(&document.string(words)?);
        }
    }
    Some(Identity::Text(text))
}

/// A call is known by its name and arguments: identifiers may be missing, and clients that print the arguments anew change their
/// spelling.
fn called(document: &Document, call: Id) -> Option<Identity> {
    let [name, args] = document.fields(call, ["name", "args"])?;
    let name = document.string(name?)?.into_owned();
    let args = args.and_then(|args| serde_json::from_str::<Value>(document.raw(args)).ok());
    let mut spelled = String::new();
    canonical(&args.unwrap_or_else(|| Value::Object(serde_json::Map::new())), &mut spelled);
    Some(Identity::Calls(vec![name, spelled]))
}

/// Spells equal values equally: keys in order, numbers as they are compared.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            for (key, value) in members {
                out.push_str(&format!("{key:?}:"));
                canonical(value, out);
            }
            out.push(';');
        }
        Value::Array(items) => {
            items.iter().for_each(|item| canonical(item, out));
            out.push(',');
        }
        Value::Number(number) => out.push_str(&format!("{:?} ", number.as_f64())),
        other => out.push_str(&other.to_string()),
    }
}

/// Hashes what the client says. The model's own messages do not count: a client may keep a streamed one in pieces.
pub(super) fn digest(document: &Document, message: &Message, hasher: &mut Said) {
    if message.role == Role::Assistant {
        return;
    }
    hasher.update(b"content");
    let parts = document.field(message.node, "parts");
    for part in parts.into_iter().flat_map(|parts| document.elements(parts)) {
        if let Some(text) = document.field(part, "text") {
            hasher.update(b"text").update(document.raw(text).as_bytes());
        }
        if let Some(result) = either(document, part, "functionResponse", "function_response") {
            let said = document.fields(result, ["name", "response"]).unwrap_or_default();
            hasher.update(b"result");
            for said in said.into_iter().flatten() {
                hasher.update(document.raw(said).as_bytes());
            }
        }
    }
}

/// A turn is known by its first call of a client's function, or else by everything it said.
pub(super) fn filings(request: &Request, shown: &Shown, last: &Heard) -> Vec<Filing> {
    let first = shown.items.iter().chain(last.visible()).find(|item| matches!(item.kind, ItemKind::Theirs(_)));
    let identity = match first {
        Some(part) => Document::parse(part.json.clone().into())
            .and_then(|document| called(&document, call_of(&document, document.root()?)?)),
        None => Some(Identity::Text(format!("{}{}", shown.text, last.text))),
    };
    let filing = |key| Filing { lineage: request.lineage(), ..Filing::under(key) };
    identity.and_then(|identity| identity.key()).map(filing).into_iter().collect()
}

/// Puts the hidden calls and results back: those of a response of their own in front of what the client saw, others among its calls.
/// `None` when the calls do not stand as they did.
pub(super) fn reinsert(place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
    let (document, messages) = (place.document, place.messages);
    let model = |at: &usize| messages[*at].role == Role::Assistant;
    let first = (0..place.index).rev().take_while(model).last().unwrap_or(place.index);
    let run: Vec<usize> = (first..messages.len()).take_while(model).collect();
    let parts = |at: usize| document.field(messages[at].node, "parts");
    let all = run.iter().filter_map(|at| parts(*at)).flat_map(|parts| document.elements(parts));
    let calls: Vec<Range<usize>> =
        all.filter(|part| call_of(document, *part).is_some()).map(|part| document.span(part)).collect();
    if calls.len() != exchange.shown.all {
        return None;
    }
    let mut insertions = Vec::new();
    for round in &exchange.rounds {
        let hidden: Vec<&str> = round.calls.iter().map(|call| call.json.as_str()).collect();
        if !round.mixed {
            let text = format!("{},", self::exchange(&hidden, &round.results));
            insertions.push(Insertion::at(messages[first].span.start, text));
            continue;
        }
        for call in &round.calls {
            insertions.push(match calls.get(call.place.all) {
                Some(next) => Insertion::at(next.start, format!("{},", call.json)),
                None => Insertion::at(calls.last()?.end, format!(",{}", call.json)),
            });
        }
        // A call and its result stand in neighbouring messages, and there must be as many of the ones as of the others.
        let answer = first + run.len();
        let answered = parts(answer).filter(|_| answer < messages.len())?;
        let comma = if document.elements(answered).next().is_some() { "," } else { "" };
        insertions
            .push(Insertion::at(document.span(answered).start + 1, format!("{}{comma}", round.results.join(","))));
    }
    Some(insertions)
}

/// What the model said, and the results it gets for it.
pub(super) fn exchange(said: &[&str], results: &[String]) -> String {
    let (said, results) = (said.join(","), results.join(","));
    format!("{{\"role\":\"model\",\"parts\":[{said}]}},{{\"role\":\"user\",\"parts\":[{results}]}}")
}
