//! The one thread that writes. Batches that arrive while it is busy are committed together, so that many requests share one
//! flush to disk.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{collect, schema, sightings, words};
use crate::packed::{Packed, clamp};
use crate::prepared::{Original, Prepared};
use crate::{Batch, Collected, Lineage, Rendering, StoreError, receipts_from};

/// Batches committed together at most; bounds how long the first of them waits for the last.
const GROUP: usize = 64;

/// A conversation's time of use is written at most this often.
const TOUCH_EVERY_MS: u64 = 60 * 60 * 1000;

/// The hands of the writing thread. Dropping it ends the thread after what was sent is done.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    Write { scope: String, batch: Box<Prepared>, reply: SyncSender<Result<(), StoreError>> },
    Collect { now_ms: u64, reply: SyncSender<Result<Collected, StoreError>> },
    Check { reply: SyncSender<Result<(), StoreError>> },
    Other(Work),
}

/// Something that only the writing connection can do; it answers by itself.
type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// How long the thread has nothing to do before it takes up what can wait.
const IDLE: Duration = Duration::from_millis(50);

impl Writer {
    pub(super) fn start(mut connection: Connection, budget: u64) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let work = move || {
            // A file may come with texts that nobody has indexed yet.
            let mut behind = true;
            loop {
                let job = match behind {
                    true => inbox.recv_timeout(IDLE),
                    false => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match job {
                    Ok(job) => behind |= serve(&mut connection, budget, job, &inbox),
                    // A file that cannot be written now is not asked again and again.
                    Err(RecvTimeoutError::Timeout) => behind = words::step(&mut connection).unwrap_or(false),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        };
        let thread = std::thread::Builder::new().name("headroom-store".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn ask<T>(&self, job: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or(StoreError::Stopped)?;
        jobs.send(job(reply)).map_err(|_| StoreError::Stopped)?;
        answer.recv().map_err(|_| StoreError::Stopped)?
    }

    pub(super) fn write(&self, scope: String, batch: Batch) -> Result<(), StoreError> {
        let batch = Box::new(Prepared::of(batch));
        self.ask(|reply| Job::Write { scope, batch, reply })
    }

    pub(super) fn collect(&self, now_ms: u64) -> Result<Collected, StoreError> {
        self.ask(|reply| Job::Collect { now_ms, reply })
    }

    /// Runs something on the writing connection.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| Job::Other(Box::new(move |connection| drop(reply.send(work(connection))))))
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.ask(|reply| Job::Check { reply })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A batch waiting for its commit.
struct Waiting {
    scope: String,
    batch: Box<Prepared>,
    reply: SyncSender<Result<(), StoreError>>,
}

/// Does one job, together with the writes that wait behind it. A caller that has gone away does not matter. Says whether there may be
/// texts to index now.
fn serve(connection: &mut Connection, budget: u64, job: Job, inbox: &Receiver<Job>) -> bool {
    match job {
        Job::Collect { now_ms, reply } => drop(reply.send(collect::collect(connection, budget, now_ms))),
        Job::Check { reply } => drop(reply.send(check(connection))),
        Job::Other(work) => work(connection),
        Job::Write { scope, batch, reply } => {
            let mut group = vec![Waiting { scope, batch, reply }];
            let mut next = None;
            while group.len() < GROUP {
                match inbox.try_recv() {
                    Ok(Job::Write { scope, batch, reply }) => group.push(Waiting { scope, batch, reply }),
                    Ok(other) => {
                        next = Some(other);
                        break;
                    }
                    Err(_) => break,
                }
            }
            let sighted = group.iter().any(|waiting| !waiting.batch.batch.sightings.is_empty());
            write_group(connection, budget, group);
            return next.is_some_and(|other| serve(connection, budget, other, inbox)) || sighted;
        }
    }
    // Other work may have found the index to be of another version.
    true
}

fn check(connection: &Connection) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO meta (name, value) VALUES ('checked', 1) ON CONFLICT (name) DO UPDATE SET value = 1", [])
        .map(drop)
        .map_err(StoreError::access("be written"))
}

/// Commits a group. Each batch stands or falls alone; if the commit itself fails, all of them fall.
fn write_group(connection: &mut Connection, budget: u64, group: Vec<Waiting>) {
    let power_loss = group.iter().any(|waiting| waiting.batch.durable);
    let results = transact(connection, budget, power_loss, &group);
    match results {
        Ok(results) => {
            for (waiting, result) in group.into_iter().zip(results) {
                let _ = waiting.reply.send(result);
            }
        }
        Err(source) if group.len() > 1 && source.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            // One batch that found no room must not take the others with it.
            group.into_iter().for_each(|waiting| write_group(connection, budget, vec![waiting]));
        }
        Err(source) => {
            // rusqlite's error cannot be cloned, and every caller is owed one: the words are what matters here.
            let said = source.to_string();
            for waiting in group {
                let _ = waiting.reply.send(Err(StoreError::Unavailable(said.clone())));
            }
        }
    }
}

fn transact(
    connection: &mut Connection,
    budget: u64,
    power_loss: bool,
    group: &[Waiting],
) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
    // In WAL mode NORMAL survives the death of the process, FULL that of the machine as well.
    connection.pragma_update(None, "synchronous", if power_loss { "FULL" } else { "NORMAL" })?;
    let incoming: u64 = group.iter().map(|waiting| waiting.batch.original_bytes()).sum();
    let now_ms = group.iter().map(|waiting| waiting.batch.batch.now_ms).max().unwrap_or(0);
    if incoming > 0 && schema::stored_bytes(connection)?.saturating_add(incoming) > budget {
        // A failed collection is not this batch's fault: the budget check below decides.
        let _ = collect::collect(connection, budget.saturating_sub(incoming), now_ms);
    }
    let mut renderings = group.iter().flat_map(|waiting| &waiting.batch.batch.renderings);
    if renderings.any(|(lineage, _)| collect::looks(lineage)) {
        // Nor is this; what is not ended now is ended later.
        let _ = collect::end_idle(connection, budget.saturating_mul(2), now_ms);
    }
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(group.len());
    for waiting in group {
        let savepoint = transaction.savepoint()?;
        let result = write_batch(&savepoint, budget, &waiting.scope, &waiting.batch);
        match result {
            Ok(()) => savepoint.commit()?,
            // A full disk, for one, ends the whole transaction, and the savepoint is gone with it.
            Err(StoreError::Access { source, .. }) if savepoint.is_autocommit() => return Err(source),
            Err(_) => savepoint.finish()?,
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}

fn write_batch(connection: &Connection, budget: u64, scope: &str, prepared: &Prepared) -> Result<(), StoreError> {
    let access = StoreError::access("write");
    let batch = &prepared.batch;
    if !prepared.originals.is_empty() {
        let mut stored = schema::stored_bytes(connection).map_err(&access)?;
        for original in &prepared.originals {
            stored += keep(connection, scope, original, batch.now_ms)?;
        }
        if stored > budget {
            return Err(StoreError::OverBudget { used: stored, budget });
        }
        schema::set_stored_bytes(connection, stored).map_err(&access)?;
    }
    let recorded = recall(connection, scope, prepared).map_err(&access)?;
    if recorded > 0 {
        let stored = schema::stored_bytes(connection).map_err(&access)?;
        schema::set_stored_bytes(connection, stored + recorded).map_err(&access)?;
    }
    let root = batch.conversation.unwrap_or(Lineage::from_bytes([0; 16]));
    if batch.conversation.is_some() {
        touch(connection, scope, root, batch.now_ms).map_err(&access)?;
    }
    for (lineage, _) in &batch.superseding {
        connection
            .prepare_cached("DELETE FROM renderings WHERE scope = ?1 AND lineage = ?2")
            .and_then(|mut delete| delete.execute(params![scope, lineage.as_bytes()]))
            .map_err(&access)?;
    }
    for (lineage, rendering, replacements) in prepared.renderings() {
        render(connection, scope, (root, lineage), rendering, replacements).map_err(&access)?;
    }
    for (key, document) in &batch.exchanges {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO exchanges (scope, key, created_ms, document) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| insert.execute(params![scope, key.as_bytes(), clamp(batch.now_ms), document]))
            .map_err(&access)?;
    }
    for receipt in &batch.receipts {
        connection
            .prepare_cached("INSERT OR REPLACE INTO receipts (scope, id, at_ms, document) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute(params![scope, receipt.id, clamp(receipt.at_ms), receipt.document]))
            .map_err(&access)?;
    }
    if !batch.receipts.is_empty() {
        connection
            .prepare_cached(
                "DELETE FROM receipts WHERE scope = ?1 AND id IN
                    (SELECT id FROM receipts WHERE scope = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT 100)",
            )
            .and_then(|mut delete| delete.execute(params![scope, clamp(receipts_from(batch.now_ms))]))
            .map_err(&access)?;
    }
    Ok(())
}

/// Files what was met and what came of it; says how many bytes the latter takes.
fn recall(connection: &Connection, scope: &str, prepared: &Prepared) -> rusqlite::Result<u64> {
    let batch = &prepared.batch;
    for (handle, sighting) in &batch.sightings {
        sightings::note(connection, scope, *handle, sighting, batch.now_ms)?;
    }
    let mut bytes = 0;
    for (outcome, Packed { zstd, data: document }) in prepared.outcomes() {
        let handle = outcome.handle.map(|handle| clamp(handle.to_bits()));
        let filed = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO outcomes (scope, key, handle, created_ms, zstd, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![scope, outcome.key.as_bytes(), handle, clamp(batch.now_ms), zstd, document])?;
        bytes += if filed > 0 { document.len() as u64 } else { 0 };
    }
    Ok(bytes)
}

/// Files one original and says how many bytes it added; 0 when it is there already.
fn keep(connection: &Connection, scope: &str, original: &Original, now_ms: u64) -> Result<u64, StoreError> {
    let access = StoreError::access("keep an original");
    let Original { handle, length, hash, text: Packed { zstd, data } } = original;
    let bits = clamp(handle.to_bits());
    let known: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM originals WHERE scope = ?1 AND handle = ?2")
        .and_then(|mut select| select.query_row(params![scope, bits], |row| row.get(0)).optional())
        .map_err(&access)?;
    if let Some(known) = known {
        return if known[..] == hash.as_bytes()[..] { Ok(0) } else { Err(StoreError::Collision(*handle)) };
    }
    connection
        .prepare_cached(
            "INSERT INTO originals (scope, handle, created_ms, length, hash, zstd, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut insert| {
            insert.execute(params![scope, bits, clamp(now_ms), length, hash.as_bytes(), zstd, data])
        })
        .map_err(&access)?;
    Ok(data.len() as u64)
}

fn touch(connection: &Connection, scope: &str, root: Lineage, now_ms: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO conversations (scope, root, used_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope, root) DO UPDATE SET used_ms = ?3 WHERE used_ms + ?4 < ?3",
        )?
        .execute(params![scope, root.as_bytes(), clamp(now_ms), clamp(TOUCH_EVERY_MS)])
        .map(drop)
}

fn render(
    connection: &Connection,
    scope: &str,
    (root, lineage): (Lineage, Lineage),
    rendering: &Rendering,
    Packed { zstd, data: packed }: &Packed,
) -> rusqlite::Result<()> {
    let (before, after) = rendering.tokens;
    let (reason, compressor) = (rendering.reason.code(), &rendering.compressor);
    let inserted = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO renderings (scope, lineage, root, reason, compressor, before, after, zstd, replacements)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![scope, lineage.as_bytes(), root.as_bytes(), reason, compressor, before, after, zstd, packed])?;
    if inserted > 0 {
        let mut link =
            connection.prepare_cached("INSERT OR IGNORE INTO links (scope, handle, lineage) VALUES (?1, ?2, ?3)")?;
        for handle in &rendering.handles {
            link.execute(params![scope, clamp(handle.to_bits()), lineage.as_bytes()])?;
        }
    }
    Ok(())
}

/// Deletes one original with all that is known of it, and says how many bytes that freed.
pub(super) fn forget(transaction: &Transaction<'_>, scope: &str, handle: i64) -> rusqlite::Result<u64> {
    words::forget(transaction, scope, handle)?;
    transaction
        .prepare_cached("DELETE FROM sightings WHERE scope = ?1 AND handle = ?2")?
        .execute(params![scope, handle])?;
    let mut outcomes = transaction
        .prepare_cached("DELETE FROM outcomes WHERE scope = ?1 AND handle = ?2 RETURNING length(document)")?;
    let outcomes = outcomes.query_map(params![scope, handle], |row| row.get::<_, u64>(0))?;
    let outcomes = outcomes.sum::<rusqlite::Result<u64>>()?;
    transaction
        .prepare_cached("DELETE FROM originals WHERE scope = ?1 AND handle = ?2 RETURNING length(data)")?
        .query_row(params![scope, handle], |row| row.get(0))
        .optional()
        .map(|freed: Option<u64>| freed.unwrap_or(0) + outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T078: the disk is full. SQLite says so in the middle of a transaction; what was written before stays, and the writer lives.
    #[test]
    fn a_full_disk_refuses_one_batch_and_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut connection = Connection::open(&path).unwrap();
        let key = schema::prepare(&mut connection, &path).unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 8).unwrap();
        let noise: String = (0..9000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let batch = |text: &str| {
            let mut batch = Batch::at(1);
            batch.keep(&key, text);
            batch
        };
        // Committed together, only the one that finds no room falls.
        let (group, answers): (Vec<_>, Vec<_>) = ["a short text", &noise, "another"]
            .map(|text| {
                let (reply, answer) = sync_channel(1);
                (Waiting { scope: "s".to_owned(), batch: Box::new(Prepared::of(batch(text))), reply }, answer)
            })
            .into_iter()
            .unzip();
        write_group(&mut connection, u64::MAX, group);
        let results: Vec<_> = answers.iter().map(|answer| answer.recv().unwrap()).collect();
        let error = results[1].as_ref().unwrap_err();
        assert!(error.to_string().contains("full") && !error.is_about_originals(), "{error}");
        assert!(results[0].is_ok() && results[2].is_ok());
        let writer = Writer::start(connection, u64::MAX).unwrap();
        writer.write("s".to_owned(), batch("a third")).unwrap();
        writer.check().unwrap();
    }
}
