//! What the suites of the contract share: every back end, and the ways to fill one.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::Path;

use headroom_core::{Handle, Reason};
use headroom_store::{Batch, Rendering, Replacement, Scope, Sighting, SqliteOptions, Store, Workspace};

pub(crate) fn sqlite(path: &Path) -> Store {
    Store::open_sqlite(path, &SqliteOptions::DEFAULT).unwrap()
}

/// Runs a case on every back end.
pub(crate) fn each(case: impl Fn(&Store)) {
    case(&Store::memory());
    let folder = tempfile::tempdir().unwrap();
    case(&sqlite(&folder.path().join("store.db")));
    #[cfg(feature = "postgres")]
    if let Some(server) = headroom_testkit::postgres::shared() {
        case(&postgres(&server.database()));
    }
}

#[cfg(feature = "postgres")]
pub(crate) fn postgres(url: &str) -> Store {
    Store::open_postgres(url, &headroom_store::PostgresOptions::DEFAULT).unwrap()
}

pub(crate) fn keep(store: &Store, scope: &Scope, text: &str) -> Handle {
    let mut batch = Batch::at(1);
    let handle = batch.keep(store.handle_key(), text);
    store.write(scope, batch).unwrap();
    handle
}

pub(crate) fn rendering(text: &str, handle: Handle) -> Rendering {
    Rendering {
        reason: Reason::Compressed,
        compressor: "log".to_owned(),
        replacements: vec![Replacement { range: 3..9, text: text.to_owned() }],
        handles: vec![handle],
        tokens: (400, 20),
    }
}

pub(crate) fn workspace(name: &str) -> Workspace {
    Workspace::of(name).unwrap()
}

pub(crate) fn sighting(workspace: Workspace, agent: &str, source: &str) -> Sighting {
    Sighting { workspace, agent: agent.to_owned(), session: "s".to_owned(), source: source.to_owned(), object: None }
}

/// Keeps a text that an agent met.
pub(crate) fn meet(store: &Store, scope: &Scope, text: &str, sighting: Sighting, at_ms: u64) -> Handle {
    let mut batch = Batch::at(at_ms);
    let handle = batch.keep(store.handle_key(), text);
    batch.sight(handle, sighting);
    store.write(scope, batch).unwrap();
    handle
}
