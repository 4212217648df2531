//! How fast texts are counted: `cargo run --release -p headroom-tokens --example speed -- FILE...`
#![allow(clippy::print_stdout, reason = "the report is what this program is for")]

use std::hint::black_box;
use std::time::Instant;

use headroom_tokens::Tokenizer;

fn main() {
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else {
            println!("{path}: cannot be read");
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        for tokenizer in [Tokenizer::O200k, Tokenizer::Cl100k] {
            let mut best = f64::MAX;
            let mut tokens = 0;
            for _ in 0..9 {
                let started = Instant::now();
                tokens = black_box(tokenizer.count(black_box(&text)));
                best = best.min(started.elapsed().as_secs_f64());
            }
            println!("{:>8.1} MB/s {:>9} tokens {} {path}", text.len() as f64 / best / 1e6, tokens, tokenizer.name());
        }
    }
}
