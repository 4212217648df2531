//! Data that comes in rows or records: `/proc/slabinfo`, `stat` of many files, `lsusb -v`, what `netstat` lists.
//!
//! A reader is served by some of them: the first and last, an even sample, whatever is rare, odd or speaks of trouble, which is the choice made
//! for arrays of JSON and for tables. Of all others the name stays, behind the mark of the gap:
//!
//! ```text
//! kmalloc-8          10240  10240      8  512    1 : tunables    0    0    0 : slabdata     20     20      0
//! [-3 lines 40-42] kmalloc-16 kmalloc-32 kmalloc-64
//! ```
//!
//! Only for output that no filter knows: there, lines that are alike may be the failures of a test or the findings of a linter.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::json;
use crate::matter::{is_quoted, matters};

/// Fewer rows or bytes are read at a glance.
const ROWS: usize = 16;
const BYTES: usize = 1600;

/// Rows have at least this many words on average, one in three of them with a digit: of shorter ones little would go beside their names.
const WORDS: usize = 4;

/// Cells beyond this are not looked at.
const CELLS: usize = 24;

/// Fewer records are read at a glance.
const RECORDS: usize = 16;

/// A record has at least this many lines.
const RECORD_LINES: usize = 3;

/// A gap's mark costs about this many bytes.
const MARK: usize = 24;

/// Takes rows and records out of `keep`, and returns what is to be said of each line: the name of the row or record that starts in it, once for each
/// name that no line shows. Lines for which `guarded` holds stay.
pub(super) fn fold<'t>(lines: &[&'t str], guarded: &[bool], keep: &mut [bool]) -> Vec<&'t str> {
    let mut names = vec![""; lines.len()];
    if !fold_records(lines, guarded, keep, &mut names) {
        fold_rows(lines, guarded, keep, &mut names);
    }
    names
}

/// Runs of rows.
fn fold_rows<'t>(lines: &[&'t str], guarded: &[bool], keep: &mut [bool], names: &mut [&'t str]) {
    let mut at = 0;
    while at < lines.len() {
        let run = (at..lines.len()).take_while(|line| keep[*line] && !guarded[*line] && is_row(lines[*line])).count();
        let range = at..at + run;
        at += run.max(1);
        if run < ROWS || lines[range.clone()].iter().map(|line| line.len()).sum::<usize>() < BYTES {
            continue;
        }
        let rows: Vec<Vec<&str>> =
            lines[range.clone()].iter().map(|line| line.split_whitespace().take(CELLS).collect()).collect();
        let mut units: Vec<Unit<'t>> =
            range.clone().map(|line| Unit { first: line, end: line + 1, name: "", shown: true }).collect();
        for sort in sorts(&rows) {
            let cells: Vec<Vec<&str>> = sort.iter().map(|row| rows[*row].clone()).collect();
            let Some(shown) = json::chosen_rows(&cells) else { continue };
            let column = name_column(&cells);
            for ((row, cells), shown) in sort.into_iter().zip(&cells).zip(shown) {
                units[row].name = column.and_then(|column| cells.get(column)).copied().unwrap_or_default();
                units[row].shown = shown || matters(lines[range.start + row]);
            }
        }
        leave_out(lines, &units, keep, names);
    }
}

/// Rows that are alike, by their places: all of them, or those of as many words each where several sorts of rows are mixed, as logins and
/// restarts are in what `last` lists. Rows of no sort are in none.
fn sorts(rows: &[Vec<&str>]) -> Vec<Vec<usize>> {
    if are_alike(&rows.iter().collect::<Vec<_>>()) {
        return vec![(0..rows.len()).collect()];
    }
    if rows.iter().map(Vec::len).sum::<usize>() < rows.len() * WORDS {
        return Vec::new();
    }
    let mut by_words: Vec<Vec<usize>> = vec![Vec::new(); CELLS + 1];
    for (row, cells) in rows.iter().enumerate() {
        by_words[cells.len()].push(row);
    }
    by_words.retain(|sort| sort.len() >= ROWS && are_alike(&sort.iter().map(|row| &rows[*row]).collect::<Vec<_>>()));
    by_words
}

/// Words of which many have digits.
fn is_row(line: &str) -> bool {
    let (mut words, mut numbers) = (0, 0);
    for word in line.split_whitespace().take(CELLS) {
        words += 1;
        numbers += usize::from(word.bytes().any(|byte| byte.is_ascii_digit()));
    }
    words >= 2 && numbers * 3 >= words
}

/// Whether there are enough columns, and nearly all of the first ones hold digits, or no digits, in most rows.
fn are_alike(rows: &[&Vec<&str>]) -> bool {
    let settled = |column: usize| {
        let cells = || rows.iter().filter_map(|row| row.get(column));
        let digits = cells().filter(|cell| cell.bytes().any(|byte| byte.is_ascii_digit())).count();
        let all = cells().count();
        digits.max(all - digits) * 10 >= all * 7
    };
    let words: usize = rows.iter().map(|row| row.len()).sum();
    words >= rows.len() * WORDS && (0..WORDS).filter(|column| settled(*column)).count() + 1 >= WORDS
}

/// The column that names rows: the first one of words that are nearly all different, else the one with most different words.
fn name_column(rows: &[Vec<&str>]) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for column in 0..CELLS {
        let cells = || rows.iter().filter_map(|row| row.get(column)).copied();
        let present = cells().count();
        if present * 2 < rows.len() {
            break;
        }
        if cells().filter(|cell| is_name(cell)).count() * 10 < present * 9 {
            continue;
        }
        let distinct = cells().collect::<HashSet<_>>().len();
        if distinct * 10 >= rows.len() * 9 {
            return Some(column);
        }
        if distinct > 1 && best.is_none_or(|(_, most)| distinct > most) {
            best = Some((column, distinct));
        }
    }
    best.map(|(column, _)| column)
}

/// Whether a word is no number, address, time or size.
fn is_name(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit() && !b"xXKMGTk".contains(&byte))
}

/// Records of several lines, each starting with a line of the same first word; whether there are any.
fn fold_records<'t>(lines: &[&'t str], guarded: &[bool], keep: &mut [bool], names: &mut [&'t str]) -> bool {
    let Some(heads) = heads(lines) else { return false };
    let ends = heads.iter().skip(1).copied().chain([lines.len()]);
    let ranges: Vec<_> = heads.iter().copied().zip(ends).map(|(first, end)| first..end).collect();
    let bytes: usize = lines[heads[0]..].iter().map(|line| line.len()).sum();
    let records: Vec<Vec<(&str, &str)>> =
        ranges.iter().map(|range| lines[range.clone()].iter().filter_map(|line| field(line)).collect()).collect();
    if bytes < BYTES || !have_keys_in_common(&records) {
        return false;
    }
    let columns: Vec<_> = records.iter().map(|record| columns(record)).collect();
    let Some(shown) = json::chosen_records(&columns) else { return false };
    // What every other record says too is no trouble of this one: `selftest: passed`.
    let mut said: HashMap<&str, usize> = HashMap::new();
    for line in &lines[heads[0]..] {
        *said.entry(line.trim()).or_default() += 1;
    }
    let is_odd =
        |line: usize| guarded[line] || (is_quoted(lines[line]) && said[lines[line].trim()] * 4 < records.len());
    let units: Vec<Unit<'t>> = ranges
        .iter()
        .zip(&shown)
        .map(|(range, shown)| Unit {
            first: range.start,
            end: range.end,
            name: field(lines[range.start]).map_or("", |(_, value)| value),
            shown: *shown || range.clone().any(&is_odd),
        })
        .collect();
    leave_out(lines, &units, keep, names);
    true
}

/// The fields of a record, each under a key of its own: `stat` says `Access` twice and means two things.
fn columns<'t>(record: &[(&'t str, &'t str)]) -> Vec<(Cow<'t, str>, &'t str)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut unique = |key: &'t str| {
        let count = seen.entry(key).or_default();
        *count += 1;
        if *count == 1 { Cow::Borrowed(key) } else { Cow::Owned(format!("{key}#{count}")) }
    };
    record.iter().map(|(key, value)| (unique(key), *value)).collect()
}

/// The lines that start records: those of the first key that comes again and again, always some lines apart.
fn heads(lines: &[&str]) -> Option<Vec<usize>> {
    let mut of_key: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(key) = key(line) {
            of_key.entry(key).or_default().push(at);
        }
    }
    let apart = |places: &Vec<usize>| places.windows(2).all(|pair| pair[1] - pair[0] >= RECORD_LINES);
    of_key.into_values().filter(|places| places.len() >= RECORDS && apart(places)).min_by_key(|places| places[0])
}

/// The first word of a line with its indentation.
fn key(line: &str) -> Option<&str> {
    let indent = line.len() - line.trim_start().len();
    let word = line[indent..].find([' ', '\t', ':', '=']).map_or(line.len(), |length| indent + length);
    line[indent..].starts_with(|c: char| c.is_alphabetic()).then_some(&line[..word])
}

/// A line's first word, and the rest of it.
fn field(line: &str) -> Option<(&str, &str)> {
    let key = key(line)?;
    Some((key, line[key.len()..].trim_matches([' ', '\t', ':', '='])))
}

/// Whether most lines of most records have a key that half of the records have.
fn have_keys_in_common(records: &[Vec<(&str, &str)>]) -> bool {
    let mut of_key: HashMap<&str, usize> = HashMap::new();
    for record in records {
        for key in record.iter().map(|(key, _)| *key).collect::<HashSet<_>>() {
            *of_key.entry(key).or_default() += 1;
        }
    }
    let all: usize = records.iter().map(Vec::len).sum();
    let common = records.iter().flatten().filter(|(key, _)| of_key[key] * 2 >= records.len()).count();
    common * 10 >= all * 6 && all >= records.len() * RECORD_LINES
}

/// A row or record.
struct Unit<'t> {
    first: usize,
    end: usize,
    name: &'t str,
    shown: bool,
}

/// Leaves out the units that are not shown, if that pays for the marks and names it takes.
fn leave_out<'t>(lines: &[&'t str], units: &[Unit<'t>], keep: &mut [bool], names: &mut [&'t str]) {
    let mut told: HashSet<&str> = units.iter().filter(|unit| unit.shown).map(|unit| unit.name).collect();
    let new: Vec<&str> =
        units.iter().map(|unit| if !unit.shown && told.insert(unit.name) { unit.name } else { "" }).collect();
    let bytes: usize = units
        .iter()
        .filter(|unit| !unit.shown)
        .flat_map(|unit| &lines[unit.first..unit.end])
        .map(|line| line.len())
        .sum();
    let gaps = units.windows(2).filter(|pair| pair[0].shown && !pair[1].shown).count() + 1;
    let cost: usize = gaps * MARK + new.iter().map(|name| name.len() + 1).sum::<usize>();
    if bytes < cost * 2 {
        return;
    }
    for (unit, name) in units.iter().zip(new).filter(|(unit, _)| !unit.shown) {
        keep[unit.first..unit.end].fill(false);
        names[unit.first] = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> (Vec<bool>, Vec<String>) {
        let lines: Vec<&str> = text.lines().collect();
        let mut keep = vec![true; lines.len()];
        let names = fold(&lines, &vec![false; lines.len()], &mut keep);
        (keep, names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    #[test]
    fn of_many_rows_the_odd_ones_stay_and_every_name() {
        let row = |at: usize| match at {
            40 => "cache-40 7 7 4096 8 8 : slabdata 1 1 bad error\n".to_owned(),
            _ => format!("cache-{at:02} {} {} 512 8 8 : slabdata 1 1 0\n", at * 7 % 50, at * 3 % 40),
        };
        let text: String = (0..90).map(row).collect();
        let (keep, names) = folded(&text);
        assert!(keep[0] && keep[89] && keep[40]);
        assert!(keep.iter().filter(|kept| **kept).count() < 40);
        for (at, kept) in keep.iter().enumerate() {
            assert!(*kept || names.contains(&format!("cache-{at:02}")), "{at}");
        }
    }

    #[test]
    fn rows_of_several_sorts_are_told_apart_by_their_words() {
        let row = |at: usize| match at % 3 {
            0 => format!("reboot system boot 3.10.0-{} Tue Jan {} 14:28:{:02} 2021\n", 1062 + at % 2, at % 28, at % 60),
            _ => format!("user{} pts/{} Tue Jan {} 14:28:{:02} 2021\n", at % 7, at % 4, at % 28, at % 60),
        };
        let text: String = (0..150).map(row).collect();
        let (keep, names) = folded(&text);
        assert!(keep.iter().filter(|kept| **kept).count() < 90 && keep[0] && keep[149]);
        for user in 0..7 {
            let user = format!("user{user}");
            let shown = text.lines().zip(&keep).any(|(line, kept)| *kept && line.starts_with(&user));
            assert!(shown || names.contains(&user), "{user}");
        }
    }

    #[test]
    fn of_many_records_the_odd_ones_stay_and_every_name() {
        let record = |at: usize| {
            let mode = if at == 31 { "0777" } else { "0644" };
            format!("  File: /bin/tool-{at}\n  Size: {}   Blocks: 8\nAccess: ({mode})\nselftest : passed\n", 4000 + at)
        };
        let (keep, names) = folded(&(0..60).map(record).collect::<String>());
        assert!(keep[31 * 4] && keep[31 * 4 + 3] && !keep[33 * 4]);
        for at in 0..60 {
            assert_eq!(keep[at * 4], !names.contains(&format!("/bin/tool-{at}")), "{at}");
        }
    }

    #[test]
    fn code_prose_and_short_lists_stay() {
        for text in [
            "let x1 = 1 + 2;\n".repeat(90),
            "a line of words without any number in it at all\n".repeat(90),
            "eth0 1500 12 0 9\n".repeat(20),
        ] {
            assert!(folded(&text).0.iter().all(|kept| *kept), "{text}");
        }
    }
}
