//! Lists of words that a line may start or end with, asked by the line's first or last byte before any word is compared.

/// Beginnings of lines.
pub(crate) struct Starts {
    words: &'static [&'static str],
    first: [bool; 256],
}

impl Starts {
    /// No word is empty.
    pub(crate) const fn new(words: &'static [&'static str]) -> Self {
        let mut first = [false; 256];
        let mut at = 0;
        while at < words.len() {
            first[words[at].as_bytes()[0] as usize] = true;
            at += 1;
        }
        Self { words, first }
    }

    /// Whether `line` starts with one of the words.
    pub(crate) fn of(&self, line: &str) -> bool {
        line.as_bytes().first().is_some_and(|byte| self.first[usize::from(*byte)])
            && self.words.iter().any(|word| line.starts_with(word))
    }
}

/// Ends of lines.
pub(crate) struct Ends {
    words: &'static [&'static str],
    last: [bool; 256],
}

impl Ends {
    /// No word is empty.
    pub(crate) const fn new(words: &'static [&'static str]) -> Self {
        let mut last = [false; 256];
        let mut at = 0;
        while at < words.len() {
            let word = words[at].as_bytes();
            last[word[word.len() - 1] as usize] = true;
            at += 1;
        }
        Self { words, last }
    }

    /// Whether `line` ends with one of the words.
    pub(crate) fn of(&self, line: &str) -> bool {
        line.as_bytes().last().is_some_and(|byte| self.last[usize::from(*byte)])
            && self.words.iter().any(|word| line.ends_with(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_at_their_end_of_the_line() {
        static STARTS: Starts = Starts::new(&["def ", "✓ "]);
        static ENDS: Ends = Ends::new(&[") {", "。"]);
        assert!(STARTS.of("def x") && STARTS.of("✓ ok") && !STARTS.of("de") && !STARTS.of("") && !STARTS.of("✗ ok"));
        assert!(ENDS.of("f() {") && ENDS.of("文。") && !ENDS.of("{") && !ENDS.of("文！"));
    }
}
