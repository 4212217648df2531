//! Columns at fixed places, as `kubectl`, `docker ps`, `ps` and `df` print them.

use std::borrow::Cow;

use super::{Grid, Style};

/// Where a column starts and ends (in characters), and which side its cells are padded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) right: bool,
}

/// Fewer rows prove nothing.
const MIN_ROWS: usize = 2;

pub(super) fn parse(text: &str) -> Option<Grid<'_>> {
    let first = text.lines().next()?;
    if !first.contains("  ") && !first.starts_with(' ') && first.split(' ').count() < 3 {
        return None;
    }
    if !first.split_ascii_whitespace().all(is_title) {
        return None;
    }
    if memchr::memchr2(b'\t', b'\r', text.as_bytes()).is_some() {
        return None;
    }
    let (text, tail) = split_tail(text);
    if tail.len() * TAIL_SHARE > text.len() {
        return None;
    }
    let closed = text.ends_with('\n');
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    if lines.len() <= MIN_ROWS || lines.iter().any(|line| line.text.is_empty()) {
        return None;
    }
    let columns = columns(&lines)?;
    let mut header = None;
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        let last = columns.len() - 1;
        let cells = columns
            .iter()
            .enumerate()
            .map(|(place, column)| Cow::Borrowed(line.cell(*column, place == last)))
            .collect();
        match header {
            None => header = Some(cells),
            Some(_) => rows.push(cells),
        }
    }
    let header = header?;
    Some(Grid { style: Style::Fixed { columns, closed }, header, rows, tail: Cow::Borrowed(tail) })
}

/// What follows a table may be as long as this fraction of it: the legend that `systemctl` prints, a sum.
const TAIL_SHARE: usize = 4;

/// The rows up to the first blank line, and the rest with it.
pub(super) fn split_tail(text: &str) -> (&str, &str) {
    memchr::memmem::find(text.as_bytes(), b"\n\n").map_or((text, ""), |at| text.split_at(at + 1))
}

/// A word of a header: `NAME`, `%CPU`, `PORT(S)`, `Mounted`, but not a number or a path.
fn is_title(word: &str) -> bool {
    let mut letters = word.chars().filter(|c| c.is_alphabetic());
    letters.next().is_some_and(char::is_uppercase) || matches!(word, "on" | "%" | "of")
}

/// The columns between the places where every line is blank.
fn columns(lines: &[Line<'_>]) -> Option<Vec<Column>> {
    let width = lines.iter().map(|line| line.length()).max()?;
    let mut filled = vec![0_usize; width];
    for line in lines {
        if line.is_ascii {
            filled.iter_mut().zip(line.text.bytes()).for_each(|(filled, byte)| *filled += usize::from(byte != b' '));
        } else {
            filled.iter_mut().zip(line.text.chars()).for_each(|(filled, c)| *filled += usize::from(c != ' '));
        }
    }
    let header: Vec<char> = lines[0].text.chars().collect();
    let titled = |from: usize, to: usize| {
        header.get(from..to.min(header.len())).is_some_and(|part| part.iter().any(|c| *c != ' '))
    };
    let mut columns: Vec<Column> = Vec::new();
    let mut place = 0;
    while place < width {
        let start = place + filled[place..].iter().position(|count| *count > 0)?;
        let end = filled[start..].iter().position(|count| *count == 0).map_or(width, |length| start + length);
        // Blanks inside a cell may happen to stand above each other; a column has a title of its own.
        let rows_here = filled[start..end].iter().copied().max().unwrap_or(0) > 1;
        match columns.last_mut() {
            Some(last) if !titled(start, end) || !rows_here => last.end = end,
            _ => columns.push(Column { start, end, right: false }),
        }
        place = end;
        if filled[place..].iter().all(|count| *count == 0) {
            break;
        }
    }
    if columns.len() < 2 {
        return None;
    }
    // Cells reach from one column's start to the next one's; a right-aligned column ends where its cells end.
    let last = columns.len() - 1;
    for column in &mut columns[..last] {
        let slices = || lines.iter().map(|line| line.slice(column.start, column.end));
        let ragged_left = slices().any(|cell| cell.starts_with(' '));
        let even_right = slices().all(|cell| cell.chars().count() == column.end - column.start && !cell.ends_with(' '));
        column.right = ragged_left && even_right;
    }
    Some(columns)
}

/// A line, and whether its characters are its bytes, which is asked for every cell.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    is_ascii: bool,
}

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, is_ascii: text.is_ascii() }
    }

    /// How many characters it has.
    fn length(&self) -> usize {
        if self.is_ascii { self.text.len() } else { self.text.chars().count() }
    }

    /// The characters `from..to`, as far as it goes.
    fn slice(&self, from: usize, to: usize) -> &'t str {
        let line = self.text;
        if self.is_ascii {
            return &line[from.min(line.len())..to.min(line.len())];
        }
        let offset = |place: usize| line.char_indices().nth(place).map_or(line.len(), |(offset, _)| offset);
        &line[offset(from)..offset(to)]
    }

    fn cell(&self, column: Column, last: bool) -> &'t str {
        if last {
            return self.slice(column.start, usize::MAX);
        }
        let cell = self.slice(column.start, column.end);
        if column.right { cell.trim_start_matches(' ') } else { cell.trim_end_matches(' ') }
    }
}

/// Appends so many blanks.
fn push_blanks(text: &mut String, mut count: usize) {
    const BLANKS: &str = "                                ";
    while count > 0 {
        let some = count.min(BLANKS.len());
        text.push_str(&BLANKS[..some]);
        count -= some;
    }
}

pub(super) fn render(grid: &Grid<'_>, columns: &[Column], closed: bool) -> String {
    let mut text = String::new();
    for cells in std::iter::once(&grid.header).chain(&grid.rows) {
        let mut at = 0;
        for (place, (cell, column)) in cells.iter().zip(columns).enumerate() {
            let length = cell.chars().count();
            let start = if column.right { column.end.saturating_sub(length) } else { column.start };
            // The last cell of a short line may be empty, and then nothing is padded.
            if place + 1 < columns.len() || !cell.is_empty() {
                push_blanks(&mut text, start.saturating_sub(at));
                at = at.max(start);
            }
            text.push_str(cell);
            at += length;
        }
        text.push('\n');
    }
    if !closed {
        text.pop();
    }
    text + &grid.tail
}
