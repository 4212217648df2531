//! Replays files of sessions and prints one line for each.

use headroom::{Engine, Mode, Policy};
use headroom_evals::{Prices, load, replay, total};
use headroom_store::{Scope, Store};

#[allow(clippy::print_stdout, reason = "an example prints")]
fn main() {
    let mode: Mode = std::env::var("MODE").map_or(Mode::Standard, |m| m.parse().unwrap());
    let mut all = Vec::new();
    let show = |name: &str, r: &headroom_evals::Report| {
        println!(
            "{name:32} n {:3} turns {:4} tok {:.3} cost {:.4} net {:.4} recall {:.4} ({}) prefix {} integ {} lost {} dearer {}",
            r.sessions,
            r.turns,
            r.tokens_ours as f64 / r.tokens_direct.max(1) as f64,
            r.cost_ours / r.cost_direct.max(1.0),
            r.net(),
            r.recall(),
            r.atoms,
            r.prefix_violations,
            r.integrity_violations,
            r.handles_lost,
            r.dearer
        );
    };
    for path in std::env::args().skip(1) {
        let engine = Engine::new(Store::memory());
        let sessions = load(path.as_ref()).unwrap();
        let prices =
            if sessions[0].dialect == headroom_wire::Dialect::OpenAiChat { Prices::OPENAI } else { Prices::ANTHROPIC };
        let prices = match std::env::var("PRICE").as_deref() {
            Ok("anthropic") => Prices::ANTHROPIC,
            Ok("openai") => Prices::OPENAI,
            _ => prices,
        };
        let reports: Vec<_> =
            sessions.iter().map(|s| replay(s, &engine, &Scope::default(), &Policy::of(mode), &prices).report).collect();
        let sum = total(&reports);
        show(path.rsplit('/').next().unwrap_or_default(), &sum);
        for missing in &sum.missing {
            println!("      missing {missing}");
        }
        all.extend(reports);
    }
    show("all", &total(&all));
}
