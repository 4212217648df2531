//! Command output against what the corpus knows of it: failed tests, summaries and error lines of each recorded run.

#![allow(clippy::print_stderr, reason = "says that a test was skipped")]

use std::path::Path;

use headroom_compress::{ALL, compress};
use headroom_core::{Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::{corpus, laws};
use headroom_tokens::Tokenizer;

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// White space folded, as a reader sees it.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn failures_summaries_and_errors_are_word_for_word() {
    let Some(root) = corpus::full() else {
        eprintln!("skipped: no corpus");
        return;
    };
    let command = ALL.iter().copied().find(|compressor| compressor.name() == "command").expect("a command compressor");
    let (mut all, mut missing) = (0, Vec::new());
    for line in read(&root.join("commands/probes.jsonl")).lines() {
        let probe: serde_json::Value = serde_json::from_str(line).expect("a probe");
        let file = probe["file"].as_str().unwrap_or_default();
        // The largest recordings take long without optimisation, and the small ones are of the same kinds.
        let text = read(&root.join("commands").join(file));
        if text.len() > 90_000 {
            continue;
        }
        let (exact, standard) = laws::check(command, &text, Hints::NONE);
        let input = folded(&text);
        let outputs =
            [exact, standard].map(|output| output.map_or_else(|| input.clone(), |output| folded(&output.text)));
        for field in ["failed", "summary", "errors", "reported_failures"] {
            for wanted in probe[field].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
                let wanted = folded(wanted);
                if !input.contains(&wanted) {
                    continue;
                }
                all += 1;
                if !outputs.iter().all(|output| output.contains(&wanted)) {
                    missing.push(format!("{file}: {wanted}"));
                }
            }
        }
    }
    assert!(all > 300 && missing.is_empty(), "{} of {all}: {missing:#?}", missing.len());
}

/// Output whose kind is found from the text alone saves at least this much over the whole corpus.
#[test]
fn savings_do_not_fall_behind() {
    let (mut before, mut exact, mut standard) = (0, 0, 0);
    for path in corpus::files("commands/tests").into_iter().chain(corpus::files("commands/git")).step_by(4) {
        let text = read(&path);
        let original = Original::new(&laws::KEY, &text);
        let segment = Segment { text: &text, hints: Hints { kind: Some(Kind::Command), ..Hints::NONE } };
        let at = |level| compress(&segment, &Goal { level, tokens: &Tokenizer::O200k });
        let (a, b) = (at(Level::Exact), at(Level::Standard { original: &original }));
        let count = Tokenizer::O200k.count(&text);
        before += count;
        exact += a.compressed.map_or(count, |_| a.tokens.1);
        standard += b.compressed.map_or(count, |_| b.tokens.1);
    }
    if before == 0 {
        eprintln!("skipped: no corpus");
        return;
    }
    assert!(exact * 100 < before * 76, "exact: {exact} of {before}");
    assert!(standard * 100 < before * 48, "standard: {standard} of {before}");
}
