//! The ledger: what requests cost, and what the same requests would have cost directly.
//!
//! What was billed comes from the provider. What the direct request would have been billed is that, less what only exists because of
//! Headroom (the tool's definition, the rounds that answer retrievals), plus the tokens that were taken out, each at the price
//! of the class it would have been billed in: text decided in this request is new to the provider, so it would have been written
//! to the cache, or read at full price where nothing is written; text decided before stands in the prefix, so it would have been
//! read from the cache when this request's prefix was, and been paid like new text when it was not.
//!
//! Where a value that its client changes was kept from moving the prefix, the direct request would have paid for everything behind it
//! as for new text; what was read from the cache instead is the gain, and what is said about such values is charged.
//!
//! Counts of tokens taken out are ours, and estimates for models whose tokenizer is not public; the receipt names the tokenizer.

mod prices;
mod why;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use prices::{Price, Prices, PricesError};
pub use why::{Cost, Why};

use crate::{Aligned, Receipt, Usage, Volatile};

/// Tokens of the retrieval tool's definition, rounded up over the dialects and tokenizers; a test counts them.
const TOOL_TOKENS: u64 = 160;

/// What one request, or many, cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Requests that were billed and whose model has a price.
    pub priced_requests: u64,
    /// Dollars billed.
    pub cost: f64,
    /// Dollars that the same requests would have cost without Headroom.
    pub direct_cost: f64,
    /// Dollars among `cost` for what only Headroom added: the tool's definition, the rounds that answered retrievals, what they found on later
    /// requests, and what is said about values that change.
    pub overhead: f64,
    /// Dollars among what was saved that were saved because values that change were kept from moving the prefix.
    #[serde(default)]
    pub aligned: f64,
}

impl Account {
    /// What one request cost; `None` when its model has no price or the provider did not say what it billed.
    pub fn of(receipt: &Receipt, prices: &Prices) -> Option<Self> {
        Self::at(receipt, prices.of_model(&receipt.model)?)
    }

    /// The same at a price; `None` when the provider did not say what it billed.
    fn at(receipt: &Receipt, price: &Price) -> Option<Self> {
        let usage = receipt.usage?;
        let cost = price.of(&usage);
        let rounds = price.of(&receipt.retrieval_usage);
        let classes = Classes::of(&usage.less(&receipt.retrieval_usage), price);
        let definition = if receipt.tool_offered { TOOL_TOKENS as f64 * classes.before } else { 0.0 };
        let kept = kept_in_cache(receipt, &usage);
        // Behind a value that moves, the direct request would have paid for all text as for new.
        let before = if kept > 0 { classes.new } else { classes.before };
        let taken_out: f64 = receipt
            .slots
            .iter()
            .map(|slot| {
                let tokens = slot.tokens_before as f64 - slot.tokens_after as f64;
                tokens * if slot.fresh { classes.new } else { before }
            })
            .sum();
        let Aligned { note_tokens, new_note_tokens, .. } = receipt.aligned;
        let carried = (note_tokens + receipt.hidden_tokens) as f64 * classes.before;
        let overhead = rounds + definition + carried + new_note_tokens as f64 * classes.new;
        let aligned = kept as f64 * (classes.new - price.read / 1e6).max(0.0);
        Some(Self { priced_requests: 1, cost, direct_cost: cost - overhead + taken_out + aligned, overhead, aligned })
    }

    /// Dollars lost by a request, whatever the tool's definition cost: that stays, whether or not anything more is shortened. Negative for what was
    /// saved. Models without a price are counted at a typical one.
    pub(crate) fn lost(receipt: &Receipt, prices: &Prices) -> Option<Self> {
        let price = prices.of_model(&receipt.model).unwrap_or(&Price::TYPICAL);
        let account = Self::at(receipt, price)?;
        let first = receipt.usage?.less(&receipt.retrieval_usage);
        let definition =
            if receipt.tool_offered { TOOL_TOKENS as f64 * Classes::of(&first, price).before } else { 0.0 };
        Some(Self { cost: account.cost - definition, ..account })
    }

    /// Dollars that the tokens of a receipt's [`Miss`](crate::Miss) cost over what reading them from the cache would have.
    pub fn of_miss(receipt: &Receipt, prices: &Prices) -> Option<f64> {
        Some(receipt.miss.as_ref()?.tokens() as f64 * Self::anew(receipt, prices)?)
    }

    /// Dollars that a value which changes on every request costs on each: what stands behind it is paid for like new text.
    pub fn of_volatile(value: &Volatile, receipt: &Receipt, prices: &Prices) -> Option<f64> {
        Some(value.tokens_behind as f64 * Self::anew(receipt, prices)?)
    }

    /// Dollars by which a token of this request costs more as new text than from the cache.
    fn anew(receipt: &Receipt, prices: &Prices) -> Option<f64> {
        let price = prices.of_model(&receipt.model)?;
        let first = receipt.usage.unwrap_or_default().less(&receipt.retrieval_usage);
        Some((Classes::of(&first, price).new - price.read / 1e6).max(0.0))
    }

    /// Dollars saved; negative when Headroom cost money.
    pub fn saved(&self) -> f64 {
        self.direct_cost - self.cost
    }

    /// The share of the direct cost that was saved, from 0 to 1; negative when Headroom cost money; 0 of nothing.
    pub fn saved_share(&self) -> f64 {
        if self.direct_cost > 0.0 { self.saved() / self.direct_cost } else { 0.0 }
    }

    fn add(&mut self, other: &Self) {
        self.priced_requests += other.priced_requests;
        self.cost += other.cost;
        self.direct_cost += other.direct_cost;
        self.overhead += other.overhead;
        self.aligned += other.aligned;
    }
}

/// Tokens read from the cache that the direct request would have missed: those behind the first value that its client changed.
fn kept_in_cache(receipt: &Receipt, usage: &Usage) -> u64 {
    if receipt.aligned.values == 0 && !receipt.aligned.tools {
        return 0;
    }
    let first = usage.less(&receipt.retrieval_usage);
    let behind = receipt.drift.volatile.iter().filter(|value| !value.place.starts_with("message"));
    behind.map(|value| value.tokens_behind).max().unwrap_or(0).min(first.cache_read_tokens)
}

/// Dollars for one token of the prompt, by where it stands.
struct Classes {
    /// Text that earlier requests had too.
    before: f64,
    /// Text that is new in this request.
    new: f64,
}

impl Classes {
    fn of(usage: &Usage, price: &Price) -> Self {
        let new = if usage.cache_write_1h_tokens > usage.cache_write_tokens {
            price.write_1h
        } else if usage.cache_write_tokens > 0 {
            price.write
        } else {
            price.input
        };
        let before = if usage.cache_read_tokens > 0 { price.read } else { new };
        Self { before: before / 1e6, new: new / 1e6 }
    }
}

/// Sums over requests. Token counts are per request: a result that ten requests carried counts ten times, as it is billed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Requests.
    pub requests: u64,
    /// Requests whose body was changed.
    pub requests_changed: u64,
    /// Tokens taken out less tokens put in; negative when more were put in.
    pub tokens_saved: i64,
    /// Retrievals answered.
    pub retrievals: u64,
    /// Retrievals that found nothing.
    pub retrieval_misses: u64,
    /// Calls of the client's tools in which the model wrote marks, and which went on with the text in their place.
    pub writes_expanded: u64,
    /// The same, refused.
    pub writes_refused: u64,
    /// Conversations that are not shortened any further because that had cost more than it saved.
    pub stop_losses: u64,
    /// Requests that the provider refused as they were changed and took as they came.
    pub originals_replayed: u64,
    /// Tokens billed.
    pub billed: Usage,
    /// The same in money.
    pub money: Account,
}

impl Sums {
    fn add(&mut self, receipt: &Receipt, account: Option<&Account>) {
        self.requests += 1;
        self.requests_changed += u64::from(receipt.bytes_in != receipt.bytes_out);
        self.tokens_saved = self
            .tokens_saved
            .saturating_add_unsigned(receipt.tokens_before)
            .saturating_sub_unsigned(receipt.tokens_after);
        self.retrievals += u64::from(receipt.retrievals);
        self.retrieval_misses += u64::from(receipt.retrieval_misses);
        let done = |outcome| receipt.guarded.iter().filter(|call| call.outcome == outcome).count() as u64;
        self.writes_expanded += done("expanded");
        self.writes_refused += done("refused");
        self.originals_replayed += u64::from(receipt.replayed_original);
        self.stop_losses += u64::from(receipt.stop_loss.is_some());
        if let Some(usage) = &receipt.usage {
            self.billed += *usage;
        }
        if let Some(account) = account {
            self.money.add(account);
        }
    }
}

/// What was billed anew, or what values that change cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Waste {
    /// Requests.
    pub requests: u64,
    /// Tokens that could have been read from the cache.
    pub tokens: u64,
    /// Dollars over what reading them would have cost, where the model has a price.
    pub dollars: f64,
}

impl Waste {
    fn add(&mut self, tokens: u64, dollars: Option<f64>) {
        self.requests += 1;
        self.tokens += tokens;
        self.dollars += dollars.unwrap_or_default();
    }
}

/// The sums over some receipts, in all and by what people ask about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ledger {
    /// Date of the prices.
    pub prices_as_of: String,
    /// Everything.
    pub total: Sums,
    /// By model.
    pub by_model: BTreeMap<String, Sums>,
    /// By agent: the name at the start of the client's `User-Agent`.
    pub by_agent: BTreeMap<String, Sums>,
    /// By user, where senders have to say who they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_user: BTreeMap<String, Sums>,
    /// By session, as the client names it; requests without a name are left out.
    pub by_session: BTreeMap<String, Sums>,
    /// Tokens taken out when a text was seen first, by compressor.
    #[serde(rename = "tokens_by_compressor")]
    pub by_compressor: BTreeMap<String, i64>,
    /// The same by the tool that the text came from.
    #[serde(rename = "tokens_by_tool")]
    pub by_tool: BTreeMap<String, i64>,
    /// What caches missed, by [cause](crate::Miss::cause).
    pub misses: BTreeMap<String, Waste>,
    /// What the first value that changes cost in each request, by place and kind: `instructions timestamp`.
    pub volatile: BTreeMap<String, Waste>,
}

impl Ledger {
    /// The sums over these receipts.
    pub fn of<'r>(receipts: impl IntoIterator<Item = &'r Receipt>, prices: &Prices) -> Self {
        let mut ledger = Self { prices_as_of: prices.as_of().to_owned(), ..Self::default() };
        for receipt in receipts {
            ledger.add(receipt, Account::of(receipt, prices).as_ref());
            ledger.add_waste(receipt, prices);
        }
        ledger
    }

    fn add(&mut self, receipt: &Receipt, account: Option<&Account>) {
        self.total.add(receipt, account);
        self.by_model.entry(receipt.model.clone()).or_default().add(receipt, account);
        self.by_agent.entry(agent_name(&receipt.agent).to_owned()).or_default().add(receipt, account);
        if !receipt.user.is_empty() {
            self.by_user.entry(receipt.user.clone()).or_default().add(receipt, account);
        }
        if !receipt.session.is_empty() {
            self.by_session.entry(receipt.session.clone()).or_default().add(receipt, account);
        }
        for slot in receipt.slots.iter().filter(|slot| slot.fresh && !slot.compressor.is_empty()) {
            let tokens = 0_i64.saturating_add_unsigned(slot.tokens_before).saturating_sub_unsigned(slot.tokens_after);
            *self.by_compressor.entry(slot.compressor.clone()).or_default() += tokens;
            *self.by_tool.entry(slot.tool.clone()).or_default() += tokens;
        }
    }

    fn add_waste(&mut self, receipt: &Receipt, prices: &Prices) {
        if let Some(miss) = &receipt.miss {
            let dollars = Account::of_miss(receipt, prices);
            self.misses.entry(miss.cause.clone()).or_default().add(miss.tokens(), dollars);
        }
        // Those behind the first one would only begin to cost once it is gone, and one that was aligned costs nothing.
        let aligned = receipt.aligned.values > 0 || receipt.aligned.tools;
        let paid = receipt.drift.volatile.iter().filter(|value| !aligned || value.place.starts_with("message"));
        if let Some(first) = paid.max_by_key(|value| value.tokens_behind) {
            // A message's number says nothing about other conversations, and names must stay few.
            let place = first.place.split(' ').next().unwrap_or_default();
            let name = format!("{place} {}", first.kind);
            let dollars = Account::of_volatile(first, receipt, prices);
            self.volatile.entry(name).or_default().add(first.tokens_behind, dollars);
        }
    }

    /// Sessions that cost more than they would have directly, the dearest first, with the dollars lost.
    pub fn losing_sessions(&self) -> Vec<(&str, f64)> {
        let mut losing: Vec<(&str, f64)> = self
            .by_session
            .iter()
            .map(|(name, sums)| (name.as_str(), -sums.money.saved()))
            .filter(|(_, lost)| *lost > 0.0)
            .collect();
        losing.sort_by(|a, b| b.1.total_cmp(&a.1));
        losing
    }
}

/// `claude-cli/2.0 (external, cli)` is `claude-cli`.
fn agent_name(agent: &str) -> &str {
    agent.split(['/', ' ']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
