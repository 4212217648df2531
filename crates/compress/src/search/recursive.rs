//! `ls -R`: names below a line with their directory, and a blank line between directories.
//!
//! Such a listing is folded as the paths it stands for, `directory/name`, and put back into its own layout afterwards.

use super::fold::{self, Style};

const INTRODUCTION: &str = "[ls -R of the paths below] ";

/// Folds a recursive listing; `None` for any other text.
pub(crate) fn encode(lines: &[&str], terminated: bool, style: Style) -> Option<String> {
    // Blank lines at the end belong to no directory.
    let filled = lines.iter().rposition(|line| !line.is_empty())? + 1;
    let paths = paths(&lines[..filled])?;
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let folded = fold::encode(&paths, terminated, style, &|_| false)?;
    Some(INTRODUCTION.to_owned() + &folded + &"\n".repeat(lines.len() - filled))
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let paths = fold::decode(encoded.strip_prefix(INTRODUCTION)?)?;
    let (paths, end) = paths.split_at(paths.trim_end_matches('\n').len());
    let mut text = String::with_capacity(paths.len());
    let mut above = None;
    for path in crate::lines::each(paths) {
        let (directory, name) = path.rsplit_once('/')?;
        if above != Some(directory) {
            text.push_str(if above.is_some() { "\n" } else { "" });
            text.push_str(directory);
            text.push_str(":\n");
            above = Some(directory);
        }
        if !name.is_empty() {
            text.push_str(name);
            text.push('\n');
        }
    }
    text.pop();
    Some(text + end)
}

/// `directory/name` for every name, and `directory/` for a directory without any.
fn paths(lines: &[&str]) -> Option<Vec<String>> {
    let mut paths = Vec::with_capacity(lines.len());
    let mut directory = directory_of(lines.first()?)?;
    let mut names = 0;
    let mut rest = lines[1..].iter();
    while let Some(line) = rest.next() {
        if !line.is_empty() {
            paths.push(format!("{directory}/{line}"));
            names += 1;
            continue;
        }
        if names == 0 {
            paths.push(format!("{directory}/"));
        }
        (directory, names) = (directory_of(rest.next()?)?, 0);
    }
    if names == 0 {
        paths.push(format!("{directory}/"));
    }
    Some(paths)
}

/// Whether a text may be a recursive listing.
pub(crate) fn is_listing(lines: &[&str]) -> bool {
    lines.first().is_some_and(|line| directory_of(line).is_some())
}

fn directory_of(line: &str) -> Option<&str> {
    line.strip_suffix(':').filter(|directory| !directory.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recursive_listing_reads_back() {
        let text =
            ".:\nREADME.md\nsrc\n\n./src:\nmain.rs\nmodel\nlib.rs\n\n./src/model:\n\n./src/view:\na.rs\nb.rs\nc.rs\n";
        let lines = crate::lines::between(text.trim_end());
        let encoded = encode(&lines, true, Style::Tree).expect("an encoding");
        assert_eq!(decode(&encoded).as_deref(), Some(text));
        assert!(encoded.contains("view/ + a.rs b.rs c.rs"), "{encoded}");
        let lines = crate::lines::between(text);
        let encoded = encode(&lines, true, Style::Tree).expect("an encoding");
        assert_eq!(decode(&encoded), Some(text.to_owned() + "\n"));
    }
}
