//! Generators of text that real traffic holds and text that nobody would write.

use proptest::prelude::*;

/// Any text: unicode, control characters, line ends of every kind, long runs, things that look like our own marks.
pub fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,40}",
        2 => "\\PC{0,20}",
        1 => Just("\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\u{0}\u{1b}[31m\u{feff}".to_owned()),
        1 => Just("👩‍👩‍👧‍👦日本語العربية".to_owned()),
        1 => Just("[-14 lines 38-51]\n[-212 of 400 lines; all in hr_4k2m9x7qw3]".to_owned()),
        1 => "[a-z]{1,3}".prop_map(|s| s.repeat(80)),
        1 => Just("{\"a\":[1,null,\"x\"]}".to_owned()),
        1 => Just("2024-01-01T00:00:00Z ERROR worker-3 failed code=0x80070005 at src/main.rs:12:5".to_owned()),
    ];
    prop::collection::vec((piece, prop::bool::ANY), 0..40).prop_map(|pieces| {
        pieces.into_iter().fold(String::new(), |text, (piece, line)| text + &piece + if line { "\n" } else { "" })
    })
}
