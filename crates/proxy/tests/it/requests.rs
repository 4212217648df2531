//! What reaches the provider.

use std::time::Duration;

use headroom::{Mode, Policy};
use headroom_store::Store;
use headroom_testkit::http::{Piece, Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{claude, gpt, handle_in, opening, pair, pair_on, pair_with, rows};

const OK: &str = r#"{"id":"msg_1","content":[{"type":"text","text":"done"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

#[tokio::test]
async fn a_small_request_passes_byte_for_byte() {
    let pair = pair(vec![Reply::json(200, OK).with("request-id", "req_7")]).await;
    let body =
        "{ \"model\":\"claude\",\r\n \"messages\":[{\"role\":\"user\",\"content\":\"hi \\ud83d\"}], \"x\":1e400}";
    let headers = [
        ("x-api-key", "sk-ant-secret"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "a,b"),
        ("anthropic-beta", "c"),
        ("content-type", "application/json"),
        ("accept-encoding", "zstd, br"),
    ];
    let answer = pair.send("POST", "/v1/messages?beta=true", &headers, body.as_bytes()).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, OK));
    assert_eq!(answer.header("request-id"), Some("req_7"));
    assert!(answer.header("x-headroom-id").is_some_and(|id| id.starts_with("hrq_")));
    let received = &pair.upstream.received()[0];
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/messages?beta=true"));
    assert_eq!(received.text(), body);
    assert_eq!(received.header("x-api-key"), Some("sk-ant-secret"));
    // T022: exactly the client's betas, both headers of them.
    let betas: Vec<&str> =
        received.headers.iter().filter(|(name, _)| name == "anthropic-beta").map(|(_, value)| value.as_str()).collect();
    assert_eq!(betas, ["a,b", "c"]);
    // T048: the answer is asked for in a form that every client can read.
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    let receipts = {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap()
    };
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0].status, receipts[0].usage.unwrap().output_tokens), (200, 2));
}

#[tokio::test]
async fn a_long_result_is_sent_shorter_and_the_same_way_on_every_turn() {
    let pair = pair(vec![Reply::json(200, OK), Reply::json(200, OK)]).await;
    let mut messages = opening(&rows(400));
    let first = claude(&json!(messages), false).to_string();
    pair.post("/v1/messages", &first).await;
    messages.push(json!({"role": "assistant", "content": "service-77"}));
    messages.push(json!({"role": "user", "content": "continue"}));
    pair.post("/v1/messages", &claude(&json!(messages), false).to_string()).await;
    let sent: Vec<String> = pair.upstream.received().iter().map(|request| request.text()).collect();
    assert!(sent[0].len() < first.len() / 2, "{} of {} bytes", sent[0].len(), first.len());
    let common = sent[0].strip_suffix("]}").unwrap();
    assert!(sent[1].starts_with(common), "the prefix moved");
    let body: Value = serde_json::from_str(&sent[0]).unwrap();
    assert_eq!(body["tools"][1]["name"], headroom_wire::TOOL_NAME);
    assert_eq!(body["messages"][0]["content"], "Which service has failed?");
    assert!(sent[0].contains("FAILED: disk"), "the odd row is shown");
}

/// T086
#[tokio::test]
async fn two_equal_turns_are_two_requests() {
    let first = OK.replace("done", "first");
    let pair = pair(vec![Reply::json(200, first), Reply::json(200, OK.replace("done", "second"))]).await;
    let body = claude(&json!([{"role": "user", "content": "continue"}]), false).to_string();
    assert!(pair.post("/v1/messages", &body).await.text().contains("first"));
    assert!(pair.post("/v1/messages", &body).await.text().contains("second"));
}

#[tokio::test]
async fn off_and_the_bypass_header_leave_everything_alone() {
    let body = claude(&json!(opening(&rows(400))), false).to_string();
    let pair = pair(vec![Reply::json(200, OK)]).await;
    let headers = [("x-headroom-bypass", "1"), ("accept-encoding", "br")];
    assert_eq!(pair.send("POST", "/v1/messages", &headers, body.as_bytes()).await.text(), OK);
    let received = &pair.upstream.received()[0];
    assert_eq!(received.text(), body);
    assert_eq!(received.header("x-headroom-bypass"), None);
    assert_eq!(received.header("accept-encoding"), Some("br"));
    for mode in [Mode::Off, Mode::Meter] {
        let pair =
            pair_with(Upstream::start(vec![Reply::json(200, OK)]).await, |config| config.policy = Policy::of(mode))
                .await;
        assert_eq!(pair.post("/v1/messages", &body).await.text(), OK);
        assert_eq!(pair.upstream.received()[0].text(), body, "{mode}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_write_costs_only_the_savings() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "not a folder").unwrap();
    let error = Store::open_sqlite(&blocked.join("store.db"), &headroom_store::SqliteOptions::DEFAULT).unwrap_err();
    let upstream = Upstream::start(vec![Reply::json(200, OK)]).await;
    let pair = pair_on(upstream, Store::unavailable(&error), |_| {}).await;
    let body = claude(&json!(opening(&rows(400))), false).to_string();
    assert_eq!(pair.post("/v1/messages", &body).await.text(), OK);
    let sent = pair.upstream.received()[0].text();
    assert!(handle_in(&sent).is_none(), "no handle without a store");
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(sent["messages"], serde_json::from_str::<Value>(&body).unwrap()["messages"]);
}

#[tokio::test]
async fn a_passed_deadline_sends_what_the_client_sent() {
    let upstream = Upstream::start(vec![Reply::json(200, OK)]).await;
    let pair = pair_with(upstream, |config| config.policy.deadline = Duration::ZERO).await;
    let body = claude(&json!(opening(&rows(400))), false);
    assert_eq!(pair.post("/v1/messages", &body.to_string()).await.text(), OK);
    let sent: Value = serde_json::from_str(&pair.upstream.received()[0].text()).unwrap();
    assert_eq!(sent["messages"], body["messages"]);
}

#[tokio::test]
async fn a_refused_change_is_sent_again_as_it_came() {
    for status in [400, 413, 422] {
        let refusal =
            Reply::json(status, r#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#);
        let pair = pair(vec![refusal, Reply::json(200, OK)]).await;
        let body = claude(&json!(opening(&rows(400))), false).to_string();
        let answer = pair.post("/v1/messages", &body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, OK));
        let received = pair.upstream.received();
        assert_eq!(received.len(), 2);
        assert_ne!(received[0].text(), body);
        assert_eq!(received[1].text(), body);
    }
}

/// T110, T005
#[tokio::test]
async fn a_refusal_of_unchanged_bytes_is_the_clients_to_see() {
    for status in [400, 401, 403, 404, 413, 422, 429] {
        let error = format!("{{\"type\":\"error\",\"error\":{{\"type\":\"x\",\"message\":\"{status}\"}}}}");
        let pair = pair(vec![Reply::json(status, error.clone()).with("retry-after", "7")]).await;
        let answer = pair.post("/v1/messages", r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).await;
        assert_eq!((answer.status, answer.text()), (status, error));
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(pair.upstream.received().len(), 1, "sent once");
    }
}

/// A request has two names: the client's own comes back as it is, ours is the receipt's.
#[tokio::test]
async fn an_answer_names_its_receipt_and_gives_the_clients_own_name_back() {
    let theirs = Reply::json(200, OK).with("x-request-id", "the provider's");
    let pair = pair(vec![Reply::json(200, OK), theirs, Reply::json(200, OK)]).await;
    let body = claude(&json!(opening(&rows(400))), false).to_string();
    let mut names = Vec::new();
    for (given, expected) in
        [(Some("Client Name;7"), Some("Client Name;7")), (Some("Client Name;7"), Some("the provider's")), (None, None)]
    {
        let headers: Vec<_> = given.map(|id| ("x-request-id", id)).into_iter().collect();
        let answer = pair.send("POST", "/v1/messages", &headers, body.as_bytes()).await;
        assert_eq!(answer.header("x-request-id"), expected);
        assert_eq!(pair.upstream.received().pop().unwrap().header("x-request-id"), given);
        names.push(answer.header("x-headroom-id").unwrap().to_owned());
    }
    let receipts = pair.receipts(3).await;
    assert_eq!(receipts.iter().map(|receipt| receipt.id.clone()).collect::<Vec<_>>(), names);
    let handle = handle_in(&pair.last_sent()).unwrap().parse().unwrap();
    let first = pair.engine.receipt_naming(&headroom_store::Scope::default(), handle).unwrap().unwrap();
    assert_eq!(first.id, names[0], "the request that left the text out first");
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

/// T047
#[tokio::test]
async fn encoded_bodies_are_read_and_corrupt_ones_pass_raw() {
    let text = gpt(&rows(400), false).to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &zstd(&text)).unwrap();
    let stacked = gzip.finish().unwrap();
    for (encoding, body) in [("zstd", zstd(&text)), ("zstd, gzip", stacked)] {
        let pair = pair(vec![Reply::json(200, OK)]).await;
        let answer = pair.send("POST", "/v1/chat/completions", &[("content-encoding", encoding)], &body).await;
        assert_eq!(answer.status, 200);
        let received = &pair.upstream.received()[0];
        assert_eq!(received.header("content-encoding"), None, "what is sent is plain");
        let sent: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(sent["messages"][1]["content"], "Which service has failed?");
        assert!(received.body.len() < text.len() / 2);
    }
    // A body in which nothing is to be done keeps its encoding and its bytes.
    let small = zstd(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
    let mut corrupt = zstd(&text);
    corrupt.truncate(corrupt.len() - 9);
    for body in [small, corrupt] {
        let pair = pair(vec![Reply::json(200, OK)]).await;
        pair.send("POST", "/v1/chat/completions", &[("content-encoding", "zstd")], &body).await;
        let received = &pair.upstream.received()[0];
        assert_eq!((received.header("content-encoding"), &received.body), (Some("zstd"), &body));
    }
}

/// T047
#[tokio::test]
async fn a_bomb_is_refused() {
    let pair = pair_with(Upstream::start(vec![]).await, |config| config.max_body_bytes = 1 << 20).await;
    let bomb = zstd::encode_all(&vec![b' '; 256 << 20][..], 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    let answer = pair.send("POST", "/v1/messages", &[("content-encoding", "zstd")], &bomb).await;
    assert_eq!((answer.status, answer.json()["error"]["type"].as_str()), (413, Some("request_too_large")));
    let answer = pair.send("POST", "/v1/compress", &[("content-length", "999999999")], b"{").await;
    assert_eq!(answer.status, 413, "an announced size is believed");
    assert!(pair.upstream.received().is_empty());
}

/// T050
#[tokio::test]
async fn everything_else_is_tunnelled() {
    let echo = |received: &headroom_testkit::http::Received| {
        Reply::of(200, "application/octet-stream", vec![Piece::Bytes(received.body.clone())])
    };
    let pair = pair_with(Upstream::answering(echo).await, |_| {}).await;
    let long = claude(&json!(opening(&rows(400))), false).to_string();
    for (method, target, body) in [
        ("POST", "/v1/messages/count_tokens?beta=true", long.as_str()),
        ("POST", "/v1/messages/batches", long.as_str()),
        ("GET", "/v1/models", ""),
        ("HEAD", "/", ""),
        ("OPTIONS", "/v1/messages", ""),
        ("GET", "/v1/messages", ""),
        ("DELETE", "/v1/files/f%2F1?x=%20y", ""),
        ("PATCH", "/some/unknown/path", "raw \u{0} bytes"),
    ] {
        let answer = pair.send(method, target, &[("authorization", "Bearer k")], body.as_bytes()).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method} {target}");
        let received = pair.upstream.received().pop().unwrap();
        assert_eq!(
            (received.method.as_str(), received.target.as_str(), received.text().as_str()),
            (method, target, body)
        );
        assert_eq!(received.header("authorization"), Some("Bearer k"));
    }
}

#[tokio::test]
async fn an_unknown_path_goes_to_the_provider_whose_headers_it_carries() {
    let (anthropic, openai) = (
        Upstream::start(vec![Reply::json(200, "1")]).await,
        Upstream::start(vec![Reply::json(200, "2"), Reply::json(200, "3")]).await,
    );
    let base = openai.base() + "/compatible/api/";
    let pair = pair_with(anthropic, |config| config.upstreams.openai = base).await;
    assert_eq!(pair.send("GET", "/v1/future", &[("anthropic-version", "2023-06-01")], b"").await.text(), "1");
    assert_eq!(pair.send("GET", "/v1/future?q=1", &[], b"").await.text(), "2");
    assert_eq!(pair.post("/v1/chat/completions", "{}").await.text(), "3");
    let targets: Vec<String> = openai.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/compatible/api/v1/future?q=1", "/compatible/api/v1/chat/completions"]);
}

/// A client that asks is told where the time went, beside what the provider says of its own.
#[tokio::test]
async fn the_phases_of_a_request_are_told_on_request() {
    let reply = || Reply::json(200, "{}").with("server-timing", "theirs;dur=1").after(Duration::from_millis(30));
    let pair = pair(vec![reply(), reply(), reply()]).await;
    let told = |answer: &headroom_testkit::http::Answer| {
        let values = answer.headers.iter().filter(|(name, _)| name == "server-timing");
        values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let ask = [("x-headroom-timing", "1")];
    let body = claude(&json!(opening(&rows(400))), false).to_string();
    let answer = pair.send("POST", "/v1/messages", &ask, body.as_bytes()).await;
    let [theirs, ours] = told(&answer).try_into().unwrap();
    assert_eq!(theirs, "theirs;dur=1");
    let phases: Vec<(&str, f64)> = ours
        .split(", ")
        .map(|phase| phase.split_once(";dur=").unwrap())
        .map(|(name, ms)| (name, ms.parse().unwrap()))
        .collect();
    assert_eq!(
        phases.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["headroom-read", "headroom-prepare", "headroom-upstream"]
    );
    assert!(phases[2].1 >= 30.0 && phases[1].1 > 0.0, "{phases:?}");
    assert_eq!(pair.upstream.received()[0].header("x-headroom-timing"), None);
    let answer = pair.send("POST", "/v1/embeddings", &ask, b"{}").await;
    assert!(told(&answer)[1].starts_with("headroom-upstream;dur="));
    assert_eq!(told(&pair.post("/v1/messages", &body).await), ["theirs;dur=1"]);
}
