//! Detection, and the compressors: one file or folder per kind of text.
//!
//! [`detect()`] says what a text is; [`ALL`] lists the compressors; [`compress()`] routes a segment to the one that accepts its kind
//! and weighs the result in tokens. Everything here is pure: no I/O, no clock, no randomness.
//!
//! ```
//! use headroom_compress::{compress, decode};
//! use headroom_core::{Goal, Kind, Level, Segment};
//! use headroom_tokens::Tokenizer;
//!
//! let rows: Vec<_> = (0..50).map(|n| format!("{{\"id\": {n}, \"state\": \"running\", \"zone\": \"eu-1\"}}")).collect();
//! let json = format!("[{}]", rows.join(","));
//! let goal = Goal { level: Level::Exact, tokens: &Tokenizer::O200k };
//! let outcome = compress(&Segment::bare(&json), &goal);
//! let shorter = outcome.compressed.expect("rows of one shape are worth a table").text;
//! assert!(shorter.len() * 2 < json.len());
//! assert_eq!(decode(Kind::Json, &shorter).unwrap(), json.replace(' ', ""));
//! ```
//!
//! # Features
//!
//! `command` (the compressor of command output, whose filters are data: `regex`, `serde`, `toml`) and `html` (`html5gum`) are on by default.
//! Without them texts of their kinds are still told apart, and left as they are. What remains needs no C compiler and some twenty small crates.

#[cfg_attr(not(feature = "command"), allow(dead_code))]
mod again;
#[cfg(feature = "command")]
mod command;
mod detect;
mod diff;
#[cfg(feature = "html")]
mod html;
mod json;
mod lines;
mod log;
// The compressor of command output asks most of what stands here.
#[cfg_attr(not(feature = "command"), allow(dead_code))]
mod matter;
mod phrases;
pub mod prose;
pub mod repeat;
mod search;
mod table;
mod terminal;
#[cfg_attr(not(feature = "command"), allow(dead_code))]
mod verbatim;
pub mod view;
mod weigh;

#[cfg(feature = "command")]
pub use command::{FilterError, add_filters};
pub use detect::{Detection, Piece, detect, split};
pub use weigh::{Outcome, compress, compress_with};

/// What an exact encoding of a text of this kind says, read by its own decoder: the very bytes of a text, or the value of a JSON
/// text (without its layout, numbers as they were spelled). A text with omissions is read as far as its notation goes, gap marks as
/// they are. `None` when the kind's decoders do not take it.
///
/// For tools that check what was sent; nothing on the request path needs it.
pub fn decode(kind: Kind, written: &str) -> Option<String> {
    let phrases = phrases::decode(written);
    let written = phrases.as_deref().unwrap_or(written);
    decode_kind(kind, written).or(phrases)
}

fn decode_kind(kind: Kind, written: &str) -> Option<String> {
    match kind {
        Kind::Json => json::decode(written),
        Kind::Table => table::decode(written),
        Kind::Diff => diff::decode(written),
        Kind::Log | Kind::Search => search::decode(written),
        #[cfg(feature = "command")]
        Kind::Command => command::decode(written),
        _ => None,
    }
}

use headroom_core::{Compressor, Kind};

/// Every compressor, in the order they are asked.
pub static ALL: &[&dyn Compressor] = &[
    &json::SmartCrusher,
    &table::TableCompressor,
    &log::LogCompressor,
    &search::SearchCompressor,
    #[cfg(feature = "command")]
    &command::CommandCompressor,
    &diff::DiffCompressor,
    #[cfg(feature = "html")]
    &html::HtmlCompressor,
    &prose::Kompress::BY_ITSELF,
];
