//! JSON string literals: decoding, encoding, and finding a decoded place in the literal.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::scan::{escape, plain_run, simple_escape};

/// The text of one JSON string, decoded when it is first asked for. Literals without escapes are never copied.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// The bytes between the quotes, valid UTF-8 with valid escapes.
    inner: Bytes,
    decoded: Option<OnceLock<Box<str>>>,
}

impl Literal {
    /// The literal with these bytes between its quotes. The caller has scanned them.
    pub(crate) fn new(inner: Bytes, escaped: bool) -> Self {
        Self { inner, decoded: escaped.then(OnceLock::new) }
    }

    /// The bytes between the quotes, where they are not the text itself.
    pub(crate) fn spelling(&self) -> Option<&[u8]> {
        self.decoded.is_some().then_some(&self.inner[..])
    }

    /// The decoded text.
    pub(crate) fn text(&self) -> &str {
        match &self.decoded {
            None => plain(&self.inner),
            Some(decoded) => decoded.get_or_init(|| decode(plain(&self.inner)).into()),
        }
    }

    /// Where the decoded ranges stand between the quotes. The ranges are sorted, do not overlap, and lie on character
    /// boundaries of [`text`](Self::text).
    pub(crate) fn locate<'a>(
        &'a self,
        ranges: impl Iterator<Item = &'a Range<usize>> + 'a,
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut walk = Walk { inner: &self.inner, length: self.text().len(), raw: 0, decoded: 0 };
        let escaped = self.decoded.is_some();
        ranges.map(move |range| {
            if !escaped {
                return range.clone();
            }
            let start = walk.advance(range.start);
            start..walk.advance(range.end)
        })
    }
}

/// The whole body was checked when it was parsed, so this cannot fail; an empty text is the harmless answer.
fn plain(inner: &[u8]) -> &str {
    std::str::from_utf8(inner).unwrap_or_default()
}

/// A walk along a literal that knows how much decoded text lies behind it.
struct Walk<'a> {
    inner: &'a [u8],
    /// Bytes of the whole text, decoded.
    length: usize,
    raw: usize,
    decoded: usize,
}

impl Walk<'_> {
    /// Goes on to the decoded offset `target` and gives the raw one.
    fn advance(&mut self, target: usize) -> usize {
        if target == self.length {
            // Most edits replace a whole text; its end needs no walk.
            (self.raw, self.decoded) = (self.inner.len(), target);
        }
        while self.decoded < target && self.raw < self.inner.len() {
            let run = plain_run(self.inner, self.raw) - self.raw;
            if run > 0 {
                let step = run.min(target - self.decoded);
                self.raw += step;
                self.decoded += step;
            } else if let Some((c, length)) = escape(&self.inner[self.raw..]) {
                self.raw += length.raw;
                self.decoded += c.len_utf8();
            } else {
                break;
            }
        }
        self.raw
    }
}

/// Decodes what stands between the quotes of a scanned literal.
pub(crate) fn decode(inner: &str) -> String {
    let bytes = inner.as_bytes();
    let mut text = Vec::with_capacity(inner.len() + SHORT_RUN);
    let mut at = 0;
    while at < bytes.len() {
        let end = plain_run(bytes, at);
        push_run(&mut text, bytes, at..end);
        if let Some(byte) = simple_escape(bytes.get(end + 1)) {
            text.push(byte);
            at = end + 2;
            continue;
        }
        let Some((c, length)) = escape(&bytes[end..]) else { break };
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        at = end + length.raw;
    }
    // Runs of a text end at ASCII, so this is UTF-8; an empty text is the harmless answer.
    String::from_utf8(text).unwrap_or_default()
}

/// Runs of at most so many bytes are copied at a fixed width.
const SHORT_RUN: usize = 16;

/// Appends a run of plain bytes. JSON inside a string has an escape every few bytes, and to copy a few bytes of unknown number takes longer
/// than all the rest: where the text goes on, too many are copied and taken off again.
#[inline]
fn push_run(out: &mut Vec<u8>, bytes: &[u8], run: Range<usize>) {
    match bytes[run.start..].first_chunk::<SHORT_RUN>() {
        Some(chunk) if run.len() <= SHORT_RUN => {
            let length = out.len() + run.len();
            out.extend_from_slice(chunk);
            out.truncate(length);
        }
        _ => out.extend_from_slice(&bytes[run]),
    }
}

/// Writes `text` as it must stand between the quotes of a literal. Only what JSON requires is escaped.
pub(crate) fn encode(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = plain_run(bytes, at);
        push_run(out, bytes, at..end);
        let Some(byte) = bytes.get(end) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]]);
            }
        }
        at = end + 1;
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    out.push(b'"');
    encode(text, &mut out);
    out.push(b'"');
    // Escaping replaces ASCII by ASCII, so the bytes are still UTF-8; an empty string is the harmless answer.
    String::from_utf8(out).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_testkit::generate::any_text;
    use proptest::prelude::*;

    /// Spells a text with escapes where none are needed, so that offsets differ as much as they can.
    fn spell_oddly(text: &str) -> String {
        text.chars()
            .enumerate()
            .map(|(place, c)| match (c, place % 3) {
                ('/', _) => "\\/".to_owned(),
                ('\n', 0) => "\\n".to_owned(),
                (c, 1) | (c @ ('"' | '\\' | '\0'..='\x1f'), _) => {
                    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
                }
                (c, _) => c.to_string(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same(text in any_text()) {
            let written = quoted(&text);
            prop_assert_eq!(&serde_json::from_str::<String>(&written).unwrap(), &text);
            prop_assert_eq!(&decode(&written[1..written.len() - 1]), &text);
        }

        #[test]
        fn a_decoded_place_is_found_in_any_spelling(text in any_text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 4)) {
            let spelled = spell_oddly(&text);
            let literal = Literal::new(Bytes::from(spelled.clone()), true);
            prop_assert_eq!(literal.text(), &text);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            places.sort_unstable();
            let ranges: Vec<_> = places.windows(2).step_by(2).map(|pair| pair[0]..pair[1]).collect();
            for (range, raw) in ranges.iter().zip(literal.locate(ranges.iter())) {
                prop_assert_eq!(decode(&spelled[raw]), &text[range.clone()]);
            }
        }
    }
}
