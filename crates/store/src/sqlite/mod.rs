//! The SQLite back end: one file in WAL mode, one writing thread, a few reading connections.

mod collect;
mod grants;
mod schema;
mod sightings;
mod words;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use headroom_core::{ContentHash, Handle, HandleKey, Reason};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::access::{Grant, SecretHash};
use crate::packed::{clamp, unpack, unpack_bytes};
use crate::{
    Batch, Collected, Forget, Forgotten, Holdings, Lineage, Match, MemoryFigures, NewNote, Note, Remembered, Rendering,
    Scope, Scrubbed, StoreError, StoredReceipt, Workspace,
};
use writer::Writer;

/// How a SQLite store is opened.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// How long a call waits for another process's write before it fails.
    pub busy_timeout: Duration,
    /// How many bytes the originals may take in the file, compressed. Reaching it starts a collection; if everything is still
    /// referred to, further originals are refused.
    pub budget_bytes: u64,
}

impl SqliteOptions {
    /// Two seconds and 2 GiB.
    pub const DEFAULT: Self = Self { busy_timeout: Duration::from_secs(2), budget_bytes: 2 << 30 };
}

/// Idle reading connections kept open.
const IDLE_READERS: usize = 4;

/// An open SQLite store.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    options: SqliteOptions,
    key: HandleKey,
    // Dropped before the writer, whose connection must be the last to close: only then does SQLite fold the log into the file.
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        create_private(path).map_err(|source| StoreError::Create { path: path.to_owned(), source })?;
        let open_error = |source| StoreError::Open { path: path.to_owned(), source };
        let mut connection = connect(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open_error)?;
        let key = schema::prepare(&mut connection, path)?;
        let writer = Writer::start(connection, options.budget_bytes)
            .map_err(|source| StoreError::Create { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), options: *options, key, writer, readers: Mutex::default() })
    }

    /// Runs `read` on an idle connection, opening one when there is none.
    fn read<T>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, &self.options, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .map_err(StoreError::access(what))?,
        };
        let result = read(&connection).map_err(StoreError::access(what));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() && readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        result
    }

    pub(crate) const fn handle_key(&self) -> &HandleKey {
        &self.key
    }

    pub(crate) fn write(&self, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
        self.writer.write(scope.key(), batch)
    }

    pub(crate) fn original(&self, scope: &Scope, handle: Handle) -> Result<Option<String>, StoreError> {
        let row = self.read("read an original", |connection| {
            connection
                .prepare_cached("SELECT length, hash, zstd, data FROM originals WHERE scope = ?1 AND handle = ?2")?
                .query_row(params![scope.key(), handle.to_bits() as i64], |row| {
                    Ok((
                        row.get::<_, usize>(0)?,
                        row.get::<_, Vec<u8>>(1)?,
                        row.get::<_, bool>(2)?,
                        row.get::<_, Vec<u8>>(3)?,
                    ))
                })
                .optional()
        })?;
        let Some((length, hash, zstd, data)) = row else { return Ok(None) };
        let text = unpack(&data, zstd, length).ok_or(StoreError::Damaged(handle))?;
        if ContentHash::of(&text).as_bytes()[..] != hash[..] {
            return Err(StoreError::Damaged(handle));
        }
        Ok(Some(text))
    }

    pub(crate) fn contains(&self, scope: &Scope, handle: Handle) -> Result<bool, StoreError> {
        self.read("look for an original", |connection| {
            connection
                .prepare_cached("SELECT 1 FROM originals WHERE scope = ?1 AND handle = ?2")?
                .exists(params![scope.key(), handle.to_bits() as i64])
        })
    }

    pub(crate) fn renderings(&self, scope: &Scope, of: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        let key = scope.key();
        self.read("read renderings", |connection| {
            let mut rendering = connection.prepare_cached(
                "SELECT reason, compressor, before, after, zstd, replacements FROM renderings WHERE scope = ?1 AND lineage = ?2",
            )?;
            let mut links = connection.prepare_cached("SELECT handle FROM links WHERE scope = ?1 AND lineage = ?2")?;
            let mut one = |lineage: &Lineage| -> rusqlite::Result<Option<Rendering>> {
                let row = rendering
                    .query_row(params![key, lineage.as_bytes()], |row| {
                        let (zstd, packed): (bool, Vec<u8>) = (row.get(4)?, row.get(5)?);
                        // A rendering that cannot be read is a rendering that is not there: it is computed again.
                        let replacements = unpack_bytes(&packed, zstd, usize::MAX)
                            .and_then(|bytes| Rendering::decode_replacements(&bytes));
                        let reason = Reason::from_code(&row.get::<_, String>(0)?);
                        Ok(reason.zip(replacements).zip(Some((row.get(1)?, (row.get(2)?, row.get(3)?)))))
                    })
                    .optional()?
                    .flatten();
                let Some(((reason, replacements), (compressor, tokens))) = row else { return Ok(None) };
                let handles = links
                    .query_map(params![key, lineage.as_bytes()], |row| row.get::<_, i64>(0))?
                    .map(|bits| bits.map(|bits| Handle::from_bits(bits as u64)))
                    .collect::<Result<_, _>>()?;
                Ok(Some(Rendering { reason, compressor, replacements, handles, tokens }))
            };
            of.iter().map(&mut one).collect()
        })
    }

    pub(crate) fn exchanges(&self, scope: &Scope, keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        self.read("read exchanges", |connection| {
            let mut exchange =
                connection.prepare_cached("SELECT document FROM exchanges WHERE scope = ?1 AND key = ?2")?;
            let scope = scope.key();
            keys.iter()
                .map(|key| exchange.query_row(params![scope, key.as_bytes()], |row| row.get(0)).optional())
                .collect()
        })
    }

    pub(crate) fn outcome(&self, scope: &Scope, key: Lineage) -> Result<Option<String>, StoreError> {
        let packed = self.read("look for an outcome", |connection| {
            connection
                .prepare_cached("SELECT zstd, document FROM outcomes WHERE scope = ?1 AND key = ?2")?
                .query_row(params![scope.key(), key.as_bytes()], |row| Ok((row.get::<_, bool>(0)?, row.get(1)?)))
                .optional()
        })?;
        let unpacked = packed.and_then(|(zstd, bytes): (bool, Vec<u8>)| unpack_bytes(&bytes, zstd, usize::MAX));
        Ok(unpacked.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub(crate) fn remembered(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        handle: Handle,
    ) -> Result<Option<Remembered>, StoreError> {
        self.read("read sightings", |connection| sightings::remembered(connection, &scope.key(), workspace, handle))
    }

    pub(crate) fn recent(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        self.read("list sightings", |connection| sightings::recent(connection, &scope.key(), workspace, limit, offset))
    }

    pub(crate) fn candidates(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        words: &[String],
        which: Match,
        limit: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        // What was met a moment ago is to be found. A file that cannot be written is searched as far as it is indexed.
        let _ = self.writer.run(|connection| {
            while words::step(connection).map_err(StoreError::access("index"))? {}
            Ok(())
        });
        self.read("search", |connection| {
            sightings::candidates(connection, &scope.key(), workspace, words, which, limit)
        })
    }

    pub(crate) fn latest_from(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        source: &str,
    ) -> Result<Option<Handle>, StoreError> {
        self.read("read sightings", |connection| sightings::latest_from(connection, &scope.key(), workspace, source))
    }

    pub(crate) fn memory_figures(&self, scope: &Scope, workspace: &Workspace) -> Result<MemoryFigures, StoreError> {
        self.read("count sightings", |connection| sightings::figures(connection, &scope.key(), workspace))
    }

    pub(crate) fn forget(&self, scope: &Scope, workspace: &Workspace, what: Forget) -> Result<Forgotten, StoreError> {
        // An idle reader keeps no page, but a connection that is closed cannot keep one by mistake.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (scope, workspace) = (scope.key(), *workspace);
        self.writer.run(move |connection| sightings::forget(connection, &scope, &workspace, what))
    }

    pub(crate) fn scrub(&self) -> Result<Scrubbed, StoreError> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.writer.run(|connection| sightings::scrub(connection).map_err(StoreError::access("be rewritten")))
    }

    pub(crate) fn remember(&self, scope: &Scope, workspace: &Workspace, note: NewNote) -> Result<Note, StoreError> {
        let (scope, workspace) = (scope.key(), *workspace);
        self.writer.run(move |connection| sightings::remember(connection, &scope, &workspace, &note))
    }

    pub(crate) fn notes(&self, scope: &Scope, workspace: &Workspace) -> Result<Vec<Note>, StoreError> {
        self.read("read notes", |connection| sightings::notes(connection, &scope.key(), workspace))
    }

    pub(crate) fn forget_note(&self, scope: &Scope, workspace: &Workspace, id: u64) -> Result<bool, StoreError> {
        let (scope, workspace) = (scope.key(), *workspace);
        self.writer.run(move |connection| sightings::forget_note(connection, &scope, &workspace, id))
    }

    pub(crate) fn grant(&self, scope: &Scope, hash: SecretHash, grant: &Grant) -> Result<(), StoreError> {
        let (scope, grant) = (scope.key(), grant.clone());
        let keep = move |connection: &mut Connection| grants::grant(connection, &scope, &hash, &grant);
        self.writer.run(move |connection| keep(connection).map_err(StoreError::access("keep a grant")))
    }

    pub(crate) fn end_grants(&self, scope: &Scope, name: &str, at_ms: u64) -> Result<u64, StoreError> {
        let (scope, name) = (scope.key(), name.to_owned());
        let end = move |connection: &mut Connection| grants::end(connection, &scope, &name, at_ms);
        self.writer.run(move |connection| end(connection).map_err(StoreError::access("end a grant")))
    }

    pub(crate) fn granted(&self, scope: &Scope, hash: SecretHash) -> Result<Option<Grant>, StoreError> {
        self.read("read a grant", |connection| grants::of(connection, &scope.key(), &hash))
    }

    pub(crate) fn grants(&self, scope: &Scope) -> Result<Vec<Grant>, StoreError> {
        self.read("read grants", |connection| grants::all(connection, &scope.key()))
    }

    pub(crate) fn receipt(&self, scope: &Scope, id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        self.read("read a receipt", |connection| {
            connection
                .prepare_cached("SELECT id, at_ms, document FROM receipts WHERE scope = ?1 AND id = ?2")?
                .query_row(params![scope.key(), id], receipt_of)
                .optional()
        })
    }

    pub(crate) fn receipt_with(&self, scope: &Scope, text: &str) -> Result<Option<StoredReceipt>, StoreError> {
        self.read("read receipts", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, at_ms, document FROM receipts WHERE scope = ?1 AND instr(document, ?2) > 0
                     ORDER BY at_ms, id LIMIT 1",
                )?
                .query_row(params![scope.key(), text], receipt_of)
                .optional()
        })
    }

    pub(crate) fn receipts(&self, scope: &Scope, since_ms: u64) -> Result<Vec<StoredReceipt>, StoreError> {
        self.read("read receipts", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, at_ms, document FROM receipts WHERE scope = ?1 AND at_ms >= ?2 ORDER BY at_ms, id",
                )?
                .query_map(params![scope.key(), clamp(since_ms)], receipt_of)?
                .collect()
        })
    }

    pub(crate) fn holdings(&self) -> Result<Holdings, StoreError> {
        self.read("count what it holds", |connection| {
            let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
            Ok(Holdings {
                originals: count("SELECT count(*) FROM originals")?,
                original_bytes: count("SELECT coalesce(sum(length), 0) FROM originals")?,
                stored_bytes: schema::stored_bytes(connection)?,
                renderings: count("SELECT count(*) FROM renderings")?,
                receipts: count("SELECT count(*) FROM receipts")?,
            })
        })
    }

    pub(crate) fn collect(&self, now_ms: u64) -> Result<Collected, StoreError> {
        self.writer.collect(now_ms)
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.writer.check()?;
        self.read("be read", |connection| connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(())))
    }
}

/// Creates the folder (0700, if it is not there) and the file (0600, if it is not there).
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // A store that may only be read still gives back what it holds; writing to it fails later, with its own message.
        Err(error) if path.exists() && error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map(drop),
    }
}

fn connect(path: &Path, options: &SqliteOptions, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn receipt_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredReceipt> {
    Ok(StoredReceipt { id: row.get(0)?, at_ms: row.get(1)?, document: row.get(2)? })
}
