//! Command output: failing tests, diagnostics, places, verdicts, exit codes, and what happened to named things.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::words::{pattern, visible};
use super::{Seen, Verdict};

/// Lines that must be there as a whole.
const LINES: &[&str] = &[
    // Failing tests, by runner.
    r"^(FAILED|ERROR) \S+",
    r"^\S+::\S+ (FAILED|ERROR)",
    r"^(FAIL|ERROR): \S+",
    r"^\s*--- FAIL: ",
    r"^test .* \.\.\. FAILED",
    r"^\s*[✕✗×✘] ",
    r"^\s*not ok \d",
    r"^\s*● ",
    r"^\s*FAIL\s+\S+",
    r"^\s+Failed \S+",
    r"<<< (FAILURE|ERROR)",
    r"^\S.* \.\.\. (FAIL|ERROR)$",
    r"^\s*\d+\) \S+",
    // Diagnostics.
    r"^\s*(error|fatal|fatal error|panic)(\[[^\]]*\])?: ",
    r"^\s*(warning)(\[[^\]]*\])?: .*\S",
    r":\d+:\d+: (error|fatal error|warning)",
    r"\(\d+,\d+\): (error|warning) ",
    r"^E   +\S",
    r"^\[ERROR\] +\S",
    r"^npm (ERR!|error) \S",
    r"^E: \S",
    r"^[\w.]*(Error|Exception): \S",
    r"^Caused by: ",
    r"^(bash|sh|zsh): .*: (command not found|No such file)",
    // Verdicts.
    r"\b\d+ (tests? )?(passed|failed|errors?|failures?|skipped)\b.*\b(in|of|passed|failed|total|finished)\b",
    r"^test result: ",
    r"^Tests run: .*Failures",
    r"^Ran \d+ tests? in",
    r"^(Tests|Test Suites|Snapshots):\s+\d",
    r"^(OK|FAILED) ?(\(.*\))?$",
    r"\bBUILD (SUCCESS|FAILURE|SUCCESSFUL|FAILED)",
    r"exit(ed with)?( code| status)?:? \d+\s*$",
    r"^make(\[\d+\])?: \*\*\*",
    r"^(Plan|Apply complete!|Destroy complete!)[: ]",
    // What happened to named things.
    r"^(Successfully installed|Successfully uninstalled|Successfully built|added \d+ packages|removed \d+ packages) ?",
    r"^\S+ (created|configured|deleted|destroyed|unchanged)$",
    r"^\s*\S+: (Creation|Destruction|Modifications) complete",
];

static LINE: LazyLock<RegexSet> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "the patterns are literals that a test reads")]
    RegexSet::new(LINES).expect("patterns of our own")
});

/// `src/a.rs:12:5`, `a.c:12:5`; and Python's way of saying it.
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\w./\\+@-]*[\w]\.[A-Za-z]{1,5}:\d+:\d+\b"));
static FRAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"File "[^"]+", line \d+"#));

pub(super) fn check(input: &str, seen: &Seen, verdict: &mut Verdict) {
    let mut known: HashSet<String> = HashSet::new();
    for line in input.lines() {
        let line = visible(line);
        if LINE.is_match(&line) && known.insert(line.trim().to_owned()) {
            verdict.note(seen.shows(&line), || line.clone());
        }
        for place in PLACE.find_iter(&line).chain(FRAME.find_iter(&line)) {
            if known.insert(place.as_str().to_owned()) {
                verdict.note(seen.shows(place.as_str()), || place.as_str().to_owned());
            }
        }
    }
}

static HASH: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:[*|/\\ ]*[*|/\\] +)?(?:commit )?([0-9a-f]{7,40})\b(.*)$"));

/// `git log`: every hash, author and subject. One-line forms must be there whole. Of a hash, a start of ten digits or more will do that
/// no other hash of the input has: git takes it for the whole.
pub(super) fn check_commits(input: &str, seen: &Seen, verdict: &mut Verdict) {
    let hashes: Vec<String> =
        input.lines().filter_map(|line| Some(HASH.captures(&visible(line))?[1].to_owned())).collect();
    let names = |start: &str, hash: &str| !hashes.iter().any(|other| other != hash && other.starts_with(start));
    let shows = |hash: &str, rest: &str| {
        seen.shows(&format!("{hash}{rest}"))
            || (10..hash.len())
                .any(|digits| seen.shows(&format!("{}{rest}", &hash[..digits])) && names(&hash[..digits], hash))
    };
    let mut subject_due = false;
    for line in input.lines() {
        let line = visible(line);
        if let Some(found) = HASH.captures(&line) {
            let long = line.trim_start_matches(['*', '|', ' ', '/', '\\']).starts_with("commit ");
            let rest = if long { "" } else { &found[2] };
            verdict.note(shows(&found[1], rest), || line.clone());
            subject_due = long;
        } else if line.starts_with("Author: ") {
            verdict.note(seen.shows(&line), || line.clone());
        } else if subject_due && line.starts_with("    ") && !line.trim().is_empty() {
            verdict.note(seen.shows(&line), || line.clone());
            subject_due = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_places_and_verdicts_are_facts() {
        for line in [
            "FAILED tests/a.py::b - x",
            "--- FAIL: TestX (0.0s)",
            "a.c:3:4: error: x",
            "Ran 3 tests in 0.1s",
            "BUILD FAILURE",
        ] {
            assert!(LINE.is_match(line), "{line}");
        }
        for line in ["tests/a.py::b PASSED", "   Compiling x v1", "ok  x 0.1s"] {
            assert!(!LINE.is_match(line), "{line}");
        }
        assert_eq!(PLACE.find("  --> src/a.rs:12:5").map(|place| place.as_str()), Some("src/a.rs:12:5"));
        assert!(FRAME.is_match("  File \"/a/b.py\", line 3, in x") && HASH.is_match("* 0123abc subject"));
    }
}
