//! What a figure counts is what its name says.

use headroom::Tokenizer;
use headroom_testkit::http::Reply;
use serde_json::{Value, json};

use crate::common::{claude, opening, pair, rows};

/// Words in a name that say what is counted.
/// `money` is in dollars.
const UNITS: &[&str] =
    &["tokens", "bytes", "money", "_ms", "_us", "micros", "usd", "hours", "per_day", "dollars", "percent", "share"];

/// Names of plain numbers of things: requests, entries, steps, positions.
const COUNTS: &[&str] = &[
    "status",
    "retrievals",
    "retrieval_misses",
    "values",
    "breakpoints",
    "requests",
    "exchanges",
    "tunnelled",
    "websockets",
    "refused",
    "upstream_failures",
    "failed_open",
    "unread",
    "replayed",
    "cut_off",
    "receipts_dropped",
    "stop_losses",
    "guarded_answers",
    "expanded",
    "writes_expanded",
    "writes_refused",
    "marks",
    "drifting",
    "originals",
    "requests_changed",
    "originals_replayed",
    "priced_requests",
    "renderings",
    "receipts",
    "first_difference",
];

/// Every number in a document, with the names that lead to it.
fn numbers(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, f64)>) {
    match value {
        Value::Number(number) => found.push((path.clone(), number.as_f64().unwrap())),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, path, found)),
        Value::Object(members) => {
            for (name, member) in members {
                path.push(name.clone());
                numbers(member, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Whether one of the names on the way says what is counted.
fn says_its_unit(path: &[String]) -> bool {
    path.iter().any(|name| UNITS.iter().any(|unit| name.contains(unit)))
        || path.last().is_some_and(|name| COUNTS.contains(&name.as_str()))
}

/// T115
#[tokio::test]
async fn every_figure_says_what_it_counts_and_counts_that() {
    let usage = r#"{"id":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":11,"cache_read_input_tokens":13,"cache_creation_input_tokens":17,"output_tokens":19}}"#;
    let pair = pair(vec![Reply::json(200, usage)]).await;
    let text = rows(400);
    let body = claude(&json!(opening(&text)), false).to_string();
    pair.post("/v1/messages", &body).await;
    let receipt = &pair.receipts(1).await[0];
    let stats = pair.send("GET", "/stats?hours=1", &[], b"").await.json();
    let mut found = Vec::new();
    numbers(&serde_json::to_value(receipt).unwrap(), &mut Vec::new(), &mut found);
    numbers(&stats, &mut Vec::new(), &mut found);
    assert!(found.len() > 40, "{} figures", found.len());
    let unsaid: Vec<_> =
        found.iter().filter(|(path, _)| !says_its_unit(path)).map(|(path, _)| path.join(".")).collect();
    assert!(unsaid.is_empty(), "figures whose names do not say what they count: {unsaid:?}");

    // Of the model's own tokens and of bytes; items are neither.
    let slot = receipt.slots.iter().find(|slot| slot.role == "result").unwrap();
    let tokens = Tokenizer::for_model("claude-sonnet-4-5").count(&text) as u64;
    assert_eq!((slot.tokens_before, slot.bytes), (tokens, text.len() as u64));
    assert_eq!((receipt.tokens_before, receipt.bytes_in), (tokens, body.len() as u64));
    assert_eq!(receipt.bytes_out, pair.last_sent().len() as u64);
    let counters = &stats["counters"];
    for (name, value) in [
        ("tokens_before", tokens),
        ("bytes_in", body.len() as u64),
        ("billed_input_tokens", 11),
        ("billed_cache_read_tokens", 13),
        ("billed_cache_write_tokens", 17),
        ("billed_output_tokens", 19),
        ("exchanges", 1),
    ] {
        assert_eq!(counters[name], value, "{name}");
    }
}
