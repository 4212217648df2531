//! A removed line and the added line that it became, as one: `~let x = [-old-]{+new+};`, the way `git diff --word-diff` writes it.
//!
//! Works on runs of lines as diffs have them, all removed ones before all added ones; whatever else occurs stays as it is.

use std::borrow::Cow;

/// How far down the added lines are looked at for what a removed line became.
const WINDOW: usize = 8;

/// Two lines are one with an edit when they share at least this many bytes besides indentation, and half of the longer one.
const SHARED: usize = 12;

/// What the signs of an edit cost, in bytes.
const SIGNS: usize = 10;

/// Two lines that share less than one in so many bytes at their ends are not compared further.
const UNLIKE: usize = 6;

/// At most so many places in which a line and what it became differ; more are harder to read than the two lines.
const EDITS: usize = 3;

/// An edit is parted by what both sides have if that is so long, and has a word of so many bytes.
const ANCHOR: usize = 12;
const WORD: usize = 3;

/// A longer edit is not parted.
const MIDDLE: usize = 240;

/// What encloses the removed and the added part; a line with one of these has no edit form.
const REMOVED: (&str, &str) = ("[-", "-]");
const ADDED: (&str, &str) = ("{+", "+}");

/// Joins pairs of lines; `None` when there are none, or a line could be taken for a pair.
pub(super) fn join(text: &str) -> Option<String> {
    if has_pair(text) {
        return None;
    }
    let lines = crate::lines::between(text);
    let mut joined = String::with_capacity(text.len());
    let (mut at, mut any) = (0, false);
    while at < lines.len() {
        let (removed, added) = run(&lines[at..]);
        let pairs = pairs(&lines[at..at + removed], &lines[at + removed..at + removed + added]);
        any |= !pairs.is_empty();
        let end = at + removed + added;
        if pairs.is_empty() {
            let end = end.max(at + 1);
            for line in &lines[at..end] {
                push(&mut joined, line);
            }
            at = end;
            continue;
        }
        // Both sides keep their order; between two pairs the removed lines come first.
        let (mut old, mut new) = (at, at + removed);
        for pair in pairs {
            lines[old..at + pair.old]
                .iter()
                .chain(&lines[new..at + removed + pair.new])
                .for_each(|line| push(&mut joined, line));
            push(&mut joined, &pair.written);
            (old, new) = (at + pair.old + 1, at + removed + pair.new + 1);
        }
        lines[old..at + removed].iter().chain(&lines[new..end]).for_each(|line| push(&mut joined, line));
        at = end;
    }
    joined.pop();
    any.then_some(joined)
}

/// Whether a line would be taken for two that were joined.
pub(super) fn has_pair(text: &str) -> bool {
    text.starts_with('~') || memchr::memmem::find(text.as_bytes(), b"\n~").is_some()
}

/// Undoes [`join`]. A text without pairs is itself.
pub(super) fn part(joined: &str) -> Option<Cow<'_, str>> {
    if !has_pair(joined) {
        return Some(Cow::Borrowed(joined));
    }
    let lines = crate::lines::between(joined);
    let mut text = String::with_capacity(joined.len() * 5 / 4);
    let mut at = 0;
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| line.starts_with(['-', '+', '~'])).count();
        let block = &lines[at..at + run];
        if !block.iter().any(|line| line.starts_with('~')) {
            let end = at + run.max(1);
            lines[at..end].iter().for_each(|line| push(&mut text, line));
            at = end;
            continue;
        }
        let mut added = String::new();
        for line in block {
            match line.strip_prefix('~') {
                None if line.starts_with('-') => push(&mut text, line),
                None => push(&mut added, line),
                Some(pair) => {
                    let (old, new) = read(pair)?;
                    push(&mut text, &format!("-{old}"));
                    push(&mut added, &format!("+{new}"));
                }
            }
        }
        text.push_str(&added);
        at += run;
    }
    text.pop();
    Some(Cow::Owned(text))
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// How many removed and then added lines come first, if nothing but them is there up to the next other line. Names of files are no lines.
fn run(lines: &[&str]) -> (usize, usize) {
    let removed = lines.iter().take_while(|line| line.starts_with('-')).count();
    let added = lines[removed..].iter().take_while(|line| line.starts_with('+')).count();
    let block = &lines[..removed + added];
    let again = lines.get(removed + added).is_some_and(|line| line.starts_with(['-', '+', '~']));
    let named = block.iter().any(|line| line.starts_with("--- ") || line.starts_with("+++ "));
    if !again && !named {
        return (removed, added);
    }
    // Passed over as a whole, so that no part of it is taken for a run.
    (lines.iter().take_while(|line| line.starts_with(['-', '+', '~'])).count(), 0)
}

/// A removed and an added line (by their place in the run) written as one.
struct Pair {
    old: usize,
    new: usize,
    written: String,
}

fn pairs(removed: &[&str], added: &[&str]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut from = 0;
    for (old, before) in removed.iter().enumerate() {
        let window = added.iter().enumerate().skip(from).take(WINDOW);
        let found = window.filter_map(|(new, after)| Some((new, written(&before[1..], &after[1..])?))).next();
        if let Some((new, written)) = found {
            pairs.push(Pair { old, new, written });
            from = new + 1;
        }
    }
    pairs
}

/// The two lines as one, if they share enough.
fn written(old: &str, new: &str) -> Option<String> {
    let ends = Ends::of(old, new);
    let indent = old.len() - old.trim_start().len();
    let longest = old.len().max(new.len());
    // What starts and ends unlike is not looked into.
    let at_ends = ends.start.saturating_sub(indent) + ends.end;
    if at_ends * UNLIKE + indent < longest {
        return None;
    }
    let mut edits = Vec::new();
    ends.edits(old, new, EDITS, &mut edits);
    let kept = longest - edits.iter().map(|edit| edit.old.len().max(edit.new.len())).sum::<usize>().min(longest);
    let shared = kept.saturating_sub(indent);
    if shared < SHARED || kept < SIGNS * edits.len() || shared * 3 + indent < longest {
        return None;
    }
    let signs = [REMOVED.0, REMOVED.1, ADDED.0, ADDED.1];
    if signs.iter().any(|sign| old.contains(sign) || new.contains(sign)) {
        return None;
    }
    let mut written = String::with_capacity(longest + SIGNS * edits.len());
    written.push('~');
    for edit in edits {
        written.push_str(edit.before);
        for (text, signs) in [(edit.old, REMOVED), (edit.new, ADDED)] {
            if !text.is_empty() {
                written.push_str(signs.0);
                written.push_str(text);
                written.push_str(signs.1);
            }
        }
    }
    written.push_str(&old[old.len() - ends.end..]);
    Some(written)
}

/// A line and what it became, read from the two as one; `None` for what [`written`] did not write.
fn read(pair: &str) -> Option<(String, String)> {
    let (mut old, mut new) = (String::with_capacity(pair.len()), String::with_capacity(pair.len()));
    let mut rest = pair;
    while let Some(at) = rest.find(REMOVED.0).into_iter().chain(rest.find(ADDED.0)).min() {
        let (before, edit) = rest.split_at(at);
        old.push_str(before);
        new.push_str(before);
        let (signs, side) = if edit.starts_with(REMOVED.0) { (REMOVED, &mut old) } else { (ADDED, &mut new) };
        let (part, after) = edit[signs.0.len()..].split_once(signs.1)?;
        side.push_str(part);
        rest = after;
    }
    old.push_str(rest);
    new.push_str(rest);
    Some((old, new))
}

/// One place where two lines differ, and what both have before it.
struct Edit<'t> {
    before: &'t str,
    old: &'t str,
    new: &'t str,
}

/// How many bytes two texts share at their start and at their end, whole words only.
#[derive(Clone, Copy)]
struct Ends {
    start: usize,
    end: usize,
}

impl Ends {
    fn of(old: &str, new: &str) -> Self {
        let (a, b) = (old.as_bytes(), new.as_bytes());
        let shortest = a.len().min(b.len());
        let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(a, b)| a == b).count();
        Self { start: word_start(old, new, start), end: word_end(old, new, end.min(shortest - start)) }
    }

    /// What differs between the ends: one edit, or several with what the texts share between them.
    fn edits<'t>(self, old: &'t str, new: &'t str, left: usize, edits: &mut Vec<Edit<'t>>) {
        let (a, b) = (&old[self.start..old.len() - self.end], &new[self.start..new.len() - self.end]);
        let before = &old[..self.start];
        match anchor(a, b).filter(|_| left > 1) {
            None => edits.push(Edit { before, old: a, new: b }),
            Some((in_old, in_new, length)) => {
                edits.push(Edit { before, old: &a[..in_old], new: &b[..in_new] });
                // The anchor is what the rest starts with.
                let (rest_old, rest_new) = (&a[in_old..], &b[in_new..]);
                let rest = Self { start: length, end: 0 };
                rest.edits(rest_old, rest_new, left - 1, edits);
            }
        }
    }
}

/// The longest stretch of whole words that both texts have, if it is worth parting an edit: where it stands in each, and how long it is.
fn anchor(old: &str, new: &str) -> Option<(usize, usize, usize)> {
    if old.len().max(new.len()) > MIDDLE || old.len().min(new.len()) < ANCHOR {
        return None;
    }
    let (a, b) = (old.as_bytes(), new.as_bytes());
    let mut best: Option<(usize, usize, usize)> = None;
    let mut at = 0;
    while at < a.len() {
        let word = a[at..].iter().take_while(|byte| is_word(**byte)).count();
        if word < WORD {
            at += word.max(1);
            continue;
        }
        if let Some(found) = memchr::memmem::find(b, &a[at..at + word]) {
            let back = a[..at].iter().rev().zip(b[..found].iter().rev()).take_while(|(a, b)| a == b).count();
            let ahead = a[at..].iter().zip(&b[found..]).take_while(|(a, b)| a == b).count();
            let (from_old, from_new) = (at - back, found - back);
            let length = back + ahead;
            // Both ends are brought to where words begin and end in either text.
            let cut_end = length - whole_before(&a[from_old..], &b[from_new..], length);
            let cut_start = whole_behind(a, b, from_old, from_new, length - cut_end);
            let length = length.saturating_sub(cut_end + cut_start);
            if length >= ANCHOR && best.is_none_or(|(.., most)| length > most) {
                best = Some((from_old + cut_start, from_new + cut_start, length));
            }
        }
        at += word;
    }
    best.filter(|(in_old, in_new, length)| {
        old.is_char_boundary(*in_old)
            && new.is_char_boundary(*in_new)
            && old.is_char_boundary(in_old + length)
            && new.is_char_boundary(in_new + length)
    })
}

/// How much of a shared stretch at the start of two texts ends with a whole word.
fn whole_before(a: &[u8], b: &[u8], mut length: usize) -> usize {
    let goes_on = |text: &[u8], at: usize| text.get(at).is_some_and(|byte| is_word(*byte));
    while length > 0 && is_word(a[length - 1]) && (goes_on(a, length) || goes_on(b, length)) {
        length -= 1;
    }
    length
}

/// How much of a shared stretch has to go for it to start with a whole word.
fn whole_behind(a: &[u8], b: &[u8], in_a: usize, in_b: usize, length: usize) -> usize {
    let before = |text: &[u8], at: usize| at > 0 && is_word(text[at - 1]);
    let mut cut = 0;
    while cut < length && is_word(a[in_a + cut]) && (before(a, in_a + cut) || before(b, in_b + cut)) {
        cut += 1;
    }
    cut
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Back to where a word begins, so that every name is written whole.
fn word_start(old: &str, new: &str, mut start: usize) -> usize {
    let goes_on = |text: &str, at: usize| text.as_bytes().get(at).is_some_and(|byte| is_word(*byte));
    while start > 0 && is_word(old.as_bytes()[start - 1]) && (goes_on(old, start) || goes_on(new, start)) {
        start -= 1;
    }
    start
}

/// Forward to where a word ends.
fn word_end(old: &str, new: &str, mut end: usize) -> usize {
    let before =
        |text: &str, end: usize| text.len().checked_sub(end + 1).is_some_and(|at| is_word(text.as_bytes()[at]));
    while end > 0 && is_word(old.as_bytes()[old.len() - end]) && (before(old, end) || before(new, end)) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(join(text).as_deref(), Some(expected));
        assert_eq!(part(expected).as_deref(), Some(text));
    }

    #[test]
    fn a_line_and_what_it_became_are_one() {
        check(
            " a\n-    let first = self.first();\n-gone\n+    let second = self.first();\n+come\n b",
            " a\n~    let [-first-]{+second+} = self.first();\n-gone\n+come\n b",
        );
        check(
            "-one(argument, other);\n-unlike\n+quite something else\n+one(argument, another);",
            "+quite something else\n~one(argument, [-other-]{+another+});\n-unlike",
        );
    }

    #[test]
    fn what_is_no_run_stays() {
        for text in [
            "-a\n+b",
            "--- a/src/some/file.rs\n+++ b/src/some/file.rs",
            "~x\n-aaaaaaaaaaaaaaaaaa\n+aaaaaaaaaaaaaaaaaab",
        ] {
            assert_eq!(join(text), None, "{text}");
        }
        assert_eq!(
            join("-some line of text 1\n+some line of text 2\n-some line of text 3\n+some line of text 4"),
            None
        );
        assert!(part("~a[-b").is_none());
    }

    proptest! {
        #[test]
        fn any_lines_read_back(lines in prop::collection::vec("[-+~ ]?(let value = |return )?[abé]{0,3}(\\[-)?(; // the same end)?", 0..24)) {
            let text = lines.join("\n");
            if let Some(joined) = join(&text) {
                prop_assert_eq!(part(&joined), Some(Cow::Owned(text)));
            }
        }
    }
}
