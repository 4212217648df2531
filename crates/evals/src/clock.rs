//! What a clock in an agent's instructions costs, and what it costs when it is aligned.

use headroom::{Align, Engine, Mode, Policy};
use headroom_store::{Scope, Store};
use headroom_wire::Dialect;

use crate::{Prices, Session, replay};

/// What the input of one session costs, in uncached input tokens, everything else being equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockCosts {
    /// Without a clock.
    pub without: f64,
    /// With a clock at the start of the instructions that is aligned.
    pub aligned: f64,
    /// With that clock as it comes.
    pub unaligned: f64,
}

/// Half a minute to a minute between requests, to the second.
pub fn clock(turn: usize) -> String {
    let seconds = turn * 37 + turn % 3 * 11;
    format!("The time is 2026-11-23T{:02}:{:02}:{:02}Z.\n", 9 + seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Plays a session three times through engines of their own.
pub fn clock_costs(session: &Session) -> ClockCosts {
    let told = session.clone().with_clock(clock);
    let cost = |session: &Session, align| {
        let prices = match session.dialect {
            Dialect::AnthropicMessages => Prices::ANTHROPIC_FROM_1024,
            _ => Prices::OPENAI,
        };
        let policy = Policy { align, ..Policy::of(Mode::Standard) };
        replay(session, &Engine::new(Store::memory()), &Scope::default(), &policy, &prices).report.cost_ours
    };
    ClockCosts {
        without: cost(session, Align::Off),
        aligned: cost(&told, Align::Auto),
        unaligned: cost(&told, Align::Off),
    }
}
