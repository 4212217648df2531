//! What pages look like after compression, seen from outside: the laws, and the sentences of the articles in the corpus.
#![allow(clippy::print_stdout, reason = "tests say how much of the corpus is there")]

use std::collections::BTreeMap;

use headroom_compress::{ALL, Outcome, compress, decode};
use headroom_core::{Compressed, Compressor, Goal, Hints, Kind, Level, Omission, Original, Segment};
use headroom_testkit::{corpus, generate, laws};
use headroom_tokens::Tokenizer;
use proptest::prelude::*;

fn compressor() -> &'static dyn Compressor {
    *ALL.iter().find(|compressor| compressor.accepts(Kind::Html)).expect("pages have a compressor")
}

#[track_caller]
fn check(html: &str) -> Option<Compressed> {
    let (exact, standard) = laws::check(compressor(), html, Hints::NONE);
    if let Some(exact) = exact {
        assert!(exact.text.len() < html.len());
        assert_eq!(decode(Kind::Html, &exact.text).as_deref(), Some(html), "the exact form does not read back");
    }
    let omissions = standard.as_ref().map_or(&[][..], Compressed::omissions);
    let ranges: Vec<_> = omissions.iter().map(Omission::range).collect();
    assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start()), "gaps overlap: {ranges:?}");
    assert!(omissions.iter().all(|omission| omission.total() == html.len()));
    standard
}

fn standard(html: &str) -> Outcome {
    let original = Original::new(&laws::KEY, html);
    let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    compress(&Segment::bare(html), &goal)
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

proptest! {
    #[test]
    fn any_text_obeys_the_laws(text in generate::any_text()) {
        check(&text);
    }

    #[test]
    fn any_soup_of_tags_obeys_the_laws(
        pieces in prop::collection::vec(
            prop_oneof![
                "</?(div|p|li|ul|table|tr|td|a|pre|br|h2|nav|b|script|select|form)( hidden| class=\"nav\"| href=x)?>?",
                "[ -~]{0,60}",
                "\\PC{0,20}",
                Just("A sentence that is long enough to be one of an article, and it ends here.".to_owned()),
            ],
            0..80,
        )
    ) {
        check(&pieces.concat());
    }
}

#[test]
fn every_sentence_of_an_article_stays() {
    let Some(root) = corpus::full().map(|root| root.join("html")) else {
        println!("no corpus");
        return;
    };
    let probes = std::fs::read_to_string(root.join("probes.jsonl")).expect("probes");
    let (mut before, mut after, mut lost, mut shares) = (0, 0, Vec::new(), BTreeMap::new());
    for line in probes.lines() {
        let probe: serde_json::Value = serde_json::from_str(line).expect("a probe");
        let name = probe["file"].as_str().expect("a name");
        let html = std::fs::read_to_string(root.join(name)).expect("a page");
        check(&html);
        let outcome = standard(&html);
        let text = folded(&outcome.compressed.as_ref().expect("compressed").text);
        before += outcome.tokens.0;
        after += outcome.tokens.1;
        shares.insert(name.to_owned(), 100 * outcome.tokens.1 / outcome.tokens.0);
        for sentence in probe["sentences"].as_array().expect("sentences") {
            let sentence = folded(sentence.as_str().expect("a sentence"));
            if !text.contains(&sentence) {
                lost.push(format!("{name}: {sentence}"));
            }
        }
        let expected = std::fs::read_to_string(root.join(probe["expected"].as_str().expect("a name"))).expect("a text");
        let missing: Vec<_> =
            expected.lines().map(folded).filter(|line| line.len() >= 80 && !text.contains(line)).collect();
        println!(
            "{name}: {} % of tokens, {} of {} long lines missing",
            shares[name],
            missing.len(),
            expected.lines().filter(|line| line.len() >= 80).count()
        );
        missing.iter().take(3).for_each(|line| println!("   {}", line.chars().take(150).collect::<String>()));
    }
    let saved =
        100.0 * (1.0 - f64::from(u32::try_from(after).expect("few")) / f64::from(u32::try_from(before).expect("few")));
    println!("{} pages, {before} -> {after} tokens, saved {saved:.1} %", shares.len());
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(saved >= 85.0, "saved {saved:.1} %");
}

#[test]
fn a_gap_names_the_bytes_of_the_source_that_it_hides() {
    let paragraph =
        "<p>This sentence is one of several that make up the article, and it is long enough to be one.</p>\n";
    let menu: String = (0..30).map(|n| format!("<li><a href='/{n}'>Entry {n}</a></li>")).collect();
    let html =
        format!("<!DOCTYPE html><body><nav><ul>{menu}</ul></nav><article>{}</article></body>", paragraph.repeat(12));
    let compressed = check(&html).expect("compressed");
    let [gap] = compressed.omissions() else { panic!("one gap: {}", compressed.text) };
    let hidden = &html[gap.range().start() - 1..*gap.range().end()];
    assert!(hidden.starts_with("Entry 0<") && hidden.ends_with(">Entry 29"), "{hidden}");
    assert!(compressed.text.starts_with(&format!("[-{} bytes ", hidden.len())), "{}", compressed.text);
}

#[test]
fn a_page_of_links_keeps_all_of_them() {
    let rows: String = (0..60)
        .map(|n| format!("<tr class='athing'><td>{n}.</td><td class='title'><a href='https://example.com/{n}'>Story {n}</a></td></tr>\n"))
        .collect();
    let text = check(&format!("<html><body><table>{rows}</table></body></html>")).expect("compressed").text;
    for n in 0..60 {
        assert!(text.contains(&format!("{n}. | Story {n}")), "{text}");
    }
}

#[test]
fn nothing_is_nested_too_deep() {
    let deep = |depth: usize| format!("{}{}", "<div><table><tr><td><ul><li><b>".repeat(depth), "word ".repeat(100));
    for depth in [1, 100, 10_000] {
        check(&deep(depth));
    }
    check(&"<a><p></a>".repeat(10_000));
    check(&"</div></p>".repeat(10_000));
}
