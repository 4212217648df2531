//! What commands print: tests, builds, package managers, version control.
//!
//! Each family is recognised by lines of its own shape that occur several times, or once each in the right company.

use super::Sample;
use crate::log::lex::{self, HashedMap, Quotes};

/// Whether the text is the output of a command of a known family, or was made for a terminal.
pub(super) fn is_command(sample: &Sample<'_>) -> bool {
    let lines: Vec<String> = plain(sample);
    let count = |test: fn(&str) -> bool| lines.iter().filter(|line| test(line)).count();
    let filled = lines.iter().filter(|line| !line.trim().is_empty()).count().max(1);
    is_terminal(sample, filled)
        || count(is_test_line) >= 4 && count(is_test_line) * 10 >= filled
        || count(is_test_frame) >= 2
        || count(is_build_line) >= 3 && count(is_build_line) * 10 >= filled
        || count(is_finding) >= 2 && count(is_finding) * 12 >= filled
        || count(is_package_line) >= 4 && count(is_package_line) * 4 >= filled
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
    let drawn = sample.count(|line| line.contains('\u{1b}') || line.trim_end_matches('\r').contains('\r'));
    drawn >= 2 && drawn * 20 >= filled
}

fn plain(sample: &Sample<'_>) -> Vec<String> {
    sample.lines.iter().map(|line| crate::command::terminal::visible(line).into_owned()).collect()
}

/// One test and how it went.
fn is_test_line(line: &str) -> bool {
    let trimmed = line.trim();
    let outcome =
        ["... ok", "... FAILED", "... FAIL", "... ERROR", "... ignored", "... skipped", "... expected failure"];
    let starts = [
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
    ];
    outcome.iter().any(|end| trimmed.ends_with(end) || trimmed.contains(&format!("{end} '")))
        || starts.iter().any(|start| trimmed.starts_with(start))
        || trimmed.split(' ').any(|word| matches!(word, "PASSED" | "FAILED" | "XFAIL" | "SKIPPED"))
            && trimmed.contains("::")
        || trimmed.starts_with("ok ") && trimmed[3..].starts_with(|c: char| c.is_ascii_digit())
        || trimmed.split_once(' ').is_some_and(|(path, marks)| {
            path.contains('.')
                && !marks.is_empty()
                && marks.split(" [").next().is_some_and(|marks| {
                    marks.len() >= 3
                        && marks.bytes().all(|byte| matches!(byte, b'.' | b'F' | b's' | b'x' | b'E' | b' '))
                })
        })
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
    const STEPS: [&str; 17] = [
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
    ];
    let trimmed = line.trim_start();
    STEPS.iter().any(|step| trimmed.starts_with(step))
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
        || trimmed.starts_with("--> ")
            && trimmed.rsplit(':').take(2).all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        || trimmed.contains("): error ")
        || trimmed.contains("): warning ")
        || [": error: ", ": warning: ", ": fatal error: "].iter().any(|mark| {
            trimmed.split_once(mark).is_some_and(|(place, _)| {
                place.rsplit(':').next().is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            })
        })
}

/// One step of a package manager.
fn is_package_line(line: &str) -> bool {
    const STEPS: [&str; 20] = [
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
    ];
    STEPS.iter().any(|step| line.starts_with(step))
}

/// Output of git that is not a diff: log, blame, status, stat, ls-tree.
fn is_git(lines: &[String], filled: usize) -> bool {
    let hex = |word: &str, least: usize| word.len() >= least && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let first = |line: &str| {
        line.trim_start_matches(['*', '|', '\\', '/', '_', ' ', '^'])
            .split([' ', '\t'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mixed = |word: &str| {
        hex(word, 7)
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let commits = lines
        .iter()
        .filter(|line| {
            line.trim_start_matches(['*', '|', '\\', '/', ' '])
                .strip_prefix("commit ")
                .is_some_and(|rest| hex(rest.split(' ').next().unwrap_or_default(), 7))
        })
        .count();
    let authors = lines.iter().filter(|line| line.contains("Author: ")).count();
    let short = lines.iter().filter(|line| mixed(&first(line))).count();
    let trees = lines
        .iter()
        .filter(|line| line.contains(" blob ") || line.contains(" tree "))
        .filter(|line| line.contains('\t'))
        .count();
    let stats = lines
        .iter()
        .filter(|line| {
            line.split_once(" | ").is_some_and(|(_, rest)| {
                rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("Bin ")
            })
        })
        .count();
    let status = lines
        .iter()
        .filter(|line| {
            ["On branch ", "Changes not staged", "Changes to be committed", "Untracked files:", "nothing to commit"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .count();
    commits >= 1 && authors >= 1
        || short >= 4 && short * 10 >= filled * 7
        || trees >= 3 && trees * 10 >= filled * 8
        || stats >= 3 && stats * 10 >= filled * 7
        || status >= 2
}
