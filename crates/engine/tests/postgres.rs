//! The prefix law where many proxies share one database.
#![cfg(feature = "postgres")]

use headroom::{Engine, Mode, Policy, Retrieval};
use headroom_store::{PostgresOptions, Scope, Store};
use headroom_testkit::postgres::{Server, shared};
use headroom_wire::{Dialect, Request, parse};
use serde_json::json;

fn open(url: &str) -> Engine {
    Engine::new(Store::open_postgres(url, &PostgresOptions::DEFAULT).unwrap())
}

fn conversation(turns: usize) -> Request {
    let mut messages = vec![json!({"role": "user", "content": format!("Question {}", "of the operator ".repeat(600))})];
    for turn in 0..turns {
        let lines = (0..300).map(|n| match n {
            150 => format!("2026-01-05T10:02:30Z ERROR disk sdb{turn} failed\n"),
            n => format!(
                "2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled request in {} ms\n",
                n / 60 % 60,
                n % 60,
                n % 7,
                (n + turn) % 93
            ),
        });
        let id = format!("call{turn}");
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {"command": format!("tail {turn}")}}]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": lines.collect::<String>()}]}));
    }
    let body = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 99,
        "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
        "messages": messages,
    });
    parse(Dialect::AnthropicMessages, body.to_string())
}

fn policy() -> Policy {
    Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) }
}

fn sent(engine: &Engine, request: &Request) -> String {
    let outbound = engine.prepare(&Scope::default(), request, &policy());
    String::from_utf8(outbound.body.unwrap_or_else(|| request.body().to_vec())).unwrap()
}

fn prefix(body: &str) -> &str {
    body.strip_suffix("]}").expect("messages come last")
}

/// T024, T079: turns that go to one proxy, to another, and to a third one started later, are one conversation, byte for byte.
#[test]
fn two_proxies_and_a_restart_forward_the_same_bytes() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let proxies = [open(&url), open(&url)];
    let mut before = String::new();
    for turns in 1..=6 {
        let request = conversation(turns);
        let bodies = [
            sent(&proxies[turns % 2], &request),
            sent(&proxies[(turns + 1) % 2], &request),
            sent(&open(&url), &request),
        ];
        assert!(bodies[0].len() * 2 < request.body().len());
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert!(bodies[0].starts_with(&before), "turn {turns}");
        before = prefix(&bodies[0]).to_owned();
    }
}

/// T078: while the database is away requests go out, every handle in them can be redeemed afterwards, and what was sent is sent again.
#[test]
fn a_database_that_goes_away_moves_nothing_and_leaves_no_handle_behind() {
    let Some(server) = Server::start() else { return };
    let url = server.database();
    let engine = open(&url);
    let first = sent(&engine, &conversation(1));
    server.kill();
    let away = sent(&engine, &conversation(2));
    assert!(away.starts_with(prefix(&first)), "what was sent before is known");
    assert!(away.contains("disk sdb1 failed"));
    server.launch().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let back = sent(&engine, &conversation(3));
    assert!(back.starts_with(prefix(&away)), "what was sent while it was away as well");
    for mark in headroom_core::find_marks(&back) {
        assert!(engine.original(&Scope::default(), mark.handle).unwrap().is_some(), "{}", mark.handle);
    }
    assert!(headroom_core::find_marks(&back).count() >= 2, "shortened before and after");
}
