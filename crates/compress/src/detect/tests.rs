use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(kind_of(text, &Hints::NONE).to_string(), expected, "{text}");
}

fn check_from(command: &str, text: &str, expected: &str) {
    let hints = Hints { command: Some(command), ..Hints::NONE };
    assert_eq!(kind_of(text, &hints).to_string(), expected, "{command}: {text}");
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|index| line(index) + "\n").collect()
}

#[test]
fn structure_is_recognised_without_hints() {
    check("{\"a\": [1, 2]}", "json");
    check("<!-- x --><!DOCTYPE html><html></html>", "html");
    check("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "diff");
    check(&lines(9, |i| format!("2024-01-01 00:00:0{i} INFO worker started")), "log");
    check(&lines(9, |i| format!("[   12.34{i}] usb 1-1: new device")), "log");
    check(&lines(9, |i| format!("src/a/b.rs:{}: let x = {i};", i * 7)), "search");
    check(&lines(9, |i| format!("./src/dir{i}/file_{i}.rs")), "search");
    check(&lines(9, |i| format!("test some::path::case_{i} ... ok")), "command");
    check(&lines(9, |i| format!("src/x.c:{i}:5: error: expected ';'")), "command");
    check(
        "It rained all day. Nobody went out! The plan was simple: stay in, read, and wait for better weather. Would it end?",
        "prose",
    );
    check(&lines(9, |i| format!("a{i},b,c")), "table");
}

/// T064, T072: what a file holds is not folded as if a command had said it.
#[test]
fn file_views_are_no_command_output() {
    let view = lines(20, |i| format!("{:6}\tlet x = {i};", i + 1));
    check(&view, "opaque");
    check_from("cat -n src/a.rs", &view, "code:rust");
    check_from("sed -n 1,20p src/a.py", "x = 1\ny = 2\n", "code:python");
    check_from("cat notes", "something\nelse\n", "opaque");
}

#[test]
fn hints_choose_but_do_not_override() {
    check_from("cd /x && ./run.sh", "something\nelse\n", "command");
    check_from("git diff", "[1, 2]", "json");
    check_from("grep -n x", "{\"a\": 1}", "json");
}

#[test]
fn what_has_no_structure_is_opaque() {
    for text in ["", " \n", "hello", "a\u{0}b\u{0}c", &"aGVsbG8gd29ybGQ".repeat(400), "x: y\nz"] {
        check(text, "opaque");
    }
}

/// T016: the question is its own piece; the pasted log is another.
#[test]
fn a_pasted_log_is_cut_out_of_the_text_around_it() {
    let log = lines(80, |i| format!("2024-01-01 00:{:02}:00 INFO worker {i} started", i % 60));
    let text = format!("Why does it stop?\n\n{log}\nAnswer in one line.");
    let pieces = split(&text);
    let kinds: Vec<_> = pieces.iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds, [Kind::Opaque, Kind::Log, Kind::Opaque]);
    assert_eq!(&text[pieces[1].range.clone()], log);
    assert_eq!(&text[pieces[2].range.clone()], "\nAnswer in one line.");
}

#[test]
fn fenced_payloads_are_found_and_small_ones_left() {
    let values = format!("[{}]", (0..400).map(|i| format!("{{\"a\":{i}}}")).collect::<Vec<_>>().join(","));
    let text = format!("Look:\n```json\n{values}\n```\nand\n```\n[1]\n```\n");
    let kinds: Vec<_> = split(&text).iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds, [Kind::Opaque, Kind::Json, Kind::Opaque]);
}

mod properties {
    use super::*;
    use headroom_testkit::generate::any_text;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn detection_is_total_and_pieces_cover_the_text(text in any_text()) {
            let _ = kind_of(&text, &Hints::NONE);
            let mut at = 0;
            for piece in split(&text) {
                prop_assert_eq!(piece.range.start, at);
                prop_assert!(!piece.range.is_empty());
                prop_assert!(text.is_char_boundary(piece.range.end));
                at = piece.range.end;
            }
            prop_assert_eq!(at, text.len());
        }

        #[test]
        fn a_sample_is_bounded(line in "[a-z0-9 ]{0,3000}", count in 0_usize..2000) {
            let text = format!("{line}\n").repeat(count);
            prop_assert!(Sample::of(&text).lines.len() <= 360);
        }
    }
}

/// Newest first, names before times: rows that somebody asked for, as of `last`, and what a shell remembers.
#[test]
fn registers_are_no_logs_and_histories_no_views_of_files() {
    let login = |day: usize| {
        format!(
            "ann{}      pts/{day}        10.0.0.{day} Wed Dec {:2} 11:12:50 2020 - crash  (00:58)",
            day % 3,
            28 - day
        )
    };
    check(&lines(20, login), "command");
    check(&lines(20, |i| format!("May  {} 04:01:0{} edge-1 sshd[21]: Failed password", i % 9 + 1, i % 10)), "log");
    check(&lines(20, |i| format!("{:5}  git checkout branch-{i}", i + 1)), "command");
    check(&lines(20, |i| format!("{:5}\tgit checkout branch-{i}", i + 1)), "opaque");
    check(&lines(20, |i| format!("{i:4}: 0100007F:89E{} 00000000:0000 0A 1000 0 140{i:03} 1", i % 10)), "command");
}

#[test]
fn a_number_in_the_same_place_of_every_row_makes_data() {
    let record = |i: usize| {
        let kind = ["A", "MX \"x\"", "HINFO (y) -", "TXT a;b", "PTR c/d/e"][i % 5];
        format!("{}.example.com. {} IN {kind} to{}", ["www", "mail"][i % 2], 300 * i + 60, "-x".repeat(i % 7))
    };
    let is_columnar = |text: &str| command::is_columnar(&Sample::of(text));
    assert!(is_columnar(&lines(14, record)) && !is_columnar(&lines(9, record)));
    assert!(!is_columnar(&lines(14, |i| record(i).replace(|c: char| c.is_ascii_digit(), "n"))));
    assert!(!is_columnar(&lines(14, |i| format!("{i} sheep"))));
    check(&lines(14, record), "command");
}
