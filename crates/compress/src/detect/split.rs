//! Payloads inside a mixed text: a log pasted under a question, a fenced block of JSON.

use std::ops::Range;

use headroom_core::{Kind, Segment};

use super::diff::{is_header, is_hunk_header};
use crate::log::{omit, stamp};

/// A part of a text and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub range: Range<usize>,
    /// [`Kind::Opaque`] for everything that a person may have written.
    pub kind: Kind,
}

/// A payload of fewer bytes than this stays part of the text around it.
const LARGE: usize = 2048;

/// Attempts to read a JSON value inside a text: each may read far before it fails.
const JSON_ATTEMPTS: usize = 8;

/// Cuts a mixed text into payloads whose structure is certain (JSON, table, log, diff) and the text between them. The pieces follow
/// one another and cover the text.
pub fn split(text: &str) -> Vec<Piece> {
    let mut payloads: Vec<Piece> = Vec::new();
    let lines = line_ranges(text);
    let mut attempts = JSON_ATTEMPTS;
    let mut at = 0;
    while at < lines.len() {
        let found = fenced(text, &lines, at).or_else(|| run(text, &lines, at, &mut attempts));
        match found {
            Some((piece, next)) => {
                payloads.extend(piece);
                at = next.max(at + 1);
            }
            None => at += 1,
        }
    }
    cover(text.len(), payloads)
}

fn line_ranges(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut ranges: Vec<Range<usize>> = memchr::memchr_iter(b'\n', text.as_bytes())
        .map(|end| std::mem::replace(&mut start, end + 1)..end + 1)
        .collect();
    if start < text.len() {
        ranges.push(start..text.len());
    }
    ranges
}

/// A fenced block that starts at line `at`: its inside if that is a payload, and the line after the block.
fn fenced(text: &str, lines: &[Range<usize>], at: usize) -> Option<(Option<Piece>, usize)> {
    let opening = text[lines[at].clone()].trim_start();
    let fence = ["```", "~~~"].into_iter().find(|fence| opening.starts_with(fence))?;
    let close = (at + 1..lines.len()).find(|line| text[lines[*line].clone()].trim() == fence)?;
    Some((payload(text, lines[at].end..lines[close].start), close + 1))
}

/// A run of lines of one kind that starts at line `at`, and the line after it.
fn run(text: &str, lines: &[Range<usize>], at: usize, attempts: &mut usize) -> Option<(Option<Piece>, usize)> {
    let line = |index: usize| crate::lines::body(&text[lines[index].clone()]);
    let while_holds = |from: usize, test: &dyn Fn(&str) -> bool| {
        (from..lines.len()).find(|index| !test(line(*index))).unwrap_or(lines.len())
    };
    let first = line(at);
    let end = if first.starts_with(['{', '[']) && *attempts > 0 && stamp::time(first).is_none() {
        *attempts -= 1;
        let start = lines[at].start;
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<&serde_json::value::RawValue>();
        // The first value has to be a whole object or array; what follows it on later lines is read for as long as it is JSON too.
        let mut end = start;
        while let Some(Ok(value)) = values.next() {
            if !value.get().starts_with(['{', '[']) {
                break;
            }
            end = start + values.byte_offset();
        }
        if end == start {
            return None;
        }
        lines.partition_point(|line| line.end <= end).max(at + 1)
    } else if stamp::time(first).is_some() {
        while_holds(at + 1, &|line| {
            stamp::time(line).is_some() || line.starts_with([' ', '\t']) || omit::is_frame(line)
        })
    } else if first.starts_with("diff ") || first.starts_with("--- ") || is_hunk_header(first) {
        while_holds(at + 1, &|line| is_header(line) || is_hunk_header(line) || line.starts_with([' ', '+', '-', '\\']))
    } else if [',', '\t', '|', ';'].iter().any(|separator| first.matches(*separator).count() >= 2) {
        let separator =
            [b'|', b'\t', b';', b','].into_iter().find(|s| memchr::memchr_iter(*s, first.as_bytes()).count() >= 2)?;
        let count = |line: &str| memchr::memchr_iter(separator, line.as_bytes()).count();
        let columns = count(first);
        while_holds(at + 1, &|line| count(line) == columns)
    } else {
        return None;
    };
    let range = lines[at].start..lines[end - 1].end;
    Some((payload(text, range), end))
}

/// The range as a payload, if it is large and what it is is certain.
fn payload(text: &str, range: Range<usize>) -> Option<Piece> {
    if range.len() < LARGE {
        return None;
    }
    let kind = super::detect(&Segment::bare(&text[range.clone()])).kind;
    matches!(kind, Kind::Json | Kind::Table | Kind::Log | Kind::Diff).then_some(Piece { range, kind })
}

/// The payloads with the text between them.
fn cover(length: usize, payloads: Vec<Piece>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(payloads.len() * 2 + 1);
    let mut at = 0;
    for payload in payloads {
        if payload.range.start > at {
            pieces.push(Piece { range: at..payload.range.start, kind: Kind::Opaque });
        }
        at = payload.range.end;
        pieces.push(payload);
    }
    if at < length {
        pieces.push(Piece { range: at..length, kind: Kind::Opaque });
    }
    pieces
}
