//! The filters that come with the program, and the situations that command output gets into.

use headroom_core::Hints;
use headroom_testkit::{corpus, generate::any_text, laws};
use proptest::prelude::*;

use super::*;

#[test]
fn every_filter_file_reads_and_does_what_it_says() {
    for text in FILTER_FILES {
        Filters::parse(text).expect("a filter file whose tests hold");
        assert!(text.contains("[[tests."));
    }
    FILTERS.compile().expect("patterns that fit into one set");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_obeys_the_laws(text in any_text(), times in 1_usize..4) {
        laws::check(&CommandCompressor, &text.repeat(times), Hints::NONE);
    }
}

fn standard(text: &str, command: &str) -> String {
    let hints = Hints { command: Some(command), ..Hints::NONE };
    laws::check(&CommandCompressor, text, hints).1.map_or(text.to_owned(), |standard| standard.text)
}

/// T060: the only error of a long output stays word for word, wherever it stands.
#[test]
fn the_only_error_stays() {
    let errors = [
        (
            "cargo build",
            "   Compiling crate{} v0.1.0",
            "error[E0499]: cannot borrow `x` as mutable more than once at a time",
        ),
        ("go vet ./...", "ok  \texample.com/pkg{}\t0.01s", "./a.go:12:5: result of fmt.Sprintf call not used"),
        (
            "npx tsc",
            "[{}/9000] Compiling module",
            "src/a.ts(12,5): error TS2345: Argument of type 'string' is not assignable",
        ),
        ("pytest", "tests/test_{}.py::test_it PASSED", "tests/test_x.py::test_y FAILED"),
        (
            "mvn test",
            "[INFO] Downloading from central: https://x/{}.pom",
            "[ERROR] /a/B.java:[12,5] cannot find symbol",
        ),
    ];
    for (command, noise, error) in errors {
        let mut lines: Vec<String> = (0..9000).map(|i| noise.replace("{}", &i.to_string())).collect();
        lines[4811] = error.to_owned();
        let shorter = standard(&(lines.join("\n") + "\n"), command);
        assert!(shorter.lines().any(|line| line == error), "{command}: {}", &shorter[..shorter.len().min(500)]);
        assert!(shorter.len() < 2000, "{command}: {}", &shorter[..500]);
    }
}

/// T061: zeros are no failures, but they are said by the command itself.
#[test]
fn a_passing_run_is_short_and_says_what_it_said() {
    let mut text: String = (0..400).map(|i| format!("test module::case_{i} ... ok\n")).collect();
    text += "\ntest result: ok. 400 passed; 0 failed; 0 ignored\nFound 0 errors\n";
    let shorter = standard(&text, "cargo test");
    assert!(shorter.contains("test result: ok. 400 passed; 0 failed; 0 ignored\nFound 0 errors\n"));
    assert!(shorter.len() < 200, "{shorter}");
}

/// T068: colours, links and redrawn lines go; text does not.
#[test]
fn only_the_invisible_is_stripped() {
    let mut text = String::new();
    for i in 0..200 {
        text += &format!("\u{1b}[32mstep\u{1b}[0m {i}: \u{1b}]8;;http://x/{i}\u{7}link{i}\u{1b}]8;;\u{7} built\r\n");
    }
    let shorter = standard(&text, "./build.sh");
    assert!(!shorter.contains('\u{1b}'));
    assert!((0..200).all(|i| shorter.contains(&format!("link{i}"))));
}

/// T004: of a huge trace the message, the first and the last frames stay.
#[test]
fn a_huge_trace_keeps_its_message_and_its_ends() {
    let mut text = String::from("Traceback (most recent call last):\n");
    for _ in 0..2000 {
        text += "  File \"/srv/app/recursion.py\", line 12, in descend\n    return descend(node.child, depth + 1)\n";
    }
    text += "RecursionError: maximum recursion depth exceeded\nexit status 1\n";
    let shorter = standard(&text, "python app.py");
    for part in [
        "Traceback (most recent call last):",
        "RecursionError: maximum recursion depth exceeded\n",
        "exit status 1\n",
        "line 12, in descend",
    ] {
        assert!(shorter.contains(part), "{part}");
    }
    assert!(shorter.len() < 1500, "{}", shorter.len());
}

#[test]
fn corpus_outputs_obey_the_laws() {
    for path in corpus::files("commands/compiler").into_iter().chain(corpus::files("commands/rtk")) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        laws::check(&CommandCompressor, &String::from_utf8_lossy(&bytes), Hints::NONE);
    }
}
