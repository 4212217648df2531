//! A scanned body and the questions the dialects ask of it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::literal::{Literal, decode};
use crate::scan::{Id, Shape, Tape, scan};

/// Valid JSON in valid UTF-8, with its tape.
#[derive(Debug)]
pub(crate) struct Document {
    body: Bytes,
    tape: Tape,
}

impl Document {
    /// `None` when the body is not UTF-8, not JSON, or past a bound of the scanner.
    pub(crate) fn parse(body: Bytes) -> Option<Self> {
        std::str::from_utf8(&body).ok()?;
        let tape = scan(&body)?;
        Some(Self { body, tape })
    }

    pub(crate) fn root(&self) -> Option<Id> {
        self.tape.root()
    }

    /// Where a value stands, quotes and brackets included.
    pub(crate) fn span(&self, id: Id) -> Range<usize> {
        let node = self.tape.node(id);
        node.start as usize..node.end as usize
    }

    pub(crate) fn shape(&self, id: Id) -> Shape {
        self.tape.node(id).shape
    }

    /// The JSON text of a value.
    pub(crate) fn raw(&self, id: Id) -> &str {
        std::str::from_utf8(&self.body[self.span(id)]).unwrap_or_default()
    }

    /// The text of a range that begins and ends between values.
    pub(crate) fn text(&self, range: Range<usize>) -> &str {
        std::str::from_utf8(&self.body[range]).unwrap_or_default()
    }

    /// The JSON text of a value, sharing the body.
    pub(crate) fn bytes(&self, id: Id) -> Bytes {
        self.body.slice(self.span(id))
    }

    pub(crate) fn is_array(&self, id: Id) -> bool {
        self.shape(id) == Shape::Array
    }

    pub(crate) fn is_string(&self, id: Id) -> bool {
        matches!(self.shape(id), Shape::String { .. })
    }

    pub(crate) fn elements(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.tape.elements(id)
    }

    pub(crate) fn members(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.tape.members(id)
    }

    /// The decoded text of a string. `None` for other values and for literals with half a surrogate pair, which have no text.
    pub(crate) fn string(&self, id: Id) -> Option<Cow<'_, str>> {
        let raw = self.raw(id);
        match self.shape(id) {
            Shape::String { escaped: false, .. } => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            Shape::String { lone_surrogate: false, .. } => Some(Cow::Owned(decode(&raw[1..raw.len() - 1]))),
            _ => None,
        }
    }

    /// The text of a string, decoded later. `None` as for [`string`](Self::string).
    pub(crate) fn literal(&self, id: Id) -> Option<Literal> {
        let span = self.span(id);
        match self.shape(id) {
            Shape::String { escaped, lone_surrogate: false } => {
                Some(Literal::new(self.body.slice(span.start + 1..span.end - 1), escaped))
            }
            _ => None,
        }
    }

    /// Whether the value is `true`.
    pub(crate) fn is_true(&self, id: Id) -> bool {
        self.shape(id) == Shape::True
    }

    /// The value as a number that counts something.
    pub(crate) fn count(&self, id: Id) -> Option<u64> {
        self.raw(id).parse().ok()
    }

    /// The wanted members of an object. `None` when the value is no object, or when a wanted key stands in it twice: parsers
    /// disagree about which one counts, so nothing there is touched.
    pub(crate) fn fields<const N: usize>(&self, object: Id, names: [&str; N]) -> Option<[Option<Id>; N]> {
        if self.shape(object) != Shape::Object {
            return None;
        }
        let mut found = [None; N];
        for (key, value) in self.members(object) {
            let Some(name) = self.string(key) else { continue };
            if let Some(place) = names.iter().position(|wanted| *wanted == name)
                && found[place].replace(value).is_some()
            {
                return None;
            }
        }
        Some(found)
    }

    /// One member of an object.
    pub(crate) fn field(&self, object: Id, name: &str) -> Option<Id> {
        self.fields(object, [name])?[0]
    }

    /// The string member of an object.
    pub(crate) fn string_field(&self, object: Id, name: &str) -> Option<Cow<'_, str>> {
        self.string(self.field(object, name)?)
    }

    /// The members with a name inside a range, wherever they are recorded, each with the comma that goes with it; in order.
    pub(crate) fn markers(&self, range: &Range<usize>, name: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut open: Vec<Id> = self.root().into_iter().collect();
        while let Some(id) = open.pop() {
            let span = self.span(id);
            if span.end <= range.start || span.start >= range.end {
                continue;
            }
            let mut before: Option<usize> = None;
            let mut members = self.members(id).peekable();
            while let Some((key, value)) = members.next() {
                let end = self.span(value).end;
                if self.string(key).is_some_and(|key| key == name) {
                    let start = self.span(key).start;
                    found.push(match (before, members.peek()) {
                        (Some(before), _) => before..end,
                        (None, Some((next, _))) => start..self.span(*next).start,
                        (None, None) => start..end,
                    });
                } else {
                    open.push(value);
                    before = Some(end);
                }
            }
            open.extend(self.elements(id));
        }
        found.retain(|marker| range.start <= marker.start && marker.end <= range.end);
        found.sort_by_key(|marker| marker.start);
        found
    }
}
