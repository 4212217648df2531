//! What a text is (part of ContentRouter). One file per kind; structure decides, and doubt means [`Kind::Opaque`].

mod json;
mod table;

use headroom_core::{Kind, Segment};

/// What a text was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The kind; [`Kind::Opaque`] when nothing was certain.
    pub kind: Kind,
}

/// Finds out what the segment's text is. Linear, and looks at a bounded sample where that is enough.
pub fn detect(segment: &Segment<'_>) -> Detection {
    Detection { kind: segment.hints.kind.unwrap_or_else(|| of_text(segment.text)) }
}

fn of_text(text: &str) -> Kind {
    if json::is_json(text) {
        Kind::Json
    } else if table::is_table(text) {
        Kind::Table
    } else {
        Kind::Opaque
    }
}
