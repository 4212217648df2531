//! `headroom top`

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;

use crate::args::TopArgs;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{out, share};

/// Most bytes of the proxy's answer.
const ANSWER_BYTES: u64 = 16 << 20;

/// Rows of a list.
const ROWS: usize = 8;

/// Moves the cursor to the first place and clears from there: the page stays where it is, and what was above it stays in the terminal's memory.
const REDRAW: &str = "\x1b[H\x1b[J";

pub(crate) fn run(args: &TopArgs, settings: &Settings) -> Result<(), CliError> {
    let live = !args.once && std::io::stdout().is_terminal();
    loop {
        let page = page(settings)?;
        if !live {
            return out::data(page.as_bytes());
        }
        out::data(format!("{REDRAW}{page}every {} s; Ctrl-C ends it\n", args.interval).as_bytes())?;
        std::thread::sleep(Duration::from_secs(args.interval));
    }
}

/// What there is to see now.
fn page(settings: &Settings) -> Result<String, CliError> {
    let listen = settings.listen.ok_or_else(|| CliError::Usage("listen is not an address".to_owned()))?;
    let answer = share::ask(listen, settings.token.as_deref(), "/stats?hours=24", ANSWER_BYTES)
        .and_then(|answer| serde_json::from_str::<Value>(&answer).ok())
        .filter(|stats| stats["counters"].is_object());
    let stats = answer.ok_or_else(|| {
        CliError::NotFound(format!(
            "no Headroom answers on {listen}; start it with `headroom proxy`, or name another with HEADROOM_LISTEN"
        ))
    })?;
    Ok(drawn(&stats, &listen.to_string()))
}

/// The proxy's figures as a page.
fn drawn(stats: &Value, listen: &str) -> String {
    let mut page = format!(
        "headroom {} on {listen}, policy {}\n\n",
        stats["version"].as_str().unwrap_or_default(),
        stats["policy"].as_str().unwrap_or_default()
    );
    let count = |name: &str| stats["counters"][name].as_u64().unwrap_or_default();
    page += &format!(
        "since it started   {} requests, {} passed by, {} refused, {} failed upstream, {} cut off\n",
        count("exchanges"),
        count("tunnelled"),
        count("refused"),
        count("upstream_failures"),
        count("cut_off")
    );
    page += &format!(
        "                   {} -> {} tokens in changed texts, {} retrievals ({} found nothing), {} answers guarded\n",
        count("tokens_before"),
        count("tokens_after"),
        count("retrievals"),
        count("retrieval_misses"),
        count("guarded_answers")
    );
    let store = &stats["store"];
    page += &match store["originals"].as_u64() {
        Some(originals) => format!("store              {originals} originals, {} bytes\n", store["stored_bytes"]),
        None => "store              cannot be read\n".to_owned(),
    };
    let ledger = &stats["ledger"];
    let total = &ledger["total"];
    if let Some(requests) = total["requests"].as_u64() {
        page += &format!(
            "\nlast 24 hours      {requests} requests, {} tokens saved{}\n",
            total["tokens_saved"],
            money(total)
        );
        page += &sums("model", &ledger["by_model"]);
        page += &sums("agent", &ledger["by_agent"]);
        page += &counts("saved by", &ledger["by_compressor"]);
        page += &counts("of tool", &ledger["by_tool"]);
        for (cause, waste) in members(&ledger["misses"]).take(ROWS) {
            page += &format!(
                "  cache missed     by {cause}: {} tokens in {} requests\n",
                waste["tokens"], waste["requests"]
            );
        }
    }
    page
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// `, $1.20 instead of $8.40`, where anything has a price.
fn money(sums: &Value) -> String {
    let money = &sums["money"];
    match (money["priced_requests"].as_u64(), money["cost"].as_f64(), money["direct_cost"].as_f64()) {
        (Some(1..), Some(cost), Some(direct)) => format!(", ${cost:.4} instead of ${direct:.4}"),
        _ => String::new(),
    }
}

/// Those with the most requests.
fn sums(what: &str, by: &Value) -> String {
    let mut rows: Vec<_> = members(by).collect();
    rows.sort_by_key(|(_, sums)| std::cmp::Reverse(sums["requests"].as_u64()));
    let row = |(name, sums): &(&String, &Value)| {
        format!(
            "  {what:10} {name:28} {:>6} requests, {} tokens saved{}\n",
            sums["requests"],
            sums["tokens_saved"],
            money(sums)
        )
    };
    rows.iter().take(ROWS).map(row).collect()
}

/// Those with the most tokens.
fn counts(what: &str, by: &Value) -> String {
    let mut rows: Vec<_> = members(by).filter(|(name, _)| !name.is_empty()).collect();
    rows.sort_by_key(|(_, tokens)| std::cmp::Reverse(tokens.as_i64()));
    rows.iter().take(ROWS).map(|(name, tokens)| format!("  {what:10} {name:28} {tokens:>6} tokens\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_drawn_and_what_is_not_there_is_left_out() {
        let stats = json!({"version": "1", "policy": "standard", "counters": {"exchanges": 7}, "store": null});
        let page = drawn(&stats, "127.0.0.1:1");
        assert!(page.contains("7 requests") && page.contains("cannot be read") && !page.contains("24 hours"), "{page}");
        let sums = |requests: u64| json!({"requests": requests, "tokens_saved": 9, "money": {"priced_requests": 1, "cost": 0.5, "direct_cost": 2.0}});
        let stats = json!({"counters": {}, "store": {"originals": 1, "stored_bytes": 2}, "ledger": {
            "total": sums(3), "by_model": {"a": sums(1), "b": sums(2)}, "by_agent": {}, "by_compressor": {"json": 5}, "by_tool": {}, "misses": {}}});
        let page = drawn(&stats, "127.0.0.1:1");
        assert!(page.contains("3 requests, 9 tokens saved, $0.5000 instead of $2.0000"), "{page}");
        assert!(
            page.find("model      b").unwrap() < page.find("model      a").unwrap() && page.contains("json"),
            "{page}"
        );
    }
}
