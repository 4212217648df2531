//! `headroom explain`

use headroom::{Engine, Handle, Reason, Receipt};
use headroom_store::Scope;

use super::diff;
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::out;

pub(crate) fn run(args: &ExplainArgs, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let failed = |error: headroom_store::StoreError| CliError::Failed(error.to_string());
    let receipt = match args.what.parse::<Handle>() {
        Ok(handle) => engine.receipt_naming(scope, handle),
        Err(_) => engine.receipt(scope, &args.what),
    };
    let Some(receipt) = receipt.map_err(failed)? else {
        return Err(CliError::NotFound(format!("no request in this store has the id {0:?} or names {0:?}", args.what)));
    };
    if args.json {
        return out::json(&receipt);
    }
    out::line(&format!(
        "request   {} ({}, {}, policy {})",
        receipt.id, receipt.dialect, receipt.model, receipt.policy
    ))?;
    out::line(&format!("bytes     {} in, {} out; {} us added", receipt.bytes_in, receipt.bytes_out, receipt.added_us))?;
    out::line(&format!(
        "tokens    {} -> {} in changed texts ({})",
        receipt.tokens_before, receipt.tokens_after, receipt.tokenizer
    ))?;
    if receipt.tool_offered {
        out::line("tool      retrieve_original_content was added")?;
    }
    if !receipt.unread.is_empty() {
        out::line(&format!("unread    sent as it came: {}", receipt.unread))?;
    }
    if receipt.replayed_original {
        out::line("replayed  the provider refused the changed body; the original was sent")?;
    }
    print_slots(&receipt)?;
    print_cuts(&receipt, engine, scope)
}

/// What was decided in this request, before and after: each cut between the lines around it.
fn print_cuts(receipt: &Receipt, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let decided = receipt.slots.iter().enumerate().filter(|(_, slot)| slot.fresh && !slot.compressor.is_empty());
    for (index, slot) in decided {
        let parts = engine.sent_parts(scope, slot).map_err(|error| CliError::Failed(error.to_string()))?;
        let lines = match parts {
            Some(parts) => diff::cuts(&parts),
            None => vec!["what was sent of it is not recorded, or not any more".to_owned()],
        };
        out::line(&format!("\ntext {index}  {}", lines.join("\n    ")))?;
    }
    Ok(())
}

/// How each text was sent, and why.
pub(super) fn print_slots(receipt: &Receipt) -> Result<(), CliError> {
    for (index, slot) in receipt.slots.iter().enumerate() {
        let reason = Reason::from_code(&slot.reason).map_or(slot.reason.clone(), |reason| reason.to_string());
        let how = if slot.compressor.is_empty() {
            format!("kept: {reason}")
        } else {
            format!("{} {} -> {} tokens: {reason}", slot.compressor, slot.tokens_before, slot.tokens_after)
        };
        let when = if slot.fresh { "" } else { " (as before)" };
        let handles = if slot.handles.is_empty() { String::new() } else { format!(" [{}]", slot.handles.join(", ")) };
        out::line(&format!(
            "{index:4}  {:6} {:16} {:8} bytes  {how}{when}{handles}",
            slot.role, slot.tool, slot.bytes
        ))?;
    }
    Ok(())
}
