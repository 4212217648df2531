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
pub mod prose;
pub mod repeat;
mod search;
mod table;
pub mod view;
mod weigh;

pub use detect::{Detection, Piece, detect, split};
pub use weigh::{Outcome, compress, compress_with};

use headroom_core::Compressor;

/// Every compressor, in the order they are asked.
pub static ALL: &[&dyn Compressor] = &[
    &json::SmartCrusher,
    &table::TableCompressor,
    &log::LogCompressor,
    &search::SearchCompressor,
    &command::CommandCompressor,
    &diff::DiffCompressor,
    &html::HtmlCompressor,
    &prose::Kompress,
];
