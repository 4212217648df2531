//! Properties of the exact encoding, and the situations that logs get into.

use headroom_core::{Hints, Shape};
use headroom_testkit::{corpus, generate::any_text, laws};
use proptest::prelude::*;

use super::*;

fn bodies(text: &str) -> Vec<&str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

/// Encodes without the check that `encode` makes at run time.
fn reads_back(text: &str) {
    let lines = bodies(text);
    if let Some(encoded) = exact::encode(&mine::mine(&lines, Quotes::Open), |_| false, text.ends_with('\n')) {
        assert_eq!(exact::decode(&encoded).as_deref(), Some(text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_reads_back_and_obeys_the_laws(text in any_text(), times in 1_usize..4) {
        reads_back(&text.repeat(times));
        laws::check(&LogCompressor, &text.repeat(times), Hints::NONE);
    }

    /// Lines made of the signs that the encoding itself uses.
    #[test]
    fn its_own_signs_read_back(lines in prop::collection::vec("[AB=' \"{}<>«»‹›⟦⟧\\\\*0-2:a,.\r]{0,24}", 1..40)) {
        reads_back(&(lines.join("\n") + "\n"));
        reads_back(&lines.concat().repeat(3));
    }

    #[test]
    fn templates_with_any_values_read_back(
        rows in prop::collection::vec((0_usize..3, "[a-z0-9:_/-]{1,8}", "[0-9]{1,6}", 0_u32..60), 1..60),
    ) {
        let text: String = rows
            .iter()
            .map(|(kind, name, number, second)| match kind {
                0 => format!("2024-05-01 10:00:{second:02} INFO job {name} done in {number} ms\n"),
                1 => format!("2024-05-01 10:00:{second:02} WARN [{name}@pool-{number}] waits \"{name}\"\n"),
                _ => format!("2024-05-01 10:00:{second:02} ERROR x={number}\n\tat a.b({name}:{number})\n"),
            })
            .collect();
        reads_back(&text);
        laws::check(&LogCompressor, &text, Hints::NONE);
    }
}

#[test]
fn corpus_logs_and_commands_read_back() {
    let files = corpus::files("logs").into_iter().chain(corpus::files("commands/jc"));
    for path in files {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        reads_back(&String::from_utf8_lossy(&bytes));
    }
}

fn standard(text: &str) -> Compressed {
    laws::check(&LogCompressor, text, Hints::NONE).1.expect("something to leave out")
}

/// T062: among 50,000 equal messages the odd code and the silence are shown, and the count is stated.
#[test]
fn the_odd_one_among_many_equal_messages_is_shown() {
    let mut text = String::new();
    for i in 0..50_000_u32 {
        let second = i / 10 + if i > 30_000 { 900 } else { 0 };
        let (hour, minute, second) = (10 + second / 3600, second / 60 % 60, second % 60);
        let code = if i == 20_000 { 503 } else { 200 };
        text += &format!("2024-05-01 {hour}:{minute:02}:{second:02} INFO request served with code {code}\n");
    }
    let shorter = standard(&text);
    assert!(shorter.text.len() < 2000, "{}", shorter.text);
    for part in ["503", "A '50:00 200", "A 11:05:00", "1 x50000"] {
        assert!(shorter.text.contains(part), "{part} in {}", shorter.text);
    }
    let kept: usize = 50_000 - shorter.omissions().iter().map(headroom_core::Omission::count).sum::<usize>();
    assert_eq!(kept, 7, "two at each end, the odd one, both sides of the silence: {}", shorter.text);
}

/// T066: identifiers that occur once are kept whole.
#[test]
fn rare_identifiers_are_kept_whole() {
    let mut lines: Vec<String> =
        (0..3000).map(|i| format!("12:{:02}:{:02} DEBUG tick {i} of scheduler", i / 60 % 60, i % 60)).collect();
    let odd = [
        "E0499",
        "0x80070005",
        "DE89370400440532013000",
        "B-XY-1234",
        "v2.7.18-rc.1",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    ];
    for (at, id) in odd.iter().enumerate() {
        lines.insert(at * 400 + 77, format!("12:10:10 NOTICE plate check {id} seen by gate"));
    }
    let shorter = standard(&(lines.join("\n") + "\n"));
    for id in odd {
        assert!(shorter.text.contains(id), "{id}");
    }
}

/// Stack traces are parts of their record, in every language's form.
#[test]
fn stack_traces_stay_whole() {
    let traces = [
        "java.lang.IllegalStateException: closed\n\tat a.B.c(B.java:12)\n\tat a.B.d(B.java:40)\nCaused by: java.io.IOException: gone\n\t... 2 more\n",
        "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g()\nValueError: bad\n",
        "   at App.Main() in C:\\a\\b.cs:line 7\n",
    ];
    let mut text = String::new();
    for i in 0..600 {
        text += &format!("2024-05-01 10:{:02}:{:02},{:03} INFO worker {i} idle\n", i / 60 % 60, i % 60, i % 1000);
        if let Some(trace) = traces.get(i / 150).filter(|_| i % 150 == 75) {
            text += &format!("2024-05-01 10:{:02}:{:02},000 ERROR failed\n{trace}", i / 60 % 60, i % 60);
        }
    }
    let shorter = standard(&text);
    for trace in traces {
        assert!(shorter.text.contains(trace), "{trace}\nin\n{}", shorter.text);
    }
}

/// T069: what looks like a mark of ours in a log is a line like any other.
#[test]
fn marks_in_the_log_are_data() {
    let text = "[-14 lines 38-51]\n[-212 of 400 lines; all in hr_4k2m9x7qw3]\n".repeat(60);
    reads_back(&text);
    let (exact, standard) = laws::check(&LogCompressor, &text, Hints::NONE);
    assert!(exact.is_some_and(|exact| exact.shape == Shape::Exact) && standard.is_some());
}

/// T067, T068: foreign scripts and control bytes.
#[test]
fn any_script_and_any_byte_pass() {
    let text: String =
        (0..200).map(|i| format!("10:00:{:02} 用户 {i} 登录 \u{1b}[31m失败\u{1b}[0m 👩‍👩‍👧\u{0}\r\n", i % 60)).collect();
    reads_back(&text);
    laws::check(&LogCompressor, &text, Hints::NONE);
}
