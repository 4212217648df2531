//! `git log`: every hash, author, date and subject stays; the bodies of commit messages and long lists of files are left out.

/// Fewer commits are shown to be read whole.
const COMMITS: usize = 3;

/// Of the files that a commit changed, the first ones stay.
const FILES: usize = 3;

/// Lines of this many commits make a text a history.
const HISTORY: usize = 3;

/// Whether a text is `git log`: commits with their ids, whole or in one line.
pub(super) fn is_history(lines: &[&str]) -> bool {
    let id = |line: &str| {
        let line = line.trim_start_matches(['*', '|', '\\', '/', ' ']);
        let id = &line[..line.bytes().take_while(u8::is_ascii_hexdigit).count()];
        let has = |test: fn(&u8) -> bool| id.as_bytes().iter().any(test);
        let is_id = id.len() >= 7
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && line[id.len()..].starts_with(' ');
        is_id.then(|| id.to_owned())
    };
    let lines = || lines.iter().take(SAMPLE);
    let ids: Vec<String> = lines().filter_map(|line| id(line)).collect();
    // Addresses in memory look alike, but go up from line to line.
    let rising = ids.windows(2).filter(|pair| pair[0] <= pair[1]).count();
    let are_addresses = ids.len() > HISTORY && rising * 10 >= (ids.len() - 1) * 9;
    lines().filter(|line| is_commit(line)).count() + if are_addresses { 0 } else { ids.len() } >= HISTORY
}

/// So many lines are looked at.
pub(super) const SAMPLE: usize = 400;

/// Takes the bodies of commit messages, and the long lists of files below them, out of `keep`.
pub(crate) fn fold_log(lines: &[&str], keep: &mut [bool]) {
    fold_bodies(lines, keep);
    if lines.iter().filter(|line| is_commit(line)).count() >= COMMITS {
        fold_files(lines, keep);
    }
}

/// Lists of `--stat`: what follows the first files goes, the sum of it stays.
fn fold_files(lines: &[&str], keep: &mut [bool]) {
    let mut listed = 0;
    for (line, keep) in lines.iter().zip(keep) {
        listed = if is_stat(line) { listed + 1 } else { 0 };
        *keep &= listed <= FILES;
    }
}

/// ` src/a.rs | 12 ++--`
fn is_stat(line: &str) -> bool {
    line.starts_with(' ')
        && line.rsplit_once(" | ").is_some_and(|(_, change)| {
            let change = change.trim_start();
            change.starts_with(|c: char| c.is_ascii_digit()) || change.starts_with("Bin")
        })
}

fn fold_bodies(lines: &[&str], keep: &mut [bool]) {
    let mut at = 0;
    while at < lines.len() {
        if !is_commit(lines[at]) {
            at += 1;
            continue;
        }
        // Headers end at the first blank line; the subject follows.
        let Some(subject) = (at + 1..lines.len().min(at + 12)).find(|line| is_message(lines[*line])) else {
            at += 1;
            continue;
        };
        let mut end = subject + 1;
        while end < lines.len() && (is_message(lines[end]) || lines[end].trim().is_empty()) {
            end += 1;
        }
        if (subject + 1..end).any(|line| is_message(lines[line])) {
            // The blank line before the next commit stays with the body.
            keep[subject + 1..end].fill(false);
        }
        at = end;
    }
}

/// The first line of a commit in `git log`.
pub(crate) fn is_commit(line: &str) -> bool {
    line.strip_prefix("commit ").is_some_and(|rest| {
        let hash = rest.split(' ').next().unwrap_or_default();
        hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Messages are indented by four blanks.
fn is_message(line: &str) -> bool {
    line.starts_with("    ") && !line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_go_up_are_no_commits() {
        let rows = |value: fn(usize) -> usize| -> Vec<String> {
            (0..20).map(|row| format!("55a{:05x}f000 default file=/usr/lib/x{row}", value(row))).collect()
        };
        let is_one = |rows: &[String]| is_history(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!is_one(&rows(|row| 0x90ab0 + row * 97)) && is_one(&rows(|row| 0x90ab0 + row * 7919 % 6007)));
    }

    #[test]
    fn headers_and_subjects_stay() {
        let text = "commit 0123456789abcdef\nAuthor: A <a@b>\nDate:   x\n\n    Subject\n\n    Body one.\n    Body two.\n\ncommit fedcba9876543210\nAuthor: B\n\n    Other\n";
        let lines: Vec<&str> = text.lines().collect();
        let mut keep = vec![true; lines.len()];
        fold_bodies(&lines, &mut keep);
        let gone: Vec<usize> = (0..lines.len()).filter(|line| !keep[*line]).collect();
        assert_eq!(gone, [5, 6, 7, 8]);
    }
}
