//! What agents keep of their conversations on their users' disks, read as [`Session`]s.
//!
//! None of the formats is documented; they were read off files that the agents wrote (Claude Code 2.1, Codex CLI 0.169, Gemini CLI 0.61, OpenCode
//! 1.18), so that a line that says something else is passed over and counted. Instructions and tool definitions are in none of them: their size
//! follows from what the provider billed for the first turn, and a filler of that size stands in their place.

mod claude;
mod codex;
mod gemini;
mod opencode;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use headroom_tokens::Tokenizer;
use headroom_wire::Dialect;
use serde_json::{Value, json};

use crate::Session;

/// An agent whose transcripts can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// OpenCode.
    OpenCode,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::OpenCode];

    /// Its name on our command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::OpenCode => "opencode",
        }
    }

    /// Its transcripts below its own folder (`~/.claude`, `~/.codex`, `~/.gemini`, `~/.local/share/opencode`), in order of path. Links are not
    /// followed.
    pub fn files(self, folder: &Path) -> Vec<PathBuf> {
        let (below, is_transcript): (&str, fn(&Path) -> bool) = match self {
            Self::Claude => ("projects", |path| ends(path, "jsonl")),
            Self::Codex => ("sessions", |path| ends(path, "jsonl") && starts(path, "rollout-")),
            Self::Gemini => ("tmp", |path| {
                path.parent().is_some_and(|parent| parent.ends_with("chats"))
                    && (ends(path, "jsonl") || ends(path, "json"))
            }),
            // Released builds write `opencode.db`, others name their channel.
            Self::OpenCode => ("", |path| ends(path, "db") && starts(path, "opencode")),
        };
        let mut found = Vec::new();
        match self {
            Self::OpenCode => found.extend(entries(folder).1),
            _ => walk(&folder.join(below), &mut found),
        }
        found.retain(|path| is_transcript(path));
        found.sort();
        found
    }

    /// The conversations in one file that went on since then: more than one where the agent began anew after a compaction, had sub-agents, or
    /// keeps them all in one database. Nothing is written, not even beside the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no text or database of this agent's.
    pub fn conversations(self, file: &Path, since: SystemTime) -> io::Result<Vec<Transcript>> {
        if self == Self::OpenCode {
            let since = since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            let read = opencode::read(file, i64::try_from(since).unwrap_or(i64::MAX)).map_err(io::Error::other)?;
            return Ok(read.into_iter().flat_map(|(id, builders)| self.finish(&id, builders)).collect());
        }
        if std::fs::metadata(file)?.modified()? < since {
            return Ok(Vec::new());
        }
        Ok(self.read(file, &std::fs::read_to_string(file)?))
    }

    /// The conversations in the text of one file.
    fn read(self, file: &Path, text: &str) -> Vec<Transcript> {
        let builders = match self {
            Self::Claude => claude::read(text),
            Self::Codex => codex::read(text),
            Self::Gemini => gemini::read(file, text),
            Self::OpenCode => Vec::new(),
        };
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        self.finish(&stem, builders)
    }

    fn finish(self, id: &str, mut builders: Vec<Builder>) -> Vec<Transcript> {
        builders.retain(|builder| builder.messages.iter().any(|message| message["role"] == "assistant"));
        let parts = builders.len();
        let id = |part: usize| if parts > 1 { format!("{id}#{}", part + 1) } else { id.to_owned() };
        builders.into_iter().enumerate().map(|(part, builder)| builder.finish(self, id(part))).collect()
    }
}

fn ends(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

fn starts(path: &Path, beginning: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let (folders, files) = entries(folder);
    found.extend(files);
    folders.iter().for_each(|folder| walk(folder, found));
}

/// Folders and files in a folder; what cannot be read has none.
fn entries(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    (folders, files)
}

/// What a provider billed for one turn, as the agent noted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// When, in seconds since 1970, if the agent noted it.
    pub at: Option<i64>,
    /// Input at full price.
    pub input: usize,
    /// Input read from the cache.
    pub cached: usize,
    /// Input written to the cache.
    pub written: usize,
    /// Output.
    pub output: usize,
}

impl Billed {
    /// All input tokens.
    pub const fn context(&self) -> usize {
        self.input + self.cached + self.written
    }
}

/// A result of a tool, as large as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// The tool.
    pub tool: String,
    /// Its arguments, as JSON.
    pub arguments: String,
    /// Its tokens.
    pub tokens: usize,
    /// How many turns came after it, each of which carried it.
    pub carried: usize,
    /// The same call had given the same text before.
    pub repeated: bool,
}

/// One conversation of an agent.
#[derive(Debug)]
pub struct Transcript {
    /// Whose.
    pub agent: Agent,
    /// The working directory, or the name the agent gave its project.
    pub project: String,
    /// The model that answered last.
    pub model: String,
    /// The conversation, to be played.
    pub session: Session,
    /// What was billed, turn by turn; empty where the agent notes nothing.
    pub billed: Vec<Billed>,
    /// Tokens of instructions and tool definitions, by what was billed for the first turn; 0 where nothing is known.
    pub prefix_tokens: usize,
    /// Everything tools returned.
    pub outputs: Vec<ToolOutput>,
    /// Lines that could not be read.
    pub unread: usize,
}

/// A conversation while it is read: messages in a provider's format.
#[derive(Debug, Default)]
struct Builder {
    openai: bool,
    project: String,
    model: String,
    messages: Vec<Value>,
    billed: Vec<Billed>,
    /// How many messages stood before the first turn that was billed.
    before_first: Option<usize>,
    unread: usize,
}

impl Builder {
    /// Notes what a turn was billed, whose answer is the last message.
    fn bill(&mut self, billed: Billed) {
        let before = self.messages.len().saturating_sub(1);
        self.before_first.get_or_insert(before);
        self.billed.push(billed);
    }

    fn finish(self, agent: Agent, id: String) -> Transcript {
        let count = |text: &str| Tokenizer::O200k.count(text);
        let calls = calls(&self.messages);
        let tools: BTreeSet<&str> = calls.values().map(|(tool, _)| tool.as_str()).collect();
        let tools: Vec<Value> = tools.into_iter().map(|tool| definition(tool, self.openai)).collect();
        let before: usize =
            self.messages.iter().take(self.before_first.unwrap_or(0)).map(|message| count(&said(message))).sum();
        let first = self.billed.first().map_or(0, Billed::context);
        let prefix_tokens = first.saturating_sub(before);
        let system = (prefix_tokens > 0).then(|| "word ".repeat(prefix_tokens));
        let dialect = if self.openai { Dialect::OpenAiChat } else { Dialect::AnthropicMessages };
        let outputs = outputs(&self.messages, &calls);
        let session = Session::assembled(id, agent.name(), dialect, &self.model, system, &tools, &self.messages);
        Transcript {
            agent,
            project: self.project,
            model: self.model,
            session,
            billed: self.billed,
            prefix_tokens,
            outputs,
            unread: self.unread,
        }
    }
}

/// Stands for a tool of which only the name is known.
fn definition(name: &str, openai: bool) -> Value {
    let schema = json!({"type": "object"});
    match openai {
        true => json!({"type": "function", "function": {"name": name, "parameters": schema}}),
        false => json!({"name": name, "input_schema": schema}),
    }
}

/// The text of a message, roughly as the model reads it.
fn said(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        content => content.to_string(),
    }
}

/// Tool and arguments of every call, by id, in both formats.
fn calls(messages: &[Value]) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut calls = BTreeMap::new();
    for message in messages {
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            calls.insert(text(&call["id"]), (text(&function["name"]), text(&function["arguments"])));
        }
        for block in message["content"].as_array().into_iter().flatten().filter(|block| block["type"] == "tool_use") {
            calls.insert(text(&block["id"]), (text(&block["name"]), block["input"].to_string()));
        }
    }
    calls
}

/// What the tools returned, in order.
fn outputs(messages: &[Value], calls: &BTreeMap<String, (String, String)>) -> Vec<ToolOutput> {
    let turns_after = |at: usize| messages[at..].iter().filter(|message| message["role"] == "assistant").count();
    let mut seen = BTreeSet::new();
    let mut outputs = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let results: Vec<(&Value, &Value)> = match message["role"].as_str() {
            Some("tool") => vec![(&message["tool_call_id"], &message["content"])],
            _ => {
                let blocks = message["content"].as_array().into_iter().flatten();
                blocks
                    .filter(|block| block["type"] == "tool_result")
                    .map(|block| (&block["tool_use_id"], &block["content"]))
                    .collect()
            }
        };
        for (id, content) in results {
            let text = plain(content);
            let (tool, arguments) = id.as_str().and_then(|id| calls.get(id)).cloned().unwrap_or_default();
            let repeated = !seen.insert((tool.clone(), arguments.clone(), text.clone()));
            let tokens = Tokenizer::O200k.count(&text);
            outputs.push(ToolOutput { tool, arguments, tokens, carried: turns_after(at), repeated });
        }
    }
    outputs
}

/// A content's text, in one string or in blocks.
fn plain(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// Every line that is an object; how many were not.
fn lines(text: &str) -> (Vec<Value>, usize) {
    let mut unread = 0;
    let values = text.lines().filter(|line| !line.trim().is_empty()).filter_map(|line| {
        let value = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
        unread += usize::from(value.is_none());
        value
    });
    let values = values.collect();
    (values, unread)
}

/// A whole number at a key, 0 where there is none.
fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Seconds since 1970 of `2026-01-05T10:03:20.123Z`.
fn seconds(at: &Value) -> Option<i64> {
    let at = at.as_str()?;
    let part = |range: std::ops::Range<usize>| at.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    // Days of the proleptic Gregorian calendar, counted in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day;
    Some((days - 719_469) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
