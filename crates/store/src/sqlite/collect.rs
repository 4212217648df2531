//! Making room, by reachability.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::schema;
use super::writer::forget;
use crate::packed::clamp;
use crate::{Collected, IDLE_DAYS, Lineage, StoreError};

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

/// Conversations that one look may end, so that no write waits long for it.
const ENDED_AT_ONCE: usize = 256;

/// Whether a batch with a rendering of this lineage looks at the size of the file: one in sixteen does, because the look may have to walk
/// through all conversations.
pub(super) fn looks(lineage: &Lineage) -> bool {
    lineage.as_bytes()[0].is_multiple_of(16)
}

/// Ends conversations that have not gone on for [`IDLE_DAYS`] days, oldest first, while the file holds more than `most` bytes; says how many. What
/// they were sent with has no budget of its own: without this it would stay until originals need room, which may be never.
pub(super) fn end_idle(connection: &mut Connection, most: u64, now_ms: u64) -> rusqlite::Result<usize> {
    if used_bytes(connection)? <= most {
        return Ok(0);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut ended = 0;
    while ended < ENDED_AT_ONCE && used_bytes(&transaction)? > most && end_oldest_conversation(&transaction, now_ms)? {
        ended += 1;
    }
    transaction.commit()?;
    Ok(ended)
}

/// Bytes of the file that hold something; free pages are used again.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?).saturating_mul(pragma("page_size")?))
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

#[cfg(test)]
mod tests {
    use headroom_core::Reason;

    use super::*;
    use crate::{Batch, Rendering, Replacement, Scope, SqliteOptions, Store};

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// T116: what conversations were sent with is given up when they have ended and the file is beyond twice the budget; what a living one
    /// was sent with stays, whatever that takes.
    #[test]
    fn ended_conversations_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let options = SqliteOptions { budget_bytes: 1 << 20, ..SqliteOptions::DEFAULT };
        let store = Store::open_sqlite(&path, &options).unwrap();
        let scope = Scope::default();
        let lineage =
            |n: u64, turn: u64| Lineage::root(b"conversation").then(&n.to_le_bytes()).then(&turn.to_le_bytes());
        // Text that does not pack.
        let text = |seed: u64| -> String {
            (0..2000_u64).map(|n| format!("{:x}", (n + seed * 2001).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
        };
        let write = |n: u64, now_ms: u64| {
            for turn in 1..=4 {
                let mut batch = Batch::at(now_ms);
                batch.continues(lineage(n, 0));
                let by = vec![Replacement { range: 0..9, text: text(n * 4 + turn) }];
                batch.render(lineage(n, turn), Rendering { replacements: by, ..Rendering::kept(Reason::Compressed) });
                store.write(&scope, batch).unwrap();
            }
        };
        let known = |n: u64| {
            let found = store.renderings(&scope, &[lineage(n, 1)]).unwrap();
            found[0].is_some()
        };
        let size = || std::fs::metadata(&path).unwrap().len();
        (0..60).for_each(|n| write(n, DAY_MS));
        let living = size();
        assert!(living > 3 << 20, "{living}: the test is about a file beyond its bound");
        assert!((0..60).all(known), "what goes on stays");
        // A month later others come, and are one after another older than a month themselves.
        (60..240).for_each(|n| write(n, DAY_MS * (32 + (n - 60) * 2)));
        let most = living + (2 << 20);
        assert!(size() < most, "{} of {most}", size());
        assert!(!known(0) && !known(60) && (236..240).all(known));
    }
}
