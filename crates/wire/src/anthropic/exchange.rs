//! Hidden exchanges in a Messages request.

use std::ops::Range;

use crate::document::Document;
use crate::exchange::{Count, Exchange, ExchangePlace, Identity, Round, Said};
use crate::request::{Insertion, Message, Role};

pub(crate) fn identity(document: &Document, message: &Message) -> Option<Identity> {
    let content = document.field(message.node, "content")?;
    if let Some(text) = document.string(content) {
        return Some(Identity::Text(text.into_owned()));
    }
    let (mut ids, mut text) = (Vec::new(), String::new());
    for block in document.elements(content) {
        let Some([Some(kind), id, words]) = document.fields(block, ["type", "id", "text"]) else { continue };
        match document.string(kind)?.as_ref() {
            "tool_use" => ids.push(document.string(id?)?.into_owned()),
            "text" => text.push_str(&document.string(words?)?),
            _ => {}
        }
    }
    Some(if ids.is_empty() { Identity::Text(text) } else { Identity::Calls(ids) })
}

/// Hashes what a message says: a lone text block counts as the string it may also be spelled as.
pub(crate) fn digest(document: &Document, message: &Message, hasher: &mut Said) {
    let [Some(role), Some(content)] = document.fields(message.node, ["role", "content"]).unwrap_or_default() else {
        hasher.update(b"?");
        return;
    };
    hasher.update(b"message").update(document.raw(role).as_bytes());
    digest_content(document, content, hasher);
}

fn digest_content(document: &Document, content: usize, hasher: &mut Said) {
    if document.is_string(content) {
        hasher.update(b"text").update(document.raw(content).as_bytes());
    }
    for block in document.elements(content) {
        let fields = document.fields(block, ["type", "text", "id", "tool_use_id", "content"]).unwrap_or_default();
        let [kind, text, id, result_of, content] = fields;
        let thinks = kind.is_some_and(|kind| document.raw(kind).ends_with("thinking\""));
        if thinks || text.is_some_and(|text| document.raw(text) == "\"\"") {
            continue; // Clients drop these from older turns.
        }
        for part in [kind, text, id, result_of].into_iter().flatten() {
            // The type of a text block is `"text"`, quoted; the string form above writes the same without quotes first.
            match document.raw(part) {
                "\"text\"" => hasher.update(b"text"),
                other => hasher.update(other.as_bytes()),
            };
        }
        if let Some(content) = content {
            digest_content(document, content, hasher);
        }
    }
}

/// Puts the hidden calls and results back. `None` when the message does not have the shape it had.
pub(crate) fn reinsert(place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
    let document = place.document;
    let message = place.message();
    let content = document.field(message.node, "content")?;
    let span = document.span(content);
    let (blocks, inner): (Vec<Range<usize>>, Range<usize>) = if document.is_string(content) {
        // One text as a string: the parts cut off before it are lists of their own, and it stays a string.
        (vec![span.clone()], span)
    } else {
        (document.elements(content).map(|block| document.span(block)).collect(), span.start + 1..span.end - 1)
    };
    let kind = |block| document.string_field(block, "type").unwrap_or_default();
    let thinks = document.elements(content).any(|block| kind(block).ends_with("thinking"));
    let count: fn(Count) -> usize = if blocks.len() == exchange.shown.all {
        |count| count.all
    } else if blocks.len() == exchange.shown.spoken && !thinks {
        |count| count.spoken
    } else {
        return None;
    };
    let whole = document.raw(message.node);
    let cut = Cut {
        before: &whole[..inner.start - message.span.start],
        after: &whole[inner.end - message.span.start..],
        string: document.is_string(content),
    };
    let blocks = Blocks { spans: &blocks, count };
    let mut insertions = Vec::new();
    for (index, round) in exchange.rounds.iter().enumerate() {
        let last = index + 1 == exchange.rounds.len();
        if round.mixed {
            mixed(place, &blocks, round, &mut insertions)?;
        } else if count(round.shown) < blocks.spans.len() {
            alone(&cut, &blocks, round, &mut insertions)?;
        } else if last && !cut.string {
            // The model said nothing more after the answer.
            calls(&blocks, round, &mut insertions)?;
            insertions.push(Insertion::at(message.span.end, format!(",{}", results(round))));
        } else {
            return None;
        }
    }
    Some(insertions)
}

/// The visible blocks of a message, and how they are counted.
struct Blocks<'a> {
    spans: &'a [Range<usize>],
    count: fn(Count) -> usize,
}

impl Blocks<'_> {
    /// The block that follows so many others.
    fn after(&self, count: Count) -> Option<&Range<usize>> {
        self.spans.get((self.count)(count))
    }
}

/// How to end a message and begin it again, with all its other members.
struct Cut<'a> {
    before: &'a str,
    after: &'a str,
    string: bool,
}

/// A response of only hidden calls: the message is cut in two behind it, and the results go between.
fn alone(cut: &Cut<'_>, blocks: &Blocks<'_>, round: &Round, insertions: &mut Vec<Insertion>) -> Option<()> {
    let (count, end) = (blocks.count, (blocks.count)(round.shown));
    let tail: Vec<&str> =
        round.calls.iter().filter(|call| count(call.place) == end).map(|call| call.json.as_str()).collect();
    let tail = tail.join(",");
    let (open, close) = if cut.string { ("[", "]") } else { ("", "") };
    let seam = format!("{}{},{},{}", close, cut.after, results(round), cut.before);
    let next = blocks.after(round.shown)?;
    if cut.string {
        // Only a response without visible blocks can stand before the one string; it opens a list of its own.
        insertions.push(Insertion::at(next.start, format!("{open}{tail}{seam}")));
        return (end == 0 && !tail.is_empty()).then_some(());
    }
    for call in round.calls.iter().filter(|call| count(call.place) < end) {
        insertions.push(Insertion::at(blocks.after(call.place)?.start, format!("{},", call.json)));
    }
    if tail.is_empty() {
        let range = blocks.spans.get(end.checked_sub(1)?)?.end..next.start;
        insertions.push(Insertion { range, text: seam });
    } else {
        insertions.push(Insertion::at(next.start, format!("{tail}{seam}")));
    }
    Some(())
}

/// A response that called the client's tools too: our calls join theirs, our results go first in the client's answer.
fn mixed(place: &ExchangePlace<'_>, blocks: &Blocks<'_>, round: &Round, insertions: &mut Vec<Insertion>) -> Option<()> {
    let document = place.document;
    let answer = place.next().filter(|message| message.role == Role::User)?;
    let content = document.field(answer.node, "content")?;
    let span = document.span(content);
    calls(blocks, round, insertions)?;
    let results = round.results.join(",");
    if document.is_string(content) {
        insertions.push(Insertion::at(span.start, format!("[{results},{{\"type\":\"text\",\"text\":")));
        insertions.push(Insertion::at(span.end, "}]".to_owned()));
    } else if document.is_array(content) {
        let comma = if document.elements(content).next().is_some() { "," } else { "" };
        insertions.push(Insertion::at(span.start + 1, format!("{results}{comma}")));
    } else {
        return None;
    }
    Some(())
}

/// Our calls at their places among the blocks of one message.
fn calls(blocks: &Blocks<'_>, round: &Round, insertions: &mut Vec<Insertion>) -> Option<()> {
    for call in &round.calls {
        insertions.push(match blocks.after(call.place) {
            Some(next) => Insertion::at(next.start, format!("{},", call.json)),
            None => Insertion::at(blocks.spans.last()?.end, format!(",{}", call.json)),
        });
    }
    Some(())
}

fn results(round: &Round) -> String {
    format!("{{\"role\":\"user\",\"content\":[{}]}}", round.results.join(","))
}
