//! The provider dialects, and the one place that chooses between them.

use std::fmt;
use std::str::FromStr;

use crate::anthropic::Anthropic;
use crate::gemini::Gemini;
use crate::openai_chat::OpenAiChat;
use crate::openai_responses::OpenAiResponses;
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
    /// OpenAI Responses: `POST /v1/responses`, and the paths at which Codex sends it.
    OpenAiResponses,
    /// Gemini: `POST /v1beta/models/{model}:generateContent` and its streaming sister.
    Gemini,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[Self::AnthropicMessages, Self::OpenAiChat, Self::OpenAiResponses, Self::Gemini];

    /// Short name for flags, receipts and folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic",
            Self::OpenAiChat => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::Gemini => "gemini",
        }
    }

    /// Path of the endpoint whose requests have this dialect; Gemini's stand below it, each model's under its own.
    pub const fn path(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "/v1/messages",
            Self::OpenAiChat => "/v1/chat/completions",
            Self::OpenAiResponses => "/v1/responses",
            Self::Gemini => "/v1beta/models",
        }
    }

    /// The dialect of requests to a path, without its query.
    pub fn of_path(path: &str) -> Option<Self> {
        let known = Self::ALL.iter().copied().find(|dialect| dialect.path() == path);
        // Codex leaves the version out, and with a ChatGPT login it speaks to another base.
        let codex = path == "/responses" || path.ends_with("/codex/responses");
        // Whatever the version, and whether at Google AI or below a project at Vertex AI.
        let generates = path.contains("/models/")
            && [":generateContent", ":streamGenerateContent"].iter().any(|verb| path.ends_with(verb));
        known
            .filter(|known| *known != Self::Gemini)
            .or_else(|| codex.then_some(Self::OpenAiResponses))
            .or_else(|| generates.then_some(Self::Gemini))
    }

    /// The model that a path names, where the dialect names it there.
    pub fn model_of_path(path: &str) -> Option<&str> {
        let (_, model) = path.rsplit_once("/models/")?;
        Self::of_path(path).filter(|dialect| *dialect == Self::Gemini)?;
        Some(model.split(':').next().unwrap_or(model))
    }

    /// Whether the answer to a request is streamed as one JSON array: Gemini does that unless it is asked for events.
    pub fn streams_an_array(path: &str, query: Option<&str>) -> bool {
        let as_events = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        Self::of_path(path) == Some(Self::Gemini) && path.ends_with(":streamGenerateContent") && !as_events
    }

    /// Whether the provider may hold the history, so that a request can bring only what is new in its conversation.
    pub const fn keeps_history(self) -> bool {
        matches!(self, Self::OpenAiResponses)
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
            Self::OpenAiResponses => &OpenAiResponses,
            Self::Gemini => &Gemini,
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
