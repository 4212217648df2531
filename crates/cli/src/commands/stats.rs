//! `headroom stats`

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use headroom::{Engine, Receipt};
use headroom_store::Scope;
use serde::Serialize;

use crate::args::StatsArgs;
use crate::error::CliError;
use crate::out;

/// Sums over receipts. Token counts of changed slots are per request: a result that ten requests carried counts ten times, as it is billed.
#[derive(Debug, Default, Serialize)]
struct Sums {
    requests: u64,
    requests_changed: u64,
    tokens_saved: u64,
    retrievals: u64,
    retrieval_misses: u64,
    input_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    output_tokens: u64,
    originals_replayed: u64,
}

impl Sums {
    fn add(&mut self, receipt: &Receipt) {
        let usage = receipt.usage.unwrap_or_default();
        self.requests += 1;
        self.requests_changed += u64::from(receipt.bytes_in != receipt.bytes_out);
        self.tokens_saved += receipt.tokens_before.saturating_sub(receipt.tokens_after);
        self.retrievals += u64::from(receipt.retrievals);
        self.retrieval_misses += u64::from(receipt.retrieval_misses);
        self.input_tokens += usage.input_tokens;
        self.cache_read_tokens += usage.cache_read_tokens;
        self.cache_write_tokens += usage.cache_write_tokens;
        self.output_tokens += usage.output_tokens;
        self.originals_replayed += u64::from(receipt.replayed_original);
    }
}

#[derive(Serialize)]
struct Output {
    total: Sums,
    by_model: BTreeMap<String, Sums>,
    /// Tokens saved at first sight, by compressor.
    by_compressor: BTreeMap<String, u64>,
    originals: u64,
    original_bytes: u64,
    stored_bytes: u64,
}

pub(crate) fn run(args: &StatsArgs, engine: &Engine) -> Result<(), CliError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let since = args.hours.map_or(0, |hours| now.saturating_sub(hours.saturating_mul(3_600_000)));
    let failed = |error: headroom_store::StoreError| CliError::Failed(error.to_string());
    let receipts = engine.receipts(&Scope::default(), since).map_err(failed)?;
    let holdings = engine.store().holdings().map_err(failed)?;
    let mut output = Output {
        total: Sums::default(),
        by_model: BTreeMap::new(),
        by_compressor: BTreeMap::new(),
        originals: holdings.originals,
        original_bytes: holdings.original_bytes,
        stored_bytes: holdings.stored_bytes,
    };
    for receipt in &receipts {
        output.total.add(receipt);
        output.by_model.entry(receipt.model.clone()).or_default().add(receipt);
        for slot in receipt.slots.iter().filter(|slot| slot.fresh && !slot.compressor.is_empty()) {
            *output.by_compressor.entry(slot.compressor.clone()).or_default() +=
                slot.tokens_before.saturating_sub(slot.tokens_after);
        }
    }
    if args.json {
        return out::json(&output);
    }
    let total = &output.total;
    out::line(&format!("requests          {} ({} changed)", total.requests, total.requests_changed))?;
    out::line(&format!("tokens saved      {} (counted on every request that carried them)", total.tokens_saved))?;
    for (compressor, tokens) in &output.by_compressor {
        out::line(&format!("  {compressor:15} {tokens} at first sight"))?;
    }
    out::line(&format!("retrievals        {} ({} found nothing)", total.retrievals, total.retrieval_misses))?;
    out::line(&format!(
        "billed tokens     {} input, {} cache read, {} cache write, {} output",
        total.input_tokens, total.cache_read_tokens, total.cache_write_tokens, total.output_tokens
    ))?;
    out::line(&format!(
        "originals kept    {} ({} bytes, {} stored)",
        output.originals, output.original_bytes, output.stored_bytes
    ))
}
