//! What the provider says a request cost, in tokens.

use std::ops::AddAssign;

use crate::Dialect;
use crate::document::Document;
use crate::scan::Id;

/// Tokens of one response, each counted in one class only, except that `reasoning` is a part of `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Input that was neither read from nor written to the prompt cache.
    pub input: u64,
    /// Input read from the prompt cache.
    pub cache_read: u64,
    /// Input written to the cache for five minutes, or with no duration named.
    pub cache_write_5m: u64,
    /// Input written to the cache for an hour.
    pub cache_write_1h: u64,
    /// Everything the model wrote.
    pub output: u64,
    /// The part of `output` that was reasoning, where the provider says.
    pub reasoning: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let add = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        add(&mut self.input, other.input);
        add(&mut self.cache_read, other.cache_read);
        add(&mut self.cache_write_5m, other.cache_write_5m);
        add(&mut self.cache_write_1h, other.cache_write_1h);
        add(&mut self.output, other.output);
        add(&mut self.reasoning, other.reasoning);
    }
}

impl Usage {
    /// The usage that a whole JSON response states.
    pub fn of_response(dialect: Dialect, body: &[u8]) -> Option<Self> {
        let document = Document::parse(bytes::Bytes::copy_from_slice(body))?;
        let stated = document.field(document.root()?, dialect.protocol().usage_key())?;
        let mut usage = Self::default();
        dialect.protocol().update_usage(&mut usage, &document, stated)?;
        Some(usage)
    }
}

/// Reads counters of a usage object.
pub(crate) struct Counters<'a> {
    pub(crate) document: &'a Document,
    pub(crate) object: Id,
}

impl Counters<'_> {
    /// The counter at a path of keys; `None` when it is not stated.
    pub(crate) fn get(&self, path: &[&str]) -> Option<u64> {
        let mut at = self.object;
        for key in path {
            at = self.document.field(at, key)?;
        }
        self.document.count(at)
    }
}
