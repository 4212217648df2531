//! What holds with whichever compressors were built in: `cargo test -p headroom-compress --no-default-features --test features`.

use headroom_compress::{ALL, Outcome, compress, decode};
use headroom_core::{Goal, Kind, Level, Original, Reason, Segment};
use headroom_testkit::laws;
use headroom_tokens::Tokenizer;

fn standard(text: &str) -> Outcome {
    let original = Original::new(&laws::KEY, text);
    let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    compress(&Segment::bare(text), &goal)
}

/// A text of a kind whose compressor may be missing: detected all the same, and shortened exactly if there is one.
fn is_left_alone_without(built: bool, kind: Kind, text: &str) {
    let outcome = standard(text);
    assert_eq!(outcome.kind, kind);
    assert_eq!(outcome.compressed.is_some(), built, "{:?}", outcome.reason);
    assert_eq!(ALL.iter().any(|compressor| compressor.accepts(kind)), built);
    if !built {
        assert_eq!((outcome.reason, outcome.compressor), (Reason::Opaque, None));
        assert_eq!(decode(kind, text), None);
    }
}

#[test]
fn what_is_always_there_compresses() {
    let rows: Vec<_> =
        (0..50).map(|n| format!("{{\"id\": {n}, \"state\": \"running\", \"zone\": \"eu-1\"}}")).collect();
    let json = format!("[{}]", rows.join(","));
    let outcome = standard(&json);
    assert_eq!((outcome.kind, outcome.compressor), (Kind::Json, Some("json")));
    assert!(outcome.tokens.1 * 2 < outcome.tokens.0);
}

#[test]
fn pages_without_their_compressor_stay() {
    let menu: String =
        (0..200).map(|n| format!("<li class=\"item\"><a href=\"/page/{n}\">Page {n}</a></li>\n")).collect();
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>A page</title></head><body><nav><ul>\n{menu}</ul></nav>\n\
         <article><h1>A page</h1><p>This is what the page says, and the reader wants nothing else.</p></article></body></html>\n"
    );
    is_left_alone_without(cfg!(feature = "html"), Kind::Html, &page);
}

#[test]
fn commands_without_their_compressor_stay() {
    let build: String = (0..200).map(|n| format!("   Compiling crate-{n} v0.{n}.0\n")).collect();
    let build = format!(
        "{build}error[E0308]: mismatched types\n --> src/main.rs:3:5\n  |\n3 |     1\n  |     ^ expected `()`, found integer\n\nerror: could not compile `a` (bin \"a\") due to 1 previous error\n"
    );
    is_left_alone_without(cfg!(feature = "command"), Kind::Command, &build);
}
