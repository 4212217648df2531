//! Object names of git: forty digits name an object in every repository there is; the first ten name it in the one at hand.
//!
//! ```text
//! * 3f5e0f1a2b Fix the parser
//! [object ids: first 10 digits]
//! ```
//!
//! Not exact, so only where omissions are allowed, and it is said once. Every id keeps enough digits to be told from every other one in the
//! text, and git takes such a start wherever it takes an id. Checksums of files look alike but are compared whole; they stay.

use std::borrow::Cow;
use std::collections::HashSet;

/// Fewer ids are not worth a line that says what became of them.
const IDS: usize = 4;

/// Git itself abbreviates to seven digits and more as a repository grows; Linux has come to twelve.
const DIGITS: usize = 10;

/// Shortens the ids at the places where git prints them; the text and what to say below it. `None` when there are too few.
pub(super) fn shorten(text: &str) -> Option<(String, String)> {
    let rows: Vec<(&str, Option<&str>)> = crate::lines::split(text).into_iter().map(|line| (line, id(line))).collect();
    let ids: HashSet<&str> = rows.iter().filter_map(|(_, id)| *id).collect();
    if ids.len() < IDS {
        return None;
    }
    let digits = distinct(&ids);
    let mut short = String::with_capacity(text.len());
    for (line, id) in rows {
        short.push_str(&id.map_or(Cow::Borrowed(line), |id| Cow::Owned(line.replacen(id, &id[..digits], 1))));
    }
    Some((short, format!("[object ids: first {digits} digits]\n")))
}

/// How many digits tell all ids apart. They have at least [`DIGITS`].
fn distinct(ids: &HashSet<&str>) -> usize {
    let mut sorted: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes()).collect();
    sorted.sort_unstable();
    let shared = |pair: &[&[u8]]| pair[0].iter().zip(pair[1]).take_while(|(a, b)| a == b).count();
    let longest = sorted.windows(2).map(shared).max().unwrap_or(0);
    // Two ids of which one starts the other share all digits of the shorter one.
    let least = sorted.iter().map(|id| id.len()).min().unwrap_or(DIGITS);
    (longest + 1).clamp(DIGITS, least)
}

/// The id that a line of git's is about: `commit ID`, `ID subject`, `ID<tab>refs/...`, `100644 blob ID`; behind the branches of a graph too.
fn id(line: &str) -> Option<&str> {
    let line = line.trim_end_matches(['\n', '\r']);
    let bare = line.trim_start_matches(['*', '|', '\\', '/', '_', ' ']);
    if let Some(rest) = bare.strip_prefix("commit ") {
        return whole(rest.split(' ').next()?);
    }
    // Few lines start with a mode, and all others are spared the search.
    if bare.get(..6).is_some_and(is_mode)
        && let Some((_, rest)) =
            bare.split_once(" blob ").or_else(|| bare.split_once(" tree ")).filter(|(mode, _)| is_mode(mode))
    {
        return whole(rest.split([' ', '\t']).next()?);
    }
    let (id, rest) = bare.split_at_checked(bare.find([' ', '\t'])?)?;
    // `sha1sum` puts two signs between a checksum and its file.
    let subject = rest.strip_prefix(' ').is_some_and(|rest| !rest.starts_with([' ', '*']) && !rest.is_empty());
    let reference = rest.strip_prefix('\t').is_some_and(|rest| rest.starts_with("refs/") || rest == "HEAD");
    whole(id).filter(|_| subject || reference)
}

fn is_mode(mode: &str) -> bool {
    mode.len() == 6 && mode.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole id: 40 digits, 64 in a repository with SHA-256.
fn whole(word: &str) -> Option<&str> {
    let digits = word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (digits && matches!(word.len(), 40 | 64)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{:040x}", 0x9e37_79b9_7f4a_7c15_u128.wrapping_mul(at as u128 + 1) << 60)).collect()
    }

    #[test]
    fn every_place_where_git_prints_an_id_is_known() {
        let ids = ids(6);
        let text = format!(
            "commit {} (HEAD -> main)\n* {} Subject\n| * commit {}\n100644 blob {}   12\ta.rs\n{}\trefs/heads/x\n\n    Reverts {}.\n",
            ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]
        );
        let (short, said) = shorten(&text).expect("ids");
        let expected = ids[..5].iter().fold(text.clone(), |text, id| text.replace(id, &id[..10]));
        assert_eq!((short, said.as_str()), (expected, "[object ids: first 10 digits]\n"));
    }

    #[test]
    fn ids_keep_the_digits_that_tell_them_apart() {
        let text: String = (0..8).map(|at| format!("aaaaaaaaaaaaaa{at}{} Subject\n", "b".repeat(25))).collect();
        let (short, said) = shorten(&text).expect("ids");
        assert!(short.starts_with("aaaaaaaaaaaaaa0 Subject\n") && said.contains("first 15 digits"), "{short}");
    }

    #[test]
    fn checksums_and_a_few_ids_stay() {
        let sums: String = ids(8).iter().map(|id| format!("{id}  file\n{id} *file\n")).collect();
        assert_eq!(shorten(&sums), None);
        assert_eq!(shorten(&ids(3).iter().map(|id| format!("{id} Subject\n")).collect::<String>()), None);
    }
}
