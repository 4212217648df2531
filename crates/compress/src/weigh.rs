//! Routing one segment, and weighing what came back in tokens.

use std::cell::RefCell;

use headroom_core::{Compressed, Compressor, CountTokens, Goal, Hints, Kind, Reason, Segment, Shape};

use crate::log::lex;
use crate::{ALL, detect};

/// Texts of fewer bytes than this are never touched: no gain there pays for the reader's attention.
const FLOOR_BYTES: usize = 400;

/// An exact encoding must save at least this many tokens.
const FLOOR_EXACT: usize = 24;

/// Whatever is done must save this part of the text: less is not worth reading another notation.
const SHARE: usize = 25;

/// Omissions must save at least this many tokens, trailer included: one retrieval costs about as much.
pub(crate) const FLOOR_OMITTING: usize = 120;

/// What became of one segment.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the text was found to be.
    pub kind: Kind,
    /// Name of the compressor that was asked, if one was.
    pub compressor: Option<&'static str>,
    /// The shorter text, when it is worth sending.
    pub compressed: Option<Compressed>,
    /// Why.
    pub reason: Reason,
    /// Tokens of the original and of the compressed text; 0 and 0 when nothing was counted.
    pub tokens: (usize, usize),
}

/// Detects, compresses and weighs one segment. Total: with nothing to gain the outcome has no text.
pub fn compress(segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    compress_with(&[], segment, goal)
}

/// [`compress`] with more compressors than [`ALL`], which are asked before those: of crates that this one does not know, or with
/// settings of the caller's.
pub fn compress_with(more: &[&dyn Compressor], segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    if segment.text.len() < FLOOR_BYTES {
        let kind = segment.hints.kind.unwrap_or(Kind::Opaque);
        return Outcome { kind, compressor: None, compressed: None, reason: Reason::BelowFloor, tokens: (0, 0) };
    }
    let kind = detect(segment).kind;
    let outcome = |compressor: Option<&dyn Compressor>, compressed, reason, tokens| Outcome {
        kind,
        compressor: compressor.map(Compressor::name),
        compressed,
        reason,
        tokens,
    };
    // A compressor of several kinds learns here which it is.
    let segment = &Segment { hints: Hints { kind: Some(kind), ..segment.hints }, ..*segment };
    let Some(compressor) = more.iter().chain(ALL).copied().find(|compressor| compressor.accepts(kind)) else {
        return outcome(None, None, Reason::Opaque, (0, 0));
    };
    let tokens = CountedOnce { tokens: goal.tokens, known: RefCell::default() };
    let Some(compressed) = compressor.compress(segment, &Goal { tokens: &tokens, ..*goal }) else {
        return outcome(Some(compressor), None, Reason::NoGain, (0, 0));
    };
    let before = tokens.count(segment.text);
    let after = tokens.count(&compressed.text);
    let floor = match compressed.shape {
        Shape::Exact => FLOOR_EXACT,
        Shape::Omitting { .. } => FLOOR_OMITTING,
    };
    if after + floor.max(before / SHARE) > before {
        return outcome(Some(compressor), None, Reason::NoGain, (before, after));
    }
    outcome(Some(compressor), Some(compressed), Reason::Compressed, (before, after))
}

/// Remembers the counts of texts. A compressor that weighs one form against another has counted what is weighed here again: the text
/// itself, and the form that it chose. Two texts of one length made to have one hash would get one count, and be weighed wrongly, no more.
struct CountedOnce<'a> {
    tokens: &'a dyn CountTokens,
    /// A few texts by length and hash, with their tokens.
    known: RefCell<Vec<((usize, u64), usize)>>,
}

impl CountTokens for CountedOnce<'_> {
    fn count(&self, text: &str) -> usize {
        let key = (text.len(), lex::hash(text.as_bytes()));
        let found = self.known.borrow().iter().find(|(known, _)| *known == key).map(|(_, tokens)| *tokens);
        found.unwrap_or_else(|| {
            let tokens = self.tokens.count(text);
            self.known.borrow_mut().push((key, tokens));
            tokens
        })
    }
}
