//! JSON: one value, or one a line.

use crate::json::plain_run;

/// Whether `text` is one object or array, or several lines of which nearly all are one each.
///
/// The brackets and strings of a value are followed to its end, which is cheap and decides; whether everything between them
/// is well-formed is for the parser to say. Scalars on their own are not JSON worth the name.
pub(super) fn is_json(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
    let Some(first) = value_length(text) else { return is_lines(text) };
    starts_like_json(text) && (first == text.len() || is_lines(text))
}

/// Whether `text` holds at least two lines with a value each, and at most one line in ten (and one at all) is something else.
fn is_lines(text: &str) -> bool {
    let (mut values, mut others) = (0_usize, 0_usize);
    for line in text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()) {
        if value_length(line) == Some(line.len()) && starts_like_json(line) {
            values += 1;
        } else {
            others += 1;
        }
        if others > 1 + values / 10 && others > 2 {
            return false;
        }
    }
    values >= 2 && others * 10 <= values.max(10)
}

/// Whether what follows the first bracket can follow it in JSON. Keeps `[INFO] started` and `{name}` out.
fn starts_like_json(text: &str) -> bool {
    let inner = text[1..].trim_ascii_start();
    match (text.as_bytes()[0], inner.as_bytes().first()) {
        (b'{', Some(b'"')) => inner[1..].split_once('"').is_some_and(|(_, rest)| {
            let rest = rest.trim_ascii_start();
            rest.starts_with(':') || inner[1..].contains("\\\"")
        }),
        (b'{', Some(b'}')) | (b'[', Some(b'"' | b'[' | b'{' | b']')) => true,
        (b'[', Some(b'-' | b'0'..=b'9')) => {
            let rest = inner.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.eE".contains(c)).trim_ascii_start();
            rest.starts_with([',', ']'])
        }
        (b'[', Some(b't' | b'f' | b'n')) => ["true", "false", "null"].iter().any(|word| inner.starts_with(word)),
        _ => false,
    }
}

/// Bytes of the bracketed value at the start of `text`; strings are skipped, brackets must match.
fn value_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut open = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'"' => at = string_end(bytes, at + 1)?,
            byte @ (b'}' | b']') => {
                if open.pop() != Some(byte) {
                    return None;
                }
                if open.is_empty() {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Place of the quote that ends a string; strings of JSON hold no line ends. Other control characters are for the parser to refuse.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = plain_run(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            b'\n' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_decides() {
        for text in [
            "{}",
            "[1, 2]",
            "\u{feff} {\"a\": [1, {\"b\": \"}\"}]}\n",
            "[\"a\", \"b\"]",
            "{\"a\":1}\n{\"a\":2}\r\n",
            "[true]",
            "[[1],[2]]",
            "{\"say \\\"x\\\"\": 1}",
        ] {
            assert!(is_json(text), "{text}");
        }
        for text in [
            "",
            "12",
            "\"text\"",
            "[INFO] started",
            "[INFO] one\n[WARN] two",
            "[2024-01-01] started [worker]",
            "{name}",
            "{\"a\":1",
            "{\"a\":1]",
            "{\"a\":1} and more",
            "hello {\"a\":1}",
            "[1] a footnote\n[2] another",
            "{ int x; }",
            "[section]\nkey = value",
        ] {
            assert!(!is_json(text), "{text}");
        }
    }

    #[test]
    fn a_broken_line_among_many_does_not_hide_the_others() {
        let mut text = "{\"a\": 1}\n".repeat(30);
        assert!(is_json(&text));
        text.insert_str(9 * 5, "{\"a\": \n");
        assert!(is_json(&text));
        assert!(!is_json("{\"a\": 1}\nnot\nnot\nnot\n"));
    }
}
