//! OpenAI Responses through the proxy, as Codex and the SDKs send them.

use std::sync::Mutex;

use headroom_testkit::http::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, handle_in, pair, pair_with, rows};

const TOOL: &str = headroom_wire::TOOL_NAME;

/// A request with instructions long enough that the retrieval tool is worth offering.
fn request(input: &Value, extra: &Value) -> String {
    let mut body = json!({
        "model": "gpt-5",
        "instructions": "You are an operator. ".repeat(1500),
        "tools": [{"type": "function", "name": "shell", "parameters": {"type": "object"}}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body["input"] = input.clone();
    body.to_string()
}

fn opening(result: &str) -> Vec<Value> {
    vec![
        json!({"role": "user", "content": [{"type": "input_text", "text": "Which service has failed?"}]}),
        json!({"type": "reasoning", "summary": [], "encrypted_content": "gAAA+/="}),
        json!({"type": "function_call", "call_id": "call_a", "name": "shell", "arguments": "{\"command\":[\"svc\",\"list\"]}"}),
        json!({"type": "function_call_output", "call_id": "call_a", "output": result}),
    ]
}

fn words(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn call(id: &str, name: &str, arguments: &Value) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments.to_string(), "status": "completed"})
}

fn ask(handle: &str) -> Value {
    call("call_r", TOOL, &json!({"content_id": handle, "pattern": "service-123"}))
}

fn response(id: &str, items: &[Value]) -> Value {
    json!({"id": id, "object": "response", "status": "completed", "store": true, "output": items,
        "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}})
}

fn streamed(id: &str, items: &[Value]) -> Reply {
    let mut events =
        vec![json!({"type": "response.created", "response": {"id": id, "status": "in_progress", "output": []}})];
    for (index, item) in items.iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": response(id, items)}));
    let text = |(number, mut event): (usize, Value)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    };
    Reply::sse(&events.into_iter().enumerate().map(text).collect::<String>())
}

/// A provider that first asks for the handle that it is shown, then gives the other answers.
async fn provider(first: impl Fn(&str) -> Reply + Send + Sync + 'static, then: Vec<Reply>) -> Pair {
    let then = Mutex::new(then.into_iter());
    let asked = Mutex::new(false);
    let script = move |received: &Received| {
        if !std::mem::replace(&mut *asked.lock().unwrap(), true) {
            return first(&handle_in(&received.text()).unwrap_or_default());
        }
        then.lock().unwrap().next().unwrap_or_else(|| Reply::json(599, "no reply is left"))
    };
    pair_with(Upstream::answering(script).await, |_| {}).await
}

/// T041
#[tokio::test]
async fn a_retrieval_alone_is_answered_inside_the_clients_stream() {
    let pair = provider(
        |handle| streamed("resp_1", &[words("Looking. "), ask(handle)]),
        vec![streamed("resp_2", &[words("It runs.")]), Reply::json(200, "{}"), Reply::json(200, "{}")],
    )
    .await;
    let extra = json!({"stream": true, "store": true});
    let mut items = opening(&rows(400));
    let answer = pair.post("/v1/responses", &request(&json!(items), &extra)).await;
    let seen = answer.text();
    assert!(answer.complete && !seen.contains("call_r") && !seen.contains(TOOL), "{seen}");
    assert_eq!(
        (seen.matches("event: response.created").count(), seen.matches("event: response.completed").count()),
        (1, 1)
    );
    let last: Value = serde_json::from_str(seen.rsplit("data: ").next().unwrap()).unwrap();
    assert_eq!((&last["response"]["id"], &last["response"]["usage"]["output_tokens"]), (&json!("resp_1"), &json!(8)));
    assert_eq!(last["response"]["output"], json!([words("Looking. "), words("It runs.")]));
    let received = pair.upstream.received();
    let continued: Value = serde_json::from_slice(&received[1].body).unwrap();
    assert!(
        received[1].text().starts_with(received[0].text().strip_suffix("]}").unwrap()),
        "the continuation keeps the prefix"
    );
    let result = continued["input"].as_array().unwrap().last().unwrap();
    assert!(result["output"].as_str().unwrap().contains("service-123"), "{result}");

    items.extend([words("Looking. "), words("It runs."), json!({"role": "user", "content": "thanks"})]);
    pair.post("/v1/responses", &request(&json!(items), &extra)).await;
    items.extend([words("You are welcome."), json!({"role": "user", "content": "bye"})]);
    pair.post("/v1/responses", &request(&json!(items), &extra)).await;
    let received = pair.upstream.received();
    let second: Value = serde_json::from_slice(&received[2].body).unwrap();
    assert_eq!(second["input"][6], *result, "the result is back");
    assert_eq!(second["input"][5]["name"], TOOL);
    assert!(received[3].text().starts_with(received[2].text().strip_suffix("]}").unwrap()));
    let receipts = pair.receipts(1).await;
    assert_eq!((receipts[0].retrievals, receipts[0].usage.unwrap().output_tokens), (1, 8));
    assert_eq!(receipts[0].dialect, "openai-responses");
}

/// The provider holds the history: the client names the last response, ours lives there too.
#[tokio::test]
async fn a_history_at_the_provider_has_the_exchange_in_it() {
    let pair = provider(
        |handle| Reply::json(200, response("resp_1", &[ask(handle)]).to_string()),
        vec![
            Reply::json(
                200,
                response("resp_2", &[ask("hr_0000000000"), call("call_b", "shell", &json!({}))]).to_string(),
            ),
            Reply::json(200, response("resp_3", &[words("Done.")]).to_string()),
            Reply::json(200, response("resp_4", &[words("Bye.")]).to_string()),
        ],
    )
    .await;
    let held = |previous: &str| json!({"previous_response_id": previous});
    let results = json!([{"type": "function_call_output", "call_id": "call_a", "output": rows(400)}]);
    let shown = pair.post("/v1/responses", &request(&results, &held("resp_0"))).await.json();
    assert_eq!(
        (&shown["id"], &shown["output"].as_array().unwrap().len(), &shown["output"][0]["call_id"]),
        (&json!("resp_2"), &1, &json!("call_b"))
    );
    let sent = |at: usize| -> Value { serde_json::from_slice(&pair.upstream.received()[at].body).unwrap() };
    assert_eq!(
        (&sent(0)["previous_response_id"], &sent(1)["previous_response_id"]),
        (&json!("resp_0"), &json!("resp_1"))
    );
    assert_eq!((sent(1)["input"].as_array().unwrap().len(), &sent(1)["input"][0]["call_id"]), (1, &json!("call_r")));
    assert_eq!(sent(1)["tools"], sent(0)["tools"]);
    // The client answers its own call. Ours, pending at the provider, is answered in front of it, even when there is no text in sight.
    let image = json!([{"type": "function_call_output", "call_id": "call_b", "output": [{"type": "input_image", "image_url": "x"}]}]);
    pair.post("/v1/responses", &request(&image, &held("resp_2"))).await;
    assert_eq!((&sent(2)["input"][0]["call_id"], &sent(2)["input"][1]), (&json!("call_r"), &image[0]));
    assert_eq!(sent(2)["previous_response_id"], "resp_2");
    // The tool stays on offer, whatever the size of what a request brings.
    pair.post("/v1/responses", &request(&json!("thanks"), &held("resp_3"))).await;
    assert_eq!((&sent(3)["tools"], &sent(3)["input"]), (&sent(0)["tools"], &json!("thanks")));
}

/// T047: Codex packs its bodies, and sends them to paths of its own.
#[tokio::test]
async fn codex_requests_are_read() {
    for path in ["/responses", "/v1/responses", "/backend-api/codex/responses"] {
        let pair = pair(vec![streamed("resp_1", &[words("Fine.")])]).await;
        let body = request(&json!(opening(&rows(400))), &json!({"stream": true, "store": false}));
        let packed = zstd::encode_all(body.as_bytes(), 1).unwrap();
        let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
        let answer = pair.send("POST", path, &headers, &packed).await;
        assert!(answer.status == 200 && answer.text().contains("Fine."));
        let received = &pair.upstream.received()[0];
        assert_eq!((received.target.as_str(), received.header("content-encoding")), (path, None));
        let sent: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(sent["input"][1], json!({"type": "reasoning", "summary": [], "encrypted_content": "gAAA+/="}));
        assert!(
            sent["input"][3]["output"].as_str().unwrap().len() < rows(400).len() / 2
                && handle_in(&received.text()).is_some()
        );
    }
}

#[tokio::test]
async fn what_is_not_a_new_response_is_tunnelled() {
    let pair = pair(vec![Reply::json(200, "1"), Reply::json(200, "2")]).await;
    assert_eq!(pair.send("GET", "/v1/responses/resp_1?stream=true", &[], b"").await.text(), "1");
    assert_eq!(pair.post("/v1/responses/compact", &request(&json!(opening(&rows(400))), &json!({}))).await.text(), "2");
    assert_eq!(pair.last_sent(), request(&json!(opening(&rows(400))), &json!({})));
    assert_eq!(pair.upstream.received().len(), 2);
}

/// Invariant 7
#[tokio::test]
async fn a_bypass_passes_byte_for_byte() {
    let pair = pair(vec![Reply::json(200, response("resp_1", &[words("x")]).to_string())]).await;
    let body = request(&json!(opening(&rows(400))), &json!({}));
    pair.send("POST", "/v1/responses", &[("x-headroom-bypass", "1")], body.as_bytes()).await;
    assert_eq!(pair.last_sent(), body);
}

/// What only a connection keeps is no body: it passes as it came.
#[tokio::test]
async fn an_event_that_comes_as_a_body_is_not_read() {
    let pair = pair(vec![Reply::json(200, response("resp_1", &[words("x")]).to_string())]).await;
    let body = request(&json!(opening(&rows(400))), &json!({"type": "response.create", "store": false}));
    pair.post("/v1/responses", &body).await;
    assert_eq!(pair.last_sent(), body);
    assert_eq!(pair.receipts(1).await[0].unread, "not-understood");
}
