//! Which lines of a diff can be left out: context that no change touches, and what tools wrote into files that nobody reads.

use crate::detect::diff::is_hunk_header;
use crate::verbatim;

/// A generated file's hunks are left out from this many lines on.
const GENERATED: usize = 20;

/// Which lines stay: every header, every changed line outside generated files, and what [anchors](anchor) changes that no header places.
pub(crate) fn keep(lines: &[&str]) -> Vec<bool> {
    let inside = verbatim::hunks(lines);
    let mut keep: Vec<bool> = lines.iter().zip(&inside).map(|(line, inside)| !inside || !is_context(line)).collect();
    anchor(lines, &inside, &mut keep);
    fold_generated(lines, &inside, &mut keep);
    keep
}

/// In hunks whose header names nothing around them (no function, no section), a line of context stays on each side of a change, so that a
/// reader knows the place by its text as well as by its number. One line on each side of every change was measured to cost two fifths of what
/// leaving out context saves.
fn anchor(lines: &[&str], inside: &[bool], keep: &mut [bool]) {
    let is_change = |at: usize| inside.get(at) == Some(&true) && lines[at].starts_with(['+', '-']);
    let mut named = true;
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| inside[*at]) {
        if is_hunk_header(line) {
            named = !line.trim_end().ends_with("@@");
        } else if !named {
            keep[at] |= is_change(at + 1) || (at > 0 && is_change(at - 1));
        }
    }
}

/// Takes the header of every hunk that stands beside a gap, but for a file's first one, into the gap; returns what is to be said behind the
/// mark instead: both starts and the heading, without the counts, which are of lines that are gone.
pub(crate) fn join_gaps(lines: &[&str], keep: &mut [bool]) -> Vec<String> {
    let mut said = vec![String::new(); lines.len()];
    join(lines, keep, &mut said, false);
    said
}

/// Does for the first hunk of every file what [`join_gaps`] does for the others: where the names above it are written once, as
/// [`super::exact`] does, nothing is lost when the header stands in the gap.
pub(super) fn join_first(lines: &[&str], keep: &mut [bool], said: &mut [String]) {
    join(lines, keep, said, true);
}

fn join(lines: &[&str], keep: &mut [bool], said: &mut [String], first: bool) {
    for at in 1..lines.len().saturating_sub(1) {
        let beside_gap = keep[at]
            && lines[at - 1].starts_with("+++ ") == first
            && (!keep[at - 1] || !keep[at + 1])
            && is_hunk_header(lines[at]);
        if let Some(short) = super::exact::starts_and_heading(lines[at]).filter(|_| beside_gap) {
            said[at] = short;
            keep[at] = false;
        }
    }
}

/// Leaves out the hunks of generated files; their headers stay.
fn fold_generated(lines: &[&str], inside: &[bool], keep: &mut [bool]) {
    let mut at = 0;
    while at < lines.len() {
        let Some(path) = file_of(lines[at]).filter(|_| !inside[at]) else {
            at += 1;
            continue;
        };
        let end = (at + 1..lines.len())
            .find(|next| !inside[*next] && lines[*next].starts_with("diff "))
            .unwrap_or(lines.len());
        let body: Vec<usize> = (at..end).filter(|line| inside[*line]).collect();
        if is_generated(path) && body.len() >= GENERATED {
            for line in body {
                keep[line] = false;
            }
        }
        at = end;
    }
}

/// The new path in `diff --git a/x b/x`.
fn file_of(line: &str) -> Option<&str> {
    line.strip_prefix("diff --git ")?.split(" b/").last()
}

/// Lock files, source maps and minified bundles, by name.
fn is_generated(path: &str) -> bool {
    const NAMES: [&str; 9] = [
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "yarn.lock",
        "bun.lock",
        "go.sum",
        "Gemfile.lock",
        "packages.lock.json",
        "Package.resolved",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&name) || [".lock", ".min.js", ".min.css", ".map"].iter().any(|end| name.ends_with(end))
}

fn is_context(line: &str) -> bool {
    (line.starts_with(' ') || line.is_empty()) && !is_hunk_header(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_with_their_header() {
        let text = ["@@ -1,6 +1,6 @@ fn x", " a", " b", "-c", "+d", " e", " f", " g"];
        assert_eq!(keep(&text), [true, false, false, true, true, false, false, false]);
    }

    #[test]
    fn a_hunk_without_a_name_keeps_what_stands_beside_its_changes() {
        let text = ["@@ -1,6 +1,6 @@", " a", " b", "-c", "+d", " e", " f", " g"];
        assert_eq!(keep(&text), [true, false, true, true, true, true, false, false]);
    }

    #[test]
    fn a_header_between_gaps_is_said_behind_their_mark() {
        let text =
            ["+++ b/x", "@@ -1,3 +1,3 @@ fn x", " a", "-c", "+d", " e", "@@ -9,3 +9,3 @@ fn y", " f", "-g", "+h"];
        let mut keep = [true, true, false, true, true, false, true, false, true, true];
        let said = join_gaps(&text, &mut keep);
        assert_eq!(keep, [true, true, false, true, true, false, false, false, true, true]);
        assert_eq!(said[6], "@@ -9 +9 @@ fn y");
        assert!(said.iter().filter(|said| !said.is_empty()).count() == 1);
    }

    #[test]
    fn lock_files_keep_their_headers() {
        let mut text = vec![
            "diff --git a/x/yarn.lock b/x/yarn.lock",
            "--- a/x/yarn.lock",
            "+++ b/x/yarn.lock",
            "@@ -0,0 +1,30 @@",
        ];
        text.extend(std::iter::repeat_n("+a", 30));
        text.push("diff --git a/b.rs b/b.rs");
        let kept: Vec<usize> = keep(&text).iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at).collect();
        assert_eq!(kept, [0, 1, 2, 34]);
    }
}
