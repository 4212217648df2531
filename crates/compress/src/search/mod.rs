//! Search results and listings.
//!
//! Everything here is exact: hits keep their line number beside their text, and every name is written. What is saved are the
//! paths that lines share ([`fold`]) and the layout of rows ([`crate::log::exact`]).

pub(crate) mod fold;
pub(crate) mod line;
pub(crate) mod recursive;

use fold::Style;
use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

/// The compressor of search results and listings.
pub(crate) struct SearchCompressor;

impl Compressor for SearchCompressor {
    fn name(&self) -> &'static str {
        "search"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Search
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        if segment.hints.editable {
            return None;
        }
        shortest(segment.text, goal, &|_| false).map(Compressed::exact)
    }
}

/// An exact form of a text must be this many percent shorter in bytes before its tokens are counted.
const WORTH_COUNTING: usize = 4;

/// The exact encoding of lines with the fewest tokens; `None` when none is shorter. Every candidate has been decoded. Lines for which
/// `plain` holds (by number, from 0) are written as they are.
pub(crate) fn shortest(text: &str, goal: &Goal<'_>, plain: &dyn Fn(usize) -> bool) -> Option<String> {
    let (body, terminated) = text.strip_suffix('\n').map_or((text, false), |body| (body, true));
    let lines: Vec<&str> = body.split('\n').collect();
    let worth = |encoded: &String| encoded.len() * 100 <= text.len() * (100 - WORTH_COUNTING);
    let folded = [Style::Flat, Style::Tree]
        .into_iter()
        .filter_map(|style| fold::encode(&lines, terminated, style, plain))
        .filter(worth)
        .filter(|encoded| fold::decode(encoded).as_deref() == Some(text));
    let recursive = [Style::Flat, Style::Tree]
        .into_iter()
        .filter_map(|style| recursive::encode(&lines, terminated, style))
        .filter(worth)
        .filter(|encoded| recursive::decode(encoded).as_deref() == Some(text));
    // Templates would part the text of a hit from its number.
    let templates = if fold::are_hits(&lines) { None } else { crate::log::encode_but(text, plain).filter(worth) };
    let mut candidates: Vec<String> = folded.chain(recursive).chain(templates).collect();
    candidates.dedup();
    match candidates.len() {
        0 | 1 => candidates.pop(),
        _ => candidates.into_iter().min_by_key(|encoded| goal.tokens.count(encoded)),
    }
}

#[cfg(test)]
mod tests;
