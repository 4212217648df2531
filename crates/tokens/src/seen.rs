//! Pieces met lately in one text, with their counts.

use crate::hash::ends;

/// Places; a power of two. All together they fit in the first-level cache, which is the point: the vocabulary does not.
const PLACES: usize = 1 << 10;

/// Longest piece that is remembered, in bytes: [`ends`] tells texts apart up to here.
const LONGEST: usize = 16;

/// A piece, and its tokens. No piece has length 0, so the empty place matches none.
#[derive(Clone, Copy, Default)]
struct Place {
    ends: (u64, u64),
    length: u8,
    tokens: u8,
}

/// Texts say the same few words again and again: most pieces are found here, without a look into the vocabulary.
pub(crate) struct Seen {
    places: [Place; PLACES],
}

impl Default for Seen {
    fn default() -> Self {
        Self { places: [Place::default(); PLACES] }
    }
}

impl Seen {
    /// The tokens of a piece: remembered, or asked of `count` and remembered from now on.
    #[inline]
    pub(crate) fn count(&mut self, piece: &[u8], count: impl Fn(&[u8]) -> usize) -> usize {
        let length = piece.len();
        if length > LONGEST {
            return count(piece);
        }
        let ends = ends(piece);
        let place = &mut self.places[index(ends, length)];
        if place.ends == ends && usize::from(place.length) == length {
            return usize::from(place.tokens);
        }
        let tokens = count(piece);
        // Neither can be above 16: a token has at least one byte.
        *place = Place { ends, length: length as u8, tokens: tokens as u8 };
        tokens
    }
}

#[inline]
const fn index((low, high): (u64, u64), length: usize) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (low ^ high.rotate_left(29) ^ length as u64).wrapping_mul(MULTIPLIER);
    (mixed >> (64 - PLACES.trailing_zeros())) as usize
}
