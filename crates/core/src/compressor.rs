//! The contract between the engine and the compressors.

use crate::{Handle, Kind, Omission, Original, Segment};

/// One way to make one or more kinds of text shorter.
///
/// The engine calls [`compress`](Self::compress) at most once per segment, after detection, inside a bounded pool and under a
/// work budget. An implementation must be
///
/// - *total*: any text is accepted, nothing panics; "nothing to offer" is `None`;
/// - *deterministic*: the same segment and goal give the same bytes on every machine, in every process;
/// - *linear* in the length of the text;
/// - *honest*: it leaves out only what it returns as an [`Omission`], marks each gap where it is, and keeps every kept unit
///   byte for byte; with [`Level::Exact`](crate::Level::Exact) it leaves out nothing and its decoder gives the input back.
///
/// Whether the result is worth using (tokens saved, cost of the handle) is weighed by the engine, not here.
pub trait Compressor: Sync {
    /// Stable name for receipts and reports: `json`, `log`.
    fn name(&self) -> &'static str;

    /// Whether texts of this kind are its business.
    fn accepts(&self, kind: Kind) -> bool;

    /// The shorter text, or `None` when there is nothing to offer.
    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed>;
}

/// How far a compressor may go.
#[derive(Clone, Copy)]
pub struct Goal<'a> {
    /// Exact only, or omissions too.
    pub level: Level<'a>,
    /// Counts tokens of the target model; used to choose between encodings, not on every line.
    pub tokens: &'a dyn CountTokens,
}

impl<'a> Goal<'a> {
    /// The original that omissions can be made from, if any unit may be left out.
    pub fn original(&self) -> Option<&'a Original<'a>> {
        match self.level {
            Level::Exact | Level::Light { .. } => None,
            Level::Standard { original } => Some(original),
        }
    }
}

/// Exact encodings only, omissions of what has no effect, or omissions.
#[derive(Clone, Copy, Debug)]
pub enum Level<'a> {
    /// Only encodings whose decoder gives the input back.
    Exact,
    /// Exact encodings, and omissions of what has no effect on what the text does: comments of a program. Other kinds of text know no
    /// such part and are treated as at [`Level::Exact`].
    Light {
        /// What omissions are made from.
        original: &'a Original<'a>,
    },
    /// Whole units may be left out, because the original will be kept.
    Standard {
        /// What omissions are made from.
        original: &'a Original<'a>,
    },
}

/// Counts tokens.
pub trait CountTokens {
    /// Tokens of `text` for the model in question.
    fn count(&self, text: &str) -> usize;
}

impl<F: Fn(&str) -> usize> CountTokens for F {
    fn count(&self, text: &str) -> usize {
        self(text)
    }
}

/// A shorter text and what became of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The text to send. When there are omissions its last line is the trailer that names the handle.
    pub text: String,
    /// What the text is now.
    pub shape: Shape,
}

impl Compressed {
    /// An encoding whose decoder gives the input back.
    pub const fn exact(text: String) -> Self {
        Self { text, shape: Shape::Exact }
    }

    /// A text with whole units left out. `body` carries a gap mark at every omitted place (see [`crate::gap_mark`]); the trailer
    /// with the handle is appended here, so that no compressor can forget it.
    ///
    /// Without omissions the body is a rewriting that lost layout only, such as trailing blanks or colour codes, or that says itself
    /// what it shortened, such as object ids; it is still not exact, so the trailer is written all the same.
    pub fn omitting(mut body: String, original: &Original<'_>, omissions: Vec<Omission>) -> Self {
        if !body.is_empty() && !body.ends_with('\n') {
            body.push('\n');
        }
        body.push_str(&crate::trailer(original.handle(), &omissions));
        Self { text: body, shape: Shape::Omitting { handle: original.handle(), omissions } }
    }

    /// What was left out, in order.
    pub fn omissions(&self) -> &[Omission] {
        match &self.shape {
            Shape::Exact => &[],
            Shape::Omitting { omissions, .. } => omissions,
        }
    }

    /// The handle that the text names, if it names one.
    pub const fn handle(&self) -> Option<Handle> {
        match &self.shape {
            Shape::Exact => None,
            Shape::Omitting { handle, .. } => Some(*handle),
        }
    }
}

/// Whether a compressed text holds everything, or names a handle for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A decoder gives the original back.
    Exact,
    /// Units were left out; the original is kept under the handle.
    Omitting {
        /// Handle of the original.
        handle: Handle,
        /// What was left out, in order of place.
        omissions: Vec<Omission>,
    },
}
