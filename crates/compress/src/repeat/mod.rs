//! Text that already stands earlier in the same request.
//!
//! [`Earlier`] indexes, line by line, what the model can already see. [`Earlier::fold`] replaces runs of lines of a new text that
//! stand there with a reference. Nothing is lost: the text is in the request, and the reference says where. A re-read of
//! a changed file so becomes its changes, each in place.
//!
//! Numbered views (`cat -n`, an editor's `12:`, `12|`, `12→`) are compared without their numbers, so that a re-read still folds
//! after lines were inserted above; the reference then states both ranges.
//!
//! The method: each window of [`SEED_LINES`] lines (and each long line by itself) of the earlier text is filed under its hash. The new
//! text is walked once; at each line the candidates for its window are extended as far as bytes agree, the longest wins,
//! and the walk goes on behind it. Candidates are bounded, so the walk is linear in the new text.

mod fold;
mod line;

pub use fold::Folded;

use std::collections::HashMap;

use line::{Line, lines};

/// Lines that must agree before a run is looked at more closely.
const SEED_LINES: usize = 3;

/// A line of at least this many bytes is a seed by itself.
const LONG_LINE: usize = 160;

/// Earlier places remembered per seed: the most recent ones.
const PLACES: usize = 8;

/// A text that the model can see.
#[derive(Debug)]
struct Source {
    label: String,
    /// Its lines, as a range of [`Earlier::lines`].
    first: usize,
    count: usize,
    /// Hash of the whole text as the client sent it, and where it came from.
    whole: u64,
}

/// Everything that stands before the text to be folded, in order.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The visible texts, one after another.
    text: String,
    lines: Vec<Line>,
    sources: Vec<Source>,
    /// For each line the source it belongs to.
    source_of: Vec<u32>,
    seeds: HashMap<u64, Vec<u32>, Identity>,
}

impl Earlier {
    /// Adds a text: `visible` is what the model reads, `original` what the client sent (the same, unless it was compressed).
    /// `label` names it in references: a file, or the start of a command.
    pub fn add(&mut self, label: &str, visible: &str, original: &str) {
        let source = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        let offset = self.text.len();
        self.text.push_str(visible);
        let first = self.lines.len();
        self.lines.extend(lines(visible).map(|line| line.shifted(offset)));
        self.source_of.resize(self.lines.len(), source);
        let whole = hash(original.as_bytes());
        self.sources.push(Source { label: label.to_owned(), first, count: self.lines.len() - first, whole });
        for at in first..self.lines.len() {
            for seed in self.seeds_at(&self.text, &self.lines[..], at) {
                let places = self.seeds.entry(seed).or_default();
                if places.len() == PLACES {
                    places.remove(0);
                }
                places.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
    }

    /// Whether there is nothing to refer to.
    pub const fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The seeds of the line `at` of `lines`, which index into `text`.
    fn seeds_at(&self, text: &str, lines: &[Line], at: usize) -> impl Iterator<Item = u64> + use<> {
        let window = lines.get(at..at + SEED_LINES).map(|window| {
            let mixed = window.iter().fold(0_u64, |sum, line| sum.rotate_left(21) ^ hash(line.body(text).as_bytes()));
            // Three blank or bracket-only lines say nothing; they would fill the table with places that all agree.
            (window.iter().map(|line| line.body(text).trim().len()).sum::<usize>() >= 12).then_some(mixed)
        });
        let long = lines.get(at).map(|line| line.body(text)).filter(|body| body.len() >= LONG_LINE);
        window.flatten().into_iter().chain(long.map(|body| !hash(body.as_bytes())))
    }
}

/// FNV-1a over eight bytes at a time: fast, stable across platforms, and only a filter: every match is compared byte by byte.
fn hash(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut state: u64 = 0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        state ^= state >> 29;
    }
    for byte in rest {
        state = (state ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    state ^ state >> 32
}

/// The seeds are hashes already.
type Identity = std::hash::BuildHasherDefault<IdentityHasher>;

/// Passes a `u64` through as its own hash.
#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl std::hash::Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
