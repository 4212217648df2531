//! Properties of the exact encoding, and what happens to small, large and odd diffs.

use headroom_core::Hints;
use headroom_testkit::{corpus, generate::any_text, laws};
use proptest::prelude::*;

use super::*;

fn reads_back(text: &str) {
    for changes in [Changes::Verbatim, Changes::Joined] {
        if let Some(encoded) = exact::encode(text, changes) {
            assert_eq!(decode(&encoded).as_deref(), Some(text), "{encoded}");
        }
    }
}

/// A diff of `files` files with `hunks` hunks each.
fn diff(files: usize, hunks: usize) -> String {
    let mut text = String::new();
    for file in 0..files {
        let path = format!("crates/app/src/file_{file}.rs");
        text += &format!("diff --git a/{path} b/{path}\nindex 1234567..89abcde 100644\n--- a/{path}\n+++ b/{path}\n");
        for hunk in 0..hunks {
            let at = 10 + hunk * 40;
            text += &format!(
                "@@ -{at},7 +{},8 @@ fn f_{hunk}() {{\n let first = self.first_of_them();\n let second = self.second_of_them();\n let third = self.third_of_them();\n-    old({file}, {hunk});\n",
                at + hunk
            );
            text += &format!(
                "+    new({file}, {hunk});\n+    more({hunk});\n let fourth = self.fourth_of_them();\n let fifth = self.fifth_of_them();\n let sixth = self.sixth_of_them();\n"
            );
        }
    }
    text
}

#[test]
fn a_diff_reads_back_and_is_shorter() {
    let text = diff(5, 2);
    let encoded = exact::encode(&text, Changes::Joined).expect("an encoding");
    assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
    assert!(encoded.contains("diff crates/app/src/file_0.rs 1234567..89abcde\n@@ -10 +10 @@ fn f_0() {\n"));
    assert!(encoded.len() * 10 < text.len() * 9);
}

#[test]
fn new_deleted_renamed_and_binary_files_read_back() {
    let new =
        "diff --git a/x b/x\nnew file mode 100644\nindex 0000000..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+a\n+b\n";
    let deleted = "diff --git a/y b/y\ndeleted file mode 100644\nindex 1..0000000\n--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n";
    let renamed = "diff --git a/a b/b\nsimilarity index 90%\nrename from a\nrename to b\n--- a/a\n+++ b/b\n@@ -1,2 +1,2 @@\n c\n-a\n+b\n";
    let binary = "diff --git a/i.png b/i.png\nindex 1..2 100644\nBinary files a/i.png and b/i.png differ\n";
    let plain =
        "--- a/x\t2024-01-01\n+++ b/x\t2024-01-02\n@@ -1,2 +1 @@\n c\n-a\n--- a/z\n+++ b/z\n@@ -3 +3 @@\n-q\n+r\n";
    for text in [new, deleted, renamed, binary, plain] {
        reads_back(text);
        reads_back(&format!("{text}{new}{text}{binary}{deleted}"));
    }
    assert!(exact::encode(&format!("{new}{deleted}{renamed}{binary}{new}{new}"), Changes::Joined).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_reads_back_and_obeys_the_laws(text in any_text(), times in 1_usize..3) {
        reads_back(&text.repeat(times));
        laws::check(&DiffCompressor, &text.repeat(times), Hints::NONE);
    }

    #[test]
    fn lines_of_diffs_in_any_order_read_back(
        lines in prop::collection::vec(
            "diff --git a/x b/x|diff x|diff x 1234567..1234567|index 1234567..89abcde 100644|diff -u a b|--- a/x|\\+\\+\\+ b/x|--- /dev/null|@@ -1(,[0-3])? \\+1(,[0-3])? @@( f)?|new file mode 1|[ +-]a||\\\\ No", 1..30),
    ) {
        reads_back(&lines.join("\n"));
        laws::check(&DiffCompressor, &lines.join("\n"), Hints::NONE);
    }
}

/// T059: a small diff loses nothing, a large one no changed line.
#[test]
fn small_diffs_stay_and_large_ones_keep_every_change() {
    let small = diff(3, 2);
    assert!(laws::check(&DiffCompressor, &small, Hints::NONE).1.is_none_or(|shorter| shorter.omissions().is_empty()));
    let large = diff(60, 5);
    let shorter = laws::check(&DiffCompressor, &large, Hints::NONE).1.expect("something to leave out");
    let kept: Vec<&str> = shorter.text.lines().filter(|line| line.starts_with(['+', '-'])).collect();
    let changes: Vec<&str> = large
        .lines()
        .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---"))
        .collect();
    assert_eq!(kept, changes);
    assert!(shorter.text.len() * 10 < large.len() * 8);
}

#[test]
fn corpus_diffs_read_back() {
    for path in corpus::files("commands/tests").into_iter().chain(corpus::files("commands/git")) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        reads_back(&String::from_utf8_lossy(&bytes));
    }
}
