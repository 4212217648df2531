//! A proxy between a client and a scripted provider.

use std::net::SocketAddr;
use std::time::Duration;

use headroom::{Engine, Mode, Policy, Receipt};
use headroom_proxy::{Config, Running, Upstreams, serve};
use headroom_store::{Scope, Store};
use headroom_testkit::http::{Answer, Reply, Upstream, send};
use serde_json::{Value, json};

/// Both, running.
pub(crate) struct Pair {
    pub(crate) upstream: Upstream,
    pub(crate) proxy: Running,
    pub(crate) engine: Engine,
}

/// A configuration for a provider at this address.
pub(crate) fn config(upstream: &Upstream) -> Config {
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.upstreams = Upstreams { anthropic: upstream.base(), openai: upstream.base(), gemini: upstream.base() };
    config.drain_timeout = Duration::from_secs(5);
    config
}

/// A proxy in front of a provider, with its settings changed.
pub(crate) async fn pair_with(upstream: Upstream, change: impl FnOnce(&mut Config)) -> Pair {
    pair_on(upstream, Store::memory(), change).await
}

/// A proxy on a store of the test's choice.
pub(crate) async fn pair_on(upstream: Upstream, store: Store, change: impl FnOnce(&mut Config)) -> Pair {
    pair_of(upstream, Engine::new(store), change).await
}

/// A proxy around an engine of the test's choice.
pub(crate) async fn pair_of(upstream: Upstream, engine: Engine, change: impl FnOnce(&mut Config)) -> Pair {
    let mut config = config(&upstream);
    change(&mut config);
    let proxy = serve(config, engine.clone()).await.unwrap();
    Pair { upstream, proxy, engine }
}

/// A proxy in front of a provider that gives these answers.
pub(crate) async fn pair(replies: Vec<Reply>) -> Pair {
    pair_with(Upstream::start(replies).await, |_| {}).await
}

impl Pair {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.proxy.addr()
    }

    /// Sends a JSON request.
    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// The body of the last request that reached the provider.
    pub(crate) fn last_sent(&self) -> String {
        self.upstream.received().last().map(|request| request.text()).unwrap_or_default()
    }

    /// The receipts, once `count` of them are filed.
    pub(crate) async fn receipts(&self, count: usize) -> Vec<Receipt> {
        for _ in 0..200 {
            let receipts = self.engine.receipts(&Scope::default(), 0).unwrap_or_default();
            if receipts.len() >= count {
                return receipts;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} receipts were not filed in four seconds");
    }

    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.addr(), method, target, headers, body).await
    }
}

/// A record of a tool: regular, long, and with one odd row.
pub(crate) fn rows(count: usize) -> String {
    let row = |n: usize| json!({"id": n, "name": format!("service-{n}"), "region": "eu-central-1", "state": if n == 77 { "FAILED: disk" } else { "running" }, "cpu": n * 37 % 100, "owner": format!("team-{}", n % 7)});
    Value::Array((0..count).map(row).collect()).to_string()
}

/// An agent's request, with instructions long enough that the retrieval tool is worth offering.
pub(crate) fn claude(messages: &Value, stream: bool) -> Value {
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "stream": stream,
        "system": "You are an operator. ".repeat(1500),
        "tools": [{"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
        "messages": messages,
    })
}

/// The first turns: a question, a call, and its long result.
pub(crate) fn opening(result: &str) -> Vec<Value> {
    vec![
        json!({"role": "user", "content": "Which service has failed?"}),
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "Bash", "input": {"command": "svc list --json"}}]}),
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": result}]}),
    ]
}

/// A conversation after so many calls, each with a long result of its own.
pub(crate) fn conversation(calls: usize) -> String {
    let mut messages = vec![json!({"role": "user", "content": "Which service has failed?"})];
    for n in 0..calls {
        let id = format!("toolu_{n}");
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {"command": format!("svc list --json --page {n}")}}]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": rows(300 + 10 * n)}]}));
    }
    claude(&json!(messages), false).to_string()
}

/// What stands in a body up to the end of its last message: a later turn must begin with it.
pub(crate) fn prefix(body: &str) -> &str {
    body.strip_suffix("]}").expect("messages come last")
}

/// The same for an OpenAI client.
pub(crate) fn gpt(result: &str, stream: bool) -> Value {
    json!({
        "model": "gpt-4o",
        "stream": stream,
        "tools": [{"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "You are an operator. ".repeat(1500)},
            {"role": "user", "content": "Which service has failed?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_a", "type": "function", "function": {"name": "Bash", "arguments": "{\"command\":\"svc list --json\"}"}}]},
            {"role": "tool", "tool_call_id": "call_a", "content": result},
        ],
    })
}

/// The first handle that a text names.
pub(crate) fn handle_in(text: &str) -> Option<String> {
    headroom_core::find_marks(text).map(|mark| mark.handle.to_string()).next()
}
