//! Marks in what a model writes, with the store behind them.

use std::sync::Mutex;

use headroom_testkit::http::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, claude, opening, pair_with};

/// What a build printed, whose routine lines are left out.
fn output() -> String {
    let line = |n: usize| match n {
        200 => "error[E0308]: mismatched types\n --> src/main.rs:3:5\n".to_owned(),
        n => format!("   Compiling alpha-{} v{}.{}.{}\n", n * 7919 % 1000, n % 9, n % 7, n % 5),
    };
    let lines: String = (0..400).map(line).collect();
    format!("{lines}error: could not compile `x` (lib) due to 1 previous error\n")
}

/// The text that the provider was sent in the place of the output.
fn shown(received: &Received) -> String {
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    body["messages"][2]["content"][0]["content"].as_str().unwrap().to_owned()
}

/// A provider whose model calls a tool with what it read, streamed in parts of seven bytes or whole.
async fn copying(tool: &'static str, argument: &'static str, streamed: bool) -> Pair {
    let script = Mutex::new(());
    let answer = move |received: &Received| {
        let _one = script.lock();
        let input = json!({"file_path": "/tmp/a", argument: shown(received)}).to_string();
        if !streamed {
            let block = json!({"type": "tool_use", "id": "toolu_w", "name": tool, "input": serde_json::from_str::<Value>(&input).unwrap()});
            return Reply::json(200, json!({"content": [block], "stop_reason": "tool_use", "usage": {}}).to_string());
        }
        let mut events = vec![
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "toolu_w", "name": tool, "input": {}}}),
        ];
        for part in input.as_bytes().chunks(7) {
            events.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": std::str::from_utf8(part).unwrap()}}));
        }
        events.push(json!({"type": "content_block_stop", "index": 0}));
        events.push(
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 10}}),
        );
        events.push(json!({"type": "message_stop"}));
        let text: String = events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
            .collect();
        Reply::sse(&text)
    };
    pair_with(Upstream::answering(answer).await, |_| {}).await
}

/// The arguments that the client gets.
async fn written(pair: &Pair, streamed: bool) -> Value {
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&output())), streamed).to_string()).await;
    assert!(answer.complete);
    let sent = shown(&pair.upstream.received()[0]);
    assert!(sent.contains(" lines ") && sent.contains("; all in hr_"), "nothing was left out: {sent}");
    if !streamed {
        return answer.json()["content"][0]["input"].clone();
    }
    let text = answer.text();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let input: String = events.filter_map(|event| event["delta"]["partial_json"].as_str().map(str::to_owned)).collect();
    serde_json::from_str(&input).unwrap()
}

/// T073
#[tokio::test]
async fn a_mark_that_a_model_writes_into_a_file_is_the_text_again() {
    for streamed in [true, false] {
        let pair = copying("Write", "content", streamed).await;
        assert_eq!(written(&pair, streamed).await, json!({"file_path": "/tmp/a", "content": output()}));
        assert_eq!(told(&pair).await, ("Write".to_owned(), "expanded".to_owned()));
    }
}

/// T073
#[tokio::test]
async fn a_mark_in_a_command_is_refused() {
    for streamed in [true, false] {
        let pair = copying("Bash", "command", streamed).await;
        let got = written(&pair, streamed).await;
        assert!(got["headroom_refused"].as_str().unwrap().contains("must not be written"), "{got}");
        assert!(got["command"].is_null() && got["file_path"].is_null(), "{got}");
        assert_eq!(told(&pair).await, ("Bash".to_owned(), "refused".to_owned()));
    }
}

/// The tool and the outcome that the receipt, the counters and the figures agree on.
async fn told(pair: &Pair) -> (String, String) {
    let receipt = &pair.receipts(1).await[0];
    let [call] = &receipt.guarded[..] else { panic!("{:?}", receipt.guarded) };
    // A gap and the trailer at least.
    assert!(call.marks >= 2, "{call:?}");
    let metrics = pair.send("GET", "/metrics", &[], b"").await.text();
    assert!(metrics.contains("guarded_answers_total 1"));
    let other = if call.outcome == "expanded" { "refused" } else { "expanded" };
    for (outcome, calls) in [(call.outcome.as_str(), 1), (other, 0)] {
        assert!(metrics.contains(&format!("guarded_calls_total{{outcome=\"{outcome}\"}} {calls}")), "{metrics}");
    }
    let stats = pair.send("GET", "/stats?hours=1", &[], b"").await.json();
    assert_eq!(stats["guarded_calls"][&call.outcome], 1);
    assert_eq!(stats["ledger"]["total"][format!("writes_{}", call.outcome)], 1);
    (call.tool.clone(), call.outcome.clone())
}
