//! The index of words: filled when nobody writes, from what the tables say.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::{Commit, Failure, Inner, Postgres, Who, Work, number, text};
use crate::packed::unpack_bytes;
use crate::terms::{TERMS_VERSION, terms};
use crate::{Scope, Workspace};

/// Texts that are indexed in one transaction.
const AT_ONCE: usize = 16;

/// Texts that one search indexes at most, if they were not indexed since they were met.
const CATCH_UP: i64 = 200;

/// Texts that a scope has waiting at most. What is forgotten beyond that, or by the end of the process, is made up for by searches.
const WAITING: usize = 64 << 10;

/// How long a scope is left in peace after each write before its texts are indexed.
const QUIET: Duration = Duration::from_millis(50);

/// Which texts this process has met and nobody has indexed yet. A scope is in it as long as somebody sees to it.
#[derive(Debug, Default)]
pub(super) struct Unindexed {
    handles: Mutex<HashMap<Scope, VecDeque<i64>>>,
}

impl Unindexed {
    /// Adds texts; says whether nobody sees to the scope yet.
    fn add(&self, scope: &Scope, met: impl Iterator<Item = i64>) -> bool {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, waiting) = match handles.entry(scope.clone()) {
            Entry::Occupied(entry) => (false, entry.into_mut()),
            Entry::Vacant(entry) => (true, entry.insert(VecDeque::new())),
        };
        let room = WAITING.saturating_sub(waiting.len());
        waiting.extend(met.take(room));
        new
    }

    fn len(&self, scope: &Scope) -> usize {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).get(scope).map_or(0, VecDeque::len)
    }

    /// The next few; none when all are done, and then the scope is nobody's.
    fn take(&self, scope: &Scope) -> Vec<i64> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = handles.get_mut(scope) else { return Vec::new() };
        let next: Vec<i64> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        if next.is_empty() {
            handles.remove(scope);
        }
        next
    }

    fn give_up(&self, scope: &Scope) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }
}

/// Has the words of what was met indexed when nobody waits for it.
pub(super) fn index_behind(store: &Postgres, scope: &Scope, met: impl ExactSizeIterator<Item = i64>) {
    let Some(runtime) = &store.runtime else { return };
    if met.len() > 0 && store.inner.unindexed.add(scope, met) {
        let (inner, scope) = (Arc::clone(&store.inner), scope.clone());
        runtime.spawn(async move {
            if let Err(error) = index_all(&inner, &scope).await {
                inner.unindexed.give_up(&scope);
                tracing::debug!(?error, "words could not be indexed now; the next search will");
            }
        });
    }
}

async fn index_all(inner: &Inner, scope: &Scope) -> Result<(), Failure> {
    let who = Who::Member(scope.clone());
    loop {
        let mut before = usize::MAX;
        while inner.unindexed.len(scope) != before {
            before = inner.unindexed.len(scope);
            tokio::time::sleep(QUIET).await;
        }
        let handles = inner.unindexed.take(scope);
        if handles.is_empty() {
            return Ok(());
        }
        let of = scope.clone();
        let work: Work<()> = Box::new(move |client| {
            Box::pin(async move {
                let rows = client
                    .query_typed(
                        "SELECT o.handle, o.length, o.zstd, o.data FROM headroom.originals AS o
                         WHERE o.tenant = $1 AND o.project = $2 AND o.handle = ANY($3)
                         AND NOT EXISTS (SELECT 1 FROM headroom.words AS w
                            WHERE w.tenant = $1 AND w.project = $2 AND w.handle = o.handle AND w.version = $4)",
                        &[text(&of.tenant), text(&of.project), (&handles, Type::INT8_ARRAY), number(&TERMS_VERSION)],
                    )
                    .await?;
                index(client, &of, &rows).await
            })
        });
        inner.transact(&who, Commit::Soon, work).await?;
    }
}

/// Indexes what was met in a workspace and is not indexed, or by another version's words.
pub(super) async fn catch_up(client: &Client, scope: &Scope, workspace: &Workspace) -> Result<(), Failure> {
    let workspace = &workspace.as_bytes()[..];
    let rows = client
        .query_typed(
            "SELECT o.handle, o.length, o.zstd, o.data FROM headroom.originals AS o
             WHERE o.tenant = $1 AND o.project = $2
             AND EXISTS (SELECT 1 FROM headroom.sightings AS s
                WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND s.handle = o.handle)
             AND NOT EXISTS (SELECT 1 FROM headroom.words AS w
                WHERE w.tenant = $1 AND w.project = $2 AND w.handle = o.handle AND w.version = $4)
             LIMIT $5",
            &[
                text(&scope.tenant),
                text(&scope.project),
                super::bytes(&workspace),
                number(&TERMS_VERSION),
                number(&CATCH_UP),
            ],
        )
        .await?;
    index(client, scope, &rows).await
}

/// Files the words of texts (handle, length, zstd, data) that are kept still.
async fn index(client: &Client, scope: &Scope, rows: &[Row]) -> Result<(), Failure> {
    for row in rows {
        let (handle, length): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (zstd, data): (bool, &[u8]) = (row.try_get(2)?, row.try_get(3)?);
        let unpacked = unpack_bytes(data, zstd, usize::try_from(length).unwrap_or_default());
        let words = terms(&unpacked.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default());
        client
            .execute_typed(
                "INSERT INTO headroom.words (tenant, project, handle, version, terms)
                 SELECT $1, $2, $3, $4, array_to_tsvector($5::text[])
                 WHERE EXISTS (SELECT 1 FROM headroom.originals WHERE tenant = $1 AND project = $2 AND handle = $3)
                 ON CONFLICT (tenant, project, handle) DO UPDATE SET version = excluded.version, terms = excluded.terms",
                &[
                    text(&scope.tenant),
                    text(&scope.project),
                    number(&handle),
                    number(&TERMS_VERSION),
                    (&words, Type::TEXT_ARRAY),
                ],
            )
            .await?;
    }
    Ok(())
}
