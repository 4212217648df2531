//! `headroom memory`

use std::path::{Path, PathBuf};

use headroom::memory::{Known, Memory, Repository, shown};
use headroom::{Engine, Handle};
use headroom_store::{Forget, Note, Scope, Store};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{MemoryAction, MemoryArgs};
use crate::error::CliError;
use crate::{env, out};

/// Texts read at a time when all of them are wanted.
const PAGE: usize = 200;

pub(crate) fn run(args: &MemoryArgs, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let memory = || memory(args, engine, scope);
    match &args.action {
        MemoryAction::List { limit, json } => list(&memory()?, *limit, *json),
        MemoryAction::Show { handle } => show(&memory()?, handle),
        MemoryAction::Search { query, limit, json } => search(&memory()?, &query.join(" "), *limit, *json),
        MemoryAction::Notes { query, json } => notes(&memory()?, &query.join(" "), *json),
        MemoryAction::Remember { text, topic } => {
            remember(&memory()?, &text.join(" "), topic.as_deref().unwrap_or_default())
        }
        MemoryAction::Export { texts } => export(&memory()?, *texts),
        MemoryAction::Forget { what, before, all } => forget(&memory()?, what.as_deref(), before.as_deref(), *all),
        MemoryAction::Stats { json } => stats(&memory()?, *json),
        MemoryAction::Scrub => scrub(engine.store()),
    }
}

/// The memory of the directory's source tree. Where there is none for certain nothing is read.
fn memory(args: &MemoryArgs, engine: &Engine, scope: &Scope) -> Result<Memory, CliError> {
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => std::env::current_dir().map_err(CliError::while_doing("cannot find the working directory"))?,
    };
    let repository = workspace(&directory).ok_or_else(|| {
        CliError::Usage(format!(
            "{} lies in no git repository that can be told apart from others, so it has no memory; go to one, or name one with --directory",
            directory.display()
        ))
    })?;
    Ok(engine.memory(scope, repository.workspace, Some(repository.top)))
}

/// The source tree that a directory lies in.
pub(crate) fn workspace(directory: &Path) -> Option<Repository> {
    let home: Option<PathBuf> = env::home();
    Repository::at(directory, home.as_deref())
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

fn list(memory: &Memory, limit: usize, as_json: bool) -> Result<(), CliError> {
    let known = memory.list(limit, 0).map_err(failed)?;
    if as_json {
        return out::json(&known.iter().map(|known| of_text(known, None)).collect::<Vec<_>>());
    }
    known.iter().try_for_each(|known| out::line(&shown::line(known)))
}

fn show(memory: &Memory, written: &str) -> Result<(), CliError> {
    let handle = handle(written)?;
    let missing = || CliError::NotFound(format!("{handle} was not met in this workspace"));
    let known = memory.show(handle).map_err(failed)?.ok_or_else(missing)?;
    let text = memory.text(handle).map_err(failed)?.ok_or_else(missing)?;
    out::say(&shown::line(&known));
    out::data(text.as_bytes())
}

fn search(memory: &Memory, query: &str, limit: usize, as_json: bool) -> Result<(), CliError> {
    let found = memory.search(query, limit).map_err(failed)?;
    if !as_json {
        return out::line(&shown::found(&found));
    }
    let texts: Vec<Value> = found
        .hits
        .iter()
        .map(|hit| {
            let mut value = of_text(&hit.known, None);
            value["score"] = hit.score.into();
            value["lines"] = hit.lines.iter().map(|(number, line)| json!({"line": number, "text": line})).collect();
            value
        })
        .collect();
    out::json(&json!({"texts": texts, "notes": found.notes.iter().map(of_note).collect::<Vec<_>>()}))
}

fn notes(memory: &Memory, query: &str, as_json: bool) -> Result<(), CliError> {
    let notes = memory.notes(Some(query)).map_err(failed)?;
    if as_json { out::json(&notes.iter().map(of_note).collect::<Vec<_>>()) } else { out::line(&shown::notes(&notes)) }
}

fn remember(memory: &Memory, text: &str, topic: &str) -> Result<(), CliError> {
    if text.trim().is_empty() || text.chars().count() > headroom_store::NOTE_CHARS {
        return Err(CliError::Usage(format!("a note has 1 to {} characters", headroom_store::NOTE_CHARS)));
    }
    let note = memory.remember(topic, text, "user", "").map_err(failed)?;
    out::line(&format!("note {} (said {} times)", note.id, note.times))
}

/// Everything, one JSON object a line.
fn export(memory: &Memory, with_texts: bool) -> Result<(), CliError> {
    for note in memory.notes(None).map_err(failed)? {
        out::json(&Line { kind: "note", value: of_note(&note) })?;
    }
    let mut offset = 0;
    loop {
        let page = memory.list(PAGE, offset).map_err(failed)?;
        if page.is_empty() {
            return Ok(());
        }
        offset += page.len();
        for known in page {
            let text = if with_texts { memory.text(known.remembered.handle).map_err(failed)? } else { None };
            out::json(&Line { kind: "text", value: of_text(&known, text) })?;
        }
    }
}

fn forget(memory: &Memory, what: Option<&str>, before: Option<&str>, all: bool) -> Result<(), CliError> {
    if let Some(note) = what.and_then(|what| what.parse::<u64>().ok()) {
        return match memory.forget_note(note).map_err(failed)? {
            true => out::line(&format!("note {note} is gone")),
            false => Err(CliError::NotFound(format!("there is no note {note} in this workspace"))),
        };
    }
    let what = match (what, before, all) {
        (Some(written), None, false) => Forget::Text(handle(written)?),
        (None, Some(date), false) => Forget::Before(
            shown::date(date)
                .ok_or_else(|| CliError::Usage(format!("--before {date:?}: expected a date, 2026-11-23")))?,
        ),
        (None, None, true) => Forget::All,
        _ => {
            return Err(CliError::Usage("say what: a handle, the number of a note, --before DATE or --all".to_owned()));
        }
    };
    let forgotten = memory.forget(what).map_err(failed)?;
    if forgotten.texts == 0 && matches!(what, Forget::Text(_)) {
        return Err(CliError::NotFound("that was not met in this workspace".to_owned()));
    }
    if forgotten.pages_remain {
        out::say("headroom: bytes of it remain in the store's files; `headroom memory scrub` writes them anew");
    }
    out::line(&format!(
        "forgotten: {} texts ({} erased from the store), {} notes",
        forgotten.texts, forgotten.erased, forgotten.notes
    ))
}

fn scrub(store: &Store) -> Result<(), CliError> {
    let scrubbed = store.scrub().map_err(failed)?;
    for remains in &scrubbed.remains {
        out::say(&format!("headroom: {remains}"));
    }
    out::line(if scrubbed.remains.is_empty() {
        "the store's files were written anew; nothing that was erased is in them"
    } else {
        "the store's tables were written anew; something of what was erased may remain where said above"
    })
}

fn stats(memory: &Memory, as_json: bool) -> Result<(), CliError> {
    let figures = memory.figures().map_err(failed)?;
    if as_json {
        let agents: Vec<Value> = figures
            .agents
            .iter()
            .map(|(agent, met, reused)| json!({"agent": agent, "texts": met, "reused": reused}))
            .collect();
        return out::json(&json!({
            "workspace": memory.workspace().to_string(),
            "texts": figures.texts,
            "bytes": figures.bytes,
            "notes": figures.notes,
            "reused": figures.reused(),
            "agents": agents,
        }));
    }
    out::line(&format!("workspace  {}", memory.workspace()))?;
    out::line(&format!("texts      {} ({} bytes)", figures.texts, figures.bytes))?;
    out::line(&format!("notes      {}", figures.notes))?;
    out::line(&format!("reused     {} (met by an agent after another had met them)", figures.reused()))?;
    for (agent, met, reused) in &figures.agents {
        let agent = if agent.is_empty() { "(unnamed)" } else { agent };
        out::line(&format!("  {agent:12} {met} met, {reused} of them after another agent"))?;
    }
    Ok(())
}

fn handle(written: &str) -> Result<Handle, CliError> {
    written.parse().map_err(|error| CliError::Usage(format!("{error}")))
}

#[derive(Serialize)]
struct Line {
    kind: &'static str,
    #[serde(flatten)]
    value: Value,
}

fn of_text(known: &Known, text: Option<String>) -> Value {
    let seen: Vec<Value> = known
        .remembered
        .seen
        .iter()
        .map(|seen| {
            json!({
                "agent": seen.agent, "session": seen.session, "source": seen.source, "object": seen.object,
                "first_ms": seen.first_ms, "last_ms": seen.last_ms, "times": seen.times,
            })
        })
        .collect();
    let mut value = json!({
        "handle": known.remembered.handle.to_string(),
        "bytes": known.remembered.bytes,
        "source": known.source(),
        "seen": seen,
    });
    if let Some(text) = text {
        value["text"] = text.into();
    }
    value
}

fn of_note(note: &Note) -> Value {
    json!({
        "id": note.id, "topic": note.topic, "text": note.text, "agent": note.agent, "session": note.session,
        "first_ms": note.first_ms, "last_agent": note.last_agent, "last_ms": note.last_ms, "times": note.times,
    })
}
