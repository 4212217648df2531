//! Search results over this repository's own files, against the triples that made them.

use std::path::{Path, PathBuf};

use headroom_compress::{compress, detect};
use headroom_core::{Goal, Hints, Kind, Level, Segment};
use headroom_testkit::corpus;
use headroom_tokens::Tokenizer;

/// A hit: file, line number, line.
type Triple = (String, usize, String);

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// What `grep -rn` would find.
fn grep(needle: &str) -> Vec<Triple> {
    let root = corpus::repository();
    let mut files = Vec::new();
    sources(&root.join("crates"), &mut files);
    let mut hits = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let found = text.lines().enumerate().filter(|(_, line)| line.contains(needle));
        hits.extend(found.map(|(at, line)| (name.clone(), at + 1, line.to_owned())));
    }
    hits
}

fn exact(text: &str) -> String {
    let segment = Segment { text, hints: Hints::NONE };
    assert_eq!(detect(&segment).kind, Kind::Search);
    compress(&segment, &Goal { level: Level::Exact, tokens: &Tokenizer::O200k }).compressed.expect("an encoding").text
}

#[test]
fn every_triple_can_be_read_off() {
    let hits = grep("fn ");
    assert!(hits.len() > 100);
    let text: String = hits.iter().map(|(file, number, line)| format!("{file}:{number}:{line}\n")).collect();
    let encoded = exact(&text);
    // A reader goes down the rows, keeping the starts that the indentation says still hold.
    let mut starts: Vec<&str> = Vec::new();
    let mut read = Vec::new();
    for row in encoded.lines().skip(1) {
        let depth = row.bytes().take_while(|byte| *byte == b' ').count();
        starts.truncate(depth);
        match row[depth..].strip_prefix('>') {
            Some(start) => starts.push(start),
            None => read.push(starts.concat() + &row[depth..]),
        }
    }
    assert_eq!(read, text.lines().collect::<Vec<_>>());
    let (before, after) = (Tokenizer::O200k.count(&text), Tokenizer::O200k.count(&encoded));
    assert!(after * 100 < before * 80, "{after} of {before}");
}

#[test]
fn every_name_of_a_listing_is_there() {
    let mut files = Vec::new();
    sources(&corpus::repository().join("crates"), &mut files);
    let text: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    let encoded = exact(&text);
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert!(encoded.contains(name.as_ref()), "{name}");
    }
    let (before, after) = (Tokenizer::O200k.count(&text), Tokenizer::O200k.count(&encoded));
    assert!(after * 100 < before * 50, "{after} of {before}");
}
