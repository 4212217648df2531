//! Grants in SQLite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::access::{Grant, SecretHash};
use crate::packed::clamp;

const COLUMNS: &str = "name, user, rights, created_ms, ends_ms";

fn grant_of(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let rights: String = row.get(2)?;
    let (created_ms, ends_ms): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
    Ok(Grant {
        name: row.get(0)?,
        user: row.get(1)?,
        // Rights that this version does not know are rights that it does not give.
        rights: rights.parse().unwrap_or_default(),
        created_ms: created_ms.unsigned_abs(),
        ends_ms: ends_ms.map(i64::unsigned_abs),
    })
}

pub(super) fn grant(connection: &Connection, scope: &str, hash: &SecretHash, grant: &Grant) -> rusqlite::Result<()> {
    let Grant { name, user, rights, created_ms, ends_ms } = grant.bounded();
    connection
        .execute(
            "INSERT INTO grants (scope, hash, name, user, rights, created_ms, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![scope, hash.as_bytes(), name, user, rights.to_string(), clamp(created_ms), ends_ms.map(clamp)],
        )
        .map(drop)
}

pub(super) fn end(connection: &Connection, scope: &str, name: &str, at_ms: u64) -> rusqlite::Result<u64> {
    let ended = connection.execute(
        "UPDATE grants SET ends_ms = ?3 WHERE scope = ?1 AND name = ?2 AND (ends_ms IS NULL OR ends_ms > ?3)",
        params![scope, name, clamp(at_ms)],
    )?;
    Ok(ended as u64)
}

pub(super) fn of(connection: &Connection, scope: &str, hash: &SecretHash) -> rusqlite::Result<Option<Grant>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM grants WHERE scope = ?1 AND hash = ?2"))?
        .query_row(params![scope, hash.as_bytes()], grant_of)
        .optional()
}

pub(super) fn all(connection: &Connection, scope: &str) -> rusqlite::Result<Vec<Grant>> {
    connection
        .prepare(&format!("SELECT {COLUMNS} FROM grants WHERE scope = ?1 ORDER BY name, created_ms, hash"))?
        .query_map(params![scope], grant_of)?
        .collect()
}
