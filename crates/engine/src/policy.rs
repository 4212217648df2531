//! What the engine may do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Kinds;

/// How much may be done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing at all: the bytes pass, nothing is recorded.
    Off,
    /// The bytes pass; what they cost is recorded.
    Meter,
    /// Exact encodings and references to text that stands earlier; nothing is left out.
    Lossless,
    /// Whole units may be left out as well, each marked and kept.
    Standard,
}

const MODES: [(Mode, &str); 4] =
    [(Mode::Off, "off"), (Mode::Meter, "meter"), (Mode::Lossless, "lossless"), (Mode::Standard, "standard")];

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MODES.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Mode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = MODES.iter().find(|(_, name)| *name == text);
        known.map(|(mode, _)| *mode).ok_or_else(|| ParseModeError { given: text.to_owned() })
    }
}

/// A name that is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy {given:?}; known: off, meter, lossless, standard")]
pub struct ParseModeError {
    given: String,
}

/// When the retrieval tool is added to the tools of a conversation that has tools of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retrieval {
    /// Where the conversation starts with enough instructions, tools and text that the definition is cheap beside them.
    Auto,
    /// In every conversation.
    Always,
    /// In none: nothing is left out then.
    Never,
}

impl FromStr for Retrieval {
    type Err = ParseRetrievalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(ParseRetrievalError { given: other.to_owned() }),
        }
    }
}

/// A word that does not say when to offer retrieval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown value {given:?}; known: auto, always, never")]
pub struct ParseRetrievalError {
    given: String,
}

/// Whether values that change from request to request are moved out of the part of a request that a provider's cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Align {
    /// Where two requests of one conversation were seen to differ by nothing else.
    Auto,
    /// Never.
    Off,
}

impl FromStr for Align {
    type Err = ParseAlignError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            other => Err(ParseAlignError { given: other.to_owned() }),
        }
    }
}

/// A word that does not say whether to align.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown value {given:?}; known: auto, off")]
pub struct ParseAlignError {
    given: String,
}

/// Everything that shapes a plan besides the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How much may be done.
    pub mode: Mode,
    /// Whether large payloads pasted into user text may be compressed; questions and instructions never are.
    pub user_text: bool,
    /// When the retrieval tool is added to a conversation's tools. Without it nothing is left out, only encoded.
    pub retrieval: Retrieval,
    /// Whether changing values are moved out of the instructions (CacheAligner).
    pub align: Align,
    /// Whether a request without cache markers of its own gets some: only for those who pay by the token, and only where the provider wants
    /// markers.
    pub breakpoints: bool,
    /// What may be done to each kind of text, where that is less than the mode allows.
    pub kinds: Kinds,
    /// Bytes of new text that one request may have compressed; the rest passes as it is.
    pub work_bytes: usize,
    /// Time that planning one request may take; what is not reached passes as it is, now and on every later turn.
    pub deadline: Duration,
}

impl Policy {
    /// The policy of a mode, with the defaults that every door starts from.
    pub const fn of(mode: Mode) -> Self {
        Self {
            mode,
            user_text: true,
            retrieval: Retrieval::Auto,
            align: Align::Off,
            breakpoints: false,
            kinds: Kinds::DEFAULT,
            work_bytes: 32 << 20,
            deadline: Duration::from_secs(2),
        }
    }
}
