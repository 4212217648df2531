//! Grants in Postgres.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{Commit, Postgres, Who, bytes, field, number, plain, text};
use crate::access::{Grant, SecretHash};
use crate::packed::clamp;
use crate::{Scope, StoreError};

fn grant_of(row: &Row) -> Result<Grant, StoreError> {
    let rights: String = field(row, 2)?;
    let (created_ms, ends_ms): (i64, Option<i64>) = (field(row, 3)?, field(row, 4)?);
    Ok(Grant {
        name: field(row, 0)?,
        user: field(row, 1)?,
        // Rights that this version does not know are rights that it does not give.
        rights: rights.parse().unwrap_or_default(),
        created_ms: created_ms.unsigned_abs(),
        ends_ms: ends_ms.map(i64::unsigned_abs),
    })
}

pub(super) fn grant(store: &Postgres, scope: &Scope, hash: SecretHash, grant: &Grant) -> Result<(), StoreError> {
    let (of, grant) = (scope.clone(), grant.bounded());
    store.run(
        "keep a grant",
        Who::Member(scope.clone()),
        Commit::Durable,
        Box::new(move |client| {
            Box::pin(async move {
                let (name, user, rights) = (plain(&grant.name), plain(&grant.user), grant.rights.to_string());
                let (created, ends) = (clamp(grant.created_ms), grant.ends_ms.map(clamp));
                client
            .execute_typed(
                "INSERT INTO headroom.grants (tenant, project, hash, name, \"user\", rights, created_ms, ends_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    text(&of.tenant),
                    text(&of.project),
                    bytes(&&hash.as_bytes()[..]),
                    text(&name),
                    text(&user),
                    text(&rights),
                    number(&created),
                    (&ends, Type::INT8),
                ],
            )
            .await?;
                Ok(())
            })
        }),
    )
}

pub(super) fn end(store: &Postgres, scope: &Scope, name: &str, at_ms: u64) -> Result<u64, StoreError> {
    let (of, name) = (scope.clone(), plain(name));
    store.run(
        "end a grant",
        Who::Member(scope.clone()),
        Commit::Durable,
        Box::new(move |client| {
            Box::pin(async move {
                Ok(client
                    .execute_typed(
                        "UPDATE headroom.grants SET ends_ms = $4
                 WHERE tenant = $1 AND project = $2 AND name = $3 AND (ends_ms IS NULL OR ends_ms > $4)",
                        &[text(&of.tenant), text(&of.project), text(&name), number(&clamp(at_ms))],
                    )
                    .await?)
            })
        }),
    )
}

pub(super) fn all(store: &Postgres, scope: &Scope, only: Option<SecretHash>) -> Result<Vec<Grant>, StoreError> {
    let of = scope.clone();
    let rows = store.read(
        "read grants",
        scope,
        Box::new(move |client| {
            Box::pin(async move {
                let only = only.as_ref().map(|hash| &hash.as_bytes()[..]);
                Ok(client
                    .query_typed(
                        "SELECT name, \"user\", rights, created_ms, ends_ms FROM headroom.grants
                         WHERE tenant = $1 AND project = $2 AND ($3::bytea IS NULL OR hash = $3) ORDER BY name, created_ms, hash",
                        &[text(&of.tenant), text(&of.project), (&only, Type::BYTEA)],
                    )
                    .await?)
            })
        }),
    )?;
    rows.iter().map(grant_of).collect()
}
