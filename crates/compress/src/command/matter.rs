//! Lines that somebody will ask about: findings, failures, summaries, places. They are never left out and always written as they are.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Word beginnings of trouble and of verdicts, in any case. Too many lines kept costs a little; one too few costs trust.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = [
        "error",
        "err!",
        "fail",
        "warn",
        "fatal",
        "panic",
        "exception",
        "traceback",
        "denied",
        "refused",
        "cannot",
        "can't",
        "could not",
        "couldn't",
        "unable",
        "invalid",
        "missing",
        "not found",
        "no such",
        "abort",
        "killed",
        "segmentation",
        "timed out",
        "timeout",
        "undefined",
        "unresolved",
        "conflict",
        "exit code",
        "exit status",
        "exited",
        "returncode",
        "assert",
        "expected",
        "caused by",
        "vulnerab",
        "deprecat",
        "passed",
        "passing",
        "tests run",
        "not ok",
        "succe",
        "build ",
        "✕",
        "✗",
        "❌",
        "●",
    ];
    AhoCorasick::builder().ascii_case_insensitive(true).build(signs).ok()
});

/// Whether a line (as seen, without escape sequences) must stay as it is.
pub(crate) fn matters(line: &str) -> bool {
    SIGNS.as_ref().is_none_or(|signs| signs.is_match(line)) || is_summary(line) || has_place(line)
}

/// `Ran 56 tests in 0.1s`, `OK (skipped=2)`, `12 tests, 3 skipped`.
fn is_summary(line: &str) -> bool {
    let trimmed = line.trim();
    let counts = trimmed.bytes().any(|byte| byte.is_ascii_digit());
    matches!(trimmed, "OK" | "ok" | "PASS" | "FAIL")
        || trimmed.starts_with("OK (")
        || (counts && (trimmed.starts_with("Ran ") || trimmed.contains(" tests")))
}

/// `src/a.rs:12:5`: a file with a line and a column.
fn has_place(line: &str) -> bool {
    let bytes = line.as_bytes();
    memchr::memchr_iter(b':', bytes).any(|at| {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let column = at + 1 + digits;
        digits > 0
            && bytes.get(column) == Some(&b':')
            && bytes.get(column + 1).is_some_and(u8::is_ascii_digit)
            && at > 0
            && bytes[at - 1].is_ascii_alphabetic()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_and_verdicts_matter() {
        for line in [
            "error[E0499]: cannot borrow",
            "FAILED tests/a.py::b",
            "Ran 56 tests in 0.093s",
            "OK (skipped=2)",
            "3 passed in 0.1s",
            "    at src/x.ts:12:5",
            "BUILD SUCCESS",
            "npm ERR! code 1",
            "Permission denied",
            "0 failures",
        ] {
            assert!(matters(line), "{line}");
        }
        for line in [
            "   Compiling serde v1.0.1",
            "Get:1 http://deb.example x",
            "",
            "12:30:45 started",
            "Unpacking x (1.2:3) ...",
        ] {
            assert!(!matters(line), "{line}");
        }
    }
}
