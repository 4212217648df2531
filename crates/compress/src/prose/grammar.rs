//! What may not be lost or parted: the protected-span grammar, on segments.
//!
//! Segments are shown whole or not at all, so nothing inside one is ever altered. What is left to decide here is which
//! segments must stay, and which must stay together.

/// Whether the segment states a failure or a result: the head of an error, an exit status, a failing test, an assertion.
pub(super) fn states_failure(text: &str) -> bool {
    let line = text.trim_start();
    const HEADS: [&str; 14] = [
        "error",
        "fatal",
        "panic",
        "exception",
        "traceback",
        "caused by",
        "assertion",
        "assert",
        "failed",
        "failure",
        "fail",
        "critical",
        "warning",
        "abort",
    ];
    let starts = |head: &str| {
        line.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head))
            && line[head.len()..].starts_with([':', '[', '(', ' '])
            && line[head.len()..].chars().take(24).any(|c| matches!(c, ':' | '('))
    };
    let names_error = line
        .split_once(": ")
        .is_some_and(|(head, _)| !head.contains(' ') && (head.ends_with("Error") || head.ends_with("Exception")));
    names_error
        || HEADS.iter().any(|head| starts(head))
        || ["exit code", "exit status", "errno", "FAILED", "Segmentation fault"].iter().any(|sign| text.contains(sign))
}

/// Whether the segment holds an address, a path, a quoted command, a flag, or an exact name. Codes with digits are numbers and
/// identifiers of [`super::words`].
pub(super) fn holds_code(text: &str) -> bool {
    text.contains('`') || text.contains("://") || text.split_ascii_whitespace().any(is_code)
}

fn is_code(word: &str) -> bool {
    let word = word.trim_matches(|c: char| matches!(c, '(' | ')' | '[' | ']' | ',' | '.' | ';' | ':' | '"' | '\''));
    let bytes = word.as_bytes();
    let is_flag = bytes.len() > 2 && bytes.starts_with(b"--") && bytes[2].is_ascii_alphabetic();
    let is_path = bytes.len() > 3 && (bytes[0] == b'/' || bytes.starts_with(b"./") || bytes.starts_with(b"~/"));
    is_flag || is_path || bytes.contains(&b'_') || bytes.contains(&b'@')
}

/// How a segment leans on the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lean {
    No,
    /// It cannot be understood alone: it begins with a word that points back.
    Back,
    /// It also takes back what was said: the one before must not stay without it.
    Both,
}

/// Reads how the segment begins.
pub(super) fn lean(text: &str) -> Lean {
    const CONTRASTS: [&str; 11] =
        ["but", "however", "except", "unless", "otherwise", "instead", "not", "only", "nevertheless", "yet", "still"];
    const POINTERS: [&str; 7] = ["this", "that", "it", "they", "such", "these", "those"];
    let first = text.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    if first.len() > 12 || !first.chars().next().is_some_and(char::is_uppercase) {
        return Lean::No;
    }
    let is = |word: &&str| word.eq_ignore_ascii_case(first);
    if CONTRASTS.iter().any(is) {
        return if negates(text) { Lean::Both } else { Lean::Back };
    }
    if POINTERS.iter().any(is) { Lean::Back } else { Lean::No }
}

/// Whether a word of the segment denies or limits.
fn negates(text: &str) -> bool {
    const CUES: [&str; 15] = [
        "not",
        "no",
        "never",
        "none",
        "without",
        "unless",
        "except",
        "only",
        "must",
        "may",
        "cannot",
        "fails",
        "denied",
        "missing",
        "deprecated",
    ];
    text.contains("n't")
        || text.split(|c: char| !c.is_alphabetic()).any(|word| CUES.iter().any(|cue| cue.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_statements_not_words() {
        for text in
            ["Error: no such file", "ValueError: bad literal", "error[E0499]: borrow", "It ended with exit code 3."]
        {
            assert!(states_failure(text), "{text}");
        }
        for text in ["Errors are part of life", "The failure of the bank was long ago.", "Warning signs were seen."] {
            assert!(!states_failure(text), "{text}");
        }
    }

    #[test]
    fn code_is_told_from_words() {
        for text in ["run `make`", "see /etc/hosts now", "use --all here", "a max_size of", "at x@y.z"] {
            assert!(holds_code(text), "{text}");
        }
        assert!(!holds_code("In 1973 the U.S. embargo, e.g. on oil, ended (at last)."));
    }

    #[test]
    fn a_segment_leans_on_the_one_before() {
        assert_eq!(lean("However, it is not allowed."), Lean::Both);
        assert_eq!(lean("This was new."), Lean::Back);
        assert_eq!(lean("Thistles grow."), Lean::No);
    }
}
