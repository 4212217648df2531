//! How long preparing a request takes, without a network: `cargo run --release -p headroom --example turns -- FILE.jsonl [memory]`
//!
//! Each line of the file is an Anthropic request body. Each is prepared when it comes, and again with the engine as it then is.
//! The store is a SQLite file, or memory.
#![allow(clippy::print_stdout, reason = "the report is what this program is for")]

use std::time::{Duration, Instant};

use headroom::{Engine, Mode, Policy};
use headroom_store::{Scope, SqliteOptions, Store};
use headroom_wire::{Dialect, parse};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let bodies = std::fs::read_to_string(arguments.next().ok_or("usage: turns FILE.jsonl")?)?;
    let folder = tempfile::tempdir()?;
    let engine = match arguments.next().as_deref() {
        None => Engine::new(Store::open_sqlite(&folder.path().join("store.db"), &SqliteOptions::DEFAULT)?),
        Some("memory") => Engine::new(Store::memory()),
        Some(other) => return Err(format!("unknown store {other}; the only word here is memory").into()),
    };
    let policy = Policy::of(Mode::Standard);
    for body in bodies.lines() {
        let prepare = || {
            let bytes = bytes::Bytes::copy_from_slice(body.as_bytes());
            let started = Instant::now();
            let request = parse(Dialect::AnthropicMessages, bytes);
            let parsed = started.elapsed();
            let outbound = engine.prepare(&Scope::default(), &request, &policy);
            (parsed, started.elapsed(), outbound.body.map_or(body.len(), |body| body.len()))
        };
        let (_, cold, length) = prepare();
        let best = |pick: fn(&(Duration, Duration, usize)) -> Duration| (0..9).map(|_| pick(&prepare())).min();
        let (parse, warm) = (best(|times| times.0).unwrap_or_default(), best(|times| times.1).unwrap_or_default());
        println!(
            "{:>9} -> {length:>9} bytes: first {:>8.3} ms, again {:>8.3} ms, of which parsing {:>7.3} ms",
            body.len(),
            cold.as_secs_f64() * 1e3,
            warm.as_secs_f64() * 1e3,
            parse.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
