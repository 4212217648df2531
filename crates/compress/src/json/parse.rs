//! A JSON parser that keeps everything.
//!
//! Strict RFC 8259 with three limits of our own: [`MAX_DEPTH`] levels, no lone surrogates (a Rust string cannot hold them), and
//! no text after the value. What it does not accept is left alone by the caller.

use std::borrow::Cow;

use super::embed;
use super::value::{Embedded, Node, Text, Value};

/// Deeper values are refused. Every later pass recurses at most this deep.
pub(super) const MAX_DEPTH: usize = 128;

/// The one JSON value that `text` is, with white space around it. `strings` are those that may hold JSON of their own.
pub(super) fn parse<'a>(text: &'a str, strings: &'a [(usize, String)]) -> Option<Node<'a>> {
    whole(Parser { text, at: 0, strings }, MAX_DEPTH)
}

/// The value of a text inside a string, `depth` levels at most.
pub(super) fn parse_to(text: &str, depth: usize) -> Option<Node<'_>> {
    whole(Parser { text, at: 0, strings: &[] }, depth)
}

fn whole(mut parser: Parser<'_>, depth: usize) -> Option<Node<'_>> {
    parser.blanks();
    let node = parser.value(depth)?;
    parser.blanks();
    (parser.at == parser.text.len()).then_some(node)
}

/// The values of an NDJSON text, one a line, as an array; lines that are no JSON are kept as they stand. `None` unless at least
/// two lines are objects or arrays, and nine in ten are.
pub(super) fn parse_lines(text: &str) -> Option<Node<'_>> {
    let mut values = 0;
    let mut elements = Vec::new();
    for line in text.lines().filter(|line| !line.trim_ascii().is_empty()) {
        let node = parse_to(line, MAX_DEPTH).filter(|node| matches!(node.value, Value::Array(_) | Value::Object(_)));
        values += usize::from(node.is_some());
        elements.push(node.unwrap_or_else(|| Node::new(Value::Broken(line))));
        if (elements.len() - values) * 10 > values + 20 {
            return None;
        }
    }
    (values >= 2 && (elements.len() - values) * 10 <= values.max(10)).then(|| Node::new(Value::Array(elements)))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Strings that may hold JSON, from the next one on, with the places of their quotes.
    strings: &'a [(usize, String)],
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        let value = match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?)?,
            b'[' => self.array(depth.checked_sub(1)?)?,
            b'"' => {
                let start = self.at + 1;
                let text = self.string()?;
                if let Some(embedded) = self.embedded(start - 1, depth) {
                    return Some(Node::new(embedded));
                }
                Value::String(Text { text, source: &self.text[start..self.at - 1] })
            }
            b't' => self.word("true", Value::Bool(true))?,
            b'f' => self.word("false", Value::Bool(false))?,
            b'n' => self.word("null", Value::Null)?,
            _ => {
                let length = number_length(&self.text.as_bytes()[self.at..])?;
                let start = self.at;
                self.at += length;
                Value::Number(&self.text[start..self.at])
            }
        };
        Some(Node::new(value))
    }

    /// The unwrapped value of the string at `place`, if it is one of those that hold JSON.
    fn embedded(&mut self, place: usize, depth: usize) -> Option<Value<'a>> {
        while self.strings.first().is_some_and(|(known, _)| *known < place) {
            self.strings = &self.strings[1..];
        }
        let (_, text) = self.strings.first().filter(|(known, _)| *known == place)?;
        let (style, node) = embed::parse(text, depth)?;
        Some(Value::Embedded(Box::new(Embedded { style, node, text })))
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn object(&mut self, depth: usize) -> Option<Value<'a>> {
        self.take(b'{')?;
        self.blanks();
        let mut pairs = Vec::new();
        if self.take(b'}').is_some() {
            return Some(Value::Object(pairs));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.blanks();
            self.take(b':')?;
            self.blanks();
            pairs.push((key, self.value(depth)?));
            self.blanks();
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some(Value::Object(pairs));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value<'a>> {
        self.take(b'[')?;
        self.blanks();
        let mut elements = Vec::new();
        if self.take(b']').is_some() {
            return Some(Value::Array(elements));
        }
        loop {
            self.blanks();
            elements.push(self.value(depth)?);
            self.blanks();
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(Value::Array(elements));
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let (text, length) = string_at(&self.text[self.at..])?;
        self.at += length;
        Some(text)
    }
}

/// The JSON string at the start of `text`, decoded, and the bytes it takes with its quotes.
pub(super) fn string_at(text: &str) -> Option<(Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut decoded: Option<String> = None;
    let mut start = 1;
    loop {
        let stop = plain_run(bytes, start);
        match (*bytes.get(stop)?, &mut decoded) {
            (b'"', None) => return Some((Cow::Borrowed(&text[start..stop]), stop + 1)),
            (b'"', Some(decoded)) => {
                decoded.push_str(&text[start..stop]);
                return Some((Cow::Owned(std::mem::take(decoded)), stop + 1));
            }
            (b'\\', decoded) => {
                let decoded = decoded.get_or_insert_with(String::new);
                decoded.push_str(&text[start..stop]);
                let (character, length) = escape_at(&bytes[stop..])?;
                decoded.push(character);
                start = stop + length;
            }
            _ => return None,
        }
    }
}

/// The place of the first byte from `at` on that ends a run of plain characters in a string: a quote, a backslash or a control character.
/// The end of `bytes` where there is none.
///
/// Eight bytes at a time, because strings are short, and a loop that ends after an unforeseeable number of bytes costs a misprediction for
/// each. A borrow in the subtractions can only mark bytes above a true hit, so the lowest mark is exact.
#[inline]
pub(crate) fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let signs = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        let hits = (signs | (word.wrapping_sub(ONES * 0x20) & !word)) & HIGHS;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.get(at..).and_then(|rest| rest.iter().position(ends)).map_or(bytes.len(), |run| at + run)
}

/// The character that the escape at the start of `bytes` stands for, and its length.
fn escape_at(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit_at(bytes)?;
            if !(0xD800..0xDC00).contains(&first) {
                return Some((char::from_u32(first)?, 6));
            }
            let second = unit_at(bytes.get(6..)?)?;
            let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            return Some((char::from_u32(0x10000 + ((first - 0xD800) << 10) + low)?, 12));
        }
        _ => return None,
    };
    Some((simple, 2))
}

/// The UTF-16 unit of the `\uXXXX` at the start of `bytes`.
fn unit_at(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// Length of the JSON number at the start of `bytes`.
pub(super) fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits((at + 1 + sign).min(bytes.len()));
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_end_of_a_plain_run_is_exact(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0_usize..40) {
            let at = at.min(bytes.len());
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let slow = bytes[at..].iter().position(ends).map_or(bytes.len(), |run| at + run);
            prop_assert_eq!(plain_run(&bytes, at), slow);
        }
    }
}
