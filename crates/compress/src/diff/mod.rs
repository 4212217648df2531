//! Unified diffs.
//!
//! Exact ([`exact`]): names and counts that say again what other lines say go; the decoder gives the bytes back, so a patch still
//! applies. Standard ([`fold`]): every changed line stays; context away from changes and lock files are left out. The result is no
//! patch any more, which its gap marks say. The header of a hunk whose neighbours are left out stands behind their mark:
//! `[-7 lines 105-111] @@ -93 +95 @@ fn x`. Runs of changed lines are enclosed as in the exact form.

mod edits;
mod exact;
pub(crate) mod fold;
mod signs;

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use exact::Changes;
pub(crate) use exact::decode;

use crate::lines;

/// Shorter diffs are read line by line, often to be applied: they stay as they are.
const SMALL: usize = 150;

/// Where leaving out context brings a diff to this many percent of its bytes, its exact encoding, which has that context, is not looked at.
const CLEARLY: usize = 80;

/// The compressor of diffs.
pub(crate) struct DiffCompressor;

impl Compressor for DiffCompressor {
    fn name(&self) -> &'static str {
        "diff"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Diff
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        if segment.hints.editable {
            return None;
        }
        let text = segment.text;
        let encode = |text: &str, changes| {
            exact::encode(text, changes).filter(|encoded| decode(encoded).as_deref() == Some(text))
        };
        let Some(original) = goal.original() else { return encode(text, Changes::Joined).map(Compressed::exact) };
        // Where lines may be left out, those that are left are to be found word for word.
        let exact = || encode(text, Changes::Verbatim).map(Compressed::exact);
        let lines = lines::split(text);
        if lines.len() < SMALL {
            return exact();
        }
        let bodies: Vec<&str> = lines.iter().map(|line| lines::body(line)).collect();
        let mut keep = fold::keep(&bodies);
        lines::fill_small_gaps(&lines, &mut keep);
        if keep.iter().all(|kept| *kept) {
            return exact();
        }
        let mut said = fold::join_gaps(&bodies, &mut keep);
        fold::join_first(&bodies, &mut keep, &mut said);
        let (body, omissions) = lines::omit_named(original, &keep, |line| lines[line], |line| said[line].as_str());
        let body = encode(&body, Changes::Verbatim).unwrap_or(body);
        let omitting = Compressed::omitting(body, original, omissions);
        if omitting.text.len() * 100 <= text.len() * CLEARLY {
            return Some(omitting);
        }
        let tokens = |text: &String| goal.tokens.count(text);
        Some(exact().filter(|exact| tokens(&exact.text) <= tokens(&omitting.text)).unwrap_or(omitting))
    }
}

#[cfg(test)]
mod tests;
