//! The hash of the vocabulary tables; shared with the build script that makes them.

/// Tokens of up to this many bytes are compared as one number.
pub(crate) const SHORT: usize = 8;

/// The length in bytes of the tokens of the first group: shorter ones are the single bytes and the pairs.
pub(crate) const FIRST_LENGTH: usize = 3;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const MIXER: u64 = 0xd6e8_feb8_6659_fd93;

/// A token of at most [`SHORT`] bytes as a number: its bytes, little-endian.
#[inline]
pub(crate) const fn key(token: &[u8]) -> u64 {
    let (low, high) = ends(token);
    match token.len() {
        8.. => low,
        // What the two halves share is in both the same.
        length @ 4..8 => low | high << (8 * (length - 4)),
        3 => low | high << 16,
        // The second byte is in both.
        _ => low,
    }
}

/// The hash of a token of at most [`SHORT`] bytes, by its [`key`].
#[inline]
pub(crate) const fn hash_key(key: u64) -> u64 {
    fold(key ^ MULTIPLIER, MULTIPLIER)
}

/// The hash of a token: multiply-and-fold over eight bytes at a time. Not keyed: the tables are fixed, and looking up takes the same
/// steps whatever is looked for.
#[inline]
pub(crate) fn hash(token: &[u8]) -> u64 {
    if token.len() <= SHORT {
        return hash_key(key(token));
    }
    let (low, high) = ends(token);
    let mut state = MULTIPLIER;
    if token.len() > 16 {
        let (words, _) = token.as_chunks::<8>();
        for word in &words[1..] {
            state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIER);
        }
    }
    state = fold(state ^ low, MULTIPLIER);
    fold(state ^ high, MULTIPLIER)
}

/// The bucket, of so many, that a hash belongs to.
#[inline]
pub(crate) const fn bucket(hash: u64, buckets: usize) -> usize {
    scale(hash, buckets)
}

/// The place, of so many, that a hash comes to with the pilot of its bucket.
#[inline]
pub(crate) const fn place(hash: u64, pilot: u16, places: usize) -> usize {
    scale((hash ^ (pilot as u64 + 1).wrapping_mul(MULTIPLIER)).wrapping_mul(MIXER), places)
}

/// A number below `below` by the upper half of `hash`.
#[inline]
const fn scale(hash: u64, below: usize) -> usize {
    (((hash >> 32) * below as u64) >> 32) as usize
}

/// The first and the last bytes of a text as two numbers, which overlap when it is short. For texts of the same length, of at most
/// 16 bytes, they are equal exactly when the texts are. Loads of fixed width, because copying a few bytes of unknown number takes
/// longer than all the rest.
#[inline]
pub(crate) const fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64)
    } else {
        match bytes {
            [] => (0, 0),
            [a] => (*a as u64, 0),
            [a, .., c] => (*a as u64 | (bytes[bytes.len() / 2] as u64) << 8, *c as u64),
        }
    }
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product as u64) ^ (product >> 64) as u64
}
