//! Cutting a text into segments: sentences, and lines that stand for themselves.

use std::ops::Range;

/// What a segment is to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sentence,
    /// Stays if anything up to the next heading stays.
    Heading,
    /// A list item, a table row, a quotation: a line of its own.
    Line,
    /// A line of a fenced listing.
    Code,
}

/// A piece of the text. The segments of a text follow each other without a hole and cover all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// In bytes; white space that follows belongs to it.
    pub(super) range: Range<usize>,
    /// Number of the paragraph, list or listing it stands in.
    pub(super) block: usize,
    pub(super) role: Role,
}

/// A sentence of more lines and bytes than these is text without sentence ends; it is cut at its lines.
const MAX_SENTENCE_LINES: usize = 4;
const MAX_SENTENCE_BYTES: usize = 600;

/// The segments of `text`, in order. At the offsets in `passages`, which ascend, another text begins: a listing left open before ends there.
pub(super) fn cut(text: &str, passages: &[usize]) -> Vec<Segment> {
    let mut passages = passages.iter().copied().peekable();
    let mut cutter = Cutter { text, segments: Vec::with_capacity(text.len() / 96 + 1), block: 0, paragraph: None };
    let mut fenced = false;
    let mut start = 0;
    for line in crate::lines::split(text) {
        if passages.next_if_eq(&start).is_some() {
            fenced = false;
            cutter.next_block();
        }
        let range = start..start + line.len();
        start = range.end;
        let trimmed = line.trim();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if fenced || is_fence {
            if is_fence && !fenced {
                cutter.next_block();
            }
            cutter.push(range, Role::Code);
            if is_fence && fenced {
                cutter.next_block();
            }
            fenced ^= is_fence;
        } else if trimmed.is_empty() {
            cutter.next_block();
            cutter.push_blank(range);
        } else if is_heading(trimmed) {
            cutter.next_block();
            cutter.push(range, Role::Heading);
            cutter.next_block();
        } else if starts_line(trimmed) {
            cutter.end_paragraph();
            cutter.push(range, Role::Line);
        } else {
            let from = cutter.paragraph.as_ref().map_or(range.start, |paragraph| paragraph.start);
            cutter.paragraph = Some(from..range.end);
        }
    }
    cutter.end_paragraph();
    cutter.segments
}

struct Cutter<'t> {
    text: &'t str,
    segments: Vec<Segment>,
    block: usize,
    /// Lines that belong together and are not cut yet.
    paragraph: Option<Range<usize>>,
}

impl Cutter<'_> {
    fn push(&mut self, range: Range<usize>, role: Role) {
        self.end_paragraph();
        self.segments.push(Segment { range, block: self.block, role });
    }

    /// Blank lines belong to what stands before them.
    fn push_blank(&mut self, range: Range<usize>) {
        match self.segments.last_mut() {
            Some(last) => last.range.end = range.end,
            None => self.push(range, Role::Line),
        }
    }

    fn next_block(&mut self) {
        self.end_paragraph();
        self.block += 1;
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraph.take() else { return };
        let mut start = paragraph.start;
        for end in sentence_ends(&self.text[paragraph.clone()]).map(|end| paragraph.start + end) {
            self.push_sentence(start..end);
            start = end;
        }
        if start < paragraph.end {
            self.push_sentence(start..paragraph.end);
        }
    }

    fn push_sentence(&mut self, range: Range<usize>) {
        let lines = crate::lines::split(&self.text[range.clone()]);
        if lines.len() > MAX_SENTENCE_LINES && range.len() > MAX_SENTENCE_BYTES {
            let mut start = range.start;
            for line in lines {
                let range = start..start + line.len();
                start = range.end;
                self.segments.push(Segment { range, block: self.block, role: Role::Line });
            }
            return;
        }
        self.segments.push(Segment { range, block: self.block, role: Role::Sentence });
    }
}

fn is_heading(line: &str) -> bool {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&level) && line[level..].starts_with(' ')
}

/// Whether a line begins something of its own: an item, a row, a quotation.
fn starts_line(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let is_numbered =
        (1..=3).contains(&digits) && matches!(line.as_bytes().get(digits..digits + 2), Some(b". " | b") "));
    is_numbered || ["- ", "* ", "+ ", "• ", "> ", "|"].iter().any(|start| line.starts_with(start))
}

/// Words whose full stop ends no sentence, in lower case.
const ABBREVIATIONS: [&str; 41] = [
    "al", "approx", "apr", "art", "aug", "ca", "cf", "ch", "co", "col", "corp", "dec", "dept", "dr", "e.g", "ed", "eq",
    "est", "feb", "fig", "figs", "gen", "i.e", "inc", "jan", "jr", "ltd", "mr", "mrs", "ms", "no", "nov", "oct", "p",
    "pp", "prof", "ref", "sec", "sept", "st", "vs",
];

/// Places behind the sentences of a paragraph, white space included, in order; the last sentence may end without one.
fn sentence_ends(paragraph: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = paragraph.as_bytes();
    let mut ticks = 0_usize;
    paragraph.char_indices().filter_map(move |(at, c)| {
        ticks += usize::from(c == '`');
        if matches!(c, '。' | '！' | '？' | '।' | '؟') {
            return Some(skip_space(paragraph, skip_closing(paragraph, at + c.len_utf8())));
        }
        if !matches!(c, '.' | '!' | '?') || ticks % 2 == 1 {
            return None;
        }
        let closed = skip_closing(paragraph, at + 1);
        let next = skip_space(paragraph, closed);
        let begins = paragraph[next..].chars().next()?;
        let is_start = begins.is_uppercase()
            || begins.is_ascii_digit()
            || matches!(begins, '"' | '“' | '‘' | '\'' | '(' | '[' | '`')
            || (begins.is_alphabetic() && !begins.is_lowercase());
        (next > closed && is_start && !(c == '.' && is_abbreviated(bytes, at))).then_some(next)
    })
}

fn skip_closing(text: &str, at: usize) -> usize {
    at + text[at..]
        .chars()
        .take_while(|c| matches!(c, '"' | '\'' | '”' | '’' | ')' | ']' | '»'))
        .map(char::len_utf8)
        .sum::<usize>()
}

fn skip_space(text: &str, at: usize) -> usize {
    at + text[at..].chars().take_while(|c| c.is_whitespace()).map(char::len_utf8).sum::<usize>()
}

/// Whether the full stop at `at` belongs to an abbreviation or an initial.
fn is_abbreviated(bytes: &[u8], at: usize) -> bool {
    let length =
        bytes[..at].iter().rev().take(8).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'.').count();
    let word = &bytes[at - length..at];
    let is_initial = word.len() == 1 && word[0].is_ascii_uppercase() && word[0] != b'I';
    let lower = word.to_ascii_lowercase();
    is_initial || std::str::from_utf8(&lower).is_ok_and(|word| ABBREVIATIONS.binary_search(&word).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str) -> Vec<&str> {
        cut(text, &[]).into_iter().map(|segment| text[segment.range].trim_end()).collect()
    }

    #[test]
    fn sentences_end_at_their_marks_and_nowhere_else() {
        assert_eq!(
            pieces("Mr. Smith paid $3.50 to J. Doe, i.e. Jane. He left. \"Why?\" she asked"),
            ["Mr. Smith paid $3.50 to J. Doe, i.e. Jane.", "He left.", "\"Why?\" she asked"]
        );
        assert_eq!(
            pieces("Use v1.2. It has `a. B` in it! See x.rs. Done."),
            ["Use v1.2.", "It has `a. B` in it!", "See x.rs.", "Done."]
        );
        assert_eq!(pieces("これは文です。次の文です。"), ["これは文です。", "次の文です。"]);
    }

    #[test]
    fn wrapped_lines_are_one_sentence_and_items_are_lines() {
        assert_eq!(
            pieces(
                "# Title\nOne sentence\nover two lines. Two.\n\n- item one. Still one\n- item two\n```\ncode. Here\n```\n"
            ),
            [
                "# Title",
                "One sentence\nover two lines.",
                "Two.",
                "- item one. Still one",
                "- item two",
                "```",
                "code. Here",
                "```"
            ]
        );
    }

    #[test]
    fn abbreviations_are_sorted() {
        assert!(ABBREVIATIONS.is_sorted());
    }

    proptest! {
        #[test]
        fn segments_cover_the_text(text in "[a-zA-Z .!?\n`#|。\"-]{0,200}") {
            let segments = cut(&text, &[]);
            prop_assert_eq!(segments.iter().map(|segment| &text[segment.range.clone()]).collect::<String>(), text);
        }
    }
}
