//! Lines that somebody will ask about: findings, failures, summaries, places. They are never left out and always written as they are.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Word beginnings of trouble and of verdicts, in any case. Too many lines kept costs a little; one too few costs trust.
static GRAVE: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = [
        "err!",
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
        "passed",
        "passing",
        "tests run",
        "succe",
        "build ",
    ];
    any_case(&[&signs, &FAILURES[..]].concat())
});

/// Word beginnings that say that something failed.
const FAILURES: [&str; 15] = [
    "error",
    "fail",
    "fatal",
    "panic",
    "exception",
    "traceback",
    "abort",
    "killed",
    "segmentation",
    "not ok",
    "✕",
    "✗",
    "×",
    "❌",
    "●",
];

static FAILED: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| any_case(&FAILURES));

/// Word beginnings of warnings.
static MILD: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| any_case(&["warn", "deprecat"]));

fn any_case(signs: &[&str]) -> Option<AhoCorasick> {
    AhoCorasick::builder().ascii_case_insensitive(true).build(signs).ok()
}

/// Whether a sign begins a word: at the start of one, or with a capital inside it (`AssertionError`), but not in `tunables`.
fn has(signs: &Option<AhoCorasick>, line: &str) -> bool {
    let bytes = line.as_bytes();
    let begins =
        |start: usize| start == 0 || !bytes[start - 1].is_ascii_lowercase() || !bytes[start].is_ascii_lowercase();
    signs.as_ref().is_none_or(|signs| signs.find_iter(line).any(|found| begins(found.start())))
}

/// Whether a line (as seen, without escape sequences) must stay.
pub(crate) fn matters(line: &str) -> bool {
    is_quoted(line) || has(&MILD, line)
}

/// Whether a line must stay as it is, because a reader will quote it: all that matters but warnings, which come in series.
pub(crate) fn is_quoted(line: &str) -> bool {
    has(&GRAVE, line) || is_summary(line) || has_place(line) || line.starts_with("E   ")
}

/// Whether a line says that something failed: what stays even where a whole block of output comes again.
pub(crate) fn is_failure(line: &str) -> bool {
    has(&FAILED, line) || is_summary(line) || line.starts_with("E   ")
}

/// Whether a line is a frame of a stack trace: `File "a.py", line 3`, `at a.B(C.java:4)`.
pub(crate) fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.len() < line.len() && (trimmed.starts_with("at ") || trimmed.starts_with("File \""))
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
            "E         # #  #",
            "java.lang.AssertionError",
        ] {
            assert!(matters(line), "{line}");
        }
        for line in [
            "   Compiling serde v1.0.1",
            "Get:1 http://deb.example x",
            "",
            "12:30:45 started",
            "Unpacking x (1.2:3) ...",
            "kmalloc-8  1024 : tunables 0 0",
        ] {
            assert!(!matters(line), "{line}");
        }
    }
}
