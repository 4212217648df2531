//! `headroom demo debugging`

use headroom_evals::debugging::{self, Debugging};

use crate::error::CliError;
use crate::out;

pub(super) fn run(json: bool) -> Result<(), CliError> {
    let shown = debugging::play();
    if json {
        return out::json(&shown);
    }
    let Debugging { requests, log_bytes, log_lines, model, prices_as_of, .. } = &shown;
    out::line(&format!(
        "session     {requests} requests about a log of {log_bytes} bytes ({log_lines} lines), pasted and read again; the time in the instructions"
    ))?;
    out::line(&format!("prices      {model}, list prices of {prices_as_of}; a simulated cache that forgets nothing"))?;
    out::line(&format!("directly    ${:.4}; ${:.4} if there were no clock", shown.direct, shown.direct_without_clock))?;
    let retrievals = format!("{} retrievals for ${:.4} included", shown.retrievals, shown.retrieval_cost);
    out::line(&format!("forwarded   ${:.4}, {retrievals}", shown.cost))?;
    let without_clock = 100.0 * (1.0 - shown.cost / shown.direct_without_clock);
    out::line(&format!(
        "saved       {:.1} % ({without_clock:.1} % of what it would cost without a clock)",
        100.0 * shown.saved_share
    ))?;
    for (class, (direct, ours)) in shown.billed.iter().filter(|(_, sums)| **sums != (0, 0)) {
        out::line(&format!("  {class:12} {direct:9} tokens directly, {ours:8} forwarded"))?;
    }
    let (before, after) = shown.log_tokens;
    out::line(&format!("the log     {before} -> {after} tokens, the same on every request"))?;
    out::line(&format!("errors      {} of {} lines are in it", shown.error_lines_inline, shown.error_lines))?;
    let reason = if shown.root_cause_inline { "stands in it word for word" } else { "was left out" };
    out::line(&format!("the reason  {reason}"))
}
