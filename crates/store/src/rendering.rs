//! What a slot was sent as.

use std::fmt;
use std::ops::Range;

use headroom_core::{Handle, Reason};

/// A hash that stands for a slot and everything before it: BLAKE3, cut to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lineage([u8; 16]);

impl Lineage {
    /// The lineage with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The lineage of a conversation's start, told apart by whatever shapes all its renderings.
    pub fn root(seed: &[u8]) -> Self {
        Self([0; 16]).then(seed)
    }

    /// The lineage after one more link.
    #[must_use]
    pub fn then(self, link: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(link);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A range of a slot's decoded text and what was sent in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Bytes of the decoded text.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: String,
}

/// How a slot was sent: the decision, why, and the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// Why it was sent this way.
    pub reason: Reason,
    /// The compressor that made it; empty when the slot was kept.
    pub compressor: String,
    /// What was replaced, in order; empty when the slot was kept.
    pub replacements: Vec<Replacement>,
    /// Handles that the replacements name.
    pub handles: Vec<Handle>,
    /// Tokens of the slot before and after, where they were counted.
    pub tokens: (u32, u32),
}

impl Rendering {
    /// A slot sent as it came.
    pub const fn kept(reason: Reason) -> Self {
        Self { reason, compressor: String::new(), replacements: Vec::new(), handles: Vec::new(), tokens: (0, 0) }
    }

    /// About how many bytes it takes.
    #[cfg(feature = "postgres")]
    pub(crate) fn bytes(&self) -> usize {
        self.replacements.iter().map(|replacement| replacement.text.len() + 12).sum::<usize>() + 64
    }

    /// The replacements as bytes: for each, three little-endian u32 (start, end, length) and the text.
    pub(crate) fn encode_replacements(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Replacement { range, text } in &self.replacements {
            for number in [range.start, range.end, text.len()] {
                bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
            }
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// Reads [`encode_replacements`](Self::encode_replacements) back; `None` when the bytes are not of that form.
    pub(crate) fn decode_replacements(mut bytes: &[u8]) -> Option<Vec<Replacement>> {
        fn number(bytes: &mut &[u8]) -> Option<usize> {
            let (first, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            usize::try_from(u32::from_le_bytes(*first)).ok()
        }
        let mut replacements = Vec::new();
        while !bytes.is_empty() {
            let (start, end, length) = (number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?);
            let (text, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            replacements.push(Replacement { range: start..end, text: String::from_utf8(text.to_vec()).ok()? });
        }
        Some(replacements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn replacements_read_back(parts in prop::collection::vec((0_usize..9999, 0_usize..99, "\\PC{0,40}"), 0..5)) {
            let mut rendering = Rendering::kept(Reason::Compressed);
            rendering.replacements =
                parts.into_iter().map(|(start, length, text)| Replacement { range: start..start + length, text }).collect();
            let decoded = Rendering::decode_replacements(&rendering.encode_replacements());
            prop_assert_eq!(decoded, Some(rendering.replacements));
        }

        #[test]
        fn damaged_bytes_are_refused_not_misread(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Rendering::decode_replacements(&bytes);
        }
    }
}
