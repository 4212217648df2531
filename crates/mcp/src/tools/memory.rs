//! `search_memory`, `remember`, `recall` and `forget`: what the agents of this source tree have met and noted.

use headroom::memory::{Memory, shown};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Effect, Output, ToolSpec, Workplace};
use crate::arguments;

/// Texts and notes of one answer.
const LIMIT: usize = 8;

pub(super) const SEARCH: ToolSpec = ToolSpec {
    name: "search_memory",
    title: "Search memory",
    description: "Finds what agents met in this project before, and notes: who, when, still unchanged or not.",
    schema: r#"{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}"#,
    effect: Effect::Reads,
    run: search,
};

pub(super) const REMEMBER: ToolSpec = ToolSpec {
    name: "remember",
    title: "Keep a note",
    description: "Keeps a short fact for later sessions.",
    schema: r#"{"type":"object","properties":{"text":{"type":"string"},"topic":{"type":"string"}},"required":["text"]}"#,
    effect: Effect::Writes,
    run: remember,
};

pub(super) const RECALL: ToolSpec = ToolSpec {
    name: "recall",
    title: "Read notes",
    description: "Reads the notes of this project.",
    schema: r#"{"type":"object","properties":{"query":{"type":"string"}}}"#,
    effect: Effect::Reads,
    run: recall,
};

pub(super) const FORGET: ToolSpec = ToolSpec {
    name: "forget",
    title: "Drop a note",
    description: "Drops a note.",
    schema: r#"{"type":"object","properties":{"note":{"type":"integer"}},"required":["note"]}"#,
    effect: Effect::Writes,
    run: forget,
};

/// The memory of the client's source tree.
fn memory(workplace: &Workplace) -> Result<&Memory, String> {
    workplace.memory.as_ref().ok_or_else(|| {
        "There is no memory here: the directory that this client shares lies in no git repository that can be told apart \
         from others. Nothing was read or written."
            .to_owned()
    })
}

fn failed(error: impl std::fmt::Display) -> String {
    format!("Memory cannot be used now: {error}.")
}

fn said(text: String) -> Result<Output, String> {
    Ok(Output { text, rest: None })
}

#[derive(Deserialize)]
struct Query {
    query: Option<String>,
}

fn search(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Query { query } = arguments::read(given, &["query"])?;
    let query = query.filter(|query| !query.trim().is_empty()).ok_or("query is missing: say what to look for.")?;
    said(shown::found(&memory(workplace)?.search(&query, LIMIT).map_err(failed)?))
}

fn recall(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Query { query } = arguments::read(given, &["query"])?;
    let mut notes = memory(workplace)?.notes(query.as_deref()).map_err(failed)?;
    let more = notes.len().saturating_sub(4 * LIMIT);
    notes.truncate(4 * LIMIT);
    let text = shown::notes(&notes);
    said(if more == 0 { text } else { format!("{text}\n[{more} older notes; ask with a query]") })
}

#[derive(Deserialize)]
struct Fact {
    text: String,
    topic: Option<String>,
}

fn remember(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Fact { text, topic } = arguments::read(given, &["text", "topic"])?;
    if text.trim().is_empty() {
        return Err("text is empty: say the fact in a sentence.".to_owned());
    }
    if text.chars().count() > headroom_store::NOTE_CHARS {
        return Err(format!("A note has at most {} characters; say it shorter.", headroom_store::NOTE_CHARS));
    }
    let note = memory(workplace)?
        .remember(topic.as_deref().unwrap_or_default(), &text, &workplace.agent, "")
        .map_err(failed)?;
    said(match note.times {
        1 => format!("Kept as note {}.", note.id),
        times => format!("It was known: note {}, now said {times} times.", note.id),
    })
}

#[derive(Deserialize)]
struct Number {
    note: u64,
}

fn forget(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Number { note } = arguments::read(given, &["note"])?;
    match memory(workplace)?.forget_note(note).map_err(failed)? {
        true => said(format!("Note {note} is gone.")),
        false => Err(format!("There is no note {note} in this project.")),
    }
}
