//! A removed line and the added line that it became, as one: `~let x = [-old-]{+new+};`, the way `git diff --word-diff` writes it.
//!
//! Works on runs of lines as diffs have them, all removed ones before all added ones; whatever else occurs stays as it is.

/// How far down the added lines are looked at for what a removed line became.
const WINDOW: usize = 8;

/// Two lines are one with an edit when they share at least this many bytes besides indentation, and half of the longer one.
const SHARED: usize = 12;

/// What the signs of an edit cost, in bytes.
const SIGNS: usize = 10;

/// What encloses the removed and the added part; a line with one of these has no edit form.
const REMOVED: (&str, &str) = ("[-", "-]");
const ADDED: (&str, &str) = ("{+", "+}");

/// Joins pairs of lines; `None` when there are none, or a line could be taken for a pair.
pub(super) fn join(text: &str) -> Option<String> {
    let lines = crate::lines::between(text);
    if lines.iter().any(|line| line.starts_with('~')) {
        return None;
    }
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

/// Undoes [`join`]. A text without pairs is itself.
pub(super) fn part(joined: &str) -> Option<String> {
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
                    let (start, rest) = pair.split_once(REMOVED.0)?;
                    let (old, rest) = rest.split_once(REMOVED.1)?;
                    let (new, end) = rest.strip_prefix(ADDED.0)?.split_once(ADDED.1)?;
                    push(&mut text, &format!("-{start}{old}{end}"));
                    push(&mut added, &format!("+{start}{new}{end}"));
                }
            }
        }
        text.push_str(&added);
        at += run;
    }
    text.pop();
    Some(text)
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
    let (a, b) = (old.as_bytes(), new.as_bytes());
    let shortest = a.len().min(b.len());
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let end =
        a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(a, b)| a == b).count().min(shortest - start);
    let (start, end) = (word_start(old, new, start), word_end(old, new, end));
    let indent = old.len() - old.trim_start().len();
    let shared = start.saturating_sub(indent) + end;
    if shared < SHARED || shared + start.min(indent) < SIGNS || shared * 2 + indent < a.len().max(b.len()) {
        return None;
    }
    let signs = [REMOVED.0, REMOVED.1, ADDED.0, ADDED.1];
    if signs.iter().any(|sign| old.contains(sign) || new.contains(sign)) {
        return None;
    }
    Some(format!(
        "~{}{}{}{}{}{}{}{}",
        &old[..start],
        REMOVED.0,
        &old[start..old.len() - end],
        REMOVED.1,
        ADDED.0,
        &new[start..new.len() - end],
        ADDED.1,
        &old[old.len() - end..]
    ))
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
        assert_eq!(part("~a[-b"), None);
    }

    proptest! {
        #[test]
        fn any_lines_read_back(lines in prop::collection::vec("[-+~ ]?(let value = |return )?[abé]{0,3}(\\[-)?(; // the same end)?", 0..24)) {
            let text = lines.join("\n");
            if let Some(joined) = join(&text) {
                prop_assert_eq!(part(&joined), Some(text));
            }
        }
    }
}
