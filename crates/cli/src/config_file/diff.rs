//! A change as a person reads it.

/// Lines taken out and put in, with two lines around them. Changes of ours are in one place, so one hunk shows all.
pub(crate) fn diff(name: &str, before: &str, after: &str) -> String {
    let old: Vec<&str> = before.lines().collect();
    let new: Vec<&str> = after.lines().collect();
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..].iter().rev().zip(new[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut shown = vec![format!("--- {name}"), format!("+++ {name}"), format!("@@ line {} @@", same + 1)];
    shown.extend(old[same.saturating_sub(2)..same].iter().map(|line| format!(" {line}")));
    shown.extend(old[same..old.len() - tail].iter().map(|line| format!("-{line}")));
    shown.extend(new[same..new.len() - tail].iter().map(|line| format!("+{line}")));
    shown.extend(old[old.len() - tail..].iter().take(2).map(|line| format!(" {line}")));
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_marked() {
        assert_eq!(diff("f", "a\nb\nc\nd\n", "a\nb\nx\nc\nd\n"), "--- f\n+++ f\n@@ line 3 @@\n a\n b\n+x\n c\n d");
        assert_eq!(diff("f", "", "x\n"), "--- f\n+++ f\n@@ line 1 @@\n+x");
    }
}
