//! What memory costs: bytes in the file and time of a write, with and without it, over the files below a directory.
//!
//! `cargo run -p headroom-store --example memory -- DIRECTORY`
#![allow(clippy::print_stdout, reason = "a measurement prints what it found")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headroom_store::{Batch, Match, Scope, Sighting, SqliteOptions, Store, Workspace};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("name a directory")?;
    let mut files = Vec::new();
    gather(Path::new(&directory), &mut files);
    files.sort();
    let texts: Vec<(PathBuf, String)> =
        files.into_iter().filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))).collect();
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    println!("{} texts, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    let here = Workspace::of(&directory).ok_or("no workspace")?;
    let folder = tempfile::tempdir()?;
    for remembers in [false, true] {
        let path = folder.path().join(format!("{remembers}.db"));
        let store = Store::open_sqlite(&path, &SqliteOptions::DEFAULT)?;
        let scope = Scope::default();
        let mut times = Vec::new();
        for (at, (path, text)) in texts.iter().enumerate() {
            let mut batch = Batch::at(at as u64);
            let handle = batch.keep(store.handle_key(), text.as_str());
            if remembers {
                let source = path.display().to_string();
                let (agent, session) = ("a".to_owned(), "s".to_owned());
                batch.sight(handle, Sighting { workspace: here, agent, session, source, object: None });
            }
            let begun = Instant::now();
            store.write(&scope, batch)?;
            times.push(begun.elapsed());
        }
        let begun = Instant::now();
        store.candidates(&scope, &here, "error", Match::All, 1)?;
        let indexed = begun.elapsed();
        let begun = Instant::now();
        let found = store.candidates(&scope, &here, "connection error", Match::All, 64)?.len();
        let searched = begun.elapsed();
        drop(store);
        times.sort();
        let total: Duration = times.iter().sum();
        println!(
            "memory {remembers}: {:.1} MB in the file; a write p50 {:?} p99 {:?} all {total:?}; index {indexed:?}; search {searched:?} ({found})",
            std::fs::metadata(&path)?.len() as f64 / 1e6,
            times[times.len() / 2],
            times[times.len() * 99 / 100],
        );
    }
    Ok(())
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else {
            files.push(path);
        }
    }
}
