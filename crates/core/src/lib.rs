//! The vocabulary of Headroom, and nothing else.
//!
//! A [`Segment`] is decoded text together with what is known about where it came from. A [`Compressor`] turns a segment
//! into [`Compressed`] text under a [`Goal`]. What it leaves out is an [`Omission`], which can only be made from an
//! [`Original`]: text that has a [`Handle`] and that the engine keeps before any byte naming the handle leaves.
//!
//! This crate does no I/O, knows no clock and no provider, and depends on nothing but a hash function.
//!
//! ```
//! use headroom_core::{Handle, HandleKey, Original};
//!
//! let key = HandleKey::from_bytes([7; 32]);
//! let original = Original::new(&key, "a long text");
//! let written = original.handle().to_string();
//! assert_eq!(written.parse::<Handle>().unwrap(), original.handle());
//! ```

mod compressor;
mod handle;
mod kind;
mod mark;
mod omission;
mod reason;
mod segment;

pub use compressor::{Compressed, Compressor, CountTokens, Goal, Level, Shape};
pub use handle::{ContentHash, Handle, HandleKey, Original, ParseHandleError};
pub use kind::{Kind, Language, ParseKindError};
pub use mark::{Mark, find_marks, gap_mark, short_gap_mark, trailer};
pub use omission::{Omission, Unit};
pub use reason::Reason;
pub use segment::{Hints, Segment};
