//! The index of words: filled by the writing thread when nobody waits for it.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::packed::unpack_bytes;
use crate::terms::{TERMS_VERSION, terms};

/// Bytes of text that are indexed in one transaction: what a write that arrives meanwhile may have to wait for. A few milliseconds.
const STEP_BYTES: usize = 256 << 10;

/// Indexes some of the texts that wait for it; says whether more do.
pub(super) fn step(connection: &mut Connection) -> rusqlite::Result<bool> {
    if next(connection)?.is_none() {
        return Ok(false);
    }
    // An index can be made again: it need not survive the death of the machine, so nobody waits for the disk.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut done = 0;
    let mut more = true;
    while done < STEP_BYTES {
        let Some((id, scope, handle)) = next(&transaction)? else {
            more = false;
            break;
        };
        let text = text_of(&transaction, &scope, handle)?.unwrap_or_default();
        done += text.len();
        transaction
            .prepare_cached("INSERT INTO words (rowid, terms) VALUES (?1, ?2)")?
            .execute(params![id, terms(&text).join(" ")])?;
        transaction
            .prepare_cached("UPDATE texts SET indexed = ?2 WHERE id = ?1")?
            .execute(params![id, TERMS_VERSION])?;
    }
    transaction.commit()?;
    Ok(more)
}

/// The text that waits longest.
fn next(connection: &Connection) -> rusqlite::Result<Option<(i64, String, i64)>> {
    connection
        .prepare_cached("SELECT id, scope, handle FROM texts WHERE indexed = 0 ORDER BY id LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

/// Adds a text to those that are to be indexed.
pub(super) fn await_index(connection: &Connection, scope: &str, handle: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO texts (scope, handle) VALUES (?1, ?2)")?
        .execute(params![scope, handle])
        .map(drop)
}

/// Takes a text out of the index. The original has to be there still: the index knows words, not who has them.
pub(super) fn forget(transaction: &Transaction<'_>, scope: &str, handle: i64) -> rusqlite::Result<()> {
    let found: Option<(i64, i64)> = transaction
        .prepare_cached("SELECT id, indexed FROM texts WHERE scope = ?1 AND handle = ?2")?
        .query_row(params![scope, handle], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, indexed)) = found else { return Ok(()) };
    match (indexed, text_of(transaction, scope, handle)?) {
        (0, _) => {}
        (TERMS_VERSION, Some(text)) => {
            transaction
                .prepare_cached("INSERT INTO words (words, rowid, terms) VALUES ('delete', ?1, ?2)")?
                .execute(params![id, terms(&text).join(" ")])?;
        }
        // Which words are there is not known: of another version, or of a text that cannot be read.
        _ => begin_again(transaction)?,
    }
    transaction.prepare_cached("DELETE FROM texts WHERE id = ?1")?.execute([id]).map(drop)
}

/// Writes the index anew in one piece: taking words out leaves the first words of its pages in the pages' own index. Takes time in
/// proportion to the whole of it, so it is done only where somebody wants something gone from the disk.
pub(super) fn tidy(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    // An index that is in one piece is left as it is; an entry more makes a second piece. No text has this number.
    transaction.execute_batch(
        "INSERT INTO words (rowid, terms) VALUES (0, 'x');
         INSERT INTO words (words) VALUES ('optimize');
         INSERT INTO words (words, rowid, terms) VALUES ('delete', 0, 'x');",
    )
}

/// Empties the index; every text waits for it again.
fn begin_again(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO words (words) VALUES ('delete-all')", [])?;
    transaction.execute("UPDATE texts SET indexed = 0", []).map(drop)
}

/// The words of another version are found by no search of this one: has them indexed again, once.
pub(super) fn renew(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let stale =
        transaction.prepare("SELECT 1 FROM texts WHERE indexed NOT IN (0, ?1) LIMIT 1")?.exists([TERMS_VERSION])?;
    if stale { begin_again(transaction) } else { Ok(()) }
}

/// The original as text; `None` where it is gone or damaged.
fn text_of(connection: &Connection, scope: &str, handle: i64) -> rusqlite::Result<Option<String>> {
    let kept: Option<(usize, bool, Vec<u8>)> = connection
        .prepare_cached("SELECT length, zstd, data FROM originals WHERE scope = ?1 AND handle = ?2")?
        .query_row(params![scope, handle], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(kept
        .and_then(|(length, zstd, data)| unpack_bytes(&data, zstd, length))
        .and_then(|bytes| String::from_utf8(bytes).ok()))
}
