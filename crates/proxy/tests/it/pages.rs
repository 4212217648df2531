//! The proxy's own pages.

use headroom::{Align, Mode, Policy};
use headroom_testkit::http::{Reply, Upstream};
use serde_json::json;

use crate::common::{claude, handle_in, opening, pair, pair_with, rows};

#[tokio::test]
async fn health_and_figures_are_shown() {
    let body = r#"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":7}}"#;
    let pair = pair(vec![Reply::json(200, body)]).await;
    assert_eq!(pair.send("GET", "/livez", &[], b"").await.status, 200);
    assert_eq!(pair.send("GET", "/readyz", &[], b"").await.json()["ready"], true);
    let headers = [("x-api-key", "sk-canary-key")];
    pair.send("POST", "/v1/messages", &headers, claude(&json!(opening(&rows(400))), false).to_string().as_bytes())
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let metrics = pair.send("GET", "/metrics", &[], b"").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let metrics = metrics.text();
    for line in [
        "headroom_exchanges_total 1",
        "headroom_billed_output_tokens_total 7",
        "headroom_added_seconds_count 1",
        "headroom_failed_open_total 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} in\n{metrics}");
    }
    let stats = pair.send("GET", "/stats", &[], b"").await.json();
    let of_today = pair.send("GET", "/stats?hours=1", &[], b"").await.json();
    assert_eq!(of_today["ledger"]["total"]["requests"], 1, "{of_today}");
    assert!(stats.get("ledger").is_none());
    assert!(pair.send("GET", "/stats?hours=all", &[], b"").await.text().contains("not a whole number"));
    assert!(stats["counters"]["tokens_before"].as_u64() > stats["counters"]["tokens_after"].as_u64());
    assert_eq!((&stats["store"]["originals"], &stats["policy"]), (&json!(1), &json!("standard")));
    // T100
    let receipts = serde_json::to_string(&pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap()).unwrap();
    for shown in [metrics, stats.to_string(), receipts] {
        assert!(!shown.contains("canary") && !shown.contains("service-1"));
    }
}

#[tokio::test]
async fn texts_are_compressed_and_given_back() {
    let pair = pair(vec![]).await;
    let text = rows(400);
    let answer = pair.post("/v1/compress", &json!({"text": text, "tool": "Bash"}).to_string()).await;
    let result = answer.json();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(result["tokens_after"].as_u64() < result["tokens_before"].as_u64());
    let handle = handle_in(result["text"].as_str().unwrap()).expect("something was left out");
    assert_eq!(result["handle"], handle);
    let found = pair.send("GET", &format!("/v1/retrieve/{handle}?pattern=service-123%22"), &[], b"").await;
    assert!(found.status == 200 && found.text().contains("service-123"));
    assert_eq!(pair.send("GET", "/v1/retrieve/hr_0000000000", &[], b"").await.status, 404);
    assert_eq!(pair.send("GET", "/v1/retrieve/nonsense", &[], b"").await.status, 400);
    let exact = pair.post("/v1/compress", &json!({"text": text, "level": "lossless"}).to_string()).await.json();
    assert_eq!((&exact["exact"], &exact["handle"]), (&json!(true), &json!(null)));
    for wrong in [
        "{}",
        "no json",
        r#"{"text":"x","level":"extreme"}"#,
        r#"{"text":"x","kind":"poem"}"#,
        r#"{"text":"x","txet":1}"#,
    ] {
        assert_eq!(pair.post("/v1/compress", wrong).await.status, 400, "{wrong}");
    }
}

/// T031: whoever has the id of an answer can ask why: what the client changed, what the cache missed for that, and what it cost. Also when
/// nothing is compressed.
#[tokio::test]
async fn a_request_can_be_asked_why() {
    let usage = |read: u32, write: u32| {
        let usage = json!({"input_tokens": 9, "cache_read_input_tokens": read, "cache_creation_input_tokens": write, "output_tokens": 7});
        Reply::json(200, json!({"content": [], "stop_reason": "end_turn", "usage": usage}).to_string())
    };
    let policies = [Policy::of(Mode::Meter), Policy { align: Align::Off, ..Policy::of(Mode::Lossless) }];
    for policy in policies {
        let upstream = Upstream::start(vec![usage(0, 9000), usage(20, 9100)]).await;
        let pair = pair_with(upstream, |config| config.policy = policy).await;
        let mut id = String::new();
        for turn in 0..2 {
            let mut messages = vec![json!({"role": "user", "content": "Go."})];
            messages.extend((0..turn).map(|_| json!({"role": "assistant", "content": "Gone."})));
            messages.extend((0..turn).map(|_| json!({"role": "user", "content": "Go on."})));
            let mut body = claude(&json!(messages), false);
            body["system"] = format!("secret-word. It is 10:00:0{turn}. {}", "Be brief. ".repeat(900)).into();
            let answer = pair.post("/v1/messages", &body.to_string()).await;
            id = answer.header("x-headroom-id").unwrap().to_owned();
        }
        // At once, from memory; and when the receipt has been filed.
        for wait in [0, 300] {
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            let answer = pair.send("GET", &format!("/v1/why/{id}"), &[], b"").await;
            let why = answer.json();
            assert_eq!(why["receipt"]["id"], id.as_str(), "{why}");
            let value = &why["receipt"]["drift"]["volatile"][0];
            assert_eq!((&value["kind"], &value["place"]), (&json!("time"), &json!("instructions")));
            assert_eq!(why["receipt"]["miss"]["cause"], "client");
            assert!(
                why["miss_dollars"].as_f64() > Some(0.02) && why["volatile"][0]["dollars_per_day"].as_f64() > Some(1.0)
            );
            assert!(!answer.text().contains("secret-word"));
        }
        let stats = pair.send("GET", "/stats?hours=1", &[], b"").await.json();
        assert_eq!(stats["cache_missed_tokens"]["client"], 8980);
        assert_eq!(stats["ledger"]["misses"]["client"]["requests"], 1);
        assert_eq!(stats["ledger"]["volatile"]["instructions time"]["requests"], 1);
        assert_eq!(pair.send("GET", "/v1/why/hrq_0_0_0", &[], b"").await.status, 404);
    }
}
