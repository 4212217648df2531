//! What the corpus says its files are, and what detection finds.

#![allow(clippy::print_stderr, reason = "says that a test was skipped")]

use headroom_compress::detect;
use headroom_core::{Kind, Segment};
use headroom_testkit::corpus;

/// Of the files below `folder`, how many are found to be one of `kinds`, and how many there are.
fn found(folder: &str, kinds: &[Kind]) -> (usize, usize) {
    let files = corpus::files(folder);
    let hits = files.iter().filter(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        kinds.contains(&detect(&Segment::bare(&String::from_utf8_lossy(&bytes))).kind)
    });
    (hits.count(), files.len())
}

#[test]
fn files_are_found_to_be_what_they_are() {
    if corpus::full().is_none() {
        eprintln!("skipped: no corpus");
        return;
    }
    for (folder, kinds, percent) in [
        ("json_api", &[Kind::Json][..], 100),
        ("logs/loghub", &[Kind::Log], 100),
        ("logs", &[Kind::Log, Kind::Json], 95),
        ("commands/tests", &[Kind::Command, Kind::Json], 95),
        ("commands/compiler", &[Kind::Command], 100),
        ("commands/terminal", &[Kind::Command], 100),
        ("commands/git", &[Kind::Command, Kind::Search], 100),
        ("html", &[Kind::Html, Kind::Prose], 90),
        ("short_prompts", &[Kind::Json], 100),
    ] {
        let (hits, files) = found(folder, kinds);
        assert!(files > 0 && hits * 100 >= files * percent, "{folder}: {hits} of {files}");
    }
}

/// Doubt is no reason to touch a text: malformed JSON is not taken for anything that could lose lines.
#[test]
fn malformed_texts_are_left_alone() {
    for path in corpus::files("malformed") {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let kind = detect(&Segment::bare(&text)).kind;
        assert!(matches!(kind, Kind::Json | Kind::Opaque), "{}: {kind}", path.display());
    }
}
