//! Unified diffs.

use super::Sample;
use super::starts::Starts;

/// Whether the text is a unified diff: it opens as one, it has hunk headers, the hunks seen start with lines of a hunk, and lines that
/// cannot be part of a diff are few.
pub(super) fn is_diff(sample: &Sample<'_>) -> bool {
    let opens = |line: &str| is_header(line) || is_hunk_header(line) || line.starts_with("--- ");
    if !sample.filled().next().is_some_and(opens) {
        return false;
    }
    let hunks = sample.lines.iter().enumerate().filter(|(_, line)| is_hunk_header(line));
    let (mut good, mut bad) = (0, 0);
    for (at, _) in hunks {
        match sample.lines.get(at + 1) {
            Some(next) if next.is_empty() || next.starts_with([' ', '+', '-', '\\']) => good += 1,
            None => good += 1,
            Some(_) => bad += 1,
        }
    }
    let inside =
        sample.count(|line| line.is_empty() || line.starts_with([' ', '+', '-', '\\', '@']) || is_header(line));
    good > bad && inside * 10 >= sample.lines.len() * 9
}

/// `@@ -1,7 +1,9 @@`, also the combined form `@@@ -1,7 -1,7 +1,9 @@@`.
pub(crate) fn is_hunk_header(line: &str) -> bool {
    let signs = line.bytes().take_while(|byte| *byte == b'@').count();
    if signs < 2 || !line[signs..].starts_with(" -") {
        return false;
    }
    let mut parts = line[signs + 1..].split(' ');
    let range = |part: &str, sign: char| {
        part.strip_prefix(sign).is_some_and(|numbers| {
            !numbers.is_empty() && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        })
    };
    (0..signs - 1).all(|_| parts.next().is_some_and(|part| range(part, '-')))
        && parts.next().is_some_and(|part| range(part, '+'))
        && parts.next().is_some_and(|part| part.len() == signs && part.bytes().all(|byte| byte == b'@'))
}

/// A line between the hunks of a git diff, or of the commits around it.
pub(crate) fn is_header(line: &str) -> bool {
    static STARTS: Starts = Starts::new(&[
        "diff ",
        "index ",
        "old mode ",
        "new mode ",
        "new file mode ",
        "deleted file mode ",
        "similarity index ",
        "dissimilarity index ",
        "rename from ",
        "rename to ",
        "copy from ",
        "copy to ",
        "Binary files ",
        "GIT binary patch",
        "Only in ",
        "commit ",
        "Author: ",
        "Date: ",
        "AuthorDate: ",
        "Commit: ",
        "CommitDate: ",
        "Merge: ",
    ]);
    STARTS.of(line)
}
