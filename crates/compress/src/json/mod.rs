//! SmartCrusher: JSON.
//!
//! The text is parsed into a value that keeps everything ([`value`]), written in a notation that names keys once ([`write`]),
//! and read back ([`read`]) before it is used: if the two values differ in anything, the text is left alone.

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

fn node_of_cell(cell: &str) -> Node<'_> {
    if parse::number_length(cell.as_bytes()) == Some(cell.len()) {
        return Node::new(Value::Number(cell));
    }
    Node::new(Value::String(Text { text: Cow::Borrowed(cell), source: "" }))
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
