//! Detection, and the compressors: one file or folder per kind of text.
//!
//! [`detect()`] says what a text is; [`ALL`] lists the compressors; [`compress()`] routes a segment to the one that accepts its kind
//! and weighs the result in tokens. Everything here is pure: no I/O, no clock, no randomness.

mod command;
mod detect;
mod diff;
mod html;
mod json;
mod lines;
mod log;
mod phrases;
pub mod prose;
pub mod repeat;
mod search;
mod table;
pub mod view;
mod weigh;

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
    &command::CommandCompressor,
    &diff::DiffCompressor,
    &html::HtmlCompressor,
    &prose::Kompress::BY_ITSELF,
];
