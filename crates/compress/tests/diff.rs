//! Diffs made here from two versions of a file, against the changed lines that made them.

use headroom_compress::{compress, detect};
use headroom_core::{Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;
use proptest::prelude::*;

/// A file's diff, and its removed and added lines.
fn file_diff(name: &str, lines: usize, changed: &[usize]) -> (String, Vec<String>) {
    let mut text = format!("diff --git a/{name} b/{name}\nindex 1111111..2222222 100644\n--- a/{name}\n+++ b/{name}\n");
    let mut changes = Vec::new();
    let context = |at: usize| format!("     let value_{at} = compute(input, {at})?;\n");
    for at in changed.iter().copied().filter(|at| (4..lines.saturating_sub(4)).contains(at)) {
        text += &format!("@@ -{},7 +{},7 @@ fn part() {{\n", at - 3, at - 3);
        (at - 3..at).for_each(|at| text += &context(at));
        let (old, new) = (format!("-    old_{at}();"), format!("+    new_{at}({name:?});"));
        text += &format!("{old}\n{new}\n");
        changes.extend([old, new]);
        (at + 1..at + 4).for_each(|at| text += &context(at));
    }
    (text, changes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_changed_line_stays_at_both_levels(
        files in prop::collection::vec(prop::collection::vec(0_usize..40, 1..8), 1..30),
    ) {
        let (mut text, mut changes) = (String::new(), Vec::new());
        for (index, mut changed) in files.into_iter().enumerate() {
            changed.sort_unstable();
            changed.dedup();
            let spread: Vec<usize> = changed.iter().map(|at| at * 12).collect();
            let (diff, lines) = file_diff(&format!("crates/app/src/file_{index}.rs"), 500, &spread);
            text += &diff;
            changes.extend(lines);
        }
        let segment = Segment { text: &text, hints: Hints::NONE };
        prop_assume!(text.contains("@@ -"));
        prop_assert_eq!(detect(&segment).kind, Kind::Diff);
        let original = Original::new(&KEY, &text);
        for level in [Level::Exact, Level::Standard { original: &original }] {
            let outcome = compress(&segment, &Goal { level, tokens: &Tokenizer::O200k });
            let shown = outcome.compressed.map_or(text.clone(), |compressed| compressed.text);
            let kept: Vec<&str> =
                shown.lines().filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++ ") && !line.starts_with("--- ")).collect();
            prop_assert_eq!(kept, changes.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
