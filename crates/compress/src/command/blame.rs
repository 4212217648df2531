//! `git blame`: who changed a line last, written once for all lines of one change.
//!
//! ```text
//! [git blame; "A=" a change, "A" before its lines, a blank for "same as above"; lines are numbered from 1]
//! A=44ffe6c6d src/flask/testing.py (David Lord          2023-04-20
//! A|from __future__ import annotations
//!  |
//! ```
//!
//! Exact: the width of the column of numbers stands in the first line. Where omissions are allowed, a long blame shows each change with the first
//! line of every run of its lines: what one looks for in it is who and when, and the lines stand in the file.

use std::collections::HashMap;
use std::fmt::Write as _;

use headroom_core::{Omission, Original, Unit, gap_mark, short_gap_mark};

const INTRODUCTION: &str = "[git blame; \"A=\" a change, \"A|\" a line of it, \"|\" one more; lines are numbered from ";

/// Fewer lines are not worth a legend.
const LINES: usize = 8;

/// A blame of fewer lines was asked for by the line, and shows them all.
const LONG: usize = 80;

/// A run of so many lines shows its first one alone.
const RUN: usize = 3;

/// Writes each change once; `None` for a text that is no blame in one piece.
pub(crate) fn encode(text: &str) -> Option<String> {
    let (rows, end) = rows(text)?;
    let mut written = Written::new(&rows);
    for row in &rows {
        written.row(row);
    }
    written.text.pop();
    Some(written.text + end)
}

/// [`encode`], with the lines that follow the first one of a run left out; `None` for a short blame, and for one without such runs.
pub(super) fn shorten(original: &Original<'_>) -> Option<(String, Vec<Omission>)> {
    let (rows, _) = rows(original.text()).filter(|(rows, _)| rows.len() >= LONG)?;
    let mut written = Written::new(&rows);
    let mut omissions = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let run = rows[at..].iter().take_while(|row| row.change == rows[at].change).count();
        let shown = if run >= RUN { 1 } else { run };
        rows[at..at + shown].iter().for_each(|row| written.row(row));
        if shown < run {
            let omission = Omission::new(original, Unit::Line, at + shown + 1..=at + run, rows.len());
            let mark = if omissions.is_empty() { gap_mark(&omission) } else { short_gap_mark(&omission) };
            let _ = writeln!(written.text, "{mark}");
            omissions.push(omission);
        }
        at += run;
    }
    (!omissions.is_empty()).then_some((written.text, omissions))
}

/// The rows of a blame in one piece, and what follows the last one.
fn rows(text: &str) -> Option<(Vec<Row<'_>>, &str)> {
    let (body, end) = text.split_at(text.trim_end_matches('\n').len());
    let rows: Vec<Row<'_>> = crate::lines::each(body).map(Row::parse).collect::<Option<_>>()?;
    let start = rows.first()?.number;
    let in_order = rows.iter().zip(start..).all(|(row, number)| row.number == number && row.width == rows[0].width);
    (rows.len() >= LINES && in_order).then_some((rows, end))
}

/// What has been written, and which changes have names.
struct Written<'t> {
    text: String,
    names: HashMap<&'t str, String>,
    above: &'t str,
}

impl<'t> Written<'t> {
    fn new(rows: &[Row<'t>]) -> Self {
        let first = rows.first().map_or((0, 0), |row| (row.number, row.width));
        Self { text: format!("{INTRODUCTION}{}, {} wide]\n", first.0, first.1), names: HashMap::new(), above: "" }
    }

    fn row(&mut self, row: &Row<'t>) {
        if row.change != self.above {
            let next = self.names.len();
            let text = &mut self.text;
            let name = self.names.entry(row.change).or_insert_with(|| {
                let name = name(next);
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{name}={}", row.change);
                name
            });
            self.text.push_str(name);
            self.above = row.change;
        }
        let _ = writeln!(self.text, "|{}", row.line);
    }
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let rest = encoded.strip_prefix(INTRODUCTION)?;
    let (head, rows) = rest.split_once(" wide]\n")?;
    let (start, width) = head.split_once(", ")?;
    let (mut number, width): (usize, usize) = (start.parse().ok()?, width.parse().ok()?);
    if width > 20 {
        return None;
    }
    let (rows, end) = rows.split_at(rows.trim_end_matches('\n').len());
    let mut changes: HashMap<&str, &str> = HashMap::new();
    let mut change = None;
    let mut text = String::with_capacity(encoded.len() * 2);
    for row in crate::lines::each(rows) {
        let name = &row[..row.bytes().take_while(u8::is_ascii_uppercase).count()];
        match row[name.len()..].split_at_checked(1)? {
            ("=", new) => {
                changes.insert(name, new);
            }
            ("|", line) => {
                change = if name.is_empty() { change } else { changes.get(name).copied() };
                let _ = writeln!(text, "{} {number:>width$}) {line}", change?);
                number += 1;
            }
            _ => return None,
        }
    }
    text.pop();
    Some(text + end)
}

/// `A`, `B`, up to `Z`, then `AA` and so on.
pub(super) fn name(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    if index < 26 { letter.to_string() } else { name(index / 26 - 1) + letter.encode_utf8(&mut [0; 4]) }
}

/// One line of a blame.
struct Row<'t> {
    /// Everything before the number and its padding: hash, file, author, time.
    change: &'t str,
    number: usize,
    /// How wide the number is with its padding.
    width: usize,
    line: &'t str,
}

impl<'t> Row<'t> {
    /// Reads `44ffe6c6d file (Author  2023-04-20 10:00:00 +0200  12) text`. Where the author has brackets of their own, the first
    /// number of its own that a bracket closes counts, and the caller's check of the sequence decides.
    fn parse(row: &'t str) -> Option<Self> {
        let hash = row.strip_prefix('^').unwrap_or(row).bytes().take_while(u8::is_ascii_hexdigit).count();
        if hash < 7 {
            return None;
        }
        let open = row.find('(')?;
        let numbered = |close: &usize| {
            let head = row[..*close].trim_end_matches(|c: char| c.is_ascii_digit());
            head.len() < *close && head.ends_with(' ')
        };
        let close = row[open..].match_indices(") ").map(|(at, _)| open + at).find(numbered)?;
        let head = &row[..close];
        let digits = head.bytes().rev().take_while(u8::is_ascii_digit).count();
        let padded = &head[..head.len() - digits];
        let blanks = padded.bytes().rev().take_while(|byte| *byte == b' ').count();
        let change = &padded[..padded.len() - blanks];
        // One blank parts the number from the time.
        let width = (digits + blanks).checked_sub(1).filter(|_| digits > 0 && !head.ends_with(' '))?;
        let number = head[head.len() - digits..].parse().ok()?;
        Some(Self { change, number, width, line: &row[close + 2..] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_written_once() {
        let text: String = (1..=12)
            .map(|n| {
                let who =
                    if n % 5 < 3 { "44ffe6c6d a.py (Ann Lee 2023-04-20" } else { "^5bb3027 b.py (Bo      2021-01-01" };
                format!("{who} {n:>3}) line (of) {n})\n")
            })
            .collect();
        let encoded = encode(&text).expect("an encoding");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(
            encoded.contains("A=44ffe6c6d a.py (Ann Lee 2023-04-20\nA|line (of) 1)\n|line (of) 2)\nB=^5bb3027"),
            "{encoded}"
        );
        let more = text + "\n";
        assert_eq!(decode(&encode(&more).expect("an encoding")).as_deref(), Some(more.as_str()));
        assert_eq!(encode(&more.replace("  7)", "  9)")), None);
        assert!(decode(&encoded.replace("A|", "Q|")).is_none());
    }

    #[test]
    fn of_a_long_run_the_first_line_stays() {
        let text: String = (1..=100)
            .map(|n| {
                let who = if n <= 98 { "44ffe6c6d (Ann Lee 2023-04-20" } else { "5bb30271a (Bo      2021-01-01" };
                format!("{who} {n:>3}) line {n}\n")
            })
            .collect();
        let original = Original::new(&headroom_core::HandleKey::from_bytes([1; 32]), &text);
        let (short, omissions) = shorten(&original).expect("runs");
        assert!(
            short.ends_with("A|line 1\n[-97 lines 2-98]\nB=5bb30271a (Bo      2021-01-01\nB|line 99\n|line 100\n"),
            "{short}"
        );
        assert_eq!(omissions.len(), 1);
        let few: String = text.lines().take(60).map(|line| format!("{line}\n")).collect();
        assert!(shorten(&Original::new(&headroom_core::HandleKey::from_bytes([1; 32]), &few)).is_none());
    }

    #[test]
    fn names_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..2000).map(name).collect();
        assert_eq!(
            (names.len(), name(25), name(26), name(701), name(702)),
            (2000, "Z".into(), "AA".into(), "ZZ".into(), "AAA".into())
        );
    }
}
