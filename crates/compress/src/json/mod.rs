//! SmartCrusher: JSON.
//!
//! The text is parsed into a value that keeps everything ([`value`]), written in a notation that names keys once ([`write`]),
//! and read back ([`read`]) before it is used: if the two values differ in anything, the text is left alone.

mod cost;
mod layout;
mod parse;
mod read;
mod value;
mod words;
mod write;

#[cfg(test)]
mod tests;

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

/// The JSON compressor.
pub struct SmartCrusher;

impl Compressor for SmartCrusher {
    fn name(&self) -> &'static str {
        "json"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Json
    }

    fn compress(&self, segment: &Segment<'_>, _goal: &Goal<'_>) -> Option<Compressed> {
        Some(Compressed::exact(encode(segment.text)?))
    }
}

/// The exact encoding of one JSON text, proved by decoding it; `None` for what is no JSON or does not come back.
pub(crate) fn encode(text: &str) -> Option<String> {
    let node = parse::parse(text)?;
    let written = write::write(&node)?;
    read::read(&written)?.same(&node).then_some(written)
}
