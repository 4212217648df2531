//! What a slot was sent as.

use std::fmt;
use std::ops::Range;

use headroom_core::{Handle, Reason};

/// Links of this many bytes on are hashed on their own.
const OWN_HASH_FROM: usize = 2048;

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
    ///
    /// A long link goes in as its own hash: BLAKE3 works on 8 or 16 pieces of 1 KiB at once only where they begin with the input, and here the
    /// lineage before would stand in front of them. The last byte tells both forms apart.
    #[must_use]
    pub fn then(self, link: &[u8]) -> Self {
        LongLink::of(link).map_or_else(|| self.after(link, 0), |link| self.then_long(link))
    }

    /// The lineage after a long link whose hash is known: what [`then`](Self::then) gives for the link itself.
    #[must_use]
    pub fn then_long(self, link: LongLink) -> Self {
        self.after(&link.0, 1)
    }

    fn after(self, link: &[u8], form: u8) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(link).update(&[form]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}

/// The hash of a long link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongLink([u8; 32]);

impl LongLink {
    /// Hashes a link; `None` for one that is not long.
    pub fn of(link: &[u8]) -> Option<Self> {
        (link.len() >= OWN_HASH_FROM).then(|| Self(*blake3::hash(link).as_bytes()))
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
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_and_border_of_a_lineage_counts() {
        let root = Lineage::root(b"r");
        let long = "0123456789abcdef".repeat(200);
        let hash = blake3::hash(long.as_bytes());
        let mut seen = HashSet::from([root]);
        for cut in [0, 1, 15, 16, 17, 2047, 2048, 2049, 3199, 3200] {
            let (start, end) = long.as_bytes().split_at(cut);
            assert!(seen.insert(root.then(start)), "{cut}");
            assert!(seen.insert(root.then(start).then(end)), "{cut}, then the rest");
            assert!(LongLink::of(start).is_none_or(|link| root.then_long(link) == root.then(start)));
        }
        // What stands for a long link is none of the short ones.
        assert!(seen.insert(root.then(hash.as_bytes())));
        assert!(seen.insert(root.then(&[hash.as_bytes().as_slice(), &[1]].concat())));
    }

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
