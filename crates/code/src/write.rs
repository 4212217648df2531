//! Writing the rows that stay, and a mark for each gap.

use headroom_core::{Omission, Original, Unit, gap_mark, short_gap_mark};

use crate::opaque;
use crate::rows::Rows;
use crate::skeleton::Named;

/// How gaps are marked.
#[derive(Clone, Copy)]
pub(crate) enum Marks<'a> {
    /// So that the text still parses: in a comment of its own that begins with `comment`, indented as what it stands for, or bare where a
    /// comment or string is around it (`inner`).
    Commented { comment: &'a str, inner: &'a [bool] },
    /// For a text of which rows are read one by one: bare and, after the first, short. The rows of `named` have marks of their own, with the names
    /// behind them that they define, as they stand in `names`.
    Bare { named: &'a [Named], names: &'a str },
}

impl<'a> Marks<'a> {
    const fn named(self) -> &'a [Named] {
        match self {
            Self::Commented { .. } => &[],
            Self::Bare { named, .. } => named,
        }
    }

    /// A mark costs about as many tokens as this many bytes of code: a gap that hides less is not worth it.
    const fn bytes(self) -> usize {
        match self {
            Self::Commented { .. } => 40,
            Self::Bare { .. } => 12,
        }
    }
}

/// Keeps rows whose mark would cost as much as they do. Blank rows beside a gap join it.
pub(crate) fn settle_gaps(rows: &Rows<'_>, kept: &mut [bool], marks: Marks<'_>) {
    // What has a mark of its own is no part of a gap.
    let named = marks.named().iter().map(|(rows, _)| rows.clone());
    named.clone().for_each(|rows| kept[rows].fill(true));
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
        if !kept[at] && hidden <= marks.bytes() {
            kept[at..at + run].fill(true);
        }
        at += run;
    }
    named.for_each(|rows| kept[rows].fill(false));
}

/// The rows that stay, byte for byte and in order. Where rows are missing a mark says which.
pub(crate) fn write(
    rows: &Rows<'_>,
    kept: &[bool],
    marks: Marks<'_>,
    original: &Original<'_>,
) -> (String, Vec<Omission>) {
    let (mut text, mut omissions) = (String::with_capacity(rows.text.len() / 4), Vec::new());
    let (mut at, mut is_first, mut next) = (0, true, 0);
    while at < kept.len() {
        if kept[at] {
            match marks {
                Marks::Commented { .. } => text.push_str(rows.row(at)),
                Marks::Bare { .. } => without_data(rows, at, original, &mut text, &mut omissions),
            }
            at += 1;
            continue;
        }
        let gap = kept[at..].iter().take_while(|is_kept| !**is_kept).count();
        let (run, own) = match marks.named().get(next) {
            Some((rows, names)) if rows.start == at => (rows.len(), names.as_slice()),
            Some((rows, _)) if rows.start < at + gap => (rows.start - at, [].as_slice()),
            _ => (gap, [].as_slice()),
        };
        let omission = Omission::new(original, Unit::Line, at + 1..=at + run, kept.len());
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        match marks {
            Marks::Commented { comment, inner } => {
                let first = (at..at + run).find(|row| !rows.is_blank(*row)).unwrap_or(at);
                text.push_str(rows.indentation(first));
                if !inner.get(first).is_some_and(|inner| *inner) {
                    text.push_str(comment);
                    text.push(' ');
                }
                text.push_str(&gap_mark(&omission));
            }
            Marks::Bare { names, .. } => {
                text.push_str(&if is_first { gap_mark(&omission) } else { short_gap_mark(&omission) });
                for name in own {
                    text.push(' ');
                    text.push_str(&names[name.clone()]);
                }
                next += usize::from(!own.is_empty());
            }
        }
        is_first = false;
        text.push('\n');
        omissions.push(omission);
        at += run;
    }
    (text, omissions)
}

/// Writes a row without the data in it.
fn without_data(
    rows: &Rows<'_>,
    row: usize,
    original: &Original<'_>,
    text: &mut String,
    omissions: &mut Vec<Omission>,
) {
    let (line, mut from) = (rows.row(row), 0);
    for data in opaque::runs(line) {
        let start = rows.start(row);
        let omission = Omission::new(original, Unit::Byte, start + data.start + 1..=start + data.end, rows.text.len());
        text.push_str(&line[from..data.start]);
        text.push_str(&gap_mark(&omission));
        omissions.push(omission);
        from = data.end;
    }
    text.push_str(&line[from..]);
}
