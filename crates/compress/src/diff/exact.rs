//! The exact encoding of unified diffs, and its decoder.
//!
//! ```text
//! [diff, unfolded by: "diff x" = "diff --git a/x b/x" with its "---" and "+++"; "@@ -1 +2 @@" has its counts left out]
//! diff src/a.rs 1234567..89abcde
//! @@ -118 +120 @@ fn main() {
//! ```
//!
//! Every file name and every line number stays. The counts of a hunk follow from its lines, the names from the first line. Lines that were
//! changed in one place are joined ([`super::edits`]), the sign of many lines in a row is said once ([`super::signs`]), and of long
//! runs what stands further up is not written again ([`crate::again`]).

use std::borrow::Cow;

use super::{edits, signs};
use crate::again;
use crate::detect::diff::is_hunk_header;

const INTRODUCTION: &str = "[diff; \"diff x\" = \"diff --git a/x b/x\" with index, \"---\", \"+++\"; \"@@ -1 +2 @@\" without its counts, \" = same part as above; \"~a[-b-]{+c+}d\" = \"-abd\", \"+acd\"";

/// Goes on in the introduction where runs of lines are enclosed.
const ENCLOSED: &str = "; {+++ to +++} and {--- to ---} hold added and removed lines";
const END: &str = "]\n";

/// How changed lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Each as it is.
    Verbatim,
    /// A removed and an added line as one where they share most of it.
    Joined,
}

/// Stands for the heading of the hunk above.
const SAME: &str = "\"";

/// Encodes a diff; `None` when there is nothing to leave out, or a line could be taken for an encoded one.
///
/// With `Changes::Joined` a line and what it became may share a row, which `Changes::Verbatim` does not do.
pub(crate) fn encode(text: &str, changes: Changes) -> Option<String> {
    if edits::has_pair(text) {
        return None;
    }
    let headers = encode_headers(text)?;
    let joined = if changes == Changes::Joined { edits::join(&headers).unwrap_or(headers) } else { headers };
    let enclosed = signs::lift(&joined);
    let encoded = match enclosed {
        Some(enclosed) => {
            let encoded = [INTRODUCTION, ENCLOSED, END, &enclosed].concat();
            // Hunks that are read in their place stay whole; a long block that was moved, or added twice, is written once.
            let inside = signs::inside(&encoded);
            let again = again::encode_where(&encoded, |line| inside[line]).filter(|again| again.len() < encoded.len());
            again.unwrap_or(encoded)
        }
        None => [INTRODUCTION, END, &joined].concat(),
    };
    (encoded.len() < text.len()).then_some(encoded)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let again = if again::is_encoded(encoded) { Some(again::decode(encoded)?) } else { None };
    let rest = again.as_deref().unwrap_or(encoded).strip_prefix(INTRODUCTION)?;
    match rest.strip_prefix(ENCLOSED) {
        Some(enclosed) => decode_headers(&edits::part(&signs::lower(enclosed.strip_prefix(END)?)?)?),
        None => decode_headers(&edits::part(rest.strip_prefix(END)?)?),
    }
}

fn encode_headers(text: &str) -> Option<String> {
    let lines = crate::lines::between(text);
    let mut encoded = String::with_capacity(text.len());
    let mut heading = "";
    let mut names: Option<Names<'_>> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(path) = git_path(line) {
            if versions(path).is_some() {
                return None;
            }
            names = Some(Names::of(path));
            encoded.push_str("diff ");
            encoded.push_str(path);
            if let Some(versions) = lines.get(at + 1).and_then(|next| plain_index(next)) {
                encoded.push(' ');
                encoded.push_str(versions);
                at += 1;
            }
        } else if is_short_name(line) {
            return None;
        } else if names.as_ref().is_some_and(|known| known.are_named_by(&lines[at..])) {
            // Written out again where the hunk starts.
            names = None;
            at += 2;
            continue;
        } else if starts_hunk(line) {
            if names.is_some() {
                return None;
            }
            let short = if joined_header(line).is_some() {
                Cow::Borrowed(line)
            } else {
                Cow::Owned(without_counts(line, &lines[at + 1..])?)
            };
            let new = heading_of(line);
            if new == SAME {
                return None;
            }
            let same = !new.is_empty() && new == heading;
            encoded.push_str(if same { &short[..short.len() - new.len()] } else { &short });
            encoded.push_str(if same { SAME } else { "" });
            heading = new;
        } else {
            Names::note(&mut names, line);
            encoded.push_str(line);
        }
        encoded.push('\n');
        at += 1;
    }
    encoded.pop();
    Some(encoded)
}

fn decode_headers(encoded: &str) -> Option<String> {
    let lines = crate::lines::between(encoded);
    let mut text = String::with_capacity(encoded.len() * 5 / 4);
    let mut heading = "";
    let mut names: Option<Names<'_>> = None;
    for (at, line) in lines.iter().enumerate() {
        if is_short_name(line) {
            let (path, versions) = versions(&line[5..]).map_or((&line[5..], None), |(path, found)| (path, Some(found)));
            names = Some(Names::of(path));
            text.push_str(&format!("diff --git a/{path} b/{path}"));
            if let Some(versions) = versions {
                text.push_str(&format!("\nindex {versions} 100644"));
            }
        } else if starts_hunk(line) {
            if let Some(known) = names.take() {
                text.push_str(&format!("{}\n{}\n", known.old_line(), known.new_line()));
            }
            let full =
                if joined_header(line).is_some() { (*line).to_owned() } else { with_counts(line, &lines[at + 1..])? };
            if heading_of(line) == SAME {
                text.push_str(full.strip_suffix(SAME)?);
                text.push_str(heading);
            } else {
                text.push_str(&full);
                heading = heading_of(line);
            }
        } else {
            Names::note(&mut names, line);
            text.push_str(line);
        }
        text.push('\n');
    }
    text.pop();
    Some(text)
}

/// The names that the lines `---` and `+++` of a file repeat.
struct Names<'t> {
    path: &'t str,
    created: bool,
    deleted: bool,
}

impl<'t> Names<'t> {
    fn of(path: &'t str) -> Self {
        Self { path, created: false, deleted: false }
    }

    /// What a line between `diff` and the first hunk says about the names.
    fn note(names: &mut Option<Self>, line: &str) {
        let Some(known) = names else { return };
        known.created |= line.starts_with("new file mode ");
        known.deleted |= line.starts_with("deleted file mode ");
        if line.starts_with("--- ") || line.starts_with("+++ ") {
            *names = None;
        }
    }

    fn old_line(&self) -> String {
        if self.created { "--- /dev/null".to_owned() } else { format!("--- a/{}", self.path) }
    }

    /// Whether these lines start with the names, right before a hunk. Where the hunks were left out, the names stand for themselves.
    fn are_named_by(&self, lines: &[&str]) -> bool {
        matches!(lines, [old, new, hunk, ..] if is_old_name(old, self) && is_new_name(new, self) && starts_hunk(hunk))
    }

    fn new_line(&self) -> String {
        if self.deleted { "+++ /dev/null".to_owned() } else { format!("+++ b/{}", self.path) }
    }
}

fn is_old_name(line: &str, names: &Names<'_>) -> bool {
    line.starts_with("--- ") && line == names.old_line()
}

fn is_new_name(line: &str, names: &Names<'_>) -> bool {
    line.starts_with("+++ ") && line == names.new_line()
}

/// The path in `diff --git a/path b/path`.
fn git_path(line: &str) -> Option<&str> {
    let names = line.strip_prefix("diff --git a/")?;
    let path = names.get(..names.len().checked_sub(3)? / 2)?;
    let plain = !path.is_empty() && !path.starts_with('-');
    (plain && names[path.len()..].strip_prefix(" b/") == Some(path)).then_some(path)
}

/// `1234567..89abcde` of a line `index 1234567..89abcde 100644`: the mode of nearly all files.
fn plain_index(line: &str) -> Option<&str> {
    let found = line.strip_prefix("index ")?.strip_suffix(" 100644")?;
    is_versions(found).then_some(found)
}

/// A path, and what `plain_index` found below it.
fn versions(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once(' ').filter(|(_, end)| is_versions(end))
}

fn is_versions(text: &str) -> bool {
    let is_hash = |hash: &str| hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_once("..").is_some_and(|(old, new)| is_hash(old) && is_hash(new))
}

fn is_short_name(line: &str) -> bool {
    line.strip_prefix("diff ").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'))
}

/// How many old and new lines the hunk has whose lines come first here.
fn count(lines: &[&str]) -> (usize, usize) {
    let (mut old, mut new) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        let next_file = line.starts_with("--- ")
            && lines.get(at + 1).is_some_and(|next| next.starts_with("+++ "))
            && lines.get(at + 2).is_some_and(|next| is_hunk_header(next));
        match line.as_bytes().first() {
            _ if next_file => break,
            Some(b' ') => (old, new) = (old + 1, new + 1),
            Some(b'-') => old += 1,
            Some(b'+') => new += 1,
            Some(b'\\') => {}
            _ => break,
        }
    }
    (old, new)
}

/// Whether a line is a hunk's header, or the mark of a gap with one.
fn starts_hunk(line: &str) -> bool {
    is_hunk_header(line) || joined_header(line).is_some()
}

/// The header behind the mark of the gap that it was taken into, by [`super::fold::join_gaps`]: `[-7 lines 2-8] @@ -3 +4 @@ fn x`.
fn joined_header(line: &str) -> Option<&str> {
    let (_, header) = line.strip_prefix("[-")?.split_once("] ")?;
    is_hunk_header(header).then_some(header)
}

/// What follows the second `@@ ` of a hunk header: usually the function that the hunk is in.
fn heading_of(line: &str) -> &str {
    let header = joined_header(line).unwrap_or(line);
    header.get(2..).and_then(|rest| rest.split_once(" @@ ")).map_or("", |(_, heading)| heading)
}

/// The parts of a plain hunk header: both starts, and what follows them.
fn parts(header: &str) -> Option<(&str, &str, &str)> {
    let (old, rest) = header.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, rest) = rest.split_once(' ')?;
    Some((old, new, rest))
}

/// A hunk header without its counts; `None` for one that is not plain.
pub(super) fn starts_and_heading(header: &str) -> Option<String> {
    let (old, new, rest) = parts(header)?;
    let start = |range: &str| range.split(',').next().unwrap_or_default().to_owned();
    Some(format!("@@ -{} +{} {rest}", start(old), start(new)))
}

/// The header without counts if they follow from the lines below it, else as it is. `None` when the result could not be told from
/// one without counts.
fn without_counts(header: &str, below: &[&str]) -> Option<String> {
    let Some((old, new, _)) = parts(header) else { return Some(header.to_owned()) };
    let short = starts_and_heading(header)?;
    if with_counts(&short, below).as_deref() == Some(header) {
        return Some(short);
    }
    (old.contains(',') || new.contains(',')).then(|| header.to_owned())
}

/// The header with the counts that follow from the lines below it; a count of one is not written.
fn with_counts(header: &str, below: &[&str]) -> Option<String> {
    let Some((old, new, rest)) = parts(header) else { return Some(header.to_owned()) };
    if old.contains(',') || new.contains(',') {
        return Some(header.to_owned());
    }
    let (removed, added) = count(below);
    let range = |start: &str, count: usize| if count == 1 { start.to_owned() } else { format!("{start},{count}") };
    Some(format!("@@ -{} +{} {rest}", range(old, removed), range(new, added)))
}
