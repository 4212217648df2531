//! Measures what the proxy adds to a request: `cargo run --release -p headroom-proxy --example latency [off|meter|lossless|standard]`.
//!
//! The same requests go to a scripted provider directly and through the proxy, in turns, on one kept-alive connection each; the
//! difference of the medians is what the proxy adds. The store is a SQLite file, as in service.

#![allow(clippy::print_stdout)] // Printing is what this program is for.

use std::time::{Duration, Instant};

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, Upstreams, serve};
use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Client, Reply, Upstream, request};
use serde_json::json;

const ROUNDS: usize = 2000;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = r#"{"id":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;
    let stream =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\n\n";
    let upstream = Upstream::answering(move |received| {
        let streams = received.body.windows(13).any(|window| window == b"\"stream\":true");
        if streams { Reply::sse(stream) } else { Reply::json(200, json) }
    })
    .await;
    let folder = tempfile::tempdir()?;
    let store = Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT)?;
    let mode: Mode = std::env::args().nth(1).as_deref().unwrap_or("standard").parse()?;
    let mut config = Config::local(Policy::of(mode));
    config.listen.set_port(0);
    config.upstreams = Upstreams { anthropic: upstream.base(), openai: upstream.base(), gemini: upstream.base() };
    let proxy = serve(config, Engine::new(store)).await?;

    let small = json!({"model": "claude", "messages": [{"role": "user", "content": "x".repeat(900)}]});
    let streamed =
        json!({"model": "claude", "stream": true, "messages": [{"role": "user", "content": "x".repeat(900)}]});
    let row = |n: usize| json!({"id": n, "name": format!("service-{n}"), "state": "running", "cpu": n * 37 % 100});
    let rows =
        |from: usize, count: usize| serde_json::Value::Array((from..from + count).map(row).collect()).to_string();
    let turn = |n: usize| {
        let id = format!("toolu_{n}");
        [
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "svc list"}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": rows(n * 200, 200)}]}),
        ]
    };
    let messages: Vec<_> =
        std::iter::once(json!({"role": "user", "content": "go"})).chain((0..15).flat_map(turn)).collect();
    let tools =
        json!([{"name": "Bash", "description": "Runs a command. ".repeat(2000), "input_schema": {"type": "object"}}]);
    let long = json!({"model": "claude", "tools": tools, "messages": messages});

    for (name, body, rounds) in
        [("1 KB", small, ROUNDS), ("1 KB, first event", streamed, ROUNDS), ("conversation, warm", long, ROUNDS / 10)]
    {
        let body = body.to_string();
        let mut direct = Client::connect(upstream.base()["http://".len()..].parse()?).await;
        let mut through = Client::connect(proxy.addr()).await;
        let bytes =
            request(proxy.addr(), "POST", "/v1/messages", &[("content-type", "application/json")], body.as_bytes());
        let (mut plain, mut proxied) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            plain.push(once(&mut direct, &bytes).await);
            proxied.push(once(&mut through, &bytes).await);
        }
        let (plain, proxied) = (percentiles(plain), percentiles(proxied));
        println!(
            "{name} ({} bytes): direct p50 {:?} p99 {:?}; through the proxy p50 {:?} p99 {:?}; added p50 {:?} p99 {:?}",
            body.len(),
            plain.0,
            plain.1,
            proxied.0,
            proxied.1,
            proxied.0.saturating_sub(plain.0),
            proxied.1.saturating_sub(plain.1)
        );
    }
    proxy.shutdown().await;
    Ok(())
}

async fn once(client: &mut Client, bytes: &[u8]) -> Duration {
    let begun = Instant::now();
    client.write(bytes).await;
    let answer = client.read(false).await;
    assert_eq!(answer.status, 200);
    answer.arrivals.first().map_or_else(|| begun.elapsed(), |(at, _)| *at - begun)
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}
