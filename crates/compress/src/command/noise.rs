//! Noise that has no family: lines said again, and counters that go up.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::log::lex::{self, Hashed, HashedMap};
use crate::matter::{is_failure, matters};

/// A run of equal lines, or of states of one counter, is folded from this length on.
const RUN: usize = 3;

/// A block that was shown before is folded when it has at least this many lines and bytes.
const BLOCK_LINES: usize = 4;
const BLOCK_BYTES: usize = 200;

/// Takes out of `keep` what the lines before a line already said.
pub(crate) fn fold(lines: &[&str], keep: &mut [bool]) {
    fold_pairs(lines, keep);
    fold_equal(lines, keep);
    fold_counters(lines, keep);
}

/// A test and, on the next line, its description and that it passed: Django writes both.
fn fold_pairs(lines: &[&str], keep: &mut [bool]) {
    let is_name = |line: &str| {
        line.strip_suffix(')')
            .and_then(|line| line.split_once(" ("))
            .is_some_and(|(name, class)| name.starts_with("test") && !name.contains(' ') && !class.contains(' '))
    };
    for (at, pair) in lines.windows(2).enumerate() {
        if is_name(pair[0]) && pair[1].ends_with(" ... ok") && pair[1].matches(" ... ").count() == 1 {
            keep[at] = false;
            keep[at + 1] = false;
        }
    }
}

/// The second and later ones of several equal lines in a row.
fn fold_equal(lines: &[&str], keep: &mut [bool]) {
    let mut at = 0;
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| **line == lines[at]).count();
        if run >= RUN && !lines[at].trim().is_empty() {
            keep[at + 1..at + run].fill(false);
        }
        at += run;
    }
}

/// The states of a counter between its first and its last one.
fn fold_counters(lines: &[&str], keep: &mut [bool]) {
    let shapes: Vec<Option<u64>> = lines.iter().map(|line| counter(line)).collect();
    let mut at = 0;
    while at < lines.len() {
        let run = shapes[at..].iter().take_while(|shape| shape.is_some() && **shape == shapes[at]).count();
        if run > RUN {
            keep[at + 1..at + run - 1].fill(false);
        }
        at += run.max(1);
    }
}

/// The line without its digits, bars and blanks, if it is a state of progress: a share in percent, a bar, or so many of so many with a
/// size or a rate.
fn counter(line: &str) -> Option<u64> {
    let share =
        || memchr::memchr_iter(b'%', line.as_bytes()).any(|at| at > 0 && line.as_bytes()[at - 1].is_ascii_digit());
    if line.len() > 400 || !(share() || is_bar(line)) || matters(line) {
        return None;
    }
    let shape: String = line.chars().filter(|c| c.is_alphabetic()).collect();
    Some(lex::hash(shape.as_bytes()))
}

/// Whether a bar is drawn: `━━`, `███`, `====>` or `#####`.
fn is_bar(line: &str) -> bool {
    // The first byte of both drawn signs is 0xe2.
    memchr::memchr3(0xe2, b'=', b'#', line.as_bytes()).is_some_and(|at| {
        ["━━", "███", "====>", "#####"]
            .iter()
            .any(|bar| memchr::memmem::find(&line.as_bytes()[at..], bar.as_bytes()).is_some())
    })
}

/// Takes out of `keep` the second and later copies of blocks. What says that something failed stays, so that every failure shows its cause; in a
/// hunk of a diff, where lines are somebody's source, nothing does.
///
/// Only lines that are kept count, so that what goes here stands further up.
pub(crate) fn fold_blocks(lines: &[&str], in_hunk: &[bool], keep: &mut [bool]) {
    let shown: Vec<usize> = (0..lines.len()).filter(|at| keep[*at]).collect();
    let line = |place: usize| lines[shown[place]].trim_end();
    let hashes: Vec<u64> = (0..shown.len()).map(|place| lex::hash(line(place).as_bytes())).collect();
    // A pair of lines that follow each other, and where it stood first.
    let mut pairs: HashedMap<usize> = HashedMap::default();
    let mut again: HashSet<usize, BuildHasherDefault<Hashed>> = HashSet::default();
    for (at, pair) in hashes.windows(2).enumerate() {
        let hash = lex::mix(pair[0] ^ pair[1].rotate_left(17));
        let first = *pairs.entry(hash).or_insert(at);
        if first + 1 < at && line(first) == line(at) && line(first + 1) == line(at + 1) {
            again.insert(at);
            again.insert(at + 1);
        }
    }
    let mut at = 0;
    while at < shown.len() {
        let run = (at..shown.len()).take_while(|place| again.contains(place)).count();
        let bytes: usize = (at..at + run).map(|place| line(place).trim_start().len()).sum();
        if run >= BLOCK_LINES && bytes >= BLOCK_BYTES {
            for place in at..at + run {
                keep[shown[place]] = !in_hunk[shown[place]] && is_failure(line(place));
            }
        }
        at += run.max(1);
    }
}

/// Blank lines between two gaps hide nothing worth two marks.
pub(crate) fn drop_blank_between(lines: &[&str], keep: &mut [bool]) {
    let mut at = 0;
    while at < keep.len() {
        if !keep[at] {
            at += 1;
            continue;
        }
        let end = keep[at..].iter().position(|kept| !kept).map_or(keep.len(), |offset| at + offset);
        if at > 0 && end < keep.len() && lines[at..end].iter().all(|line| line.trim().is_empty()) {
            keep[at..end].fill(false);
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let mut keep = vec![true; lines.len()];
        fold(&lines, &mut keep);
        let kept: Vec<&str> = lines.iter().zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| *line).collect();
        assert_eq!(kept.join("\n"), expected);
    }

    #[test]
    fn said_once_is_enough() {
        check("a\nb\nb\nb\nb\nc", "a\nb\nc");
        check("x 1%\nx 20%\nx 30%\nx 99%\ndone", "x 1%\nx 99%\ndone");
        check("test_a (m.C)\nIt works ... ok\ntest_b (m.C)\nIt does ... FAIL", "test_b (m.C)\nIt does ... FAIL");
    }

    #[test]
    fn a_block_shown_before_goes_but_what_matters_stays() {
        let block: String = (0..6).map(|i| format!("line {i} of a block that is long enough to be folded\n")).collect();
        let failing = format!("{block}E   assertion failed: x\n");
        let second = format!("{failing}between\n{failing}end");
        let lines: Vec<&str> = second.lines().collect();
        let kept = |in_hunk: bool| {
            let mut keep = vec![true; lines.len()];
            fold_blocks(&lines, &vec![in_hunk; lines.len()], &mut keep);
            lines.iter().zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| *line).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(kept(false), format!("{failing}between\nE   assertion failed: x\nend"));
        assert_eq!(kept(true), format!("{failing}between\nend"));
    }
}
