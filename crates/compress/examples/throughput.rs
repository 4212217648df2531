//! How fast one compressor is on some files: best of several runs, one core, in MB/s.
//!
//! ```text
//! cargo run --release -p headroom-compress --example throughput -- json FILE...
//! ```
#![allow(clippy::print_stdout, reason = "an example that reports")]

use std::time::{Duration, Instant};

use headroom_core::{Compressor, Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;

/// Runs per file and level; the best counts, as everything else on the machine only ever makes a run slower.
const RUNS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(kind) = arguments.next().and_then(|kind| kind.parse::<Kind>().ok()) else {
        println!("usage: throughput KIND FILE...");
        return;
    };
    let Some(compressor) = headroom_compress::ALL.iter().copied().find(|compressor| compressor.accepts(kind)) else {
        println!("no compressor for {kind}");
        return;
    };
    let (mut bytes, mut exact, mut standard) = (0, Duration::ZERO, Duration::ZERO);
    for path in arguments {
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("cannot read {path}");
            continue;
        };
        let original = Original::new(&KEY, &text);
        let segment = Segment { text: &text, hints: Hints { kind: Some(kind), ..Hints::NONE } };
        bytes += text.len();
        exact += best(compressor, &segment, Level::Exact);
        standard += best(compressor, &segment, Level::Standard { original: &original });
    }
    let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9);
    println!(
        "{kind}: {:.2} MB, exact {:.0} MB/s, standard {:.0} MB/s",
        bytes as f64 / 1e6,
        speed(exact),
        speed(standard)
    );
}

fn best(compressor: &dyn Compressor, segment: &Segment<'_>, level: Level<'_>) -> Duration {
    let goal = Goal { level, tokens: &Tokenizer::O200k };
    let run = |_| {
        let start = Instant::now();
        std::hint::black_box(compressor.compress(segment, &goal));
        start.elapsed()
    };
    (0..RUNS).map(run).min().unwrap_or_default()
}
