//! Tables from outside: the laws on anything, and what an omission must leave.
#![allow(clippy::print_stdout, reason = "tests say how much of the corpus is there")]

use headroom_compress::{ALL, compress, detect};
use headroom_core::{Compressor, Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::{corpus, generate, laws};
use headroom_tokens::Tokenizer;
use proptest::prelude::*;

fn compressor() -> &'static dyn Compressor {
    *ALL.iter().find(|compressor| compressor.accepts(Kind::Table)).expect("tables have a compressor")
}

proptest! {
    #[test]
    fn any_text_obeys_the_laws(text in generate::any_text()) {
        laws::check(compressor(), &text, Hints::NONE);
    }
}

#[test]
fn recorded_commands_obey_the_laws() {
    let files = corpus::files("commands/jc");
    println!("{} files", files.len());
    for path in files {
        laws::check(compressor(), &String::from_utf8_lossy(&std::fs::read(path).expect("a file")), Hints::NONE);
    }
}

#[test]
fn logs_and_prose_are_no_tables() {
    for folder in ["logs", "tests", "html"] {
        for path in corpus::files(folder) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            assert_ne!(detect(&Segment::bare(&text)).kind, Kind::Table, "{}", path.display());
        }
    }
}

#[test]
fn every_name_of_a_large_table_is_kept() {
    let mut text = "NAME                READY   STATUS             RESTARTS   AGE\n".to_owned();
    for id in 0..300 {
        let status = if id == 211 { "CrashLoopBackOff" } else { "Running" };
        text += &format!(
            "{:<20}{:<8}{status:<19}{:<11}{}d\n",
            format!("api-{:05}", id * 7919 % 100_000),
            "1/1",
            id % 3,
            id % 40
        );
    }
    let original = Original::new(&laws::KEY, &text);
    let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    let outcome = compress(&Segment::bare(&text), &goal);
    assert_eq!(outcome.kind, Kind::Table);
    let shorter = outcome.compressed.expect("compressed");
    assert!(!shorter.omissions().is_empty());
    for line in text.lines() {
        assert!(shorter.text.contains(line.split(' ').next().expect("a name")));
    }
    assert!(shorter.text.contains("CrashLoopBackOff"));
}
