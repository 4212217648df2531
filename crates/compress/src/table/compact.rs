//! The compact form of a table, and its reading.
//!
//! ```text
//! NAME READY=1/1 STATUS=Running RESTARTS AGE @0 31 39 49 60
//! api-7d4b9c-x2x1z 0 3d
//! api-7d4b9c-zzz12 STATUS=CrashLoopBackOff 17 3d
//! ```
//!
//! A title with a value holds for every row that does not say otherwise by name. What else is needed to restore the bytes
//! stands in the header line only: the columns' places, or the ruler.

use std::borrow::Cow;

use super::fixed::{self, Column};
use super::separated::Reader;
use super::{Grid, Style, ruled};

/// What parts cells where the source had only blanks, in order of cost.
const SEPARATORS: [char; 3] = [' ', '|', '\t'];

/// Wider columns are not read: a few bytes must not ask for gigabytes of padding.
const MAX_WIDTH: usize = 4096;

/// A table, and how it is to be written.
pub(super) struct Compact<'g> {
    grid: &'g Grid<'g>,
    separator: char,
    /// The value of each column that is written in the header.
    defaults: Vec<Option<&'g str>>,
}

impl<'g> Compact<'g> {
    pub(super) fn new(grid: &'g Grid<'g>) -> Self {
        let separator = match &grid.style {
            Style::Separated { separator, .. } => *separator,
            Style::Ruled(_) => '|',
            Style::Fixed { .. } => {
                let all = || std::iter::once(&grid.header).chain(&grid.rows).flatten();
                let fits = |separator: &char| {
                    all().all(|cell| !cell.contains(*separator) && (*separator != ' ' || !cell.is_empty()))
                };
                SEPARATORS.into_iter().find(fits).unwrap_or('\t')
            }
        };
        let defaults = (0..grid.header.len()).map(|place| default(grid, place, separator)).collect();
        Self { grid, separator, defaults }
    }

    pub(super) fn whole(&self) -> String {
        let mut text = self.head();
        for row in 0..self.grid.rows.len() {
            text.push_str(&self.row(row));
        }
        text.push_str(&self.grid.tail);
        let open = match &self.grid.style {
            Style::Separated { closed, .. } | Style::Fixed { closed, .. } => !closed,
            Style::Ruled(style) => !style.closed && self.grid.tail.is_empty(),
        };
        if open {
            text.truncate(text.len() - self.end().len());
        }
        text
    }

    /// The header with its line end, and the ruler if there is one.
    pub(super) fn head(&self) -> String {
        let titles = self.grid.header.iter().zip(&self.defaults).map(|(title, default)| match default {
            Some(default) => Cow::Owned(format!("{title}={default}")),
            None => Cow::Borrowed(title.as_ref()),
        });
        let mut head = self.joined(titles);
        match &self.grid.style {
            Style::Separated { .. } => {}
            Style::Fixed { columns, .. } => {
                head.push(self.separator);
                head.push('@');
                for (place, column) in columns.iter().enumerate() {
                    if place > 0 {
                        head.push(' ');
                    }
                    if column.right {
                        head.push('-');
                        head.push_str(&column.end.to_string());
                    } else {
                        head.push_str(&column.start.to_string());
                    }
                }
            }
            Style::Ruled(style) => {
                head.push('\n');
                let pieces: Vec<_> = style.ruler.iter().map(|piece| short_ruler(piece)).collect();
                head.push_str(&pieces.join(&style.cross.to_string()));
            }
        }
        head.push_str(self.end());
        head
    }

    /// One row with its line end.
    pub(super) fn row(&self, row: usize) -> String {
        let cells = self.grid.rows[row].iter().zip(&self.defaults).zip(&self.grid.header);
        let mut line = self.joined(cells.filter_map(|((cell, default), title)| match default {
            None => Some(Cow::Borrowed(cell.as_ref())),
            Some(default) if default == cell => None,
            Some(_) => Some(Cow::Owned(format!("{title}={cell}"))),
        }));
        line.push_str(self.end());
        line
    }

    fn end(&self) -> &'static str {
        match self.grid.style {
            Style::Separated { crlf: true, .. } => "\r\n",
            _ => "\n",
        }
    }

    fn joined<'c>(&self, cells: impl Iterator<Item = Cow<'c, str>>) -> String {
        let mut line = String::new();
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                line.push(self.separator);
            }
            line.push_str(&cell);
        }
        line
    }
}

/// The value to write in the header for a column, if most rows have it and the others can say otherwise. The first column
/// names the rows and stays.
fn default<'g>(grid: &'g Grid<'_>, place: usize, separator: char) -> Option<&'g str> {
    let title = &grid.header[place];
    if place == 0 || title.is_empty() || title.contains(['=', '"', '@']) {
        return None;
    }
    let values = || grid.rows.iter().map(|cells| cells[place].as_ref());
    let (mut common, mut lead) = (values().next()?, 0_usize);
    for value in values() {
        if lead == 0 {
            (common, lead) = (value, 1);
        } else if value == common {
            lead += 1;
        } else {
            lead -= 1;
        }
    }
    let others = values().filter(|value| *value != common).count();
    let plain = |value: &str| !value.contains(['"', separator, '@']);
    let worth = others * (title.len() + 2) < (grid.rows.len() - others) * (common.len() + 1);
    (worth && plain(common) && plain(title) && (others == 0 || values().all(|value| value == common || plain(value))))
        .then_some(common)
}

/// A ruler piece in short: its length where it is plain dashes, itself where it says how the column is aligned.
fn short_ruler(piece: &str) -> String {
    let dashes = piece.bytes().filter(|byte| *byte == b'-').count();
    let (left, right) = (piece.starts_with(':'), piece.ends_with(':'));
    format!("{}-{dashes}{}", if left { ":" } else { "" }, if right { ":" } else { "" })
}

fn long_ruler(short: &str) -> Option<String> {
    let (left, rest) = short.strip_prefix(':').map_or(("", short), |rest| (":", rest));
    let (right, rest) = rest.strip_suffix(':').map_or(("", rest), |rest| (":", rest));
    let dashes: usize = rest.strip_prefix('-')?.parse().ok().filter(|dashes| *dashes <= MAX_WIDTH)?;
    Some(format!("{left}{}{right}", "-".repeat(dashes)))
}

/// Reads the compact form.
pub(super) fn read(text: &str) -> Option<Grid<'_>> {
    let first = text.lines().next()?;
    let second = text.lines().nth(1)?;
    if let Some((titles, places)) = first.rsplit_once('@') {
        return read_fixed(text, first, titles, places);
    }
    if second.starts_with(['-', ':'])
        && second.bytes().all(|byte| matches!(byte, b'-' | b':' | b'|' | b'+' | b'0'..=b'9'))
    {
        return read_ruled(text, first, second);
    }
    read_separated(text, first)
}

fn read_fixed<'a>(text: &'a str, first: &str, titles: &'a str, places: &str) -> Option<Grid<'a>> {
    let separator = titles.chars().next_back()?;
    let titles = titles.strip_suffix(separator)?;
    let mut columns = Vec::new();
    for place in places.split(' ') {
        let (right, place) = place.strip_prefix('-').map_or((false, place), |place| (true, place));
        let place = place.parse().ok().filter(|place| *place <= MAX_WIDTH)?;
        columns.push(Column { start: place, end: place, right });
    }
    let (header, defaults) = titles_of(titles.split(separator));
    let mut rows = Vec::new();
    let (body, tail) = fixed::split_tail(text);
    for line in body.get(first.len() + 1..)?.lines() {
        rows.push(row_of(line.split(separator).map(Cow::Borrowed).collect(), &header, &defaults)?);
    }
    Some(Grid {
        style: Style::Fixed { columns, closed: body.ends_with('\n') },
        header,
        rows,
        tail: Cow::Borrowed(tail),
    })
}

fn read_ruled<'a>(text: &'a str, first: &'a str, second: &'a str) -> Option<Grid<'a>> {
    let cross = if second.contains('+') { '+' } else { '|' };
    let ruler = second.split(cross).map(long_ruler).collect::<Option<Vec<_>>>()?;
    let (header, defaults) = titles_of(first.split('|'));
    let mut rows = Vec::new();
    let mut at = first.len() + second.len() + 2;
    let mut tail = "";
    while at < text.len() {
        let line = text[at..].lines().next()?;
        if cross == '+'
            && line.starts_with('(')
            && line.ends_with(')')
            && !text[at + line.len()..].trim_end().contains('\n')
        {
            tail = &text[at..];
            break;
        }
        rows.push(row_of(line.split('|').map(Cow::Borrowed).collect(), &header, &defaults)?);
        at += line.len() + 1;
    }
    let closed = text.ends_with('\n');
    Some(Grid { style: Style::Ruled(ruled::Style { cross, ruler, closed }), header, rows, tail: Cow::Borrowed(tail) })
}

fn read_separated<'a>(text: &'a str, first: &str) -> Option<Grid<'a>> {
    let crlf = text[first.len()..].starts_with("\r\n");
    let separator = [',', '\t', ';'].into_iter().find(|separator| first.contains(*separator))?;
    let mut reader = Reader { text, at: 0, separator: separator as u8 };
    let titles = reader.record()?;
    let (mut header, mut defaults) = (Vec::new(), Vec::new());
    for title in titles {
        let (title, default) = match title {
            Cow::Borrowed(title) if !title.starts_with('"') => split_title(title),
            title => (title, None),
        };
        header.push(title);
        defaults.push(default);
    }
    let mut rows = Vec::new();
    while reader.at < text.len() {
        rows.push(row_of(reader.record()?, &header, &defaults)?);
    }
    let style = Style::Separated { separator, crlf, closed: text.ends_with('\n') };
    Some(Grid { style, header, rows, tail: Cow::Borrowed("") })
}

fn titles_of<'a>(titles: impl Iterator<Item = &'a str>) -> (Vec<Cow<'a, str>>, Vec<Option<&'a str>>) {
    titles.map(split_title).unzip()
}

fn split_title(title: &str) -> (Cow<'_, str>, Option<&str>) {
    match title.split_once('=') {
        Some((title, default)) => (Cow::Borrowed(title), Some(default)),
        None => (Cow::Borrowed(title), None),
    }
}

/// A full row from the cells that were written.
fn row_of<'a>(
    written: Vec<Cow<'a, str>>,
    header: &[Cow<'a, str>],
    defaults: &[Option<&'a str>],
) -> Option<Vec<Cow<'a, str>>> {
    let mut written = written.into_iter().peekable();
    let mut row = Vec::with_capacity(header.len());
    for (title, default) in header.iter().zip(defaults) {
        let Some(default) = default else {
            row.push(written.next()?);
            continue;
        };
        let named =
            written.peek().and_then(|cell| cell.strip_prefix(title.as_ref())?.strip_prefix('=').map(str::to_owned));
        row.push(match named {
            Some(value) => {
                written.next();
                Cow::Owned(value)
            }
            None => Cow::Borrowed(*default),
        });
    }
    written.next().is_none().then_some(row)
}
