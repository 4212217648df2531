//! The counts are held against an independent implementation of the same vocabularies.

use headroom_tokens::Tokenizer;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str) {
    assert_eq!(Tokenizer::O200k.count(text), bpe_openai::o200k_base().count(text), "o200k {text:?}");
    assert_eq!(Tokenizer::Cl100k.count(text), bpe_openai::cl100k_base().count(text), "cl100k {text:?}");
}

#[test]
fn known_hard_cases() {
    for text in [
        "",
        " ",
        "  ",
        "\n",
        " \n",
        "\n ",
        " \n \n  x",
        "x  \n\n  ",
        "a\r\n\tb",
        "   x",
        "\t\tx",
        "I'll I'LL i've 's 'S'S x'ſ 'rE",
        "don't DON'T HTTPServer iPhone ÀÉÎ àéî ǅa",
        "1234567 ١٢٣٤ ²³½ x2y",
        "!!!///\n\n//x",
        " ///",
        "日本語テスト한국어ไทย",
        "é e\u{301} \u{301}\u{301}a \u{301}",
        "👩‍👩‍👧‍👦👍🏽",
        "a\u{a0}b\u{3000} \u{2028}c",
        "\u{0}\u{1b}[31m",
        "ʰʱA ʰb AʰB אבגA",
        "x'",
        "''s",
        "'s's",
        "\u{301}'s",
        " 'll",
        "Ⅷ ⅷ Ⓐ",
        "<|endoftext|>",
    ] {
        check(text);
    }
    for unit in ["a", "A", " ", "\n", "ab", "aB3$", "日", "0", "-", "=", " \n", "é", "\u{301}"] {
        check(&unit.repeat(999));
    }
}

#[test]
fn the_whole_corpus() {
    let Some(root) = headroom_testkit::corpus::full() else {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("the full corpus is not here; skipped");
        }
        return;
    };
    let mut bytes = 0;
    for folder in ["json_api", "commands", "html", "conversations", "malformed"] {
        for path in headroom_testkit::corpus::files(folder) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            // Long texts are counted with a memory of their pieces.
            check(&text[..text.floor_char_boundary(30_000)]);
            // A line at a time keeps the failing text readable; pieces never span lines except in white space.
            for line in text.split_inclusive('\n').take(400) {
                let cut = line.char_indices().nth(2000).map_or(line.len(), |(at, _)| at);
                check(&line[..cut]);
                bytes += cut;
            }
        }
    }
    assert!(bytes > 1_000_000, "{} is empty", root.display());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        check(&text);
    }

    #[test]
    fn text_of_awkward_characters(text in "[ \\t\\n\\r'/aAsSlLeEé\u{301}ʰ日ǅ1²!\u{a0}]{0,60}") {
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Long enough that pieces are remembered; few enough words that they are met again, and many that share a place.
    #[test]
    fn long_texts(words in prop::collection::vec("[ \\n]?([a-zA-Z]{1,18}|[0-9]{1,5}|[-=/!.;(){}]{1,9}|é{1,9})[\\r\\n/]{0,2}", 300..900)) {
        check(&words.concat());
    }
}

/// One word of any length takes time in proportion, and the count of the longest is nearly right.
#[test]
fn long_pieces_cost_no_more_than_linearly_many_steps() {
    let time = |length: usize| {
        let text = "a".repeat(length);
        let started = std::time::Instant::now();
        let exact = bpe_openai::o200k_base().count(&"a".repeat(60_000)) * length / 60_000;
        let counted = Tokenizer::O200k.count(&text);
        assert!(counted.abs_diff(exact) <= 1 + length / 4096 + exact / 100, "{counted} for {exact}");
        started.elapsed()
    };
    let (short, long) = (time(200_000), time(1_000_000));
    assert!(long < short * 20 + std::time::Duration::from_millis(50), "{short:?} -> {long:?}");
}
