//! Rows whose words stand in the row above as well, in the same places.
//!
//! ```text
//! [above: "^" is the word above, "^3" the three words above]
//! 1646857494 0 2 0.00 0.00 0.00 0.00 0 kthreadd
//! ^2 4 ^5 kworker/0:0H
//! ```
//!
//! Exact. Templates ([`crate::log::exact`]) say once what many lines share and then each line's own words; here every row may share other words
//! with its neighbour, as rows of counters do of which most are nought.

use std::fmt::Write as _;
use std::ops::Range;

const INTRODUCTION: &str = "[above: \"^\" is the word above, \"^3\" the three words above]\n";

/// The introduction must be worth it, and so must weighing one more form: in bytes, and in percent of the text.
const WORTH: usize = 96;
const SHARE: usize = 8;

/// What is read back is at most so many times as long as what is read: a few bytes must not ask for gigabytes.
const GROWTH: usize = 400;

/// Writes rows without the words that stand above; `None` where there are too few, or a word could be taken for a mark. Lines for which `plain`
/// holds (by number, from 0) are written as they are.
pub(super) fn encode(text: &str, plain: impl Fn(usize) -> bool) -> Option<String> {
    let mut encoded = String::with_capacity(text.len());
    encoded.push_str(INTRODUCTION);
    let (mut above, mut words) = (Vec::new(), Vec::new());
    let mut saved = 0;
    for (at, line) in crate::lines::between(text).into_iter().enumerate() {
        if at > 0 {
            encoded.push('\n');
        }
        words.clear();
        words.extend(line.split(' '));
        if words.iter().any(|word| mark(word).is_some()) {
            return None;
        }
        let start = encoded.len();
        if plain(at) {
            encoded.push_str(line);
        } else {
            row(&words, &above, &mut encoded);
        }
        saved += line.len() - (encoded.len() - start);
        std::mem::swap(&mut above, &mut words);
    }
    let reads_back = || encoded.len() * GROWTH > text.len();
    (saved > WORTH && saved * 100 >= text.len() * SHARE && reads_back()).then_some(encoded)
}

/// One row; never longer than it was.
fn row(words: &[&str], above: &[&str], encoded: &mut String) {
    let mut at = 0;
    while at < words.len() {
        if at > 0 {
            encoded.push(' ');
        }
        let run = words[at..].iter().zip(above.get(at..).unwrap_or_default()).take_while(|(word, above)| word == above);
        let (count, bytes) = run.fold((0_usize, 0), |(count, bytes), (word, _)| (count + 1, bytes + word.len() + 1));
        // A mark takes two tokens, and two bytes or more.
        match count {
            0 => {}
            1 if bytes > 3 => encoded.push('^'),
            _ if count > 1 && bytes > 4 => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "^{count}");
            }
            _ => {
                encoded.push_str(&words[at..at + count].join(" "));
            }
        }
        if count == 0 {
            encoded.push_str(words[at]);
        }
        at += count.max(1);
    }
}

/// How many words of the row above a word stands for.
fn mark(word: &str) -> Option<usize> {
    let count = word.strip_prefix('^')?;
    if count.is_empty() {
        return Some(1);
    }
    // A number with another spelling, or that no row is long enough for, is not ours.
    let is_ours = !count.starts_with(['0', '+']) && count.len() <= 5;
    count.parse().ok().filter(|count| is_ours && *count > 1)
}

/// Whether a text starts like one that was written here.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// Undoes [`encode`]; `None` for a text that it did not write.
pub(super) fn decode(written: &str) -> Option<String> {
    let body = written.strip_prefix(INTRODUCTION)?;
    let mut text = String::with_capacity(body.len() * 2);
    // The words of the row above, by their places in the text.
    let (mut above, mut words): (Vec<Range<usize>>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for (at, line) in body.split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
        }
        words.clear();
        for (place, word) in line.split(' ').enumerate() {
            if place > 0 {
                text.push(' ');
            }
            let Some(count) = mark(word) else {
                words.push(text.len()..text.len() + word.len());
                text.push_str(word);
                continue;
            };
            let from = words.len();
            for range in above.get(from..from + count)? {
                if words.len() > from {
                    text.push(' ');
                }
                words.push(text.len()..text.len() + range.len());
                text.extend_from_within(range.clone());
            }
            if text.len() > body.len().saturating_mul(GROWTH) {
                return None;
            }
        }
        std::mem::swap(&mut above, &mut words);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_that_stand_above_are_not_said_again() {
        let rows: String = (0..20).map(|at| format!("1646857494 0 {at} 0.00 0.00 0.00 name-{at} 0\n")).collect();
        let encoded = encode(&rows, |_| false).expect("shorter");
        assert!(encoded.contains("\n^2 7 ^3 name-7 0\n"), "{encoded}");
        assert_eq!(decode(&encoded).as_deref(), Some(&*rows));
        let plain = encode(&rows, |line| line == 7).expect("shorter");
        assert!(plain.contains("\n1646857494 0 7 0.00 0.00 0.00 name-7 0\n"), "{plain}");
        assert_eq!(decode(&plain).as_deref(), Some(&*rows));
    }

    #[test]
    fn what_looks_like_a_mark_is_left_alone() {
        let rows = "1646857494 ^2 0 0.00 0.00 0.00 ^ name\n".repeat(20);
        assert_eq!(encode(&rows, |_| false), None);
        for written in ["^2\n", "a\n^2\n", "a ^2\nb ^3\n", &format!("a b\n{}", "^2 a\n".repeat(9))] {
            let _ = decode(&format!("{INTRODUCTION}{written}"));
        }
        assert_eq!(decode(&format!("{INTRODUCTION}a\n^2")), None);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in "([ab^]{0,3} {0,2}){0,6}\n(([ab0-9]{1,4} ){0,8}\n){0,30}") {
            if let Some(encoded) = encode(&text, |line| line % 7 == 3) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}
