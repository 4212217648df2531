//! Creating the tables, and bringing older files up to date.

use std::path::Path;

use headroom_core::HandleKey;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, TransactionBehavior, params};

use crate::StoreError;

/// The steps from an empty file to the newest schema; `user_version` counts how many a file has taken. Append only.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema2.sql"), include_str!("schema3.sql")];

/// Sets the file's modes, takes the missing migrations and returns the handle key, making one for a new file.
///
/// Safe when several processes open a new file at once: each step runs in an immediate transaction that first looks again.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<HandleKey, StoreError> {
    let open_error = |source| StoreError::Open { path: path.to_owned(), source };
    let known = MIGRATIONS.len() as i64;
    if connection.is_readonly(MAIN_DB).map_err(open_error)? {
        // What it holds can be given back; writing to it fails later, each time with its own message.
        let found = version(connection).map_err(open_error)?;
        if found > known {
            return Err(StoreError::Newer { path: path.to_owned(), found, known });
        }
        return kept_key(connection).map_err(open_error);
    }
    // Takes effect only before the first table; an existing file keeps what it has.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(open_error)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(open_error)?;
    // What is deleted is overwritten, so that an erased text cannot be read from free pages.
    connection.pragma_update(None, "secure_delete", true).map_err(open_error)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(open_error)?;
    let found = version(&transaction).map_err(open_error)?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for migration in &MIGRATIONS[usize::try_from(found).unwrap_or(0)..] {
        transaction.execute_batch(migration).map_err(open_error)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(open_error)?;
    let key = handle_key(&transaction).map_err(open_error)?;
    super::words::renew(&transaction).map_err(open_error)?;
    transaction.commit().map_err(open_error)?;
    Ok(key)
}

/// The file's key; a new one comes from SQLite's own generator, which the operating system seeds.
fn handle_key(connection: &Connection) -> rusqlite::Result<HandleKey> {
    connection.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('handle_key', randomblob(32))", [])?;
    kept_key(connection)
}

fn kept_key(connection: &Connection) -> rusqlite::Result<HandleKey> {
    let key = connection.query_row("SELECT value FROM meta WHERE name = 'handle_key'", [], |row| row.get(0))?;
    Ok(HandleKey::from_bytes(key))
}

/// How many migrations the file has taken.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Bytes that the originals take, kept up to date by every write so that no write has to add them up.
pub(super) fn stored_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let stored = connection
        .query_row("SELECT value FROM meta WHERE name = 'stored_bytes'", [], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(u64::try_from(stored.unwrap_or(0)).unwrap_or(0))
}

pub(super) fn set_stored_bytes(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('stored_bytes', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1",
        )?
        .execute(params![crate::packed::clamp(bytes)])
        .map(drop)
}
