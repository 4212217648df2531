//! What the decisions on recorded sessions were, by reason and tool.
use headroom::{Engine, Mode, Policy, Tokenizer};
use headroom_evals::load;
use headroom_store::{Scope, Store};
#[allow(clippy::print_stdout, reason = "an example prints")]
fn main() {
    let mut rows = std::collections::BTreeMap::<(String, String), (usize, usize, usize)>::new();
    for path in std::env::args().skip(1) {
        let engine = Engine::new(Store::memory());
        for s in load(path.as_ref()).unwrap() {
            let Some(turn) = s.turns().last() else { continue };
            let request = headroom_wire::parse(s.dialect, s.request(turn));
            let out = engine.prepare(&Scope::default(), &request, &Policy::of(Mode::Standard));
            for (slot, r) in request.slots().iter().zip(&out.receipt.slots) {
                let before = Tokenizer::O200k.count(slot.text());
                let after = if r.compressor.is_empty() { before } else { r.tokens_after as usize };
                let arg = slot
                    .arguments()
                    .unwrap_or_default()
                    .chars()
                    .take(std::env::var("ARG").map_or(0, |a| a.parse().unwrap()))
                    .collect::<String>();
                let e = rows
                    .entry((format!("{}/{}/{}", r.reason, r.compressor, r.kind), format!("{} {arg}", r.tool)))
                    .or_default();
                e.0 += 1;
                e.1 += before;
                e.2 += after;
            }
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|r| std::cmp::Reverse(r.1.2));
    for (k, (n, b, a)) in rows.iter().take(25) {
        println!("{:50} {:30} n {n:4} {b:7} -> {a:7}", k.0, k.1);
    }
}
