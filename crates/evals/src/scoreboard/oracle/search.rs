//! Search results, listings and tables: every hit with its place, every name, every row's key.

use std::sync::LazyLock;

use regex::Regex;

use super::words::{pattern, visible};
use super::{Seen, Verdict};

static HIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([^:\s][^:]*):(\d+)([:-])(.*)$"));

/// Every line of `grep -n` as a whole: file, line number and text.
pub(super) fn check_hits(input: &str, seen: &Seen, verdict: &mut Verdict) {
    for line in input.lines().filter(|line| !line.trim().is_empty()) {
        let line = visible(line);
        verdict.note(seen.shows(&line), || {
            let place = HIT.captures(&line).map(|hit| format!("{} line {}: ", &hit[1], &hit[2])).unwrap_or_default();
            place + &line
        });
    }
}

/// Every name of a listing: what follows the last run of blanks, a whole path where one is printed.
pub(super) fn check_names(input: &str, seen: &Seen, verdict: &mut Verdict) {
    for line in input.lines() {
        let line = visible(line);
        let name = line.rsplit(['\t', ' ']).next().unwrap_or_default().trim();
        if !name.is_empty() {
            verdict.note(seen.shows(name), || name.to_owned());
        }
    }
}

/// The first cell of every row, and the second where rows are told apart by it (`ps`: user, then process).
pub(super) fn check_keys(input: &str, seen: &Seen, verdict: &mut Verdict) {
    let separator =
        [',', '\t', '|', ';'].into_iter().find(|sign| input.lines().take(5).all(|line| line.contains(*sign)));
    for line in input.lines().filter(|line| line.contains(char::is_alphanumeric)) {
        let cells: Vec<&str> = match separator {
            Some(sign) => line.split(sign).map(str::trim).filter(|cell| !cell.is_empty()).take(2).collect(),
            None => line.split_whitespace().take(2).collect(),
        };
        for cell in cells {
            verdict.note(seen.shows(cell), || cell.to_owned());
        }
    }
}
