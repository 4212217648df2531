//! `cargo xtask situations`: which test covers which row of `docs/situations.md`.
//!
//! The page is its own source: people write its first three columns, this command writes the fourth. A test covers a row when
//! its doc comment, or a comment inside it, names the row (`T041`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

const PAGE: &str = "docs/situations.md";

/// Where tests are, and what their files end with.
const TESTS: [(&str, &str); 2] = [("crates", "rs"), ("tests", "py")];

const NOT_YET: &str = "not yet";

/// Tests by row, each as `file::name`, in order.
type Covered = BTreeMap<String, Vec<String>>;

/// Writes the page's last column, or with `--check` only compares.
///
/// # Errors
///
/// What cannot be read or written; a test that names a row the page does not have; with `--check`, a page that is not current.
#[allow(clippy::print_stderr, reason = "a chore talks to the person who runs it")]
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask situations [--check]".to_owned()),
    };
    // Chores run from anywhere below the root; this crate stands right below it.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no folder above it")?;
    eprintln!("{}", update(root, check)?);
    Ok(())
}

/// Does it, and says how many rows have a test.
fn update(root: &Path, check: bool) -> Result<String, String> {
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut covered = Covered::new();
    for (folder, extension) in TESTS {
        let mut files = Vec::new();
        gather(&root.join(folder), extension, &mut files).map_err(|error| format!("{folder}: {error}"))?;
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let shown = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            for (row, test) in tests(&text) {
                let tests = covered.entry(row).or_default();
                let test = format!("{shown}::{test}");
                if !tests.contains(&test) {
                    tests.push(test);
                }
            }
        }
    }
    let current = fill(&page, &covered)?;
    if current != page {
        if check {
            return Err(format!("{PAGE} is not current; run `cargo xtask situations`"));
        }
        fs::write(root.join(PAGE), &current).map_err(|error| format!("{PAGE}: {error}"))?;
    }
    let rows = current.lines().filter(|line| row_of(line).is_some()).count();
    let open =
        current.lines().filter(|line| row_of(line).is_some() && line.ends_with(&format!("| {NOT_YET} |"))).count();
    Ok(format!("{PAGE}: {} of {rows} situations have a test", rows - open))
}

/// Files below a folder. What is absent, or hidden, has none.
fn gather(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, extension, files)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// The page with its last column filled in.
fn fill(page: &str, covered: &Covered) -> Result<String, String> {
    let mut unknown = covered.clone();
    let mut out = String::with_capacity(page.len());
    for line in page.lines() {
        if let Some((id, kept)) = row_of(line) {
            let tests = covered.get(id).map_or_else(|| NOT_YET.to_owned(), |tests| quoted(tests));
            out.push_str(&format!("{kept}| {tests} |"));
            unknown.remove(id);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    match unknown.first_key_value() {
        Some((id, tests)) => Err(format!("{} names {id}, which {PAGE} does not have", tests.join(", "))),
        None => Ok(out),
    }
}

fn quoted(tests: &[String]) -> String {
    tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join("<br>")
}

/// The id of a table row, and the row up to its last column. A `\|` inside a cell is not a border.
fn row_of(line: &str) -> Option<(&str, &str)> {
    let id = line.strip_prefix("| ")?.split(' ').next().filter(|id| is_id(id))?;
    let borders: Vec<usize> =
        line.match_indices('|').map(|(at, _)| at).filter(|&at| !line[..at].ends_with('\\')).collect();
    // Four columns have five borders; the fourth begins the column that is ours.
    let &[.., last, _] = borders.as_slice() else { return None };
    (borders.len() == 5).then(|| (id, &line[..last]))
}

fn is_id(word: &str) -> bool {
    word.len() == 4 && word.starts_with('T') && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// The rows that a file's tests name, each with the test's name.
///
/// Rust: a comment above `#[test]`, or inside the function that follows one. Python: a docstring or comment inside `def test_...`.
fn tests(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // What the comment right above says, and whether an attribute has said that a test follows.
    let (mut above, mut is_test) = (Vec::new(), false);
    let mut inside: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("///") {
            above.extend(ids(line));
        } else if line.starts_with("//")
            || line.starts_with('#') && !line.starts_with("#[")
            || line.starts_with("\"\"\"")
        {
            found.extend(inside.iter().flat_map(|test| ids(line).into_iter().map(|id| (id, test.clone()))));
        } else if line.starts_with("#[") {
            is_test |= ["#[test]", "#[tokio::test"].iter().any(|attribute| line.starts_with(attribute));
        } else if let Some(name) = function(line) {
            inside = (is_test || name.starts_with("test_")).then(|| name.to_owned());
            let named = above.drain(..).zip(inside.iter().cycle());
            found.extend(named.map(|(id, test)| (id, test.clone())));
            is_test = false;
        } else {
            above.clear();
        }
    }
    found
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut words = line.split(' ').skip_while(|word| ["pub", "pub(crate)", "async", "const"].contains(word));
    words.next().filter(|word| ["fn", "def"].contains(word))?;
    words.next()?.split(['(', '<']).next()
}

fn ids(line: &str) -> Vec<String> {
    line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_id(word)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_above_a_test_or_inside_it_names_its_rows() {
        let text = "/// T029 matters here.\nconst X: u8 = 1;\n\n/// T041, T042: so.\n#[tokio::test(flavor = \"x\")]\nasync fn two_rows() {\n    \
                    // T022: and one inside.\n    let id = \"T099\";\n}\n\n/// T001\nfn helper() {\n    // T002\n}\n";
        let found = tests(text);
        let found: Vec<_> = found.iter().map(|(id, test)| (id.as_str(), test.as_str())).collect();
        assert_eq!(found, [("T041", "two_rows"), ("T042", "two_rows"), ("T022", "two_rows")]);
        let python =
            "class A:\n    def test_it(self):\n        \"\"\"T041: so.\"\"\"\n    def helper(self):\n        # T043\n";
        assert_eq!(tests(python), [("T041".to_owned(), "test_it".to_owned())]);
    }

    #[test]
    fn only_the_last_column_is_written_and_unknown_rows_are_named() {
        let page = "# S\n\n| ID | Input | Right | Tests |\n|---|---|---|---|\n| T001 | a \\| b | c | old |\n| T002 | a | c | |\n";
        let covered = Covered::from([("T002".to_owned(), vec!["x.rs::y".to_owned(), "x.rs::z".to_owned()])]);
        let filled = fill(page, &covered).unwrap();
        assert!(
            filled.ends_with("| T001 | a \\| b | c | not yet |\n| T002 | a | c | `x.rs::y`<br>`x.rs::z` |\n"),
            "{filled}"
        );
        assert_eq!(fill(&filled, &covered).unwrap(), filled);
        let stranger = Covered::from([("T999".to_owned(), vec!["x.rs::y".to_owned()])]);
        assert!(fill(page, &stranger).unwrap_err().contains("x.rs::y names T999"));
    }
}
