//! Where Headroom keeps what it must be able to give back.
//!
//! A [`Store`] holds *originals* (texts under their handles), *renderings* (what a slot was sent as, by lineage), *exchanges*
//! (retrievals that the client never saw, to be re-inserted into its history) and *receipts* (what each request cost and saved).
//! Everything is filed under a [`Scope`]; a handle alone is no authority.
//!
//! Beside each original stands its *memory*: who met it, where and when ([`Sighting`]), the words it is found by, and the notes
//! that agents chose to keep. Memory belongs to a [`Workspace`] inside a scope, and every call that touches it takes one: where it is not
//! known which source tree is meant, there is nothing to call it with.
//!
//! Three back ends, one contract (`tests/contract.rs`, `tests/memory.rs`): memory for tests and store-less library use, SQLite for one machine, and
//! with the feature `postgres` a database for many.
//! Calls block; the proxy makes them on its worker pool.
//!
//! ```
//! use headroom_store::{Batch, Scope, Store};
//!
//! let store = Store::memory();
//! let scope = Scope::default();
//! let mut batch = Batch::default();
//! let handle = batch.keep(store.handle_key(), "a long text");
//! store.write(&scope, batch).unwrap();
//! assert_eq!(store.original(&scope, handle).unwrap().as_deref(), Some("a long text"));
//! ```

mod access;
mod batch;
mod error;
mod memory;
mod packed;
#[cfg(feature = "postgres")]
mod postgres;
mod prepared;
mod rendering;
mod sighting;
mod sqlite;
mod terms;
mod unavailable;
mod workspace;

use std::path::Path;

use headroom_core::{Handle, HandleKey};

pub use access::{Grant, Right, Rights, Secret, SecretHash};
pub use batch::{Batch, Outcome};
pub use error::StoreError;
#[cfg(feature = "postgres")]
pub use postgres::PostgresOptions;
pub use rendering::{Lineage, LongLink, Rendering, Replacement};
pub use sighting::{
    Forget, Forgotten, Match, MemoryFigures, NOTE_CHARS, NOTES_PER_WORKSPACE, NewNote, Note, Remembered, Scrubbed,
    Seen, Sighting,
};
pub use sqlite::SqliteOptions;
pub use workspace::{ParseWorkspaceError, Workspace};

/// Who may read what: every entry belongs to one tenant's project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    tenant: String,
    project: String,
}

impl Scope {
    /// A scope by its two names.
    pub fn new(tenant: impl Into<String>, project: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), project: project.into() }
    }

    /// A fixed-size name for caches: equal for equal scopes, different for different ones.
    pub fn digest(&self) -> Lineage {
        Lineage::root(self.key().as_bytes())
    }

    /// One unambiguous string for keys; neither name can forge another scope's key because the tenant's length is part of it.
    pub(crate) fn key(&self) -> String {
        format!("{}:{}/{}", self.tenant.len(), self.tenant, self.project)
    }
}

impl Default for Scope {
    /// The scope of a single user on one machine.
    fn default() -> Self {
        Self::new("local", "default")
    }
}

/// One receipt as stored: the engine owns the document, the store its order and identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReceipt {
    /// Request id.
    pub id: String,
    /// Milliseconds since the Unix epoch, as the writer's clock said.
    pub at_ms: u64,
    /// The receipt, as JSON.
    pub document: String,
}

/// What a store holds, for `stats` and health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Number of originals.
    pub originals: u64,
    /// Bytes of the originals as the client sent them.
    pub original_bytes: u64,
    /// Bytes they take in the store.
    pub stored_bytes: u64,
    /// Number of renderings.
    pub renderings: u64,
    /// Number of receipts.
    pub receipts: u64,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Originals removed.
    pub originals: u64,
    /// Stored bytes freed.
    pub stored_bytes: u64,
}

/// A place to keep originals, renderings, exchanges and receipts. A closed set: the back ends differ in where, never in what.
#[derive(Debug)]
pub enum Store {
    /// In this process only.
    Memory(Box<memory::Memory>),
    /// One SQLite file.
    Sqlite(Box<sqlite::Sqlite>),
    /// A Postgres database that others use too.
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Postgres>),
    /// A store that could not be opened: every call fails with the reason, so every edit becomes "keep the original".
    Unavailable(unavailable::Unavailable),
}

/// Calls the same method on whichever back end is open.
macro_rules! each {
    ($store:expr, $backend:ident => $call:expr) => {
        match $store {
            Store::Memory($backend) => $call,
            Store::Sqlite($backend) => $call,
            #[cfg(feature = "postgres")]
            Store::Postgres($backend) => $call,
            Store::Unavailable($backend) => $call,
        }
    };
}

impl Store {
    /// An empty store in memory, without a byte budget.
    pub fn memory() -> Self {
        Self::Memory(Box::default())
    }

    /// Opens or creates a SQLite store, creating its folder (mode 0700) and file (mode 0600).
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or written, is not a Headroom store, or was written by a newer version.
    pub fn open_sqlite(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        sqlite::Sqlite::open(path, options).map(|sqlite| Self::Sqlite(Box::new(sqlite)))
    }

    /// Opens a Postgres store, `postgres://user:password@host/database`, making its tables if they are not there. A database that cannot be reached now
    /// is no error: calls fail until it can.
    ///
    /// # Errors
    ///
    /// When the address cannot be understood, the database refuses, or a newer version has made its tables.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        postgres::Postgres::open(url, options).map(|postgres| Self::Postgres(Box::new(postgres)))
    }

    /// A store that takes nothing and says why.
    pub fn unavailable(reason: &StoreError) -> Self {
        Self::Unavailable(unavailable::Unavailable::new(reason))
    }

    /// The secret that this store's handles are keyed with.
    pub fn handle_key(&self) -> &HandleKey {
        each!(self, store => store.handle_key())
    }

    /// Writes a batch: all of it or nothing. When this returns, the batch's originals survive a crash of the process and
    /// of the machine.
    ///
    /// # Errors
    ///
    /// When the store cannot take it (full, read-only, locked past the busy timeout, over its byte budget, corrupt), or when an
    /// original's handle already names a different text. Nothing of the batch is visible then.
    pub fn write(&self, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        each!(self, store => store.write(scope, batch))
    }

    /// The original under a handle; `None` when this scope has none (which is also the answer for another scope's handle).
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or the kept bytes are not what was filed.
    pub fn original(&self, scope: &Scope, handle: Handle) -> Result<Option<String>, StoreError> {
        each!(self, store => store.original(scope, handle))
    }

    /// Whether an original is kept under a handle.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn contains(&self, scope: &Scope, handle: Handle) -> Result<bool, StoreError> {
        each!(self, store => store.contains(scope, handle))
    }

    /// The renderings filed under these lineages, in their order; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn renderings(&self, scope: &Scope, lineages: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        each!(self, store => store.renderings(scope, lineages))
    }

    /// The exchanges filed under these keys, in their order; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn exchanges(&self, scope: &Scope, keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        each!(self, store => store.exchanges(scope, keys))
    }

    /// What compressing a text gave, by everything that it depends on.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn outcome(&self, scope: &Scope, key: Lineage) -> Result<Option<String>, StoreError> {
        each!(self, store => store.outcome(scope, key))
    }

    /// What a workspace knows of a text; `None` when nobody met it there, whoever met it elsewhere.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn remembered(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        handle: Handle,
    ) -> Result<Option<Remembered>, StoreError> {
        each!(self, store => store.remembered(scope, workspace, handle))
    }

    /// The texts that a workspace knows, those met last first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn recent(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        each!(self, store => store.recent(scope, workspace, limit, offset))
    }

    /// Texts of a workspace that have all or any of the words of `query`, in themselves or in where they came from: at most `limit` by
    /// each, the newest first. Ranking them is up to who reads them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn candidates(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        query: &str,
        which: Match,
        limit: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        let mut words = terms::terms(query);
        words.truncate(QUERY_WORDS);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        each!(self, store => store.candidates(scope, workspace, &words, which, limit))
    }

    /// The text that came last from a path or a command in a workspace.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn latest_from(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        source: &str,
    ) -> Result<Option<Handle>, StoreError> {
        each!(self, store => store.latest_from(scope, workspace, source))
    }

    /// Keeps a grant under the hash of its secret.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn grant(&self, scope: &Scope, hash: SecretHash, grant: &Grant) -> Result<(), StoreError> {
        each!(self, store => store.grant(scope, hash, grant))
    }

    /// Has all grants of a name that hold longer end at a time (milliseconds since the Unix epoch); says how many there were.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn end_grants(&self, scope: &Scope, name: &str, at_ms: u64) -> Result<u64, StoreError> {
        each!(self, store => store.end_grants(scope, name, at_ms))
    }

    /// The grant of a secret, whether it still holds or not.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn granted(&self, scope: &Scope, hash: SecretHash) -> Result<Option<Grant>, StoreError> {
        each!(self, store => store.granted(scope, hash))
    }

    /// All grants by name and time, those that have ended too.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn grants(&self, scope: &Scope) -> Result<Vec<Grant>, StoreError> {
        each!(self, store => store.grants(scope))
    }

    /// What memory holds of a workspace.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn memory_figures(&self, scope: &Scope, workspace: &Workspace) -> Result<MemoryFigures, StoreError> {
        each!(self, store => store.memory_figures(scope, workspace))
    }

    /// Forgets texts of a workspace. A text that no other workspace knows is erased: its bytes, its words, and the renderings and exchanges
    /// that quote it are gone from the disk, and its handle redeems to nothing.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing is forgotten.
    pub fn forget(&self, scope: &Scope, workspace: &Workspace, what: Forget) -> Result<Forgotten, StoreError> {
        each!(self, store => store.forget(scope, workspace, what))
    }

    /// Writes the store's files anew, so that they hold nothing of what was erased. A file of SQLite holds nothing anyway, as long as no other
    /// process was reading when it was erased; Postgres keeps deleted rows in its pages and its log until this is called (or its administrator
    /// does the same). Takes time in proportion to the store, and nothing else can be written meanwhile.
    ///
    /// # Errors
    ///
    /// When the store cannot be written, or its tables belong to another role.
    pub fn scrub(&self) -> Result<Scrubbed, StoreError> {
        each!(self, store => store.scrub())
    }

    /// Keeps a note. One that says the same as another is counted with it; nothing is overwritten.
    ///
    /// # Errors
    ///
    /// When the store cannot be written, or the workspace has [`NOTES_PER_WORKSPACE`] notes.
    pub fn remember(&self, scope: &Scope, workspace: &Workspace, note: NewNote) -> Result<Note, StoreError> {
        each!(self, store => store.remember(scope, workspace, note))
    }

    /// The notes of a workspace, those said last first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn notes(&self, scope: &Scope, workspace: &Workspace) -> Result<Vec<Note>, StoreError> {
        each!(self, store => store.notes(scope, workspace))
    }

    /// Forgets one note of a workspace; says whether there was one.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn forget_note(&self, scope: &Scope, workspace: &Workspace, id: u64) -> Result<bool, StoreError> {
        each!(self, store => store.forget_note(scope, workspace, id))
    }

    /// The receipt with this request id.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipt(&self, scope: &Scope, id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        each!(self, store => store.receipt(scope, id))
    }

    /// The oldest receipt whose document contains `text`. Reads the receipts one by one, so it takes time in proportion to how many
    /// there are, but no memory.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipt_with(&self, scope: &Scope, text: &str) -> Result<Option<StoredReceipt>, StoreError> {
        each!(self, store => store.receipt_with(scope, text))
    }

    /// Every receipt at or after `since_ms`, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipts(&self, scope: &Scope, since_ms: u64) -> Result<Vec<StoredReceipt>, StoreError> {
        each!(self, store => store.receipts(scope, since_ms))
    }

    /// What is in the store, over all scopes.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn holdings(&self) -> Result<Holdings, StoreError> {
        each!(self, store => store.holdings())
    }

    /// Removes what no conversation refers to until the store is inside its byte budget, oldest first, and gives the space back.
    ///
    /// A conversation refers to an original through its renderings. One that has not been continued for [`IDLE_DAYS`] days counts
    /// as ended, but only budget pressure removes what it held.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn collect(&self, now_ms: u64) -> Result<Collected, StoreError> {
        each!(self, store => store.collect(now_ms))
    }

    /// Proves that the store can be written and read now.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub fn check(&self) -> Result<(), StoreError> {
        each!(self, store => store.check())
    }
}

/// Words of a query that are looked for.
const QUERY_WORDS: usize = 16;

/// The words by which a text is found again: see [`Store::candidates`].
pub fn words(text: &str) -> Vec<String> {
    terms::terms(text)
}

/// Days without a request after which a conversation counts as ended.
pub const IDLE_DAYS: u64 = 30;

/// Days for which a receipt is kept. Older ones go with the next that are written, a hundred at a time.
pub const RECEIPT_DAYS: u64 = 30;

/// Receipts from before this time (milliseconds since the Unix epoch) are not kept any longer.
pub(crate) const fn receipts_from(now_ms: u64) -> u64 {
    now_ms.saturating_sub(RECEIPT_DAYS * 24 * 60 * 60 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_that_names_another_text_fails_its_whole_batch() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Store::open_sqlite(&folder.path().join("s.db"), &SqliteOptions::DEFAULT).unwrap();
        for store in [Store::memory(), sqlite] {
            let scope = Scope::default();
            let mut batch = Batch::at(1);
            let handle = batch.keep(store.handle_key(), "one text");
            store.write(&scope, batch).unwrap();
            let mut colliding = Batch::at(1);
            let innocent = colliding.keep(store.handle_key(), "an innocent text");
            colliding.originals.push((handle, "another text".to_owned()));
            assert!(matches!(store.write(&scope, colliding), Err(StoreError::Collision(of)) if of == handle));
            assert!(!store.contains(&scope, innocent).unwrap());
            assert_eq!(store.original(&scope, handle).unwrap().as_deref(), Some("one text"));
        }
    }
}
