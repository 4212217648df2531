//! Headroom's engine: everything an agent reads, shorter, without losing anything.
//!
//! Three things to do with it:
//!
//! - [`compress_text`]: one text, shorter. Synchronous; needs no store unless something is to be left out.
//! - [`Engine::prepare`]: a request body for a provider, with every tool result in it shorter, the same way on every turn.
//! - [`Engine::answer`]: what was left out, given back.
//!
//! ```
//! use headroom::{Engine, Hints, Level, compress_text};
//! use headroom_store::{Scope, Store};
//!
//! let rows: Vec<_> = (0..200).map(|n| format!("{{\"id\": {n}, \"state\": \"running\", \"zone\": \"eu-1\"}}")).collect();
//! let json = format!("[{}]", rows.join(", "));
//! let result = compress_text(&json, Hints::NONE, Level::Lossless, None);
//! assert!(result.exact && result.tokens_after < result.tokens_before);
//!
//! let engine = Engine::new(Store::memory());
//! let kept = compress_text(&json, Hints::NONE, Level::Standard, Some((&engine, &Scope::default())));
//! if let Some(handle) = kept.handle {
//!     assert_eq!(engine.original(&Scope::default(), handle).unwrap().as_deref(), Some(json.as_str()));
//! }
//! ```

mod answer;
mod engine;
mod hints;
pub mod ledger;
mod memo;
pub mod memory;
mod plan;
mod policy;
mod receipt;
mod reuse;
mod route;
mod text;

pub use answer::{Answer, DEFAULT_LIMIT, MAX_LIMIT, Query, parse_line_range};
pub use engine::{Engine, Outbound};
pub use headroom_compress::{FilterError, decode};
pub use headroom_core::{Handle, Hints, Kind, Language, Omission, Reason, Unit};
pub use headroom_tokens::Tokenizer;
pub use policy::{Mode, ParseModeError, ParseRetrievalError, Policy, Retrieval};
pub use receipt::{Receipt, SlotReceipt, Usage};
pub use reuse::add_filters;
pub use text::{Level, TextResult, compress_text, compress_text_before, compress_text_for};
