//! Pieces met lately, with their counts.
//!
//! Texts say the same few words again and again, and so do the texts that are made of them: most pieces are found here, without a look
//! into the vocabulary, which is too large for the caches that are fast. A count is a function of the piece alone, so what is
//! remembered changes how long counting takes and nothing else.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Places for short pieces; a power of two. All together they fit in the second-level cache.
const PLACES: usize = 1 << 12;

/// Longest short piece in bytes: with its length and its count it fills a place.
const SHORT: usize = 14;

/// Where in a place its length and its count stand.
const LENGTH_AT: u32 = 8 * SHORT as u32;
const TOKENS_AT: u32 = LENGTH_AT + 8;

/// Places for long pieces of one text.
const LONG_PLACES: usize = 1 << 8;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Short pieces that a thread has counted with one vocabulary: bytes, length and tokens as one number each. No piece has length 0, so
/// the empty place matches none.
pub(crate) struct Seen {
    places: Box<[u128]>,
}

/// Where a thread keeps what it has seen.
pub(crate) type Kept = LocalKey<RefCell<Seen>>;

impl Default for Seen {
    fn default() -> Self {
        Self { places: vec![0; PLACES].into_boxed_slice() }
    }
}

/// A long piece of a text: where it stands, and its tokens. Its length is never 0.
#[derive(Clone, Copy, Default)]
struct Long {
    start: usize,
    length: usize,
    tokens: usize,
}

/// Long pieces of one text, such as rules and progress bars.
pub(crate) struct SeenLong {
    places: [Long; LONG_PLACES],
}

impl SeenLong {
    pub(crate) const fn new() -> Self {
        Self { places: [Long { start: 0, length: 0, tokens: 0 }; LONG_PLACES] }
    }
}

impl Seen {
    /// The tokens of the piece of `text` from `start` to `end`: remembered, or asked of `count` and remembered from now on.
    #[inline]
    pub(crate) fn count(
        &mut self,
        long: &mut SeenLong,
        text: &[u8],
        (start, end): (usize, usize),
        count: impl Fn(&[u8]) -> usize,
    ) -> usize {
        let length = end - start;
        if length > SHORT {
            return long.count(text, (start, end), count);
        }
        let key = key(text, start, length);
        let place = &mut self.places[index(key as u64, (key >> 64) as u64) & (PLACES - 1)];
        if *place << 8 == key << 8 {
            return (*place >> TOKENS_AT) as usize;
        }
        let tokens = count(&text[start..end]);
        // Never above 14: a token has at least one byte.
        *place = key | (tokens as u128) << TOKENS_AT;
        tokens
    }
}

impl SeenLong {
    fn count(&mut self, text: &[u8], (start, end): (usize, usize), count: impl Fn(&[u8]) -> usize) -> usize {
        let piece = &text[start..end];
        let (head, tail) = (piece.first_chunk::<8>(), piece.last_chunk::<8>());
        let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
        let place = &mut self.places[index(word(head) ^ piece.len() as u64, word(tail)) & (LONG_PLACES - 1)];
        if place.length == piece.len() && text[place.start..place.start + place.length] == *piece {
            return place.tokens;
        }
        let tokens = count(piece);
        *place = Long { start, length: piece.len(), tokens };
        tokens
    }
}

/// The bytes of a short piece and its length as one number.
#[inline]
fn key(text: &[u8], start: usize, length: usize) -> u128 {
    let bytes = match text[start..].first_chunk::<16>() {
        // A load of fixed width, because copying a few bytes of unknown number takes longer than all the rest.
        Some(chunk) => u128::from_le_bytes(*chunk) & ((1 << (8 * length)) - 1),
        None => {
            let mut chunk = [0; 16];
            chunk[..length].copy_from_slice(&text[start..start + length]);
            u128::from_le_bytes(chunk)
        }
    };
    bytes | (length as u128) << LENGTH_AT
}

#[inline]
const fn index(low: u64, high: u64) -> usize {
    ((low ^ high.rotate_left(29)).wrapping_mul(MULTIPLIER) >> 48) as usize
}
