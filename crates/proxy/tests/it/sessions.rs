//! Whole sessions of agents: many turns, restarts, several at once, and messages of every shape.

use headroom::Engine;
use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, claude, handle_in, pair, pair_of, prefix, rows};

/// The session after so many calls: small results, until the one of the thirtieth is long.
fn session(calls: usize) -> String {
    let mut messages = vec![json!({"role": "user", "content": "Which service has failed?"})];
    for n in 0..calls {
        let (id, size) = (format!("toolu_{n}"), if n == 29 { 400 } else { 3 + n % 5 });
        messages.push(json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": format!("Let me look at page {n}."), "signature": format!("sig{n}==")},
            {"type": "tool_use", "id": id, "name": "Bash", "input": {"command": format!("svc list --json --page {n}")}},
        ]}));
        messages.push(
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": rows(size)}]}),
        );
    }
    claude(&json!(messages), false).to_string()
}

/// T024, T033: forty turns, a restart after twenty, and nothing to retrieve before the thirtieth: no turn moves what an earlier one
/// sent, and the tools are the same bytes from the first turn to the last.
#[tokio::test]
async fn a_long_session_survives_a_restart_without_moving_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Engine::new(Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT).unwrap());
    let start = || async { pair_of(Upstream::answering(|_| Reply::json(200, "{}")).await, open(), |_| {}).await };
    let mut pair = start().await;
    let mut before = String::new();
    let mut tools = None;
    for turn in 0..=40 {
        if turn == 20 {
            let Pair { proxy, engine, .. } = pair;
            proxy.shutdown().await;
            drop(engine);
            pair = start().await;
        }
        pair.post("/v1/messages", &session(turn)).await;
        let sent = pair.last_sent();
        if turn > 0 {
            assert!(sent.starts_with(prefix(&before)), "turn {turn} moved the prefix");
        }
        let body: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(body["tools"][1]["name"], headroom_wire::TOOL_NAME);
        let raw = sent[sent.find("\"tools\"").unwrap()..sent.find("\"messages\"").unwrap()].to_owned();
        assert!(*tools.get_or_insert_with(|| raw.clone()) == raw, "the tools changed on turn {turn}");
        assert_eq!(handle_in(&sent).is_some(), turn >= 30, "turn {turn}");
        before = sent;
    }
}

/// T022: what one session asks for does not stick to another, nor to its own next turn.
#[tokio::test]
async fn betas_do_not_stick() {
    let pair = pair(vec![Reply::json(200, "{}"); 6]).await;
    let betas = [Some("a-2025-01-01"), Some("b-2025-02-02,c"), None, Some("a-2025-01-01"), None, Some("")];
    for (turn, beta) in betas.into_iter().enumerate() {
        let headers: Vec<_> = beta.map(|beta| ("anthropic-beta", beta)).into_iter().collect();
        pair.send("POST", "/v1/messages", &headers, session(1 + turn / 2).as_bytes()).await;
        assert_eq!(pair.upstream.received().pop().unwrap().header("anthropic-beta"), beta);
    }
}

/// T001, T002, T003, T009: of many results in one message only the long text is another text; every shape stays what it was.
#[tokio::test]
async fn parallel_results_of_every_shape_keep_their_shapes() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR".repeat(4000)}});
    let contents = [
        json!("short"),
        json!(rows(400)),
        json!([image]),
        json!([{"type": "text", "text": rows(300)}, image]),
        json!([]),
        Value::Null,
    ];
    let calls = |n: usize| json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": "Bash", "input": {}});
    let mut results: Vec<Value> = contents
        .iter()
        .enumerate()
        .map(|(n, content)| json!({"type": "tool_result", "tool_use_id": format!("toolu_{n}"), "content": content}))
        .collect();
    results[5].as_object_mut().unwrap().remove("content");
    results.push(json!({"type": "text", "text": "What do you see?"}));
    let messages = json!([
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": (0..6).map(calls).collect::<Vec<_>>()},
        {"role": "user", "content": results},
    ]);
    let pair = pair(vec![Reply::json(200, "{}")]).await;
    let came = claude(&messages, true);
    pair.post("/v1/messages", &came.to_string()).await;
    let mut sent: Value = serde_json::from_str(&pair.last_sent()).unwrap();
    for place in ["/messages/2/content/1/content", "/messages/2/content/3/content/0/text"] {
        let (text, original) = (sent.pointer(place).unwrap().as_str().unwrap(), came.pointer(place).unwrap());
        assert!(text.len() < original.as_str().unwrap().len() / 2, "{place}");
        *sent.pointer_mut(place).unwrap() = original.clone();
    }
    sent["tools"].as_array_mut().unwrap().pop();
    assert!(sent == came, "something else changed");
}

/// T019, T020, T017: messages that the provider has signed stay whole while a later result becomes shorter.
#[tokio::test]
async fn signed_messages_stay_whole_while_a_later_result_changes() {
    let signed = r#"{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"EqQB\/+=="},{"type":"redacted_thinking","data":"Zm9v"},{"type":"text","text":" ","cache_control":{"type":"ephemeral"}},{"type":"tool_use","id":"toolu_a","name":"Bash","input":{ "n":1.0 }}]}"#;
    let body = claude(&json!(["HERE", {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": rows(400)}]}]), true)
        .to_string()
        .replace("\"HERE\"", &format!("{{\"role\":\"user\",\"content\":\"Go.\"}},{signed}"));
    let pair = pair(vec![Reply::json(200, "{}")]).await;
    pair.post("/v1/messages", &body).await;
    let sent = pair.last_sent();
    assert!(sent.contains(signed) && sent.len() < body.len() - 10_000);
}

/// T004: an error result loses nothing, however long it is; its message and exit code stand as they stood.
#[tokio::test]
async fn a_long_error_is_still_an_error_with_every_word() {
    let frames: String = (0..2500)
        .map(|n| {
            format!("  File \"/srv/app/module_{}.py\", line {n}, in handle_{n}\n    raise_or_return({n})\n", n % 40)
        })
        .collect();
    let trace = format!("Traceback (most recent call last):\n{frames}ValueError: 0x80070005 in shard 17\nexit code 3");
    assert!(trace.len() > 200_000);
    let messages = json!([
        {"role": "user", "content": "Run it."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "Bash", "input": {"command": "./run"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "is_error": true, "content": trace}]},
    ]);
    let pair = pair(vec![Reply::json(200, "{}")]).await;
    pair.post("/v1/messages", &claude(&messages, false).to_string()).await;
    let sent: Value = serde_json::from_str(&pair.last_sent()).unwrap();
    let result = &sent["messages"][2]["content"][0];
    assert_eq!(result["is_error"], true);
    let text = result["content"].as_str().unwrap();
    assert!(handle_in(text).is_none(), "nothing is left out of an error");
    // Frames may be encoded, but only so that each can be read back: every value of every one is there.
    for n in 0..2500 {
        assert!(text.contains(&format!("handle_{n}\n")) || text.contains(&format!("{{handle_{n}}}")), "frame {n}");
    }
    for kept in ["Traceback (most recent call last):\n", "\nValueError: 0x80070005 in shard 17\nexit code 3"] {
        assert!(text.contains(kept), "{kept}");
    }
}
