//! Sightings and notes in SQLite.

use headroom_core::Handle;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params, params_from_iter};

use super::writer::forget as erase_original;
use super::{schema, words};
use crate::packed::clamp;
use crate::sighting::SIGHTINGS_PER_TEXT;
use crate::{
    Forget, Forgotten, Match, MemoryFigures, NOTES_PER_WORKSPACE, NewNote, Note, Remembered, Scrubbed, Seen, Sighting,
    StoreError, Workspace,
};

/// Notes that an original was met. Nothing is noted of a text that is not kept.
pub(super) fn note(
    connection: &Connection,
    scope: &str,
    handle: Handle,
    sighting: &Sighting,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let Sighting { workspace, agent, session, source, object } = sighting.bounded();
    let (bits, now) = (clamp(handle.to_bits()), clamp(now_ms));
    let noted = connection
        .prepare_cached(
            "INSERT INTO sightings (scope, workspace, handle, agent, session, source, object, first_ms, last_ms, times)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 1
             WHERE EXISTS (SELECT 1 FROM originals WHERE scope = ?1 AND handle = ?3)
             ON CONFLICT DO UPDATE SET last_ms = max(last_ms, ?8), times = times + 1, object = coalesce(?7, object)",
        )?
        .execute(params![scope, workspace.as_bytes(), bits, agent, session, source, object, now])?;
    if noted == 0 {
        return Ok(());
    }
    words::await_index(connection, scope, bits)?;
    bound(connection, scope, &workspace, bits)
}

/// Keeps the sightings of one text few: the first of all stays, and of the others the latest.
fn bound(connection: &Connection, scope: &str, workspace: &Workspace, handle: i64) -> rusqlite::Result<()> {
    let count: usize = connection
        .prepare_cached("SELECT count(*) FROM sightings WHERE scope = ?1 AND workspace = ?2 AND handle = ?3")?
        .query_row(params![scope, workspace.as_bytes(), handle], |row| row.get(0))?;
    if count <= SIGHTINGS_PER_TEXT {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM sightings WHERE scope = ?1 AND workspace = ?2 AND handle = ?3 AND (agent, session, source) IN (
                SELECT agent, session, source FROM sightings WHERE scope = ?1 AND workspace = ?2 AND handle = ?3
                AND first_ms > (SELECT min(first_ms) FROM sightings WHERE scope = ?1 AND workspace = ?2 AND handle = ?3)
                ORDER BY last_ms LIMIT ?4)",
        )?
        .execute(params![scope, workspace.as_bytes(), handle, count - SIGHTINGS_PER_TEXT])
        .map(drop)
}

fn seen_of(row: &Row<'_>, from: usize) -> rusqlite::Result<Seen> {
    Ok(Seen {
        agent: row.get(from)?,
        session: row.get(from + 1)?,
        source: row.get(from + 2)?,
        object: row.get(from + 3)?,
        first_ms: row.get(from + 4)?,
        last_ms: row.get(from + 5)?,
        times: row.get(from + 6)?,
    })
}

/// What a workspace knows of a text.
pub(super) fn remembered(
    connection: &Connection,
    scope: &str,
    workspace: &Workspace,
    handle: Handle,
) -> rusqlite::Result<Option<Remembered>> {
    let bits = clamp(handle.to_bits());
    let seen: Vec<Seen> = connection
        .prepare_cached(
            "SELECT agent, session, source, object, first_ms, last_ms, times FROM sightings
             WHERE scope = ?1 AND workspace = ?2 AND handle = ?3 ORDER BY first_ms, agent, session, source",
        )?
        .query_map(params![scope, workspace.as_bytes(), bits], |row| seen_of(row, 0))?
        .collect::<Result<_, _>>()?;
    if seen.is_empty() {
        return Ok(None);
    }
    let bytes = connection
        .prepare_cached("SELECT length FROM originals WHERE scope = ?1 AND handle = ?2")?
        .query_row(params![scope, bits], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    Ok(Some(Remembered { handle, bytes, seen }))
}

/// The handles of a workspace, those met last first.
pub(super) fn recent(
    connection: &Connection,
    scope: &str,
    workspace: &Workspace,
    limit: usize,
    offset: usize,
) -> rusqlite::Result<Vec<Handle>> {
    connection
        .prepare_cached(
            "SELECT handle FROM sightings WHERE scope = ?1 AND workspace = ?2
             GROUP BY handle ORDER BY max(last_ms) DESC, handle LIMIT ?3 OFFSET ?4",
        )?
        .query_map(params![scope, workspace.as_bytes(), limit, offset], handle_of)?
        .collect()
}

fn handle_of(row: &Row<'_>) -> rusqlite::Result<Handle> {
    Ok(Handle::from_bits(row.get::<_, i64>(0)? as u64))
}

/// Texts of a workspace that have these words, or came from where these words stand, the newest first.
pub(super) fn candidates(
    connection: &Connection,
    scope: &str,
    workspace: &Workspace,
    words: &[String],
    which: Match,
    limit: usize,
) -> rusqlite::Result<Vec<Handle>> {
    let (operator, join) = match which {
        Match::All => (" AND ", " AND "),
        Match::Any => (" OR ", " OR "),
    };
    // Words are letters and digits: none can end its quotes.
    let expression = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(operator);
    let mut found: Vec<Handle> = connection
        .prepare_cached(
            "SELECT t.handle FROM words JOIN texts AS t ON t.id = words.rowid
             WHERE words MATCH ?1 AND t.scope = ?2 AND EXISTS (
                SELECT 1 FROM sightings AS s WHERE s.scope = ?2 AND s.workspace = ?3 AND s.handle = t.handle)
             ORDER BY t.id DESC LIMIT ?4",
        )?
        .query_map(params![expression, scope, workspace.as_bytes(), limit], handle_of)?
        .collect::<Result<_, _>>()?;
    let tests: Vec<String> = (0..words.len()).map(|at| format!("instr(lower(source), ?{}) > 0", at + 4)).collect();
    let by_source = format!(
        "SELECT handle FROM sightings WHERE scope = ?1 AND workspace = ?2 AND ({})
         GROUP BY handle ORDER BY max(last_ms) DESC LIMIT ?3",
        tests.join(join)
    );
    let mut values: Vec<Value> =
        vec![scope.to_owned().into(), workspace.as_bytes().to_vec().into(), clamp(limit as u64).into()];
    values.extend(words.iter().map(|word| Value::from(word.clone())));
    for handle in connection.prepare(&by_source)?.query_map(params_from_iter(values), handle_of)? {
        let handle = handle?;
        if !found.contains(&handle) {
            found.push(handle);
        }
    }
    Ok(found)
}

/// The text that came last from a path or command.
pub(super) fn latest_from(
    connection: &Connection,
    scope: &str,
    workspace: &Workspace,
    source: &str,
) -> rusqlite::Result<Option<Handle>> {
    connection
        .prepare_cached(
            "SELECT handle FROM sightings WHERE scope = ?1 AND workspace = ?2 AND source = ?3
             ORDER BY last_ms DESC, handle LIMIT 1",
        )?
        .query_row(params![scope, workspace.as_bytes(), source], handle_of)
        .optional()
}

pub(super) fn figures(connection: &Connection, scope: &str, workspace: &Workspace) -> rusqlite::Result<MemoryFigures> {
    let here = params![scope, workspace.as_bytes()];
    let mut figures = MemoryFigures::default();
    (figures.texts, figures.bytes) = connection.query_row(
        "SELECT count(*), coalesce(sum(length), 0) FROM originals AS o WHERE scope = ?1 AND EXISTS (
            SELECT 1 FROM sightings AS s WHERE s.scope = ?1 AND s.workspace = ?2 AND s.handle = o.handle)",
        here,
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    figures.notes =
        connection
            .query_row("SELECT count(*) FROM notes WHERE scope = ?1 AND workspace = ?2", here, |row| row.get(0))?;
    let mut first_sights = connection.prepare(
        "SELECT handle, agent FROM sightings WHERE scope = ?1 AND workspace = ?2
         GROUP BY handle, agent ORDER BY handle, min(first_ms), agent",
    )?;
    let sights = first_sights.query_map(here, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    figures.count_agents(sights.collect::<Result<Vec<_>, _>>()?);
    Ok(figures)
}

/// Forgets. A text that no other workspace knows is erased with everything that quotes it.
pub(super) fn forget(
    connection: &mut Connection,
    scope: &str,
    workspace: &Workspace,
    what: Forget,
) -> Result<Forgotten, StoreError> {
    let access = StoreError::access("forget");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&access)?;
    let mut forgotten = Forgotten::default();
    let mut work = || -> rusqlite::Result<()> {
        let here = params![scope, workspace.as_bytes()];
        let handles: Vec<i64> = match what {
            Forget::Text(handle) => vec![clamp(handle.to_bits())],
            Forget::All | Forget::Before(_) => transaction
                .prepare("SELECT handle FROM sightings WHERE scope = ?1 AND workspace = ?2 GROUP BY handle HAVING max(last_ms) < ?3")?
                .query_map(params![scope, workspace.as_bytes(), before(what)], |row| row.get(0))?
                .collect::<Result<_, _>>()?,
        };
        let mut stored = schema::stored_bytes(&transaction)?;
        for handle in handles {
            let gone = transaction
                .prepare_cached("DELETE FROM sightings WHERE scope = ?1 AND workspace = ?2 AND handle = ?3")?
                .execute(params![scope, workspace.as_bytes(), handle])?;
            if gone == 0 {
                continue;
            }
            forgotten.texts += 1;
            let elsewhere = transaction
                .prepare_cached("SELECT 1 FROM sightings WHERE scope = ?1 AND handle = ?2")?
                .exists(params![scope, handle])?;
            if !elsewhere {
                stored = stored.saturating_sub(erase(&transaction, scope, handle)?);
                forgotten.erased += 1;
            }
        }
        schema::set_stored_bytes(&transaction, stored)?;
        if forgotten.erased > 0 {
            words::tidy(&transaction)?;
        }
        forgotten.notes = match what {
            Forget::Text(_) => 0,
            Forget::All => transaction.execute("DELETE FROM notes WHERE scope = ?1 AND workspace = ?2", here)? as u64,
            Forget::Before(_) => transaction.execute(
                "DELETE FROM notes WHERE scope = ?1 AND workspace = ?2 AND last_ms < ?3",
                params![scope, workspace.as_bytes(), before(what)],
            )? as u64,
        };
        Ok(())
    };
    work().map_err(&access)?;
    transaction.commit().map_err(&access)?;
    forgotten.pages_remain = !wipe(connection);
    Ok(forgotten)
}

fn before(what: Forget) -> i64 {
    match what {
        Forget::Before(ms) => clamp(ms),
        Forget::All | Forget::Text(_) => i64::MAX,
    }
}

/// Erases an original with what was made of it: renderings and exchanges quote it. Says how many bytes that freed.
fn erase(transaction: &rusqlite::Transaction<'_>, scope: &str, handle: i64) -> rusqlite::Result<u64> {
    transaction.execute(
        "DELETE FROM renderings WHERE scope = ?1 AND lineage IN (SELECT lineage FROM links WHERE scope = ?1 AND handle = ?2)",
        params![scope, handle],
    )?;
    transaction.execute("DELETE FROM links WHERE scope = ?1 AND handle = ?2", params![scope, handle])?;
    let written = Handle::from_bits(handle as u64).to_string();
    transaction
        .execute("DELETE FROM exchanges WHERE scope = ?1 AND instr(document, ?2) > 0", params![scope, written])?;
    erase_original(transaction, scope, handle)
}

/// Empties the log into the file, whose free pages are overwritten already. `false` while another process still reads old pages.
fn wipe(connection: &Connection) -> bool {
    let _ = connection.execute_batch("PRAGMA incremental_vacuum");
    let busy: rusqlite::Result<i64> = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    matches!(busy, Ok(0))
}

/// Writes the file anew, without a trace of what was deleted: also of what went before free pages were overwritten.
pub(super) fn scrub(connection: &Connection) -> rusqlite::Result<Scrubbed> {
    connection.execute_batch("VACUUM")?;
    let remains = match wipe(connection) {
        true => Vec::new(),
        false => vec!["another process is reading the store; old pages stay in its log until that is done".to_owned()],
    };
    Ok(Scrubbed { remains })
}

/// Keeps a note, or counts it once more.
pub(super) fn remember(
    connection: &mut Connection,
    scope: &str,
    workspace: &Workspace,
    note: &NewNote,
) -> Result<Note, StoreError> {
    let access = StoreError::access("keep a note");
    connection.pragma_update(None, "synchronous", "FULL").map_err(&access)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&access)?;
    let identity = note.identity();
    let NewNote { topic, text, agent, session, at_ms } = note.bounded();
    transaction
        .execute(
            "INSERT INTO notes (scope, workspace, identity, topic, text, agent, session, first_ms, last_agent, last_ms, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6, ?8, 1)
             ON CONFLICT (scope, workspace, identity) DO UPDATE
             SET last_agent = ?6, last_ms = max(last_ms, ?8), times = times + 1",
            params![scope, workspace.as_bytes(), identity, topic, text, agent, session, clamp(at_ms)],
        )
        .map_err(&access)?;
    let here = params![scope, workspace.as_bytes()];
    let count: usize = transaction
        .query_row("SELECT count(*) FROM notes WHERE scope = ?1 AND workspace = ?2", here, |row| row.get(0))
        .map_err(&access)?;
    if count > NOTES_PER_WORKSPACE {
        return Err(StoreError::TooManyNotes { most: NOTES_PER_WORKSPACE });
    }
    let kept = transaction
        .query_row(
            &format!("SELECT {NOTE_COLUMNS} FROM notes WHERE scope = ?1 AND workspace = ?2 AND identity = ?3"),
            params![scope, workspace.as_bytes(), identity],
            note_of,
        )
        .map_err(&access)?;
    transaction.commit().map_err(&access)?;
    Ok(kept)
}

const NOTE_COLUMNS: &str = "id, topic, text, agent, session, first_ms, last_agent, last_ms, times";

fn note_of(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note {
        id: row.get(0)?,
        topic: row.get(1)?,
        text: row.get(2)?,
        agent: row.get(3)?,
        session: row.get(4)?,
        first_ms: row.get(5)?,
        last_agent: row.get(6)?,
        last_ms: row.get(7)?,
        times: row.get(8)?,
    })
}

pub(super) fn notes(connection: &Connection, scope: &str, workspace: &Workspace) -> rusqlite::Result<Vec<Note>> {
    connection
        .prepare_cached(&format!(
            "SELECT {NOTE_COLUMNS} FROM notes WHERE scope = ?1 AND workspace = ?2 ORDER BY last_ms DESC, id DESC"
        ))?
        .query_map(params![scope, workspace.as_bytes()], note_of)?
        .collect()
}

/// Forgets one note; says whether there was one.
pub(super) fn forget_note(
    connection: &Connection,
    scope: &str,
    workspace: &Workspace,
    id: u64,
) -> Result<bool, StoreError> {
    let gone = connection
        .execute(
            "DELETE FROM notes WHERE scope = ?1 AND workspace = ?2 AND id = ?3",
            params![scope, workspace.as_bytes(), clamp(id)],
        )
        .map_err(StoreError::access("forget a note"))?;
    let _ = wipe(connection);
    Ok(gone > 0)
}
