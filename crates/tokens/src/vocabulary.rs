//! A byte-pair vocabulary as a table in the binary, and counting with it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::hash::{SHORT, hash, hash_key, key};

/// Pieces up to this many bytes are merged by scanning, which is faster than a heap for the lengths that words have.
const SCAN_BYTES: usize = 48;

/// Pieces of more bytes are counted in cuts: the exact count of a megabyte without a word boundary would take half a second.
const CUT_FROM_BYTES: usize = 64 << 10;

/// Bytes of one cut.
const CUT_BYTES: usize = 4 << 10;

/// A vocabulary table; see the build script for its layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    pairs: &'static [[u8; 4]; 1 << 16],
    short: &'static [[u8; 12]],
    long: Long,
}

/// The tokens of more than [`SHORT`] bytes.
#[derive(Clone, Copy, Debug)]
struct Long {
    slots: &'static [[u8; 4]],
    ranks: &'static [[u8; 4]],
    offsets: &'static [[u8; 4]],
    bytes: &'static [u8],
    longest: usize,
}

/// The vocabulary of OpenAI models since GPT-4o.
pub(crate) static O200K: Vocabulary =
    Vocabulary::from_table(include_bytes!(concat!(env!("OUT_DIR"), "/o200k_base.bin")));

/// The vocabulary of GPT-4 and GPT-3.5.
pub(crate) static CL100K: Vocabulary =
    Vocabulary::from_table(include_bytes!(concat!(env!("OUT_DIR"), "/cl100k_base.bin")));

impl Vocabulary {
    /// Splits a table into its parts, at compile time: a table of another layout does not compile.
    const fn from_table(table: &'static [u8]) -> Self {
        let (head, rest) = table.split_at(16);
        let (numbers, _) = head.as_chunks::<4>();
        let (short, long, tokens, longest) =
            (number(numbers[0]), number(numbers[1]), number(numbers[2]), number(numbers[3]));
        let (pairs, rest) = rest.split_at(4 << 16);
        let Some((pairs, _)) = pairs.as_chunks::<4>().0.split_first_chunk() else { panic!("a number for each pair") };
        let (slots, rest) = rest.split_at(12 * short);
        let (short, _) = slots.as_chunks::<12>();
        let (slots, rest) = rest.split_at(4 * long);
        let (ranks, rest) = rest.split_at(4 * tokens);
        let (offsets, bytes) = rest.split_at(4 * (tokens + 1));
        let ((slots, _), (ranks, _), (offsets, _)) =
            (slots.as_chunks::<4>(), ranks.as_chunks::<4>(), offsets.as_chunks::<4>());
        Self { pairs, short, long: Long { slots, ranks, offsets, bytes, longest } }
    }

    /// The rank of a byte string, if it is a token.
    #[inline]
    fn rank(&self, token: &[u8]) -> Option<u32> {
        if token.len() > SHORT {
            return self.long.rank(token);
        }
        let wanted = key(token);
        let mask = self.short.len() - 1;
        let mut at = hash_key(wanted, token.len()) as usize & mask;
        loop {
            let (key, rest) = self.short[at].split_first_chunk::<8>()?;
            let (key, rank) = (u64::from_le_bytes(*key), u32::from_le_bytes(*rest.first_chunk()?));
            if rank == 0 {
                return None;
            }
            if key == wanted && (rank & 15) as usize == token.len() {
                return Some((rank >> 4) - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// The rank of a token of two bytes.
    #[inline]
    fn rank_of_pair(&self, pair: [u8; 2]) -> Option<u32> {
        u32::from_le_bytes(self.pairs[usize::from(u16::from_le_bytes(pair))]).checked_sub(1)
    }

    /// Tokens of one piece of text, as the pre-tokenizer cut it.
    pub(crate) fn count_piece(&self, piece: &[u8]) -> usize {
        if piece.len() <= 1 || self.rank(piece).is_some() {
            return usize::from(!piece.is_empty());
        }
        if piece.len() <= SCAN_BYTES {
            self.merge_by_scan(piece)
        } else if piece.len() <= CUT_FROM_BYTES {
            self.merge_by_heap(piece)
        } else {
            piece.chunks(CUT_BYTES).map(|cut| self.merge_by_heap(cut)).sum()
        }
    }

    /// Byte-pair merging: the pair of lowest rank is joined, the leftmost first, until no pair is a token. Quadratic in a piece of
    /// bounded length.
    fn merge_by_scan(&self, piece: &[u8]) -> usize {
        const NONE: u32 = u32::MAX;
        // For each part its start, and the rank of the pair it begins.
        let mut starts = [0_usize; SCAN_BYTES + 1];
        let mut ranks = [NONE; SCAN_BYTES + 1];
        let mut parts = piece.len();
        for (at, start) in starts.iter_mut().enumerate().take(parts + 1) {
            *start = at;
        }
        for (rank, pair) in ranks.iter_mut().zip(piece.windows(2)) {
            *rank = self.rank_of_pair([pair[0], pair[1]]).unwrap_or(NONE);
        }
        loop {
            let mut best = (NONE, 0);
            for (at, rank) in ranks[..parts].iter().enumerate() {
                if *rank < best.0 {
                    best = (*rank, at);
                }
            }
            if best.0 == NONE {
                return parts;
            }
            let at = best.1;
            starts.copy_within(at + 2..=parts, at + 1);
            ranks.copy_within(at + 2..=parts, at + 1);
            parts -= 1;
            let pair = |at: usize, starts: &[usize]| {
                if at + 2 > parts { NONE } else { self.rank(&piece[starts[at]..starts[at + 2]]).unwrap_or(NONE) }
            };
            ranks[at] = pair(at, &starts);
            if at > 0 {
                ranks[at - 1] = pair(at - 1, &starts);
            }
        }
    }

    /// The same for long pieces, in n log n: a heap of pairs over a linked list of parts. A heap entry whose pair has changed since
    /// is recognised by its length and skipped.
    fn merge_by_heap(&self, piece: &[u8]) -> usize {
        let length = piece.len();
        let mut next: Vec<u32> = (1..=length as u32 + 1).collect();
        let mut previous: Vec<u32> = (0..=length as u32).map(|at| at.wrapping_sub(1)).collect();
        let mut alive = vec![true; length];
        let mut heap = BinaryHeap::new();
        let pair = |at: usize, next: &[u32]| -> Option<Reverse<(u32, u32, u32)>> {
            let middle = next[at] as usize;
            let end = (middle < length).then(|| next[middle] as usize)?;
            let rank = self.rank(&piece[at..end])?;
            Some(Reverse((rank, at as u32, end as u32)))
        };
        heap.extend(piece.windows(2).zip(0..).filter_map(|(pair, at)| {
            let rank = self.rank_of_pair([pair[0], pair[1]])?;
            Some(Reverse((rank, at, at + 2)))
        }));
        let mut parts = length;
        while let Some(Reverse((_, at, end))) = heap.pop() {
            let at = at as usize;
            let middle = next[at] as usize;
            if !alive[at] || middle >= length || next[middle] != end {
                continue;
            }
            alive[middle] = false;
            next[at] = end;
            if (end as usize) < length {
                previous[end as usize] = at as u32;
            }
            parts -= 1;
            heap.extend(pair(at, &next));
            if at > 0 {
                heap.extend(pair(previous[at] as usize, &next));
            }
        }
        parts
    }
}

impl Long {
    fn rank(&self, token: &[u8]) -> Option<u32> {
        if token.len() > self.longest {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(token) as usize & mask;
        loop {
            let place = number(self.slots[at]).checked_sub(1)?;
            let (start, end) = (number(self.offsets[place]), number(self.offsets[place + 1]));
            if self.bytes.get(start..end) == Some(token) {
                return Some(u32::from_le_bytes(self.ranks[place]));
            }
            at = (at + 1) & mask;
        }
    }
}

const fn number(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}
