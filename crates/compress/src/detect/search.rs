//! Hits with coordinates, and listings of names.

use super::{Origin, Sample};
use crate::search::line::{Coordinate, coordinate, is_long_row, is_tree_row};

/// Whether the text is search results or a listing.
pub(super) fn is_search(sample: &Sample<'_>, origin: &Origin<'_>) -> bool {
    let asked = origin.program.is_some_and(|program| {
        ["grep", "rg", "ag", "ack", "egrep", "fgrep", "find", "fd", "ls", "tree", "locate", "git"].contains(&program)
    });
    let percent = if asked { 50 } else { 70 };
    let least = if asked { 3 } else { 5 };
    is_hits(sample, percent, least) || is_listing(sample, percent, least, asked)
}

/// Most lines have a file and a line number, and they are not what a compiler complains about.
fn is_hits(sample: &Sample<'_>, percent: usize, least: usize) -> bool {
    let hit =
        |line: &str| line == "--" || coordinate(line).is_some_and(|found| matches!(found, Coordinate::Full { .. }));
    sample.mostly(percent, least, hit) && !sample.mostly(40, 3, is_diagnostic) || is_headed(sample, least)
}

/// The heading style: a path alone on its line, and below it numbers with text, going up.
fn is_headed(sample: &Sample<'_>, least: usize) -> bool {
    let (mut numbered, mut headings, mut steps, mut up) = (0, 0, 0, 0);
    let mut last: Option<usize> = None;
    for line in sample.filled() {
        if let Some(Coordinate::Bare { number, .. }) = coordinate(line) {
            numbered += 1;
            let number = number.parse().ok();
            if let (Some(last), Some(number)) = (last, number) {
                steps += 1;
                up += usize::from(number > last);
            }
            last = number;
        } else if is_path(line) {
            headings += 1;
            last = None;
        }
    }
    let all = sample.filled().count();
    numbered >= least && headings >= 1 && (numbered + headings) * 10 >= all * 8 && up * 10 >= steps * 8
}

/// `a.c:1:2: error: ...`
fn is_diagnostic(line: &str) -> bool {
    let Some(Coordinate::Full { text, .. }) = coordinate(line) else { return false };
    let text = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim_start();
    let word = text.split([':', ' ', '[']).next().unwrap_or_default();
    ["error", "warning", "note", "fatal", "info", "help"].contains(&word)
        || (word.len() >= 3
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word[1..].bytes().all(|b| b.is_ascii_digit()))
}

/// Most lines are paths, long rows of `ls`, or branches of a tree.
fn is_listing(sample: &Sample<'_>, percent: usize, least: usize, asked: bool) -> bool {
    if sample.mostly(60, 3, |line| is_long_row(line) || line.starts_with("total ")) || sample.mostly(60, 3, is_tree_row)
    {
        return true;
    }
    if is_recursive(sample) {
        return true;
    }
    let slashes = sample.count(|line| memchr::memchr(b'/', line.as_bytes()).is_some());
    sample.mostly(percent.max(70), least.max(8), is_path) && (slashes * 4 >= sample.filled().count() || asked)
}

/// `ls -R`: a directory with a colon opens the text, others follow a blank line, names stand below them.
fn is_recursive(sample: &Sample<'_>) -> bool {
    let heads = |line: &str| line.len() > 1 && line.ends_with(':') && is_path(line);
    let others = sample.lines.windows(2).filter(|pair| pair[0].is_empty() && heads(pair[1])).count();
    sample.filled().next().is_some_and(heads)
        && others >= 1
        && sample.mostly(80, 6, |line| is_path(line) || is_long_row(line))
}

/// A path or a name and nothing else, perhaps with a count in brackets after it.
fn is_path(line: &str) -> bool {
    let path = if line.ends_with(')') { line.split_once(" (").map_or(line, |(path, _)| path) } else { line };
    let name = path.strip_suffix(':').unwrap_or(path);
    !name.is_empty()
        && name.len() < 300
        && !name.contains("://")
        && name.bytes().any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80)
        && !name.bytes().any(|byte| {
            matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>' | b'{' | b'}' | b';' | b'|' | b'=' | b'(' | b')')
        })
        && !name.ends_with([',', '.', '!', '?'])
}

/// A file shown with its line numbers: the numbers follow one another. No line has the number 0, but rows of a table may.
pub(super) fn is_numbered_view(sample: &Sample<'_>) -> bool {
    let numbers: Vec<usize> = sample.lines.iter().filter_map(|line| view_number(line)).collect();
    if numbers.contains(&0) {
        return false;
    }
    let steps = numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    steps >= 4 && steps * 10 >= sample.filled().count() * 7
}

/// What a shell's `history` lists: numbers that follow one another, at the end of five columns, and two blanks or a star and a blank behind
/// each. Viewers of files put a tab or a sign there.
pub(super) fn is_shell_history(sample: &Sample<'_>) -> bool {
    const WIDTH: usize = 5;
    let is_entry = |line: &str| {
        line.get(..WIDTH).is_some_and(|number| view_number(number).is_some())
            && (line[WIDTH..].starts_with("  ") || line[WIDTH..].starts_with("* "))
    };
    sample.mostly(95, 10, is_entry) && is_numbered_view(sample)
}

/// `  12\ttext`, `12:text`, `12→text`, `12|text`.
fn view_number(line: &str) -> Option<usize> {
    let line = line.trim_start_matches(' ');
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    let parted = rest.is_empty() || rest.starts_with([':', '\t', '→', '|']) || rest.starts_with("  ");
    if parted { line[..digits].parse().ok() } else { None }
}
