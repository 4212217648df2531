//! CacheAligner: what is sent of instructions and tools that change from request to request.

use headroom::{Align, Engine, Mode, Outbound, Policy};
use headroom_store::{Scope, SqliteOptions, Store, StoreError};
use headroom_wire::{Dialect, Request, parse};
use serde_json::{Value, json};

/// A request after so many turns, as a client of OpenAI's sends it.
fn chat(system: &str, tools: &[&str], turns: usize) -> Request {
    let tools: Vec<Value> = tools.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect();
    let mut messages = vec![
        json!({"role": "system", "content": format!("{system} {}", "Be brief. ".repeat(800))}),
        json!({"role": "user", "content": "Why does it fail?"}),
    ];
    for turn in 0..turns {
        messages.push(json!({"role": "assistant", "content": format!("Let me look at {turn}.")}));
        messages.push(json!({"role": "user", "content": format!("Nothing in {turn}.")}));
    }
    parse(Dialect::OpenAiChat, json!({"model": "gpt-4o", "tools": tools, "messages": messages}).to_string())
}

fn prepare(engine: &Engine, request: &Request) -> Outbound {
    engine.prepare(&Scope::default(), request, &Policy { align: Align::Auto, ..Policy::of(Mode::Lossless) })
}

fn sent(engine: &Engine, request: &Request) -> Value {
    let body = prepare(engine, request).body.unwrap_or_else(|| request.body().to_vec());
    serde_json::from_slice(&body).unwrap()
}

fn memory() -> Engine {
    Engine::new(Store::memory())
}

#[test]
fn instructions_stay_as_first_seen_and_the_newest_turn_says_what_changed() {
    let engine = memory();
    let at = |clock: &str, turns| sent(&engine, &chat(&format!("It is {clock}."), &["a"], turns));
    let first = at("2026-11-23T10:00:00Z", 0);
    assert_eq!(first, serde_json::from_slice::<Value>(chat("It is 2026-11-23T10:00:00Z.", &["a"], 0).body()).unwrap());
    let second = at("2026-11-23T10:01:00Z", 1);
    assert_eq!(second["messages"][0], first["messages"][0]);
    assert_eq!(
        second["messages"][3]["content"],
        "Nothing in 0.\n[in the instructions 2026-11-23T10:00:00Z is now 10:01:00]"
    );
    let third = at("2026-11-23T10:02:00Z", 2);
    assert!(third["messages"].as_array().unwrap().starts_with(second["messages"].as_array().unwrap()));
    assert_eq!(third["messages"][5]["content"], "Nothing in 1.\n[now 10:02:00]");
    // The time has not changed since: nothing is to be said.
    let fourth = at("2026-11-23T10:02:00Z", 3);
    assert_eq!(fourth["messages"][7]["content"], "Nothing in 2.");
    let receipt = prepare(&engine, &chat("It is 2026-11-23T10:03:00Z.", &["a"], 4)).receipt;
    assert_eq!(receipt.aligned.values, 1);
    assert!(receipt.aligned.note_tokens > 20 && receipt.aligned.new_note_tokens > 5);
}

/// A turn that is sent again because it failed is the newest one still: it says the time it is now.
#[test]
fn a_turn_sent_again_says_what_its_instructions_say_now() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Engine::new(Store::open_sqlite(&folder.path().join("s.db"), &SqliteOptions::DEFAULT).unwrap());
    let engine = open();
    sent(&engine, &chat("It is 10:00:00.", &["a"], 0));
    let failed = sent(&engine, &chat("It is 10:01:00.", &["a"], 1));
    let again = sent(&engine, &chat("It is 11:45:00.", &["a"], 1));
    assert_eq!(failed["messages"].as_array().unwrap()[..3], again["messages"].as_array().unwrap()[..3]);
    assert!(again["messages"][3].to_string().contains("11:45:00"));
    for engine in [engine, open()] {
        let next = sent(&engine, &chat("It is 11:46:00.", &["a"], 2));
        assert_eq!(next["messages"][3], again["messages"][3]);
    }
}

#[test]
fn tools_keep_the_order_in_which_they_were_first_seen() {
    let engine = memory();
    let first = sent(&engine, &chat("Now.", &["a", "b", "c"], 0));
    let request = chat("Now.", &["c", "a", "b"], 1);
    let outbound = prepare(&engine, &request);
    assert!(outbound.receipt.aligned.tools);
    let second: Value = serde_json::from_slice(&outbound.body.unwrap()).unwrap();
    assert_eq!(second["tools"], first["tools"]);
    assert_eq!(second["messages"].as_array().unwrap().len(), 4);
    // A tool more is another list: the client's.
    let third = sent(&engine, &chat("Now.", &["d", "c", "a", "b"], 2));
    assert_eq!(third["tools"][0]["function"]["name"], "d");
}

/// A number that changes once may be a change of mind.
#[test]
fn a_counter_is_one_only_when_it_goes_on_counting() {
    let engine = memory();
    for (turn, left) in [(0, 50), (1, 49)] {
        assert_eq!(prepare(&engine, &chat(&format!("{left} steps left."), &["a"], turn)).body, None);
    }
    let third = sent(&engine, &chat("48 steps left.", &["a"], 2));
    assert!(third["messages"][0]["content"].as_str().unwrap().starts_with("49 steps"));
    assert!(third["messages"][5]["content"].as_str().unwrap().ends_with("[in the instructions 49 is now 48]"));
}

#[test]
fn words_that_change_are_the_clients_and_so_are_short_prompts() {
    let engine = memory();
    prepare(&engine, &chat("Be kind at 10:00.", &["a"], 0));
    assert_eq!(prepare(&engine, &chat("Be rude at 10:01.", &["a"], 1)).body, None);
    let short = |clock: &str, turns: usize| {
        let answered =
            ",{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}".repeat(turns);
        let body = format!(
            "{{\"messages\":[{{\"role\":\"system\",\"content\":\"It is {clock}.\"}},{{\"role\":\"user\",\"content\":\"q\"}}{answered}]}}"
        );
        parse(Dialect::OpenAiChat, body)
    };
    for (turns, clock) in ["10:00", "10:01", "10:02"].into_iter().enumerate() {
        assert_eq!(prepare(&engine, &short(clock, turns)).body, None);
    }
}

#[test]
fn the_switch_is_off_when_it_is_off() {
    let (engine, policy) = (memory(), Policy { align: Align::Off, ..Policy::of(Mode::Standard) });
    for turn in 0..4 {
        let request = chat(&format!("It is 10:0{turn}."), &["a"], turn);
        let outbound = engine.prepare(&Scope::default(), &request, &policy);
        assert_eq!(outbound.body, None);
        assert_eq!(outbound.receipt.drift.volatile.len(), usize::from(turn > 0), "it is named all the same");
    }
}

/// The next conversation of an agent finds its instructions where the last one left them.
#[test]
fn a_conversation_begins_as_the_last_one_of_its_agent_did() {
    let engine = memory();
    let ask = |id: &str, question: &str| {
        let system = format!("Request {id}. {}", "Be brief. ".repeat(800));
        let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": question}]);
        sent(&engine, &parse(Dialect::OpenAiChat, json!({"model": "gpt-4o", "messages": messages}).to_string()))
    };
    let first = ask("6f1ee9b2-aaaa-4bbb-8ccc-123456789012", "one");
    let second = ask("0e1ee9b2-bbbb-4bbb-8ccc-123456789013", "two");
    assert_eq!(second["messages"][0], first["messages"][0]);
    assert!(second["messages"][1]["content"].as_str().unwrap().contains("is now 0e1ee9b2-bbbb"));
}

#[test]
fn a_refused_conversation_and_one_that_cannot_be_recorded_are_left_alone() {
    let engine = memory();
    prepare(&engine, &chat("It is 10:00:00.", &["a"], 0));
    let second = chat("It is 10:01:00.", &["a"], 1);
    assert!(prepare(&engine, &second).body.is_some());
    engine.refused(&Scope::default(), &second, &Policy::of(Mode::Lossless));
    for turn in 1..4 {
        assert_eq!(prepare(&engine, &chat(&format!("It is 10:0{turn}:00."), &["a"], turn)).body, None);
    }
    let broken = Engine::new(Store::unavailable(&StoreError::Stopped));
    for turn in 0..3 {
        assert_eq!(prepare(&broken, &chat(&format!("It is 10:0{turn}:00."), &["a"], turn)).body, None);
    }
}

/// Only for who pays by the token, only from the second request on, and never beside the client's own.
#[test]
fn cache_markers_are_added_to_conversations_that_have_none() {
    let body = |turns: usize, marker: &str| {
        let answered =
            ",{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}".repeat(turns);
        let system = "Be brief. ".repeat(800);
        parse(
            Dialect::AnthropicMessages,
            format!(
                "{{\"model\":\"claude-sonnet-4-5\",\"system\":[{{\"type\":\"text\",\"text\":\"{system}\"{marker}}}],\"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}{answered}]}}"
            ),
        )
    };
    let engine = memory();
    let policy = Policy { align: Align::Auto, breakpoints: true, ..Policy::of(Mode::Lossless) };
    let markers = |request: &Request, policy: &Policy| {
        let outbound = engine.prepare(&Scope::default(), request, policy);
        let sent = outbound.body.unwrap_or_else(|| request.body().to_vec());
        String::from_utf8(sent).unwrap().matches("cache_control").count()
    };
    assert_eq!(markers(&body(0, ""), &policy), 0);
    assert_eq!(markers(&body(1, ""), &policy), 2);
    assert_eq!(markers(&body(2, ""), &policy), 2);
    assert_eq!(markers(&body(1, ",\"cache_control\":{\"type\":\"ephemeral\"}"), &policy), 1);
    assert_eq!(markers(&body(1, ""), &Policy { align: Align::Off, ..policy.clone() }), 0);
    assert_eq!(markers(&body(1, ""), &Policy { align: Align::Auto, ..Policy::of(Mode::Lossless) }), 0);
}
