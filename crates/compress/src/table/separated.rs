//! CSV and TSV. Fields are kept as they stand, quotes included; rows that do not have as many fields as the header make it no
//! table.

use std::borrow::Cow;

use super::{Grid, Style};

/// Fewer rows prove nothing: any two lines have the same number of commas now and then.
const MIN_ROWS: usize = 4;

pub(super) fn parse(text: &str) -> Option<Grid<'_>> {
    [',', '\t', ';'].into_iter().find_map(|separator| parse_with(text, separator))
}

fn parse_with(text: &str, separator: char) -> Option<Grid<'_>> {
    let first = text.lines().next()?;
    if !first.contains(separator) {
        return None;
    }
    let crlf = text[first.len()..].starts_with("\r\n");
    let mut reader = Reader { text, at: 0, separator: separator as u8 };
    let header = reader.record()?;
    if header.len() < 2 || !header.iter().all(|name| is_name(name)) {
        return None;
    }
    let mut rows = Vec::new();
    while reader.at < text.len() {
        let row = reader.record()?;
        if row.len() != header.len() {
            return None;
        }
        rows.push(row);
    }
    let closed = text.ends_with('\n');
    (rows.len() >= MIN_ROWS).then_some(Grid {
        style: Style::Separated { separator, crlf, closed },
        header,
        rows,
        tail: Cow::Borrowed(""),
    })
}

/// Whether a field can be the name of a column: short, and neither a number nor code nor a sentence.
fn is_name(field: &str) -> bool {
    let name = field.trim_start_matches('\u{feff}').trim_matches('"').trim();
    let letters = name.chars().next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '#' | '%' | '@'));
    letters
        && name.len() <= 48
        && name.split(' ').count() <= 5
        && !name.contains(['=', '{', '}', ';', '"', '`', '\\', '<', '>'])
}

pub(super) fn render(grid: &Grid<'_>, separator: char, crlf: bool, closed: bool) -> String {
    let end = if crlf { "\r\n" } else { "\n" };
    let mut text = String::new();
    for cells in std::iter::once(&grid.header).chain(&grid.rows) {
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                text.push(separator);
            }
            text.push_str(cell);
        }
        text.push_str(end);
    }
    if !closed {
        text.truncate(text.len() - end.len());
    }
    text
}

/// Reads records one by one.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) separator: u8,
}

impl<'a> Reader<'a> {
    /// The fields up to the end of the line; quoted ones may hold separators and line ends. `None` for a quote that does not close
    /// or closes inside a field.
    pub(super) fn record(&mut self) -> Option<Vec<Cow<'a, str>>> {
        let bytes = self.text.as_bytes();
        let mut fields = Vec::new();
        loop {
            let start = self.at;
            if bytes.get(self.at) == Some(&b'"') {
                self.quoted()?;
            } else {
                let rest = &bytes[self.at..];
                let length =
                    rest.iter().position(|byte| *byte == self.separator || *byte == b'\n').unwrap_or(rest.len());
                self.at += length;
                if bytes.get(self.at) == Some(&b'\n') && self.at > start && bytes[self.at - 1] == b'\r' {
                    self.at -= 1;
                }
            }
            fields.push(Cow::Borrowed(&self.text[start..self.at]));
            match bytes.get(self.at) {
                Some(byte) if *byte == self.separator => self.at += 1,
                Some(b'\r') if bytes.get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    return Some(fields);
                }
                Some(b'\n') => {
                    self.at += 1;
                    return Some(fields);
                }
                None => return Some(fields),
                Some(_) => return None,
            }
        }
    }

    fn quoted(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        loop {
            self.at += memchr::memchr(b'"', &bytes[self.at..])? + 1;
            if bytes.get(self.at) != Some(&b'"') {
                return Some(());
            }
            self.at += 1;
        }
    }
}
