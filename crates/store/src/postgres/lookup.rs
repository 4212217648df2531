//! Reading rows by their keys. Lookups of one table and scope that are made at the same time become one statement.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSqlOwned, ToSql, Type};

use super::lanes::Lanes;
use super::{Commit, Failure, Inner, Postgres, Who, field, text};
use crate::{Scope, StoreError};

/// A table as it is read.
#[derive(Debug)]
pub(super) struct Table {
    /// What an error says was to be done.
    pub(super) what: &'static str,
    /// Gives the rows of a tenant's project (`$1`, `$2`) whose key, their first column, is one of `$3`.
    pub(super) statement: &'static str,
    pub(super) keys: Type,
}

/// Lookups under way and waiting, by scope and statement.
pub(super) type Lookups<K> = Lanes<(Scope, &'static str), Asked<K>>;

/// Keys that somebody wants the rows of.
#[derive(Debug)]
pub(super) struct Asked<K> {
    keys: Vec<K>,
    reply: SyncSender<Result<Arc<Found<K>>, Failure>>,
}

/// What a statement found for all who asked.
#[derive(Debug)]
pub(super) struct Found<K> {
    rows: Vec<Row>,
    at: HashMap<K, usize>,
}

impl<K: Eq + Hash> Found<K> {
    /// The row of a key.
    pub(super) fn row(&self, key: &K) -> Option<&Row> {
        self.at.get(key).and_then(|at| self.rows.get(*at))
    }
}

/// The rows of some keys, and perhaps those of others. `weight` is about how many bytes a row has.
pub(super) fn lookup<K>(
    store: &Postgres,
    lookups: fn(&Inner) -> &Lookups<K>,
    scope: &Scope,
    table: &'static Table,
    keys: Vec<K>,
    weight: usize,
) -> Result<Arc<Found<K>>, StoreError>
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug + ToSql + FromSqlOwned + 'static,
{
    let lane = (scope.clone(), table.statement);
    let weight = weight.saturating_mul(keys.len());
    let found = store.share(
        lookups,
        lane,
        weight,
        |reply| Asked { keys, reply },
        move |inner, (scope, _), group| async move { answer(&inner, scope, table, group).await },
    );
    found.map_err(|failure| failure.of(table.what))
}

async fn answer<K>(inner: &Inner, scope: Scope, table: &'static Table, group: Vec<Asked<K>>)
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug + ToSql + FromSqlOwned + 'static,
{
    let mut wanted: Vec<K> = group.iter().flat_map(|asked| asked.keys.iter().cloned()).collect();
    if group.len() > 1 {
        let mut seen = std::collections::HashSet::new();
        wanted.retain(|key| seen.insert(key.clone()));
    }
    let found = find(inner, scope, table, wanted).await.map(Arc::new);
    for asked in group {
        // Who asked may have gone away.
        let _ = asked.reply.send(found.as_ref().map(Arc::clone).map_err(Failure::again));
    }
}

async fn find<K>(inner: &Inner, scope: Scope, table: &'static Table, keys: Vec<K>) -> Result<Found<K>, Failure>
where
    K: Eq + Hash + Clone + Send + Sync + std::fmt::Debug + ToSql + FromSqlOwned + 'static,
{
    inner.ready().await?;
    let who = Who::Member(scope.clone());
    let keys = Arc::new((scope, keys));
    let rows = inner
        .transact_at_once(&who, Commit::Soon, || {
            let keys = Arc::clone(&keys);
            Box::new(move |client| {
                Box::pin(async move {
                    let (scope, keys) = &*keys;
                    let values = [text(&scope.tenant), text(&scope.project), (keys as _, table.keys.clone())];
                    Ok(client.query_typed(table.statement, &values).await?)
                })
            })
        })
        .await?;
    let mut at = HashMap::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        at.insert(field::<K>(row, 0).map_err(Failure::Refused)?, index);
    }
    Ok(Found { rows, at })
}
