//! Writing the rows that stay, and a mark for each gap.

use headroom_core::{Omission, Original, Unit, gap_mark};

use crate::rows::Rows;

/// A mark costs about as many tokens as this many bytes of code: a gap that hides less is not worth it.
const MARK_BYTES: usize = 40;

/// Keeps rows whose mark would cost as much as they do. Blank rows beside a gap join it.
pub(crate) fn settle_gaps(rows: &Rows<'_>, kept: &mut [bool]) {
    for row in 1..kept.len() {
        if !kept[row - 1] && rows.is_blank(row) {
            kept[row] = false;
        }
    }
    for row in (1..kept.len()).rev() {
        if !kept[row] && rows.is_blank(row - 1) {
            kept[row - 1] = false;
        }
    }
    let mut at = 0;
    while at < kept.len() {
        let run = kept[at..].iter().take_while(|is_kept| **is_kept == kept[at]).count();
        let hidden: usize = (at..at + run).map(|row| rows.row(row).trim_ascii().len()).sum();
        if !kept[at] && hidden <= MARK_BYTES {
            kept[at..at + run].fill(true);
        }
        at += run;
    }
}

/// The rows that stay, byte for byte and in order. Where rows are missing a mark says which; it stands in a comment of its own
/// beginning with `comment`, or bare where a comment or string is around it (`inner`).
pub(crate) fn write(
    rows: &Rows<'_>,
    kept: &[bool],
    inner: &dyn Fn(usize) -> bool,
    comment: &str,
    original: &Original<'_>,
) -> (String, Vec<Omission>) {
    let (mut text, mut omissions) = (String::with_capacity(rows.text.len() / 4), Vec::new());
    let mut at = 0;
    while at < kept.len() {
        if kept[at] {
            text.push_str(rows.row(at));
            at += 1;
            continue;
        }
        let run = kept[at..].iter().take_while(|is_kept| !**is_kept).count();
        let omission = Omission::new(original, Unit::Line, at + 1..=at + run, kept.len());
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let first = (at..at + run).find(|row| !rows.is_blank(*row)).unwrap_or(at);
        text.push_str(rows.indentation(first));
        if !inner(first) {
            text.push_str(comment);
            text.push(' ');
        }
        text.push_str(&gap_mark(&omission));
        text.push('\n');
        omissions.push(omission);
        at += run;
    }
    (text, omissions)
}
