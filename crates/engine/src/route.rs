//! Which compressors there are for a text, those of `headroom-compress` and the one for code, and which of them the settings allow.

use headroom_compress::prose::Kompress;
use headroom_compress::{ALL, Outcome, compress_with, detect};
use headroom_core::{Compressor, Goal, Hints, Kind, Language, Level, Segment};

use crate::Kinds;

/// The compressors of other crates.
#[cfg(feature = "code")]
const MORE: &[&dyn Compressor] = &[&headroom_code::CodeCompressor];
#[cfg(not(feature = "code"))]
const MORE: &[&dyn Compressor] = &[];

/// Detects, compresses and weighs one text (ContentRouter), as far as the settings for its kind allow.
pub(crate) fn compress(kinds: &Kinds, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    if kinds.is_default() {
        return compress_with(MORE, segment, goal);
    }
    let kind = detect(segment).kind;
    if let Err(reason) = kinds.admits(kind, segment.text, goal.tokens) {
        return Outcome { kind, compressor: None, compressed: None, reason, tokens: (0, 0) };
    }
    let segment = Segment { hints: Hints { kind: Some(kind), ..segment.hints }, ..*segment };
    let goal = Goal { level: lower(goal.level, kinds.level(kind)), ..*goal };
    match kinds.prose_ratio().filter(|_| kind == Kind::Prose) {
        Some(share) => compress_with(&[&Kompress::with_ratio(share)], &segment, &goal),
        None => compress_with(MORE, &segment, &goal),
    }
}

/// The names of all compressors.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().chain(MORE).map(|compressor| compressor.name())
}

/// The lower of what the request allows and what the settings do.
fn lower<'a>(asked: Level<'a>, most: crate::Level) -> Level<'a> {
    match (asked, most) {
        (_, crate::Level::Lossless) => Level::Exact,
        (Level::Standard { original }, crate::Level::Light) => Level::Light { original },
        (asked, _) => asked,
    }
}

/// The languages that code is compressed in.
pub(crate) fn languages() -> impl Iterator<Item = Language> {
    #[cfg(feature = "code")]
    return headroom_code::languages();
    #[cfg(not(feature = "code"))]
    return std::iter::empty();
}
