//! `git ls-tree`: names first, so that files of one directory fold, and the usual mode only where it is another one.
//!
//! ```text
//! [git ls-tree -l: name<tab>id size; 100644 blob unless said]
//! src/main.rs<tab>351ae4de20c0f8fa709807142f2001aea2469060 38
//! dev/run<tab>24ecd79ea74e80b45a4ddac907c4f9af7840a496 1146 100755 blob
//! ```
//!
//! Exact.

use std::fmt::Write as _;

const INTRODUCTION: &str = "[git ls-tree";
const WITH_SIZES: &str = " -l: name<tab>id size; 100644 blob unless said]\n";
const WITHOUT_SIZES: &str = ": name<tab>id; 100644 blob unless said]\n";

const USUAL: &str = "100644 blob";

/// Fewer entries are not worth a first line.
const ENTRIES: usize = 6;

/// How wide git pads sizes.
const WIDTH: usize = 7;

/// Writes names first; `None` for a text that is no such list.
pub(super) fn encode(text: &str) -> Option<String> {
    let (body, end) = text.strip_suffix('\n').map_or((text, ""), |body| (body, "\n"));
    let entries: Vec<Entry<'_>> = crate::lines::each(body).map(Entry::parse).collect::<Option<_>>()?;
    let sized = entries.first().filter(|_| entries.len() >= ENTRIES)?.size.is_some();
    let mut encoded = INTRODUCTION.to_owned() + if sized { WITH_SIZES } else { WITHOUT_SIZES };
    for Entry { kind, id, size, name } in &entries {
        if size.is_some() != sized {
            return None;
        }
        encoded.extend([name, "\t", id]);
        encoded.extend(size.iter().flat_map(|size| [" ", size]));
        encoded.extend(Some(*kind).filter(|kind| *kind != USUAL).iter().flat_map(|kind| [" ", kind]));
        encoded.push('\n');
    }
    encoded.pop();
    Some(encoded + end)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let rest = encoded.strip_prefix(INTRODUCTION)?;
    let (sized, rows) = rest
        .strip_prefix(WITH_SIZES)
        .map(|rows| (true, rows))
        .or(rest.strip_prefix(WITHOUT_SIZES).map(|rows| (false, rows)))?;
    let (rows, end) = rows.strip_suffix('\n').map_or((rows, ""), |rows| (rows, "\n"));
    let mut text = String::with_capacity(encoded.len() * 2);
    for row in crate::lines::each(rows) {
        let (name, entry) = row.rsplit_once('\t')?;
        let mut words = entry.splitn(if sized { 3 } else { 2 }, ' ');
        let id = words.next()?;
        let size = if sized { Some(words.next()?) } else { None };
        let kind = words.next().unwrap_or(USUAL);
        text.extend([kind, " ", id]);
        if let Some(size) = size {
            // Writing to a string cannot fail.
            let _ = write!(text, " {size:>WIDTH$}");
        }
        text.extend(["\t", name, "\n"]);
    }
    text.pop();
    Some(text + end)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

struct Entry<'t> {
    /// Mode and type.
    kind: &'t str,
    id: &'t str,
    size: Option<&'t str>,
    name: &'t str,
}

impl<'t> Entry<'t> {
    /// Reads `100644 blob ID      12<tab>name`.
    fn parse(line: &'t str) -> Option<Self> {
        let (entry, name) = line.split_once('\t')?;
        let kind = entry.get(..USUAL.len()).filter(|kind| {
            let (mode, object) = kind.split_at(6);
            mode.bytes().all(|byte| byte.is_ascii_digit()) && [" blob", " tree", " comm"].contains(&object)
        })?;
        let kind = if kind.ends_with("comm") { entry.get(..USUAL.len() + 2)? } else { kind };
        let rest = entry[kind.len()..].strip_prefix(' ')?;
        let (id, size) =
            rest.split_once(' ').map_or((rest, None), |(id, size)| (id, Some(size.trim_start_matches(' '))));
        let hexadecimal = id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hexadecimal && !name.contains('\t')).then_some(Self { kind, id, size, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_first_and_the_usual_mode_goes() {
        let id = "351ae4de20c0f8fa709807142f2001aea2469060";
        let rows: String =
            (1..9).map(|at| format!("100644 blob {id} {:>7}\tsrc/a b{at}.rs\n", at * 1_234_567)).collect();
        let text = format!("{rows}100755 blob {id}      51\trun\n160000 commit {id}       -\tsub\n");
        let encoded = encode(&text).expect("a tree");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(encoded.contains(&format!("\nsrc/a b1.rs\t{id} 1234567\n")), "{encoded}");
        assert!(encoded.ends_with(&format!("\nrun\t{id} 51 100755 blob\nsub\t{id} - 160000 commit\n")), "{encoded}");
        let bare = text
            .lines()
            .map(|line| format!("{}\t{}", &line[..line.len() - line.split_once(id).expect("an id").1.len()], "x"))
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(encode(&bare).as_deref().and_then(decode), Some(bare));
        assert_eq!(encode(&(text + "x\n")), None);
        assert_eq!(decode("x"), None);
    }
}
