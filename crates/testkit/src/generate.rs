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

/// Tool output of every kind that agents read: JSON, logs, file views, searches, test runs, and text of no kind.
pub fn tool_output() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => (1_usize..120, 0_usize..5).prop_map(|(rows, odd)| json_rows(rows, odd)),
        2 => (1_usize..150, 0_u32..9).prop_map(|(lines, seed)| log_lines(lines, seed)),
        3 => (0_usize..3, 1_usize..60, 5_usize..80).prop_map(|(file, from, lines)| file_view(file, from, lines)),
        1 => (1_usize..60).prop_map(|hits| {
            (0..hits).map(|n| format!("src/deep/module_{}/file.rs:{}:    let value = compute({n});\n", n / 9, n * 7 + 1)).collect()
        }),
        1 => (1_usize..90).prop_map(|tests| {
            let passes: String = (0..tests).map(|n| format!("test module::case_{n} ... ok\n")).collect();
            format!("{passes}test module::broken ... FAILED\n\ntest result: FAILED. {tests} passed; 1 failed\n")
        }),
        1 => any_text(),
    ]
}

fn json_rows(rows: usize, odd: usize) -> String {
    let row = |n: usize| {
        let state = if n % 17 == odd { "failed" } else { "running" };
        format!(
            "{{\"id\": {n}, \"name\": \"worker-{n}\", \"state\": \"{state}\", \"zone\": \"eu-west-1\", \"load\": {}.50}}",
            n % 7
        )
    };
    format!("[{}]", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}

fn log_lines(lines: usize, seed: u32) -> String {
    let line = |n: usize| match (n + seed as usize) % 23 {
        0 => format!("2024-05-01T10:00:{:02}Z ERROR db connection {n} refused code=0x80070005", n % 60),
        rest => {
            format!("2024-05-01T10:00:{:02}Z INFO worker-{} handled request {n} in {}ms", n % 60, rest % 4, n * 3 % 90)
        }
    };
    (0..lines).map(|n| line(n) + "\n").collect()
}

/// Lines of one of a few files, numbered as `cat -n` does; views of one file overlap.
fn file_view(file: usize, from: usize, lines: usize) -> String {
    (from..from + lines)
        .map(|n| format!("{n:>6}\tfn function_{n}_of_{file}(argument: usize) -> usize {{ argument + {n} }}\n"))
        .collect()
}

/// A conversation: instructions, a question, then turns of one or more tool calls and their results.
#[derive(Clone, Debug)]
pub struct Conversation {
    instructions: String,
    turns: Vec<Vec<String>>,
}

/// Conversations of up to eight turns; some start with instructions long enough for a retrieval tool to be offered.
pub fn conversation() -> impl Strategy<Value = Conversation> {
    let instructions = prop_oneof![Just("Be brief.".to_owned()), Just("You are a careful engineer. ".repeat(1_000))];
    let turns = prop::collection::vec(prop::collection::vec(tool_output(), 1..4), 1..8);
    (instructions, turns).prop_map(|(instructions, turns)| Conversation { instructions, turns })
}

impl Conversation {
    /// The same with another text in front of its instructions.
    #[must_use]
    pub fn told(&self, text: &str) -> Self {
        Self { instructions: format!("{text}{}", self.instructions), turns: self.turns.clone() }
    }

    /// How many requests it takes.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether it has no turns.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// How many calls a turn makes.
    pub fn calls(&self, turn: usize) -> usize {
        self.turns[turn].len()
    }

    /// The Anthropic request that carries the results of the first `turns` turns.
    pub fn anthropic(&self, turns: usize) -> String {
        let mut messages = vec![r#"{"role":"user","content":"Why does it fail?"}"#.to_owned()];
        for (turn, results) in self.turns[..turns].iter().enumerate() {
            let call = |n: usize| {
                format!(
                    r#"{{"type":"tool_use","id":"t{turn}_{n}","name":"Bash","input":{{"command":"step {turn} {n}"}}}}"#
                )
            };
            let result = |(n, text): (usize, &String)| {
                format!(r#"{{"type":"tool_result","tool_use_id":"t{turn}_{n}","content":{}}}"#, quoted(text))
            };
            let calls: Vec<_> = (0..results.len()).map(call).collect();
            let results: Vec<_> = results.iter().enumerate().map(result).collect();
            messages.push(format!(r#"{{"role":"assistant","content":[{}]}}"#, calls.join(",")));
            messages.push(format!(r#"{{"role":"user","content":[{}]}}"#, results.join(" , ")));
        }
        let (system, messages) = (quoted(&self.instructions), messages.join(",\n"));
        format!(
            "{{\"model\":\"claude-sonnet-4-5\", \"max_tokens\":1e3,\"system\":{system},\"tools\":[{{\"name\":\"Bash\",\"input_schema\":\
             {{\"type\":\"object\"}}}}],\"messages\": [{messages}],\"stream\":true}}"
        )
    }

    /// The OpenAI Responses request that carries the results of the first `turns` turns, as a client sends it that keeps its own history.
    pub fn responses(&self, turns: usize) -> String {
        let mut items = vec![r#"{"role":"user","content":"Why does it fail?"}"#.to_owned()];
        for (turn, results) in self.turns[..turns].iter().enumerate() {
            items.push(format!(r#"{{"type":"reasoning","id":"rs_{turn}","summary":[],"encrypted_content":"gA\/="}}"#));
            items.extend((0..results.len()).map(|n| {
                format!(
                    r#"{{"type":"function_call","call_id":"t{turn}_{n}","name":"shell","arguments":"{{\"command\":[\"step\",\"{turn}\",\"{n}\"]}}"}}"#
                )
            }));
            for (n, text) in results.iter().enumerate() {
                let text = quoted(text);
                let output = if n % 2 == 0 { text } else { format!(r#"[{{"type":"input_text","text":{text}}}]"#) };
                items.push(format!(r#"{{"type":"function_call_output","call_id":"t{turn}_{n}","output":{output}}}"#));
            }
        }
        let (instructions, items) = (quoted(&self.instructions), items.join(" ,"));
        format!(
            "{{\"model\":\"gpt-5\",\"instructions\":{instructions},\"tools\":[{{\"type\":\"function\",\"name\":\"shell\"}}],\"store\":false,\
             \"include\":[\"reasoning.encrypted_content\"],\"input\": [{items}],\"stream\":true}}"
        )
    }

    /// The Gemini request that carries the results of the first `turns` turns.
    pub fn gemini(&self, turns: usize) -> String {
        let mut contents = vec![r#"{"role":"user","parts":[{"text":"Why does it fail?"}]}"#.to_owned()];
        for (turn, results) in self.turns[..turns].iter().enumerate() {
            let call = |n: usize| {
                let signature = if n == 0 { r#","thoughtSignature":"Ep\/=""# } else { "" };
                format!(r#"{{"functionCall":{{"name":"bash","args":{{"command":"step {turn} {n}"}}}}{signature}}}"#)
            };
            let result = |(n, text): (usize, &String)| {
                let key = if n % 2 == 0 { "output" } else { "result" };
                format!(r#"{{"functionResponse":{{"name":"bash","response":{{"{key}": {}}}}}}}"#, quoted(text))
            };
            let calls: Vec<_> = (0..results.len()).map(call).collect();
            let results: Vec<_> = results.iter().enumerate().map(result).collect();
            contents.push(format!(r#"{{"role":"model","parts":[{}]}}"#, calls.join(",")));
            contents.push(format!(r#"{{"parts":[{}],"role":"user"}}"#, results.join(" , ")));
        }
        let (instructions, contents) = (quoted(&self.instructions), contents.join(" ,"));
        format!(
            "{{\"systemInstruction\":{{\"parts\":[{{\"text\":{instructions}}}]}},\"tools\":[{{\"functionDeclarations\":[{{\"name\":\"bash\"}}]}}],\
             \"contents\": [{contents}],\"generationConfig\":{{\"temperature\":1.0}}}}"
        )
    }

    /// The OpenAI request that carries the results of the first `turns` turns.
    pub fn openai(&self, turns: usize) -> String {
        let mut messages = vec![
            format!(r#"{{"role":"system","content":{}}}"#, quoted(&self.instructions)),
            r#"{"role":"user","content":"Why does it fail?"}"#.to_owned(),
        ];
        for (turn, results) in self.turns[..turns].iter().enumerate() {
            let call = |n: usize| {
                format!(
                    r#"{{"id":"t{turn}_{n}","type":"function","function":{{"name":"bash","arguments":"{{\"command\":\"step {turn} {n}\"}}"}}}}"#
                )
            };
            let calls: Vec<_> = (0..results.len()).map(call).collect();
            messages.push(format!(r#"{{"role":"assistant","content":null,"tool_calls":[{}]}}"#, calls.join(",")));
            for (n, text) in results.iter().enumerate() {
                messages.push(format!(r#"{{"role":"tool","tool_call_id":"t{turn}_{n}","content":{}}}"#, quoted(text)));
            }
        }
        let messages = messages.join(", ");
        format!(
            "{{\"model\":\"gpt-4o\",\"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"bash\"}}}}],\"messages\":[{messages}]}}"
        )
    }
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
