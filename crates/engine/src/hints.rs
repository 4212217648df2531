//! What a tool call says about its result.

use headroom_compress::detect;
use headroom_core::{Hints, Kind, Segment};
use serde_json::Value;

/// Argument names under which agents' tools take a command line.
const COMMAND_KEYS: &[&str] = &["command", "cmd", "script", "commands", "bash_command", "CommandLine"];

/// Argument names under which they take a file.
const PATH_KEYS: &[&str] = &[
    "file_path",
    "path",
    "filename",
    "file",
    "filepath",
    "filePath",
    "target_file",
    "absolute_path",
    "notebook_path",
    "relative_path",
    "uri",
];

/// Words in a tool's name that say it shows a file.
const READING_TOOLS: &[&str] = &["read", "view", "open", "cat", "show", "goto", "scroll", "editor"];

/// Words in a tool's name that say it looks something up in a library of documents, which the agent cannot write to.
const LIBRARY_TOOLS: &[&str] = &["docs", "documentation", "knowledge", "rag", "retrieve", "retrieval", "wiki"];

/// Words in a tool's name that say it may be about the agent's own files.
const WORKSPACE_TOOLS: &[&str] =
    &["code", "codebase", "file", "files", "fs", "git", "repo", "repository", "workspace", "project"];

/// Commands that print a file as it is.
const READING_COMMANDS: &[&str] = &[
    "cat",
    "nl",
    "bat",
    "batcat",
    "head",
    "tail",
    "less",
    "more",
    "sed",
    "awk",
    "type",
    "gc",
    "get-content",
    "open",
    "goto",
    "view",
];

/// Share of lines, in percent, that must be numbered in sequence for a text to be a file view.
const NUMBERED_PERCENT: usize = 70;

/// What is known about a result from the call that produced it; owns what [`Hints`] borrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    tool: Option<String>,
    command: Option<String>,
    path: Option<String>,
}

impl Call {
    /// Reads a call's arguments (JSON text; anything else says nothing).
    pub(crate) fn new(tool: Option<&str>, arguments: Option<&str>) -> Self {
        let mut call = Self { tool: tool.map(str::to_owned), ..Self::default() };
        let Some(Value::Object(given)) = arguments.and_then(|text| serde_json::from_str(text).ok()) else {
            return call;
        };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(words) => {
                let words: Vec<_> = words.iter().map(Value::as_str).collect::<Option<_>>()?;
                // A command line that a shell is to run stands as one word behind the shell's own.
                Some(match words.as_slice() {
                    [shell, "-c" | "-lc", line] if shell.ends_with("sh") => (*line).to_owned(),
                    words => words.join(" "),
                })
            }
            _ => None,
        };
        let first = |keys: &[&str]| keys.iter().find_map(|key| given.get(*key).and_then(text));
        call.command = first(COMMAND_KEYS);
        call.path = first(PATH_KEYS);
        call
    }

    /// The hints for its result.
    ///
    /// A file that is read may be edited by quoting it, whatever it holds, with one exception: nobody edits a log. Code may be
    /// edited wherever it comes from, except where a library of documents gave it.
    pub(crate) fn hints<'a>(&'a self, text: &str, is_error: bool) -> Hints<'a> {
        let hints = Hints {
            tool: self.tool.as_deref(),
            command: self.command.as_deref(),
            path: self.path.as_deref(),
            is_error,
            editable: self.reads_a_file() || is_file_view(text),
            ..Hints::NONE
        };
        let kind = detect(&Segment { text, hints }).kind;
        let editable = match kind {
            Kind::Log => false,
            Kind::Code(_) => hints.editable || !self.asks_a_library(),
            _ => hints.editable,
        };
        Hints { editable, kind: Some(kind), ..hints }
    }

    /// How later references name its result: the file, or else the command.
    pub(crate) fn label(&self) -> &str {
        self.path.as_deref().or(self.command.as_deref()).or(self.tool.as_deref()).unwrap_or_default()
    }

    /// Whether the result comes from a library of documents by the name of the tool, and nothing speaks of a file or a command: code in it is
    /// there to be read, not edited.
    fn asks_a_library(&self) -> bool {
        let has = |wanted: &[&str]| {
            self.tool.as_deref().is_some_and(|tool| words_of(tool).any(|word| wanted.contains(&word.as_str())))
        };
        self.command.is_none()
            && self.path.is_none()
            && has(LIBRARY_TOOLS)
            && !has(WORKSPACE_TOOLS)
            && !has(READING_TOOLS)
    }

    /// Whether the call shows a file whose text may be quoted in an edit (T072). A pipe into something that transforms makes it a
    /// command like any other; a pipe into something that only cuts keeps it a read.
    fn reads_a_file(&self) -> bool {
        let tool_reads =
            self.tool.as_deref().is_some_and(|tool| words_of(tool).any(|word| READING_TOOLS.contains(&word.as_str())));
        if let Some(command) = &self.command {
            // An editor tool takes its verb as the command and the file as the path.
            let verb = command.split_whitespace().next().unwrap_or_default();
            return reads(command) || (tool_reads && self.path.is_some() && matches!(verb, "view" | "open" | "read"));
        }
        tool_reads && self.path.is_some()
    }
}

/// Whether the last pipeline of a command line consists of reading commands only.
fn reads(command: &str) -> bool {
    let last = command.rsplit(['\n', ';']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let last = last.rsplit("&&").next().unwrap_or_default();
    let mut stages = last.split('|').map(|stage| stage.split_whitespace().next().unwrap_or_default());
    let is_reader = |word: &str| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        READING_COMMANDS.contains(&name.trim_end_matches(".exe"))
    };
    stages.all(is_reader)
}

/// The lower-case words of `read_file`, `readFile`, `mcp__fs__read-file`.
fn words_of(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(|part| {
        let starts: Vec<usize> = part
            .char_indices()
            .filter(|(at, c)| {
                *at == 0 || (c.is_ascii_uppercase() && !part[..*at].ends_with(|c: char| c.is_ascii_uppercase()))
            })
            .map(|(at, _)| at)
            .chain([part.len()])
            .collect();
        starts.windows(2).map(|ends| part[ends[0]..ends[1]].to_ascii_lowercase()).collect::<Vec<_>>()
    })
}

/// Whether most lines are numbered in sequence, as file viewers print them.
fn is_file_view(text: &str) -> bool {
    let number = |line: &str| -> Option<u32> {
        let line = line.trim_start();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let follows = line[digits..].chars().next();
        (follows.is_some_and(|c| matches!(c, '\t' | ':' | '|' | '→')) || line.len() == digits)
            .then(|| line[..digits].parse().ok())?
    };
    let (mut total, mut in_sequence, mut previous) = (0, 0, None);
    for line in text.lines() {
        total += 1;
        let this = number(line);
        if let (Some(before), Some(now)) = (previous, this)
            && now == before + 1_u32
        {
            in_sequence += 1;
        }
        previous = this.filter(|number| *number < u32::MAX);
    }
    total >= 5 && in_sequence * 100 >= total * NUMBERED_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tool: &str, arguments: &str, editable: bool) {
        let call = Call::new(Some(tool), Some(arguments));
        assert_eq!(call.reads_a_file(), editable, "{tool} {arguments}");
    }

    /// T072
    #[test]
    fn files_read_by_odd_routes_are_protected_as_reads() {
        for (tool, arguments) in [
            ("Read", r#"{"file_path":"a.py"}"#),
            ("mcp__filesystem__read_text_file", r#"{"path":"a.py"}"#),
            ("readFile", r#"{"target_file":"a.py"}"#),
            ("str_replace_editor", r#"{"command":"view","path":"/a.py"}"#),
            ("view", r#"{"path":"a.py"}"#),
            ("Bash", r#"{"command":"nl -ba f.py | sed -n 1,75p"}"#),
            ("Bash", r#"{"command":"cd /repo && cat a.py"}"#),
            ("shell", r#"{"command":["bat","-p","a.py"]}"#),
            ("shell", r#"{"command":["bash","-lc","cat a.py"]}"#),
            ("local_shell", r#"{"type":"exec","command":["/bin/sh","-c","sed -n 1,9p a.py"]}"#),
            ("run", r#"{"cmd":"type C:\\a.py"}"#),
            ("PowerShell", r#"{"command":"Get-Content a.py"}"#),
        ] {
            check(tool, arguments, true);
        }
    }

    #[test]
    fn what_is_not_a_read_is_not_protected() {
        for (tool, arguments) in [
            ("Bash", r#"{"command":"cargo test"}"#),
            ("Bash", r#"{"command":"cat a.json | jq .x"}"#),
            ("shell", r#"{"command":["bash","-lc","cargo test"]}"#),
            ("Bash", r#"{"command":"cat a.py; pytest"}"#),
            ("search_flights", r#"{"origin":"JFK"}"#),
            ("read_inbox", r#"{"user":"x"}"#),
            ("Grep", r#"{"pattern":"x","path":"src"}"#),
            ("str_replace_editor", r#"{"command":"create","path":"/a.py"}"#),
            ("Read", "not json"),
        ] {
            check(tool, arguments, false);
        }
    }

    #[test]
    fn only_a_library_of_documents_gives_code_that_nobody_edits() {
        let asks = |tool: &str, arguments: &str| Call::new(Some(tool), Some(arguments)).asks_a_library();
        for tool in ["search_docs", "mcp__library__get-documentation", "retrieve", "knowledgeSearch"] {
            assert!(asks(tool, r#"{"query":"how to open a cart"}"#), "{tool}");
        }
        assert!(!asks("search_docs", r#"{"path":"docs/a.md"}"#) && !asks("retrieve", r#"{"command":"x"}"#));
        for tool in ["Bash", "codebase_docs", "retrieve_file", "git_docs", "search", "read_docs", "fetch"] {
            assert!(!asks(tool, "{}"), "{tool}");
        }
    }

    #[test]
    fn a_numbered_view_is_a_read_whatever_produced_it() {
        let view: String = (40..80).map(|n| format!("{n:>6}\tline {n}\n")).collect();
        assert!(is_file_view(&view) && is_file_view(&format!("[File: a.py (99 lines)]\n{}", view.replace('\t', ":"))));
        assert!(!is_file_view("12:00:01 start\n12:00:02 next\n12:00:03 more\n12:00:04 x\n12:00:05 y"));
        assert!(!is_file_view("a.py:12:x\na.py:13:y\na.py:14:z\na.py:15:z\na.py:16:z\n"));
    }
}
