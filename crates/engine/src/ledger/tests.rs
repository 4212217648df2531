use headroom_store::{Scope, Store};
use headroom_wire::{Dialect, parse};
use serde_json::json;

use super::*;
use crate::{Engine, Mode, Policy, Retrieval, SlotReceipt, Tokenizer};

const MODEL: &str = "claude-sonnet-4-5";

fn slot(fresh: bool, before: u64, after: u64) -> SlotReceipt {
    SlotReceipt {
        fresh,
        tokens_before: before,
        tokens_after: after,
        compressor: "json".to_owned(),
        ..SlotReceipt::default()
    }
}

fn receipt(usage: Usage, slots: Vec<SlotReceipt>) -> Receipt {
    let tokens = |pick: fn(&SlotReceipt) -> u64| slots.iter().map(pick).sum();
    Receipt {
        model: MODEL.to_owned(),
        session: "s".to_owned(),
        agent: "claude-cli/2.0 (external)".to_owned(),
        tokens_before: tokens(|slot| slot.tokens_before),
        tokens_after: tokens(|slot| slot.tokens_after),
        usage: Some(usage),
        slots,
        ..Receipt::default()
    }
}

#[track_caller]
fn about(dollars: f64, expected: f64) {
    assert!((dollars - expected).abs() < 1e-9, "{dollars}, expected {expected}");
}

fn account(receipt: &Receipt) -> Account {
    Account::of(receipt, &Prices::listed()).expect("it has a price")
}

#[test]
fn what_was_not_changed_costs_what_it_costs_directly() {
    let usage = Usage {
        input_tokens: 10,
        cache_read_tokens: 1000,
        cache_write_tokens: 100,
        output_tokens: 50,
        ..Usage::default()
    };
    let account = account(&receipt(usage, vec![]));
    about(account.cost, (10.0 * 3.0 + 1000.0 * 0.3 + 100.0 * 3.75 + 50.0 * 15.0) / 1e6);
    about(account.saved(), 0.0);
}

/// New text would have been written to the cache, text seen before would have been read from it.
#[test]
fn tokens_taken_out_count_at_the_price_they_would_have_had() {
    let usage = Usage { cache_read_tokens: 5000, cache_write_tokens: 200, ..Usage::default() };
    let warm = account(&receipt(usage, vec![slot(false, 1000, 400), slot(true, 500, 200)]));
    about(warm.saved(), (600.0 * 0.3 + 300.0 * 3.75) / 1e6);
    // The cache had run out: everything was written anew.
    let usage = Usage { cache_write_1h_tokens: 200, ..Usage::default() };
    about(account(&receipt(usage, vec![slot(false, 1000, 400)])).saved(), 600.0 * 6.0 / 1e6);
    let usage = Usage { input_tokens: 200, ..Usage::default() };
    about(account(&receipt(usage, vec![slot(true, 1000, 400)])).saved(), 600.0 * 3.0 / 1e6);
}

/// T112
#[test]
fn the_tool_and_the_rounds_of_retrieval_are_charged_and_losses_are_negative() {
    let round = Usage { cache_read_tokens: 8000, input_tokens: 500, output_tokens: 20, ..Usage::default() };
    let mut all = Usage { cache_read_tokens: 8000, cache_write_tokens: 100, output_tokens: 40, ..Usage::default() };
    all += round;
    let mut receipt = receipt(all, vec![slot(false, 300, 200)]);
    (receipt.retrieval_usage, receipt.tool_offered) = (round, true);
    let account = account(&receipt);
    let rounds = (8000.0 * 0.3 + 500.0 * 3.0 + 20.0 * 15.0) / 1e6;
    about(account.overhead, rounds + TOOL_TOKENS as f64 * 0.3 / 1e6);
    about(account.saved(), 100.0 * 0.3 / 1e6 - account.overhead);
    assert!(account.saved() < 0.0 && account.saved_share() < 0.0);
    let ledger = Ledger::of([&receipt], &Prices::listed());
    assert_eq!(ledger.losing_sessions().len(), 1);
    about(ledger.losing_sessions()[0].1, -account.saved());
}

/// The direct request would have paid anew for everything behind the clock; what is said about it is charged.
#[test]
fn what_alignment_kept_in_the_cache_is_its_gain() {
    let usage = Usage { cache_read_tokens: 8000, cache_write_tokens: 100, ..Usage::default() };
    let mut receipt = receipt(usage, vec![]);
    receipt.drift.volatile = vec![Volatile {
        kind: "time".to_owned(),
        place: "instructions".to_owned(),
        tokens_behind: 7000,
        ..Volatile::default()
    }];
    assert_eq!(Ledger::of([&receipt], &Prices::listed()).volatile["instructions time"].tokens, 7000);
    about(account(&receipt).saved(), 0.0);
    receipt.aligned = Aligned { values: 1, note_tokens: 40, new_note_tokens: 10, ..Aligned::default() };
    receipt.hidden_tokens = 60;
    let account = account(&receipt);
    about(account.aligned, 7000.0 * 3.45 / 1e6);
    about(account.overhead, (40.0 + 60.0) * 0.3 / 1e6 + 10.0 * 3.75 / 1e6);
    about(account.saved(), account.aligned - account.overhead);
    assert!(Ledger::of([&receipt], &Prices::listed()).volatile.is_empty());
}

#[test]
fn models_without_a_price_are_counted_in_tokens_only() {
    let mut unknown = receipt(Usage { input_tokens: 10, ..Usage::default() }, vec![slot(true, 100, 40)]);
    unknown.model = "llama-3".to_owned();
    let mut silent = receipt(Usage::default(), vec![slot(true, 100, 140)]);
    silent.usage = None;
    let ledger = Ledger::of([&unknown, &silent], &Prices::listed());
    assert_eq!((ledger.total.requests, ledger.total.money.priced_requests), (2, 0));
    assert_eq!((ledger.total.tokens_saved, ledger.by_compressor["json"]), (20, 20));
    assert_eq!(ledger.total.billed.input_tokens, 10);
    assert_eq!(ledger.by_agent["claude-cli"].requests, 2);
}

/// The figure for the definition is not below what any dialect's takes with any tokenizer, and not far above.
#[test]
fn the_definition_of_the_tool_takes_what_the_ledger_charges() {
    let policy = Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) };
    for (dialect, model) in
        [(Dialect::AnthropicMessages, MODEL), (Dialect::OpenAiChat, "gpt-4o"), (Dialect::OpenAiChat, "gpt-4")]
    {
        let body =
            json!({"model": model, "tools": [{"name": "Bash"}], "messages": [{"role": "user", "content": "go"}]})
                .to_string();
        let request = parse(dialect, body.clone());
        let sent =
            Engine::new(Store::memory()).prepare(&Scope::default(), &request, &policy).body.expect("the tool is added");
        let tokenizer = Tokenizer::for_model(model);
        let count = |text: &str| tokenizer.count(text) as u64;
        let tokens = count(std::str::from_utf8(&sent).unwrap()) - count(&body);
        assert!((TOOL_TOKENS * 3 / 4..=TOOL_TOKENS).contains(&tokens), "{tokens} in {model}");
    }
}
