//! How a store bears many sessions at once: writes with originals, lookups of renderings, and retrievals.
//!
//! `cargo run --release -p headroom-store --features postgres --example load -- SQLITE-FILE|postgres://... [SESSIONS] [ROUNDS]`
#![allow(clippy::print_stdout, reason = "a measurement prints what it found")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use headroom_core::Reason;
use headroom_store::{
    Batch, Lineage, Rendering, Replacement, Scope, Sighting, SqliteOptions, Store, StoreError, Workspace,
};

/// What the writes and the retrievals of a session took.
type Times = (Vec<Duration>, Vec<Duration>);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().ok_or("name a file or an address")?;
    let sessions: usize = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let store = open(&place)?;
    let scope = Scope::default();
    let here = Workspace::of("load").ok_or("no workspace")?;
    let begun = Instant::now();
    let times: Result<Vec<Times>, StoreError> = std::thread::scope(|threads| {
        let running: Vec<_> = (0..sessions)
            .map(|session| (session, &store, &scope))
            .map(|(session, store, scope)| threads.spawn(move || work(store, scope, here, session, rounds)))
            .collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let (times, spent) = (times?, begun.elapsed());
    let mut writes: Vec<Duration> = times.iter().flat_map(|(writes, _)| writes.clone()).collect();
    let mut reads: Vec<Duration> = times.iter().flat_map(|(_, reads)| reads.clone()).collect();
    writes.sort();
    reads.sort();
    println!(
        "{sessions} sessions x {rounds} turns in {spent:.2?}: {:.0} turns/s; write p50 {:.2?} p99 {:.2?}; retrieval p50 {:.2?} p99 {:.2?}",
        (sessions * rounds) as f64 / spent.as_secs_f64(),
        writes[writes.len() / 2],
        writes[writes.len() * 99 / 100],
        reads[reads.len() / 2],
        reads[reads.len() * 99 / 100],
    );
    Ok(())
}

#[cfg(feature = "postgres")]
fn open(place: &str) -> Result<Store, Box<dyn Error>> {
    if place.starts_with("postgres") {
        return Ok(Store::open_postgres(place, &headroom_store::PostgresOptions::DEFAULT)?);
    }
    Ok(Store::open_sqlite(Path::new(place), &SqliteOptions::DEFAULT)?)
}

#[cfg(not(feature = "postgres"))]
fn open(place: &str) -> Result<Store, Box<dyn Error>> {
    Ok(Store::open_sqlite(Path::new(place), &SqliteOptions::DEFAULT)?)
}

/// What the turns of one session ask of a store: look up what was sent, keep a new result of about 20 KB, read one back.
fn work(store: &Store, scope: &Scope, here: Workspace, session: usize, rounds: usize) -> Result<Times, StoreError> {
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    let mut lineage = Lineage::root(format!("{session}").as_bytes());
    let conversation = lineage;
    let mut known = Vec::new();
    for round in 0..rounds {
        lineage = lineage.then(&round.to_le_bytes());
        let text: String = (0..400)
            .map(|line| format!("{session} {round} line {line} of a result, {}\n", line * 7919 % 1000))
            .collect();
        let found = store.renderings(scope, &known)?.iter().flatten().count();
        assert_eq!(found, known.len(), "every rendering is looked up");
        let mut batch = Batch::at(round as u64);
        batch.continues(conversation);
        let handle = batch.keep(store.handle_key(), text);
        let replacements = vec![Replacement { range: 0..9, text: format!("short {handle}") }];
        let (compressor, handles) = ("log".to_owned(), vec![handle]);
        batch.render(
            lineage,
            Rendering { reason: Reason::Compressed, compressor, replacements, handles, tokens: (9, 1) },
        );
        let (agent, session) = ("a".to_owned(), session.to_string());
        batch.sight(handle, Sighting { workspace: here, agent, session, source: "make".to_owned(), object: None });
        let begun = Instant::now();
        store.write(scope, batch)?;
        writes.push(begun.elapsed());
        let begun = Instant::now();
        let read = store.original(scope, handle)?;
        reads.push(begun.elapsed());
        assert!(read.is_some(), "what was kept is read");
        known.push(lineage);
        if known.len() > 20 {
            known.remove(0);
        }
    }
    Ok((writes, reads))
}
