//! Memory over whole conversations: what is shared, and what is not.

use std::path::Path;

use headroom::memory::{Witness, shown};
use headroom::{Engine, Mode, Policy, Query, Retrieval};
use headroom_store::{Scope, SqliteOptions, Store, Workspace};
use headroom_wire::{Dialect, Request, parse};
use serde_json::{Value, json};

const TENANTS: usize = 8;
const CONVERSATIONS: usize = 200;

fn log(mark: &str) -> String {
    let line = |n: usize| match n {
        150 => format!("2026-01-05T10:02:30Z ERROR disk sdb1 failed {mark}\n"),
        n => format!(
            "2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled request in {} ms\n",
            n / 60 % 60,
            n % 60,
            n % 7,
            n % 93
        ),
    };
    (0..300).map(line).collect()
}

fn policy() -> Policy {
    Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) }
}

/// The first `turns` of a conversation: each a call with a result that every tenant has, and one with a result of its own.
fn conversation(number: usize, tenant: usize, turns: usize) -> Request {
    let mut messages =
        vec![json!({"role": "user", "content": format!("Question {number} of {}", "the operator ".repeat(600))})];
    for turn in 0..turns {
        for (name, text) in
            [("same", log(&format!("turn{turn}"))), ("own", log(&format!("secret{tenant}x turn{turn}")))]
        {
            let id = format!("{name}{turn}");
            messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {"command": format!("{name} {turn}")}}]}));
            messages.push(
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}),
            );
        }
    }
    let body = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 99,
        "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
        "messages": messages,
    });
    parse(Dialect::AnthropicMessages, body.to_string())
}

/// T077, T104: 200 conversations of 8 tenants, each in two workspaces, go on turn by turn on one store with much the same content. Nothing of one
/// tenant comes out at another, by any door of the engine; within a workspace, agents share.
#[test]
fn conversations_of_many_tenants_share_a_store_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&folder.path().join("s.db"), &SqliteOptions::DEFAULT).unwrap();
    let engine = Engine::new(store);
    let scope = |tenant: usize| Scope::new(format!("tenant{tenant}"), "p");
    let place = |number: usize| Workspace::of(["left", "right"][number / TENANTS % 2]).unwrap();
    let agent = |number: usize| ["codex", "claude", "gemini"][number % 3];
    let mut handles = vec![Vec::new(); TENANTS];
    for turns in 1..=2 {
        for number in 0..CONVERSATIONS {
            let tenant = number % TENANTS;
            let witness = || {
                let (agent, session) = (agent(number).to_owned(), format!("s{number}"));
                Some(Witness { workspace: place(number), top: None, agent, session })
            };
            let request = conversation(number, tenant, turns);
            let outbound = engine.prepare_before(&witness, &scope(tenant), &request, &policy(), &|| true);
            let body = String::from_utf8(outbound.body.unwrap()).unwrap();
            for other in (0..TENANTS).filter(|other| *other != tenant) {
                assert!(!body.contains(&format!("secret{other}x")), "{number}");
            }
            handles[tenant].extend(outbound.receipt.slots.iter().flat_map(|slot| slot.handles.clone()));
        }
    }
    for tenant in 0..TENANTS {
        for side in [0, TENANTS] {
            let memory = engine.memory(&scope(tenant), place(side), None);
            let found = memory.search(&format!("secret{tenant}x disk failed"), 50).unwrap();
            assert!(!found.hits.is_empty());
            let text = shown::found(&found);
            for other in (0..TENANTS).filter(|other| *other != tenant) {
                assert!(!text.contains(&format!("secret{other}x")), "{text}");
                let foreign = memory.search(&format!("secret{other}x"), 50).unwrap();
                assert!(foreign.hits.is_empty() && foreign.notes.is_empty());
            }
            let figures = memory.figures().unwrap();
            // Two turns, two results each; three agents met each of them.
            assert_eq!((figures.texts, figures.reused()), (4, 8), "{figures:?}");
        }
        for other in (0..TENANTS).filter(|other| *other != tenant) {
            for handle in &handles[other] {
                let handle = handle.parse().unwrap();
                let answer = engine.answer(&scope(tenant), &Query::whole(handle));
                assert!(!answer.text().contains(&format!("secret{other}x")));
                if let Some(text) = engine.original(&scope(tenant), handle).unwrap() {
                    // The same content has the same handle everywhere; each tenant redeems its own copy.
                    assert!(!text.contains("secret"), "{text}");
                }
            }
        }
    }
}

/// Without a witness, or with one who knows no workspace, everything works and nothing is remembered.
#[test]
fn a_request_without_a_workspace_leaves_no_memory() {
    let engine = Engine::new(Store::memory());
    let outbound = engine.prepare_before(&|| None, &Scope::default(), &conversation(1, 1, 1), &policy(), &|| true);
    assert!(outbound.body.is_some() && engine.store().holdings().unwrap().originals > 0);
    for name in ["left", "right", "local", "default"] {
        let memory = engine.memory(&Scope::default(), Workspace::of(name).unwrap(), None);
        assert_eq!(memory.list(9, 0).unwrap(), []);
        assert_eq!(memory.figures().unwrap(), headroom_store::MemoryFigures::default());
    }
}

/// What an agent has compressed is looked up by the next one, in another process, byte for byte as it would be computed.
#[test]
fn another_process_sends_what_was_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let open = |path: &Path| Engine::new(Store::open_sqlite(path, &SqliteOptions::DEFAULT).unwrap());
    let bodies: Vec<Value> = [(open(&path), 1), (open(&path), 2), (Engine::new(Store::memory()), 1)]
        .into_iter()
        .map(|(engine, number)| {
            let outbound = engine.prepare(&Scope::default(), &conversation(number, 1, 1), &policy());
            let body: Value = serde_json::from_slice(&outbound.body.unwrap()).unwrap();
            body["messages"][2]["content"][0]["content"].clone()
        })
        .collect();
    assert_eq!(bodies[0], bodies[1]);
    let words = |value: &Value| value.as_str().unwrap().lines().count();
    assert_eq!(words(&bodies[0]), words(&bodies[2]), "but for the handle, which is of another store");
}
