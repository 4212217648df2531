//! What a request costs: tokens, minus what the provider's prefix cache has seen.

use std::collections::HashMap;

use headroom::Usage;
use headroom_core::ContentHash;

use crate::blocks::Block;

/// Relative prices of one provider. The unit is one uncached input token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Reading a cached token.
    pub read: f64,
    /// A token that is not cached yet.
    pub write: f64,
    /// An output token.
    pub output: f64,
    /// Whether part of a block can be read from the cache.
    partial: bool,
    /// Tokens a cached prefix must have, and steps in which it counts.
    minimum: usize,
    step: usize,
}

impl Prices {
    /// Anthropic: cache reads at a tenth, writes at 1.25, whole blocks (its published multipliers for 5-minute caching).
    pub const ANTHROPIC: Self = Self { read: 0.1, write: 1.25, output: 5.0, partial: false, minimum: 0, step: 1 };

    /// The same with the least that it caches: 1,024 tokens, and more with some models.
    pub const ANTHROPIC_FROM_1024: Self = Self { minimum: 1024, ..Self::ANTHROPIC };

    /// OpenAI: cached input at a quarter, from 1,024 tokens on in steps of 128 (its published rule and the GPT-4.1 prices).
    pub const OPENAI: Self = Self { read: 0.25, write: 1.0, output: 5.0, partial: true, minimum: 1024, step: 128 };
}

/// A provider's prefix cache that never forgets: the longest prefix shared with any earlier request of the session.
#[derive(Debug, Default)]
pub struct PrefixCache {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<ContentHash, usize>,
    texts: Vec<String>,
}

impl PrefixCache {
    /// Adds a request and says what is billed for it. `counts` are the blocks' tokens.
    pub(crate) fn step(&mut self, prices: &Prices, blocks: &[Block], counts: &[usize]) -> Bill {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let (mut at, mut shared, mut depth) = (0, 0, 0);
        while let Some(next) = blocks.get(depth).and_then(|block| self.nodes[at].children.get(&block.key)) {
            shared += counts[depth];
            at = *next;
            depth += 1;
        }
        if prices.partial
            && let Some(block) = blocks.get(depth)
            && !block.text.is_empty()
        {
            let common = self.nodes[at].texts.iter().map(|text| common_prefix(text, &block.text)).max().unwrap_or(0);
            shared += counts[depth] * common / block.text.len();
        }
        for block in &blocks[depth..] {
            let next = self.nodes.len();
            self.nodes.push(Node::default());
            self.nodes[at].children.insert(block.key, next);
            self.nodes[at].texts.push(block.text.clone());
            at = next;
        }
        let total: usize = counts.iter().sum();
        let read = if shared < prices.minimum { 0 } else { (shared - shared % prices.step).min(total) };
        Bill { read, written: total - read }
    }
}

/// Tokens of one request's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Read from the cache.
    pub(crate) read: usize,
    /// Not cached yet.
    pub(crate) written: usize,
}

impl Bill {
    /// What it costs, in uncached input tokens.
    pub(crate) fn cost(&self, prices: &Prices) -> f64 {
        prices.read * self.read as f64 + prices.write * self.written as f64
    }

    /// As a provider states it: what is new is written to the cache where that costs extra, and read at full price elsewhere.
    pub(crate) fn usage(&self, prices: &Prices) -> Usage {
        let written = self.written as u64;
        let (input, write) = if prices.write > 1.0 { (0, written) } else { (written, 0) };
        Usage {
            input_tokens: input,
            cache_read_tokens: self.read as u64,
            cache_write_tokens: write,
            ..Usage::default()
        }
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}
