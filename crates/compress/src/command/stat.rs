//! `git diff --stat`: files and how much changed in them, without the layout, so that files of one directory fold.
//!
//! ```text
//! [git --stat, 51 and 3 wide: "x|12 ++-" is file x with 12 changed lines]
//! src/view/page.rs|12 +++++++-----
//! ```
//!
//! Exact: the widths stand in the first line. Where omissions are allowed, a long list goes without the graph, which its first line says; the
//! numbers stay.

use std::fmt::Write as _;

const INTRODUCTION: &str = "[git --stat, ";
const MEANS: &str = " wide: \"x|12 ++-\" is file x with 12 changed lines]\n";
const WITHOUT_GRAPH: &str = "[git --stat without its graph: \"x|12\" is file x with 12 changed lines]\n";

/// Fewer files are not worth a first line.
const FILES: usize = 8;

/// A graph of fewer files is looked at.
const LONG: usize = 24;

/// Names and numbers wider than this are not read back: a few bytes must not ask for gigabytes of padding.
const MAX_WIDTH: usize = 4096;

/// Writes the list without padding; `None` for a text that is no such list.
pub(super) fn encode(text: &str) -> Option<String> {
    let list = List::parse(text)?;
    let mut encoded = format!("{INTRODUCTION}{} and {}{MEANS}", list.name_width, list.number_width);
    list.write(&mut encoded, |change| change);
    Some(encoded)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let (widths, rows) = encoded.strip_prefix(INTRODUCTION)?.split_once(MEANS)?;
    let (name_width, number_width) = widths.split_once(" and ")?;
    let (name_width, number_width): (usize, usize) = (name_width.parse().ok()?, number_width.parse().ok()?);
    if name_width > MAX_WIDTH || number_width > MAX_WIDTH {
        return None;
    }
    let mut text = String::with_capacity(encoded.len() * 2);
    for row in crate::lines::split(rows) {
        let Some((name, change)) = row.rsplit_once('|').filter(|_| !row.starts_with(' ')) else {
            text.push_str(row);
            continue;
        };
        let padding = number_width.saturating_sub(number(change));
        // Writing to a string cannot fail.
        let _ = write!(text, " {name:<name_width$} | {:padding$}{change}", "");
    }
    Some(text)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// A long list with its numbers, but without its graph.
pub(super) fn shorten(text: &str) -> Option<String> {
    let list = List::parse(text).filter(|list| list.files >= LONG)?;
    let mut short = WITHOUT_GRAPH.to_owned();
    list.write(&mut short, |change| change.trim_end_matches(['+', '-', ' ']));
    Some(short)
}

/// The lines of a list.
struct List<'t> {
    rows: Vec<Row<'t>>,
    files: usize,
    name_width: usize,
    number_width: usize,
    closed: bool,
}

enum Row<'t> {
    /// A name, and `12 ++-` or `Bin 0 -> 12 bytes`.
    File(&'t str, &'t str),
    /// The sum, and names that did not fit their column.
    Other(&'t str),
}

impl<'t> List<'t> {
    /// Reads lines ` name   |  12 ++-` of which nearly all have their bars in one column, and lines that start with a blank all the same.
    fn parse(text: &'t str) -> Option<Self> {
        let (body, closed) = text.strip_suffix('\n').map_or((text, false), |body| (body, true));
        let mut name_width = None;
        let (mut rows, mut files, mut number_width) = (Vec::new(), 0, 0);
        for line in crate::lines::each(body) {
            let Some((name, padded)) = line.strip_prefix(' ')?.rsplit_once(" | ") else {
                rows.push(Row::Other(line));
                continue;
            };
            let width = name.chars().count();
            let change = padded.trim_start_matches(' ');
            if *name_width.get_or_insert(width) == width && is_change(change) && !name.starts_with(' ') {
                number_width = number_width.max(padded.len() - change.len() + number(change));
                rows.push(Row::File(name.trim_end_matches(' '), change));
                files += 1;
            } else {
                rows.push(Row::Other(line));
            }
        }
        let nearly_all = (rows.len() - files).saturating_sub(1) * 8 <= rows.len();
        (files >= FILES && nearly_all).then_some(Self { rows, files, name_width: name_width?, number_width, closed })
    }

    fn write(&self, text: &mut String, shown: impl Fn(&'t str) -> &'t str) {
        for row in &self.rows {
            match row {
                Row::File(name, change) => {
                    text.push_str(name);
                    text.push('|');
                    text.push_str(shown(change));
                }
                Row::Other(line) => text.push_str(line),
            }
            text.push('\n');
        }
        if !self.closed {
            text.pop();
        }
    }
}

/// How wide the number of a change is, or the word in its place.
fn number(change: &str) -> usize {
    if change.starts_with("Bin") { 3 } else { change.bytes().take_while(u8::is_ascii_digit).count() }
}

fn is_change(change: &str) -> bool {
    let graph = &change[number(change)..];
    let drawn = |graph: &str| graph.bytes().all(|byte| matches!(byte, b'+' | b'-'));
    change.starts_with("Bin")
        || graph.len() < change.len() && (graph.is_empty() || graph.strip_prefix(' ').is_some_and(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(files: usize) -> String {
        let rows: String = (0..files).map(|at| format!(" src/view/page{at:<6} | {:>3} ++--\n", at * 3)).collect();
        rows + " media/logo.png      | Bin 0 -> 12 bytes\n 9 files changed, 3 insertions(+)\n"
    }

    #[test]
    fn padding_goes_and_comes_back() {
        let text = list(30);
        let encoded = encode(&text).expect("a list");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(
            encoded.contains("\nsrc/view/page7|21 ++--\n") && encoded.contains("\nmedia/logo.png|Bin 0 -> 12 bytes\n"),
            "{encoded}"
        );
        assert!(shorten(&text).expect("a list").contains("\nsrc/view/page7|21\n"));
        assert_eq!((shorten(&list(9)), encode(&list(3))), (None, None));
        assert_eq!(decode("x"), None);
    }

    proptest! {
        #[test]
        fn any_list_reads_back(names in prop::collection::vec("[a-z/. |é]{1,12}", 8..20), numbers in prop::collection::vec(0_usize..5000, 20), width in 1_usize..6) {
            let text: String = names.iter().zip(&numbers).map(|(name, number)| format!(" {name:<14} | {number:>width$} +-\n")).collect();
            let reads_back = |encoded: &String| decode(encoded).as_deref() == Some(text.as_str());
            // Numbers wider than their column, and bars in names, are found when the encoding is read back before it is used.
            let odd = numbers.iter().any(|number| number.to_string().len() > width)
                || names.iter().any(|name| name.contains('|') || name.ends_with(' ') || name.starts_with(' '));
            prop_assert!(odd || encode(&text).is_none_or(|encoded| reads_back(&encoded)));
        }
    }
}
