//! What is saved on source files, by language and level, and how fast: best of a few runs on one core.
//!
//! ```text
//! cargo run --release -p headroom-code --example code -- FILE... [--files] [--show light|standard]
//! ```
#![allow(clippy::print_stdout, reason = "an example that reports")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use headroom_code::CodeCompressor;
use headroom_core::{Compressor, Goal, Hints, Kind, Language, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;

const RUNS: usize = 3;

#[derive(Default)]
struct Sum {
    files: usize,
    untouched: usize,
    bytes: usize,
    before: usize,
    light: usize,
    standard: usize,
    light_time: Duration,
    standard_time: Duration,
}

fn main() {
    let (mut each, mut show, mut files) = (false, None, Vec::<PathBuf>::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--files" => each = true,
            "--show" => show = arguments.next(),
            _ => files.push(argument.into()),
        }
    }
    let mut sums = BTreeMap::<Language, Sum>::new();
    for path in files {
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let Some(language) = Language::of_extension(&extension) else { continue };
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let original = Original::new(&KEY, &text);
        let hints = Hints { kind: Some(Kind::Code(language)), ..Hints::NONE };
        let before = Tokenizer::O200k.count(&text);
        let (light, light_time) = run(&text, hints, Level::Light { original: &original });
        let (standard, standard_time) = run(&text, hints, Level::Standard { original: &original });
        match show.as_deref() {
            Some("light") => println!("{}", light.as_deref().unwrap_or(&text)),
            Some("standard") => println!("{}", standard.as_deref().unwrap_or(&text)),
            _ => {}
        }
        let tokens = |text: &Option<String>| text.as_ref().map_or(before, |text| Tokenizer::O200k.count(text));
        let (light, standard, untouched) = (tokens(&light), tokens(&standard), standard.is_none());
        if each {
            println!("{} {before} {light} {standard}", path.display());
        }
        let sum = sums.entry(language).or_default();
        sum.files += 1;
        sum.untouched += usize::from(untouched);
        sum.bytes += text.len();
        sum.before += before;
        sum.light += light;
        sum.standard += standard;
        sum.light_time += light_time;
        sum.standard_time += standard_time;
    }
    println!(
        "{:<12} {:>5} {:>6} {:>9} {:>6} {:>8} {:>11} {:>11}",
        "language", "files", "alone", "tokens", "light", "standard", "light MB/s", "std MB/s"
    );
    for (language, sum) in sums {
        let saved = |after: usize| 100.0 * (1.0 - after as f64 / sum.before.max(1) as f64);
        let speed = |time: Duration| sum.bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9);
        println!(
            "{:<12} {:>5} {:>6} {:>9} {:>5.1}% {:>7.1}% {:>11.1} {:>11.1}",
            language.name(),
            sum.files,
            sum.untouched,
            sum.before,
            saved(sum.light),
            saved(sum.standard),
            speed(sum.light_time),
            speed(sum.standard_time)
        );
    }
}

/// The shorter text, and the time of the fastest run.
fn run(text: &str, hints: Hints<'_>, level: Level<'_>) -> (Option<String>, Duration) {
    let goal = Goal { level, tokens: &Tokenizer::O200k };
    let mut best = Duration::MAX;
    let mut shorter = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        shorter = CodeCompressor.compress(&Segment { text, hints }, &goal).map(|compressed| compressed.text);
        best = best.min(start.elapsed());
    }
    (shorter, best)
}
