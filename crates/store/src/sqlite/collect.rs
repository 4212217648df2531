//! Making room, by reachability.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::schema;
use super::writer::forget;
use crate::packed::clamp;
use crate::{Collected, IDLE_DAYS, StoreError};

/// A collection frees down to this share of the budget, in percent, so that the next write does not collect again.
const DOWN_TO_PERCENT: u64 = 90;

/// Brings the originals inside the budget: first those that no rendering names, then those of conversations that have ended;
/// each oldest first. What a living conversation names stays, even if that leaves the store over its budget.
pub(super) fn collect(connection: &mut Connection, budget: u64, now_ms: u64) -> Result<Collected, StoreError> {
    let access = StoreError::access("collect");
    let goal = budget / 100 * DOWN_TO_PERCENT;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&access)?;
    let mut stored = schema::stored_bytes(&transaction).map_err(&access)?;
    let mut collected = Collected::default();
    while stored > goal {
        // What compressing gave can be computed again, so it goes before anything that cannot.
        let freed = oldest_outcomes(&transaction).map_err(&access)?;
        if freed == 0 {
            break;
        }
        stored = stored.saturating_sub(freed);
        collected.stored_bytes += freed;
    }
    while stored > goal {
        let victims = unreferenced(&transaction).map_err(&access)?;
        if victims.is_empty() && !end_oldest_conversation(&transaction, now_ms).map_err(&access)? {
            break;
        }
        for (scope, handle) in victims {
            if stored <= goal {
                break;
            }
            let freed = forget(&transaction, &scope, handle).map_err(&access)?;
            stored = stored.saturating_sub(freed);
            collected.originals += 1;
            collected.stored_bytes += freed;
        }
    }
    schema::set_stored_bytes(&transaction, stored).map_err(&access)?;
    transaction.commit().map_err(&access)?;
    if collected.originals > 0 {
        // Both give space back and neither is needed for what was promised: a reader in the way only delays it.
        let _ = connection.execute_batch("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);");
    }
    Ok(collected)
}

/// Forgets some of what compressing gave, the oldest first; says how many bytes that freed.
fn oldest_outcomes(transaction: &Transaction<'_>) -> rusqlite::Result<u64> {
    transaction
        .prepare_cached(
            "DELETE FROM outcomes WHERE (scope, key) IN (SELECT scope, key FROM outcomes ORDER BY created_ms LIMIT 512)
             RETURNING length(document)",
        )?
        .query_map([], |row| row.get::<_, u64>(0))?
        .sum()
}

/// The oldest originals that no rendering names. A few hundred at a time, because each search walks the table.
fn unreferenced(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<(String, i64)>> {
    transaction
        .prepare_cached(
            "SELECT scope, handle FROM originals AS o
             WHERE NOT EXISTS (SELECT 1 FROM links AS l WHERE l.scope = o.scope AND l.handle = o.handle)
             ORDER BY created_ms, handle LIMIT 512",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Forgets the renderings of the conversation that was idle longest, if it has ended; says whether there was one.
fn end_oldest_conversation(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<bool> {
    let before = now_ms.saturating_sub(IDLE_DAYS * 24 * 60 * 60 * 1000);
    let oldest: Option<(String, Vec<u8>)> = transaction
        .prepare_cached("SELECT scope, root FROM conversations WHERE used_ms < ?1 ORDER BY used_ms LIMIT 1")?
        .query_row(params![clamp(before)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((scope, root)) = oldest else { return Ok(false) };
    transaction.execute(
        "DELETE FROM links WHERE scope = ?1 AND lineage IN (SELECT lineage FROM renderings WHERE scope = ?1 AND root = ?2)",
        params![scope, root],
    )?;
    transaction.execute("DELETE FROM renderings WHERE scope = ?1 AND root = ?2", params![scope, root])?;
    transaction.execute("DELETE FROM conversations WHERE scope = ?1 AND root = ?2", params![scope, root])?;
    Ok(true)
}
