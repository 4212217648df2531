//! Which source tree memory is about.

use std::fmt;
use std::str::FromStr;

/// A source tree, as what tells it apart from every other: memory is kept for one and read in it alone.
///
/// There is no default and no way to make one of nothing. Where it is not known which tree is meant there is no value to call
/// memory with, so nothing is read and nothing is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workspace([u8; 16]);

impl Workspace {
    /// The workspace with this identity: whatever is the same wherever the tree is checked out, such as the address it is cloned
    /// from. `None` for an identity without a letter or digit, which would be everybody's.
    pub fn of(identity: &str) -> Option<Self> {
        if !identity.contains(char::is_alphanumeric) {
            return None;
        }
        let mut bytes = [0; 16];
        let hash = blake3::derive_key("headroom workspace v1", identity.as_bytes());
        bytes.copy_from_slice(&hash[..16]);
        Some(Self(bytes))
    }

    /// Its bytes, for keys.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a workspace is written as 32 hexadecimal digits")]
pub struct ParseWorkspaceError;

impl FromStr for Workspace {
    type Err = ParseWorkspaceError;

    /// Takes what `Display` writes and nothing else; the all-zero name, which no identity hashes to, is refused like any other that
    /// somebody left unset.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(ParseWorkspaceError);
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |digit: u8| match digit {
                b'0'..=b'9' => Ok(digit - b'0'),
                b'a'..=b'f' => Ok(digit - b'a' + 10),
                _ => Err(ParseWorkspaceError),
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        if bytes == [0; 16] { Err(ParseWorkspaceError) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_names_no_workspace() {
        for identity in ["", " ", "\n", "/", "//..", "---", "\u{200b}"] {
            assert_eq!(Workspace::of(identity), None, "{identity:?}");
        }
        for text in ["", "-", "0", "unresolved", "00000000000000000000000000000000", "default"] {
            assert!(text.parse::<Workspace>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_reads_back_and_two_identities_have_two(a in "[a-z]{1,9}[ -~]{0,20}", b in "[a-z]{1,9}[ -~]{0,20}") {
            let workspace = Workspace::of(&a).unwrap();
            prop_assert_eq!(workspace.to_string().parse(), Ok(workspace));
            prop_assert_eq!(a == b, Workspace::of(&b) == Some(workspace));
        }

        #[test]
        fn only_its_own_spelling_is_read(text in "\\PC{0,40}|[0-9a-fA-F]{30,34}") {
            if let Ok(workspace) = text.parse::<Workspace>() {
                prop_assert_eq!(workspace.to_string(), text);
            }
        }
    }
}
