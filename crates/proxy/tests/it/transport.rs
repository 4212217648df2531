//! Streams, silences, cuts, and clients that go away.

use std::time::{Duration, Instant};

use headroom_testkit::http::{Client, Piece, Reply, Upstream, request};
use serde_json::json;

use crate::common::{claude, opening, pair, pair_with, rows};

const SMALL: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

const STREAM: &str = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\r\n\r\n: comment\n\n\
    event: future\ndata: {\"type\":\"future\"}\n\nevent: content_block_delta\ndata:{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"\u{1f600}\"}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// A stream of single bytes, each after a pause.
fn dripping(stream: &str, pause: Duration) -> Reply {
    let pieces = stream.bytes().flat_map(|byte| [Piece::Pause(pause), Piece::Bytes(vec![byte])]);
    Reply::of(200, "text/event-stream", pieces.collect())
}

/// T035, T036
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_is_forwarded_when_it_comes() {
    let pair = pair(vec![dripping(STREAM, Duration::from_millis(8))]).await;
    let answer = pair.post("/v1/messages", SMALL).await;
    assert_eq!(answer.text(), STREAM);
    let written = pair.upstream.written();
    let mut delays: Vec<Duration> = Vec::new();
    for (index, sent) in written.iter().enumerate() {
        let (arrived, _) = answer.arrivals.iter().find(|(_, length)| *length > index).unwrap();
        delays.push(arrived.saturating_duration_since(*sent));
    }
    delays.sort_unstable();
    let median = delays[delays.len() / 2];
    assert!(median < Duration::from_millis(5), "median delay {median:?}");
    assert!(
        answer.arrivals.len() > written.len() / 2,
        "bytes came one by one: {} of {}",
        answer.arrivals.len(),
        written.len()
    );
}

/// T035: with the retrieval tool on offer, each event goes out when it is complete.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_tool_on_offer_every_event_is_forwarded_when_it_is_complete() {
    let pair = pair(vec![dripping(STREAM, Duration::from_millis(4))]).await;
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), true).to_string()).await;
    assert_eq!(answer.text(), STREAM);
    let written = pair.upstream.written();
    let ends = STREAM.match_indices("\n\n").map(|(at, _)| at + 1).chain(STREAM.find("\r\n\r\n").map(|at| at + 2));
    let mut delays: Vec<Duration> = ends
        .map(|end| {
            answer.arrivals.iter().find(|(_, length)| *length > end).unwrap().0.saturating_duration_since(written[end])
        })
        .collect();
    delays.sort_unstable();
    assert!(delays[delays.len() / 2] < Duration::from_millis(5), "{delays:?}");
}

/// T037
#[tokio::test]
async fn a_cut_stream_is_cut_for_the_client_too() {
    for body in [SMALL.to_owned(), claude(&json!(opening(&rows(400))), true).to_string()] {
        let half = &STREAM[..200];
        let pair = pair(vec![Reply::of(200, "text/event-stream", vec![Piece::Bytes(half.into()), Piece::Cut])]).await;
        let answer = pair.post("/v1/messages", &body).await;
        assert!(!answer.complete, "a clean end would hide the loss");
        assert!(half.starts_with(&answer.text()) && answer.text().contains("message_start"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        let receipts = pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap();
        assert_eq!(receipts[0].usage.unwrap().input_tokens, 3, "what was stated before the cut");
        assert!(receipts[0].cut_off);
    }
}

/// T037
#[tokio::test]
async fn a_cut_json_answer_is_cut_for_the_client_too() {
    let pair =
        pair(vec![Reply::of(200, "application/json", vec![Piece::Bytes(b"{\"id\":".to_vec()), Piece::Cut])]).await;
    let answer = pair.post("/v1/messages", SMALL).await;
    assert_eq!((answer.complete, answer.text().as_str()), (false, "{\"id\":"));
}

/// T038
#[tokio::test]
async fn an_error_before_the_first_event_keeps_status_headers_and_body() {
    for status in [429, 500, 529] {
        let pair = pair(vec![Reply::json(status, "{\"type\":\"error\"}").with("retry-after", "11")]).await;
        let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), true).to_string()).await;
        assert_eq!(
            (answer.status, answer.header("retry-after"), answer.text().as_str()),
            (status, Some("11"), "{\"type\":\"error\"}")
        );
        assert_eq!(pair.upstream.received().len(), 1);
    }
}

/// T039
#[tokio::test]
async fn an_answer_of_another_kind_than_asked_for_is_relayed() {
    let request = claude(&json!(opening(&rows(400))), false).to_string();
    let pair = pair(vec![
        Reply::sse(STREAM),
        Reply::json(200, "{\"type\":\"error\",\"error\":{}}"),
        Reply::of(200, "text/html", vec![Piece::Bytes(b"<p>".to_vec())]),
    ])
    .await;
    assert_eq!(pair.post("/v1/messages", &request).await.text(), STREAM);
    assert_eq!(pair.post("/v1/messages", &request).await.text(), "{\"type\":\"error\",\"error\":{}}");
    assert_eq!(pair.post("/v1/messages", &request).await.text(), "<p>");
}

/// T040: the proxy's own patience is longer than any client's, and nothing shorter is hidden in it.
#[tokio::test]
async fn a_silent_provider_is_waited_for() {
    let upstream = Upstream::start(vec![Reply::sse(STREAM).after(Duration::from_millis(1500))]).await;
    let pair = pair_with(upstream, |config| {
        assert!(config.idle_timeout >= Duration::from_secs(15 * 60));
        config.connect_timeout = Duration::from_millis(500);
    })
    .await;
    assert_eq!(pair.post("/v1/messages", SMALL).await.text(), STREAM);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_said_to_be() {
    let pair =
        pair_with(Upstream::start(vec![]).await, |config| config.upstreams.anthropic = "http://127.0.0.1:9".to_owned())
            .await;
    let answer = pair.post("/v1/messages", SMALL).await;
    assert_eq!((answer.status, answer.json()["error"]["type"].as_str()), (502, Some("api_error")));
    let upstream = Upstream::start(vec![Reply::json(200, "{}").after(Duration::from_secs(5))]).await;
    let pair = pair_with(upstream, |config| config.idle_timeout = Duration::from_millis(200)).await;
    assert_eq!(pair.post("/v1/messages", SMALL).await.status, 504);
}

/// T046
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_the_upstream_with_it() {
    let slow = Duration::from_secs(20);
    let stalled = Reply::of(200, "text/event-stream", vec![Piece::Bytes(STREAM[..100].into()), Piece::Pause(slow)]);
    for (name, reply, body) in [
        ("before the first byte", Reply::sse(STREAM).after(slow), SMALL.to_owned()),
        ("in the middle of a stream", stalled, SMALL.to_owned()),
        (
            "in a call without a stream",
            Reply::json(200, "{}").after(slow),
            claude(&json!(opening(&rows(400))), false).to_string(),
        ),
    ] {
        let pair = pair(vec![reply]).await;
        let mut client = Client::connect(pair.addr()).await;
        client.write(&request(pair.addr(), "POST", "/v1/messages", &[], body.as_bytes())).await;
        while pair.upstream.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let left = Instant::now();
        drop(client);
        while pair.upstream.hung_up().is_empty() && left.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let noticed = pair.upstream.hung_up().first().map(|at| at.saturating_duration_since(left));
        assert!(noticed.is_some_and(|after| after < Duration::from_millis(250)), "{name}: {noticed:?}");
    }
}

/// T048
#[tokio::test]
async fn an_encoded_answer_keeps_its_encoding_and_its_header() {
    let encoded = zstd::encode_all(&b"{\"content\":[]}"[..], 1).unwrap();
    let reply =
        Reply::of(200, "application/json", vec![Piece::Bytes(encoded.clone())]).with("content-encoding", "zstd");
    let pair = pair(vec![reply]).await;
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), false).to_string()).await;
    assert_eq!((answer.header("content-encoding"), &answer.body), (Some("zstd"), &encoded));
}

/// T049
#[tokio::test]
async fn awkward_requests_are_served_or_refused_and_never_hang() {
    let upstream = Upstream::answering(|_| Reply::json(200, "{}")).await;
    let pair = pair_with(upstream, |config| config.body_timeout = Duration::from_millis(300)).await;
    let addr = pair.addr();

    let mut client = Client::connect(addr).await;
    let head = request(
        addr,
        "POST",
        "/v1/messages",
        &[("expect", "100-continue"), ("content-length", &SMALL.len().to_string())],
        b"",
    );
    client.write(&head).await;
    assert!(client.peek(Duration::from_secs(2)).await.starts_with("HTTP/1.1 100"), "told to go on");
    client.write(SMALL.as_bytes()).await;
    assert_eq!(client.read(false).await.status, 200);
    assert_eq!(pair.upstream.received()[0].header("expect"), None);

    let chunked = format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &SMALL[..5], SMALL.len() - 5, &SMALL[5..]);
    let answer = pair.send("POST", "/v1/messages", &[("transfer-encoding", "chunked")], chunked.as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(pair.upstream.received()[1].text(), SMALL);

    let begun = Instant::now();
    let answer = pair.send("POST", "/v1/messages", &[("content-length", "5000")], SMALL.as_bytes()).await;
    assert_eq!(answer.status, 408, "a body that stops");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let answer = pair.send("POST", "/v1/messages", &[("content-length", "4"), ("content-length", "7")], b"{}").await;
    assert_eq!(answer.status, 400, "two lengths");
    assert_eq!(pair.upstream.received().len(), 2);
}

#[tokio::test]
async fn http_2_is_spoken_to_clients() {
    let pair = pair(vec![Reply::sse(STREAM)]).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let response = client.post(format!("http://{}/v1/messages", pair.addr())).body(SMALL).send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
    assert_eq!(response.text().await.unwrap(), STREAM);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_finish_when_the_proxy_stops() {
    let pieces = vec![
        Piece::Bytes(STREAM[..100].into()),
        Piece::Pause(Duration::from_millis(400)),
        Piece::Bytes(STREAM[100..].into()),
    ];
    let pair = pair(vec![Reply::of(200, "text/event-stream", pieces)]).await;
    let addr = pair.addr();
    let client =
        tokio::spawn(
            async move { headroom_testkit::http::send(addr, "POST", "/v1/messages", &[], SMALL.as_bytes()).await },
        );
    while pair.upstream.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pair.proxy.shutdown().await;
    let answer = client.await.unwrap();
    assert!(answer.complete && answer.text() == STREAM);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "no more connections");
    assert_eq!(pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap().len(), 1, "its receipt is filed");
}
