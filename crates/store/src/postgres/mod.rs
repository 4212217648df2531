//! The Postgres back end: one database for many proxies that keep nothing themselves.
//!
//! Calls block, like those of the other back ends, on a small runtime of the store's own. Every call is one transaction in the role
//! `headroom_member` with the tenant and the project it works for; row-level security holds it to them even where a statement forgot to say so.
//! A database that is away fails calls at once, so that requests go on without it, and is found again by the next call when it is back.

mod collect;
mod grants;
mod index;
mod lanes;
mod lookup;
mod memory;
mod pool;
mod schema;
mod scrub;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headroom_core::{ContentHash, Handle, HandleKey, Reason};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::access::{Grant, SecretHash};
use crate::packed::{clamp, unpack, unpack_bytes};
use crate::{
    Batch, Collected, Forget, Forgotten, Holdings, Lineage, Match, MemoryFigures, NewNote, Note, Remembered, Rendering,
    Scope, Scrubbed, StoreError, StoredReceipt, Workspace,
};
use lanes::Lanes;
use lookup::{Found, Lookups, Table, lookup};
use pool::{Borrowed, Pool};

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
    /// It can, and said no, in these words.
    Said { words: String, code: SqlState },
    /// It was asked in vain: what was to be done is not possible.
    Refused(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    /// A connection that broke is a database that is away.
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if !error.is_closed() => Self::Said { words: said(&error), code: code.clone() },
            _ => Self::Away(said(&error)),
        }
    }
}

impl Failure {
    fn of(self, what: &'static str) -> StoreError {
        match self {
            Self::Away(why) => StoreError::Unavailable(why),
            Self::Said { words, .. } => StoreError::Database { what, said: words },
            Self::Refused(error) => error,
        }
    }

    /// The same for another who was to be served together with the first.
    fn again(&self) -> Self {
        match self {
            Self::Away(why) => Self::Away(why.clone()),
            Self::Said { words, code } => Self::Said { words: words.clone(), code: code.clone() },
            Self::Refused(error) => Self::Refused(StoreError::Unavailable(error.to_string())),
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
    writes: Lanes<Scope, write::Waiting>,
    by_handle: Lookups<i64>,
    by_key: Lookups<Vec<u8>>,
    unindexed: index::Unindexed,
    /// Known once the database was reached.
    key: OnceLock<HandleKey>,
    /// What messages call the database; holds no password.
    name: String,
}

/// How long one call may take in all. Statements have less, so that a busy database says so itself.
const CALL: Duration = Duration::from_secs(8);

/// About how many bytes a packed original has; originals that are read at the same time become one answer.
const ORIGINAL_BYTES: usize = 256 << 10;

/// The same for everything else that is looked up.
const RENDERING_BYTES: usize = 4 << 10;

static ORIGINALS: Table = Table {
    what: "read an original",
    statement: "SELECT handle, length, hash, zstd, data FROM headroom.originals
        WHERE tenant = $1 AND project = $2 AND handle = ANY($3)",
    keys: Type::INT8_ARRAY,
};

static KEPT: Table = Table {
    what: "look for an original",
    statement: "SELECT handle FROM headroom.originals WHERE tenant = $1 AND project = $2 AND handle = ANY($3)",
    keys: Type::INT8_ARRAY,
};

static RENDERINGS: Table = Table {
    what: "read renderings",
    statement: "SELECT lineage, reason, compressor, before, after, zstd, replacements, handles FROM headroom.renderings
        WHERE tenant = $1 AND project = $2 AND lineage = ANY($3)",
    keys: Type::BYTEA_ARRAY,
};

static EXCHANGES: Table = Table {
    what: "read exchanges",
    statement: "SELECT key, document FROM headroom.exchanges WHERE tenant = $1 AND project = $2 AND key = ANY($3)",
    keys: Type::BYTEA_ARRAY,
};

static OUTCOMES: Table = Table {
    what: "look for an outcome",
    statement: "SELECT key, zstd, document FROM headroom.outcomes WHERE tenant = $1 AND project = $2 AND key = ANY($3)",
    keys: Type::BYTEA_ARRAY,
};

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
        let inner = Inner {
            pool,
            options: *options,
            writes: Lanes::default(),
            by_handle: Lanes::default(),
            by_key: Lanes::default(),
            unindexed: index::Unindexed::default(),
            key: OnceLock::new(),
            name: without_password(url),
        };
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

    /// Has a job done together with others of its lane, and waits for its reply.
    fn share<K, J, T, F>(
        &self,
        lanes: fn(&Inner) -> &Lanes<K, J>,
        lane: K,
        weight: usize,
        job: impl FnOnce(SyncSender<Result<T, Failure>>) -> J,
        work: impl Fn(Arc<Inner>, K, Vec<J>) -> F + Send + Sync + 'static,
    ) -> Result<T, Failure>
    where
        K: Eq + std::hash::Hash + Clone + Send + Sync + 'static,
        J: Send + 'static,
        T: Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else { return Err(Failure::Away("the store is closed".to_owned())) };
        let (reply, answered) = sync_channel(1);
        if lanes(&self.inner).join(&lane, weight, job(reply)) {
            let inner = Arc::clone(&self.inner);
            runtime.spawn(async move {
                lanes(&inner).serve(&lane, |group| work(Arc::clone(&inner), lane.clone(), group)).await;
            });
        }
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
        let found = lookup(self, |inner| &inner.by_handle, scope, &ORIGINALS, vec![bits(handle)], ORIGINAL_BYTES)?;
        let Some(row) = found.row(&bits(handle)) else { return Ok(None) };
        let (length, hash, zstd, data): (i64, &[u8], bool, &[u8]) =
            (field(row, 1)?, field(row, 2)?, field(row, 3)?, field(row, 4)?);
        let length = usize::try_from(length).unwrap_or_default();
        let text = unpack(data, zstd, length).ok_or(StoreError::Damaged(handle))?;
        if ContentHash::of(&text).as_bytes()[..] != *hash {
            return Err(StoreError::Damaged(handle));
        }
        Ok(Some(text))
    }

    pub(crate) fn contains(&self, scope: &Scope, handle: Handle) -> Result<bool, StoreError> {
        let found = lookup(self, |inner| &inner.by_handle, scope, &KEPT, vec![bits(handle)], 1)?;
        Ok(found.row(&bits(handle)).is_some())
    }

    /// Rows of a table whose keys are lineages.
    fn by_key(&self, scope: &Scope, table: &'static Table, of: &[Lineage]) -> Result<Arc<Found<Vec<u8>>>, StoreError> {
        let keys = of.iter().map(|lineage| lineage.as_bytes().to_vec()).collect();
        lookup(self, |inner| &inner.by_key, scope, table, keys, RENDERING_BYTES)
    }

    pub(crate) fn renderings(&self, scope: &Scope, of: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        let found = self.by_key(scope, &RENDERINGS, of)?;
        // A rendering that cannot be read is a rendering that is not there: it is computed again.
        of.iter().map(|key| found.row(&key.as_bytes().to_vec()).map_or(Ok(None), rendering_of)).collect()
    }

    pub(crate) fn exchanges(&self, scope: &Scope, keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        let found = self.by_key(scope, &EXCHANGES, keys)?;
        keys.iter().map(|key| found.row(&key.as_bytes().to_vec()).map(|row| field(row, 1)).transpose()).collect()
    }

    pub(crate) fn outcome(&self, scope: &Scope, key: Lineage) -> Result<Option<String>, StoreError> {
        let found = self.by_key(scope, &OUTCOMES, &[key])?;
        let Some(row) = found.row(&key.as_bytes().to_vec()) else { return Ok(None) };
        let (zstd, packed): (bool, &[u8]) = (field(row, 1)?, field(row, 2)?);
        Ok(unpack_bytes(packed, zstd, usize::MAX).and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub(crate) fn grant(&self, scope: &Scope, hash: SecretHash, grant: &Grant) -> Result<(), StoreError> {
        grants::grant(self, scope, hash, grant)
    }

    pub(crate) fn end_grants(&self, scope: &Scope, name: &str, at_ms: u64) -> Result<u64, StoreError> {
        grants::end(self, scope, name, at_ms)
    }

    pub(crate) fn granted(&self, scope: &Scope, hash: SecretHash) -> Result<Option<Grant>, StoreError> {
        Ok(grants::all(self, scope, Some(hash))?.pop())
    }

    pub(crate) fn grants(&self, scope: &Scope) -> Result<Vec<Grant>, StoreError> {
        grants::all(self, scope, None)
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

    pub(crate) fn scrub(&self) -> Result<Scrubbed, StoreError> {
        scrub::scrub(self)
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
    async fn transact<T: Send>(&self, who: &Who, commit: Commit, work: Work<T>) -> Result<T, Failure> {
        self.in_time(async {
            let begin = begin(who, commit)?;
            let borrowed = self.begun(&begin).await?;
            let result = work(&borrowed.client).await;
            self.end(borrowed, result).await
        })
        .await
    }

    /// The same in fewer round trips: the work is sent together with the beginning of its transaction. `make` makes it once more for another
    /// connection if the one at hand turns out to be dead.
    async fn transact_at_once<T: Send>(
        &self,
        who: &Who,
        commit: Commit,
        make: impl Fn() -> Work<T> + Send + Sync,
    ) -> Result<T, Failure> {
        self.in_time(async {
            let begin = begin(who, commit)?;
            let mut tries = 0;
            loop {
                let borrowed = self.pool.borrow().await?;
                let work = make()(&borrowed.client);
                // Both are polled in this order, so that they are sent in it. What follows a beginning that failed fails with it.
                let (begun, result) = futures_util::future::join(borrowed.client.batch_execute(&begin), work).await;
                match begun {
                    Ok(()) => return self.end(borrowed, result).await,
                    Err(error) if Self::is_dead(&borrowed, &error) && tries <= self.options.connections => tries += 1,
                    Err(error) => return self.end(borrowed, Err(error.into())).await,
                }
            }
        })
        .await
    }

    async fn in_time<T>(&self, transaction: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
        let ended = tokio::time::timeout(CALL, transaction).await;
        ended.unwrap_or_else(|_| Err(self.pool.leave_alone("the database did not answer in time".to_owned())))
    }

    /// A connection with a transaction begun, another one if that at hand turns out to be dead.
    async fn begun(&self, begin: &str) -> Result<Borrowed, Failure> {
        let mut tries = 0;
        loop {
            let borrowed = self.pool.borrow().await?;
            match borrowed.client.batch_execute(begin).await {
                Ok(()) => return Ok(borrowed),
                Err(error) if Self::is_dead(&borrowed, &error) && tries <= self.options.connections => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_dead(borrowed: &Borrowed, error: &tokio_postgres::Error) -> bool {
        borrowed.client.is_closed() || error.as_db_error().is_none()
    }

    async fn end<T: Send>(&self, borrowed: Borrowed, result: Result<T, Failure>) -> Result<T, Failure> {
        let ended = match &result {
            Ok(_) => borrowed.client.batch_execute("COMMIT").await,
            Err(_) => borrowed.client.batch_execute("ROLLBACK").await,
        };
        match (ended, result) {
            (Ok(()), result) => {
                self.pool.give_back(borrowed);
                result
            }
            // One that cannot even be rolled back is not given back, which ends it.
            (Err(_), Err(failure)) => Err(failure),
            (Err(error), Ok(_)) => Err(error.into()),
        }
    }
}

/// The statements that begin a transaction. One message, so that they cost one round trip.
fn begin(who: &Who, commit: Commit) -> Result<String, Failure> {
    let commit = match commit {
        Commit::Durable => "'on'",
        Commit::Soon => "'off'",
    };
    let set = |name: &str, value: &str| format!("set_config('{name}', {value}, true)");
    let role = match who {
        Who::Member(_) => "'headroom_member'",
        Who::Keeper => "'headroom_keeper'",
    };
    let mut settings = vec![
        set("role", role),
        set("statement_timeout", "'5000'"),
        set("lock_timeout", "'2000'"),
        set("synchronous_commit", commit),
    ];
    if let Who::Member(scope) = who {
        settings.push(set("headroom.tenant", &quoted(&scope.tenant)?));
        settings.push(set("headroom.project", &quoted(&scope.project)?));
    }
    Ok(format!("BEGIN; SELECT {}", settings.join(", ")))
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
