//! The provider dialects, and the one place that chooses between them.

use std::fmt;
use std::str::FromStr;

use crate::anthropic::Anthropic;
use crate::openai_chat::OpenAiChat;
use crate::protocol::Protocol;

/// How a provider's API spells a conversation.
///
/// To add one: a folder with its `Protocol`, a variant here, and recorded streams under `corpus/streams/<name>/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// Anthropic Messages: `POST /v1/messages`.
    AnthropicMessages,
    /// OpenAI Chat Completions and everything compatible: `POST /v1/chat/completions`.
    OpenAiChat,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[Self::AnthropicMessages, Self::OpenAiChat];

    /// Short name for flags, receipts and folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic",
            Self::OpenAiChat => "openai",
        }
    }

    /// Path of the endpoint whose requests have this dialect.
    pub const fn path(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "/v1/messages",
            Self::OpenAiChat => "/v1/chat/completions",
        }
    }

    /// The dialect of requests to a path, without its query.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.path() == path)
    }

    /// The definition of our retrieval tool, byte for byte as it is inserted. It never changes inside a version.
    pub fn tool_definition(self) -> &'static str {
        self.protocol().tool_definition()
    }

    /// The dialect's implementation.
    pub(crate) fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::AnthropicMessages => &Anthropic,
            Self::OpenAiChat => &OpenAiChat,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = ParseDialectError;

    /// Accepts exactly what [`Dialect::name`] gives.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|dialect| dialect.name() == text);
        found.ok_or_else(|| ParseDialectError { given: text.to_owned() })
    }
}

/// A name that is no dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseDialectError {
    given: String,
}

impl fmt::Display for ParseDialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
        write!(f, "unknown dialect {:?}; known: {}", self.given, known.join(", "))
    }
}

impl std::error::Error for ParseDialectError {}
