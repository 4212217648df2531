//! Other doors and other clouds: what is not one of the four dialects passes byte for byte, and proxies stand in front of each other.

use std::net::SocketAddr;

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, Upstreams, serve};
use headroom_store::Store;
use headroom_testkit::http::{Piece, Received, Reply, Upstream, send};
use serde_json::{Value, json};

use crate::common::{claude, conversation, handle_in, opening, pair, pair_with, rows};

/// The headers that concern the provider, as they arrived, sorted by name; what has one name stays in order. `accept: */*` says what no such
/// header says, and is added by the HTTP client.
fn theirs(received: &Received) -> Vec<(&str, &str)> {
    let hops = ["host", "content-length", "accept-encoding", "connection"];
    let said = |(name, value): &&(String, String)| {
        !hops.contains(&name.as_str()) && (name.as_str(), value.as_str()) != ("accept", "*/*")
    };
    sorted(received.headers.iter().filter(said).map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

fn sorted<'a>(mut headers: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    headers.sort_by_key(|(name, _)| *name);
    headers
}

/// T105, T106: Bedrock by ARN (encoded and raw) and by region prefix, Vertex raw predictions and token counts: address, headers, body and a binary
/// event stream.
#[tokio::test]
async fn other_clouds_pass_byte_for_byte() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";
    let encoded = arn.replace(':', "%3A").replace('/', "%2F");
    let vertex = "/v1/projects/p/locations/us-east5/publishers/anthropic/models";
    let targets = [
        format!("/model/{encoded}/invoke-with-response-stream"),
        format!("/model/{arn}/converse"),
        "/model/au.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke".to_owned(),
        "/model/global.anthropic.claude-opus-4-5-20251101-v1%3A0/invoke-with-response-stream".to_owned(),
        format!("{vertex}/claude-sonnet-4-5@20250929:streamRawPredict"),
        format!("{vertex}/claude-sonnet-4-5@20250929:rawPredict"),
        format!("{vertex}/count-tokens:rawPredict"),
    ];
    let headers = [
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=0f",
        ),
        ("x-amz-date", "20260101T000000Z"),
        ("x-amz-content-sha256", "e3b0c442"),
        ("anthropic-beta", "context-1m-2025-08-07"),
        ("anthropic-beta", "interleaved-thinking-2025-05-14"),
        ("content-type", "application/json"),
    ];
    // Signed over these bytes, spaces and all; long enough that a known dialect would shorten it.
    let body = conversation(2).replacen('{', "{ \"anthropic_version\" : \"bedrock-2023-05-31\", ", 1);
    let frames: Vec<u8> = [0, 0, 0, 0x8f, 0, 0, 0, 0x4b].into_iter().chain((0..=255).cycle().take(4000)).collect();
    for target in &targets {
        let halves = frames.split_at(1999);
        let stream = vec![Piece::Bytes(halves.0.to_vec()), Piece::Bytes(halves.1.to_vec())];
        let pair = pair(vec![Reply::of(200, "application/vnd.amazon.eventstream", stream)]).await;
        let answer = pair.send("POST", target, &headers, body.as_bytes()).await;
        assert_eq!(answer.body, frames, "{target}");
        assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
        let received = &pair.upstream.received()[0];
        assert_eq!((&received.target, received.text() == body), (target, true));
        assert_eq!(theirs(received), sorted(headers.to_vec()), "{target}");
    }
}

/// T108: a ChatGPT login of Codex, with a packed body.
#[tokio::test]
async fn the_headers_of_a_chatgpt_login_arrive_as_they_were_sent() {
    let pair = pair(vec![Reply::json(200, "{}"), Reply::json(200, "{}")]).await;
    let headers = [
        ("authorization", "Bearer eyJhbGciOi.chatgpt.login"),
        ("chatgpt-account-id", "5f2c-acc"),
        ("openai-beta", "responses=experimental"),
        ("originator", "codex_cli_rs"),
        ("session_id", "0199-session"),
        ("x-codex-turn-state", "opaque=="),
        ("user-agent", "codex_cli_rs/0.153.4 (Debian 12; x86_64)"),
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    let body = json!({"model": "gpt-5", "store": false, "stream": true, "input": [
        {"type": "function_call", "call_id": "a", "name": "shell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": rows(300)}]});
    let packed = zstd::encode_all(body.to_string().as_bytes(), 1).unwrap();
    let with_coding = [&headers[..], &[("content-encoding", "zstd")]].concat();
    for target in ["/backend-api/codex/responses", "/backend-api/codex/responses/compact"] {
        assert_eq!(pair.send("POST", target, &with_coding, &packed).await.status, 200);
    }
    let received = pair.upstream.received();
    // Decoded, because it was made shorter; the other is not a request that is read, and stays packed.
    assert_eq!(theirs(&received[0]), sorted(headers.to_vec()));
    assert!(received[0].body.len() < body.to_string().len());
    assert_eq!((theirs(&received[1]), &received[1].body), (sorted(with_coding), &packed));
}

/// The places of cache markers in a request.
fn breakpoints(body: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if name == "cache_control" {
                        found.push(format!("{path} {member}"));
                    }
                    walk(member, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| walk(item, &format!("{path}/{at}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(body, "", &mut found);
    found
}

/// T107: one of us behind another: the second finds the first one's marks and tool and leaves both alone, and the client's cache markers arrive where it
/// set them. The bases are those of gateways, with paths of their own.
#[tokio::test]
async fn proxies_stand_behind_each_other() {
    let second = pair_with(Upstream::answering(|_| Reply::json(200, "{\"id\":\"msg\"}")).await, |config| {
        config.upstreams.anthropic += "/azure/anthropic";
        config.upstreams.openai += "/api";
    })
    .await;
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let base = format!("http://{}/for/claude/-", second.addr());
    config.upstreams = Upstreams { anthropic: base.clone(), openai: base.clone(), gemini: base };
    let first = serve(config, Engine::new(Store::memory())).await.unwrap();
    let mut messages = opening(&rows(400));
    messages[0]["content"] = json!([{"type": "text", "text": "Which service has failed?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    messages[2]["content"][0]["cache_control"] = json!({"type": "ephemeral"});
    let mut body = claude(&json!(messages), false);
    body["system"] = json!([{"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral"}}]);
    for _ in 0..2 {
        let answer =
            send(first.addr(), "POST", "/v1/messages?beta=true", &[("x-api-key", "k")], body.to_string().as_bytes())
                .await;
        assert_eq!(answer.status, 200);
    }
    let received = second.upstream.received();
    assert_eq!(received[0].target, "/azure/anthropic/v1/messages?beta=true");
    assert_eq!(received[0].text(), received[1].text(), "sent the same way again");
    let sent: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(breakpoints(&sent), breakpoints(&body));
    let tools: Vec<&str> = sent["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(tools, ["Bash", headroom_wire::TOOL_NAME], "offered once");
    let result = sent["messages"][2]["content"][0]["content"].as_str().unwrap();
    let handle = handle_in(result).expect("shortened by the first");
    assert_eq!(result.matches(&handle).count(), result.matches("hr_").count(), "and by nobody else");
    let chat = json!({"model": "openrouter/auto", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    send(first.addr(), "POST", "/v1/chat/completions?api-version=2025-01-01", &[], chat.as_bytes()).await;
    let last = second.upstream.received().pop().unwrap();
    assert_eq!((last.target.as_str(), last.text()), ("/api/v1/chat/completions?api-version=2025-01-01", chat));
}
