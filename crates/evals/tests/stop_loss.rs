//! A conversation built to lose money: small results, each of which the model asks back whole as soon as it has seen it.

use headroom::ledger::{Ledger, Prices};
use headroom::{Mode, Policy};
use headroom_core::find_marks;
use headroom_evals::{Live, Sent};
use headroom_wire::{Request, TOOL_NAME};
use serde_json::{Value, json};

/// A run of a few tests, most of which have passed: the passes are left out.
fn small(turn: usize) -> String {
    let words = ["parse", "merge", "route", "store", "drain", "split", "queue", "clock", "shard", "fetch"];
    let word = |n: usize| words[n % words.len()];
    let passes: String = (0..34)
        .map(|n| {
            format!("test {}_{}::{}_{}_keeps_{} ... ok\n", word(n + turn), n, word(n * 7 + turn), turn, word(n * 3))
        })
        .collect();
    format!("running 35 tests\n{passes}test last_{turn} ... FAILED\n\ntest result: FAILED. 34 passed; 1 failed\n")
}

/// Asks for everything that was left out of the newest result, then goes on.
fn curious(request: &Request, turn: usize) -> Vec<Value> {
    let newest = request.slots().last().map(|slot| slot.text().to_owned()).unwrap_or_default();
    match find_marks(&newest).last().filter(|_| request.has_retrieval_tool()) {
        Some(mark) => {
            let input = json!({"content_id": mark.handle.to_string()});
            vec![json!({"type": "tool_use", "id": format!("toolu_r{turn}"), "name": TOOL_NAME, "input": input})]
        }
        None => {
            let input = json!({"command": format!("cargo test --test part_{turn}")});
            vec![
                json!({"type": "text", "text": format!("Part {turn} is read; I run the next one.")}),
                json!({"type": "tool_use", "id": format!("toolu_{turn}"), "name": "Bash", "input": input}),
            ]
        }
    }
}

fn play(turns: usize) -> Vec<Sent> {
    let mut live = Live::new(Policy::of(Mode::Standard), "claude-sonnet-4-5");
    let system = format!("You are an operator. {}", "Mind what you do, and say why. ".repeat(2600));
    let mut messages = vec![json!({"role": "user", "content": "Which tests fail?"})];
    let mut sent = Vec::new();
    for turn in 0..turns {
        let marker = json!({"type": "ephemeral"});
        let body = json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 1000,
            "system": [{"type": "text", "text": system, "cache_control": marker}],
            "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
            "messages": messages,
        });
        let one = live.send(body.to_string(), &mut |request| curious(request, turn));
        messages.push(json!({"role": "assistant", "content": one.content}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": format!("toolu_{turn}"), "content": small(turn)},
        ]}));
        sent.push(one);
    }
    sent
}

/// T112
#[test]
fn a_conversation_built_to_lose_money_ends_within_two_per_cent() {
    let sent = play(60);
    let prices = Prices::listed();
    let price = prices.of_model("claude-sonnet-4-5").unwrap();
    let cost: f64 = sent.iter().map(|one| price.of(&one.receipt.usage.unwrap())).sum();
    let direct: f64 = sent.iter().map(|one| price.of(&one.direct)).sum();
    let retrievals: u32 = sent.iter().map(|one| one.receipt.retrievals).sum();
    let stops: Vec<usize> = (0..sent.len()).filter(|at| sent[*at].receipt.stop_loss.is_some()).collect();
    assert!(retrievals > 0 && stops.len() == 1, "it retrieves, and says once that it is stopped: {stops:?}");
    assert!(cost <= direct * 1.02, "{cost} of {direct}");
    // It was built to lose: had every result been asked back like the first, it would not have ended there.
    let retrieved = sent.iter().find(|one| one.receipt.retrievals > 0).unwrap();
    let lost = price.of(&retrieved.receipt.usage.unwrap()) - price.of(&retrieved.direct);
    assert!(lost * sent.len() as f64 > direct * 0.1, "{lost} each time");
    // What was shortened before is still sent as it was, and what the ledger says of the direct cost is what it would have been.
    let last = &sent.last().unwrap().receipt;
    assert_eq!(last.slots.iter().filter(|slot| !slot.compressor.is_empty()).count(), 1);
    let receipts: Vec<_> = sent.iter().map(|one| one.receipt.clone()).collect();
    let ledger = Ledger::of(&receipts, &prices);
    assert_eq!(ledger.total.stop_losses, 1);
    let stated = ledger.total.money.direct_cost;
    assert!((stated / direct - 1.0).abs() < 0.01, "{stated} stated, {direct} true");
}
