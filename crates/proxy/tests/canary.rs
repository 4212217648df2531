//! T100: what opens doors is nowhere to be read: not in the log, not in the store, not in figures, not in errors.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, Token, Upstreams, serve};
use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Reply, Upstream, send};

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn keys_are_nowhere_to_be_read() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("trace,hyper=info,hyper_util=info,reqwest=info")
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::answering(|_| Reply::json(400, r#"{"error":{"message":"no"}}"#)).await;
    let base = upstream.base();
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    // Nobody listens where Gemini should be: that fails too.
    config.upstreams = Upstreams { anthropic: base.clone(), openai: base, gemini: "http://127.0.0.1:1".to_owned() };
    config.token = Some(Token::new("canary-token"));
    let store = Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT).unwrap();
    let proxy = serve(config, Engine::new(store)).await.unwrap();
    let rows: Vec<String> = (0..400).map(|n| format!(r#"{{\"id\":{n},\"state\":\"up\"}}"#)).collect();
    let system = "Be careful. ".repeat(3000);
    let body = format!(
        r#"{{"model":"claude-sonnet-4-5","system":"{system}","tools":[{{"name":"Bash"}}],"messages":[{{"role":"user","content":"q"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"Bash","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":"[{}]"}}]}}]}}"#,
        rows.join(",")
    );
    let secrets = [
        ("x-headroom-token", "canary-token"),
        ("x-api-key", "canary-key"),
        ("authorization", "Bearer canary-bearer"),
        ("cookie", "session=canary-cookie"),
        ("x-goog-api-key", "canary-goog"),
    ];
    let mut shown = String::new();
    for (method, target, body) in [
        ("POST", "/v1/messages", body.as_str()),
        ("POST", "/v1/messages", "{broken"),
        ("POST", "/v1beta/models/g:generateContent?key=canary-query", r#"{"contents":[]}"#),
        ("GET", "/v1/models", ""),
        ("GET", "/v1/why/hrq_0_0_0", ""),
        ("GET", "/v1/retrieve/nonsense", ""),
        ("GET", "/metrics", ""),
        ("GET", "/stats?hours=1", ""),
        ("GET", "/readyz", ""),
    ] {
        let answer = send(proxy.addr(), method, target, &secrets, body.as_bytes()).await;
        shown.push_str(
            &format!("{method} {target} {}\n{}\n", answer.status, answer.text()).replace("key=canary-query", ""),
        );
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.shutdown().await;
    assert!(upstream.received().len() >= 3 && log.text().contains("refused"), "{}", log.text());
    let stored: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .flat_map(|file| std::fs::read(file.path()).unwrap())
        .collect();
    assert!(stored.len() > 1000);
    for (place, text) in
        [("log", log.text()), ("answers", shown), ("store", String::from_utf8_lossy(&stored).into_owned())]
    {
        assert!(!text.contains("canary"), "in the {place}: {text}");
    }
}
