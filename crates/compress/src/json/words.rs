//! What may be written without quotes, and where. The writer asks before it writes; the reader relies on it.

use super::embed::Style;
use super::layout::Delimiter;
use super::parse;

/// What stands before the array of an NDJSON text's values.
pub(super) const LINES: &str = "NDJSON ";

/// Where a string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// After `key=` in braces or at the top: ends at a blank or comma.
    Item,
    /// In a plain array: ends at a blank.
    Element,
    /// In a row.
    Cell { delimiter: Delimiter, text: bool },
}

/// Whether `text` can be written without quotes at `place`.
pub(super) fn is_bare(text: &str, place: Place) -> bool {
    is_bare_with(traits(text), text, place)
}

/// What the bytes of a text do to the word that they are.
pub(super) fn traits(text: &str) -> u8 {
    text.bytes().fold(0, |traits, byte| traits | TRAITS[usize::from(byte)])
}

/// [`is_bare`] for a text whose [`traits`] are known.
pub(super) fn is_bare_with(traits: u8, text: &str, place: Place) -> bool {
    let typed = !matches!(place, Place::Cell { text: true, .. });
    let spaces = matches!(place, Place::Cell { delimiter: Delimiter::Comma, .. });
    let commas = matches!(place, Place::Element | Place::Cell { delimiter: Delimiter::Space, .. });
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if matches!(first, b'[' | b'{' | b'=' | b' ' | b'*' | b'&' | b'#' | b'!') || *last == b' ' {
        return false;
    }
    let mut forbidden = ALWAYS_QUOTED;
    forbidden |= if spaces { 0 } else { BLANK };
    forbidden |= if commas { 0 } else { COMMA };
    // In a header, braces that match make a template; in an array, a letter and a brace start a header.
    forbidden |= if matches!(place, Place::Cell { .. }) { 0 } else { BRACE };
    if traits & forbidden != 0 || (traits & WIDE != 0 && text.contains(is_odd_blank)) {
        return false;
    }
    if if typed { is_literal(text) } else { matches!(text, "-" | "null") } {
        return false;
    }
    if traits & BRACE_OR_BRACKET != 0 && Style::at_start(text).is_some() {
        return false;
    }
    traits & EQUALS == 0 || !matches!(place, Place::Cell { .. }) || !looks_named(text)
}

/// What a byte does to the word it stands in.
const ALWAYS_QUOTED: u8 = 1;
const BLANK: u8 = 2;
const COMMA: u8 = 4;
const BRACE: u8 = 8;
const BRACKET: u8 = 16;
const EQUALS: u8 = 32;
const WIDE: u8 = 64;
const BRACE_OR_BRACKET: u8 = BRACE | BRACKET;

const TRAITS: [u8; 256] = {
    let mut traits = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        traits[byte] = match byte as u8 {
            b'"' | b';' | b']' | b'}' | 0..b' ' | 127 => ALWAYS_QUOTED,
            b' ' => BLANK,
            b',' => COMMA,
            b'{' => BRACE,
            b'[' => BRACKET,
            b'=' => EQUALS,
            128.. => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    traits
};

/// Blanks that a reader could not tell from the ordinary one.
fn is_odd_blank(c: char) -> bool {
    (c.is_whitespace() && c != ' ') || matches!(c, '\u{feff}' | '\u{200b}' | '\u{85}')
}

/// Whether a bare `text` would be read as a number, a literal or the mark for "absent".
pub(super) fn is_literal(text: &str) -> bool {
    matches!(text, "null" | "true" | "false" | "-")
        || (text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && parse::number_length(text.as_bytes()) == Some(text.len()))
}

/// Whether `text` starts like a cell with a name: `status=`.
fn looks_named(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| name.bytes().all(is_key_byte))
}

/// Whether a key needs no quotes. Segments of a dotted path may not hold a dot themselves.
pub(super) fn is_bare_key(key: &str, in_path: bool) -> bool {
    let named = key.starts_with('$') && key.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    !named && !key.is_empty() && key.bytes().all(|byte| is_key_byte(byte) && !(in_path && byte == b'.'))
}

/// Bytes of a key without quotes.
pub(super) const fn is_key_byte(byte: u8) -> bool {
    const KEY: [bool; 256] = {
        let mut key = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            let letter = byte as u8;
            key[byte] = letter.is_ascii_alphanumeric()
                || matches!(letter, b'_' | b'-' | b'.' | b'/' | b'$' | b'@' | b'+' | b'%');
            byte += 1;
        }
        key
    };
    KEY[byte as usize]
}

/// The letter of the n-th shape of an array's rows.
pub(super) fn shape_letter(shape: usize) -> char {
    char::from(b'a' + (shape % 26) as u8)
}

/// Appends `text` as a JSON string.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x8 => "\\b",
            0xC => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[start..at]);
        out.push_str(short);
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        start = at + 1;
    }
    out.push_str(&text[start..]);
    out.push('"');
}
