//! Which lines of a log can be left out, and which cannot.
//!
//! The unit is the record: a line with a time and the lines without one that follow it (stack traces, dumps), or a line with its
//! stack frames where lines have no times. Records of one template are alike. Kept are
//!
//! - the first and the last record of each kind, and every record of a kind that is rare;
//! - for warnings and errors, one record for every distinct text, where addresses, ids and times do not count;
//! - one record for every value of a word that takes few values in its place (states, codes, names), unless the value
//!   is shown anyway, so that the one odd code among thousands of equal messages is there; every record with a rare name;
//! - the records on both sides of the longest silences;
//! - the first and the last records of the log.
//!
//! Everything kept is in order, and byte-exact once its own encoding ([`super::exact`]) is undone.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::BuildHasherDefault;
use std::ops::Range;

use headroom_core::{Compressed, Original};

use super::lex::{self, Hashed, HashedMap, Word};
use super::mine::Mined;
use super::stamp;
use crate::lines;

/// Kinds with no more records than this are kept whole.
const RARE: usize = 3;

/// Records kept at either end of the log.
const ENDS: usize = 2;

/// Words with more values than this in one place are ids: names without digits, and numbers.
const FEW_NAMES: usize = 48;
const FEW_NUMBERS: usize = 12;

/// At most this many distinct warnings or errors of one template are kept for their values alone.
const DISTINCT_ERRORS: usize = 12;

/// A silence is long when it exceeds both this (milliseconds) and many times the usual distance; at most so many are shown.
const SILENCE_MS: u64 = 10_000;
const SILENCE_TIMES: u64 = 100;
const SILENCES: usize = 6;

type Seen = HashSet<u64, BuildHasherDefault<Hashed>>;

/// The log with records left out; `None` when there is nothing to leave out. `mined` are its lines, with quoted sentences as values.
pub(crate) fn omit(original: &Original<'_>, mined: &Mined<'_>) -> Option<Compressed> {
    let lines = lines::split(original.text());
    if lines.len() < 8 {
        return None;
    }
    let records = records(mined.lines);
    let kinds = Kinds::of(mined, &records);
    let mut keep = vec![false; records.len()];
    keep_ends_of_kinds(&kinds, &mut keep);
    keep_distinct_errors(mined, &records, &kinds, &mut keep);
    keep_values(mined, &records, &mut keep);
    keep_silences(mined.lines, &records, &mut keep);

    let mut keep_line = vec![false; lines.len()];
    for (record, kept) in records.iter().zip(&keep) {
        keep_line[record.clone()].fill(*kept);
    }
    lines::fill_small_gaps(&lines, &mut keep_line);
    if keep_line.iter().all(|kept| *kept) {
        return None;
    }
    let (body, omissions) = lines::omit(original, &keep_line, |line| lines[line]);
    let marks: Vec<usize> = marks(&keep_line);
    let mut body = super::encode_but(&body, |line| marks.binary_search(&line).is_ok()).unwrap_or(body);
    write_counts(&mut body, &records, &kinds);
    Some(Compressed::omitting(body, original, omissions))
}

/// Which lines of the shortened text are gap marks.
fn marks(keep: &[bool]) -> Vec<usize> {
    let mut marks = Vec::new();
    let mut line = 0;
    for (index, kept) in keep.iter().enumerate() {
        if *kept {
            line += 1;
        } else if index == 0 || keep[index - 1] {
            marks.push(line);
            line += 1;
        }
    }
    marks
}

/// Cuts the log into records.
fn records(lines: &[&str]) -> Vec<Range<usize>> {
    let stamped: Vec<bool> = lines.iter().map(|line| stamp::time(line).is_some()).collect();
    let by_time = stamped.iter().filter(|stamped| **stamped).count() * 3 >= lines.len();
    let mut records: Vec<Range<usize>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let starts = if by_time { stamped[index] } else { !is_frame(line) };
        match records.last_mut() {
            Some(record) if !starts => record.end = index + 1,
            _ => records.push(index..index + 1),
        }
    }
    records
}

/// Whether a line only makes sense below another: a stack frame or a cause.
pub(crate) fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    let indented = trimmed.len() < line.len();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| trimmed.starts_with(prefix));
    (indented && starts(&["at ", "File \"", "... ", "from ", "--- "])) || starts(&["Caused by:", "Suppressed:"])
}

/// Which records are alike.
struct Kinds {
    of: Vec<usize>,
    kinds: Vec<Kind>,
}

struct Kind {
    first: usize,
    last: usize,
    count: usize,
}

impl Kinds {
    fn of(mined: &Mined<'_>, records: &[Range<usize>]) -> Self {
        let mut known: HashedMap<usize> = HashedMap::default();
        let mut kinds: Vec<Kind> = Vec::new();
        let of = records
            .iter()
            .enumerate()
            .map(|(index, record)| {
                // A line outside every template is alike to none.
                let hash = record.clone().fold(0, |hash, line| {
                    let id = mined.template(line).map_or(!(line as u64), |id| id as u64);
                    lex::mix(hash ^ id).wrapping_add(1)
                });
                let kind = *known.entry(hash).or_insert_with(|| {
                    kinds.push(Kind { first: index, last: index, count: 0 });
                    kinds.len() - 1
                });
                kinds[kind].last = index;
                kinds[kind].count += 1;
                kind
            })
            .collect();
        Self { of, kinds }
    }
}

fn keep_ends_of_kinds(kinds: &Kinds, keep: &mut [bool]) {
    for kind in &kinds.kinds {
        keep[kind.first] = true;
        keep[kind.last] = true;
    }
    let count = keep.len();
    for (index, kind) in kinds.of.iter().enumerate() {
        if kinds.kinds[*kind].count <= RARE || index < ENDS || index + ENDS >= count {
            keep[index] = true;
        }
    }
}

fn keep_distinct_errors(mined: &Mined<'_>, records: &[Range<usize>], kinds: &Kinds, keep: &mut [bool]) {
    let mut seen = Seen::default();
    let mut distinct = vec![0_usize; kinds.kinds.len()];
    for (index, record) in records.iter().enumerate() {
        let line = record.start;
        if !is_grave(mined.lines[line], mined.words(line)) {
            continue;
        }
        let kind = kinds.of[index];
        if distinct[kind] < DISTINCT_ERRORS && seen.insert(gist(mined.lines[line], mined.words(line))) {
            distinct[kind] += 1;
            keep[index] = true;
        }
    }
}

/// Whether a line says that it is a warning or worse.
pub(crate) fn is_grave(line: &str, words: &[Word]) -> bool {
    const LEVELS: [&str; 15] = [
        "error",
        "err",
        "eror",
        "warn",
        "warning",
        "fatal",
        "critical",
        "crit",
        "severe",
        "panic",
        "emerg",
        "alert",
        "failure",
        "traceback",
        "exception",
    ];
    /// The letters that levels begin with, a bit each.
    const STARTS: u32 = {
        let (mut starts, mut at) = (0, 0);
        while at < LEVELS.len() {
            starts |= 1 << (LEVELS[at].as_bytes()[0] - b'a');
            at += 1;
        }
        starts
    };
    // Most words are told from all levels by their first letter.
    let may_be = |byte: &u8| byte.is_ascii_alphabetic() && STARTS >> ((byte | 0x20) - b'a') & 1 == 1;
    let is_level = |word: &[u8]| {
        word.first().is_some_and(may_be) && LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level.as_bytes()))
    };
    words.iter().take(16).enumerate().any(|(place, word)| match word.of(line) {
        [b'E' | b'F' | b'W'] => place <= 5,
        said => (!word.digit && is_level(said)) || said.ends_with(b"Exception") || said.ends_with(b"Error"),
    })
}

/// Hash of a line without its times, addresses and ids: what is left are terms and small numbers such as codes.
fn gist(line: &str, words: &[Word]) -> u64 {
    words.iter().enumerate().fold(0, |hash, (place, word)| {
        let text = word.of(line);
        let counts =
            if word.digit { place >= 4 && text.len() <= 5 && text.iter().all(u8::is_ascii_digit) } else { true };
        lex::mix(hash ^ if counts { lex::hash(text) } else { 1 })
    })
}

/// The values that a word of a template takes, until they are too many.
#[derive(Default)]
struct Column {
    values: HashedMap<usize>,
    many: bool,
}

impl Column {
    /// Whether few lines have this value: with it, the message is another one, and each of its lines counts.
    fn is_rare(&self, value: u64) -> bool {
        self.values.get(&value).is_some_and(|count| *count < RARE)
    }
}

fn keep_values(mined: &Mined<'_>, records: &[Range<usize>], keep: &mut [bool]) {
    let columns = columns(mined);
    let mut shown = Seen::default();
    for (record, _) in records.iter().zip(&*keep).filter(|(_, kept)| **kept) {
        for line in record.clone() {
            shown.extend(mined.words(line).iter().map(|word| lex::hash(word.of(mined.lines[line]))));
        }
    }
    for (index, record) in records.iter().enumerate().filter(|(index, _)| !keep[*index]).collect::<Vec<_>>() {
        let new = record.clone().any(|line| {
            mined.template(line).is_some_and(|id| {
                let words = mined.words(line);
                mined.templates[id].varying.iter().enumerate().any(|(place, varies)| {
                    let value = lex::hash(words[place].of(mined.lines[line]));
                    let column = columns[id].get(place).filter(|column| varies.is_some() && !column.many);
                    column
                        .is_some_and(|column| !shown.contains(&value) || (!words[place].digit && column.is_rare(value)))
                })
            })
        });
        if new {
            keep[index] = true;
            for line in record.clone() {
                shown.extend(mined.words(line).iter().map(|word| lex::hash(word.of(mined.lines[line]))));
            }
        }
    }
}

/// For every template and word, the values it takes.
fn columns(mined: &Mined<'_>) -> Vec<Vec<Column>> {
    let mut columns: Vec<Vec<Column>> = mined
        .templates
        .iter()
        .map(|template| {
            if template.count > RARE {
                template.varying.iter().map(|_| Column::default()).collect()
            } else {
                Vec::new()
            }
        })
        .collect();
    for (index, line) in mined.lines.iter().enumerate() {
        let Some(id) = mined.template(index) else { continue };
        let words = mined.words(index);
        for (place, column) in columns[id].iter_mut().enumerate() {
            if column.many || mined.templates[id].varying[place].is_none() {
                continue;
            }
            let word = words[place];
            *column.values.entry(lex::hash(word.of(line))).or_default() += 1;
            let few = if word.digit { FEW_NUMBERS } else { FEW_NAMES };
            column.many = column.values.len() > few;
        }
    }
    columns
}

/// Keeps both ends of the longest silences between consecutive records.
fn keep_silences(lines: &[&str], records: &[Range<usize>], keep: &mut [bool]) {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let times: Vec<(usize, u64)> = records
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((index, stamp::time(lines[record.start])?)))
        .collect();
    let distance = |pair: &[(usize, u64)]| match pair[1].1.checked_sub(pair[0].1) {
        Some(distance) => distance,
        // Past midnight; half a day backwards or more is a clock or an order that went wrong, not a silence.
        None => {
            Some(pair[1].1 + DAY).and_then(|later| later.checked_sub(pair[0].1)).filter(|d| *d < DAY / 2).unwrap_or(0)
        }
    };
    let mut distances: Vec<(u64, usize)> =
        times.windows(2).map(|pair| (distance(pair), pair[1].0)).filter(|(distance, _)| *distance > 0).collect();
    if distances.len() < 8 {
        return;
    }
    let middle = distances.len() / 2;
    let usual = distances.select_nth_unstable(middle).1.0;
    distances.retain(|(distance, _)| *distance > SILENCE_MS && *distance / SILENCE_TIMES > usual);
    distances.sort_unstable_by_key(|(distance, record)| (std::cmp::Reverse(*distance), *record));
    for (_, record) in distances.into_iter().take(SILENCES) {
        keep[record] = true;
        keep[record - 1] = true;
    }
}

/// How often each kind occurred, by the line that shows it first.
fn write_counts(body: &mut String, records: &[Range<usize>], kinds: &Kinds) {
    let many = kinds.kinds.iter().filter(|kind| kind.count > RARE);
    let counts: Vec<String> = many.map(|kind| format!("{} x{}", records[kind.first].start + 1, kind.count)).collect();
    if counts.is_empty() {
        return;
    }
    if !body.ends_with('\n') {
        body.push('\n');
    }
    // Writing to a string cannot fail.
    let _ = writeln!(body, "[lines alike, by the number of the first: {}]", counts.join(", "));
}
