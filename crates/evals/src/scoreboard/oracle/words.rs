//! Text as a reader sees it.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern of this crate's own; the tests of each table prove that it can be read.
pub(super) fn pattern(text: &str) -> Regex {
    #[allow(clippy::expect_used, reason = "every pattern is a literal that a test reads")]
    Regex::new(text).expect("a pattern of our own")
}

static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    pattern("\u{1b}(\\[[0-9;?]*[A-Za-z]|\\][^\u{7}\u{1b}]*(\u{7}|\u{1b}\\\\)|[()][A-Za-z0-9]|[=>78Mc])")
});

/// Without escape sequences, and of a line that was redrawn from its start the last state that shows anything.
pub(super) fn visible(line: &str) -> String {
    let plain = ESCAPES.replace_all(line, "");
    let last = plain.trim_end_matches('\r').rsplit('\r').find(|state| !state.trim().is_empty());
    last.unwrap_or_default().to_owned()
}

/// White space folded to single blanks.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}
