//! Lines that are written as they are in every encoding: what matters, hunks of diffs, and code, because a reader quotes them whole.

use crate::detect::diff::is_hunk_header;
use crate::matter::is_quoted;

/// Which lines (as seen, without line ends) are written as they are.
pub(crate) fn lines(lines: &[&str]) -> Vec<bool> {
    let mut fixed = hunks(lines);
    for (fixed, line) in fixed.iter_mut().zip(lines) {
        *fixed = *fixed || is_code(line) || is_quoted(line);
    }
    fixed
}

/// Which lines are inside a hunk of a unified diff, by the counts in its header.
pub(crate) fn hunks(lines: &[&str]) -> Vec<bool> {
    let mut inside = vec![false; lines.len()];
    let (mut old, mut new) = (0_usize, 0_usize);
    for (line, inside) in lines.iter().zip(&mut inside) {
        if old == 0 && new == 0 {
            if is_hunk_header(line) {
                (old, new) = counts(line);
                *inside = true;
            }
            continue;
        }
        match line.as_bytes().first() {
            Some(b' ') | None => (old, new) = (old.saturating_sub(1), new.saturating_sub(1)),
            Some(b'-') => old = old.saturating_sub(1),
            Some(b'+') => new = new.saturating_sub(1),
            Some(b'\\') => {}
            Some(_) => {
                (old, new) = (0, 0);
                continue;
            }
        }
        *inside = true;
    }
    inside
}

/// How many lines of the old and the new file a hunk shows. A range without a count is one line.
pub(crate) fn counts(header: &str) -> (usize, usize) {
    let count = |sign: char| {
        let range = header.split(' ').find_map(|part| part.strip_prefix(sign))?;
        range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
    };
    (count('-').unwrap_or(0), count('+').unwrap_or(0))
}

/// Indented or ended like a statement.
pub(crate) fn is_code(line: &str) -> bool {
    let end = line.trim_end();
    let indented = line.starts_with([' ', '\t']);
    end.ends_with(['{', ';']) || (indented && end.ends_with(['}', ',', '(', '[', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunk_ends_where_its_header_says() {
        let text = ["$ git diff", "@@ -1,2 +1,3 @@ fn x", " a", "-b", "+c", "+d", "- not part of it", "done"];
        assert_eq!(hunks(&text), [false, true, true, true, true, true, false, false]);
    }
}
