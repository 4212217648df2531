//! Logs against oracles that know them independently: the labels that people gave every line of the loghub logs.

#![allow(clippy::print_stderr, reason = "says that a test was skipped")]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use headroom_compress::{ALL, compress, detect};
use headroom_core::{Compressed, Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::{corpus, laws};
use headroom_tokens::Tokenizer;

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn both(text: &str) -> (Option<Compressed>, Option<Compressed>) {
    let log = ALL.iter().copied().find(|compressor| compressor.name() == "log").expect("a log compressor");
    laws::check(log, text, Hints::NONE)
}

/// Words of at least four letters: what a template is made of.
fn words(text: &str) -> HashSet<&str> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.split(|c: char| !letter(c)).filter(|word| word.len() >= 4).collect()
}

#[test]
fn every_labelled_event_is_shown() {
    let Some(root) = corpus::full() else {
        eprintln!("skipped: no corpus");
        return;
    };
    for path in corpus::files("logs/loghub") {
        let text = read(&path);
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace("_2k.log", "");
        let labels = read(&root.join(format!("logs/labels/{name}.tsv")));
        let (_, standard) = both(&text);
        let shown = standard.map_or_else(|| text.clone(), |standard| standard.text);
        let shown = words(&shown);
        // For every event some line of it must be there with all its words. Labels are in line order: line, event, level.
        let mut events: HashMap<&str, bool> = HashMap::new();
        let mut lines = text.lines();
        for (index, label) in labels.lines().filter(|label| label.starts_with(|c: char| c.is_ascii_digit())).enumerate()
        {
            let fields: Vec<&str> = label.split('\t').collect();
            let number: usize = fields[0].parse().unwrap_or(index + 1);
            let line = text.lines().nth(number - 1).or_else(|| lines.next()).unwrap_or_default();
            let event = events.entry(fields[1]).or_default();
            *event = *event || words(line).is_subset(&shown);
        }
        assert!(events.len() > 3, "{name}: labels not read");
        let missing: Vec<_> = events.iter().filter(|(_, shown)| !**shown).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// The first line of every error template and the lines of rare events, as the corpus lists them.
#[test]
fn errors_and_rare_events_are_shown() {
    let Some(root) = corpus::full() else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut shown: HashMap<String, String> = HashMap::new();
    let (mut kept, mut all) = (0, 0);
    for line in read(&root.join("logs/probes.jsonl")).lines() {
        let probe: serde_json::Value = serde_json::from_str(line).expect("a probe");
        let file = probe["file"].as_str().unwrap_or_default();
        let output = shown.entry(file.to_owned()).or_insert_with(|| {
            let text = read(&root.join("logs").join(file));
            both(&text).1.map_or(text, |standard| standard.text)
        });
        for word in words(probe["text"].as_str().unwrap_or_default()) {
            all += 1;
            kept += usize::from(output.contains(word));
        }
    }
    assert!(all > 1000 && kept == all, "{kept} of {all}");
}

/// What the anchors ask for, with a margin for change; measured over the whole corpus.
#[test]
fn savings_do_not_fall_behind() {
    let (mut before, mut exact, mut standard) = (0, 0, 0);
    for path in corpus::files("logs") {
        let text = read(&path);
        if detect(&Segment::bare(&text)).kind != Kind::Log {
            continue;
        }
        let original = Original::new(&laws::KEY, &text);
        let segment = Segment { text: &text, hints: Hints { kind: Some(Kind::Log), ..Hints::NONE } };
        let tokens = |level| compress(&segment, &Goal { level, tokens: &Tokenizer::O200k });
        let (a, b) = (tokens(Level::Exact), tokens(Level::Standard { original: &original }));
        let count = Tokenizer::O200k.count(&text);
        before += count;
        exact += a.compressed.map_or(count, |_| a.tokens.1);
        standard += b.compressed.map_or(count, |_| b.tokens.1);
    }
    if before == 0 {
        eprintln!("skipped: no corpus");
        return;
    }
    assert!(exact * 100 < before * 40, "exact: {exact} of {before}");
    assert!(standard * 100 < before * 13, "standard: {standard} of {before}");
}
