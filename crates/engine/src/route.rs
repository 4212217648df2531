//! Which compressors there are for a text: those of `headroom-compress`, and the one for code.

use headroom_code::CodeCompressor;
use headroom_compress::{Outcome, compress_with};
use headroom_core::{Goal, Segment};

/// Detects, compresses and weighs one text (ContentRouter).
pub(crate) fn compress(segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    compress_with(&[&CodeCompressor], segment, goal)
}
