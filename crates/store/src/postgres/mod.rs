//! The Postgres back end: one database for many proxies that keep nothing themselves.
//!
//! Calls block, like those of the other back ends, on a small runtime of the store's own. Every call is one transaction in the role
//! `headroom_member` with the tenant and the project it works for; row-level security holds it to them even where a statement forgot to say so.
//! A database that is away fails calls at once, so that requests go on without it, and is found again by the next call when it is back.

mod collect;
mod memory;
mod pool;
mod schema;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headroom_core::{ContentHash, Handle, HandleKey, Reason};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::packed::{clamp, unpack, unpack_bytes};
use crate::{
    Batch, Collected, Forget, Forgotten, Holdings, Lineage, Match, MemoryFigures, NewNote, Note, Remembered, Rendering,
    Scope, StoreError, StoredReceipt, Workspace,
};
use pool::Pool;

/// How a Postgres store is opened.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// Connections of this process at most.
    pub connections: usize,
    /// How many bytes originals may take in the database, compressed, over all tenants. Reaching it starts a collection; if everything is
    /// still referred to, further originals are refused.
    pub budget_bytes: u64,
}

impl PostgresOptions {
    /// Eight connections and 2 GiB.
    pub const DEFAULT: Self = Self { connections: 8, budget_bytes: 2 << 30 };
}

/// Why a call failed.
#[derive(Debug)]
enum Failure {
    /// The database cannot be reached.
    Away(String),
    /// It can, and said no.
    Said(tokio_postgres::Error),
    /// It was asked in vain: what was to be done is not possible.
    Refused(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Said(error)
    }
}

impl Failure {
    fn of(self, what: &'static str) -> StoreError {
        match self {
            Self::Away(why) => StoreError::Unavailable(why),
            Self::Said(error) => StoreError::Database { what, said: said(&error) },
            Self::Refused(error) => error,
        }
    }
}

/// What the database said, in its words rather than the client's.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(database) => format!("{} ({})", database.message(), database.code().code()),
        None => error.to_string(),
    }
}

/// For whom a transaction works.
#[derive(Clone, Debug)]
enum Who {
    /// A tenant's project.
    Member(Scope),
    /// Making room, over all of them.
    Keeper,
}

/// Whether a commit is waited for until it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commit {
    Durable,
    /// It can be computed again.
    Soon,
}

/// A value that a statement gets, and its type: statements have no name, so nothing is asked about them beforehand.
type Value<'a> = (&'a (dyn ToSql + Sync), Type);

type Future1<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// What is done in a transaction.
type Work<T> = Box<dyn for<'c> FnOnce(&'c Client) -> Future1<'c, T> + Send>;

/// An open Postgres store.
#[derive(Debug)]
pub struct Postgres {
    inner: Arc<Inner>,
    /// Ended without waiting: a store may be dropped where nothing may wait.
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug)]
struct Inner {
    pool: Pool,
    options: PostgresOptions,
    /// Known once the database was reached.
    key: OnceLock<HandleKey>,
    /// What messages call the database; holds no password.
    name: String,
}

/// How long one call may take in all. Statements have less, so that a busy database says so itself.
const CALL: Duration = Duration::from_secs(8);

/// Names nothing: before the database was reached there is nothing to name.
static NO_KEY: HandleKey = HandleKey::from_bytes([0; 32]);

impl Postgres {
    pub(crate) fn open(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        let unusable = |why: String| StoreError::Unavailable(format!("{}: {why}", without_password(url)));
        let config: tokio_postgres::Config = url.parse().map_err(|error| unusable(format!("{error}")))?;
        let pool = Pool::new(config, options.connections.max(1)).map_err(unusable)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("headroom-postgres")
            .enable_all()
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let inner = Inner { pool, options: *options, key: OnceLock::new(), name: without_password(url) };
        let store = Self { inner: Arc::new(inner), runtime: Some(runtime) };
        match store.wait(|inner| async move { inner.ready().await }) {
            // It will be there again, and nobody has to start this process anew for that.
            Ok(()) | Err(Failure::Away(_)) => Ok(store),
            Err(other) => Err(other.of("be opened")),
        }
    }

    /// Runs something on the store's runtime and waits for it.
    fn wait<T: Send + 'static, F: Future<Output = Result<T, Failure>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Inner>) -> F,
    ) -> Result<T, Failure> {
        let (answer, answered) = sync_channel(1);
        let work = work(Arc::clone(&self.inner));
        let Some(runtime) = &self.runtime else { return Err(Failure::Away("the store is closed".to_owned())) };
        runtime.spawn(async move { drop(answer.send(work.await)) });
        answered.recv().unwrap_or_else(|_| Err(Failure::Away("the call came to no end".to_owned())))
    }

    /// One transaction.
    fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        who: Who,
        commit: Commit,
        work: Work<T>,
    ) -> Result<T, StoreError> {
        let run = |inner: Arc<Inner>| async move {
            inner.ready().await?;
            inner.transact(&who, commit, work).await
        };
        self.wait(run).map_err(|failure| failure.of(what))
    }

    fn read<T: Send + 'static>(&self, what: &'static str, scope: &Scope, work: Work<T>) -> Result<T, StoreError> {
        self.run(what, Who::Member(scope.clone()), Commit::Soon, work)
    }

    pub(crate) fn handle_key(&self) -> &HandleKey {
        self.inner.key.get().unwrap_or(&NO_KEY)
    }

    pub(crate) fn write(&self, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
        write::write(self, scope, batch)
    }

    pub(crate) fn original(&self, scope: &Scope, handle: Handle) -> Result<Option<String>, StoreError> {
        let of = scope.clone();
        let row = self.read("read an original", scope, Box::new(move |client| Box::pin(async move {
            let rows = client
                .query_typed(
                    "SELECT length, hash, zstd, data FROM headroom.originals WHERE tenant = $1 AND project = $2 AND handle = $3",
                    &[text(&of.tenant), text(&of.project), number(&bits(handle))],
                )
                .await?;
            Ok(rows.into_iter().next())
        })))?;
        let Some(row) = row else { return Ok(None) };
        let (length, hash, zstd, data): (i64, Vec<u8>, bool, Vec<u8>) =
            (field(&row, 0)?, field(&row, 1)?, field(&row, 2)?, field(&row, 3)?);
        let length = usize::try_from(length).unwrap_or_default();
        let text = unpack(&data, zstd, length).ok_or(StoreError::Damaged(handle))?;
        if ContentHash::of(&text).as_bytes()[..] != hash[..] {
            return Err(StoreError::Damaged(handle));
        }
        Ok(Some(text))
    }

    pub(crate) fn contains(&self, scope: &Scope, handle: Handle) -> Result<bool, StoreError> {
        let of = scope.clone();
        self.read(
            "look for an original",
            scope,
            Box::new(move |client| {
                Box::pin(async move {
                    let rows = client
                        .query_typed(
                            "SELECT 1 FROM headroom.originals WHERE tenant = $1 AND project = $2 AND handle = $3",
                            &[text(&of.tenant), text(&of.project), number(&bits(handle))],
                        )
                        .await?;
                    Ok(!rows.is_empty())
                })
            }),
        )
    }

    pub(crate) fn renderings(&self, scope: &Scope, of: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        let here = scope.clone();
        let lineages: Vec<Vec<u8>> = of.iter().map(|lineage| lineage.as_bytes().to_vec()).collect();
        let rows = self.read("read renderings", scope, Box::new(move |client| Box::pin(async move {
            Ok(client
                .query_typed(
                    "SELECT lineage, reason, compressor, before, after, zstd, replacements, handles FROM headroom.renderings
                     WHERE tenant = $1 AND project = $2 AND lineage = ANY($3)",
                    &[text(&here.tenant), text(&here.project), (&lineages, Type::BYTEA_ARRAY)],
                )
                .await?)
        })))?;
        let mut found = std::collections::HashMap::new();
        for row in &rows {
            let lineage: Vec<u8> = field(row, 0)?;
            // A rendering that cannot be read is a rendering that is not there: it is computed again.
            if let Some(rendering) = rendering_of(row)? {
                found.insert(lineage, rendering);
            }
        }
        Ok(of.iter().map(|lineage| found.get(&lineage.as_bytes()[..]).cloned()).collect())
    }

    pub(crate) fn exchanges(&self, scope: &Scope, keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        let here = scope.clone();
        let wanted: Vec<Vec<u8>> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        let rows = self.read(
            "read exchanges",
            scope,
            Box::new(move |client| {
                Box::pin(async move {
                    Ok(client
                .query_typed(
                    "SELECT key, document FROM headroom.exchanges WHERE tenant = $1 AND project = $2 AND key = ANY($3)",
                    &[text(&here.tenant), text(&here.project), (&wanted, Type::BYTEA_ARRAY)],
                )
                .await?)
                })
            }),
        )?;
        let mut found = std::collections::HashMap::<Vec<u8>, String>::new();
        for row in &rows {
            found.insert(field(row, 0)?, field(row, 1)?);
        }
        Ok(keys.iter().map(|key| found.get(&key.as_bytes()[..]).cloned()).collect())
    }

    pub(crate) fn outcome(&self, scope: &Scope, key: Lineage) -> Result<Option<String>, StoreError> {
        let here = scope.clone();
        let rows = self.read(
            "look for an outcome",
            scope,
            Box::new(move |client| {
                Box::pin(async move {
                    Ok(client
                .query_typed(
                    "SELECT zstd, document FROM headroom.outcomes WHERE tenant = $1 AND project = $2 AND key = $3",
                    &[text(&here.tenant), text(&here.project), bytes(&&key.as_bytes()[..])],
                )
                .await?)
                })
            }),
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (zstd, packed): (bool, Vec<u8>) = (field(row, 0)?, field(row, 1)?);
        Ok(unpack_bytes(&packed, zstd, usize::MAX).and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub(crate) fn receipt(&self, scope: &Scope, id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        Ok(self.receipts_where(scope, "id = $3", id.to_owned(), "", 0)?.pop())
    }

    pub(crate) fn receipt_with(&self, scope: &Scope, text: &str) -> Result<Option<StoredReceipt>, StoreError> {
        Ok(self.receipts_where(scope, "strpos(document, $3) > 0", text.to_owned(), " LIMIT 1", 0)?.pop())
    }

    pub(crate) fn receipts(&self, scope: &Scope, since_ms: u64) -> Result<Vec<StoredReceipt>, StoreError> {
        self.receipts_where(scope, "$3 = ''", String::new(), "", since_ms)
    }

    fn receipts_where(
        &self,
        scope: &Scope,
        condition: &str,
        value: String,
        end: &str,
        since_ms: u64,
    ) -> Result<Vec<StoredReceipt>, StoreError> {
        let here = scope.clone();
        let statement = format!(
            "SELECT id, at_ms, document FROM headroom.receipts
             WHERE tenant = $1 AND project = $2 AND {condition} AND at_ms >= $4 ORDER BY at_ms, id{end}"
        );
        let rows = self.read(
            "read receipts",
            scope,
            Box::new(move |client| {
                Box::pin(async move {
                    let since = clamp(since_ms);
                    Ok(client
                        .query_typed(
                            &statement,
                            &[text(&here.tenant), text(&here.project), text(&value), number(&since)],
                        )
                        .await?)
                })
            }),
        )?;
        let receipt = |row: &Row| -> Result<StoredReceipt, StoreError> {
            let at_ms: i64 = field(row, 1)?;
            Ok(StoredReceipt { id: field(row, 0)?, at_ms: at_ms.unsigned_abs(), document: field(row, 2)? })
        };
        rows.iter().map(receipt).collect()
    }

    pub(crate) fn holdings(&self) -> Result<Holdings, StoreError> {
        let row = self.run(
            "count what it holds",
            Who::Keeper,
            Commit::Soon,
            Box::new(|client| {
                Box::pin(async move {
                    Ok(client
                        .query_typed(
                            "SELECT (SELECT count(*) FROM headroom.originals),
                        (SELECT coalesce(sum(length), 0)::bigint FROM headroom.originals),
                        (SELECT coalesce(sum(bytes), 0)::bigint FROM headroom.counters),
                        (SELECT count(*) FROM headroom.renderings), (SELECT count(*) FROM headroom.receipts)",
                            &[],
                        )
                        .await?
                        .into_iter()
                        .next())
                })
            }),
        )?;
        let Some(row) = row else { return Ok(Holdings::default()) };
        let count = |at| field::<i64>(&row, at).map(i64::unsigned_abs);
        Ok(Holdings {
            originals: count(0)?,
            original_bytes: count(1)?,
            stored_bytes: count(2)?,
            renderings: count(3)?,
            receipts: count(4)?,
        })
    }

    pub(crate) fn collect(&self, now_ms: u64) -> Result<Collected, StoreError> {
        collect::collect(self, self.inner.options.budget_bytes, now_ms)
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.run(
            "be written",
            Who::Member(Scope::default()),
            Commit::Soon,
            Box::new(|client| {
                Box::pin(async move {
                    client.execute_typed("UPDATE headroom.counters SET bytes = bytes WHERE shard = 0", &[]).await?;
                    Ok(())
                })
            }),
        )
    }

    pub(crate) fn remembered(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        handle: Handle,
    ) -> Result<Option<Remembered>, StoreError> {
        memory::remembered(self, scope, workspace, handle)
    }

    pub(crate) fn recent(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        memory::recent(self, scope, workspace, limit, offset)
    }

    pub(crate) fn candidates(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        words: &[String],
        which: Match,
        limit: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        memory::candidates(self, scope, workspace, words, which, limit)
    }

    pub(crate) fn latest_from(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        source: &str,
    ) -> Result<Option<Handle>, StoreError> {
        memory::latest_from(self, scope, workspace, source)
    }

    pub(crate) fn memory_figures(&self, scope: &Scope, workspace: &Workspace) -> Result<MemoryFigures, StoreError> {
        memory::figures(self, scope, workspace)
    }

    pub(crate) fn forget(&self, scope: &Scope, workspace: &Workspace, what: Forget) -> Result<Forgotten, StoreError> {
        memory::forget(self, scope, workspace, what)
    }

    pub(crate) fn remember(&self, scope: &Scope, workspace: &Workspace, note: NewNote) -> Result<Note, StoreError> {
        memory::remember(self, scope, workspace, note)
    }

    pub(crate) fn notes(&self, scope: &Scope, workspace: &Workspace) -> Result<Vec<Note>, StoreError> {
        memory::notes(self, scope, workspace)
    }

    pub(crate) fn forget_note(&self, scope: &Scope, workspace: &Workspace, id: u64) -> Result<bool, StoreError> {
        memory::forget_note(self, scope, workspace, id)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    /// Makes sure that the database is as it has to be; asks it only until it was reached once.
    async fn ready(&self) -> Result<(), Failure> {
        if self.key.get().is_none() {
            let key = schema::prepare(&self.pool, &self.name).await?;
            let _ = self.key.set(key); // Another call was first; it read the same key.
        }
        Ok(())
    }

    /// Runs one transaction. A server that takes a call and never answers is away like any other.
    async fn transact<T>(&self, who: &Who, commit: Commit, work: Work<T>) -> Result<T, Failure> {
        let ended = tokio::time::timeout(CALL, self.attempt(who, commit, work)).await;
        ended.unwrap_or_else(|_| {
            self.pool.leave_alone();
            Err(Failure::Away("the database did not answer in time".to_owned()))
        })
    }

    /// Runs one transaction, on another connection if the one at hand turns out to be dead before anything was done.
    async fn attempt<T>(&self, who: &Who, commit: Commit, work: Work<T>) -> Result<T, Failure> {
        let begin = begin(who, commit)?;
        let mut tries = 0;
        let borrowed = loop {
            let borrowed = self.pool.borrow().await?;
            match borrowed.client.batch_execute(&begin).await {
                Ok(()) => break borrowed,
                Err(error)
                    if (borrowed.client.is_closed() || error.as_db_error().is_none())
                        && tries <= self.options.connections =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        };
        match work(&borrowed.client).await {
            Ok(result) => {
                borrowed.client.batch_execute("COMMIT").await.map_err(lost)?;
                self.pool.give_back(borrowed);
                Ok(result)
            }
            Err(failure) => {
                // One that cannot even be rolled back is not given back, which ends it.
                if borrowed.client.batch_execute("ROLLBACK").await.is_ok() {
                    self.pool.give_back(borrowed);
                }
                Err(match failure {
                    Failure::Said(error) => lost(error),
                    other => other,
                })
            }
        }
    }
}

/// A connection that broke is a database that is away.
fn lost(error: tokio_postgres::Error) -> Failure {
    if error.is_closed() || error.as_db_error().is_none() { Failure::Away(said(&error)) } else { Failure::Said(error) }
}

/// The statements that begin a transaction. One message, so that they cost one round trip.
fn begin(who: &Who, commit: Commit) -> Result<String, Failure> {
    let commit = match commit {
        Commit::Durable => "on",
        Commit::Soon => "off",
    };
    let limits = format!(
        "SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 2000; SET LOCAL synchronous_commit = {commit}"
    );
    Ok(match who {
        Who::Keeper => format!("BEGIN; SET LOCAL ROLE headroom_keeper; {limits}"),
        Who::Member(scope) => format!(
            "BEGIN; SET LOCAL ROLE headroom_member; {limits}; SELECT set_config('headroom.tenant', {}, true), set_config('headroom.project', {}, true)",
            quoted(&scope.tenant)?,
            quoted(&scope.project)?
        ),
    })
}

/// A text as SQL takes it whatever the server's settings are: between two marks that do not stand in it.
fn quoted(text: &str) -> Result<String, Failure> {
    if text.contains('\0') {
        return Err(Failure::Refused(StoreError::Unavailable("a scope's name has a zero byte in it".to_owned())));
    }
    let mut mark = "$h$".to_owned();
    while text.contains(&mark[..mark.len() - 1]) {
        mark.insert(1, 'h');
    }
    Ok(format!("{mark}{text}{mark}"))
}

/// An address without its password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres".to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = user.split(':').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    format!("{scheme}://{user}{}{host}/{path}", if user.is_empty() { "" } else { "@" })
}

fn rendering_of(row: &Row) -> Result<Option<Rendering>, StoreError> {
    let (before, after): (i64, i64) = (field(row, 3)?, field(row, 4)?);
    let (zstd, packed): (bool, Vec<u8>) = (field(row, 5)?, field(row, 6)?);
    let handles: Vec<i64> = field(row, 7)?;
    let replacements = unpack_bytes(&packed, zstd, usize::MAX).and_then(|bytes| Rendering::decode_replacements(&bytes));
    let reason: String = field(row, 1)?;
    let compressor: String = field(row, 2)?;
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Reason::from_code(&reason).zip(replacements).map(|(reason, replacements)| Rendering {
        reason,
        compressor,
        replacements,
        handles: handles.into_iter().map(handle_of).collect(),
        tokens: (small(before), small(after)),
    }))
}

/// A handle as it is stored: below 2^50, so that the sign does not matter.
fn bits(handle: Handle) -> i64 {
    clamp(handle.to_bits())
}

fn handle_of(bits: i64) -> Handle {
    Handle::from_bits(bits.unsigned_abs())
}

fn field<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| StoreError::Database { what: "be read", said: error.to_string() })
}

fn text<T: ToSql + Sync>(value: &T) -> Value<'_> {
    (value, Type::TEXT)
}

fn number(value: &i64) -> Value<'_> {
    (value, Type::INT8)
}

fn bytes<'a>(value: &'a &'a [u8]) -> Value<'a> {
    (value, Type::BYTEA)
}

/// Text as Postgres can hold it: it knows no zero bytes.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_scopes_cannot_leave_their_quotes() {
        for (text, written) in
            [("a", "$h$a$h$"), ("'; DROP", "$h$'; DROP$h$"), ("$h$ x", "$hh$$h$ x$hh$"), ("x$h", "$hh$x$h$hh$")]
        {
            assert_eq!(quoted(text).unwrap(), written);
        }
        assert!(quoted("a\0b").is_err());
    }

    #[test]
    fn messages_name_the_database_and_not_the_password() {
        assert_eq!(
            without_password("postgres://me:secret@db.corp:5432/x?sslmode=require&password=other"),
            "postgres://me@db.corp:5432/x"
        );
        assert_eq!(without_password("postgres:///x"), "postgres:///x");
        assert_eq!(without_password("host=x password=y"), "postgres");
    }
}
