//! `git blame`: who changed a line last, written once for all lines of one change.
//!
//! ```text
//! [git blame; "A=" a change, "A" before its lines, a blank for "same as above"; lines are numbered from 1]
//! A=44ffe6c6d src/flask/testing.py (David Lord          2023-04-20
//! A|from __future__ import annotations
//!  |
//! ```
//!
//! Exact: the width of the column of numbers follows from the last one.

use std::collections::HashMap;
use std::fmt::Write as _;

const INTRODUCTION: &str = "[git blame; \"A=\" a change, \"A|\" a line of it, \"|\" one more; lines are numbered from ";

/// Fewer lines are not worth a legend.
const LINES: usize = 8;

/// Writes each change once; `None` for a text that is no blame in one piece.
pub(crate) fn encode(text: &str) -> Option<String> {
    let (body, end) = text.split_at(text.trim_end_matches('\n').len());
    let rows: Vec<Row<'_>> = body.split('\n').map(Row::parse).collect::<Option<_>>()?;
    let start = rows.first()?.number;
    let in_order = rows.iter().zip(start..).all(|(row, number)| row.number == number && row.width == rows[0].width);
    if rows.len() < LINES || !in_order {
        return None;
    }
    let mut encoded = format!("{INTRODUCTION}{start}, {} wide]\n", rows[0].width);
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut above = "";
    for row in &rows {
        if row.change != above {
            let next = names.len();
            let name = names.entry(row.change).or_insert_with(|| {
                let name = name(next);
                // Writing to a string cannot fail.
                let _ = writeln!(encoded, "{name}={}", row.change);
                name
            });
            encoded.push_str(name);
            above = row.change;
        }
        let _ = writeln!(encoded, "|{}", row.line);
    }
    encoded.pop();
    Some(encoded + end)
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
    for row in rows.split('\n') {
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
fn name(index: usize) -> String {
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
    /// Reads `44ffe6c6d file (Author  2023-04-20 10:00:00 +0200  12) text`. Where the author has brackets or digits of
    /// their own, the first number that a bracket closes counts, and the caller's check of the sequence decides.
    fn parse(row: &'t str) -> Option<Self> {
        let hash = row.strip_prefix('^').unwrap_or(row).bytes().take_while(u8::is_ascii_hexdigit).count();
        if hash < 7 {
            return None;
        }
        let open = row.find('(')?;
        let close = open + row[open..].find(") ")?;
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
    fn names_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..2000).map(name).collect();
        assert_eq!(
            (names.len(), name(25), name(26), name(701), name(702)),
            (2000, "Z".into(), "AA".into(), "ZZ".into(), "AAA".into())
        );
    }
}
