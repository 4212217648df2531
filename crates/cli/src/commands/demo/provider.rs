//! The provider's side: answers each request with the recorded message, as an event stream. On the last turn the model it plays
//! asks for a part of what was left out before it answers.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use headroom::{Handle, Tokenizer};
use headroom_core::find_marks;
use headroom_evals::Session;
use headroom_wire::{TOOL_NAME, parse};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::CliError;

/// What the model asked back, and got.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) handle: Handle,
    pub(super) trailer: String,
    pub(super) arguments: String,
    pub(super) answer: String,
}

pub(super) struct Provider {
    pub(super) addr: SocketAddr,
    script: Arc<Script>,
}

/// The recording and how far it has been played.
struct Script {
    dialect: headroom_wire::Dialect,
    /// Recorded assistant messages, in the order of the turns.
    replies: Vec<Value>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    played: usize,
    tokens: usize,
    asked: Option<Asked>,
}

pub(super) async fn start(session: &Session) -> Result<Provider, CliError> {
    let failed = "the demo's provider failed";
    let replies = session.turns().map(|turn| serde_json::from_str(session.message(turn)));
    let replies = replies.collect::<Result<_, _>>().map_err(CliError::while_doing(failed))?;
    let script = Arc::new(Script { dialect: session.dialect, replies, state: Mutex::default() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(CliError::while_doing(failed))?;
    let addr = listener.local_addr().map_err(CliError::while_doing(failed))?;
    let serving = Arc::clone(&script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = Arc::clone(&serving);
            let service = service_fn(move |request| answer(Arc::clone(&script), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(Provider { addr, script })
}

impl Provider {
    /// What was asked back, once it was answered.
    pub(super) fn asked(&self) -> Option<Asked> {
        self.script.state().asked.clone().filter(|asked| !asked.answer.is_empty())
    }

    /// Tokens of all texts that arrived, hidden rounds included.
    pub(super) fn tokens_received(&self) -> usize {
        self.script.state().tokens
    }

    /// Tokens that the same requests carry when they are sent directly.
    pub(super) fn count(&self, session: &Session, turns: &[usize]) -> usize {
        turns.iter().map(|turn| tokens_of(session.request(*turn).as_bytes())).sum()
    }
}

impl Script {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blocks to answer a request with.
    fn reply(&self, body: &[u8]) -> Vec<Value> {
        let mut state = self.state();
        state.tokens += tokens_of(body);
        let request = parse(self.dialect, body.to_vec());
        let last_turn = state.played + 1 >= self.replies.len();
        if last_turn && state.asked.is_none() {
            let found = request.slots().iter().rev().find_map(|slot| {
                let trailer = slot.text().lines().next_back()?;
                Some((find_marks(trailer).last()?.handle, trailer.to_owned()))
            });
            if let Some((handle, trailer)) = found {
                let input = json!({"content_id": handle.to_string(), "pattern": "\" 404 "});
                state.asked = Some(Asked { handle, trailer, arguments: input.to_string(), answer: String::new() });
                let call = json!({"type": "tool_use", "id": "toolu_demo_retrieve", "name": TOOL_NAME, "input": input});
                return vec![json!({"type": "text", "text": "Let me look at the failed ones. "}), call];
            }
        }
        if let Some(asked) = &mut state.asked {
            asked.answer = request.slots().last().map(|slot| slot.text().to_owned()).unwrap_or_default();
        }
        let reply = self.replies.get(state.played).and_then(|reply| reply.get("content")?.as_array().cloned());
        state.played += 1;
        reply.unwrap_or_default()
    }
}

/// Tokens of everything a body says to the model: the JSON text is close enough for both sides of a comparison.
fn tokens_of(body: &[u8]) -> usize {
    Tokenizer::O200k.count(&String::from_utf8_lossy(body))
}

async fn answer(
    script: Arc<Script>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut response = hyper::Response::new(Full::new(Bytes::from(events(&script.reply(&body)))));
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// A Messages event stream of these blocks.
fn events(blocks: &[Value]) -> String {
    let mut out = String::new();
    let mut event = |name: &str, mut data: Value| {
        data["type"] = name.into();
        out.push_str(&format!("event: {name}\ndata: {data}\n\n"));
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let message = json!({"id": "msg_demo", "type": "message", "role": "assistant", "model": "demo", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": usage});
    event("message_start", json!({"message": message}));
    for (index, block) in blocks.iter().enumerate() {
        let (start, delta) = match block["type"].as_str() {
            Some("tool_use") => {
                let mut start = block.clone();
                start["input"] = json!({});
                (start, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
            }
            _ => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": block["text"]})),
        };
        event("content_block_start", json!({"index": index, "content_block": start}));
        event("content_block_delta", json!({"index": index, "delta": delta}));
        event("content_block_stop", json!({"index": index}));
    }
    let calls = blocks.iter().any(|block| block["type"] == "tool_use");
    let stop_reason = if calls { "tool_use" } else { "end_turn" };
    event(
        "message_delta",
        json!({"delta": {"stop_reason": stop_reason, "stop_sequence": null}, "usage": {"output_tokens": 9}}),
    );
    event("message_stop", json!({}));
    out
}
