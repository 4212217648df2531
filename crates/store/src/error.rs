//! What can go wrong with a store.

use std::path::PathBuf;

use headroom_core::Handle;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder or file could not be created.
    #[error("cannot create the store at {}: {source}; name another place for the store", path.display())]
    Create {
        /// The store's file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file could not be opened as a store.
    #[error("cannot open the store at {}: {source}", path.display())]
    Open {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file was written by a newer version.
    #[error("the store at {} has schema {found}, this version knows {known}; use the newer headroom", path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// A read or write failed: disk full, read-only, locked, corrupt.
    #[error("the store failed to {what}: {source}")]
    Access {
        /// What was attempted.
        what: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A database said no.
    #[error("the database failed to {what}: {said}")]
    Database {
        /// What was attempted.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// The byte budget is used up by what conversations still refer to.
    #[error("the store is full: {used} of {budget} bytes are in use by conversations; raise store.budget_bytes")]
    OverBudget {
        /// Bytes in use.
        used: u64,
        /// Bytes allowed.
        budget: u64,
    },
    /// A workspace has as many notes as it may have.
    #[error("this workspace has {most} notes, which is as many as are kept; forget some first")]
    TooManyNotes {
        /// How many may be kept.
        most: usize,
    },
    /// Two texts have the same handle.
    #[error("{0} already names another text")]
    Collision(Handle),
    /// The kept bytes are not the text that was filed.
    #[error("the original of {0} is damaged")]
    Damaged(Handle),
    /// The store could not be opened when the process started.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The thread that writes has ended.
    #[error("the store's writer has stopped")]
    Stopped,
}

impl StoreError {
    /// Whether the store is well and only refused an original: a batch without originals may still be written.
    pub const fn is_about_originals(&self) -> bool {
        matches!(self, Self::OverBudget { .. } | Self::Collision(_))
    }

    /// For `map_err`: names what was attempted.
    pub(crate) fn access(what: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Access { what, source }
    }
}
