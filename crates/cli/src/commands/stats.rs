//! `headroom stats`

use std::time::{SystemTime, UNIX_EPOCH};

use headroom::ledger::{Account, Ledger, Prices, Sums, Waste};
use headroom::{Align, Engine};
use serde::Serialize;

use crate::args::StatsArgs;
use crate::error::CliError;
use crate::out;
use crate::settings::Settings;

/// Sessions that cost more than directly, as many as are named.
const LOSING: usize = 5;

#[derive(Serialize)]
struct Output {
    #[serde(flatten)]
    ledger: Ledger,
    originals: u64,
    original_bytes: u64,
    stored_bytes: u64,
}

pub(crate) fn run(args: &StatsArgs, engine: &Engine, settings: &Settings) -> Result<(), CliError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let since = args.hours.map_or(0, |hours| now.saturating_sub(hours.saturating_mul(3_600_000)));
    let failed = |error: headroom_store::StoreError| CliError::Failed(error.to_string());
    let prices = prices(settings)?;
    let receipts = engine.receipts(&settings.scope(), since).map_err(failed)?;
    let holdings = engine.store().holdings().map_err(failed)?;
    let output = Output {
        ledger: Ledger::of(&receipts, &prices),
        originals: holdings.originals,
        original_bytes: holdings.original_bytes,
        stored_bytes: holdings.stored_bytes,
    };
    if args.json {
        return out::json(&output);
    }
    print(&output)?;
    if settings.policy.align == Align::Off && !output.ledger.volatile.is_empty() {
        out::line("align = auto keeps such values from moving what the provider's cache holds")?;
    }
    Ok(())
}

/// The listed prices, and the user's own in their place.
pub(crate) fn prices(settings: &Settings) -> Result<Prices, CliError> {
    let Some(path) = &settings.prices else { return Ok(Prices::listed()) };
    let text =
        std::fs::read_to_string(path).map_err(CliError::while_doing(format!("cannot read prices from {path}")))?;
    Prices::listed_and(&text).map_err(|error| CliError::Usage(format!("{path}: {error}")))
}

fn print(output: &Output) -> Result<(), CliError> {
    let Output { ledger, .. } = output;
    let total = &ledger.total;
    out::line(&format!("requests          {} ({} changed)", total.requests, total.requests_changed))?;
    out::line(&format!("tokens saved      {} (counted on every request that carried them)", total.tokens_saved))?;
    for (compressor, tokens) in &ledger.by_compressor {
        out::line(&format!("  {compressor:15} {tokens} at first sight"))?;
    }
    out::line(&format!("retrievals        {} ({} found nothing)", total.retrievals, total.retrieval_misses))?;
    if total.writes_expanded + total.writes_refused > 0 {
        out::line(&format!(
            "marks written     {} calls went on with the text in their place, {} were refused",
            total.writes_expanded, total.writes_refused
        ))?;
    }
    out::line(&format!(
        "billed tokens     {} input, {} cache read, {} cache write, {} output",
        total.billed.input_tokens,
        total.billed.cache_read_tokens,
        total.billed.cache_write_tokens + total.billed.cache_write_1h_tokens,
        total.billed.output_tokens
    ))?;
    print_money(ledger)?;
    out::line(&format!(
        "originals kept    {} ({} bytes, {} stored)",
        output.originals, output.original_bytes, output.stored_bytes
    ))
}

fn print_money(ledger: &Ledger) -> Result<(), CliError> {
    let total = &ledger.total;
    let money = &total.money;
    if money.priced_requests == 0 {
        return Ok(());
    }
    let unpriced = total.requests - money.priced_requests;
    let left_out = if unpriced == 0 { String::new() } else { format!("; {unpriced} requests have no price") };
    out::line(&format!("cost              {}, list prices of {}{left_out}", compared(money), ledger.prices_as_of))?;
    out::line(&format!("  of which ours   ${:.4} for the retrieval tool, its rounds, and notes", money.overhead))?;
    if money.aligned > 0.0 {
        out::line(&format!("  alignment       ${:.4} of what was saved", money.aligned))?;
    }
    let groups = [("model", &ledger.by_model), ("agent", &ledger.by_agent), ("user", &ledger.by_user)];
    for (what, sums) in groups.iter().filter(|(_, sums)| sums.len() > 1) {
        for (name, Sums { money, .. }) in sums.iter().filter(|(_, sums)| sums.money.priced_requests > 0) {
            out::line(&format!("  {what} {name:25} {}", compared(money)))?;
        }
    }
    if total.stop_losses > 0 {
        out::line(&format!(
            "  stopped         {} conversations cost more than directly and are sent as they come",
            total.stop_losses
        ))?;
    }
    for (cause, waste) in &ledger.misses {
        out::line(&format!("  cache missed    {}", wasted(waste, &format!("by {cause}"))))?;
    }
    for (value, waste) in &ledger.volatile {
        out::line(&format!("  changing value  {}", wasted(waste, value)))?;
    }
    for (session, lost) in ledger.losing_sessions().into_iter().take(LOSING) {
        out::line(&format!("  cost more       ${lost:.4} in session {session}"))?;
    }
    Ok(())
}

/// `by client: 5000 tokens in 2 requests, $0.0173`
fn wasted(waste: &Waste, name: &str) -> String {
    format!("{name}: {} tokens in {} requests, ${:.4}", waste.tokens, waste.requests, waste.dollars)
}

/// `$1.20 instead of $8.40 (-85.7 %)`
fn compared(money: &Account) -> String {
    let change = -money.saved_share() * 100.0;
    format!("${:.4} instead of ${:.4} ({change:+.1} %)", money.cost, money.direct_cost)
}
