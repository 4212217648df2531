//! The hash of the vocabulary tables; shared with the build script that makes them.

/// Tokens of up to this many bytes are kept as one number.
pub(crate) const SHORT: usize = 8;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

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

/// The hash of a short token.
#[inline]
pub(crate) const fn hash_key(key: u64, length: usize) -> u32 {
    (fold(key ^ length as u64, MULTIPLIER) >> 16) as u32
}

/// The hash of a longer token: multiply-and-fold over eight bytes at a time. Not keyed: the tables are fixed, and a text that
/// collides only costs probes bounded by the longest chain of the table.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    let mut state = bytes.len() as u64 ^ MULTIPLIER;
    let (low, high) = ends(bytes);
    if bytes.len() > 16 {
        let (words, _) = bytes.as_chunks::<8>();
        for word in &words[1..] {
            state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIER);
        }
    }
    state = fold(state ^ low, MULTIPLIER);
    state = fold(state ^ high, MULTIPLIER);
    (state >> 32) as u32
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
