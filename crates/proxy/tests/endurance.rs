//! Many requests while things fail, and a long time under load. A process of its own, so that its memory is the proxy's, the client's and the
//! provider's here, and nobody else's.
//!
//! Short by default. For the long runs, on a quiet machine:
//!
//! ```text
//! HEADROOM_REQUESTS=1000000 HEADROOM_SOAK_SECONDS=600 cargo test --release -p headroom-proxy --test endurance -- --nocapture
//! ```
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headroom::{Engine, Kinds, Mode, Policy};
use headroom_compress::{Outcome, compress};
use headroom_core::{Goal, Segment};
use headroom_proxy::{Config, Running, Upstreams, serve};
use headroom_store::{SqliteOptions, Store};
use headroom_testkit::http::{Client, request};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

/// Connections that ask at once.
const CLIENTS: usize = 16;

/// One test at a time: they share the process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What was made to fail.
static PANICS: AtomicU64 = AtomicU64::new(0);
static LATE: AtomicU64 = AtomicU64::new(0);

/// A number from the environment.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// A provider that reads each request whole, answers at once, and remembers nothing.
async fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream));
        }
    });
    addr
}

async fn answer_all(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await.ok()?;
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn proxy(engine: Engine) -> Running {
    let base = format!("http://{}", provider().await);
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.policy.deadline = Duration::from_millis(200);
    config.upstreams = Upstreams { anthropic: base.clone(), openai: base.clone(), gemini: base };
    serve(config, engine).await.unwrap()
}

/// A question of a kilobyte.
fn small(number: u64) -> String {
    json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": format!("Question {number}. {}", "x".repeat(900))}]})
        .to_string()
}

/// A conversation with one result of about so many bytes, never seen before, in which the retrieval tool is worth offering; `word` stands in it.
fn with_a_result(number: u64, bytes: usize, word: &str) -> String {
    let row = |n: u64| json!({"id": n, "name": format!("service-{n}-{number}"), "state": "running", "cpu": n * 37 % 100, "note": word});
    let rows: Vec<_> = (0..bytes as u64 / 70).map(row).collect();
    json!({"model": "claude-sonnet-4-5", "system": "You are an operator. ".repeat(1300), "tools": [{"name": "Bash", "input_schema": {"type": "object"}}], "messages": [
        {"role": "user", "content": format!("Question {number}.")},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "Bash", "input": {"command": "svc list --json"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": json!(rows).to_string()}]},
    ]})
    .to_string()
}

/// Sends a request; says whether it was answered as the provider does.
async fn once(client: &mut Client, addr: SocketAddr, body: &str) -> bool {
    client
        .write(&request(addr, "POST", "/v1/messages", &[("content-type", "application/json")], body.as_bytes()))
        .await;
    let answer = client.read(false).await;
    answer.status == 200 && answer.body == ANSWER.as_bytes()
}

/// A compressor with bugs: it panics on some texts and does not come to an end with others.
fn faulty(_: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    if segment.text.contains("\"note\":\"panic\"") {
        PANICS.fetch_add(1, Ordering::Relaxed);
        panic!("injected");
    }
    if segment.text.contains("\"note\":\"late\"") {
        LATE.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(900));
    }
    compress(segment, goal)
}

/// Keeps every writer out of a store now and then, as another process would; says how often.
fn lock_now_and_then(path: &Path, stop: &AtomicBool) -> u64 {
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(400));
        let other = rusqlite::Connection::open(path).unwrap();
        if other.execute_batch("BEGIN EXCLUSIVE").is_ok() {
            times += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    times
}

/// Panics, deadlines that pass, and a store that cannot write: no request fails.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_whatever_else_does() {
    let _alone = ALONE.lock().await;
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&"injected") {
            told(panic);
        }
    }));
    let requests = number("HEADROOM_REQUESTS", 10_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let options = SqliteOptions { busy_timeout: Duration::from_millis(50), budget_bytes: 64 << 20 };
    let engine = Engine::with_compress(Store::open_sqlite(&path, &options).unwrap(), faulty);
    let running = proxy(engine).await;
    let addr = running.addr();
    let stop = Arc::<AtomicBool>::default();
    let (stopped, locked) = (Arc::clone(&stop), path.clone());
    let locking = std::thread::spawn(move || lock_now_and_then(&locked, &stopped));
    let next = Arc::<AtomicU64>::default();
    let begun = Instant::now();
    let ask = |next: Arc<AtomicU64>| async move {
        let mut client = Client::connect(addr).await;
        let mut failed = 0_u64;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return failed;
            }
            let body = match number % 1000 {
                500 if number % 2000 == 500 => with_a_result(number, 12_000, "late"),
                n if n % 100 == 20 => with_a_result(number, 12_000, "panic"),
                n if n % 20 == 0 => with_a_result(number, 12_000, "-"),
                _ => small(number),
            };
            failed += u64::from(!once(&mut client, addr, &body).await);
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(ask(Arc::clone(&next)))).collect();
    let mut failed = 0;
    for client in clients {
        failed += client.await.unwrap();
    }
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let locks = locking.join().unwrap();
    let counted = running.stats(None).await.unwrap();
    running.shutdown().await;
    let (panics, late) = (PANICS.load(Ordering::Relaxed), LATE.load(Ordering::Relaxed));
    println!(
        "{requests} requests in {took:.1?}: {failed} failed; {panics} panics, {late} late, store locked {locks} times; {}",
        counted["store"]
    );
    assert_eq!(failed, 0);
    assert!(counted["store"]["originals"].as_u64() > Some(0), "texts were left out in between");
    assert!(panics >= requests / 200 && late > 0 && locks > 0, "{panics} panics, {late} late, {locks} locks");
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Processor time of this process in hundredths of a second.
fn worked() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// T116, scaled down: large bodies again and again, then nothing.
#[tokio::test(flavor = "multi_thread")]
async fn memory_and_disk_stay_flat_and_idling_costs_nothing() {
    let _alone = ALONE.lock().await;
    let time = Duration::from_secs(number("HEADROOM_SOAK_SECONDS", 18));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let budget = 4 << 20;
    let options = SqliteOptions { budget_bytes: budget, ..SqliteOptions::DEFAULT };
    let running = proxy(Engine::new(Store::open_sqlite(&path, &options).unwrap())).await;
    let addr = running.addr();
    let mut client = Client::connect(addr).await;
    let begun = Instant::now();
    let (mut samples, mut sent) = (Vec::new(), 0_u64);
    while begun.elapsed() < time {
        sent += 1;
        let body = with_a_result(1_000_000 + sent, 1 << 20, "-");
        assert!(once(&mut client, addr, &body).await);
        for n in 0..5 {
            assert!(once(&mut client, addr, &small(10_000_000 + 10 * sent + n)).await);
        }
        samples.push((begun.elapsed(), resident()));
    }
    let third = |from: u32| {
        let (from, to) = (time * from / 3, time * (from + 1) / 3);
        samples.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, kib)| *kib).max().unwrap_or(0)
    };
    let (first, second, last) = (third(0), third(1), third(2));
    // Receipts and the index of words are written behind the requests.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, idle) = (worked(), Duration::from_secs(2));
    tokio::time::sleep(idle).await;
    let hundredths = worked() - before;
    running.shutdown().await;
    let disk: u64 = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!(
        "{sent} large requests in {time:?}: resident KiB at most {first}, {second}, {last} in its thirds; {hundredths} hundredths of a second of work in {idle:?} idle; {disk} bytes on disk for {budget} of originals"
    );
    assert!(last * 10 <= second * 11, "memory grows: {first}, {second}, {last} KiB");
    assert!(hundredths <= 6, "{hundredths} hundredths of a second of work while nothing was asked");
    // The budget is that of originals; renderings and receipts of conversations that may go on are kept beside it.
    let beside = sent * (64 << 10);
    assert!(disk <= 2 * budget + beside, "{disk} bytes on disk after {sent} large requests");
}
