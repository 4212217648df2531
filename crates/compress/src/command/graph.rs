//! `git log --graph --oneline`: commits of one branch without the star before each.
//!
//! ```text
//! [git log --graph: a line that starts with an id stands behind "* "]
//! 4a622b434 chore: Release
//! *   39f514069 Merge pull request #6492
//! |\\
//! ```
//!
//! Exact.

const INTRODUCTION: &str = "[git log --graph: a line that starts with an id stands behind \"* \"]\n";

const STAR: &str = "* ";

/// Fewer commits are not worth a first line.
const COMMITS: usize = 40;

/// Writes commits without their star; `None` for a text with few, or with a line that starts with an id by itself.
pub(super) fn encode(text: &str) -> Option<String> {
    if !text.starts_with(STAR) {
        return None;
    }
    let mut encoded = INTRODUCTION.to_owned();
    let mut commits = 0;
    for line in crate::lines::split(text) {
        let commit = line.strip_prefix(STAR).filter(|commit| starts_with_id(commit));
        if commit.is_none() && starts_with_id(line) {
            return None;
        }
        commits += usize::from(commit.is_some());
        encoded.push_str(commit.unwrap_or(line));
    }
    (commits >= COMMITS).then_some(encoded)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut text = String::with_capacity(encoded.len() * 2);
    for line in crate::lines::split(encoded.strip_prefix(INTRODUCTION)?) {
        text.extend([if starts_with_id(line) { STAR } else { "" }, line]);
    }
    Some(text)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

fn starts_with_id(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_hexdigit).count();
    digits >= 7 && line[digits..].starts_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_go_and_come_back() {
        let text: String =
            (0..60).map(|at| format!("* {:09x} Subject {at}\n| * {:09x} x\n|/  \n", at * 7919 + 1, at)).collect();
        let encoded = encode(&text).expect("a graph");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(encoded.contains("\n000001ef0 Subject 1\n| * 000000001 x\n|/  \n"), "{encoded}");
        assert_eq!(encode(&(text.clone() + "000001ef0 x\n")), None);
        assert_eq!((encode("* 000001ef0 x\n"), decode("x")), (None, None));
    }
}
