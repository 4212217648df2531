//! Cells between bars with a ruler under the header: Markdown tables and what `psql` and `mysql` print.

use std::borrow::Cow;

use super::Grid;

/// How the bars and blanks stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// `|` for Markdown, `+` for `psql`: what parts the pieces of the ruler.
    pub(super) cross: char,
    /// Dashes of each piece of the ruler; colons for alignment stay in it.
    pub(super) ruler: Vec<String>,
    pub(super) closed: bool,
}

pub(super) fn parse(text: &str) -> Option<Grid<'_>> {
    let closed = text.ends_with('\n');
    let mut lines = text.split_inclusive('\n');
    let (first, second) = (lines.next()?.trim_end_matches('\n'), lines.next()?.trim_end_matches('\n'));
    if !second.bytes().all(|byte| matches!(byte, b'-' | b':' | b'|' | b'+' | b' '))
        || !second.contains("--")
        || memchr::memchr(b'\r', text.as_bytes()).is_some()
    {
        return None;
    }
    let cross = if second.contains('+') { '+' } else { '|' };
    let header = cells(first, cross)?;
    let ruler: Vec<_> = match cross {
        '|' => cells(second, cross)?.into_iter().map(Cow::into_owned).collect(),
        _ => second.split('+').map(str::to_owned).collect(),
    };
    if header.len() < 2 || ruler.len() != header.len() || ruler.iter().any(|piece| piece.contains(['|', '+', ' '])) {
        return None;
    }
    let mut rows = Vec::new();
    let mut at = first.len() + second.len() + 2;
    for line in lines {
        let Some(row) = cells(line.trim_end_matches('\n'), cross).filter(|row| row.len() == header.len()) else {
            break;
        };
        rows.push(row);
        at += line.len();
    }
    // Anything but the count of rows after the table makes it a document with a table in it.
    let tail = text.get(at..).unwrap_or_default();
    let counted = cross == '+'
        && tail.starts_with('(')
        && tail.trim_end().ends_with([')'])
        && tail.trim_end().lines().count() == 1;
    (rows.len() >= 2 && (tail.is_empty() || counted)).then_some(Grid {
        style: super::Style::Ruled(Style { cross, ruler, closed }),
        header,
        rows,
        tail: Cow::Borrowed(tail),
    })
}

/// The trimmed cells of a line; `None` if it is no row, or a bar is escaped.
fn cells(line: &str, cross: char) -> Option<Vec<Cow<'_, str>>> {
    let inner = match cross {
        '|' => line.strip_prefix('|')?.strip_suffix('|')?,
        _ => line,
    };
    if line.contains("\\|") || !inner.contains('|') {
        return None;
    }
    Some(inner.split('|').map(|cell| Cow::Borrowed(cell.trim_matches(' '))).collect())
}

pub(super) fn render(grid: &Grid<'_>, style: &Style) -> String {
    let columns = 0..grid.header.len();
    let all = || std::iter::once(&grid.header).chain(&grid.rows);
    let width = |place: usize| all().map(|cells| cells[place].chars().count()).max().unwrap_or(0);
    let number = |place: usize| grid.rows.iter().all(|cells| cells[place].is_empty() || is_number(&cells[place]));
    let widths: Vec<_> = columns.clone().map(width).collect();
    let numbers: Vec<_> = columns.map(number).collect();
    let mut text = String::new();
    for (row, cells) in all().enumerate() {
        if style.cross == '|' {
            text.push('|');
        }
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                text.push('|');
            }
            let padding = widths[place].max(ruler_width(style, place)) - cell.chars().count();
            let last = style.cross == '+' && place + 1 == cells.len();
            let before = match (style.cross, row) {
                ('|', _) => 0,
                (_, 0) => padding / 2,
                _ if numbers[place] => padding,
                _ => 0,
            };
            let after = if last && row > 0 { 0 } else { padding - before };
            text.push(' ');
            text.extend(std::iter::repeat_n(' ', before));
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', after));
            if !(last && row > 0) {
                text.push(' ');
            }
        }
        if style.cross == '|' {
            text.push('|');
        }
        text.push('\n');
        if row == 0 {
            text.push_str(&ruler(style));
        }
    }
    text.push_str(&grid.tail);
    if !style.closed && grid.tail.is_empty() {
        text.pop();
    }
    text
}

/// Width that the ruler gives a column: Markdown pads cells to it.
fn ruler_width(style: &Style, place: usize) -> usize {
    let length = style.ruler[place].chars().count();
    if style.cross == '|' { length } else { length.saturating_sub(2) }
}

fn ruler(style: &Style) -> String {
    match style.cross {
        '|' => format!("| {} |\n", style.ruler.join(" | ")),
        _ => format!("{}\n", style.ruler.join("+")),
    }
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && cell.parse::<f64>().is_ok()
}
