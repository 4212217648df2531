use headroom_store::{Scope, Store};
use headroom_wire::{Dialect, parse};
use serde_json::{Value, json};

use crate::ledger::{Account, Ledger, Prices};
use crate::{Engine, Mode, Policy, Receipt, Usage};

const MODEL: &str = "claude-sonnet-4-5";

/// A conversation's requests, sent one after another, each with its bill.
struct Talk {
    engine: Engine,
    policy: Policy,
    receipts: Vec<Receipt>,
}

impl Talk {
    fn with(mode: Mode) -> Self {
        Self { engine: Engine::new(Store::memory()), policy: Policy::of(mode), receipts: Vec::new() }
    }

    fn send(&mut self, body: &Value, read: u64, write: u64) -> &Receipt {
        let request = parse(Dialect::AnthropicMessages, body.to_string());
        let outbound = self.engine.prepare(&Scope::default(), &request, &self.policy);
        let mut receipt = outbound.receipt;
        receipt.id = format!("r{}", self.receipts.len());
        receipt.usage =
            Some(Usage { input_tokens: 4, cache_read_tokens: read, cache_write_tokens: write, ..Usage::default() });
        let observed = outbound.observed.expect("it is followed");
        self.engine.settle(&Scope::default(), &observed, &mut receipt, &Prices::listed());
        self.receipts.push(receipt);
        self.receipts.last().unwrap()
    }
}

fn body(system: &str, tools: &[&str], turns: usize) -> Value {
    let tools: Vec<Value> =
        tools.iter().map(|name| json!({"name": name, "input_schema": {"type": "object"}})).collect();
    let mut messages = vec![json!({"role": "user", "content": "Why does it fail?"})];
    for turn in 0..turns {
        messages.push(json!({"role": "assistant", "content": format!("Let me look at {turn}.")}));
        messages.push(json!({"role": "user", "content": format!("Nothing in {turn}.")}));
    }
    json!({"model": MODEL, "system": system, "tools": tools, "messages": messages})
}

fn system(clock: &str) -> String {
    format!("You are careful. It is {clock} now. {}", "Be brief. ".repeat(500))
}

/// T031: also when nothing may be changed, the value is named with its place and its price.
#[test]
fn a_clock_is_named_with_its_place_and_its_price() {
    for mode in [Mode::Meter, Mode::Standard] {
        let mut talk = Talk::with(mode);
        talk.send(&body(&system("2026-11-23T03:18:26Z"), &["Bash"], 0), 0, 5000);
        let next = body(&system("2026-11-23T03:19:30Z"), &["Bash"], 1);
        let receipt = talk.send(&next, 0, 5050).clone();
        let [value] = receipt.drift.volatile.as_slice() else { panic!("{:?}", receipt.drift) };
        let text = next.to_string();
        assert_eq!(&text[value.offset as usize..][..value.bytes as usize], "2026-11-23T03:19:30Z");
        assert_eq!((value.kind.as_str(), value.place.as_str()), ("timestamp", "instructions"));
        assert!((4500..=5004).contains(&value.tokens_behind), "{value:?}");
        assert!(receipt.drift.stable_bytes < 300 && receipt.drift.prefix_bytes > 5000);
        let miss = receipt.miss.as_ref().unwrap();
        assert_eq!((miss.cause.as_str(), miss.tokens(), miss.place.as_str()), ("client", 5000, "instructions"));
        assert_eq!(miss.offset, Some(text.find("9:30Z").unwrap() as u64), "the first differing byte");
        assert_eq!(receipt.drift.since, "r0");
        let prices = Prices::listed();
        let dollars = Account::of_volatile(value, &receipt, &prices).unwrap();
        assert!((dollars - value.tokens_behind as f64 * (3.75 - 0.3) / 1e6).abs() < 1e-9);
        assert!((Account::of_miss(&receipt, &prices).unwrap() - 5000.0 * 3.45e-6).abs() < 1e-9);
        let ledger = Ledger::of(&talk.receipts, &prices);
        assert_eq!(ledger.misses["client"].requests, 1);
        assert_eq!(ledger.volatile["instructions timestamp"].tokens, value.tokens_behind);
    }
}

#[test]
fn a_conversation_that_only_grows_is_stable_and_misses_nothing() {
    let mut talk = Talk::with(Mode::Meter);
    let text = system("2026-11-23");
    assert_eq!(talk.send(&body(&text, &["Bash"], 0), 0, 5000).drift.prefix_bytes, 0);
    for turn in 1..4 {
        let receipt = talk.send(&body(&text, &["Bash"], turn), 5000, 40);
        assert!(receipt.drift.prefix_bytes > 5000 && receipt.drift.stable_bytes == receipt.drift.prefix_bytes);
        assert_eq!((receipt.miss.as_ref(), receipt.drift.first_difference), (None, None));
        assert!(receipt.drift.requests_per_day > 0);
    }
}

#[test]
fn tools_in_another_order_and_a_changed_history_are_the_clients() {
    let mut talk = Talk::with(Mode::Meter);
    let text = system("now");
    talk.send(&body(&text, &["Bash", "Read"], 2), 0, 5000);
    let receipt = talk.send(&body(&text, &["Read", "Bash"], 3), 0, 5000).clone();
    assert_eq!((receipt.drift.volatile[0].kind.as_str(), receipt.drift.place.as_str()), ("order", "tools"));
    assert_eq!(receipt.miss.unwrap().cause, "client");
    let mut edited = body(&text, &["Read", "Bash"], 4);
    edited["messages"][3]["content"] = "Let me look at it anew.".into();
    let receipt = talk.send(&edited, 1500, 3500).clone();
    assert_eq!(receipt.drift.place, "message 3");
    let at = edited.to_string().find("it anew").unwrap() as u64;
    assert_eq!((receipt.drift.first_difference, receipt.miss.unwrap().offset), (Some(at), Some(at)));
}

#[test]
fn another_model_time_and_the_provider_are_told_apart() {
    let mut talk = Talk::with(Mode::Meter);
    let text = system("now");
    talk.send(&body(&text, &["Bash"], 0), 0, 5000);
    assert_eq!(talk.send(&body(&text, &["Bash"], 1), 0, 5000).miss.as_ref().unwrap().cause, "provider");
    assert_eq!(talk.send(&body(&text, &["Bash"], 14), 0, 5000).miss.as_ref().unwrap().cause, "lookback", "T030");
    let mut other = body(&text, &["Bash"], 15);
    other["model"] = "claude-opus-4-5".into();
    assert_eq!(talk.send(&other, 0, 5000).miss.as_ref().unwrap().cause, "model");
}

/// A question on the side has the same first message and other tools: it is no request of this conversation.
#[test]
fn a_question_on_the_side_is_another_conversation() {
    let mut talk = Talk::with(Mode::Meter);
    talk.send(&body(&system("now"), &["Bash"], 0), 0, 5000);
    let receipt = talk.send(&body("Name this conversation.", &[], 0), 0, 0);
    assert_eq!(receipt.drift.prefix_bytes, 0);
    assert_eq!(talk.send(&body(&system("now"), &["Bash"], 1), 5000, 20).drift.since, "r0");
}
