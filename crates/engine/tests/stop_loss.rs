//! A conversation that has cost more than it would have directly is not shortened any further, and nothing that was sent moves.

use headroom::ledger::Prices;
use headroom::{Engine, Mode, Policy, Receipt, Retrieval, Usage};
use headroom_store::{Scope, SqliteOptions, Store};
use headroom_wire::{Dialect, Request, parse};
use serde_json::{Value, json};

fn request(model: &str, turns: usize) -> Request {
    let mut messages = vec![json!({"role": "user", "content": "Why does it fail?"})];
    for turn in 0..turns {
        let log: String =
            (0..300).map(|n| format!("{n:04} INFO worker-{} did step {} of {turn}\n", n % 4, n * 7)).collect();
        let id = format!("toolu_{turn}");
        let call =
            json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": format!("journalctl {turn}")}});
        messages.push(json!({"role": "assistant", "content": [call]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": log}]}));
    }
    let system = "Be careful. ".repeat(1000);
    let body = json!({"model": model, "system": system, "tools": [{"name": "Bash"}], "messages": messages});
    parse(Dialect::AnthropicMessages, body.to_string())
}

fn messages(engine: &Engine, request: &Request) -> (Vec<Value>, Receipt) {
    let policy = Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) };
    let outbound = engine.prepare(&Scope::default(), request, &policy);
    let body = outbound.body.unwrap_or_else(|| request.body().to_vec());
    let mut receipt = outbound.receipt;
    // What it took to read back what was left out is many times what leaving it out has saved.
    let round = Usage { cache_read_tokens: 30_000, cache_write_tokens: 9000, output_tokens: 90, ..Usage::default() };
    receipt.usage =
        Some(Usage { cache_read_tokens: 60_000, cache_write_tokens: 9500, output_tokens: 120, ..Usage::default() });
    (receipt.retrievals, receipt.retrieval_usage) = (1, round);
    engine.settle(&Scope::default(), &outbound.observed.unwrap(), &mut receipt, &Prices::listed());
    engine.close(&Scope::default(), &receipt);
    let body: Value = serde_json::from_slice(&body).unwrap();
    (body["messages"].as_array().unwrap().clone(), receipt)
}

/// Also for a model without a price: what things cost in proportion is known.
#[test]
fn what_is_new_passes_and_what_was_sent_stays_also_after_a_restart() {
    for model in ["claude-sonnet-4-5", "nobody-knows-1"] {
        let folder = tempfile::tempdir().unwrap();
        let open = || Engine::new(Store::open_sqlite(&folder.path().join("s.db"), &SqliteOptions::DEFAULT).unwrap());
        let engine = open();
        let (first, receipt) = messages(&engine, &request(model, 1));
        assert!(!receipt.slots[1].compressor.is_empty() && receipt.stop_loss.is_some(), "{:?}", receipt.stop_loss);
        drop(engine);
        let engine = open();
        let (second, receipt) = messages(&engine, &request(model, 2));
        assert!(second.starts_with(&first));
        assert_eq!(receipt.slots[2].reason, "stop-loss");
        let (third, receipt) = messages(&engine, &request(model, 3));
        assert!(third.starts_with(&second));
        assert_eq!((receipt.slots[1].fresh, receipt.slots[3].reason.as_str()), (false, "stop-loss"));
        let whole: Value = serde_json::from_slice(request(model, 3).body()).unwrap();
        assert_eq!(third[3..], whole["messages"].as_array().unwrap()[3..], "what came later is as it came");
    }
}

#[test]
fn a_conversation_that_saves_goes_on() {
    let engine = Engine::new(Store::memory());
    for turns in 1..4 {
        let request = request("claude-sonnet-4-5", turns);
        let policy = Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) };
        let outbound = engine.prepare(&Scope::default(), &request, &policy);
        let mut receipt = outbound.receipt;
        receipt.retrievals = 1;
        receipt.retrieval_usage = Usage { cache_read_tokens: 4000, cache_write_tokens: 100, ..Usage::default() };
        receipt.usage = Some(Usage { cache_read_tokens: 8000, cache_write_tokens: 900, ..Usage::default() });
        engine.settle(&Scope::default(), &outbound.observed.unwrap(), &mut receipt, &Prices::listed());
        assert_eq!(receipt.stop_loss, None);
        assert!(receipt.slots.last().is_some_and(|slot| !slot.compressor.is_empty()));
    }
}
