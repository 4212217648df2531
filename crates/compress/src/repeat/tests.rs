use super::*;
use proptest::prelude::*;

fn view(lines: &[&str], from: usize) -> String {
    let numbered: Vec<_> = lines.iter().enumerate().map(|(at, line)| format!("{:>6}\t{line}", from + at)).collect();
    numbered.join("\n")
}

fn source(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("    let value_{at} = compute(input[{at}], \"name {at}\");")).collect()
}

fn check(earlier: &Earlier, label: &str, text: &str, expected: &str) {
    let folded = earlier.fold(label, text).expect("something stands earlier");
    assert_eq!(folded.text(), expected);
    assert_eq!(earlier.unfold(&folded, text).as_deref(), Some(text));
}

/// T071
#[test]
fn a_re_read_of_a_changed_file_becomes_its_changes() {
    let lines = source(40);
    let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let before = view(&lines, 1);
    let mut earlier = Earlier::default();
    earlier.add("src/a.rs", &before, &before);
    lines[20] = "    let changed = true;";
    check(
        &earlier,
        "src/a.rs",
        &view(&lines, 1),
        "[1-20: unchanged, as above]\n    21\t    let changed = true;\n[22-40: unchanged, as above]",
    );
    lines.insert(3, "    let inserted = 1;");
    check(
        &earlier,
        "src/b.rs",
        &view(&lines, 1),
        "[1-3: unchanged, as above: src/a.rs]\n     4\t    let inserted = 1;\n[5-21: the same as lines 4-20 above: src/a.rs]\n    \
         22\t    let changed = true;\n[23-41: the same as lines 22-40 above: src/a.rs]",
    );
}

#[test]
fn a_whole_text_seen_before_is_one_reference() {
    let text = source(30).join("\n") + "\n";
    let mut earlier = Earlier::default();
    earlier.add("cat a.rs", &text, &text);
    check(&earlier, "cat a.rs", &text, "[unchanged: the same 31 lines as above]");
}

#[test]
fn a_run_without_numbers_keeps_its_first_and_last_line_as_landmarks() {
    let lines = source(30);
    let before = lines.join("\n");
    let mut earlier = Earlier::default();
    earlier.add("cat a.rs", &before, &before);
    let after = format!("$ sed -n 5,20p a.rs\n{}\ndone", lines[4..20].join("\n"));
    check(
        &earlier,
        "sed -n 5,20p a.rs",
        &after,
        &format!("$ sed -n 5,20p a.rs\n{}\n[14 lines as above: cat a.rs]\n{}\ndone", lines[4], lines[19]),
    );
}

#[test]
fn what_was_written_and_is_read_back_with_numbers_is_a_reference() {
    let lines = source(30);
    let written = lines.join("\n");
    let mut earlier = Earlier::default();
    earlier.add("a.rs", &written, &written);
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    check(&earlier, "a.rs", &view(&lines, 1), "[1-30: as above]");
}

#[test]
fn a_compressed_source_is_not_mistaken_for_its_original() {
    let text = source(30).join("\n");
    let mut earlier = Earlier::default();
    earlier.add("x", "[-30 lines 1-30]", &text);
    assert_eq!(earlier.fold("x", &text), None);
}

#[test]
fn short_and_unrelated_texts_are_left_alone() {
    let mut earlier = Earlier::default();
    assert_eq!(earlier.fold("", &source(30).join("\n")), None);
    earlier.add("x", "{\n}\n\n}\n", "{\n}\n\n}\n");
    assert_eq!(earlier.fold("x", "{\n}\n\n}\n"), None);
    assert_eq!(earlier.fold("x", &source(30).join("\n")), None);
}

proptest! {
    /// Whatever is folded can be unfolded; words drawn from few make repeats likely.
    #[test]
    fn folding_is_exact(
        texts in prop::collection::vec(prop::collection::vec((0_usize..12, any::<bool>()), 0..60), 1..5),
        from in 1_usize..2000,
    ) {
        let line = |(word, numbered): &(usize, bool), at: usize| {
            let body = format!("line of text number {word} {}", "padding ".repeat(*word));
            if *numbered { format!("{:>6}\t{body}", from + at) } else { body }
        };
        let texts: Vec<String> = texts
            .iter()
            .map(|lines| lines.iter().enumerate().map(|(at, l)| line(l, at)).collect::<Vec<_>>().join("\n"))
            .collect();
        let mut earlier = Earlier::default();
        for text in &texts {
            if let Some(folded) = earlier.fold("x", text) {
                prop_assert_eq!(earlier.unfold(&folded, text), Some(text.clone()));
                prop_assert!(folded.text().len() < text.len());
            }
            earlier.add("x", text, text);
        }
    }
}
