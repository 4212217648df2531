//! Instructions that change from request to request, through the whole proxy.

use headroom::Align;
use headroom_testkit::http::{Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, claude, pair_with};

/// What a provider bills that caches what it is asked to.
fn billed() -> Reply {
    let usage = json!({"input_tokens": 9, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 9000, "output_tokens": 7});
    Reply::json(200, json!({"content": [], "stop_reason": "end_turn", "usage": usage}).to_string())
}

fn turn(turn: usize, marked: bool) -> String {
    let mut messages = vec![json!({"role": "user", "content": "Go."})];
    for n in 0..turn {
        messages.push(json!({"role": "assistant", "content": format!("Gone {n}.")}));
        messages.push(json!({"role": "user", "content": format!("Go on {n}.")}));
    }
    let mut body = claude(&json!(messages), false);
    let system = format!("It is 2026-11-23 10:00:0{turn}. {}", "Be brief. ".repeat(900));
    body["system"] = match marked {
        true => json!([{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]),
        false => system.into(),
    };
    body.to_string()
}

/// A proxy that was asked to align.
async fn aligning(replies: Vec<Reply>) -> Pair {
    pair_with(Upstream::start(replies).await, |config| config.policy.align = Align::Auto).await
}

fn sent(pair: &Pair) -> Vec<Value> {
    pair.upstream.received().iter().map(|request| serde_json::from_str(&request.text()).unwrap()).collect()
}

#[tokio::test]
async fn a_clock_stays_where_it_was_and_the_newest_turn_says_the_time() {
    let pair = aligning(vec![billed(), billed(), billed()]).await;
    for n in 0..3 {
        pair.post("/v1/messages", &turn(n, true)).await;
    }
    let sent = sent(&pair);
    assert_eq!(sent[0], serde_json::from_str::<Value>(&turn(0, true)).unwrap());
    for (n, note) in [(1, "\n[in the instructions 2026-11-23 10:00:00 is now 10:00:01]"), (2, "\n[now 10:00:02]")] {
        assert_eq!(sent[n]["system"], sent[0]["system"]);
        let (messages, earlier) =
            (sent[n]["messages"].as_array().unwrap(), sent[n - 1]["messages"].as_array().unwrap());
        assert!(messages.starts_with(earlier));
        assert_eq!(messages.last().unwrap()["content"], format!("Go on {}.{note}", n - 1));
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let receipts = pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap();
    assert_eq!(receipts.iter().map(|receipt| receipt.aligned.values).collect::<Vec<_>>(), [0, 1, 1]);
}

/// A provider that refuses what was made of a request is believed: its conversation is left alone.
#[tokio::test]
async fn a_refused_alignment_is_not_tried_again() {
    let pair = aligning(vec![billed(), Reply::json(400, "{}"), billed(), billed()]).await;
    for n in 0..3 {
        assert_eq!(pair.post("/v1/messages", &turn(n, true)).await.status, 200);
    }
    let sent = sent(&pair);
    assert_eq!(sent.len(), 4);
    assert_ne!(sent[1], sent[2]);
    for (sent, n) in [(&sent[2], 1), (&sent[3], 2)] {
        assert_eq!(*sent, serde_json::from_str::<Value>(&turn(n, true)).unwrap());
    }
}

/// Only who pays by the token gets cache markers, and only beside none of the client's own.
#[tokio::test]
async fn cache_markers_are_for_keys_and_not_for_subscriptions() {
    for (headers, markers) in [
        (vec![("x-api-key", "sk-ant-1")], 2),
        (vec![("authorization", "Bearer sk-ant-oat")], 0),
        (vec![("x-api-key", "sk-ant-1"), ("authorization", "Bearer sk-ant-oat")], 0),
        (vec![("x-api-key", "sk-ant-1"), ("x-headroom-bypass", "1")], 0),
    ] {
        let pair = aligning(vec![billed(), billed()]).await;
        for n in 0..2 {
            pair.send("POST", "/v1/messages", &headers, turn(n, false).as_bytes()).await;
        }
        let count = |body: &Value| body.to_string().matches("cache_control").count();
        assert_eq!(sent(&pair).iter().map(count).collect::<Vec<_>>(), [0, markers], "{headers:?}");
    }
}
