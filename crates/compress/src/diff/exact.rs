//! The exact encoding of unified diffs, and its decoder.
//!
//! ```text
//! [diff, unfolded by: "diff x" = "diff --git a/x b/x" with its "---" and "+++"; "@@ -1 +2 @@" has its counts left out]
//! diff src/a.rs
//! index 1234567..89abcde 100644
//! @@ -118 +120 @@ fn main() {
//! ```
//!
//! Every file name and every line number stays. The counts of a hunk follow from its lines, the names from the first line.

use crate::detect::diff::is_hunk_header;

const INTRODUCTION: &str =
    "[diff; \"diff x\" = \"diff --git a/x b/x\" with its \"---\" and \"+++\"; \"@@ -1 +2 @@\" without its counts]\n";

/// Encodes a diff; `None` when there is nothing to leave out, or a line could be taken for an encoded one.
pub(crate) fn encode(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut encoded = String::with_capacity(text.len());
    encoded.push_str(INTRODUCTION);
    let mut names: Option<Names<'_>> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(path) = git_path(line) {
            names = Some(Names::of(path));
            encoded.push_str("diff ");
            encoded.push_str(path);
        } else if is_short_name(line) {
            return None;
        } else if let Some(known) = names
            .take_if(|known| is_old_name(line, known) && lines.get(at + 1).is_some_and(|next| is_new_name(next, known)))
        {
            // Written out again where the hunk starts, so there has to be one.
            if !lines.get(at + 2).is_some_and(|next| is_hunk_header(next)) || known.path.is_empty() {
                return None;
            }
            at += 2;
            continue;
        } else if is_hunk_header(line) {
            if names.is_some() {
                return None;
            }
            encoded.push_str(&without_counts(line, &lines[at + 1..])?);
        } else {
            Names::note(&mut names, line);
            encoded.push_str(line);
        }
        encoded.push('\n');
        at += 1;
    }
    encoded.pop();
    (encoded.len() < text.len()).then_some(encoded)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let lines: Vec<&str> = encoded.strip_prefix(INTRODUCTION)?.split('\n').collect();
    let mut text = String::with_capacity(encoded.len() * 5 / 4);
    let mut names: Option<Names<'_>> = None;
    for (at, line) in lines.iter().enumerate() {
        if is_short_name(line) {
            let path = &line[5..];
            names = Some(Names::of(path));
            text.push_str(&format!("diff --git a/{path} b/{path}"));
        } else if is_hunk_header(line) {
            if let Some(known) = names.take() {
                text.push_str(&format!("{}\n{}\n", known.old(), known.new()));
            }
            text.push_str(&with_counts(line, &lines[at + 1..])?);
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

    fn old(&self) -> String {
        if self.created { "--- /dev/null".to_owned() } else { format!("--- a/{}", self.path) }
    }

    fn new(&self) -> String {
        if self.deleted { "+++ /dev/null".to_owned() } else { format!("+++ b/{}", self.path) }
    }
}

fn is_old_name(line: &str, names: &Names<'_>) -> bool {
    line.starts_with("--- ") && line == names.old()
}

fn is_new_name(line: &str, names: &Names<'_>) -> bool {
    line.starts_with("+++ ") && line == names.new()
}

/// The path in `diff --git a/path b/path`.
fn git_path(line: &str) -> Option<&str> {
    let names = line.strip_prefix("diff --git a/")?;
    let path = names.get(..names.len().checked_sub(3)? / 2)?;
    let plain = !path.is_empty() && !path.starts_with('-');
    (plain && names[path.len()..].strip_prefix(" b/") == Some(path)).then_some(path)
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

/// The parts of a plain hunk header: both starts, and what follows them.
fn parts(header: &str) -> Option<(&str, &str, &str)> {
    let (old, rest) = header.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, rest) = rest.split_once(' ')?;
    Some((old, new, rest))
}

/// The header without counts if they follow from the lines below it, else as it is. `None` when the result could not be told from
/// one without counts.
fn without_counts(header: &str, below: &[&str]) -> Option<String> {
    let Some((old, new, rest)) = parts(header) else { return Some(header.to_owned()) };
    let start = |range: &str| range.split(',').next().unwrap_or_default().to_owned();
    let short = format!("@@ -{} +{} {rest}", start(old), start(new));
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
