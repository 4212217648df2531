//! Rows padded into columns, without the padding: the first row shows where the columns are.
//!
//! ```text
//! [columns: "[LR 3]" the next line, and 3 below it whose words start (L) or end (R) where its words do, or follow after one blank (-)]
//! [LRR 2]
//! kmalloc-64        10240     64
//! kmalloc-128 512 128
//! dentry 99 4096
//! ```
//!
//! Exact. Words beyond the columns stay as they are with all that stands between them, and so does everything behind a tab. Padding does not only
//! cost tokens by itself: rows of one message in columns of different width are no longer lines that are alike ([`crate::log::exact`]).

use std::fmt::Write as _;

const INTRODUCTION: &str = "[columns: \"[LR 3]\" the next line, and 3 below it whose words start (L) or end (R) where its words do, or follow after one blank (-)]\n";

/// A first row needs one below it that loses more than the mark costs.
const ROWS: usize = 1;

/// A group's mark costs about this many bytes.
const MARK: usize = 20;

/// The introduction must be worth it, and so must looking for lines that are alike once more: in bytes, and in percent of the text.
const WORTH: usize = 96;
const SHARE: usize = 2;

/// Columns beyond this are written as they are.
const COLUMNS: usize = 256;

/// Padding to columns further right is not read back: a few bytes must not ask for gigabytes of blanks.
const WIDTH: usize = 1 << 14;

/// Writes rows without their padding; `None` where there is too little of it, or a line could be taken for a mark. Lines for which `plain` holds (by
/// number, from 0) belong to no group. Also returns which lines of what is written are no line of the text.
pub(super) fn encode(text: &str, plain: impl Fn(usize) -> bool) -> Option<(String, Vec<usize>)> {
    // Nothing is padded in a text without two blanks in a row.
    memchr::memmem::find(text.as_bytes(), b"  ")?;
    let lines = crate::lines::between(text);
    let mut encoded = String::with_capacity(text.len());
    encoded.push_str(INTRODUCTION);
    let mut marks = vec![0];
    let (mut at, mut saved) = (0, 0);
    let (mut group, mut below) = (Group::default(), Group::default());
    while at < lines.len() {
        if mark(lines[at]).is_some() {
            return None;
        }
        let mut rows = if plain(at) { 0 } else { group.gather(&lines[at..], |offset| plain(at + offset)) };
        // The titles of columns may stand where some of the words below them do. The first row shows more.
        if rows >= 2 && !plain(at + 1) {
            let rows_below = below.gather(&lines[at + 1..], |offset| plain(at + 1 + offset));
            if below.saved > group.saved + MARK && rows_below > 0 {
                encoded.extend([lines[at], "\n"]);
                at += 1;
                rows = rows_below;
                std::mem::swap(&mut group, &mut below);
            }
        }
        if rows >= ROWS && group.saved > MARK {
            saved += group.saved - MARK;
            marks.push(at + marks.len());
            group.write(&lines[at..=at + rows], &mut encoded);
            at += rows + 1;
        } else {
            // The last row may be the first of a group of its own; to look at all of them again would take too long.
            for line in &lines[at..at + rows.max(1)] {
                encoded.extend([line, "\n"]);
            }
            at += rows.max(1);
        }
    }
    encoded.pop();
    (saved > WORTH && saved * 100 >= text.len() * SHARE).then_some((encoded, marks))
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut lines = crate::lines::between(encoded.strip_prefix(INTRODUCTION)?).into_iter();
    let mut text = String::with_capacity(encoded.len() * 2);
    while let Some(line) = lines.next() {
        let Some((modes, rows)) = mark(line) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let ruler = lines.next()?;
        text.push_str(ruler);
        text.push('\n');
        let columns: Vec<Word> = words(ruler).take(modes.len()).collect();
        for _ in 0..rows {
            put_back(lines.next()?, &columns, modes, &mut text)?;
        }
    }
    text.pop();
    Some(text)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// What a mark says: how each word stands, and how many rows there are.
fn mark(line: &str) -> Option<(&[u8], usize)> {
    let (modes, rows) = line.strip_prefix('[')?.strip_suffix(']')?.split_once(' ')?;
    let known = !modes.is_empty() && modes.bytes().all(|mode| matches!(mode, b'L' | b'R' | b'-'));
    let count = rows.parse::<usize>().ok().filter(|count| count.to_string() == rows)?;
    known.then_some((modes.as_bytes(), count))
}

/// Where a word stands in its line: its bytes, and its first and last column with what follows it, in characters.
#[derive(Clone, Copy, Debug)]
struct Word {
    start: usize,
    end: usize,
    column: usize,
    end_column: usize,
}

/// The words of a line up to the first tab.
fn words(line: &str) -> impl Iterator<Item = Word> + '_ {
    let bytes = line.as_bytes();
    let (mut at, mut column) = (0, 0);
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&b' ') {
            at += 1;
            column += 1;
        }
        let (start, first) = (at, column);
        while let Some(byte) = bytes.get(at).filter(|byte| !matches!(byte, b' ' | b'\t')) {
            at += 1;
            // Bytes that go on with a character take no column of their own.
            column += usize::from(byte & 0xc0 != 0x80);
        }
        (at > start).then_some(Word { start, end: at, column: first, end_column: column })
    })
}

/// Ways in which a word can stand below another.
const START: u8 = 1;
const END: u8 = 2;
const BLANK: u8 = 4;

/// Rows of the same columns.
#[derive(Default)]
struct Group {
    /// The words of the first row.
    ruler: Vec<Word>,
    /// How the words of all rows can stand below them; as many as all rows have.
    ways: Vec<u8>,
    /// Bytes of padding that go.
    saved: usize,
    /// For the row that is looked at.
    next: Vec<u8>,
}

impl Group {
    /// How many lines below the first one stand in its columns.
    fn gather(&mut self, lines: &[&str], plain: impl Fn(usize) -> bool) -> usize {
        self.ruler.clear();
        self.ruler.extend(words(lines[0]).take(COLUMNS));
        self.ways.clear();
        self.ways.resize(self.ruler.len(), START | END | BLANK);
        self.saved = 0;
        // Columns up to here have lost padding and may not be given up for a row that has other ones.
        let mut needed = 0;
        let mut rows = 0;
        while let Some(line) = lines.get(rows + 1).filter(|_| !plain(rows + 1)) {
            self.next.clear();
            let (mut end, mut end_column, mut saved, mut padded) = (0, 0, 0, 0);
            for ((word, ruler), ways) in words(line).zip(&self.ruler).zip(&self.ways) {
                let gap = word.start - end;
                let stands = if word.column == ruler.column { START } else { 0 }
                    | if word.end_column == ruler.end_column { END } else { 0 }
                    | if gap == 1 && end_column > 0 { BLANK } else { 0 };
                if stands & ways == 0 || word.end_column > WIDTH {
                    break;
                }
                self.next.push(stands & ways);
                let blanks = if end == 0 { gap } else { gap.saturating_sub(1) };
                if blanks > 0 {
                    padded = self.next.len();
                }
                saved += blanks;
                (end, end_column) = (word.end, word.end_column);
            }
            if self.next.len() < needed || padded == 0 && rows == 0 {
                break;
            }
            // A row gives up what no row above it needed, and not what it needs itself.
            needed = needed.max(padded);
            self.ways.clear();
            self.ways.extend_from_slice(&self.next);
            self.saved += saved;
            rows += 1;
        }
        self.ways.truncate(needed);
        rows
    }

    fn write(&self, lines: &[&str], encoded: &mut String) {
        encoded.push('[');
        encoded.extend(self.ways.iter().map(|ways| match ways {
            ways if ways & BLANK != 0 => '-',
            ways if ways & END != 0 => 'R',
            _ => 'L',
        }));
        // Writing to a string cannot fail.
        let _ = writeln!(encoded, " {}]\n{}", lines.len() - 1, lines[0]);
        for line in &lines[1..] {
            let mut end = 0;
            for word in words(line).take(self.ways.len()) {
                if end > 0 {
                    encoded.push(' ');
                }
                encoded.push_str(&line[word.start..word.end]);
                end = word.end;
            }
            encoded.push_str(&line[end..]);
            encoded.push('\n');
        }
    }
}

/// Writes a row with its padding.
fn put_back(row: &str, columns: &[Word], modes: &[u8], text: &mut String) -> Option<()> {
    let mut column = 0;
    let mut end = 0;
    let mut words = words(row);
    for (place, (mode, below)) in modes.iter().zip(columns).enumerate() {
        let word = words.next()?;
        let width = word.end_column - word.column;
        let start = match mode {
            b'L' => below.column,
            b'R' => below.end_column.checked_sub(width)?,
            _ => column + usize::from(place > 0),
        };
        if start > WIDTH {
            return None;
        }
        text.extend(std::iter::repeat_n(' ', start.checked_sub(column)?));
        text.push_str(&row[word.start..word.end]);
        (column, end) = (start + width, word.end);
    }
    text.push_str(&row[end..]);
    text.push('\n');
    (columns.len() == modes.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> String {
        let row = |at: usize| format!("{:<12} {:>9} {:>6}  {}\n", format!("cache-{}", at * at), at * 991, at, "a  b");
        String::from("name              active  size  what\n") + &(0..24).map(row).collect::<String>() + "\nend\n"
    }

    #[test]
    fn rows_go_without_padding() {
        let (encoded, marks) = encode(&table(), |_| false).expect("columns");
        assert_eq!(marks, [0, 2]);
        assert_eq!(decode(&encoded).as_deref(), Some(table().as_str()));
        assert!(encoded.contains("[LRRRR 23]\ncache-0              0      0  a  b\ncache-1 991 1 a b\n"), "{encoded}");
        assert!(encoded.ends_with("\n\nend\n"));
    }

    #[test]
    fn titles_that_stand_over_some_columns_do_not_cost_the_others() {
        let row = |at: usize| format!("{:<9} {:<4}  {:>5}     -1  NI\n", format!("proto{at}"), 1200 + at, at % 2);
        let text = String::from("protocol  size sockets  memory press\n") + &(0..20).map(row).collect::<String>();
        let (encoded, marks) = encode(&text, |_| false).expect("columns");
        assert_eq!((decode(&encoded).as_deref(), marks), (Some(&*text), vec![0, 2]));
        assert!(encoded.contains("\nproto7 1207 1 -1 NI\n"), "{encoded}");
    }

    #[test]
    fn plain_lines_and_texts_with_marks_stay() {
        let (encoded, _) = encode(&table(), |line| line == 5).expect("columns");
        assert_eq!(decode(&encoded).as_deref(), Some(table().as_str()));
        assert!(encoded.contains(table().lines().nth(5).expect("a line")));
        assert_eq!(encode(&(table() + "[LR 3]\n"), |_| false), None);
        assert_eq!(encode("a b\nc d\n", |_| false), None);
        assert_eq!(decode("x"), None);
    }

    #[test]
    fn a_mark_cannot_ask_for_endless_blanks() {
        let wide = format!("{INTRODUCTION}[LR 1]\na{}b\nc d", " ".repeat(WIDTH * 2));
        assert_eq!(decode(&wide), None);
        assert_eq!(decode(&format!("{INTRODUCTION}[LR 1]\na")), None);
    }

    proptest! {
        #[test]
        fn every_text_reads_back(rows in prop::collection::vec(prop::collection::vec("[a-zé]{0,6}|\t| ", 0..6), 0..40), left in any::<bool>(), width in 1_usize..20) {
            let cell = |cell: &String| if left { format!("{cell:<width$} ") } else { format!("{cell:>width$} ") };
            let text = rows.iter().map(|row| row.iter().map(cell).collect::<String>()).collect::<Vec<_>>().join("\n");
            if let Some((encoded, _)) = encode(&text, |_| false) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}
