//! Headroom's engine: everything an agent reads, shorter, without losing anything.
//!
//! Three things to do with it:
//!
//! - [`compress_text`]: one text, shorter. Synchronous; needs no store unless something is to be left out.
//! - [`Engine::prepare`]: a request body for a provider, with every tool result in it shorter, the same way on every turn.
//! - [`Engine::answer`]: what was left out, given back.
//!
//! # A text
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
//!
//! # A request, and what the model asks back
//!
//! ```
//! use headroom::{Engine, Kinds, Mode, Policy, Query, Retrieval};
//! use headroom_store::{Scope, Store};
//! use headroom_wire::{Dialect, parse};
//! use serde_json::json;
//!
//! let log: String = (0..500).map(|n| format!("2024-05-01T10:00:{:02}Z INFO worker took {n} ms\n", n % 60)).collect();
//! let body = json!({"model": "claude-sonnet-4-5", "system": "Be careful. ".repeat(800), "tools": [{"name": "read_log"}], "messages": [
//!     {"role": "user", "content": "What went wrong?"},
//!     {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read_log", "input": {}}]},
//!     {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": log}]},
//! ]});
//! let request = parse(Dialect::AnthropicMessages, body.to_string());
//!
//! let kinds = Kinds::from_json(&json!({"json": {"threshold": 1000}}), "compression")?;
//! let policy = Policy { retrieval: Retrieval::Always, kinds, ..Policy::of(Mode::Standard) };
//! let (engine, scope) = (Engine::new(Store::memory()), Scope::default());
//! let outbound = engine.prepare(&scope, &request, &policy);
//! assert!(outbound.body.unwrap().len() < body.to_string().len() / 2);
//!
//! let slot = outbound.receipt.slots.iter().find(|slot| !slot.handles.is_empty()).unwrap();
//! let question = json!({"content_id": slot.handles[0], "line_range": "7-7"}).to_string();
//! let answer = engine.answer(&scope, &Query::from_arguments(&question).unwrap());
//! assert_eq!(answer.text(), "2024-05-01T10:00:06Z INFO worker took 6 ms\n");
//! # Ok::<(), headroom::ConfigError>(())
//! ```
//!
//! # Other doors
//!
//! `headroom-proxy` serves all of this over HTTP, `headroom-mcp` over MCP, `headroom-embed` to other languages, `headroom-cli` on the command line; each opens with
//! an example of its own.
//!
//! # Features
//!
//! `code` (default) brings grammars for eight languages and needs a C compiler, `all-languages` for eight more and TSX. Whoever wants one compressor and no
//! store depends on `headroom-compress` alone, which has neither grammars nor SQLite, and whose features leave out what single kinds need.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod align;
mod answer;
mod chunks;
mod engine;
mod frame;
mod hints;
mod kinds;
pub mod ledger;
mod memo;
pub mod memory;
mod plan;
mod policy;
mod receipt;
mod reuse;
mod route;
mod sent;
mod text;
mod trace;
mod volatile;

pub use answer::{Answer, DEFAULT_LIMIT, MAX_LIMIT, Query, parse_line_range};
pub use chunks::{Chunk, ChunksResult, compress_chunks};
pub use engine::{Engine, Outbound};
pub use headroom_compress::{FilterError, decode};
pub use headroom_core::{Handle, Hints, Kind, Language, Omission, Reason, Unit};
pub use headroom_tokens::Tokenizer;
pub use kinds::{ConfigError, Kinds, nearest};
pub use policy::{Align, Mode, ParseAlignError, ParseModeError, ParseRetrievalError, Policy, Retrieval};
pub use receipt::{Aligned, Drift, Guarded, Miss, Receipt, SlotReceipt, StopLoss, Usage, Volatile};
pub use reuse::add_filters;
pub use sent::SentPart;
pub use text::{
    Level, TextOptions, TextResult, ToolCall, compress_text, compress_text_for, compress_text_with,
    compress_tool_result,
};
pub use trace::Observed;
