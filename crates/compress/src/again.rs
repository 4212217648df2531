//! Blocks of lines that stand further up already: a patch shown before and after it was applied, the same report twice.
//!
//! ```text
//! ["[=31 again]": the 31 lines that stand below the line above where it stands first]
//! diff --git a/x b/x
//! [=31 again]
//! ```
//!
//! Exact: the first line of a block is written, and tells where the rest is.

use crate::log::lex::{self, HashedMap};

const INTRODUCTION: &str = "[\"[=31 again]\": the 31 lines that stand below the line above where it stands first]\n";

/// A block is worth a mark from this many lines and bytes on.
const LINES: usize = 4;
const BYTES: usize = 200;

/// Writes a mark for every block that stands further up; `None` when there is none, or a line could be taken for a mark.
pub(crate) fn encode(text: &str) -> Option<String> {
    encode_where(text, |_| true)
}

/// [`encode`], with marks only for lines (by number, from 0) for which `free` holds; all others are written.
pub(crate) fn encode_where(text: &str, free: impl Fn(usize) -> bool) -> Option<String> {
    let lines = crate::lines::between(text);
    let hashes: Vec<u64> = lines.iter().map(|line| lex::hash(line.as_bytes())).collect();
    if !has_block(&hashes) {
        return None;
    }
    let mut first = First::default();
    let mut encoded = String::with_capacity(text.len());
    encoded.push_str(INTRODUCTION);
    let (mut at, mut found) = (0, false);
    while at < lines.len() {
        let line = lines[at];
        if count(line).is_some() {
            return None;
        }
        encoded.push_str(line);
        encoded.push('\n');
        let from = first.of(hashes[at], &lines, at);
        at += 1;
        let run = from.map_or(0, |from| block(&lines, from + 1, at, &free));
        if run > 0 {
            encoded.push_str(&format!("[={run} again]\n"));
            at += run;
            found = true;
        }
    }
    encoded.pop();
    found.then_some(encoded)
}

/// Where lines stand first, by hash. Of two lines with one hash only the first one is known, and no block stands below the other.
#[derive(Default)]
struct First(HashedMap<usize>);

impl First {
    /// Where the line at this place stands first: here, if nowhere before.
    fn of(&mut self, hash: u64, lines: &[&str], at: usize) -> Option<usize> {
        let first = *self.0.entry(hash).or_insert(at);
        (lines[first] == lines[at]).then_some(first)
    }
}

/// Whether any run of lines (by their hashes) as long as a block with the line above it comes twice; most texts have none, and are done here.
fn has_block(hashes: &[u64]) -> bool {
    let mut pairs: HashedMap<()> = HashedMap::default();
    pairs.reserve(hashes.len());
    // A block has a line above it and at least as many of its own.
    hashes.windows(LINES + 1).any(|run| {
        let key = run.iter().fold(0, |key, hash| lex::mix(key ^ hash));
        pairs.insert(key, ()).is_some()
    })
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let mut lines: Vec<&str> = Vec::new();
    let mut first = First::default();
    for line in crate::lines::each(encoded.strip_prefix(INTRODUCTION)?) {
        match count(line) {
            None => {
                lines.push(line);
                first.of(lex::hash(line.as_bytes()), &lines, lines.len() - 1);
            }
            Some(count) => {
                let above = lines.last()?;
                let from = first.of(lex::hash(above.as_bytes()), &lines, lines.len() - 1)? + 1;
                // The block stands above as a whole: a copy never reads what it writes.
                let block = lines.get(from..from.checked_add(count)?)?.to_vec();
                lines.extend(block);
            }
        }
    }
    Some(lines.join("\n"))
}

/// Whether a text starts the way [`encode`] writes.
pub(crate) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// Whether a line of the written text is not the source's: it may not be encoded once more.
pub(crate) fn is_mark(line: &str) -> bool {
    count(line).is_some() || INTRODUCTION.strip_suffix('\n') == Some(line)
}

/// How many lines from `at` on are those from `from` on, if that is worth a mark.
fn block(lines: &[&str], from: usize, at: usize, free: &impl Fn(usize) -> bool) -> usize {
    if from >= at {
        return 0;
    }
    let same = lines[from..at].iter().zip(&lines[at..]).enumerate();
    let run = same.take_while(|(offset, (a, b))| a == b && free(at + offset)).count();
    let bytes: usize = lines[at..at + run].iter().map(|line| line.len() + 1).sum();
    if run >= LINES && bytes >= BYTES { run } else { 0 }
}

fn count(line: &str) -> Option<usize> {
    let count = line.strip_prefix("[=")?.strip_suffix(" again]")?;
    count.parse().ok().filter(|parsed: &usize| parsed.to_string() == count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_second_copy_of_a_block_is_a_mark() {
        let block: String = (0..8).map(|line| format!("line {line} of something that is shown twice\n")).collect();
        let text = format!("before\n{block}between\n{block}after");
        let encoded = encode(&text).expect("a block");
        assert!(encoded.ends_with("between\nline 0 of something that is shown twice\n[=7 again]\nafter"), "{encoded}");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert_eq!(encode(&format!("[=7 again]\n{text}")), None);
        assert_eq!(decode("x"), None);
    }

    proptest! {
        #[test]
        fn every_text_reads_back(lines in prop::collection::vec(0_usize..6, 0..60), long in 0_usize..60) {
            let text = lines.iter().map(|line| format!("{line}{}", "x".repeat(long))).collect::<Vec<_>>().join("\n");
            if let Some(encoded) = encode(&text) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}
