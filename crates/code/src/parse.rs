//! Parsing within bounds.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::languages::Grammar;
use crate::opaque;

/// Longer texts are left alone.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Texts with longer lines than this on average, data inside of strings apart, are not written by people, and there is nothing to leave out line by line.
const MAX_BYTES_PER_LINE: usize = 400;

/// Of the lines that are not blank, this share in percent must have a letter or a digit, and no more than so many that follow each other may be the same.
/// Some grammars take memory that grows with the square of a text of nothing but signs, between two reports of the parser.
const LETTERED_PERCENT: usize = 40;
const MAX_SAME_LINES: usize = 300;

/// The parser reports every hundred steps. A text may take this many reports, and one more for every so many bytes: more than twice what
/// code was seen to take. Steps, not time, so that every machine decides alike.
const REPORTS: usize = 100;
const BYTES_PER_REPORT: usize = 25;

/// The text is handed over in pieces of so many bytes, each of which may be asked for several times: a lexer that looks ahead to the end
/// again and again is stopped by that.
const PIECE_BYTES: usize = 1 << 12;
const READS: usize = 100;
const READS_PER_PIECE: usize = 24;

/// The syntax tree, or nothing for a text that is too long, no text, or takes too many steps.
pub(crate) fn parse(text: &str, grammar: &Grammar) -> Option<Tree> {
    let bytes = text.as_bytes();
    if text.len() > MAX_BYTES || memchr::memchr(0, bytes).is_some() {
        return None;
    }
    if !is_written(text) {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(grammar.parser()).ok()?;
    let reports_left = Cell::new(REPORTS + text.len() / BYTES_PER_REPORT);
    let reads_left = Cell::new(READS + text.len() / PIECE_BYTES * READS_PER_PIECE);
    let take = |left: &Cell<usize>| left.replace(left.get().saturating_sub(1)) > 0;
    let mut report = |_: &ParseState| {
        if take(&reports_left) && reads_left.get() > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut read = |at: usize, _| {
        // The lexer does not put a character together from two pieces.
        let end = text.ceil_char_boundary(at / PIECE_BYTES * PIECE_BYTES + PIECE_BYTES);
        if take(&reads_left) { bytes.get(at..end).unwrap_or_default() } else { &[] }
    };
    let options = ParseOptions::new().progress_callback(&mut report);
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    (reads_left.get() > 0).then_some(tree)
}

/// Whether the lines look like something that somebody wrote. Looks at each line once.
fn is_written(text: &str) -> bool {
    let (mut lines, mut filled, mut lettered, mut opaque) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut before, mut same) = ("", 0_usize);
    for line in text.lines() {
        lines += 1;
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        filled += 1;
        opaque += opaque::runs(line).iter().map(Range::len).sum::<usize>();
        lettered += usize::from(trimmed.chars().any(char::is_alphanumeric));
        same = if trimmed == before { same + 1 } else { 0 };
        before = trimmed;
        if same > MAX_SAME_LINES {
            return false;
        }
    }
    text.len() - opaque <= lines * MAX_BYTES_PER_LINE && lettered * 100 >= filled * LETTERED_PERCENT
}
