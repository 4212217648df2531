//! Pieces met lately, with their counts.
//!
//! Texts say the same few words again and again, and so do the texts that are made of them: most pieces are found here, without a look
//! into the vocabulary, which is too large for the caches that are fast. A count is a function of the piece alone, so what is
//! remembered changes how long counting takes and nothing else.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Places for the shortest pieces, and for short ones; powers of two. All together they take a fifth of a second-level cache of 1 MiB. With a
/// quarter of these places counting a text that was not counted before takes up to a third longer, for the looks into the vocabulary.
const SHORTEST_PLACES: usize = 1 << 14;
const PLACES: usize = 1 << 12;

/// Longest of the shortest pieces in bytes: with its length and its count it fills a number.
const SHORTEST: usize = 7;

/// Where in that number its length and its count stand.
const SHORTEST_LENGTH_AT: u32 = 8 * SHORTEST as u32;
const SHORTEST_TOKENS_AT: u32 = SHORTEST_LENGTH_AT + 3;

/// Longest short piece in bytes: with its length and its count it fills a place.
const SHORT: usize = 14;

/// Where in the second number of a place its length and its count stand.
const LENGTH_AT: u32 = 8 * SHORT as u32 - 64;
const TOKENS_AT: u32 = LENGTH_AT + 8;

/// What belongs to a piece of each length among the first 16 bytes from its start on.
const MASKS: [Place; SHORT + 1] = {
    let mut masks = [(0, 0); SHORT + 1];
    let mut length = 1;
    while length <= SHORT {
        let mask = u128::MAX >> (128 - 8 * length);
        masks[length] = (mask as u64, (mask >> 64) as u64);
        length += 1;
    }
    masks
};

/// Places for long pieces, such as rules and progress bars; a power of two. Longer ones than so many bytes are not kept.
const LONG_PLACES: usize = 1 << 7;
const LONG: usize = 1 << 11;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bytes of a short piece, its length and its tokens, as two numbers.
type Place = (u64, u64);

/// Pieces that a thread has counted with one vocabulary.
pub(crate) struct Seen {
    /// The shortest ones. No piece has length 0, so the empty place matches none.
    shortest: Box<[u64]>,
    /// Short ones.
    places: Box<[Place]>,
    /// Long ones with their tokens.
    long: Vec<(Box<[u8]>, usize)>,
}

/// Where a thread keeps what it has seen.
pub(crate) type Kept = LocalKey<RefCell<Seen>>;

impl Default for Seen {
    fn default() -> Self {
        Self {
            shortest: vec![0; SHORTEST_PLACES].into(),
            places: vec![(0, 0); PLACES].into(),
            long: vec![(Box::default(), 0); LONG_PLACES],
        }
    }
}

impl Seen {
    /// The tokens of the piece of `text` from `start` to `end`: remembered, or asked of `count` and remembered from now on.
    #[inline]
    pub(crate) fn count(&mut self, text: &[u8], (start, end): (usize, usize), count: impl Fn(&[u8]) -> usize) -> usize {
        let length = end - start;
        if length <= SHORTEST {
            return self.count_shortest(text, (start, end), count);
        }
        if length > SHORT {
            return self.count_long(&text[start..end], count);
        }
        let (low, high) = key(text, start, length);
        let place = &mut self.places[index(low, high) & (PLACES - 1)];
        if place.0 == low && place.1 << 8 == high << 8 {
            return (place.1 >> TOKENS_AT) as usize;
        }
        let tokens = count(&text[start..end]);
        // Never above 14: a token has at least one byte.
        *place = (low, high | (tokens as u64) << TOKENS_AT);
        tokens
    }

    #[inline]
    fn count_shortest(&mut self, text: &[u8], (start, end): (usize, usize), count: impl Fn(&[u8]) -> usize) -> usize {
        let length = end - start;
        let bytes = match text[start..].first_chunk::<8>() {
            // A load of fixed width, because copying a few bytes of unknown number takes longer than all the rest.
            Some(chunk) => u64::from_le_bytes(*chunk) & MASKS[length].0,
            None => key(text, start, length).0,
        };
        let key = bytes | (length as u64) << SHORTEST_LENGTH_AT;
        let place = &mut self.shortest[index(key, 0) & (SHORTEST_PLACES - 1)];
        if (*place ^ key) << (64 - SHORTEST_TOKENS_AT) == 0 {
            return (*place >> SHORTEST_TOKENS_AT) as usize;
        }
        let tokens = count(&text[start..end]);
        // Never above 7: a token has at least one byte.
        *place = key | (tokens as u64) << SHORTEST_TOKENS_AT;
        tokens
    }

    fn count_long(&mut self, piece: &[u8], count: impl Fn(&[u8]) -> usize) -> usize {
        let (head, tail) = (piece.first_chunk::<8>(), piece.last_chunk::<8>());
        let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
        let place = &mut self.long[index(word(head) ^ piece.len() as u64, word(tail)) & (LONG_PLACES - 1)];
        if *place.0 == *piece {
            return place.1;
        }
        let tokens = count(piece);
        if piece.len() <= LONG {
            *place = (piece.into(), tokens);
        }
        tokens
    }
}

/// A place for a short piece, without its tokens.
#[inline]
fn key(text: &[u8], start: usize, length: usize) -> Place {
    let (low, high) = match text[start..].first_chunk::<16>() {
        // A load of fixed width, because copying a few bytes of unknown number takes longer than all the rest.
        Some(chunk) => {
            let (bytes, mask) = (u128::from_le_bytes(*chunk), MASKS[length]);
            (bytes as u64 & mask.0, (bytes >> 64) as u64 & mask.1)
        }
        None => {
            let mut chunk = [0; 16];
            chunk[..length].copy_from_slice(&text[start..start + length]);
            let bytes = u128::from_le_bytes(chunk);
            (bytes as u64, (bytes >> 64) as u64)
        }
    };
    (low, high | (length as u64) << LENGTH_AT)
}

#[inline]
const fn index(low: u64, high: u64) -> usize {
    ((low ^ high.rotate_left(29)).wrapping_mul(MULTIPLIER) >> 48) as usize
}
