//! Content hashes, the handles made from them, and the originals they stand for.

use std::fmt;
use std::str::FromStr;

/// The text every handle starts with.
const PREFIX: &str = "hr_";

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`, so a handle copied by a model or a person is hard to misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters after the prefix; five bits each.
const DIGITS: usize = 10;

/// BLAKE3 of a text, unkeyed: what deduplication and lookups inside one scope use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes the bytes of `text`.
    pub fn of(text: &str) -> Self {
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// The hash of raw bytes, as stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..")
    }
}

/// The secret of one store. Handles are keyed with it, so a text from elsewhere cannot contain a valid handle by design.
#[derive(Clone, PartialEq, Eq)]
pub struct HandleKey([u8; 32]);

impl HandleKey {
    /// A key from 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for the store that keeps them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for HandleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandleKey(..)")
    }
}

/// Names one original inside one store: `hr_` and ten characters of base 32, 50 bits of a keyed BLAKE3 hash.
///
/// Fifty bits are few enough to be cheap in tokens (about six) and enough that a collision is rare: one in 2000 for a million
/// originals. A store refuses to file a different text under a handle it knows, and the text then stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(u64);

impl Handle {
    /// Length of a written handle in bytes.
    pub const LEN: usize = PREFIX.len() + DIGITS;

    /// The handle of `text` in the store that owns `key`.
    pub fn of(key: &HandleKey, text: &str) -> Self {
        let hash = blake3::keyed_hash(&key.0, text.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_be_bytes(first) >> (64 - 5 * DIGITS))
    }

    /// The handle as a number below 2^50, for storage.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The handle with these bits; bits above the fiftieth are dropped.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << (5 * DIGITS)) - 1))
    }

    /// The handle at the start of `text`, if one stands there and ends at a word boundary.
    pub(crate) fn parse_at_start(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = bytes.strip_prefix(PREFIX.as_bytes())?.get(..DIGITS)?;
        let boundary = bytes.get(Self::LEN).is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'_');
        let mut bits = 0;
        for digit in digits {
            bits = bits << 5 | ALPHABET.iter().position(|known| known == digit)? as u64;
        }
        boundary.then_some(Self(bits))
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; DIGITS];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = ALPHABET[(self.0 >> (5 * (DIGITS - 1 - place)) & 31) as usize];
        }
        f.write_str(PREFIX)?;
        digits.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Handle {
    type Err = ParseHandleError;

    /// Accepts exactly what [`Handle`] prints, with white space around it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match Self::parse_at_start(text) {
            Some(handle) if text.len() == Self::LEN => Ok(handle),
            _ => Err(ParseHandleError { given: text.chars().take(40).collect() }),
        }
    }
}

/// A text that is not a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseHandleError {
    given: String,
}

impl fmt::Display for ParseHandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a handle; a handle looks like hr_4k2m9x7qw3", self.given)
    }
}

impl std::error::Error for ParseHandleError {}

/// A text with its handle: what an [`crate::Omission`] is made from, and what a store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    text: &'a str,
    handle: Handle,
}

impl<'a> Original<'a> {
    /// Computes the handle of `text` in the store that owns `key`.
    pub fn new(key: &HandleKey, text: &'a str) -> Self {
        Self { text, handle: Handle::of(key, text) }
    }

    /// The whole text.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Its handle.
    pub const fn handle(&self) -> Handle {
        self.handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_written_handle_reads_back(bits in 0_u64..1 << 50) {
            let handle = Handle::from_bits(bits);
            prop_assert_eq!(handle.to_string().parse::<Handle>(), Ok(handle));
            prop_assert_eq!(handle.to_string().len(), Handle::LEN);
        }
    }

    #[test]
    fn two_stores_give_one_text_two_handles() {
        let (one, two) = (HandleKey::from_bytes([1; 32]), HandleKey::from_bytes([2; 32]));
        assert_ne!(Handle::of(&one, "text"), Handle::of(&two, "text"));
    }

    #[test]
    fn what_is_not_a_handle_is_refused_with_an_example() {
        for text in ["", "hr_", "hr_short", "hr_4k2m9x7qw3x", "HR_4k2m9x7qw3", "hr_4k2m9x7qwl", "hr_4k2m9x7qé"] {
            let error = text.parse::<Handle>().unwrap_err();
            assert!(error.to_string().contains("looks like hr_"), "{error}");
        }
    }
}
