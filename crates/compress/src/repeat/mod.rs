//! Text that already stands earlier in the same request.
//!
//! [`Earlier`] indexes, line by line, what the model can already see. [`Earlier::fold`] replaces runs of lines of a new text that
//! stand there with a reference. Nothing is lost: the text is in the request, and the reference says where. A re-read of
//! a changed file so becomes its changes, each in place.
//!
//! Numbered views (`cat -n`, an editor's `12:`, `12|`, `12→`) are compared without their numbers, so that a re-read still folds
//! after lines were inserted above; the reference then states both ranges.
//!
//! The method: each window of three lines (and each long line by itself) of the earlier text is filed under its hash. The new
//! text is walked once; at each line the candidates for its window are extended as far as bytes agree, the longest wins,
//! and the walk goes on behind it. Candidates are bounded, so the walk is linear in the new text.

mod fold;
mod line;
mod seeds;

pub use fold::Folded;

use line::{Line, lines};
use seeds::{Body, Seeds, seeds};

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
    seeds: Seeds,
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
        let bodies: Vec<Body> = self.lines[first..].iter().map(|line| Body::of(&self.text, line)).collect();
        for at in 0..bodies.len() {
            seeds(&bodies[at..]).for_each(|seed| self.seeds.add(seed, first + at));
        }
    }

    /// About how many bytes it takes.
    pub const fn bytes(&self) -> usize {
        self.text.capacity()
            + self.lines.capacity() * size_of::<Line>()
            + self.source_of.capacity() * size_of::<u32>()
            + self.seeds.bytes()
    }

    /// Whether there is nothing to refer to.
    pub const fn is_empty(&self) -> bool {
        self.sources.is_empty()
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

#[cfg(test)]
mod tests;
