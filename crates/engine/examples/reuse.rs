//! What a second agent gains from a first one that has read the same source tree: hit rate and time, file by file.
//!
//! `cargo run --release -p headroom --example reuse -- DIRECTORY`
#![allow(clippy::print_stdout, reason = "a measurement prints what it found")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headroom::memory::Witness;
use headroom::{Engine, Hints, Level, TextOptions, compress_text_with};
use headroom_store::{Scope, SqliteOptions, Store, Workspace};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("name a directory")?);
    let mut files = Vec::new();
    gather(&directory, &mut files);
    files.sort();
    let texts: Vec<(PathBuf, String)> =
        files.into_iter().filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))).collect();
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    println!("{} texts, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    let (folder, scope) = (tempfile::tempdir()?, Scope::default());
    let workspace = Workspace::of("example").ok_or("no workspace")?;
    for agent in ["codex", "claude"] {
        // Another process: nothing is in memory.
        let engine = Engine::new(Store::open_sqlite(&folder.path().join("s.db"), &SqliteOptions::DEFAULT)?);
        let witness =
            Witness { workspace, top: Some(directory.clone()), agent: agent.to_owned(), session: String::new() };
        let (mut spent, mut kept, mut saved) = (Duration::ZERO, 0, 0);
        for (path, text) in &texts {
            let path = path.display().to_string();
            let hints = Hints { path: Some(&path), tool: Some(agent), ..Hints::NONE };
            let begun = Instant::now();
            let keep = Some((&engine, &scope));
            let options = TextOptions { witness: Some(&witness), ..TextOptions::DEFAULT };
            let result = compress_text_with(&options, text, hints, Level::Standard, keep);
            spent += begun.elapsed();
            kept += usize::from(result.handle.is_some());
            saved += result.tokens_before - result.tokens_after;
        }
        let figures = engine.memory(&scope, workspace, None).figures()?;
        println!(
            "{agent}: {spent:?}; {kept} texts shortened, {saved} tokens saved; met again by another: {}",
            figures.reused()
        );
    }
    Ok(())
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|ending| {
            ["py", "js", "ts", "go", "java", "rs", "c", "h", "sh", "json", "md", "log"]
                .iter()
                .any(|known| ending == *known)
        }) {
            files.push(path);
        }
    }
}
