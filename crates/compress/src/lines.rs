//! Lines of a text, and leaving some of them out.

use headroom_core::{Omission, Original, Unit, gap_mark};

/// The lines of `text`, each with its line end; the last one may have none. An empty text has no lines.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::with_capacity(text.len() / 64 + 1);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        lines.push(&text[start..=end]);
        start = end + 1;
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// What stands between the line feeds of `text`: its lines without them, and an empty one behind a last line feed. An empty text is one
/// empty line.
pub(crate) fn between(text: &str) -> Vec<&str> {
    let mut lines = Vec::with_capacity(text.len() / 64 + 1);
    lines.extend(each(text));
    lines
}

/// [`between`], one after the other.
pub(crate) fn each(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]).map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// A line without its line end (`\n` or `\r\n`).
pub(crate) fn body(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// Gap marks cost about this many bytes' worth of tokens: a gap that hides less is not worth its mark.
const MARK_BYTES: usize = 40;

/// Keeps the lines that a gap mark would not be shorter than, so that every omission pays for its mark.
pub(crate) fn fill_small_gaps(lines: &[&str], keep: &mut [bool]) {
    let mut at = 0;
    while at < keep.len() {
        if keep[at] {
            at += 1;
            continue;
        }
        let end = keep[at..].iter().position(|kept| *kept).map_or(keep.len(), |offset| at + offset);
        if lines[at..end].iter().map(|line| line.len()).sum::<usize>() <= MARK_BYTES {
            keep[at..end].fill(true);
        }
        at = end;
    }
}

/// Writes the kept lines byte for byte, in order, with a gap mark for every run of lines that is left out.
///
/// `shown` gives the text of a kept line (the line itself, unless only layout such as colour was taken out of it). Line
/// numbers count from 1 in the original, whose lines `keep` describes one by one.
pub(crate) fn omit<'a>(
    original: &Original<'_>,
    keep: &[bool],
    shown: impl Fn(usize) -> &'a str,
) -> (String, Vec<Omission>) {
    omit_named(original, keep, shown, |_| "")
}

/// [`omit`], with the name of every line that is left out behind the mark of its gap, but for empty ones.
pub(crate) fn omit_named<'a>(
    original: &Original<'_>,
    keep: &[bool],
    shown: impl Fn(usize) -> &'a str,
    name: impl Fn(usize) -> &'a str,
) -> (String, Vec<Omission>) {
    let mut text = String::new();
    let mut omissions = Vec::new();
    let mut at = 0;
    while at < keep.len() {
        if keep[at] {
            text.push_str(shown(at));
            at += 1;
            continue;
        }
        let end = keep[at..].iter().position(|kept| *kept).map_or(keep.len(), |offset| at + offset);
        let omission = Omission::new(original, Unit::Line, at + 1..=end, keep.len());
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&gap_mark(&omission));
        for name in (at..end).map(&name).filter(|name| !name.is_empty()) {
            text.push(' ');
            text.push_str(name);
        }
        text.push('\n');
        omissions.push(omission);
        at = end;
    }
    (text, omissions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::HandleKey;

    #[test]
    fn lines_keep_their_ends_and_cover_the_text() {
        for text in ["", "\n", "a", "a\n", "a\r\nb", "a\n\nb\n"] {
            assert_eq!(split(text).concat(), text);
            assert_eq!(between(text), text.split('\n').collect::<Vec<_>>());
            assert_eq!(each(text).collect::<Vec<_>>(), between(text));
        }
        assert_eq!(split("a\r\nb"), ["a\r\n", "b"]);
        assert_eq!(body("a\r\n"), "a");
    }

    #[test]
    fn a_gap_is_marked_where_it_is_and_counts_in_source_lines() {
        let text = "1\n2\n3\n4\n5";
        let original = Original::new(&HandleKey::from_bytes([1; 32]), text);
        let lines = split(text);
        let (body, omissions) = omit(&original, &[true, false, false, true, false], |at| lines[at]);
        assert_eq!(body, "1\n[-2 lines 2-3]\n4\n[-1 line 5]\n");
        assert_eq!(omissions.iter().map(Omission::count).sum::<usize>(), 3);
    }

    #[test]
    fn a_gap_that_would_cost_more_than_it_hides_is_filled() {
        let long = "x".repeat(80);
        let lines = ["a\n", "b\n", "c\n", long.as_str()];
        let mut keep = [true, false, true, false];
        fill_small_gaps(&lines, &mut keep);
        assert_eq!(keep, [true, true, true, false]);
    }
}
