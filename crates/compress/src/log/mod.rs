//! Logs.

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

/// The log compressor.
pub struct LogCompressor;

impl Compressor for LogCompressor {
    fn name(&self) -> &'static str {
        "log"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Log
    }

    fn compress(&self, _segment: &Segment<'_>, _goal: &Goal<'_>) -> Option<Compressed> {
        None
    }
}
