//! Hidden exchanges: retrievals that the client never saw, and how they find their place in its later requests.
//!
//! The model asked for a part of an original and got it, inside one turn of the client. The client's history holds neither
//! the question nor the answer. Every later request puts both back where they were, byte for byte the same each time, so
//! that the model remembers what it read and the provider's prompt cache keeps its prefix.
//!
//! The place is found by the assistant message that the client did see: by the identifiers of its own tool calls in it, or
//! else by its text; in both cases together with everything said before. A message that is not recognised gets nothing, which
//! is harmless; what another conversation retrieved would not be.

use headroom_core::ContentHash;
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::request::{Insertion, Message, Role};
use crate::{Dialect, Request};

/// One turn of the client in which the model retrieved something: what to re-insert, and where. Serialisable; made by
/// [`crate::Turn`] only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub(crate) dialect: Dialect,
    /// Hash of the identity of the visible message.
    pub(crate) key: [u8; 32],
    /// Hash of the messages before it. Text repeats, and so do identifiers: some servers count calls from zero in every answer.
    pub(crate) lineage: [u8; 32],
    /// Visible items of the message: content blocks (Anthropic), tool calls (OpenAI).
    pub(crate) shown: Count,
    /// Visible items before the one it is known by, where items stand side by side with no message around them.
    #[serde(default)]
    pub(crate) anchor: Count,
    /// The turn's last response, where the provider keeps it.
    #[serde(default)]
    pub(crate) response: Option<String>,
    pub(crate) rounds: Vec<Round>,
}

/// Under what an exchange is filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filing {
    pub(crate) key: [u8; 32],
    pub(crate) lineage: [u8; 32],
    pub(crate) anchor: Count,
    pub(crate) response: Option<String>,
}

impl Filing {
    /// With nothing but a key.
    pub(crate) fn under(key: [u8; 32]) -> Self {
        Self { key, lineage: NO_LINEAGE, anchor: Count::default(), response: None }
    }
}

/// The lineage of what is known by a name that is used once only.
const NO_LINEAGE: [u8; 32] = [0; 32];

/// One upstream response with hidden calls, and the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Text of this response, where the dialect keeps text apart from its items.
    pub(crate) text: String,
    /// Further members of the assistant message, as JSON members each followed by a comma.
    pub(crate) aside: String,
    pub(crate) calls: Vec<HiddenCall>,
    /// Visible items of the message up to the end of this response.
    pub(crate) shown: Count,
    /// The results, as JSON.
    pub(crate) results: Vec<String>,
    /// The same response called the client's tools as well; then it is the last one.
    pub(crate) mixed: bool,
}

/// A call of our tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HiddenCall {
    /// Visible items before it, counted over the whole message.
    pub(crate) place: Count,
    /// The call as JSON.
    pub(crate) json: String,
}

/// A number of items of a message, counted twice: clients may drop thinking and empty text from older turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) all: usize,
    /// Without thinking and empty text.
    pub(crate) spoken: usize,
}

impl Exchange {
    /// Under which to file it; one of the [`Request::exchange_keys`] of the requests that need it. Identifiers and texts repeat, so it
    /// stands for the message together with everything said before it.
    pub fn key(&self) -> ContentHash {
        filing_key(&self.key, &self.lineage)
    }

    /// How many calls were hidden from the client.
    pub fn calls(&self) -> usize {
        self.rounds.iter().map(|round| round.calls.len()).sum()
    }
}

/// What the client can see of an assistant message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// It called the client's tools: their identifiers.
    Calls(Vec<String>),
    /// It only spoke.
    Text(String),
    /// The provider keeps it and gave it this name.
    Response(String),
}

impl Identity {
    /// `None` for a message without calls and without text: there is nothing to know it by. White space does not count,
    /// because clients trim.
    pub(crate) fn key(&self) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::Calls(ids) => {
                hasher.update(b"calls");
                for id in ids {
                    hasher.update(&(id.len() as u64).to_le_bytes()).update(id.as_bytes());
                }
            }
            Self::Text(text) => {
                if text.trim().is_empty() {
                    return None;
                }
                hasher.update(b"text");
                text.split_whitespace().for_each(|word| {
                    hasher.update(word.as_bytes());
                });
            }
            Self::Response(id) => {
                hasher.update(b"response").update(id.as_bytes());
            }
        }
        Some(*hasher.finalize().as_bytes())
    }
}

/// Parts of this many bytes on are hashed on their own: in one with what stands before it BLAKE3 takes a part 1 KiB by 1 KiB.
const OWN_HASH_FROM: usize = 2048;

/// The hash of what was said, part by part.
#[derive(Debug)]
pub(crate) struct Said(blake3::Hasher);

impl Said {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Adds a part, which is a text.
    pub(crate) fn update(&mut self, part: &[u8]) -> &mut Self {
        if part.len() < OWN_HASH_FROM {
            self.0.update(part);
        } else {
            // No text has such a byte.
            self.0.update(&[0xff]).update(blake3::hash(part).as_bytes());
        }
        self
    }

    fn so_far(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// The name of a message that is known by `key` and follows messages with this lineage.
fn filing_key(key: &[u8; 32], lineage: &[u8; 32]) -> ContentHash {
    ContentHash::from_bytes(*blake3::Hasher::new().update(key).update(lineage).finalize().as_bytes())
}

impl Request {
    /// Keys of all exchanges that this request could need: one for each assistant message, and one for a response that it goes on from.
    /// Reads the messages up to the last of these.
    pub fn exchange_keys(&self) -> Vec<ContentHash> {
        let Some(document) = self.document() else { return Vec::new() };
        let last = self.messages().iter().rposition(|message| message.role == Role::Assistant);
        let mut keys: Vec<ContentHash> = self.resumed().map(|key| filing_key(&key, &NO_LINEAGE)).into_iter().collect();
        let mut lineage = Said::new();
        for message in &self.messages()[..last.map_or(0, |last| last + 1)] {
            if let Some(key) = self.identity(document, message).and_then(|identity| identity.key()) {
                keys.push(filing_key(&key, &lineage.so_far()));
            }
            self.dialect().protocol().digest(document, message, &mut lineage);
        }
        keys
    }

    /// Puts hidden exchanges back where they were. Exchanges that are not recognised insert nothing.
    pub fn reinsert(&self, exchanges: &[Exchange]) -> Vec<Insertion> {
        let Some(document) = self.document().filter(|_| !exchanges.is_empty()) else { return Vec::new() };
        let mut insertions = Vec::new();
        if let Some(key) = self.resumed() {
            let kept = |exchange: &&Exchange| {
                exchange.dialect == self.dialect() && exchange.key == key && exchange.lineage == NO_LINEAGE
            };
            if let Some(exchange) = exchanges.iter().find(kept) {
                insertions.extend(self.dialect().protocol().resume(self, exchange));
            }
        }
        let mut used = vec![false; exchanges.len()];
        let mut lineage = Said::new();
        for (index, message) in self.messages().iter().enumerate() {
            if let Some(key) = self.identity(document, message).and_then(|identity| identity.key()) {
                let before = lineage.so_far();
                let fits = |exchange: &Exchange| {
                    exchange.dialect == self.dialect() && exchange.key == key && exchange.lineage == before
                };
                if let Some(found) = (0..exchanges.len()).find(|at| !used[*at] && fits(&exchanges[*at])) {
                    used[found] = true;
                    let place = ExchangePlace { document, messages: self.messages(), index };
                    insertions
                        .extend(self.dialect().protocol().reinsert(&place, &exchanges[found]).unwrap_or_default());
                }
            }
            self.dialect().protocol().digest(document, message, &mut lineage);
        }
        insertions
    }

    /// Hash of all messages: the lineage of the reply to this request. Cache markers and unknown fields do not count, because
    /// clients move them between turns.
    pub(crate) fn lineage(&self) -> [u8; 32] {
        let mut hasher = Said::new();
        if let Some(document) = self.document() {
            self.messages().iter().for_each(|message| self.dialect().protocol().digest(document, message, &mut hasher));
        }
        hasher.so_far()
    }

    /// The key of the response that this request goes on from.
    fn resumed(&self) -> Option<[u8; 32]> {
        Identity::Response(self.outline().previous.as_ref()?.id.clone()).key()
    }

    fn identity(&self, document: &Document, message: &Message) -> Option<Identity> {
        (message.role == Role::Assistant).then(|| self.dialect().protocol().identity(document, message))?
    }
}

/// An assistant message among the others.
pub(crate) struct ExchangePlace<'a> {
    pub(crate) document: &'a Document,
    pub(crate) messages: &'a [Message],
    pub(crate) index: usize,
}

impl ExchangePlace<'_> {
    pub(crate) fn message(&self) -> &Message {
        &self.messages[self.index]
    }

    pub(crate) fn next(&self) -> Option<&Message> {
        self.messages.get(self.index + 1)
    }
}
