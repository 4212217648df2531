//! JSON inside strings: an answer that a tool wrapped once more, a manifest kept as an annotation.
//!
//! A string is unwrapped only if writing its value again in one of the usual styles gives the string back, to the byte.

use super::parse;
use super::value::{Node, Value};
use super::words;

/// Shorter strings are not worth unwrapping.
const MIN_BYTES: usize = 40;

/// How a value was turned into text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    spacing: Spacing,
    /// Whether a line end follows.
    line_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spacing {
    /// `{"a":1,"b":2}`
    None,
    /// `{"a": 1, "b": 2}`
    Blanks,
    /// A line for each value, with this many blanks for each level.
    Lines(u8),
}

impl Style {
    /// How the notation marks the style, before the bracket: `json{`, `json:{`, `json2{`, each with `~` for a line end.
    pub(super) fn mark(self) -> String {
        let spacing = match self.spacing {
            Spacing::None => String::new(),
            Spacing::Blanks => ":".to_owned(),
            Spacing::Lines(blanks) => blanks.to_string(),
        };
        format!("json{spacing}{}", if self.line_end { "~" } else { "" })
    }

    /// The style whose mark stands at the start of `text`, before a bracket, and the length of the mark.
    pub(super) fn at_start(text: &str) -> Option<(Self, usize)> {
        let rest = text.strip_prefix("json")?;
        let (spacing, rest) = match *rest.as_bytes().first()? {
            b':' => (Spacing::Blanks, &rest[1..]),
            digit @ (b'2' | b'4') => (Spacing::Lines(digit - b'0'), &rest[1..]),
            _ => (Spacing::None, rest),
        };
        let (line_end, rest) = rest.strip_prefix('~').map_or((false, rest), |rest| (true, rest));
        rest.starts_with(['{', '[']).then(|| (Self { spacing, line_end }, text.len() - rest.len()))
    }

    /// The text of a value in this style.
    pub(super) fn text_of(self, node: &Node<'_>) -> String {
        let mut text = String::new();
        self.push(&mut text, node, 0);
        if self.line_end {
            text.push('\n');
        }
        text
    }

    fn push(self, out: &mut String, node: &Node<'_>, level: usize) {
        match &node.value {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(text) | Value::Broken(text) => out.push_str(text),
            Value::String(string) => words::push_quoted(out, &string.text),
            Value::Embedded(embedded) => words::push_quoted(out, embedded.text),
            Value::Array(elements) if elements.is_empty() => out.push_str("[]"),
            Value::Object(pairs) if pairs.is_empty() => out.push_str("{}"),
            Value::Array(elements) => {
                out.push('[');
                for (place, node) in elements.iter().enumerate() {
                    self.part(out, place, level + 1);
                    self.push(out, node, level + 1);
                }
                self.line(out, level);
                out.push(']');
            }
            Value::Object(pairs) => {
                out.push('{');
                for (place, (key, node)) in pairs.iter().enumerate() {
                    self.part(out, place, level + 1);
                    words::push_quoted(out, key);
                    out.push_str(if self.spacing == Spacing::None { ":" } else { ": " });
                    self.push(out, node, level + 1);
                }
                self.line(out, level);
                out.push('}');
            }
        }
    }

    fn part(self, out: &mut String, place: usize, level: usize) {
        if place > 0 {
            out.push_str(if self.spacing == Spacing::Blanks { ", " } else { "," });
        }
        self.line(out, level);
    }

    fn line(self, out: &mut String, level: usize) {
        if let Spacing::Lines(blanks) = self.spacing {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', usize::from(blanks) * level));
        }
    }
}

/// The strings of a JSON text that hold JSON of their own, decoded, with the places of their quotes, in order.
///
/// They are found before the text is parsed, because their values borrow from them.
pub(super) fn strings(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut end = 0;
    for at in memchr::memmem::find_iter(bytes, b"\\\"") {
        // The first escaped quote of such a string stands right after its bracket, blanks aside.
        if at < end {
            continue;
        }
        let before = bytes[..at].iter().rposition(|byte| *byte == b'"');
        let Some(open) = before.filter(|open| matches!(bytes.get(open + 1), Some(b'{' | b'['))) else { continue };
        if let Some((string, length)) = parse::string_at(&text[open..]) {
            end = open + length;
            if string.len() >= MIN_BYTES {
                found.push((open, string.into_owned()));
            }
        }
    }
    found
}

/// The value of a string that holds JSON, and its style.
pub(super) fn parse(text: &str, depth: usize) -> Option<(Style, Node<'_>)> {
    let inner = text.trim_end_matches('\n');
    let node = parse::parse_to(inner, depth)?;
    if !matches!(node.value, Value::Object(_) | Value::Array(_)) {
        return None;
    }
    let spacing = match inner.as_bytes().get(1)? {
        b'\n' if inner.starts_with("{\n    ") || inner.starts_with("[\n    ") => Spacing::Lines(4),
        b'\n' => Spacing::Lines(2),
        _ if inner.contains("\": ") => Spacing::Blanks,
        _ => Spacing::None,
    };
    let style = Style { spacing, line_end: text.len() > inner.len() };
    (style.text_of(&node) == text).then_some((style, node))
}
