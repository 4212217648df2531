//! What a policy would have done to recorded conversations, and what that would have cost.
//!
//! [`replay`] plays a [`Session`] through the engine turn by turn, as an agent would have sent it, and prices what would have arrived:
//! against the provider's prefix cache, with the cost of reading back what a later turn turned out to need. It also
//! checks what must never happen: a moved prefix, a changed word outside tool results, a handle that gives nothing back.
//!
//! [`transcript`] reads the conversations that agents keep themselves.
//!
//! [`scoreboard`] measures single texts instead: what each kind of text saves, and whether what counts in it is still there.

mod blocks;
mod clock;
pub mod debugging;
mod dialects;
mod live;
mod price;
mod recall;
mod replay;
pub mod scoreboard;
mod session;
pub mod transcript;

pub use clock::{ClockCosts, clock, clock_costs};
pub use live::{Live, Sent};
pub use price::{PrefixCache, Prices};
pub use replay::{Report, SessionReport, replay, total};
pub use session::{Session, SessionError, load, parse_session};
