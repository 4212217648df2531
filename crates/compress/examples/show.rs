//! Prints one text compressed: `cargo run -p headroom-compress --example show -- KIND LEVEL FILE`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool")]

use headroom_compress::compress;
use headroom_core::{Goal, Hints, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, level, path, ..] = arguments.as_slice() else { return };
    let Ok(bytes) = std::fs::read(path) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let hints = Hints { kind: kind.parse().ok(), command: arguments.get(3).map(String::as_str), ..Hints::NONE };
    let original = Original::new(&KEY, &text);
    let level = if level == "exact" { Level::Exact } else { Level::Standard { original: &original } };
    let outcome = compress(&Segment { text: &text, hints }, &Goal { level, tokens: &Tokenizer::O200k });
    eprintln!("{} {:?} {} {:?}", outcome.kind, outcome.compressor, outcome.reason, outcome.tokens);
    if let Some(compressed) = outcome.compressed {
        print!("{}", compressed.text);
    }
}
