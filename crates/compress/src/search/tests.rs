//! Properties of the exact encodings, and the situations that listings and hits get into.

use headroom_core::Hints;
use headroom_testkit::{corpus, generate::any_text, laws};
use headroom_tokens::Tokenizer;
use proptest::prelude::*;

use super::*;

/// Encodes without the checks made at run time.
fn reads_back(text: &str) {
    let (body, terminated) = text.strip_suffix('\n').map_or((text, false), |body| (body, true));
    let lines: Vec<&str> = body.split('\n').collect();
    for style in [Style::Flat, Style::Tree] {
        if let Some(encoded) = fold::encode(&lines, terminated, style, &|line| line % 5 == 3) {
            assert_eq!(fold::decode(&encoded).as_deref(), Some(text), "{encoded}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_reads_back_and_obeys_the_laws(text in any_text(), times in 1_usize..4) {
        reads_back(&text.repeat(times));
        laws::check(&SearchCompressor, &text.repeat(times), Hints::NONE);
    }

    #[test]
    fn paths_and_hits_read_back(
        lines in prop::collection::vec("(/?[ab]{1,2}/){0,4}[a-c+> \\\\]{0,3}(:[0-9]{1,2}[:-][ a+>\\\\]{0,4})?|--||[./]{0,3}[ab]:", 1..60),
    ) {
        reads_back(&(lines.join("\n") + "\n"));
        reads_back(&lines.join("\n"));
        laws::check(&SearchCompressor, &lines.join("\n"), Hints::NONE);
    }
}

#[test]
fn corpus_texts_read_back() {
    for path in corpus::files("commands/jc").into_iter().chain(corpus::files("commands/git")) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        reads_back(&String::from_utf8_lossy(&bytes));
    }
}

fn exact(text: &str) -> String {
    let goal = Goal { level: headroom_core::Level::Exact, tokens: &Tokenizer::O200k };
    SearchCompressor.compress(&Segment::bare(text), &goal).expect("an encoding").text
}

/// T058: every hit keeps its number beside its own text, below its own file.
#[test]
fn every_triple_is_kept() {
    let mut text = String::new();
    let mut triples = Vec::new();
    for file in 0..30 {
        for hit in 1..6 {
            let code = format!("    let value_{file}_{hit} = call(\"a: b/c\", {hit});");
            text += &format!("crates/app/src/module_{}/file_{file}.rs:{}:{code}\n", file / 10, hit * 11);
            triples.push((format!("file_{file}.rs"), format!("{}:{code}", hit * 11)));
        }
    }
    let encoded = exact(&text);
    let mut rest = encoded.as_str();
    let mut file = String::new();
    for (name, hit) in triples {
        if name != file {
            rest = rest.split_once(&name).expect("the file").1;
            file = name;
        }
        rest = rest.split_once(&hit).expect("the hit below its file").1;
    }
    assert!(encoded.len() * 10 < text.len() * 8);
}

/// Names with blanks, line feeds quoted by `ls`, and foreign scripts stay whole.
#[test]
fn odd_names_stay_whole() {
    let names = ["a b.txt", "'x'$'\\n''y'", "日本語.md", "-rf", "+plus", ">out", "\\back", "é ü.txt", " lead"];
    let text: String = (0..40).map(|i| format!("/srv/data/projects/archive/{}\n", names[i % names.len()])).collect();
    reads_back(&text);
    let encoded = exact(&text);
    for name in names {
        assert!(encoded.contains(name), "{name} in {encoded}");
    }
}

/// The table of an estimate gives what its words say.
#[test]
fn an_estimate_counts_words_of_letters_digits_and_signs() {
    for (text, tokens) in [
        ("", 0),
        ("five5", 2),
        ("sixsix", 2),
        ("a b c", 3),
        ("1234567", 3),
        ("a1b2c3", 2),
        ("src/main.rs:12:", 8),
        ("é\n", 2),
        ("   ", 0),
    ] {
        assert_eq!(estimate(text), tokens, "{text:?}");
    }
}
