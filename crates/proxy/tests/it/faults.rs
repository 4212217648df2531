//! Whatever goes wrong with us, the provider gets the client's bytes and the client its answer, on this turn and on the next.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headroom::{Engine, Kinds, Mode, Policy};
use headroom_compress::{Outcome, compress};
use headroom_core::{Goal, Segment};
use headroom_proxy::Config;
use headroom_store::{Scope, SqliteOptions, Store, StoreError};
use headroom_testkit::http::{Client, Reply, Upstream, request, send};
use headroom_wire::{Dialect, parse};
use serde_json::{Value, json};

use crate::common::{Pair, claude, conversation, handle_in, opening, pair_of, pair_with, prefix, rows};

const OK: &str = r#"{"id":"msg_1","content":[{"type":"text","text":"done"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

async fn agreeable() -> Upstream {
    Upstream::answering(|_| Reply::json(200, OK)).await
}

/// A store in a folder of its own, which the caller keeps.
struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl OnDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        Self { _folder: folder, path }
    }

    fn open(&self, options: SqliteOptions) -> Store {
        Store::open_sqlite(&self.path, &options).unwrap()
    }

    fn engine(&self) -> Engine {
        Engine::new(self.open(SqliteOptions::DEFAULT))
    }

    /// Takes the lock that keeps every writer out, as another process would.
    fn lock(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(&self.path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        other
    }
}

/// A store that gives up quickly on a lock.
const IMPATIENT: SqliteOptions = SqliteOptions { busy_timeout: Duration::from_millis(50), ..SqliteOptions::DEFAULT };

/// Two turns of a conversation go through a faulty proxy: both reach the provider byte for byte, and the decision about the
/// last result has this reason.
async fn passes_untouched(engine: Engine, change: impl FnOnce(&mut Config), reason: &str) -> Pair {
    let pair = pair_of(agreeable().await, engine, change).await;
    for calls in 1..=2 {
        let body = conversation(calls);
        let answer = pair.post("/v1/messages", &body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, OK), "{reason}");
        assert!(pair.last_sent() == body, "{reason}, turn {calls}: other bytes arrived");
        let request = parse(Dialect::AnthropicMessages, body);
        let known = pair.engine.prepare(&Scope::default(), &request, &Policy::of(Mode::Standard));
        assert!(known.body.is_none(), "{reason}: sent wins over what could be done now");
        assert_eq!(known.receipt.slots.last().unwrap().reason, reason);
    }
    assert_eq!(pair.upstream.received().len(), 2);
    pair
}

/// The third turn through a proxy without the fault: what was sent stays, what is new is made shorter.
async fn goes_on_from_there(engine: Engine) {
    let pair = pair_of(agreeable().await, engine, |_| {}).await;
    let body = conversation(3);
    pair.post("/v1/messages", &body).await;
    let sent = pair.last_sent();
    assert!(sent.starts_with(prefix(&conversation(2))), "a turn that passed untouched has moved");
    assert!(sent.len() < body.len() - 10_000, "the new result is shorter");
}

/// The reason that each receipt in the store gives for its last slot.
async fn filed(pair: &Pair, count: usize) -> Vec<String> {
    let receipts = pair.receipts(count).await;
    receipts.iter().map(|receipt| receipt.slots.last().map(|slot| slot.reason.clone()).unwrap_or_default()).collect()
}

/// The first two pages of a conversation end before row 310 and trip it; the third does not.
fn panics_on_early_pages(_: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    assert!(segment.text.contains("\"id\":310"), "a compressor's own bug");
    compress(segment, goal)
}

#[tokio::test]
async fn a_panic_in_a_compressor() {
    let disk = OnDisk::new();
    let engine = Engine::with_compress(disk.open(SqliteOptions::DEFAULT), panics_on_early_pages);
    let pair = passes_untouched(engine, |_| {}, "panic").await;
    assert_eq!(filed(&pair, 2).await, ["panic", "panic"]);
    goes_on_from_there(pair.engine.clone()).await;
    goes_on_from_there(disk.engine()).await;
}

#[tokio::test]
async fn a_deadline_that_has_always_passed() {
    let disk = OnDisk::new();
    let pair = passes_untouched(disk.engine(), |config| config.policy.deadline = Duration::ZERO, "deadline").await;
    assert_eq!(filed(&pair, 2).await, ["deadline", "deadline"]);
    goes_on_from_there(pair.engine.clone()).await;
    goes_on_from_there(disk.engine()).await;
}

#[tokio::test]
async fn no_work_allowed() {
    let disk = OnDisk::new();
    let pair = passes_untouched(disk.engine(), |config| config.policy.work_bytes = 0, "budget").await;
    assert_eq!(filed(&pair, 2).await, ["budget", "budget"]);
    goes_on_from_there(pair.engine.clone()).await;
    goes_on_from_there(disk.engine()).await;
}

/// T078: no room for another original. What loses nothing needs none and goes on.
#[tokio::test]
async fn a_full_store() {
    let disk = OnDisk::new();
    let full = Engine::new(disk.open(SqliteOptions { budget_bytes: 0, ..SqliteOptions::DEFAULT }));
    let pair = pair_of(agreeable().await, full, |_| {}).await;
    assert_eq!(pair.post("/v1/messages", &conversation(1)).await.text(), OK);
    assert!(pair.last_sent() == conversation(1));
    assert_eq!(filed(&pair, 1).await, ["store-failed"]);
    assert_eq!(pair.post("/v1/messages", &conversation(2)).await.text(), OK);
    let second = pair.last_sent();
    assert!(second.starts_with(prefix(&conversation(1))) && handle_in(&second).is_none());
    // With room again, and after a restart, what was sent is sent.
    let pair = pair_of(agreeable().await, disk.engine(), |_| {}).await;
    pair.post("/v1/messages", &conversation(3)).await;
    assert!(pair.last_sent().starts_with(prefix(&second)));
}

/// T078: the file cannot be written.
#[tokio::test]
async fn a_store_that_may_only_be_read() {
    let disk = OnDisk::new();
    drop(disk.open(SqliteOptions::DEFAULT));
    write_protect(&disk.path);
    let pair = passes_untouched(Engine::new(disk.open(SqliteOptions::DEFAULT)), |_| {}, "store-failed").await;
    let ready = pair.send("GET", "/readyz", &[], b"").await;
    assert_eq!(ready.status, 503, "health shows it");
}

/// Takes away the right to write; from root, whom rights do not stop, by a trigger in every table.
fn write_protect(path: &Path) {
    let mut rights = std::fs::metadata(path).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(path, rights).unwrap();
    if std::fs::OpenOptions::new().append(true).open(path).is_ok() {
        let other = rusqlite::Connection::open(path).unwrap();
        for table in ["meta", "originals", "renderings", "conversations", "exchanges", "receipts"] {
            let refuse = format!(
                "CREATE TRIGGER no_{table} BEFORE INSERT ON {table} WHEN coalesce({what}, '') != 'handle_key'
                 BEGIN SELECT raise(ABORT, 'attempt to write a readonly database'); END",
                what = if table == "meta" { "new.name" } else { "''" }
            );
            other.execute_batch(&refuse).unwrap();
        }
    }
}

/// T078: its folder cannot be made.
#[tokio::test]
async fn a_store_without_a_folder() {
    let disk = OnDisk::new();
    std::fs::write(&disk.path, "a file where a folder should be").unwrap();
    let error = Store::open_sqlite(&disk.path.join("store.db"), &SqliteOptions::DEFAULT).unwrap_err();
    passes_untouched(Engine::new(Store::unavailable(&error)), |_| {}, "store-failed").await;
}

#[tokio::test]
async fn no_store_at_all() {
    let engine = Engine::new(Store::unavailable(&StoreError::Stopped));
    passes_untouched(engine, |_| {}, "store-failed").await;
}

/// T078: locked by another process for as long as two turns take, then free again.
#[tokio::test]
async fn a_locked_store() {
    let disk = OnDisk::new();
    let engine = Engine::new(disk.open(IMPATIENT));
    let lock = disk.lock();
    let pair = passes_untouched(engine, |_| {}, "store-failed").await;
    lock.execute_batch("ROLLBACK").unwrap();
    goes_on_from_there(pair.engine.clone()).await;
}

/// T078: a store that was sound when it was opened last.
#[tokio::test]
async fn a_corrupt_file() {
    for (from, what) in [(0, "its head"), (4096, "all but its head")] {
        let disk = OnDisk::new();
        let pair = pair_of(agreeable().await, disk.engine(), |_| {}).await;
        pair.post("/v1/messages", &conversation(1)).await;
        assert!(handle_in(&pair.last_sent()).is_some());
        let Pair { proxy, engine, .. } = pair;
        proxy.shutdown().await;
        drop(engine);
        for name in ["store.db-wal", "store.db-shm"] {
            let _ = std::fs::remove_file(disk.path.with_file_name(name));
        }
        let mut bytes = std::fs::read(&disk.path).unwrap();
        bytes[from..].fill(0xa5);
        std::fs::write(&disk.path, bytes).unwrap();
        let store = Store::open_sqlite(&disk.path, &SqliteOptions::DEFAULT);
        let store = store.unwrap_or_else(|error| Store::unavailable(&error));
        let pair = passes_untouched(Engine::new(store), |_| {}, "store-failed").await;
        assert_eq!(pair.send("GET", "/readyz", &[], b"").await.status, 503, "{what}");
    }
}

/// One request passes unread, byte for byte, and its receipt says why.
async fn passes_unread(change: impl FnOnce(&mut Config), headers: &[(&str, &str)], body: &[u8], why: &str) {
    let pair = pair_with(agreeable().await, change).await;
    for turn in 1..=2 {
        let answer = pair.send("POST", "/v1/messages", headers, body).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, OK), "{why}");
        let received = pair.upstream.received().pop().unwrap();
        assert!(received.body == body, "{why}: other bytes arrived");
        for (name, value) in headers {
            assert_eq!(received.header(name), Some(*value), "{why}");
        }
        let receipt = pair.receipts(turn).await.pop().unwrap();
        assert_eq!((receipt.unread.as_str(), receipt.status), (why, 200));
        assert_eq!((receipt.bytes_in, receipt.usage.unwrap().output_tokens), (body.len() as u64, 2));
    }
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let body = conversation(1);
    passes_unread(|config| config.max_body_bytes = 10_000, &[], body.as_bytes(), "too-large").await;
    // Where the length is not announced, the limit is met in the middle of the body.
    let pair = pair_with(agreeable().await, |config| config.max_body_bytes = 10_000).await;
    let mut client = Client::connect(pair.addr()).await;
    client.write(&request(pair.addr(), "POST", "/v1/messages", &[("transfer-encoding", "chunked")], b"")).await;
    for piece in body.as_bytes().chunks(7_000) {
        client.write(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
    }
    client.write(b"0\r\n\r\n").await;
    assert_eq!(client.read(false).await.text(), OK);
    assert!(pair.last_sent() == body);
}

#[tokio::test]
async fn a_body_that_is_not_json() {
    let cut = &conversation(1)[..40_000];
    passes_unread(|_| {}, &[], cut.as_bytes(), "not-understood").await;
    passes_unread(|_| {}, &[], b"\xff\xfe no text at all", "not-understood").await;
    passes_unread(|_| {}, &[], b"[1, 2]", "not-understood").await;
}

#[tokio::test]
async fn a_body_whose_encoding_is_broken() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, conversation(1).as_bytes()).unwrap();
    let mut broken = gzip.finish().unwrap();
    let middle = broken.len() / 2;
    broken[middle..middle + 40].fill(0xff);
    passes_unread(|_| {}, &[("content-encoding", "gzip")], &broken, "encoding").await;
    passes_unread(|_| {}, &[("content-encoding", "gzip")], b"{}", "encoding").await;
    passes_unread(|_| {}, &[("content-encoding", "snappy")], b"?", "encoding").await;
}

#[tokio::test]
async fn no_room_for_the_body() {
    passes_unread(|config| config.held_bytes = 20_000, &[], conversation(1).as_bytes(), "no-room").await;
    // A short body that grows long when it is decoded.
    let packed = zstd::encode_all(conversation(1).as_bytes(), 1).unwrap();
    assert!(packed.len() < 12_000);
    passes_unread(|config| config.held_bytes = 20_000, &[("content-encoding", "zstd")], &packed, "no-room").await;
    // What needs none is read as ever.
    let pair = pair_with(agreeable().await, |config| config.held_bytes = 0).await;
    pair.post("/v1/messages", r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).await;
    assert_eq!(pair.receipts(1).await[0].unread, "");
}

fn slow(_: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    std::thread::sleep(Duration::from_millis(1200));
    compress(segment, goal)
}

/// A plan that nobody waited for is never recorded: what is recorded is that the client's bytes were sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_lost_patience() {
    let disk = OnDisk::new();
    let engine = Engine::with_compress(disk.open(SqliteOptions::DEFAULT), slow);
    let pair = pair_of(agreeable().await, engine, |config| config.policy.deadline = Duration::from_millis(50)).await;
    let begun = Instant::now();
    assert_eq!(pair.post("/v1/messages", &conversation(1)).await.text(), OK);
    assert!(begun.elapsed() < Duration::from_millis(1100), "{:?}", begun.elapsed());
    assert!(pair.last_sent() == conversation(1));
    assert_eq!(pair.receipts(1).await[0].unread, "deadline");
    // The worker is still at it; when it is done, what it found is dropped.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for engine in [pair.engine.clone(), disk.engine()] {
        let known = engine.prepare(
            &Scope::default(),
            &parse(Dialect::AnthropicMessages, conversation(1)),
            &Policy::of(Mode::Standard),
        );
        assert!(known.body.is_none());
        assert_eq!(known.receipt.slots[1].reason, "deadline");
        assert!(!known.receipt.slots[1].fresh);
    }
    assert_eq!(pair.engine.store().holdings().unwrap().originals, 0, "no original of a rendering that was not sent");
}

static AT_WORK: AtomicUsize = AtomicUsize::new(0);
static MOST_AT_WORK: AtomicUsize = AtomicUsize::new(0);

fn counted(_: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    let now = AT_WORK.fetch_add(1, Ordering::SeqCst) + 1;
    MOST_AT_WORK.fetch_max(now, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(900));
    AT_WORK.fetch_sub(1, Ordering::SeqCst);
    compress(segment, goal)
}

/// Requests that nobody waits for any more still take a processor until they are done, and only then let others at it.
#[tokio::test(flavor = "multi_thread")]
async fn more_work_than_processors() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let engine = Engine::with_compress(Store::memory(), counted);
    let pair = pair_of(agreeable().await, engine, |config| config.policy.deadline = Duration::from_millis(20)).await;
    let addr = pair.addr();
    let running: Vec<_> = (0..3 * cores)
        .map(|n| {
            let body = claude(&json!(opening(&rows(300 + n))), false).to_string();
            tokio::spawn(async move {
                let answer = send(addr, "POST", "/v1/messages", &[], body.as_bytes()).await;
                (answer.status, body)
            })
        })
        .collect();
    let mut bodies = Vec::new();
    for request in running {
        let (status, body) = request.await.unwrap();
        assert_eq!(status, 200);
        bodies.push(body);
    }
    let mut sent: Vec<String> = pair.upstream.received().iter().map(|request| request.text()).collect();
    sent.sort_unstable();
    bodies.sort_unstable();
    assert!(sent == bodies, "all of them were sent as they came");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let most = MOST_AT_WORK.load(Ordering::SeqCst);
    assert!((1..=cores).contains(&most), "{most} at work on {cores} processors");
}

/// T078: while the store is locked, nothing that does not need it waits: not the probe, not a request that memory knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_blocks_no_worker_thread() {
    let disk = OnDisk::new();
    let engine = disk.engine();
    let pair = pair_of(agreeable().await, engine, |_| {}).await;
    let small = |n: usize| {
        let rows = Value::Array((0..70).map(|row| json!({"id": row, "state": "running", "of": n})).collect());
        json!({"model": "claude-sonnet-4-5", "system": "x".repeat(7000), "messages": opening(&rows.to_string())})
            .to_string()
    };
    assert!(small(1000).len() < 16 << 10, "small enough to be prepared on a worker thread");
    pair.post("/v1/messages", &small(1000)).await;
    let warm = pair.last_sent();
    let lock = disk.lock();
    let addr = pair.addr();
    let waiting: Vec<_> = (0..12)
        .map(|n| {
            let body = if n % 2 == 0 { small(n) } else { claude(&json!(opening(&rows(300 + n))), false).to_string() };
            tokio::spawn(async move {
                let answer = send(addr, "POST", "/v1/messages", &[], body.as_bytes()).await;
                (answer.status, body)
            })
        })
        .collect();
    // The machine may have other things to do than this test, but a worker that waits for the store does so for two seconds.
    let (mut best, mut worst) = (Duration::MAX, Duration::ZERO);
    for _ in 0..3 {
        let mut taken = Vec::new();
        for _ in 0..100 {
            let begun = Instant::now();
            assert_eq!(send(addr, "GET", "/livez", &[], b"").await.status, 200);
            taken.push(begun.elapsed());
        }
        taken.sort_unstable();
        best = best.min(taken[98]);
        worst = worst.max(taken[99]);
    }
    assert!(best < Duration::from_millis(10) && worst < Duration::from_secs(1), "p99 {best:?}, worst {worst:?}");
    let begun = Instant::now();
    pair.post("/v1/messages", &small(1000)).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "what memory knows does not wait: {:?}", begun.elapsed());
    assert!(pair.last_sent() == warm);
    let mut sent: Vec<String> = Vec::new();
    for request in waiting {
        let (status, body) = request.await.unwrap();
        assert_eq!(status, 200);
        sent.push(body);
    }
    lock.execute_batch("ROLLBACK").unwrap();
    let received: Vec<String> = pair.upstream.received().iter().map(|request| request.text()).collect();
    for body in sent {
        assert!(received.contains(&body), "what could not be recorded was sent as it came");
    }
}

/// A provider that refuses what it is shown in another form than the client's.
async fn picky() -> Upstream {
    Upstream::answering(|received| match received.text().contains(headroom_wire::TOOL_NAME) {
        true => {
            Reply::json(400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"unknown tool"}}"#)
        }
        false => Reply::json(200, OK),
    })
    .await
}

/// One refusal a conversation: from then on it is sent as it came, also by the next process.
#[tokio::test]
async fn a_provider_that_refuses_what_we_make() {
    let disk = OnDisk::new();
    let pair = pair_of(picky().await, disk.engine(), |_| {}).await;
    let mut expected = 0;
    for calls in 1..=3 {
        assert_eq!(pair.post("/v1/messages", &conversation(calls)).await.text(), OK);
        assert!(pair.last_sent() == conversation(calls));
        expected += if calls == 1 { 2 } else { 1 };
        assert_eq!(pair.upstream.received().len(), expected, "turn {calls}");
    }
    let receipts = pair.receipts(3).await;
    assert!(receipts[0].replayed_original && !receipts[1].replayed_original);
    assert_eq!(receipts[1].slots.last().unwrap().reason, "refused");
    let Pair { proxy, engine, .. } = pair;
    proxy.shutdown().await;
    drop(engine);
    let pair = pair_of(picky().await, disk.engine(), |_| {}).await;
    for calls in 4..=5 {
        pair.post("/v1/messages", &conversation(calls)).await;
        assert!(pair.last_sent() == conversation(calls));
    }
    assert_eq!(pair.upstream.received().len(), 2, "no second refusal after a restart");
    // Another conversation is not concerned.
    pair.post("/v1/messages", &claude(&json!(opening(&rows(500))), false).to_string()).await;
    assert_eq!(pair.upstream.received().len(), 4);
}

/// When the provider refuses the client's own bytes as well, it was not our doing and nothing is remembered.
#[tokio::test]
async fn a_provider_that_refuses_everything() {
    let refusal = r#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#;
    let broken = Mutex::new(true);
    let upstream = Upstream::answering(move |_| {
        let broken = broken.lock().unwrap();
        Reply::json(if *broken { 400 } else { 200 }, refusal)
    })
    .await;
    let pair = pair_of(upstream, Engine::new(Store::memory()), |_| {}).await;
    let answer = pair.post("/v1/messages", &conversation(1)).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, refusal));
    let known = pair.engine.prepare(
        &Scope::default(),
        &parse(Dialect::AnthropicMessages, conversation(1)),
        &Policy::of(Mode::Standard),
    );
    assert_eq!(known.receipt.slots[1].reason, "compressed");
}

fn one_is_pathological(_: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    if segment.text.contains("pathological") {
        std::thread::sleep(Duration::from_millis(1500));
    }
    compress(segment, goal)
}

/// T085: many long requests at once, one of which keeps its thread busy; memory for half of them. All are answered in
/// the time that one may take, and each reaches the provider whole.
#[tokio::test(flavor = "multi_thread")]
async fn many_long_requests_at_once() {
    const SESSIONS: usize = 32;
    let engine = Engine::with_compress(Store::memory(), one_is_pathological);
    let upstream = Upstream::answering(|_| Reply::json(200, OK).after(Duration::from_millis(300))).await;
    let pair = pair_of(upstream, engine, |config| {
        config.policy.deadline = Duration::from_millis(400);
        config.held_bytes = 16 << 20;
    })
    .await;
    let addr = pair.addr();
    let body = |n: usize| {
        let mark = if n == 0 { "pathological" } else { "ordinary" };
        // Long, and cheap for the compressors: what is tested is who waits for whom.
        let text = format!("{mark} {n}\n{}", "0123456789abcdef".repeat(62_000));
        claude(&json!(opening(&text)), false).to_string()
    };
    let running: Vec<_> = (0..SESSIONS)
        .map(|n| {
            let body = body(n);
            tokio::spawn(async move {
                let begun = Instant::now();
                let answer = send(addr, "POST", "/v1/messages", &[], body.as_bytes()).await;
                (answer.status, answer.text(), begun.elapsed())
            })
        })
        .collect();
    for request in running {
        let (status, text, taken) = request.await.unwrap();
        assert_eq!((status, text.as_str()), (200, OK));
        assert!(taken < Duration::from_secs(4), "{taken:?}");
    }
    let counters = pair.send("GET", "/stats", &[], b"").await.json()["counters"].clone();
    let unread = counters["unread"].as_u64().unwrap();
    assert!((1..SESSIONS as u64).contains(&unread), "{unread} found no room: memory is bounded, but not for all");
    let received = pair.upstream.received();
    assert_eq!(received.len(), SESSIONS);
    let originals: Vec<Value> = (0..SESSIONS).map(|n| serde_json::from_str(&body(n)).unwrap()).collect();
    for request in received {
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        let text = &sent["messages"][2]["content"][0]["content"];
        let same = |original: &&Value| original["messages"][2]["content"][0]["content"] == *text;
        assert!(originals.iter().find(same).is_some_and(|original| original["system"] == sent["system"]));
    }
}
