//! What happened to one request, for people.

use serde::{Deserialize, Serialize};

/// The record of one request: decisions, tokens, and what the provider said it cost. Contains no content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Request id, as in the `x-headroom-id` header of the proxy's answer.
    pub id: String,
    /// When the request came in: milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// `anthropic`, `openai`.
    pub dialect: String,
    /// Model asked for.
    pub model: String,
    /// What the client says about the session; empty when it says nothing.
    pub session: String,
    /// The client's `User-Agent`.
    pub agent: String,
    /// Policy in force.
    pub policy: String,
    /// Why the whole request was passed as it came without a look at its texts: `too-large`, `no-room`, `encoding`, `not-understood`,
    /// `deadline` or `panic`. Empty when they were looked at.
    #[serde(default)]
    pub unread: String,
    /// Bytes of the body as it came.
    pub bytes_in: u64,
    /// Bytes of the body as it was forwarded.
    pub bytes_out: u64,
    /// Tokens that changed slots had, and have, over the whole request: those decided now and those sent as before.
    pub tokens_before: u64,
    /// Tokens that changed slots have now.
    pub tokens_after: u64,
    /// Name of the tokenizer the two counts above were made with.
    pub tokenizer: String,
    /// Whether the retrieval tool was added.
    pub tool_offered: bool,
    /// One for each slot, in order.
    pub slots: Vec<SlotReceipt>,
    /// Retrievals answered while relaying.
    pub retrievals: u32,
    /// Retrievals among them that found nothing.
    pub retrieval_misses: u32,
    /// HTTP status of the provider's answer; 0 when there was none.
    pub status: u16,
    /// Whether the provider refused the changed body and the original was sent instead.
    pub replayed_original: bool,
    /// Whether the answer broke off, by the provider or by the client: the usage is then what had been stated by that time.
    #[serde(default)]
    pub cut_off: bool,
    /// Tokens billed, as the provider said; `None` when it said nothing.
    pub usage: Option<Usage>,
    /// The part of `usage` that was billed for going on after retrievals.
    #[serde(default)]
    pub retrieval_usage: Usage,
    /// Microseconds spent on planning and committing.
    pub added_us: u64,
}

/// How one slot was sent, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotReceipt {
    /// `result` or `user`.
    pub role: String,
    /// Tool that produced it; empty when unknown.
    pub tool: String,
    /// What it was found to be; empty when it was not looked at now.
    pub kind: String,
    /// Stable code of the reason.
    pub reason: String,
    /// Compressor; empty when it was kept.
    pub compressor: String,
    /// Decided now, rather than sent as before.
    pub fresh: bool,
    /// Bytes of the decoded text.
    pub bytes: u64,
    /// Tokens before and after; 0 where the slot was kept.
    pub tokens_before: u64,
    /// Tokens after.
    pub tokens_after: u64,
    /// Handles its rendering names.
    pub handles: Vec<String>,
}

/// Tokens billed for one request, by class; each token is in exactly one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens at full price.
    pub input_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache for five minutes, or with no duration named.
    pub cache_write_tokens: u64,
    /// Input tokens written to the provider's cache for an hour.
    #[serde(default)]
    pub cache_write_1h_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.cache_write_1h_tokens += other.cache_write_1h_tokens;
        self.output_tokens += other.output_tokens;
    }
}
