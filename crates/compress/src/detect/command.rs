//! What commands print: tests, builds, package managers, version control.
//!
//! Each family is recognised by lines of its own shape that occur several times, or once each in the right company.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Sample;
use super::starts::Starts;
use crate::log::lex::{self, HashedMap, Quotes};

/// Whether the text is the output of a command of a known family, or was made for a terminal.
pub(super) fn is_command(sample: &Sample<'_>) -> bool {
    let lines: Vec<Cow<'_, str>> = sample.lines.iter().map(|line| crate::terminal::visible(line)).collect();
    let filled = lines.iter().filter(|line| !line.trim_start().is_empty()).count().max(1);
    let count = |test: fn(&str) -> bool| lines.iter().filter(|line| test(line)).count();
    let many = |test: fn(&str) -> bool, least: usize, share: usize| {
        let count = count(test);
        count >= least && count * share >= filled
    };
    is_terminal(sample, filled)
        || many(is_test_line, 4, 10)
        || count(is_test_frame) >= 2
        || many(is_build_line, 3, 10)
        || many(is_finding, 2, 12)
        || many(is_package_line, 4, 4)
        || is_git(&lines, filled)
}

/// Whether an XML text is the report of a test runner (JUnit, NUnit, xUnit).
pub(super) fn is_test_report(sample: &Sample<'_>) -> bool {
    ["<testsuite", "<testcase ", "<test-run ", "<test-case ", "<assemblies"]
        .iter()
        .any(|tag| sample.lines.iter().any(|line| line.contains(tag)))
}

/// Whether the lines were made by a machine: most of them have a shape (separators and kinds of words) that occurs several times.
pub(super) fn is_regular(sample: &Sample<'_>) -> bool {
    let mut shapes: HashedMap<usize> = HashedMap::default();
    let hashes: Vec<u64> = sample.filled().map(shape).collect();
    for hash in &hashes {
        *shapes.entry(*hash).or_default() += 1;
    }
    let regular = hashes.iter().filter(|hash| shapes.get(hash).is_some_and(|count| *count >= 3)).count();
    hashes.len() >= 10 && regular * 10 >= hashes.len() * 6
}

/// Whether most lines are rows of a table: many words, most of them padded to stand below each other. A log pads a level or a name, no more.
pub(super) fn is_padded(sample: &Sample<'_>) -> bool {
    sample.mostly(70, 6, |line| {
        if memchr::memmem::find(line.as_bytes(), b"  ").is_none() {
            return false;
        }
        let line = line.trim();
        let blanks = line.bytes().filter(|byte| *byte == b' ').count();
        let padded = line.split("  ").filter(|part| !part.is_empty()).count().saturating_sub(1);
        padded >= 5 && padded * 2 >= line.split_whitespace().count() && blanks > padded
    })
}

/// Whether a text is numbers for the most part, in lines with a name or two.
pub(super) fn is_numeric(sample: &Sample<'_>) -> bool {
    let (mut lines, mut bytes, mut all) = (0, 0, 0);
    for line in sample.filled() {
        all += line.len();
        let (words, numbers) = line.split_whitespace().fold((0, 0), |(words, numbers), word| {
            (words + 1, numbers + usize::from(word.bytes().any(|byte| byte.is_ascii_digit())))
        });
        if words >= 4 && numbers * 2 >= words {
            lines += 1;
            bytes += line.len();
        }
    }
    lines >= 4 && bytes * 10 >= all * 8
}

/// Whether nearly all lines are rows of several words with a number in the same place: `zonetransfer.me. 7200 IN SOA ...`.
pub(super) fn is_columnar(sample: &Sample<'_>) -> bool {
    const WORDS: usize = 5;
    (0..3).any(|column| {
        sample.mostly(90, 10, |line| {
            let mut words = line.split_whitespace();
            let number = words.nth(column).is_some_and(is_number);
            number && words.count() + column + 1 >= WORDS
        })
    })
}

/// Hash of a line's separators, with its words reduced to whether they hold digits; runs of blanks count as one.
fn shape(line: &str) -> u64 {
    let mut words = Vec::new();
    lex::words(line, Quotes::Open, &mut words);
    let mut from = 0;
    words.iter().fold(words.len() as u64, |hash, word| {
        let separator = line[from..word.start as usize].trim_end_matches(' ');
        from = word.end as usize;
        lex::mix(hash ^ lex::hash(separator.as_bytes()) ^ u64::from(word.digit))
    })
}

/// Colour codes or redrawn lines.
fn is_terminal(sample: &Sample<'_>, filled: usize) -> bool {
    let drawn = sample.count(|line| {
        memchr::memchr2(0x1b, b'\r', line.as_bytes()).is_some()
            && (line.contains('\u{1b}') || line.trim_end_matches('\r').contains('\r'))
    });
    drawn >= 2 && drawn * 20 >= filled
}

/// One test and how it went.
fn is_test_line(line: &str) -> bool {
    static STARTS: Starts = Starts::new(&[
        "--- PASS:",
        "--- FAIL:",
        "--- SKIP:",
        "=== RUN ",
        "=== PAUSE",
        "=== CONT",
        "✓ ",
        "✔ ",
        "✕ ",
        "✗ ",
        "√ ",
        "ok \t",
        "FAIL\t",
        "not ok ",
        "PASSED ",
        "● ",
    ]);
    let trimmed = line.trim();
    STARTS.of(trimmed)
        || has_outcome(trimmed)
        || is_node_id_with_outcome(trimmed)
        || trimmed.strip_prefix("ok ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        || trimmed.split_once(' ').is_some_and(|(path, marks)| path.contains('.') && are_marks(marks))
}

/// `... ok` and its like, at the end or before a reason in quotes.
fn has_outcome(line: &str) -> bool {
    const OUTCOMES: [&str; 7] = ["ok", "FAILED", "FAIL", "ERROR", "ignored", "skipped", "expected failure"];
    static DOTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("... "));
    DOTS.find_iter(line.as_bytes()).any(|at| {
        let rest = &line[at + "... ".len()..];
        let said = |outcome: &&str| rest.strip_prefix(*outcome);
        OUTCOMES.iter().filter_map(said).any(|reason| reason.is_empty() || reason.starts_with(" '"))
    })
}

/// `tests/test_a.py::test_b PASSED`, in either order.
fn is_node_id_with_outcome(line: &str) -> bool {
    memchr::memchr(b':', line.as_bytes()).is_some_and(|at| line[at..].contains("::"))
        && line.split(' ').any(|word| matches!(word, "PASSED" | "FAILED" | "XFAIL" | "SKIPPED"))
}

/// The dots and letters that stand for tests, maybe before a percentage.
fn are_marks(text: &str) -> bool {
    let marks = text.split(" [").next().unwrap_or_default();
    marks.len() >= 3 && marks.bytes().all(|byte| matches!(byte, b'.' | b'F' | b's' | b'x' | b'E' | b' '))
}

/// What stands around tests: session headers, summaries.
fn is_test_frame(line: &str) -> bool {
    let trimmed = line.trim();
    let ruled = |sign: char| trimmed.len() >= 24 && trimmed.starts_with(sign) && trimmed.ends_with(sign);
    let counted = |word: &str| trimmed.starts_with(word) && trimmed.bytes().any(|byte| byte.is_ascii_digit());
    (ruled('=')
        && [" test session starts ", " passed", " failed", " FAILURES ", " ERRORS ", "short test summary"]
            .iter()
            .any(|part| trimmed.contains(part)))
        || counted("Tests run:")
        || counted("Ran ") && trimmed.contains(" test")
        || counted("test result: ")
        || counted("Tests:  ")
        || counted("Test Suites:")
        || counted("[INFO] Tests run:")
        || counted("[ERROR] Tests run:")
}

/// One step of a build.
fn is_build_line(line: &str) -> bool {
    static STEPS: Starts = Starts::new(&[
        "Compiling ",
        "Checking ",
        "Downloaded ",
        "Downloading ",
        "Finished ",
        "Updating ",
        "Fresh ",
        "Documenting ",
        "> Task :",
        "[INFO] ---",
        "[INFO] Building ",
        "[INFO] Reactor ",
        "[INFO] BUILD ",
        "CC ",
        "LD ",
        "make[",
        "-- Looking for ",
    ]);
    let trimmed = line.trim_start();
    STEPS.of(trimmed)
        || trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')).is_some_and(|(progress, _)| {
            progress.trim_start().bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'/' | b'%' | b' '))
                && progress.contains(['/', '%'])
        })
        || trimmed.starts_with("#")
            && trimmed[1..].split_once(' ').is_some_and(|(step, rest)| {
                step.bytes().all(|byte| byte.is_ascii_digit())
                    && !step.is_empty()
                    && rest.starts_with(|c: char| c.is_ascii_digit() || c == '[')
            })
}

/// A finding of a compiler or linter, with its place.
fn is_finding(line: &str) -> bool {
    let trimmed = line.trim_start();
    let coded = |word: &str| trimmed.strip_prefix(word).is_some_and(|rest| rest.starts_with([':', '[']));
    coded("error")
        || coded("warning")
        || trimmed.starts_with("--> ") && trimmed.rsplit(':').take(2).all(is_number)
        || memchr::memchr_iter(b':', trimmed.as_bytes()).any(|at| {
            let (place, rest) = (&trimmed[..at], &trimmed[at + 1..]);
            let says = |marks: &[&str]| marks.iter().any(|mark| rest.starts_with(mark));
            place.ends_with(')') && says(&[" error ", " warning "])
                || says(&[" error: ", " warning: ", " fatal error: "])
                    && place.rsplit(':').next().is_some_and(is_number)
        })
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// One step of a package manager.
fn is_package_line(line: &str) -> bool {
    static STEPS: Starts = Starts::new(&[
        "Requirement already satisfied: ",
        "Collecting ",
        "  Downloading ",
        "Downloading ",
        "  Using cached ",
        "Installing collected packages",
        "Successfully installed ",
        "Get:",
        "Hit:",
        "Unpacking ",
        "Selecting previously unselected package ",
        "Preparing to unpack ",
        "Setting up ",
        "Processing triggers for ",
        "npm WARN ",
        "npm warn ",
        "npm ERR! ",
        "npm error ",
        "added ",
        "(Reading database ",
    ]);
    STEPS.of(line)
}

/// Output of git that is not a diff: log, blame, status, stat, ls-tree.
fn is_git(lines: &[Cow<'_, str>], filled: usize) -> bool {
    let count = |test: fn(&str) -> bool| lines.iter().filter(|line| test(line)).count();
    let many = |test: fn(&str) -> bool, least: usize, share: usize| {
        let count = count(test);
        count >= least && count * 10 >= filled * share
    };
    count(is_commit) >= 1 && count(is_author) >= 1
        || many(starts_with_hash, 4, 7)
        || many(is_tree_entry, 3, 8)
        || many(is_stat, 3, 7)
        || count(is_status) >= 2
}

/// The line without the branches that `git log --graph` draws before it.
fn without_graph(line: &str) -> &str {
    line.trim_start_matches(['*', '|', '\\', '/', '_', ' ', '^'])
}

fn is_commit(line: &str) -> bool {
    let hash = without_graph(line).strip_prefix("commit ").and_then(|rest| rest.split(' ').next());
    hash.is_some_and(|hash| hash.len() >= 7 && is_hex(hash))
}

fn is_author(line: &str) -> bool {
    without_graph(line).starts_with("Author: ")
}

/// An abbreviated hash: letters and digits, so that neither a number nor a word passes for one.
fn starts_with_hash(line: &str) -> bool {
    let word = without_graph(line).split([' ', '\t']).next().unwrap_or_default();
    word.len() >= 7
        && is_hex(word)
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_tree_entry(line: &str) -> bool {
    line.split_once('\t').is_some_and(|(entry, _)| entry.contains(" blob ") || entry.contains(" tree "))
}

fn is_stat(line: &str) -> bool {
    if memchr::memchr(b'|', line.as_bytes()).is_none() {
        return false;
    }
    line.split_once(" | ").is_some_and(|(_, rest)| {
        rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("Bin ")
    })
}

fn is_status(line: &str) -> bool {
    static STARTS: Starts = Starts::new(&[
        "On branch ",
        "Changes not staged",
        "Changes to be committed",
        "Untracked files:",
        "nothing to commit",
    ]);
    STARTS.of(line)
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
