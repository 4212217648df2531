//! A clock in the instructions of recorded conversations: aligned it costs next to nothing, and where it may not be, it is named.

use headroom::ledger::{Account, Prices};
use headroom::{Align, Engine, Mode, Policy, Usage};
use headroom_evals::{ClockCosts, Session, clock, clock_costs, load};
use headroom_store::{Scope, Store};
use headroom_testkit::corpus;
use headroom_wire::parse;

/// The session of the repository, and those of the full corpus where it is.
fn sessions() -> Vec<Session> {
    let committed = load(&corpus::repository().join("corpus/sessions/demo.jsonl")).unwrap();
    let files = corpus::files("conversations");
    if files.is_empty() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("the full corpus is not here; the bundled session stands in");
        }
    }
    committed.into_iter().chain(files.iter().flat_map(|path| load(path).unwrap())).collect()
}

#[test]
fn an_aligned_clock_costs_next_to_nothing_and_never_more_than_as_it_came() {
    let mut sum = ClockCosts::default();
    for session in sessions() {
        let costs = clock_costs(&session);
        assert!(costs.aligned <= costs.unaligned, "{}: {costs:?}", session.id);
        sum.without += costs.without;
        sum.aligned += costs.aligned;
        sum.unaligned += costs.unaligned;
    }
    assert!(sum.aligned < sum.without * 1.03, "{sum:?}");
    assert!(sum.unaligned > sum.without * 1.3, "a clock is no clock: {sum:?}");
}

/// T031
#[test]
fn a_clock_that_may_not_be_aligned_is_named_with_its_price() {
    let policy = Policy { align: Align::Off, ..Policy::of(Mode::Standard) };
    let prices = Prices::listed();
    let mut named = 0;
    for session in sessions().into_iter().step_by(5) {
        let session = session.with_clock(clock);
        let engine = Engine::new(Store::memory());
        for (place, turn) in session.turns().take(3).enumerate() {
            let request = parse(session.dialect, session.request(turn));
            let outbound = engine.prepare(&Scope::default(), &request, &policy);
            let mut receipt = outbound.receipt;
            receipt.usage = Some(Usage { cache_write_tokens: 5000, ..Usage::default() });
            engine.settle(&Scope::default(), &outbound.observed.unwrap(), &mut receipt, &prices);
            if place == 0 {
                continue;
            }
            let value = &receipt.drift.volatile[0];
            let text = &request.body()[value.offset as usize..][..value.bytes as usize];
            assert!(clock(turn).contains(std::str::from_utf8(text).unwrap()), "{}", session.id);
            assert_eq!((value.kind.as_str(), value.place.as_str()), ("timestamp", "instructions"));
            assert!(value.tokens_behind > 0 && receipt.drift.requests_per_day > 0);
            assert_eq!(receipt.miss.as_ref().unwrap().cause, "client");
            // Some were recorded with models that have no price.
            let dollars = Account::of_volatile(value, &receipt, &prices);
            assert_eq!(dollars.is_some(), prices.of_model(&receipt.model).is_some());
            assert!(dollars.is_none_or(|dollars| dollars > 0.0));
            named += 1;
        }
    }
    assert!(named > 3);
}
