//! The marks that Headroom writes into text, and the one scanner that finds them.
//!
//! - A *gap mark* stands where units were left out: `[-14 lines 38-51]`, `[-120 rows 4-123]`.
//! - A *short gap mark* says the last of the lines left out, `[-..51]`. It follows a gap mark that says all, and whole lines only stand
//!   between the two, so that the first and the number of the next line follow.
//! - A *trailer* is the last line of a text with omissions: `[-212 of 400 lines; all in hr_4k2m9x7qw3]`.
//!
//! All are ASCII and short, because they are paid for in tokens. Foreign text may contain something that looks like
//! them; only a handle that the store knows means anything, so a look-alike is data.

use std::ops::Range;

use crate::{Handle, Omission, Unit};

/// The mark for one omission, to be written where the units stood.
///
/// A single byte-counted omission is written in bytes; every mark names its first and last unit, so that the reader can ask
/// for exactly that range.
pub fn gap_mark(omission: &Omission) -> String {
    let (count, range) = (omission.count(), omission.range());
    let unit = omission.unit().name(count);
    if count == 1 {
        format!("[-1 {unit} {}]", range.start())
    } else {
        format!("[-{count} {unit} {}-{}]", range.start(), range.end())
    }
}

/// The mark for a further omission of lines where [`gap_mark`] stands for the first and nothing but whole lines of the original stand
/// between them: the line behind it is the one after the number that it names.
pub fn short_gap_mark(omission: &Omission) -> String {
    format!("[-..{}]", omission.range().end())
}

/// The last line of a text with omissions. Omissions of different units, or of parts with different totals, are summed by unit.
pub fn trailer(handle: Handle, omissions: &[Omission]) -> String {
    const UNITS: [Unit; 5] = [Unit::Line, Unit::Row, Unit::Key, Unit::Byte, Unit::Sentence];
    let mut parts = Vec::new();
    for unit in UNITS {
        let of_unit = || omissions.iter().filter(|omission| omission.unit() == unit);
        let omitted: usize = of_unit().map(Omission::count).sum();
        let mut totals = of_unit().map(Omission::total);
        let Some(total) = totals.next() else { continue };
        if totals.all(|other| other == total) {
            parts.push(format!("-{omitted} of {total} {}", unit.name(total)));
        } else {
            parts.push(format!("-{omitted} {}", unit.name(omitted)));
        }
    }
    if parts.is_empty() {
        return format!("[layout changed; original in {handle}]");
    }
    format!("[{}; all in {handle}]", parts.join(", "))
}

/// A handle found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The handle named.
    pub handle: Handle,
    /// Where the handle stands.
    pub span: Range<usize>,
}

/// Every well-formed handle in `text` that stands at a word boundary, in order.
pub fn find_marks(text: &str) -> impl Iterator<Item = Mark> + '_ {
    text.match_indices("hr_").filter_map(|(start, _)| {
        let before = text[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let handle = Handle::parse_at_start(&text[start..])?;
        Some(Mark { handle, span: start..start + Handle::LEN })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HandleKey, Original};

    #[test]
    fn marks_name_the_units_and_the_trailer_sums_them() {
        let original = Original::new(&HandleKey::from_bytes([3; 32]), "text");
        let gaps =
            [Omission::new(&original, Unit::Line, 38..=51, 400), Omission::new(&original, Unit::Line, 60..=60, 400)];
        assert_eq!(gap_mark(&gaps[0]), "[-14 lines 38-51]");
        assert_eq!(gap_mark(&gaps[1]), "[-1 line 60]");
        assert_eq!((short_gap_mark(&gaps[0]), short_gap_mark(&gaps[1])), ("[-..51]".into(), "[-..60]".into()));
        assert_eq!(trailer(original.handle(), &gaps), format!("[-15 of 400 lines; all in {}]", original.handle()));
    }

    #[test]
    fn handles_are_found_at_word_boundaries_only() {
        let handle = Handle::from_bits(123_456_789);
        let text = format!("x{handle} _{handle} é{handle} ({handle}) {handle}x {handle}.");
        let found: Vec<_> = find_marks(&text).map(|mark| text[mark.span.clone()].to_owned()).collect();
        assert_eq!(found, [handle.to_string(), handle.to_string()]);
    }
}
