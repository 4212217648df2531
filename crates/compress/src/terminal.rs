//! What a terminal would show: without colour codes and other escape sequences, and with redrawn lines in their last state.

use std::borrow::Cow;

/// One line (without line end) as it is seen: escape sequences are invisible, and of the states of a line that was redrawn from its
/// start (`\r`) only the last one that shows anything is left.
///
/// Escape sequences are CSI (`ESC [ ... letter`), OSC (`ESC ] ... BEL` or `ESC \`), and two-byte ones. One that is not ended in
/// the line is left as it is: it might hide text.
pub(crate) fn visible(line: &str) -> Cow<'_, str> {
    if memchr::memchr3(0x1b, b'\r', 0x08, line.as_bytes()).is_none() {
        return Cow::Borrowed(line);
    }
    let plain = without_escapes(line);
    let last = plain.trim_end_matches('\r').rsplit('\r').find(|state| !state.trim().is_empty());
    Cow::Owned(last.unwrap_or_default().to_owned())
}

/// The line without escape sequences.
pub(crate) fn without_escapes(line: &str) -> Cow<'_, str> {
    if memchr::memchr(0x1b, line.as_bytes()).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest.as_bytes()) {
        plain.push_str(&rest[..at]);
        let length = sequence(&rest.as_bytes()[at..]).unwrap_or(0);
        if length == 0 {
            plain.push('\u{1b}');
        }
        rest = &rest[at + length.max(1)..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Length of the escape sequence that starts `bytes`, if it is whole and draws nothing.
fn sequence(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'[' => {
            let parameters = bytes[2..].iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
            let last = bytes.get(2 + parameters)?;
            (0x40..0x7f).contains(last).then_some(parameters + 3)
        }
        b']' => {
            let end = bytes.iter().position(|byte| *byte == 0x07).map(|at| at + 1);
            let string = memchr::memmem::find(&bytes[2..], b"\x1b\\").map(|at| at + 4);
            match (end, string) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
        b'(' | b')' => bytes.get(2).filter(|byte| byte.is_ascii_alphanumeric()).map(|_| 3),
        b'=' | b'>' | b'7' | b'8' | b'M' | b'c' => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_sees_is_taken_out() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\u{1b}[1;31merror\u{1b}[0m: x", "error: x"),
            ("\u{1b}]8;;http://a/\u{7}link\u{1b}]8;;\u{1b}\\ y", "link y"),
            (" 10%\r 50%\r100%", "100%"),
            (" 10%\r100%\r", "100%"),
            ("100%\r\u{1b}[K", "100%"),
            ("\u{1b}[not ended", "\u{1b}[not ended".trim_start_matches("\u{1b}[n")),
            ("open \u{1b}]8;;http", "open \u{1b}]8;;http"),
            ("end \u{1b}", "end \u{1b}"),
            ("é\u{1b}[0mé", "éé"),
        ] {
            assert_eq!(visible(line), expected, "{line:?}");
        }
    }
}
