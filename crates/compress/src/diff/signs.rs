//! Many added (or removed) lines in a row, with their sign said once: between `{+++` and `+++}` every line starts with `+`.
//!
//! ```text
//! {+++
//! fn new() -> Self {
//!     Self { at: 0 }
//! }
//! +++}
//! ```
//!
//! The sign costs a token a line, a tenth of what is left of a diff whose context has gone; and without it the lines can be quoted as they stand
//! in the file. The blocks end where they say, not after a count, so that a reader need not count lines.

use crate::lines;

/// Fewer lines are not worth the two that enclose them.
const LINES: usize = 5;

/// What stands for the lines of one sign: the sign, and the lines before and behind them.
struct Enclosure {
    sign: char,
    open: &'static str,
    close: &'static str,
}

const ENCLOSURES: [Enclosure; 2] =
    [Enclosure { sign: '+', open: "{+++", close: "+++}" }, Enclosure { sign: '-', open: "{---", close: "---}" }];

/// Encloses runs of lines of one sign; `None` when there are none, or a line could be taken for the start of one.
pub(super) fn lift(text: &str) -> Option<String> {
    let lines = lines::between(text);
    if lines.iter().any(|line| ENCLOSURES.iter().any(|enclosure| *line == enclosure.open)) {
        return None;
    }
    let mut lifted = String::with_capacity(text.len());
    let (mut at, mut any) = (0, false);
    while at < lines.len() {
        let found =
            ENCLOSURES.iter().map(|enclosure| (enclosure, enclosure.run(&lines[at..]))).find(|(_, run)| *run > 0);
        let Some((enclosure, run)) = found else {
            push(&mut lifted, lines[at]);
            at += 1;
            continue;
        };
        let block = &lines[at..at + run];
        if run >= LINES {
            push(&mut lifted, enclosure.open);
            block.iter().for_each(|line| push(&mut lifted, &line[1..]));
            push(&mut lifted, enclosure.close);
            any = true;
        } else {
            block.iter().for_each(|line| push(&mut lifted, line));
        }
        at += run;
    }
    lifted.pop();
    any.then_some(lifted)
}

/// Undoes [`lift`]. A text without enclosures is itself; `None` when one is not closed.
pub(super) fn lower(lifted: &str) -> Option<String> {
    let mut text = String::with_capacity(lifted.len() * 9 / 8);
    let mut inside: Option<&Enclosure> = None;
    for line in lines::each(lifted) {
        match inside {
            Some(enclosure) if line == enclosure.close => inside = None,
            Some(enclosure) => {
                text.push(enclosure.sign);
                push(&mut text, line);
            }
            None => {
                inside = ENCLOSURES.iter().find(|enclosure| line == enclosure.open);
                if inside.is_none() {
                    push(&mut text, line);
                }
            }
        }
    }
    text.pop();
    inside.is_none().then_some(text)
}

/// Which lines stand inside an enclosure.
pub(super) fn inside(lifted: &str) -> Vec<bool> {
    let mut within: Option<&Enclosure> = None;
    let is_inside = |line: &str| match within {
        Some(enclosure) if line == enclosure.close => {
            within = None;
            false
        }
        Some(_) => true,
        None => {
            within = ENCLOSURES.iter().find(|enclosure| line == enclosure.open);
            false
        }
    };
    lines::each(lifted).map(is_inside).collect()
}

impl Enclosure {
    /// How many lines from the first one on can be enclosed. Names of files are no lines, and no line may look like the end.
    fn run(&self, lines: &[&str]) -> usize {
        let is_name = |line: &str| line.starts_with("+++ ") || line.starts_with("--- ");
        let is_line =
            |line: &&&str| line.strip_prefix(self.sign).is_some_and(|line| line != self.close) && !is_name(line);
        lines.iter().take_while(is_line).count()
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn many_lines_of_one_sign_are_enclosed() {
        let text = " a\n+1\n+2\n+\n+4\n+}\n+6\n-7\n b";
        let lifted = " a\n{+++\n1\n2\n\n4\n}\n6\n+++}\n-7\n b";
        assert_eq!(lift(text).as_deref(), Some(lifted));
        assert_eq!(lower(lifted).as_deref(), Some(text));
        assert_eq!(lower("{+++\nx"), None);
    }

    #[test]
    fn short_runs_names_and_odd_lines_stay() {
        assert_eq!(lift("+1\n+2\n+3\n+4\n-5\n-6"), None);
        assert_eq!(lift("-1\n-2\n-3\n--- a/x\n+++ b/x\n+4\n+5"), None);
        assert_eq!(lift(&format!("{{+++\n{}", "+1\n".repeat(9))), None);
        let odd = "+1\n".repeat(4) + "++++}\n" + &"+1\n".repeat(7);
        assert_eq!(lower(&lift(&odd).expect("a block")).as_deref(), Some(odd.as_str()));
    }

    proptest! {
        #[test]
        fn any_lines_read_back(lines in prop::collection::vec("[+-]?(\\+\\+\\+\\}|\\{\\+\\+\\+|---\\}|\\{---|a|)", 0..60)) {
            let text = lines.join("\n");
            if let Some(lifted) = lift(&text) {
                prop_assert_eq!(lower(&lifted), Some(text));
            }
        }
    }
}
