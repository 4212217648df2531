//! `headroom why`

use headroom::ledger::Why;
use headroom::{Engine, Receipt};
use headroom_store::Scope;

use super::{explain, stats};
use crate::args::WhyArgs;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{out, share};

/// Most bytes of a proxy's answer. A receipt has some 250 for each text.
const ANSWER_BYTES: u64 = 32 << 20;

pub(crate) fn run(
    args: &WhyArgs,
    engine: impl Fn() -> Result<Engine, CliError>,
    settings: &Settings,
) -> Result<(), CliError> {
    let why = match running(args, settings) {
        Some(why) => why,
        None => stored(args, &engine()?, settings)?,
    };
    if args.json { out::json(&why) } else { print(&why) }
}

/// What the running proxy says; it knows a request before the store does.
fn running(args: &WhyArgs, settings: &Settings) -> Option<Why> {
    // What stands in a path must not end it.
    let is_id = args.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let address = settings.listen.filter(|_| is_id)?;
    let answer = share::ask(address, settings.token.as_deref(), &format!("/v1/why/{}", args.id), ANSWER_BYTES)?;
    serde_json::from_str(&answer).ok()
}

fn stored(args: &WhyArgs, engine: &Engine, settings: &Settings) -> Result<Why, CliError> {
    let prices = stats::prices(settings)?;
    let receipt = engine.receipt(&Scope::default(), &args.id).map_err(|error| CliError::Failed(error.to_string()))?;
    let receipt = receipt.ok_or_else(|| {
        CliError::NotFound(format!(
            "neither a proxy on the configured address nor the store knows a request {:?}",
            args.id
        ))
    })?;
    Ok(Why::of(&receipt, &prices))
}

fn print(why: &Why) -> Result<(), CliError> {
    let receipt = &why.receipt;
    let Receipt { id, dialect, model, policy, .. } = receipt;
    out::line(&format!("request   {id} ({dialect}, {model}, policy {policy})"))?;
    out::line(&format!("bytes     {} in, {} out; {} us added", receipt.bytes_in, receipt.bytes_out, receipt.added_us))?;
    if !receipt.unread.is_empty() {
        out::line(&format!("unread    sent as it came: {}", receipt.unread))?;
    }
    if let Some(account) = &why.account {
        out::line(&format!(
            "cost      ${:.6} instead of ${:.6}; ${:.6} for the retrieval tool and its rounds; list prices of {}",
            account.cost, account.direct_cost, account.overhead, why.prices_as_of
        ))?;
    }
    for call in &receipt.guarded {
        let done =
            if call.outcome == "expanded" { "the text was written in their place" } else { "the call was refused" };
        out::line(&format!("guarded   {} wrote {} marks: {done}", call.tool, call.marks))?;
    }
    if let Some(stop) = &receipt.stop_loss {
        out::line(&format!(
            "stopped   after {} requests the conversation had cost ${:.6} more than directly; what is new in it is sent as it comes",
            stop.requests,
            stop.lost_micros as f64 / 1e6
        ))?;
    }
    print_drift(why)?;
    print_miss(why)?;
    explain::print_slots(receipt)
}

fn print_drift(why: &Why) -> Result<(), CliError> {
    let drift = &why.receipt.drift;
    if drift.prefix_bytes == 0 {
        return out::line("prefix    nothing earlier of this conversation is known");
    }
    let differs =
        drift.first_difference.map_or(String::new(), |at| format!("; differs at byte {at}, in {}", drift.place));
    out::line(&format!(
        "prefix    {} of {} bytes as in {}{differs}",
        drift.stable_bytes, drift.prefix_bytes, drift.since
    ))?;
    for (value, cost) in drift.volatile.iter().zip(&why.volatile) {
        let price = cost.map_or(String::new(), |cost| {
            format!(", ${:.6}; ${:.2} a day at {} requests", cost.dollars, cost.dollars_per_day, drift.requests_per_day)
        });
        out::line(&format!(
            "changes   {} in {} at byte {} ({} bytes): {} tokens behind it{price}",
            value.kind, value.place, value.offset, value.bytes, value.tokens_behind
        ))?;
    }
    let aligned = &why.receipt.aligned;
    if aligned.values > 0 || aligned.tools || aligned.breakpoints > 0 {
        let tools = if aligned.tools { ", tools in their first order" } else { "" };
        out::line(&format!(
            "aligned   {} values sent as first seen{tools}; {} + {} tokens say what they are now; {} cache markers added",
            aligned.values, aligned.note_tokens, aligned.new_note_tokens, aligned.breakpoints
        ))?;
    }
    Ok(())
}

fn print_miss(why: &Why) -> Result<(), CliError> {
    let Some(miss) = &why.receipt.miss else { return Ok(()) };
    let cause = match miss.cause.as_str() {
        "client" => "the client changed what it had sent".to_owned(),
        "headroom" => "Headroom sent it another way than before".to_owned(),
        "model" => "another model was asked for".to_owned(),
        "ttl" => format!("the cache's time had passed ({} s)", miss.seconds),
        "lookback" => "more blocks were added than the provider looks back over".to_owned(),
        _ => "nothing had changed; the provider did not have it".to_owned(),
    };
    let place = miss.offset.map_or(String::new(), |at| format!(", at byte {at}, in {}", miss.place));
    let dollars = why.miss_dollars.map_or(String::new(), |dollars| format!(", ${dollars:.6}"));
    out::line(&format!(
        "missed    {} of {} cached tokens: {cause}{place}{dollars}",
        miss.tokens(),
        miss.expected_tokens
    ))
}
