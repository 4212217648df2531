//! Gemini through the proxy.

use std::sync::Mutex;

use headroom_testkit::http::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{handle_in, pair, pair_with, rows};

const TOOL: &str = headroom_wire::TOOL_NAME;
const PATH: &str = "/v1beta/models/gemini-3-pro-preview";

fn request(contents: &[Value]) -> String {
    json!({
        "systemInstruction": {"parts": [{"text": "You are an operator. ".repeat(1500)}]},
        "tools": [{"functionDeclarations": [{"name": "shell", "parameters": {"type": "object"}}]}],
        "contents": contents,
    })
    .to_string()
}

fn opening(result: &str) -> Vec<Value> {
    vec![
        json!({"role": "user", "parts": [{"text": "Which service has failed?"}]}),
        json!({"role": "model", "parts": [{"functionCall": {"name": "shell", "args": {"command": "svc list"}}, "thoughtSignature": "Ep+/="}]}),
        json!({"role": "user", "parts": [{"functionResponse": {"name": "shell", "response": {"output": result}}}]}),
    ]
}

fn answer(part: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}})
}

/// The first chunk of a stream.
fn answer_so_far() -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "Well. "}]}, "index": 0}]})
}

fn ask(handle: &str) -> Value {
    json!({"functionCall": {"name": TOOL, "args": {"content_id": handle, "pattern": "service-123"}}, "thoughtSignature": "Eq+/="})
}

fn event(answer: &Value) -> String {
    format!("data: {answer}\r\n\r\n")
}

/// How an answer comes.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Events,
    Array,
    Whole,
}

/// T041, streamed as events, as an array and not at all, and again in the next request.
#[tokio::test]
async fn a_retrieval_is_answered_inside_the_clients_answer() {
    for form in [Form::Events, Form::Array, Form::Whole] {
        let count = Mutex::new(0);
        let script = move |received: &Received| {
            let mut count = count.lock().unwrap();
            *count += 1;
            let said = match *count {
                1 => answer(&ask(&handle_in(&received.text()).unwrap_or_default())),
                _ => answer(&json!({"text": "It runs."})),
            };
            match form {
                Form::Events => Reply::sse(&event(&said)),
                Form::Array => Reply::json(200, format!("[{}\n,\r\n{said}\n]\n", answer_so_far())),
                Form::Whole => Reply::json(200, said.to_string()),
            }
        };
        let pair = pair_with(Upstream::answering(script).await, |_| {}).await;
        let target = match form {
            Form::Events => format!("{PATH}:streamGenerateContent?alt=sse"),
            Form::Array => format!("{PATH}:streamGenerateContent"),
            Form::Whole => format!("{PATH}:generateContent"),
        };
        let mut contents = opening(&rows(400));
        let got = pair.post(&target, &request(&contents)).await;
        let seen = got.text();
        assert!(got.complete && seen.contains("It runs.") && !seen.contains(TOOL), "{seen}");
        assert_eq!((seen.matches("STOP").count(), seen.matches("\"candidatesTokenCount\":8").count()), (1, 1));
        if form == Form::Array {
            let said: Vec<Value> = serde_json::from_str(&seen).unwrap();
            assert_eq!(said.len(), 4, "{seen}");
        }
        let received = pair.upstream.received();
        assert_eq!((received.len(), received[1].target.as_str()), (2, target.as_str()));
        assert!(received[0].body.len() < request(&contents).len() / 2 + 20_000);
        let continued: Value = serde_json::from_slice(&received[1].body).unwrap();
        assert_eq!(continued["contents"][1], contents[1], "what is signed stays as it was");
        let call = continued["contents"][3]["parts"].as_array().unwrap().last().unwrap();
        assert_eq!(call["thoughtSignature"], "Eq+/=");
        let result = &continued["contents"][4]["parts"][0]["functionResponse"]["response"]["output"];
        assert!(result.as_str().unwrap().contains("service-123"), "{result}");
        let said = if form == Form::Array { "Well. Well. It runs." } else { "It runs." };
        contents.push(json!({"role": "model", "parts": [{"text": said}]}));
        contents.push(json!({"role": "user", "parts": [{"text": "thanks"}]}));
        pair.post(&target, &request(&contents)).await;
        let later: Value = serde_json::from_str(&pair.last_sent()).unwrap();
        assert_eq!(later["contents"].as_array().unwrap()[..3], continued["contents"].as_array().unwrap()[..3]);
        // What the model said beside its call stands in what the client kept.
        assert_eq!(later["contents"][3]["parts"], json!([call]));
        assert_eq!(later["contents"][4], continued["contents"][4]);
        assert_eq!(later["contents"].as_array().unwrap()[5..], contents[3..]);
        let receipt = &pair.receipts(1).await[0];
        assert_eq!((receipt.dialect.as_str(), receipt.model.as_str()), ("gemini", "gemini-3-pro-preview"));
        assert_eq!((receipt.retrievals, receipt.usage.unwrap().output_tokens), (1, 8));
    }
}

/// T050: everything of Google's goes to Google, and what cannot be followed is passed on as it comes.
#[tokio::test]
async fn other_requests_are_tunnelled_to_the_same_provider() {
    let elsewhere = Upstream::start(vec![]).await;
    let base = elsewhere.base();
    let echo = |received: &Received| Reply::json(200, received.text());
    let pair = pair_with(Upstream::answering(echo).await, |config| config.upstreams.openai = base).await;
    let body = request(&opening(&rows(400)));
    for (target, headers) in [
        (format!("{PATH}:countTokens"), vec![]),
        ("/v1beta/cachedContents?key=k".to_owned(), vec![]),
        ("/upload/v1beta/files".to_owned(), vec![("x-goog-api-key", "k")]),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m:countTokens".to_owned(), vec![]),
    ] {
        let got = pair.send("POST", &target, &headers, body.as_bytes()).await;
        assert_eq!((got.status, got.text().as_str()), (200, body.as_str()), "{target}");
        assert_eq!(pair.upstream.received().last().unwrap().target, target);
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn vertex_paths_are_read_and_a_bypass_passes_byte_for_byte() {
    let plain = answer(&json!({"text": "x"})).to_string();
    let pair = pair(vec![Reply::json(200, plain.clone()), Reply::json(200, plain)]).await;
    let target = "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:generateContent";
    let body = request(&opening(&rows(400)));
    pair.post(target, &body).await;
    assert!(handle_in(&pair.last_sent()).is_some() && pair.last_sent().len() < body.len());
    pair.send("POST", target, &[("x-headroom-bypass", "1")], body.as_bytes()).await;
    assert_eq!(pair.last_sent(), body);
}
