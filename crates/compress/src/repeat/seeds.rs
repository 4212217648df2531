//! Where runs of lines may begin: hashes of a few lines, and the places that have them.

use std::collections::HashMap;

use super::hash;
use super::line::Line;

/// Lines that must agree before a run is looked at more closely.
const SEED_LINES: usize = 3;

/// A window whose lines have fewer bytes than this, white space aside, says nothing: three brackets stand everywhere.
const SEED_BYTES: usize = 12;

/// A line of at least this many bytes is a seed by itself.
const LONG_LINE: usize = 160;

/// Earlier places that are tried for a seed: the most recent ones.
const PLACES: usize = 8;

/// The places of each seed, the latest first.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// For each seed its latest node.
    latest: HashMap<u64, u32, Identity>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    line: u32,
    /// The node of the same seed before this one; its own index if there is none.
    before: u32,
}

impl Seeds {
    /// Notes that a seed stands at a line. Beyond 4 billion notes nothing more is noted.
    pub(super) fn add(&mut self, seed: u64, line: usize) {
        let (Ok(node), Ok(line)) = (u32::try_from(self.nodes.len()), u32::try_from(line)) else { return };
        let before = self.latest.insert(seed, node).unwrap_or(node);
        self.nodes.push(Node { line, before });
    }

    /// About how many bytes they take.
    pub(super) const fn bytes(&self) -> usize {
        // A map has up to half of its places free.
        self.nodes.len() * (size_of::<Node>() + 2 * size_of::<(u64, u32)>())
    }

    /// The lines at which a seed stands, the latest first.
    pub(super) fn places(&self, seed: u64) -> impl Iterator<Item = usize> + '_ {
        let mut next = self.latest.get(&seed).copied();
        let places = std::iter::from_fn(move || {
            let at = next?;
            let node = self.nodes.get(at as usize)?;
            next = (node.before != at).then_some(node.before);
            Some(node.line as usize)
        });
        places.take(PLACES)
    }
}

/// What a line says, without its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    hash: u64,
    /// Bytes without the white space around them.
    ink: usize,
    /// Whether it is a seed by itself.
    long: bool,
}

impl Body {
    pub(super) fn of(text: &str, line: &Line) -> Self {
        let body = line.body(text);
        Self { hash: hash(body.as_bytes()), ink: body.trim().len(), long: body.len() >= LONG_LINE }
    }
}

/// The seeds of the first of these lines: that of the window it begins, and its own.
pub(super) fn seeds(lines: &[Body]) -> impl Iterator<Item = u64> + use<> {
    let window = lines.first_chunk::<SEED_LINES>();
    let window = window.filter(|window| window.iter().map(|body| body.ink).sum::<usize>() >= SEED_BYTES);
    let mixed = window.map(|window| window.iter().fold(0_u64, |sum, body| sum.rotate_left(21) ^ body.hash));
    let long = lines.first().filter(|body| body.long).map(|body| !body.hash);
    mixed.into_iter().chain(long)
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
