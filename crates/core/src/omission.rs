//! What was left out of a text.

use std::fmt;
use std::ops::RangeInclusive;

use crate::{Handle, Original};

/// The source's own unit that an omission counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Lines of the original, from 1.
    Line,
    /// Elements of a JSON array or rows of a table, from 1.
    Row,
    /// Keys of a JSON object.
    Key,
    /// Bytes of the original, from 1: for texts without lines.
    Byte,
    /// Sentences of the original, from 1.
    Sentence,
}

impl Unit {
    /// The unit's name for a count: `line`, `lines`.
    pub const fn name(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Line, 1) => "line",
            (Self::Line, _) => "lines",
            (Self::Row, 1) => "row",
            (Self::Row, _) => "rows",
            (Self::Key, 1) => "key",
            (Self::Key, _) => "keys",
            (Self::Byte, 1) => "byte",
            (Self::Byte, _) => "bytes",
            (Self::Sentence, 1) => "sentence",
            (Self::Sentence, _) => "sentences",
        }
    }
}

/// A run of units that the compressed text does not show.
///
/// It can only be made from an [`Original`], and the engine lets no text out that names an original it has not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    handle: Handle,
    unit: Unit,
    range: RangeInclusive<usize>,
    total: usize,
}

impl Omission {
    /// The units `range` (from 1, both ends included) of the `total` units of `original`, or of the part of it that the
    /// unit counts (the rows of one array).
    ///
    /// A range that is empty, starts at 0 or ends past `total` is brought inside; it would otherwise claim units that
    /// do not exist.
    pub fn new(original: &Original<'_>, unit: Unit, range: RangeInclusive<usize>, total: usize) -> Self {
        let start = (*range.start()).clamp(1, total.max(1));
        let end = (*range.end()).clamp(start, total.max(start));
        Self { handle: original.handle(), unit, range: start..=end, total }
    }

    /// How many units are left out.
    pub fn count(&self) -> usize {
        self.range.end() - self.range.start() + 1
    }

    /// Which units are left out, from 1, both ends included.
    pub fn range(&self) -> RangeInclusive<usize> {
        self.range.clone()
    }

    /// The unit counted.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// How many units there were: kept + omitted.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Where the original is.
    pub const fn handle(&self) -> Handle {
        self.handle
    }
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}-{}", self.count(), self.unit.name(self.count()), self.range.start(), self.range.end())
    }
}
