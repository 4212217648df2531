//! Diffs: every changed line, but for files that package managers write.

use super::words::visible;
use super::{Seen, Verdict};

/// Nobody reads the lines of these one by one; what tools did to them may be left out, their headers may not.
const LOCK_FILES: [&str; 6] =
    ["Cargo.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "go.sum", "poetry.lock"];

/// Checks the added and removed lines of every hunk of unified diff in a text; a text without one has none.
pub(super) fn check(input: &str, seen: &Seen, verdict: &mut Verdict) {
    let (mut old, mut new) = (0_usize, 0_usize);
    let mut locked = false;
    for raw in input.lines() {
        let line = visible(raw);
        if old == 0 && new == 0 {
            if line.starts_with("diff ") || line.starts_with("+++ ") {
                locked = LOCK_FILES.iter().any(|name| line.contains(name));
            }
            if let Some((removed, added)) = counts(&line) {
                (old, new) = (removed, added);
            }
            continue;
        }
        match line.chars().next() {
            Some('+') => {
                new = new.saturating_sub(1);
                verdict.note(locked || seen.shows(&line) || seen.shows(raw), || line.clone());
            }
            Some('-') => {
                old = old.saturating_sub(1);
                verdict.note(locked || seen.shows(&line) || seen.shows(raw), || line.clone());
            }
            Some('\\') => {}
            _ => (old, new) = (old.saturating_sub(1), new.saturating_sub(1)),
        }
    }
}

/// How many old and new lines a hunk header announces.
fn counts(line: &str) -> Option<(usize, usize)> {
    let mut parts = line.strip_prefix("@@ -")?.split(' ');
    let count = |range: &str| range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok());
    let old = count(parts.next()?)?;
    let new = count(parts.next()?.strip_prefix('+')?)?;
    (parts.next()? == "@@").then_some((old, new))
}
