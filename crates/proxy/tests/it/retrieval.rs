//! The model asks for what was left out, and the client never notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, claude, gpt, handle_in, opening, pair_on, pair_with, rows};

const TOOL: &str = headroom_wire::TOOL_NAME;

fn claude_stream(blocks: &[Value], stop_reason: &str) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg", "role": "assistant", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}),
    ];
    for (index, block) in blocks.iter().enumerate() {
        let mut begun = block.clone();
        let delta = match block["type"].as_str().unwrap() {
            "text" => {
                begun["text"] = json!("");
                json!({"type": "text_delta", "text": block["text"]})
            }
            _ => {
                begun["input"] = json!({});
                json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})
            }
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events
        .push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 10}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

fn ask(handle: &str) -> Value {
    json!({"type": "tool_use", "id": "toolu_r", "name": TOOL, "input": {"content_id": handle, "pattern": "service-123"}})
}

/// An answer made of the handle that its request names.
type Scripted = Box<dyn Fn(&str) -> Reply + Send + Sync>;

/// A provider whose n-th answer may ask for the handle that its n-th request names.
async fn provider(replies: Vec<Scripted>) -> Pair {
    let replies = Mutex::new(replies.into_iter());
    let script = move |received: &Received| {
        let next = replies.lock().unwrap().next();
        let handle = handle_in(&received.text()).unwrap_or_default();
        next.map_or_else(|| Reply::json(599, "no reply is left"), |reply| reply(&handle))
    };
    pair_with(Upstream::answering(script).await, |_| {}).await
}

/// T041: alone, mid-stream, after text; and again in the next request.
#[tokio::test]
async fn a_retrieval_alone_is_answered_inside_the_clients_stream() {
    let pair = provider(vec![
        Box::new(|handle| {
            Reply::sse(&claude_stream(&[json!({"type": "text", "text": "Looking. "}), ask(handle)], "tool_use"))
        }),
        Box::new(|_| Reply::sse(&claude_stream(&[json!({"type": "text", "text": "It runs."})], "end_turn"))),
        Box::new(|_| Reply::json(200, "{}")),
        Box::new(|_| Reply::json(200, "{}")),
    ])
    .await;
    let mut messages = opening(&rows(400));
    let answer = pair.post("/v1/messages", &claude(&json!(messages), true).to_string()).await;
    let seen = answer.text();
    assert!(
        answer.complete && seen.contains("Looking. ") && seen.contains("It runs.") && !seen.contains(TOOL),
        "{seen}"
    );
    assert_eq!((seen.matches("message_start").count(), seen.matches("event: message_stop").count()), (2, 1));
    assert!(seen.contains("\"index\":1") && seen.contains("\"output_tokens\":20") && seen.contains("end_turn"));

    let received = pair.upstream.received();
    let continued: Value = serde_json::from_slice(&received[1].body).unwrap();
    assert!(
        received[1].text().starts_with(received[0].text().strip_suffix("]}").unwrap()),
        "the continuation keeps the prefix"
    );
    let result = &continued["messages"][4]["content"][0];
    assert_eq!((result["type"].as_str(), result["tool_use_id"].as_str()), (Some("tool_result"), Some("toolu_r")));
    assert!(result["content"].as_str().unwrap().contains("service-123"), "{result}");

    messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": "Looking. "}, {"type": "text", "text": "It runs."}]}));
    messages.push(json!({"role": "user", "content": "thanks"}));
    pair.post("/v1/messages", &claude(&json!(messages), false).to_string()).await;
    messages.push(json!({"role": "assistant", "content": "You are welcome."}));
    messages.push(json!({"role": "user", "content": "bye"}));
    pair.post("/v1/messages", &claude(&json!(messages), false).to_string()).await;
    let received = pair.upstream.received();
    let second: Value = serde_json::from_slice(&received[2].body).unwrap();
    assert_eq!(second["messages"][3]["content"][1], continued["messages"][3]["content"][1], "the call is back");
    assert_eq!(second["messages"][4], continued["messages"][4], "and its result");
    assert_eq!(second["messages"][5]["content"], json!([{"type": "text", "text": "It runs."}]));
    let shorter = received[2].text();
    let prefix = shorter.strip_suffix("]}").unwrap();
    assert!(
        prefix.len() > 1000 && received[3].text().starts_with(&prefix.replace("\"stream\":true", "\"stream\":false"))
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let receipts = pair.engine.receipts(&headroom_store::Scope::default(), 0).unwrap();
    assert_eq!((receipts[0].retrievals, receipts[0].retrieval_misses), (1, 0));
    assert_eq!(receipts[0].usage.unwrap().output_tokens, 20);
    // The first round was the client's; only the one that went on is charged to us.
    let rounds = receipts[0].retrieval_usage;
    assert_eq!((rounds.input_tokens, rounds.output_tokens), (5, 10));
}

/// T042
#[tokio::test]
async fn in_a_mixed_turn_ours_is_answered_inside_the_next_request() {
    let bash = json!({"type": "tool_use", "id": "toolu_b", "name": "Bash", "input": {"command": "df"}});
    let theirs = bash.clone();
    let pair = provider(vec![
        Box::new(move |handle| Reply::sse(&claude_stream(&[ask(handle), theirs.clone()], "tool_use"))),
        Box::new(|_| Reply::json(200, "{}")),
    ])
    .await;
    let mut messages = opening(&rows(400));
    let seen = pair.post("/v1/messages", &claude(&json!(messages), true).to_string()).await.text();
    assert!(seen.contains("toolu_b") && !seen.contains(TOOL) && seen.contains("\"stop_reason\":\"tool_use\""));
    messages.push(json!({"role": "assistant", "content": [bash]}));
    messages.push(
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_b", "content": "full"}]}),
    );
    pair.post("/v1/messages", &claude(&json!(messages), false).to_string()).await;
    let received = pair.upstream.received();
    assert_eq!(received.len(), 2, "nothing was fetched in between");
    let next: Value = serde_json::from_slice(&received[1].body).unwrap();
    let ids = |message: usize, key: &str| -> Vec<String> {
        next["messages"][message]["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block[key].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(3, "id"), ["toolu_r", "toolu_b"]);
    assert_eq!(ids(4, "tool_use_id"), ["toolu_r", "toolu_b"]);
}

#[tokio::test]
async fn a_json_answer_is_merged() {
    let body = |content: Value, stop: &str| {
        json!({"id": "m", "content": content, "stop_reason": stop, "usage": {"input_tokens": 5, "output_tokens": 10}})
            .to_string()
    };
    let pair = provider(vec![
        Box::new(move |handle| {
            Reply::json(200, body(json!([{"type": "text", "text": "One."}, ask(handle)]), "tool_use"))
        }),
        Box::new(move |_| Reply::json(200, body(json!([{"type": "text", "text": "Two."}]), "end_turn"))),
    ])
    .await;
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), false).to_string()).await;
    let shown = answer.json();
    assert_eq!(shown["content"], json!([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]));
    assert_eq!((&shown["stop_reason"], &shown["usage"]["output_tokens"]), (&json!("end_turn"), &json!(20)));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
}

/// T043
#[tokio::test]
async fn a_misspelt_handle_is_a_final_instructive_miss() {
    let pair = provider(vec![
        Box::new(|_| Reply::sse(&claude_stream(&[ask("hr_nonsense")], "tool_use"))),
        Box::new(|_| Reply::sse(&claude_stream(&[json!({"type": "text", "text": "Then not."})], "end_turn"))),
    ])
    .await;
    let seen = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), true).to_string()).await.text();
    assert!(seen.contains("Then not."));
    let continued: Value = serde_json::from_slice(&pair.upstream.received()[1].body).unwrap();
    let result = &continued["messages"][4]["content"][0];
    assert_eq!(result["is_error"], true);
    assert!(result["content"].as_str().unwrap().contains("not a handle"), "{result}");
}

#[tokio::test]
async fn a_continuation_that_fails_is_an_error_in_the_stream() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    let pair = provider(vec![
        Box::new(|handle| Reply::sse(&claude_stream(&[ask(handle)], "tool_use"))),
        Box::new(move |_| Reply::json(529, overloaded)),
    ])
    .await;
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), true).to_string()).await;
    assert!(answer.complete && answer.text().ends_with(&format!("event: error\ndata: {overloaded}\n\n")));
    // Without a stream, the client gets the refusal itself and can try again.
    let body = |content: Value| json!({"content": content, "stop_reason": "tool_use", "usage": {}}).to_string();
    let pair = provider(vec![
        Box::new(move |handle| Reply::json(200, body(json!([ask(handle)])))),
        Box::new(move |_| Reply::json(529, overloaded).with("retry-after", "3")),
    ])
    .await;
    let answer = pair.post("/v1/messages", &claude(&json!(opening(&rows(400))), false).to_string()).await;
    assert_eq!((answer.status, answer.text().as_str(), answer.header("retry-after")), (529, overloaded, Some("3")));
}

/// T041 for an OpenAI client.
#[tokio::test]
async fn an_openai_stream_is_spliced_the_same_way() {
    let chunk = |delta: Value, finish: Value| {
        format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let done = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}}\n\ndata: [DONE]\n\n";
    let pair = provider(vec![
        Box::new(move |handle| {
            let arguments = json!({"content_id": handle, "pattern": "service-123"}).to_string();
            let call = json!({"tool_calls": [{"index": 0, "id": "call_r", "type": "function", "function": {"name": TOOL, "arguments": arguments}}]});
            Reply::sse(&(chunk(json!({"role": "assistant", "content": "Looking. "}), Value::Null) + &chunk(call, Value::Null) + &chunk(json!({}), json!("tool_calls")) + done))
        }),
        Box::new(move |_| Reply::sse(&(chunk(json!({"role": "assistant", "content": "It runs."}), Value::Null) + &chunk(json!({}), json!("stop")) + done))),
        Box::new(|_| Reply::json(200, "{}")),
    ])
    .await;
    let request = gpt(&rows(400), true);
    let seen = pair.post("/v1/chat/completions", &request.to_string()).await.text();
    assert!(seen.contains("Looking. ") && seen.contains("It runs.") && !seen.contains(TOOL), "{seen}");
    assert_eq!(
        (
            seen.matches("[DONE]").count(),
            seen.matches("\"stop\"").count(),
            seen.matches("\"completion_tokens\":8").count()
        ),
        (1, 1, 1)
    );
    let continued: Value = serde_json::from_slice(&pair.upstream.received()[1].body).unwrap();
    assert_eq!(continued["messages"][4]["tool_calls"][0]["id"], "call_r");
    assert!(continued["messages"][5]["content"].as_str().unwrap().contains("service-123"));
    let mut next = request.clone();
    next["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": "Looking. It runs."}),
        json!({"role": "user", "content": "thanks"}),
    ]);
    pair.post("/v1/chat/completions", &next.to_string()).await;
    let later: Value = serde_json::from_slice(&pair.upstream.received()[2].body).unwrap();
    assert_eq!(later["messages"][4], continued["messages"][4]);
    assert_eq!(later["messages"][5], continued["messages"][5]);
    assert_eq!(later["messages"][6]["content"], "It runs.");
}

/// An OpenAI answer whose calls are numbered from zero: ours, then the client's.
fn numbered(handle: &str, path: &str) -> Reply {
    let call = |index: usize, name: &str, arguments: Value| json!({"id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
    let calls = [
        call(0, TOOL, json!({"content_id": handle, "json_path": path})),
        call(1, "Bash", json!({"command": "uptime"})),
    ];
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    Reply::json(200, json!({"id": "c", "choices": [choice], "usage": {}}).to_string())
}

/// Servers that number calls from zero give two conversations the same identifiers: each gets its own exchange back, from memory and
/// after a restart.
#[tokio::test]
async fn conversations_with_equal_call_ids_keep_their_own_exchanges() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT).unwrap();
    let upstream = || {
        Upstream::answering(|received| {
            let text = received.text();
            let asked = text.contains("\"call_1\"");
            let path = if text.contains("You are the first") { "$[111].name" } else { "$[222].name" };
            if asked { Reply::json(200, "{}") } else { numbered(&handle_in(&text).unwrap_or_default(), path) }
        })
    };
    let request = |who: &str| {
        let mut request = gpt(&rows(400), false);
        request["messages"][0]["content"] = json!(format!("You are the {who}. {}", "Be careful. ".repeat(3000)));
        request
    };
    let later = |who: &str| {
        let mut next = request(who);
        next["messages"].as_array_mut().unwrap().extend([
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": "{\"command\":\"uptime\"}"}}]}),
            json!({"role": "tool", "tool_call_id": "call_1", "content": "up 3 days"}),
        ]);
        next.to_string()
    };
    let mut sent: Vec<Vec<String>> = Vec::new();
    for restarted in [false, true] {
        let pair = pair_on(upstream().await, open(), |_| {}).await;
        if !restarted {
            for who in ["first", "second"] {
                let seen = pair.post("/v1/chat/completions", &request(who).to_string()).await.text();
                assert!(seen.contains("call_1") && !seen.contains("call_0"), "{seen}");
            }
        }
        let mut bodies = Vec::new();
        for (who, own, other) in [("first", "service-111", "service-222"), ("second", "service-222", "service-111")] {
            pair.post("/v1/chat/completions", &later(who)).await;
            let body: Value = serde_json::from_str(&pair.last_sent()).unwrap();
            let calls = &body["messages"][4]["tool_calls"];
            assert_eq!((&calls[0]["id"], &calls[1]["id"]), (&json!("call_0"), &json!("call_1")), "{who}, {restarted}");
            let result = body["messages"][5]["content"].as_str().unwrap();
            assert!(result.contains(own) && !result.contains(other), "{who}: {result}");
            bodies.push(pair.last_sent());
        }
        sent.push(bodies);
        pair.proxy.shutdown().await;
    }
    assert!(sent[0] == sent[1], "a restart moved bytes");
}

/// A store that is locked while the model looks something up does not hold up the end of its answer, and the next request has the
/// exchange all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_does_not_hold_up_the_end_of_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open_sqlite(&path, &SqliteOptions::DEFAULT).unwrap();
    let other = Arc::new(Mutex::new(rusqlite::Connection::open(&path).unwrap()));
    let (locker, turn) = (Arc::clone(&other), Mutex::new(0));
    let upstream = Upstream::answering(move |received| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        match *turn {
            1 => Reply::sse(&claude_stream(&[ask(&handle_in(&received.text()).unwrap())], "tool_use")),
            2 => {
                locker.lock().unwrap().execute_batch("BEGIN EXCLUSIVE").unwrap();
                Reply::sse(&claude_stream(&[json!({"type": "text", "text": "It runs."})], "end_turn"))
            }
            _ => Reply::json(200, "{}"),
        }
    })
    .await;
    let pair = pair_on(upstream, store, |_| {}).await;
    let mut messages = opening(&rows(400));
    let answer = pair.post("/v1/messages", &claude(&json!(messages), true).to_string()).await;
    assert!(answer.complete && answer.text().contains("It runs."));
    let begun = pair.upstream.written().last().copied().unwrap();
    let held = answer.arrivals.last().unwrap().0.saturating_duration_since(begun);
    assert!(
        held < Duration::from_millis(1000),
        "held up for {held:?}, with a lock that takes two seconds to give up on"
    );
    messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": "It runs."}]}));
    messages.push(json!({"role": "user", "content": "thanks"}));
    pair.post("/v1/messages", &claude(&json!(messages), false).to_string()).await;
    let next: Value = serde_json::from_str(&pair.last_sent()).unwrap();
    assert_eq!(next["messages"][3]["content"][0]["name"], TOOL, "the exchange is back");
    other.lock().unwrap().execute_batch("ROLLBACK").unwrap();
}
