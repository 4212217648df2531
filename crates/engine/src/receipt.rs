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
    /// Who sent it, where senders have to say; empty elsewhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
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
    /// Tokens of earlier retrievals that were put back into the history.
    #[serde(default)]
    pub hidden_tokens: u64,
    /// One for each slot, in order.
    pub slots: Vec<SlotReceipt>,
    /// Retrievals answered while relaying.
    pub retrievals: u32,
    /// Retrievals among them that found nothing.
    pub retrieval_misses: u32,
    /// Calls of the client's tools in which the model wrote marks of ours; the first [`Guarded::MOST`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guarded: Vec<Guarded>,
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
    /// What the client changed of its conversation's earlier requests.
    #[serde(default)]
    pub drift: Drift,
    /// What was done about it.
    #[serde(default)]
    pub aligned: Aligned,
    /// Set on the request with which its conversation had cost more than it would have directly.
    #[serde(default)]
    pub stop_loss: Option<StopLoss>,
    /// What the provider should have had in its cache and billed anew; `None` when there was no such thing, and when it is not known.
    #[serde(default)]
    pub miss: Option<Miss>,
}

/// What the write-guard did about one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// The tool, as the model named it; at most [`Guarded::NAME_BYTES`].
    pub tool: String,
    /// `expanded`: the text stands where the marks stood. `refused`: nothing was done, and the model was told why.
    pub outcome: String,
    /// Marks of ours in its arguments.
    pub marks: u64,
}

impl Guarded {
    /// Calls that one receipt names at most.
    pub const MOST: usize = 32;
    /// Bytes of a tool's name.
    pub const NAME_BYTES: usize = 100;
    /// What can be done about a call.
    pub const OUTCOMES: [&'static str; 2] = ["expanded", "refused"];
}

/// How far a request starts as the one before it in its conversation did, as the client sent both: tools, instructions, messages.
///
/// What is said in bytes counts the JSON of these pieces. All zero for the first request of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Request id of the earlier request; empty when there is none.
    pub since: String,
    /// Bytes of the earlier request: what a cache could have held.
    pub prefix_bytes: u64,
    /// Bytes at its start that are the same in this request.
    pub stable_bytes: u64,
    /// First byte of this request's body that differs; `None` when the earlier request is a part of it.
    pub first_difference: Option<u64>,
    /// Where that is: `tools`, `instructions`, `message 3`.
    pub place: String,
    /// Values in which the two differ while the text around them is the same.
    pub volatile: Vec<Volatile>,
    /// Requests a day, at the rate at which this conversation makes them; 0 with fewer than two.
    pub requests_per_day: u64,
}

/// That a conversation is not shortened any further.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopLoss {
    /// Under which the store files it: a hash.
    pub conversation: String,
    /// Requests of the conversation until then.
    pub requests: u64,
    /// Millionths of a dollar by which it had cost more than it would have directly, or of 10,000 uncached input tokens where its model has
    /// no price.
    pub lost_micros: u64,
}

/// What was done so that a provider's cache could hold the start of a request although its client changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aligned {
    /// Values of the instructions that were sent as they were first seen, and said anew at the end of the newest turn.
    pub values: u64,
    /// Whether the tools were sent in the order and spacing in which they were first seen.
    pub tools: bool,
    /// Tokens of what earlier turns say about changed values.
    pub note_tokens: u64,
    /// Tokens of what the newest turn says about them.
    pub new_note_tokens: u64,
    /// Cache markers added.
    pub breakpoints: u64,
}

/// A value that changes from request to request where a cache would hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volatile {
    /// `timestamp`, `date`, `time`, `uuid`, `id`, `number`; for tools also `order`.
    pub kind: String,
    /// Where it stands: `tools`, `instructions`, `message 3`.
    pub place: String,
    /// First byte in the body.
    pub offset: u64,
    /// Bytes in the body.
    pub bytes: u64,
    /// Tokens behind it that a cache cannot hold because of it, up to the end of the earlier request.
    pub tokens_behind: u64,
}

/// Tokens that the provider billed anew although the earlier request of the conversation had brought them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// `client`: it changed what it had sent. `headroom`: we did. `model`: another model was asked for. `ttl`: too much time had passed.
    /// `lookback`: more blocks were added than a provider looks back over. `provider`: none of these.
    pub cause: String,
    /// Tokens that could have been read from the cache.
    pub expected_tokens: u64,
    /// Tokens that were.
    pub read_tokens: u64,
    /// First byte of the body that differs from the earlier request; `None` where nothing differs.
    pub offset: Option<u64>,
    /// Where that is: `tools`, `instructions`, `message 3`.
    pub place: String,
    /// Seconds since the earlier request.
    pub seconds: u64,
}

impl Miss {
    /// Every [`cause`](Self::cause).
    pub const CAUSES: [&str; 6] = ["client", "headroom", "model", "ttl", "lookback", "provider"];

    /// Tokens billed anew.
    pub const fn tokens(&self) -> u64 {
        self.expected_tokens.saturating_sub(self.read_tokens)
    }
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
    /// Under which the store files what was sent in its place, a hash; empty when it was kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lineage: String,
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

impl Usage {
    /// Everything the model read, however it was billed.
    pub const fn prompt_tokens(&self) -> u64 {
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
    }

    /// What was billed besides a part of it.
    pub(crate) const fn less(&self, part: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_sub(part.input_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_sub(part.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_sub(part.cache_write_tokens),
            cache_write_1h_tokens: self.cache_write_1h_tokens.saturating_sub(part.cache_write_1h_tokens),
            output_tokens: self.output_tokens.saturating_sub(part.output_tokens),
        }
    }
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
