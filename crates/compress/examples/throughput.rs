//! Megabytes a second per kind: `cargo run --release -p headroom-compress --example throughput -- KIND FILE...`.
//!
//! Token counting is replaced by a length, so that the figure is the compressor's own.
#![allow(clippy::print_stdout, reason = "a report")]

use std::time::Instant;

use headroom_compress::{ALL, detect, split};
use headroom_core::{Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::laws::KEY;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(kind) = arguments.next().and_then(|name| name.parse::<Kind>().ok()) else { return };
    let Some(compressor) = ALL.iter().copied().find(|compressor| compressor.accepts(kind)) else { return };
    let count = |text: &str| text.len() / 4;
    for path in arguments {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let segment = Segment { text: &text, hints: Hints::NONE };
        let original = Original::new(&KEY, &text);
        let rate = |run: &dyn Fn()| {
            let mut best = f64::MAX;
            for _ in 0..9 {
                let start = Instant::now();
                run();
                best = best.min(start.elapsed().as_secs_f64());
            }
            text.len() as f64 / 1e6 / best
        };
        let detecting = rate(&|| drop(detect(&segment)));
        let splitting = rate(&|| drop(split(&text)));
        let exact = rate(&|| drop(compressor.compress(&segment, &Goal { level: Level::Exact, tokens: &count })));
        let standard = rate(&|| {
            drop(compressor.compress(&segment, &Goal { level: Level::Standard { original: &original }, tokens: &count }));
        });
        println!("{path}: detect {detecting:.0}, split {splitting:.0}, exact {exact:.0}, standard {standard:.0} MB/s");
    }
}
