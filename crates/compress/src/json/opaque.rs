//! Strings that say nothing to a reader: base64, minified code, key material.

use std::ops::Range;

/// Shorter strings are shown whole.
const MIN_BYTES: usize = 1000;

/// Bytes shown before and after the gap: enough for a media type, a magic number, a file name.
const HEAD: usize = 96;
const TAIL: usize = 32;

/// The part of a JSON string's source (escapes as they stand) that may be left out, if the string is opaque.
///
/// Opaque is a long ASCII text with next to no blanks. Text in scripts that use none is not ASCII, and nested JSON, which is data,
/// starts with a bracket. No escape is cut in two.
pub(super) fn middle(source: &str) -> Option<Range<usize>> {
    if source.len() < MIN_BYTES || source.starts_with(['{', '[']) || !source.is_ascii() {
        return None;
    }
    let blanks = source.bytes().filter(|byte| *byte == b' ').count();
    if blanks * 60 > source.len() {
        return None;
    }
    let bytes = source.as_bytes();
    let (mut at, mut start, mut end) = (0, 0, source.len());
    while at < bytes.len() {
        if at <= HEAD {
            start = at;
        }
        if at >= source.len() - TAIL {
            end = at;
            break;
        }
        at += match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => 6,
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_text_without_blanks_is_opaque() {
        assert_eq!(middle(&"QUJD".repeat(300)), Some(96..1168));
        assert_eq!(middle(&"QUJD".repeat(200)), None);
        assert_eq!(middle(&"word ".repeat(300)), None);
        assert_eq!(middle(&"日本語".repeat(300)), None);
        assert_eq!(middle(&format!("{{{}", "QUJD".repeat(300))), None);
    }

    #[test]
    fn no_escape_is_cut() {
        let source = "\\u00e9".repeat(300);
        let middle = middle(&source).unwrap();
        assert_eq!((middle.start % 6, middle.end % 6), (0, 0));
    }
}
