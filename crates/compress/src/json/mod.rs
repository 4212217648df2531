//! SmartCrusher: JSON.
//!
//! A text is parsed into a value that keeps everything it says ([`value`], [`parse`]; JSON inside strings is unwrapped,
//! [`embed`]), written in a notation that names keys once ([`layout`] decides, [`mod@write`] writes, [`alias`] shortens addresses),
//! and read back ([`read`]) before it is used: if the two values differ in anything, the text is left alone.
//!
//! Where omissions are allowed, large arrays are shown in part ([`select`]) and opaque strings by their ends ([`opaque`]).
//! Objects are never sampled: each of their keys is a fact of its own.

mod alias;
mod cost;
mod embed;
mod layout;
mod opaque;
mod parse;
mod read;
mod select;
mod shapes;
mod template;
mod value;
mod words;
mod write;

pub(crate) use parse::plain_run;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use value::{Node, Text, Value};
use write::{Extent, Written};

/// The JSON compressor.
pub(crate) struct SmartCrusher;

impl Compressor for SmartCrusher {
    fn name(&self) -> &'static str {
        "json"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Json
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        // Another notation cannot be quoted in an edit.
        if segment.hints.editable {
            return None;
        }
        let text = segment.text.strip_prefix('\u{feff}').unwrap_or(segment.text);
        let strings = embed::strings(text);
        let source = Source::parse(text, &strings)?;
        let exact = source.exact()?;
        let Some(original) = goal.original() else { return Some(Compressed::exact(exact)) };
        let part = source.write(Extent::Part { original, text: segment.text })?;
        // An omission that hides little is not worth a round trip.
        if part.omissions.is_empty() || part.text.len() * 10 > exact.len() * 9 {
            return Some(Compressed::exact(exact));
        }
        Some(Compressed::omitting(part.text, original, part.omissions))
    }
}

/// Which rows of a large table are worth showing, by the rule for arrays; `None` if all are.
pub(crate) fn shown_rows(rows: &[Vec<Cow<'_, str>>]) -> Option<Vec<bool>> {
    let rows: Vec<_> = rows
        .iter()
        .map(|cells| Node::new(Value::Array(cells.iter().map(|cell| node_of_cell(cell)).collect())))
        .collect();
    select::shown(&rows)
}

/// So many rows of a command's output may be shown for what is remarkable in them, if that is more than a sixth: they are fewer than those of arrays.
#[cfg(feature = "command")]
const REMARKABLE: usize = 4;

/// Which of many records, given by their keys and values, are worth showing; `None` if all are.
#[cfg(feature = "command")]
pub(crate) fn chosen_records(records: &[Vec<(Cow<'_, str>, &str)>]) -> Option<Vec<bool>> {
    let mut objects = Vec::with_capacity(records.len());
    for pairs in records {
        let pairs = pairs.iter().map(|(key, cell)| (Cow::Borrowed(key.as_ref()), node_of_cell(cell))).collect();
        objects.push(Node::new(Value::Object(pairs)));
    }
    select::chosen(&objects, REMARKABLE)
}

/// Which of many rows, given by their cells, are worth showing; `None` if all are.
#[cfg(feature = "command")]
pub(crate) fn chosen_rows(rows: &[Vec<&str>]) -> Option<Vec<bool>> {
    let mut arrays = Vec::with_capacity(rows.len());
    for cells in rows {
        arrays.push(Node::new(Value::Array(cells.iter().map(|cell| node_of_cell(cell)).collect())));
    }
    select::chosen(&arrays, REMARKABLE)
}

fn node_of_cell(cell: &str) -> Node<'_> {
    if parse::number_length(cell.as_bytes()) == Some(cell.len()) {
        return Node::new(Value::Number(cell));
    }
    Node::new(Value::String(Text { text: Cow::Borrowed(cell), source: "" }))
}

/// The JSON that was written in our notation, without its layout: numbers as they were spelled, one value a line if it was NDJSON.
pub(crate) fn decode(written: &str) -> Option<String> {
    let long = alias::lengthen(written)?;
    let node = read::read(&long, DECODED * written.len().max(1))?;
    let mut text = String::new();
    match node.value {
        Value::Array(lines) if long.starts_with(words::LINES) => {
            for line in &lines {
                print(line, &mut text);
                text.push('\n');
            }
        }
        _ => print(&node, &mut text),
    }
    Some(text)
}

/// A decoded value may be at most this many times as large as what was written: a bound for texts from elsewhere.
const DECODED: usize = 1000;

fn print(node: &Node<'_>, text: &mut String) {
    let separated = |text: &mut String, place: usize| text.push_str(if place > 0 { "," } else { "" });
    match &node.value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(spelled) | Value::Broken(spelled) => text.push_str(spelled),
        Value::String(string) => print_string(&string.text, text),
        Value::Embedded(embedded) => print_string(embedded.text, text),
        Value::Array(elements) => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                separated(text, place);
                print(element, text);
            }
            text.push(']');
        }
        Value::Object(pairs) => {
            text.push('{');
            for (place, (key, value)) in pairs.iter().enumerate() {
                separated(text, place);
                print_string(key, text);
                text.push(':');
                print(value, text);
            }
            text.push('}');
        }
    }
}

fn print_string(string: &str, text: &mut String) {
    // A string can always be written as JSON.
    text.push_str(&serde_json::to_string(string).unwrap_or_default());
}

/// A parsed text.
enum Source<'a> {
    /// One value.
    Value(Node<'a>),
    /// One value a line, as an array.
    Lines(Node<'a>),
}

impl<'a> Source<'a> {
    /// `strings` are those of the text that may hold JSON of their own (see [`embed::strings`]).
    fn parse(text: &'a str, strings: &'a [(usize, String)]) -> Option<Self> {
        parse::parse(text, strings).map(Self::Value).or_else(|| parse::parse_lines(text).map(Self::Lines))
    }

    fn write(&self, extent: Extent<'_>) -> Option<Written> {
        let (Self::Value(node) | Self::Lines(node)) = self;
        let mut written = write::write(node, extent)?;
        if matches!(self, Self::Lines(_)) {
            written.text.insert_str(0, words::LINES);
        }
        written.text = alias::shorten(written.text);
        Some(written)
    }

    /// The encoding of the whole, proved by decoding it.
    fn exact(&self) -> Option<String> {
        let text = self.write(Extent::Whole)?.text;
        let (Self::Value(node) | Self::Lines(node)) = self;
        let is_lines = matches!(self, Self::Lines(_));
        let long = alias::lengthen(&text)?;
        (read::read(&long, node.size())?.equals(node) && long.starts_with(words::LINES) == is_lines).then_some(text)
    }
}
