//! Logs: every message that occurs, and every rare line.
//!
//! Which lines are the same message is what people labelled (loghub), or else what a parse tree of fixed depth says, the way Drain sorts
//! logs: lines of one number of words and one first word without digits belong together when at least half of their words are equal.

use std::collections::HashMap;

use super::super::items::Item;
use super::{Seen, Verdict};

/// A message with no more lines than this is rare: each of its lines must be shown.
const RARE: usize = 2;

/// Share of words, in percent, that lines of one message have in common.
const ALIKE_PERCENT: usize = 50;

/// Words in front that are time and process, and say nothing about the message.
const HEADER: usize = 3;

pub(super) fn check(item: &Item, seen: &Seen, verdict: &mut Verdict) {
    let lines: Vec<&str> = item.text.lines().collect();
    let of_line = if item.events.is_empty() { clusters(&lines) } else { item.events.clone() };
    let mut messages: HashMap<&str, Vec<&str>> = HashMap::new();
    for (line, event) in lines.iter().zip(&of_line).filter(|(line, _)| !line.trim().is_empty()) {
        messages.entry(event).or_default().push(line);
    }
    let mut names: Vec<_> = messages.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        let lines = &messages[name];
        if lines.len() <= RARE {
            lines.iter().for_each(|line| verdict.note(seen.shows(line), || (*line).to_owned()));
        } else {
            verdict.note(lines.iter().any(|line| seen.shows(line)), || {
                format!("message of {} lines: {}", lines.len(), lines[0])
            });
        }
    }
}

/// A name for each line's message.
fn clusters(lines: &[&str]) -> Vec<String> {
    let mut groups: HashMap<(usize, String), Vec<Vec<String>>> = HashMap::new();
    let mut names = Vec::with_capacity(lines.len());
    for line in lines {
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| if word.bytes().any(|byte| byte.is_ascii_digit()) { "*".to_owned() } else { word.to_owned() })
            .collect();
        let first = words.iter().skip(HEADER).find(|word| *word != "*").cloned().unwrap_or_default();
        let known = groups.entry((words.len(), first.clone())).or_default();
        let alike = |other: &Vec<String>| {
            let equal = other.iter().zip(&words).filter(|(a, b)| a == b).count();
            equal * 100 >= words.len() * ALIKE_PERCENT
        };
        let place = known.iter().position(alike).unwrap_or(known.len());
        match known.get_mut(place) {
            None => known.push(words.clone()),
            Some(template) => {
                for (fixed, word) in template.iter_mut().zip(&words) {
                    if fixed != word {
                        "*".clone_into(fixed);
                    }
                }
            }
        }
        names.push(format!("{} {first} {place}", words.len()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_a_value_are_one_message() {
        let names = clusters(&[
            "12:00 a[1]: session opened for user ann by x",
            "12:01 a[2]: session opened for user bob by y",
            "12:01 a[2]: disk of host is full and bad",
            "12:01 a[2]: too short",
        ]);
        assert_eq!(names[0], names[1]);
        assert!(names[1] != names[2] && names[2] != names[3]);
    }
}
