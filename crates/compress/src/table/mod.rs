//! Tables: CSV, TSV, Markdown, `psql`, and the fixed-width columns of `kubectl`, `docker ps` and `ps`.
//!
//! A text is parsed into a [`Grid`] that can be [rendered](Grid::render) back to the same bytes. The compact form
//! ([`compact`]) drops padding and rulers and writes what nearly all rows say once, in the header; it is read back and
//! rendered before it is used, and whatever does not come back byte for byte is left alone.

mod compact;
mod fixed;
mod ruled;
mod separated;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use headroom_core::{Compressed, Compressor, Goal, Kind, Omission, Segment, Unit, gap_mark};

use crate::json;

/// The table compressor.
pub(crate) struct TableCompressor;

impl Compressor for TableCompressor {
    fn name(&self) -> &'static str {
        "table"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Table
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        // Another layout cannot be quoted in an edit.
        if segment.hints.editable {
            return None;
        }
        let grid = parse(segment.text)?;
        let compact_form = exact(&grid, segment.text);
        let exact = |compact: Option<String>| shorter(compact, segment.text, goal).map(Compressed::exact);
        let Some(original) = goal.original() else { return exact(compact_form) };
        let Some(shown) = json::shown_rows(&grid.rows) else { return exact(compact_form) };
        let compact = compact::Compact::new(&grid);
        let names = name_columns(&grid);
        let mut body = compact.head();
        let mut omissions = Vec::new();
        let mut row = 0;
        while row < grid.rows.len() {
            if shown[row] {
                body.push_str(&compact.row(row));
                row += 1;
                continue;
            }
            let end = shown[row..].iter().position(|shown| *shown).map_or(shown.len(), |length| row + length);
            let omission = Omission::new(original, Unit::Row, row + 1..=end, grid.rows.len());
            body.push_str(&gap_mark(&omission));
            // The names of the rows are what a reader would ask for them by.
            for cells in &grid.rows[row..end] {
                for column in &names {
                    body.push(' ');
                    body.push_str(cells[*column].trim());
                }
            }
            body.push('\n');
            omissions.push(omission);
            row = end;
        }
        body.push_str(&grid.tail);
        let best = compact_form.as_ref().map_or(segment.text.len(), String::len);
        if body.len() * CLEARLY > best {
            let exact = exact(compact_form);
            let best = exact.as_ref().map_or(segment.text.len(), |exact| exact.text.len());
            if body.len() * 10 > best * 9 {
                return exact;
            }
        }
        Some(Compressed::omitting(body, original, omissions))
    }
}

/// No other exact form was seen to bring a compact one to this fraction.
const CLEARLY: usize = 2;

/// The columns that name a row: the first one, and where that repeats itself (the user in `ps`), the first that does not.
fn name_columns(grid: &Grid<'_>) -> Vec<usize> {
    let distinct = |column: usize| {
        let mut values: Vec<_> = grid.rows.iter().map(|cells| cells[column].as_ref()).collect();
        values.sort_unstable();
        values.dedup();
        values.len() * 10 >= grid.rows.len() * 9
    };
    if distinct(0) {
        return vec![0];
    }
    // Where none tells rows apart alone, two do so together as far as columns can: command and process in `lsof`.
    let second = (1..grid.header.len()).find(|column| distinct(*column)).or((grid.header.len() > 1).then_some(1));
    [0].into_iter().chain(second).collect()
}

/// The compact form of `text`, proved by reading and rendering it.
fn exact(grid: &Grid<'_>, text: &str) -> Option<String> {
    let written = compact::Compact::new(grid).whole();
    (decode(&written).as_deref() == Some(text)).then_some(written)
}

/// So many rows are tried before all of them.
#[cfg(feature = "command")]
const TRIED: usize = 40;

/// The compact form, or that of rows of command output where that has clearly fewer tokens: many words in a row, or in a column, are the same.
#[cfg(feature = "command")]
fn shorter(compact: Option<String>, text: &str, goal: &Goal<'_>) -> Option<String> {
    let best = compact.as_deref().unwrap_or(text);
    // The first rows say whether there is anything to be gained from all of them.
    let head = |text: &'_ str| text.match_indices('\n').nth(TRIED).map_or(text.len(), |(end, _)| end);
    let tried = crate::command::rows_of_table(&text[..head(text)]);
    if tried.is_none_or(|tried| goal.tokens.count(&tried) * 10 > goal.tokens.count(&best[..head(best)]) * 9) {
        return compact;
    }
    let Some(rows) = crate::command::rows_of_table(text) else { return compact };
    // Another layout is no reason by itself to give up a table that reads like one.
    if goal.tokens.count(&rows) * 10 > goal.tokens.count(best) * 9 {
        return compact;
    }
    Some(rows)
}

#[cfg(not(feature = "command"))]
fn shorter(compact: Option<String>, _: &str, _: &Goal<'_>) -> Option<String> {
    compact
}

/// The text that was written compactly.
pub(crate) fn decode(written: &str) -> Option<String> {
    let compact = compact::read(written).map(|grid| grid.render());
    #[cfg(feature = "command")]
    let compact = compact.or_else(|| crate::command::decode(written));
    compact
}

/// What a table's text is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid<'a> {
    style: Style,
    header: Vec<Cow<'a, str>>,
    /// As many cells each as the header.
    rows: Vec<Vec<Cow<'a, str>>>,
    /// What follows the last row, with its line ends: the count of rows that `psql` prints, or nothing.
    tail: Cow<'a, str>,
}

/// How cells were laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    /// Cells between separators, quotes kept as they stand; lines end as `end` says, the last one too if `closed`.
    Separated { separator: char, crlf: bool, closed: bool },
    /// Columns at fixed places.
    Fixed { columns: Vec<fixed::Column>, closed: bool },
    /// Cells between bars, padded, with a ruler under the header.
    Ruled(ruled::Style),
}

impl Grid<'_> {
    fn render(&self) -> String {
        match &self.style {
            Style::Separated { separator, crlf, closed } => separated::render(self, *separator, *crlf, *closed),
            Style::Fixed { columns, closed } => fixed::render(self, columns, *closed),
            Style::Ruled(style) => ruled::render(self, style),
        }
    }
}

/// The table that `text` is, if its structure leaves no doubt.
pub(crate) fn parse(text: &str) -> Option<Grid<'_>> {
    ruled::parse(text)
        .or_else(|| fixed::parse(text))
        .or_else(|| separated::parse(text))
        .filter(|grid| grid.render() == text)
}
