//! T102: whom the proxy talks to. A process of its own, so that every connection that leaves it is the proxy's or the test's.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, Upstreams, serve};
use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Reply, Upstream, send};

const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"canary-answer"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"cache_read_input_tokens":30,"output_tokens":5}}"#;

/// One test at a time: they share the process's sockets.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Watches this process's sockets as the kernel lists them, without a pause: a connection to another machine takes longer than a look.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<u16>>,
}

impl Watch {
    /// `listening` are the ports at which connections come in rather than go out.
    fn start(listening: Vec<u16>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                seen.extend(
                    remotes().into_iter().filter(|(local, _)| !listening.contains(local)).map(|(_, port)| port),
                );
            }
            seen
        });
        Self { stop, thread }
    }

    /// The ports that connections went out to.
    fn ports(self) -> BTreeSet<u16> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Local and remote port of every connected socket of this process; names are looked up with such sockets too.
fn remotes() -> Vec<(u16, u16)> {
    let own: BTreeSet<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(Path::new("/proc/self/net").join(table)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, remote) = (port(fields[1]), port(fields[2]));
            if remote != 0 && own.contains(fields[9]) {
                found.push((local, remote));
            }
        }
    }
    found
}

fn port_of(base: &str) -> u16 {
    base.rsplit(':').next().unwrap().parse().unwrap()
}

/// Requests of every sort, and what they went out to.
async fn outgoing(others: &[u16], change: impl FnOnce(&mut Config)) -> (BTreeSet<u16>, u16, u16) {
    let upstream = Upstream::answering(|_| Reply::json(200, ANSWER).after(Duration::from_millis(5))).await;
    let base = upstream.base();
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.upstreams = Upstreams { anthropic: base.clone(), openai: base.clone(), gemini: base.clone() };
    change(&mut config);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT).unwrap();
    let proxy = serve(config, Engine::new(store)).await.unwrap();
    let addr = proxy.addr();
    let watch = Watch::start([&[addr.port(), port_of(&base)], others].concat());
    let text = "canary-text ".repeat(4000);
    let body =
        format!(r#"{{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let key = [("x-api-key", "canary-key"), ("user-agent", "canary-agent")];
    for target in ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/compress"] {
        send(addr, "POST", target, &key, body.as_bytes()).await;
    }
    let google = format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}}]}}"#);
    send(addr, "POST", "/v1beta/models/gemini-2.5-pro:generateContent", &key, google.as_bytes()).await;
    for target in ["/v1/models", "/metrics", "/stats", "/readyz", "/livez"] {
        send(addr, "GET", target, &[], b"").await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.shutdown().await;
    (watch.ports(), addr.port(), port_of(&base))
}

/// T102
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_provider_is_talked_to() {
    let _alone = ALONE.lock().await;
    let (ports, proxy, upstream) = outgoing(&[], |_| {}).await;
    // The test's own connections to the proxy, and the proxy's to the provider: the watch does see what goes out.
    assert_eq!(ports, BTreeSet::from([proxy, upstream]));
}

/// T102: the same watch sees a collector, and what it is told holds no content and no key.
#[cfg(feature = "otlp")]
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_what_the_conventions_say_and_nothing_else() {
    let _alone = ALONE.lock().await;
    let collector = Upstream::answering(|_| Reply::json(200, "").after(Duration::from_millis(30))).await;
    let base = collector.base();
    let (ports, proxy, upstream) = outgoing(&[port_of(&base)], |config| {
        config.export = headroom_proxy::Export {
            traces: Some(format!("{base}/v1/traces")),
            metrics: Some(format!("{base}/v1/metrics")),
        };
    })
    .await;
    let known = BTreeSet::from([proxy, upstream, port_of(&base)]);
    assert!(ports.is_subset(&known) && ports.contains(&upstream), "{ports:?} of {known:?}");
    let received = collector.received();
    let told = |path: &str| {
        let batches = received.iter().filter(|batch| batch.target == path);
        batches.map(|batch| String::from_utf8_lossy(&batch.body).into_owned()).collect::<String>()
    };
    let (spans, figures) = (told("/v1/traces"), told("/v1/metrics"));
    for word in [
        "service.name",
        "headroom",
        "chat claude-sonnet-4-5",
        "gen_ai.operation.name",
        "generate_content",
        "gen_ai.provider.name",
        "anthropic",
        "gcp.gemini",
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "headroom.request.id",
    ] {
        assert!(spans.contains(word), "{word} is missing in {spans}");
    }
    for word in [
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.duration",
        "gen_ai.token.type",
        "{token}",
        "gemini-2.5-pro",
    ] {
        assert!(figures.contains(word), "{word} is missing in {figures}");
    }
    assert!(received.iter().all(|batch| batch.header("content-type") == Some("application/x-protobuf")));
    assert!(!spans.contains("canary") && !figures.contains("canary"));
}
