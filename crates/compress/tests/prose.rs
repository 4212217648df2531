//! What prose looks like after compression, seen from outside: the laws, verbatim order, and questions whose answers must survive.
#![allow(clippy::print_stdout, reason = "tests say how much of the corpus is there")]

use std::time::{Duration, Instant};

use headroom_compress::prose::{SegmentScore, Why, compress_prose, explain};
use headroom_compress::{ALL, Outcome, compress};
use headroom_core::{Compressed, Compressor, Goal, Hints, Kind, Level, Omission, Original, Segment};
use headroom_testkit::{corpus, generate, laws};
use headroom_tokens::Tokenizer;
use proptest::prelude::*;
use serde_json::Value;

fn compressor() -> &'static dyn Compressor {
    *ALL.iter().find(|compressor| compressor.accepts(Kind::Prose)).expect("prose has a compressor")
}

/// Checks the laws, and that a choice at a ratio is a subsequence of the text with its gaps counted.
#[track_caller]
fn check(text: &str, query: Option<&str>, ratio: f32) -> Option<Compressed> {
    laws::check(compressor(), text, Hints::NONE);
    let original = Original::new(&laws::KEY, text);
    let scores = explain(text, query, Some(ratio));
    assert_eq!(
        scores.iter().map(|score| &text[score.range.clone()]).collect::<String>(),
        text,
        "segments cover the text"
    );
    assert_eq!(scores, explain(text, query, Some(ratio)));
    let compressed = compress_prose(text, query, Some(ratio), &original);
    let Some(compressed) = &compressed else {
        assert!(scores.iter().all(|score| score.kept));
        return None;
    };
    let mut rest = compressed.text.as_str();
    for score in scores.iter().filter(|score| score.kept) {
        let kept = &text[score.range.clone()];
        let at = rest.find(kept).unwrap_or_else(|| panic!("{kept:?} is not in place"));
        rest = &rest[at + kept.len()..];
    }
    let dropped = scores.iter().filter(|score| !score.kept).count();
    let sentences: usize = compressed
        .omissions()
        .iter()
        .filter(|omission| omission.unit() == headroom_core::Unit::Sentence)
        .map(Omission::count)
        .sum();
    assert!(sentences == 0 || sentences == dropped);
    Some(compressed.clone())
}

fn standard(text: &str) -> Outcome {
    let original = Original::new(&laws::KEY, text);
    let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    compress(&Segment::bare(text), &goal)
}

fn kept_share(text: &str, scores: &[SegmentScore]) -> f64 {
    scores.iter().filter(|score| score.kept).map(|score| score.range.len()).sum::<usize>() as f64 / text.len() as f64
}

proptest! {
    #[test]
    fn any_text_obeys_the_laws(text in generate::any_text(), ratio in 0.0_f32..1.0) {
        check(&text, None, ratio);
        check(&text, Some("ERROR worker-3 failed 日本語"), ratio);
    }

    #[test]
    fn any_sentences_obey_the_laws(
        sentences in prop::collection::vec("(However, |This |# |- |Error: |)[A-Za-z0-9_ ]{0,80}[.!?:\n]{1,2} ?", 0..60),
        ratio in 0.0_f32..1.0,
    ) {
        check(&sentences.concat(), None, ratio);
    }
}

/// A question, the passages joined, and where the sentences with an answer stand.
fn questions() -> Vec<(String, String, Vec<std::ops::Range<usize>>)> {
    let Some(root) = corpus::full() else {
        println!("no corpus");
        return Vec::new();
    };
    let lines = std::fs::read_to_string(root.join("qa/xquad_en_multipassage.jsonl")).expect("questions");
    let question = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a question");
        let strings = |key: &str| -> Vec<String> {
            record[key]
                .as_array()
                .expect("a list")
                .iter()
                .map(|value| value.as_str().expect("a string").to_owned())
                .collect()
        };
        let (contexts, answers) = (strings("contexts"), strings("answers"));
        let mut text = String::new();
        let mut spans = Vec::new();
        for (place, context) in contexts.iter().enumerate() {
            let is_gold =
                record["gold"].as_array().expect("places").iter().any(|gold| gold.as_u64() == Some(place as u64));
            for answer in answers.iter().filter(|_| is_gold) {
                spans.extend(
                    context
                        .match_indices(answer.as_str())
                        .map(|(at, _)| text.len() + at..text.len() + at + answer.len()),
                );
            }
            text.push_str(context);
            text.push_str("\n\n");
        }
        (record["question"].as_str().expect("a question").to_owned(), text, spans)
    };
    lines.lines().map(question).collect()
}

#[test]
fn the_sentence_with_the_answer_survives() {
    let questions = questions();
    for (ratio, least) in [(0.5_f32, 99), (0.3, 99), (0.1, 96)] {
        let (mut survived, mut share) = (0, 0.0);
        for (question, text, spans) in &questions {
            let scores = explain(text, Some(question), Some(ratio));
            // An answer that two sentences share is whole only if both stay.
            let is_whole = |span: &std::ops::Range<usize>| {
                scores
                    .iter()
                    .filter(|score| score.range.start < span.end && span.start < score.range.end)
                    .all(|score| score.kept)
            };
            let survives = spans.iter().any(is_whole);
            survived += usize::from(survives);
            share += kept_share(text, &scores);
            if !survives {
                println!("r = {ratio}: lost {question}");
            }
        }
        println!("r = {ratio}: {survived} of {}, kept {:.3}", questions.len(), share / questions.len().max(1) as f64);
        assert!(survived * 100 >= questions.len() * least);
    }
}

#[test]
fn without_a_question_numbers_survive() {
    let questions = questions();
    let numbers = |text: &str| -> std::collections::BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() > 1).map(str::to_owned).collect()
    };
    let (mut kept, mut all, mut share, mut texts) = (0, 0, 0.0, 0);
    for (_, text, _) in questions.iter().step_by(10) {
        let scores = explain(text, None, Some(0.5));
        let shown: String = scores.iter().filter(|score| score.kept).map(|score| &text[score.range.clone()]).collect();
        let (before, after) = (numbers(text), numbers(&shown));
        all += before.len();
        kept += after.len();
        share += kept_share(text, &scores);
        texts += 1;
    }
    println!("numbers at r = .5: {kept} of {all}, kept {:.3}", share / f64::from(texts.max(1)));
    assert!(kept * 100 >= all * 93);
}

#[test]
fn the_corpus_obeys_the_laws() {
    let (mut before, mut after, mut texts) = (0, 0, 0);
    for (question, text, _) in questions().iter().step_by(10) {
        check(text, Some(question), 0.3);
        let outcome = standard(text);
        assert_eq!(outcome.kind, Kind::Prose);
        before += outcome.tokens.0;
        after += outcome.compressed.map_or(outcome.tokens.0, |_| outcome.tokens.1);
        texts += 1;
    }
    println!("{texts} texts without a question: {before} -> {after} tokens");
    for path in corpus::files("html").into_iter().filter(|path| path.to_string_lossy().ends_with(".expected.txt")) {
        let text = std::fs::read_to_string(&path).expect("a text");
        check(&text, None, 0.4);
        let scores = explain(&text, None, None);
        println!("{}: kept {:.2}", path.display(), kept_share(&text, &scores));
    }
}

#[test]
fn what_states_a_failure_stays_at_any_ratio() {
    let filler: String =
        (0..120).map(|n| format!("The {n}th paragraph of the report is about the weather and the sea. ")).collect();
    let text = format!(
        "{filler}\n\nValueError: the ledger does not balance\n\n{filler}\n\nThe run ended with exit code 17. {filler}"
    );
    let shown = check(&text, None, 0.05).expect("compressed").text;
    assert!(shown.contains("ValueError: the ledger does not balance") && shown.contains("exit code 17"));
    assert!(shown.len() < text.len() / 5);
}

#[test]
fn what_was_said_before_goes_first_and_says_so() {
    let said = "The harbour was closed to every kind of vessel during the storm. ";
    let others: String =
        (0..40).map(|n| format!("Ship {n} carried {} tons of grain to the island of Number{n}. ", n * 37)).collect();
    let text = format!("{said}{others}{said}{others}");
    let scores = explain(&text, None, Some(0.5));
    let duplicates = scores.iter().filter(|score| score.reason == Why::Duplicate).count();
    assert!(duplicates >= 40, "{duplicates}");
    let shown: String = scores.iter().filter(|score| score.kept).map(|score| &text[score.range.clone()]).collect();
    for n in 0..40 {
        assert!(shown.contains(&format!("Number{n}.")), "{n}");
    }
}

#[test]
fn a_contrast_is_never_parted_from_what_it_limits() {
    let facts: Vec<_> = (0..60)
        .map(|n| format!("Clause {n} lets every tenant of house {n} sell the contents. However, clause {n} does not apply on Sundays. "))
        .collect();
    let scores = explain(&facts.concat(), None, Some(0.4));
    for pair in scores.chunks(2) {
        assert_eq!(pair[0].kept, pair[1].kept, "{pair:?}");
    }
}

#[test]
fn texts_that_are_short_or_full_of_values_are_left_alone() {
    let sentence = "The quick brown fox jumps over the lazy dog and goes home to sleep in the shade. ";
    assert!(standard(&sentence.repeat(20)).compressed.is_none());
    let dense: String = (0..200)
        .map(|n| format!("The value of field_{n} was raised to {} in release 1.{n} for all. ", n * n))
        .collect();
    assert!(standard(&dense).compressed.is_none());
}

/// The best of a few runs.
fn best(text: &str, query: Option<&str>, ratio: Option<f32>) -> Duration {
    let run = |_| {
        let start = Instant::now();
        explain(text, query, ratio);
        start.elapsed()
    };
    (0..3).map(run).min().expect("several runs")
}

#[test]
fn time_grows_with_the_text_whatever_it_looks_like() {
    let repeated = |count: usize, sentence: &dyn Fn(usize) -> String| -> String { (0..count).map(sentence).collect() };
    type Sentence = dyn Fn(usize) -> String;
    let shapes: [(&str, &Sentence); 8] = [
        ("words in turn", &|n| format!("Word{} follows word{} on day {n} of the voyage north. ", n % 977, n % 1409)),
        ("one sentence for ever", &|_| "The ship carried grain to the island in the storm. ".to_owned()),
        ("all share their words", &|n| format!("Harbour storm vessel grain island{n} closed. ")),
        ("short sentences", &|_| "He left. ".to_owned()),
        ("no sentence ends", &|n| format!("word{} ", n % 300)),
        ("marks only", &|_| "?!.\"')] ".to_owned()),
        ("no blanks", &|n| format!("これは第{n}章の短い文です。")),
        ("lines that lean", &|n| format!("However, it is not {n}. ")),
    ];
    for (name, sentence) in shapes {
        let (small, large) = (repeated(2_500, sentence), repeated(10_000, sentence));
        for (query, ratio) in [(Some("Which vessel follows on day 17?"), Some(0.3)), (None, Some(0.5))] {
            let is_linear = || best(&large, query, ratio) < best(&small, query, ratio) * 8 + Duration::from_millis(5);
            assert!((0..6).any(|_| is_linear()), "{name}");
        }
    }
}
