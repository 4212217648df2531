//! A byte-pair vocabulary as a table in the binary, and counting with it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::hash::{FIRST_LENGTH, SHORT, bucket, hash, hash_key, key, place};

/// Pieces up to this many bytes are merged by scanning, which is faster than a heap for the lengths that words have.
const SCAN_BYTES: usize = 48;

/// Pieces of more bytes are counted in cuts: the exact count of a megabyte without a word boundary would take half a second.
const CUT_FROM_BYTES: usize = 64 << 10;

/// Bytes of one cut.
const CUT_BYTES: usize = 4 << 10;

/// A vocabulary table; see the build script for its layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    table: &'static [u8],
    blocks: &'static [[u8; 2]; 1024],
    pairs: &'static [[[u8; 3]; 64]],
    groups: &'static [[[u8; 4]; 4]],
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
        let (head, rest) = table.split_at(8);
        let [longest, pairs] = *head.as_chunks::<4>().0 else { panic!("two numbers") };
        let (blocks, rest) = rest.split_at(2 << 10);
        let Some(blocks) = blocks.as_chunks::<2>().0.first_chunk() else { panic!("a block for each pair") };
        let (pairs, rest) = rest.split_at(3 * 64 * number(pairs));
        let (groups, _) = rest.split_at(16 * (number(longest) + 1 - FIRST_LENGTH));
        let pairs = pairs.as_chunks::<3>().0.as_chunks().0;
        Self { table, blocks, pairs, groups: groups.as_chunks::<4>().0.as_chunks().0 }
    }

    /// The rank of a byte string of two bytes and more, if it is a token.
    #[inline]
    fn rank(&self, token: &[u8]) -> Option<u32> {
        if let [first, second] = *token {
            return self.rank_of_pair([first, second]);
        }
        let length = token.len();
        let [pilots, buckets, entries, places] = self.groups.get(length.checked_sub(FIRST_LENGTH)?)?.map(number);
        let short = length <= SHORT;
        let wanted = if short { key(token) } else { 0 };
        let hash = if short { hash_key(wanted) } else { hash(token) };

        let pilot = u16::from_le_bytes(*self.table.get(pilots + 2 * bucket(hash, buckets)..)?.first_chunk()?);
        let entry = self.table.get(entries + place(hash, pilot, places) * (length + 3)..)?;
        let same = if short {
            (u64::from_le_bytes(*entry.first_chunk()?) ^ wanted) << (64 - 8 * length) == 0
        } else {
            entry.get(..length)? == token
        };
        let rank = u32::from_le_bytes(*entry.get(length..)?.first_chunk()?) & 0xff_ffff;
        if same { rank.checked_sub(1) } else { None }
    }

    /// The rank of a token of two bytes.
    #[inline]
    fn rank_of_pair(&self, pair: [u8; 2]) -> Option<u32> {
        let pair = usize::from(u16::from_be_bytes(pair));
        let block = self.pairs.get(usize::from(u16::from_le_bytes(self.blocks[pair / 64])))?;
        let [low, middle, high] = block[pair % 64];
        u32::from_le_bytes([low, middle, high, 0]).checked_sub(1)
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

const fn number(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}
