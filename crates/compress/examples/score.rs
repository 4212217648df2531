//! Tokens saved per corpus folder at both levels: `cargo run -p headroom-compress --example score -- KIND FOLDER...`.
#![allow(clippy::print_stdout, reason = "a report")]

use headroom_compress::{Outcome, compress};
use headroom_core::{Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::{corpus, laws::KEY};
use headroom_tokens::Tokenizer;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind: Option<Kind> = arguments.next().and_then(|name| name.parse().ok());
    let verbose = std::env::var_os("VERBOSE").is_some();
    for folder in arguments {
        let mut sums = [0_usize; 3];
        for path in corpus::files(&folder) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let segment = Segment { text: &text, hints: Hints { kind, ..Hints::NONE } };
            let original = Original::new(&KEY, &text);
            let before = Tokenizer::O200k.count(&text);
            let after = |level| {
                let outcome: Outcome = compress(&segment, &Goal { level, tokens: &Tokenizer::O200k });
                (outcome.kind, outcome.compressed.map_or(before, |_| outcome.tokens.1))
            };
            let (found, exact) = after(Level::Exact);
            let (_, standard) = after(Level::Standard { original: &original });
            if verbose {
                let saved = |after: usize| 100.0 - 100.0 * after as f64 / before.max(1) as f64;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                println!("  {before:8} {:5.1} {:5.1} {found} {name}", saved(exact), saved(standard));
            }
            for (sum, value) in sums.iter_mut().zip([before, exact, standard]) {
                *sum += value;
            }
        }
        let saved = |after: usize| 100.0 - 100.0 * after as f64 / sums[0].max(1) as f64;
        println!("{folder}: {} tokens, exact {:.1} %, standard {:.1} %", sums[0], saved(sums[1]), saved(sums[2]));
    }
}
