//! OpenCode: `opencode.db`, an SQLite database with tables `session`, `message` and `part`, whose column `data` is JSON (1.2 and later; before,
//! it kept a tree of JSON files, which later versions do not read either).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{Billed, Builder, number, string};

/// Every conversation that went on since then (milliseconds since 1970), with its id.
///
/// # Errors
///
/// What SQLite says: no database, or not one of OpenCode's.
pub(super) fn read(file: &Path, since: i64) -> rusqlite::Result<Vec<(String, Vec<Builder>)>> {
    let database = open(file)?;
    let mut sessions =
        database.prepare("SELECT id, directory FROM session WHERE time_updated >= ?1 ORDER BY time_created, id")?;
    let sessions = sessions
        .query_map([since], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut messages =
        database.prepare("SELECT id, data FROM message WHERE session_id = ?1 ORDER BY time_created, id")?;
    let mut parts = database.prepare("SELECT data FROM part WHERE message_id = ?1 ORDER BY id")?;
    let mut conversations = Vec::with_capacity(sessions.len());
    for (id, project) in sessions {
        let rows = messages
            .query_map([&id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut conversation = Conversation::of(&project, openai(&rows));
        for (message, data) in rows {
            let parts =
                parts.query_map([&message], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            conversation.add(&data, &parts);
        }
        conversations.push((id, conversation.finish()));
    }
    Ok(conversations)
}

/// Opens a database without leaving anything beside it: where no log is left over it is read as if nobody could write it, because
/// SQLite would otherwise begin a log of its own.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let log = PathBuf::from(format!("{}-wal", file.display()));
    let in_use = log.metadata().is_ok_and(|log| log.len() > 0);
    let path: String = file.to_string_lossy().chars().flat_map(escaped).collect();
    let uri = format!("file:{path}?mode=ro{}", if in_use { "" } else { "&immutable=1" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(uri, flags)?;
    database.busy_timeout(std::time::Duration::from_secs(2))?;
    Ok(database)
}

/// What means something in SQLite's URIs, as they want it written.
fn escaped(char: char) -> Vec<char> {
    match char {
        '%' | '?' | '#' => format!("%{:02X}", u32::from(char)).chars().collect(),
        char => vec![char],
    }
}

/// Whether a conversation is better told as Chat Completions: whenever its provider is not Anthropic, whose prices and cache are others.
fn openai(messages: &[(String, String)]) -> bool {
    let mut answers = messages.iter().filter_map(|(_, data)| serde_json::from_str::<Value>(data).ok());
    let last = answers.rfind(|message| message["role"] == "assistant");
    last.is_some_and(|last| {
        !string(&last["modelID"]).contains("claude") && !string(&last["providerID"]).contains("anthropic")
    })
}

/// One conversation while its rows are read.
struct Conversation {
    builder: Builder,
    done: Vec<Builder>,
}

impl Conversation {
    fn of(project: &str, openai: bool) -> Self {
        let builder = Builder { openai, project: project.to_owned(), ..Builder::default() };
        Self { builder, done: Vec::new() }
    }

    fn finish(mut self) -> Vec<Builder> {
        self.done.push(self.builder);
        self.done
    }

    fn add(&mut self, message: &str, parts: &[String]) {
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            self.builder.unread += 1;
            return;
        };
        let (parts, unread): (Vec<_>, Vec<_>) =
            parts.iter().map(|part| serde_json::from_str::<Value>(part)).partition(Result::is_ok);
        self.builder.unread += unread.len();
        let parts: Vec<Value> = parts.into_iter().flatten().collect();
        match message["role"].as_str() {
            Some("user") => self.ask(&parts),
            Some("assistant") => self.answer(&message, &parts),
            _ => {}
        }
    }

    fn ask(&mut self, parts: &[Value]) {
        if parts.iter().any(|part| part["type"] == "compaction") {
            // What follows is the summary, with which the conversation goes on.
            let builder = &self.builder;
            let next = Builder {
                openai: builder.openai,
                project: builder.project.clone(),
                model: builder.model.clone(),
                ..Builder::default()
            };
            self.done.push(std::mem::replace(&mut self.builder, next));
        }
        let text = texts(parts);
        if !text.is_empty() {
            self.builder.messages.push(json!({"role": "user", "content": text}));
        }
    }

    fn answer(&mut self, message: &Value, parts: &[Value]) {
        let (text, calls) = (texts(parts), calls(parts));
        if text.is_empty() && calls.is_empty() {
            return;
        }
        if message["summary"] == true {
            // It was made from the conversation before; the one that goes on reads it.
            self.builder.messages.push(json!({"role": "user", "content": text}));
            return;
        }
        self.builder.model = string(&message["modelID"]);
        let (said, results) = if self.builder.openai { as_chat(&text, &calls) } else { as_messages(&text, &calls) };
        self.builder.messages.push(said);
        let tokens = &message["tokens"];
        if number(tokens, "output") > 0 {
            let cache = &tokens["cache"];
            self.builder.bill(Billed {
                at: message["time"]["created"].as_i64().map(|milliseconds| milliseconds / 1000),
                input: number(tokens, "input"),
                cached: number(cache, "read"),
                written: number(cache, "write"),
                output: number(tokens, "output") + number(tokens, "reasoning"),
            });
        }
        self.builder.messages.extend(results);
    }
}

/// What parts say, but for what is not shown to the model.
fn texts(parts: &[Value]) -> String {
    let shown = parts.iter().filter(|part| part["type"] == "text" && part["ignored"] != true);
    let texts: Vec<&str> = shown.filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n")
}

/// A call of a tool and what it gave.
struct Call<'p> {
    id: &'p Value,
    tool: &'p Value,
    input: &'p Value,
    output: &'p str,
    failed: bool,
}

fn calls(parts: &[Value]) -> Vec<Call<'_>> {
    let calls = parts.iter().filter(|part| part["type"] == "tool");
    calls
        .map(|part| {
            let state = &part["state"];
            let failed = state["status"] == "error";
            let output = state[if failed { "error" } else { "output" }].as_str().unwrap_or_default();
            Call { id: &part["callID"], tool: &part["tool"], input: &state["input"], output, failed }
        })
        .collect()
}

/// A turn in Anthropic's format: the answer, and what goes back.
fn as_messages(text: &str, calls: &[Call<'_>]) -> (Value, Vec<Value>) {
    let mut blocks: Vec<Value> = Vec::new();
    if !text.is_empty() {
        blocks.push(json!({"type": "text", "text": text}));
    }
    blocks.extend(
        calls.iter().map(|call| json!({"type": "tool_use", "id": call.id, "name": call.tool, "input": call.input})),
    );
    let results: Vec<Value> = calls
        .iter()
        .map(|call| {
            let mut result = json!({"type": "tool_result", "tool_use_id": call.id, "content": call.output});
            if call.failed {
                result["is_error"] = json!(true);
            }
            result
        })
        .collect();
    let back = if results.is_empty() { Vec::new() } else { vec![json!({"role": "user", "content": results})] };
    (json!({"role": "assistant", "content": blocks}), back)
}

/// The same in that of Chat Completions.
fn as_chat(text: &str, calls: &[Call<'_>]) -> (Value, Vec<Value>) {
    let mut said = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        let written = |call: &Call<'_>| {
            let function = json!({"name": call.tool, "arguments": call.input.to_string()});
            json!({"id": call.id, "type": "function", "function": function})
        };
        said["tool_calls"] = calls.iter().map(written).collect();
    }
    let results =
        calls.iter().map(|call| json!({"role": "tool", "tool_call_id": call.id, "content": call.output})).collect();
    (said, results)
}
