//! JSON lines {text, command, tool, level} in, JSON lines out.
#![allow(clippy::print_stdout, reason = "a tool")]
use headroom_compress::compress;
use headroom_core::{Goal, Hints, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;
fn main() {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let text = value["text"].as_str().unwrap_or_default();
        let hints = Hints { command: value["command"].as_str(), tool: value["tool"].as_str(), ..Hints::NONE };
        let original = Original::new(&KEY, text);
        let level = if value["level"] == "exact" { Level::Exact } else { Level::Standard { original: &original } };
        let outcome = compress(&Segment { text, hints }, &Goal { level, tokens: &Tokenizer::O200k });
        let before = Tokenizer::O200k.count(text);
        let after = outcome.compressed.as_ref().map_or(before, |_| outcome.tokens.1);
        println!(
            "{}",
            serde_json::json!({"kind": outcome.kind.to_string(), "before": before, "after": after, "text": outcome.compressed.map(|c| c.text)})
        );
    }
}
