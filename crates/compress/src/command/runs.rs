//! Words said many times in a row, as counters of things that did not happen are: `0 0 0 0 0`.
//!
//! ```text
//! [runs: "x*7" is x 7 times, with blanks between]
//! intr 2496709 18 73 0*6 1 0*3 18
//! ```
//!
//! Exact.

use std::fmt::Write as _;

const INTRODUCTION: &str = "[runs: \"x*7\" is x 7 times, with blanks between]\n";

/// A shorter run is written as it is.
const RUN: usize = 3;

/// The introduction must be worth it, and so must looking for lines that are alike once more: in bytes, and in percent of the text.
const WORTH: usize = 96;
const SHARE: usize = 2;

/// Longer runs, and texts, are neither written nor read back: a few bytes must not ask for gigabytes.
const MOST: usize = 1 << 16;
const BYTES: usize = 1 << 26;

/// Writes a word once for each run of it; `None` where there are too few, or a word could be taken for a run. Lines for which `plain` holds (by number,
/// from 0) are written as they are.
pub(super) fn encode(text: &str, plain: impl Fn(usize) -> bool) -> Option<String> {
    if text.len() > BYTES {
        return None;
    }
    let saved = saved(text, &plain)?;
    (saved > WORTH && saved * 100 >= text.len() * SHARE).then(|| write(text, plain))
}

/// How many bytes that saves, which for most texts is nothing; `None` where a word could be taken for a run.
fn saved(text: &str, plain: impl Fn(usize) -> bool) -> Option<usize> {
    let has_mark = memchr::memchr(b'*', text.as_bytes()).is_some();
    let mut saved = 0;
    for (at, line) in crate::lines::each(text).enumerate() {
        if has_mark && line.split(' ').any(|word| run(word).is_some()) {
            return None;
        }
        if !plain(at) {
            saved += runs(line)
                .filter(|(_, times)| *times >= RUN)
                .map(|(word, times)| (times - 1) * (word.len() + 1) - 3)
                .sum::<usize>();
        }
    }
    Some(saved)
}

/// The words of a line, each with how many times it is said; nothing is said many times, whatever stands around it.
fn runs(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut blanks = memchr::memchr_iter(b' ', line.as_bytes()).chain([line.len()]);
    let mut start = 0;
    let words = std::iter::from_fn(move || {
        let end = blanks.next()?;
        let word = &line[start..end];
        start = end + 1;
        Some(word)
    });
    let mut words = words.peekable();
    std::iter::from_fn(move || {
        let word = words.next()?;
        let mut times = 1;
        while !word.is_empty() && times < MOST && words.next_if_eq(&word).is_some() {
            times += 1;
        }
        Some((word, times))
    })
}

fn write(text: &str, plain: impl Fn(usize) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    encoded.push_str(INTRODUCTION);
    for (at, line) in crate::lines::each(text).enumerate() {
        if at > 0 {
            encoded.push('\n');
        }
        if plain(at) {
            encoded.push_str(line);
            continue;
        }
        for (place, (word, times)) in runs(line).enumerate() {
            encoded.push_str(if place > 0 { " " } else { "" });
            encoded.push_str(word);
            if times >= RUN {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "*{times}");
            } else {
                (1..times).for_each(|_| encoded.extend([" ", word]));
            }
        }
    }
    encoded
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let rest = encoded.strip_prefix(INTRODUCTION)?;
    let mut text = String::with_capacity(rest.len() * 2);
    for (at, line) in crate::lines::between(rest).into_iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        for (at, word) in line.split(' ').enumerate() {
            let (word, times) = run(word).unwrap_or((word, 1));
            if times * (word.len() + 1) > BYTES.saturating_sub(text.len()) {
                return None;
            }
            for time in 0..times {
                if at + time > 0 {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
    }
    Some(text)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// A word, and how many times.
fn run(word: &str) -> Option<(&str, usize)> {
    let (said, times) = word.rsplit_once('*').filter(|(said, _)| !said.is_empty())?;
    let count = times.parse().ok().filter(|count| (RUN..=MOST).contains(count))?;
    (count.to_string() == times).then_some((said, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeros_are_counted() {
        let text = format!("intr 24 18{} 1 0 0 x\n  two  three\n", " 0".repeat(60));
        let encoded = encode(&text, |_| false).expect("runs");
        assert_eq!(encoded, format!("{INTRODUCTION}intr 24 18 0*60 1 0 0 x\n  two  three\n"));
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert_eq!(encode(&text, |_| true), None);
        assert_eq!(encode(&(text + "2*7"), |_| false), None);
        assert_eq!(decode("x"), None);
    }

    proptest! {
        #[test]
        fn every_text_reads_back(words in prop::collection::vec(("[ab*3]{0,2}|\n", 1_usize..60), 0..20)) {
            let text = words.iter().map(|(word, times)| vec![word.as_str(); *times].join(" ")).collect::<Vec<_>>().join(" ");
            if let Some(encoded) = encode(&text, |_| false) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}
