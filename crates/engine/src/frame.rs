//! What agents write around the output of a command: its exit code, its directory, how long it took.
//!
//! The frame stays as it is. Without it the output is found to be what it is, and the exit code is known.

use std::ops::Range;

/// How many lines, and bytes, a frame may have before the output.
const HEAD_LINES: usize = 24;
const HEAD_BYTES: usize = 4096;

/// How many lines it may have behind it.
const TAIL_LINES: usize = 8;

/// Beginnings of lines before the output.
///
/// Codex CLI 0.169, also in Chat Completions (`Exit code:`, `Wall time`, ...); Gemini CLI and Qwen Code (`Command:`, `Directory:`);
/// mini-swe-agent (`<returncode>`, `The last command`); Cline and Roo Code (`Command executed`).
const HEAD: [&str; 13] = [
    "Exit code: ",
    "Wall time",
    "Total output lines: ",
    "Chunk ID: ",
    "Process exited with code ",
    "Process running with session ID ",
    "Original token count: ",
    "Script completed",
    "Command executed",
    "Directory: ",
    "<returncode>",
    "The output of the command was:",
    "The command was killed",
];

/// Beginnings of lines that go on with a command of any number of lines.
const COMMAND: [&str; 2] = ["Command: ", "The last command <command>"];

/// Beginnings of lines behind the output: mini-swe-agent, SWE-agent, OpenHands, Copilot CLI, Gemini CLI and Qwen Code.
const TAIL: [&str; 13] = [
    "</output>",
    "(Open file: ",
    "(Current directory: ",
    "bash-$",
    "[The command completed with exit code ",
    "[Current working directory: ",
    "[Python interpreter: ",
    "[Command finished with exit code ",
    "<exited with exit code ",
    "Error: (none)",
    "Exit Code: ",
    "Signal: ",
    "Process Group PGID: ",
];

/// Where a text's output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The output, in bytes of the text.
    pub(crate) body: Range<usize>,
    /// What the command ended with, where the frame says so.
    pub(crate) exit_code: Option<i32>,
}

impl Frame {
    /// Finds the frame of a text; one without is all output.
    pub(crate) fn of(text: &str) -> Self {
        let head = head(text).unwrap_or(0);
        let tail = tail(&text[head..]);
        let body = head..text.len() - tail;
        let exit_code = exit_code(&text[..body.start]).or_else(|| exit_code(&text[body.end..]));
        Self { body, exit_code }
    }
}

/// Bytes before the output.
fn head(text: &str) -> Option<usize> {
    let (mut end, mut framed, mut in_command) = (0, false, false);
    for line in text.split_inclusive('\n').take(HEAD_LINES) {
        let start = end;
        end += line.len();
        if end > HEAD_BYTES {
            return None;
        }
        let said = line.trim_end_matches(['\n', '\r']);
        if framed && matches!(said, "Output:" | "<output>") {
            return Some(end);
        }
        if framed && said.starts_with("Output: ") {
            return Some(start + "Output: ".len());
        }
        let begins = |words: &[&str]| words.iter().any(|word| said.starts_with(word));
        if begins(&COMMAND) {
            (framed, in_command) = (true, true);
        } else if begins(&HEAD) {
            framed = true;
        } else if start == 0 && said.strip_prefix("Exit code ").is_some_and(|code| code.parse::<i32>().is_ok()) {
            // Claude Code, before the output of a command that failed.
            return Some(end);
        } else if !in_command {
            return None;
        }
    }
    None
}

/// Bytes behind the output.
fn tail(text: &str) -> usize {
    let mut bytes = 0;
    for line in text.trim_end_matches(['\n', ' ']).rsplit('\n').take(TAIL_LINES) {
        if !TAIL.iter().any(|word| line.starts_with(word)) {
            break;
        }
        bytes += line.len() + 1;
    }
    // White space at the very end belongs to the last line of the frame; without a frame it belongs to the output.
    let blank = text.len() - text.trim_end_matches(['\n', ' ']).len();
    if bytes == 0 { 0 } else { (bytes - 1 + blank).min(text.len()) }
}

/// The number in `Exit code: 1`, `exited with code 1`, `<returncode>1</returncode>`.
fn exit_code(frame: &str) -> Option<i32> {
    frame.lines().find_map(|line| {
        let lower = line.to_ascii_lowercase();
        let words = ["exit code: ", "exit code ", "exited with code ", "<returncode>"];
        let (_, rest) = words.iter().find_map(|word| lower.split_once(word))?;
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, body: &str, exit_code: Option<i32>) {
        let frame = Frame::of(text);
        assert_eq!((&text[frame.body], frame.exit_code), (body, exit_code));
    }

    #[test]
    fn output_is_found_in_the_frames_of_known_agents() {
        check("Exit code: 1\nWall time: 0.1 seconds\nOutput:\na\nb\n", "a\nb\n", Some(1));
        check(
            "Chunk ID: 4f\nWall time: 0.0521 seconds\nProcess exited with code 0\nOriginal token count: 9\nOutput:\na\n",
            "a\n",
            Some(0),
        );
        check(
            "Command: python3 -c \"\nprint(1)\"\nDirectory: (root)\nOutput: a\nb\nError: (none)\nExit Code: 2\nSignal: 0\nProcess Group PGID: 7",
            "a\nb\n",
            Some(2),
        );
        check("<returncode>127</returncode>\n<output>\na\nb\n</output>", "a\nb\n", Some(127));
        check("Exit code 1\na\n", "a\n", Some(1));
        check("a\n(Open file: n/a)\n(Current directory: /repo)\nbash-$", "a\n", None);
        check(
            "a\n[The command completed with exit code 3.]\n[Current working directory: /w]\n[Command finished with exit code 3]\n",
            "a\n",
            Some(3),
        );
        check("a\n<exited with exit code 0>", "a\n", Some(0));
    }

    #[test]
    fn what_has_no_frame_is_all_output() {
        for text in
            ["", "\n", "Output:\na", "a\nOutput:\nb", "Exit code\na", "Exit code one\na", "a\nSignal", "Command: x\ny"]
        {
            check(text, text, None);
        }
        let long = format!("Command: {}\nOutput:\na", "x\n".repeat(5000));
        check(&long, &long, None);
    }

    proptest! {
        #[test]
        fn every_text_has_a_body_in_it(text in "((Exit code: 1|Command: x|Output:( a)?|<output>|</output>|Signal: 0|é|a b| )\n?){0,12}") {
            let body = Frame::of(&text).body;
            prop_assert!(text.get(body).is_some());
        }
    }
}
