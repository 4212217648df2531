//! Provider dialects, sans-I/O.
//!
//! [`parse`] finds the [`Slot`]s of a request: the JSON strings in it where tool output and pasted payload stand.
//! [`Request::splice`] puts shorter text into them and leaves every other byte as it came; no JSON is ever written again.
//!
//! Nothing here does I/O, reads a clock, or fails: what is not understood has no slots and passes unchanged.
//!
//! ```
//! use headroom_wire::{Dialect, Edit, parse};
//!
//! let body = r#"{"model":"m","messages":[{"role":"user","content":"caf\u00e9 and much more"}]}"#;
//! let request = parse(Dialect::OpenAiChat, body);
//! assert_eq!(request.slots()[0].text(), "café and much more");
//!
//! let edit = Edit { slot: 0, range: 5..19, replacement: "\"less\"".to_owned() };
//! let shorter = request.splice(&[edit], &[]);
//! assert_eq!(shorter, br#"{"model":"m","messages":[{"role":"user","content":"caf\u00e9\"less\""}]}"#);
//! ```

mod anthropic;
mod array;
mod dialect;
mod document;
mod exchange;
mod fold;
mod gemini;
pub mod guard;
mod literal;
pub mod message;
mod openai_chat;
mod openai_responses;
mod prefix;
mod protocol;
mod request;
mod scan;
pub mod sse;
mod tool;
pub mod turn;
mod usage;

pub use dialect::{Dialect, ParseDialectError};
pub use exchange::Exchange;
pub use prefix::{Instruction, Piece, Place};
pub use request::{Edit, Insertion, Message, Request, Role, Slot, SlotRole, Tools, parse, parse_at};
pub use tool::NAME as TOOL_NAME;
pub use turn::{Answer, Limits, Retrieval, Step, Turn};
pub use usage::Usage;
