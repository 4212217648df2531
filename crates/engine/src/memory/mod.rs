//! Cross-agent memory: what the agents of a source tree have met, found again by any of them.
//!
//! Everything here begins with a [`Workspace`]. Doors find it out with [`Repository::at`], or are told it by `headroom wrap`; where they
//! cannot, there is no [`Memory`] to ask and no [`Witness`] to record. What is given back is data from other sessions: it is shown dated and quoted
//! ([`shown`]), and nothing is put before a model that did not ask.

mod agents;
mod directory;
mod repository;
mod search;
pub mod shown;

use std::path::{Path, PathBuf};

use headroom_core::Handle;
use headroom_store::{
    Forget, Forgotten, MemoryFigures, NewNote, Note, Remembered, Scope, Sighting, Store, StoreError, Workspace,
};
use headroom_wire::Request;
use sha1::{Digest, Sha1};

pub use agents::{agent_named, agent_of_client};
pub use repository::Repository;
pub use search::{Found, Hit};

use crate::Engine;

/// Who meets the texts of a request, and in which source tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The tree.
    pub workspace: Workspace,
    /// Where it is checked out, if that is known: paths are then written as they are inside it.
    pub top: Option<PathBuf>,
    /// The agent.
    pub agent: String,
    /// What it says about its session.
    pub session: String,
}

/// Where a text came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: Option<String>,
    /// The command line, or else the tool.
    pub command: Option<String>,
}

impl Witness {
    /// That this witness met a text.
    pub(crate) fn sighting(&self, text: &str, source: &Source) -> Sighting {
        let inside = |path: &String| {
            let relative = self.top.as_deref().and_then(|top| Path::new(path).strip_prefix(top).ok()?.to_str());
            relative.filter(|path| !path.is_empty()).map_or_else(|| path.clone(), str::to_owned)
        };
        let path = source.path.as_ref().map(inside);
        Sighting {
            workspace: self.workspace,
            agent: self.agent.clone(),
            session: self.session.clone(),
            object: path.is_some().then(|| object_id(text.as_bytes())),
            source: path.or_else(|| source.command.clone()).unwrap_or_default(),
        }
    }
}

/// The working directory that the agent behind a request says it is in, where agents say so themselves; see [`Repository::at`] for what it
/// belongs to. Means something on the agent's own machine only.
pub fn stated_directory(request: &Request) -> Option<PathBuf> {
    directory::stated(request)
}

/// The id that git gives a file with these bytes.
pub fn object_id(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether what a text came from still says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The file has exactly this text now.
    Unchanged,
    /// The file has another text now, or is gone.
    Changed,
    /// It is the last that came from there, as far as anybody saw.
    Latest,
    /// Something else came from there later.
    Superseded(Handle),
    /// It is not known where it came from.
    Unknown,
}

/// A text that memory knows, and how it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who met it.
    pub remembered: Remembered,
    /// Whether it still holds.
    pub freshness: Freshness,
}

impl Known {
    /// Where it came from, as it was said last; empty when nobody said.
    pub fn source(&self) -> &str {
        let named = self.remembered.seen.iter().filter(|seen| !seen.source.is_empty());
        named.max_by_key(|seen| seen.last_ms).map_or("", |seen| &seen.source)
    }
}

/// The memory of one workspace.
#[derive(Clone, Debug)]
pub struct Memory {
    engine: Engine,
    scope: Scope,
    workspace: Workspace,
    top: Option<PathBuf>,
}

impl Engine {
    /// The memory of a workspace in a scope. With the place where it is checked out, what is found is compared with the files there.
    pub fn memory(&self, scope: &Scope, workspace: Workspace, top: Option<PathBuf>) -> Memory {
        Memory { engine: self.clone(), scope: scope.clone(), workspace, top }
    }
}

impl Memory {
    fn store(&self) -> &Store {
        self.engine.store()
    }

    /// The workspace.
    pub fn workspace(&self) -> Workspace {
        self.workspace
    }

    /// What was met that has to do with a question, and notes about it, best first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Found, StoreError> {
        search::search(self, query, limit)
    }

    /// What was met, the latest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn list(&self, limit: usize, offset: usize) -> Result<Vec<Known>, StoreError> {
        let handles = self.store().recent(&self.scope, &self.workspace, limit, offset)?;
        handles.into_iter().filter_map(|handle| self.show(handle).transpose()).collect()
    }

    /// One text that was met here; `None` for one that was not, whoever met it elsewhere.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn show(&self, handle: Handle) -> Result<Option<Known>, StoreError> {
        let Some(remembered) = self.store().remembered(&self.scope, &self.workspace, handle)? else { return Ok(None) };
        let mut known = Known { remembered, freshness: Freshness::Unknown };
        known.freshness = self.freshness(&known)?;
        Ok(Some(known))
    }

    /// The text itself, if it was met here.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn text(&self, handle: Handle) -> Result<Option<String>, StoreError> {
        match self.store().remembered(&self.scope, &self.workspace, handle)? {
            Some(_) => self.store().original(&self.scope, handle),
            None => Ok(None),
        }
    }

    fn freshness(&self, known: &Known) -> Result<Freshness, StoreError> {
        let source = known.source();
        if source.is_empty() {
            return Ok(Freshness::Unknown);
        }
        let object =
            known.remembered.seen.iter().rev().find(|seen| seen.source == source).and_then(|seen| seen.object.as_ref());
        if let (Some(object), Some(top)) = (object, &self.top)
            && let Some(now) = file_object(top, source, known.remembered.bytes)
        {
            return Ok(if now.as_ref() == Some(object) { Freshness::Unchanged } else { Freshness::Changed });
        }
        Ok(match self.store().latest_from(&self.scope, &self.workspace, source)? {
            Some(latest) if latest != known.remembered.handle => Freshness::Superseded(latest),
            _ => Freshness::Latest,
        })
    }

    /// Keeps a short fact; see [`Store::remember`].
    ///
    /// # Errors
    ///
    /// When the store cannot keep it.
    pub fn remember(&self, topic: &str, text: &str, agent: &str, session: &str) -> Result<Note, StoreError> {
        let note = NewNote {
            topic: topic.to_owned(),
            text: text.to_owned(),
            agent: agent.to_owned(),
            session: session.to_owned(),
            at_ms: crate::engine::now_ms(),
        };
        self.store().remember(&self.scope, &self.workspace, note)
    }

    /// The notes that have to do with a question, best first; without one, all, the latest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn notes(&self, query: Option<&str>) -> Result<Vec<Note>, StoreError> {
        let notes = self.store().notes(&self.scope, &self.workspace)?;
        Ok(match query {
            Some(query) if !query.trim().is_empty() => search::rank_notes(notes, query),
            _ => notes,
        })
    }

    /// Forgets one note; says whether there was one.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn forget_note(&self, id: u64) -> Result<bool, StoreError> {
        self.store().forget_note(&self.scope, &self.workspace, id)
    }

    /// Forgets what was met; see [`Store::forget`].
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn forget(&self, what: Forget) -> Result<Forgotten, StoreError> {
        self.store().forget(&self.scope, &self.workspace, what)
    }

    /// What there is.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn figures(&self) -> Result<MemoryFigures, StoreError> {
        self.store().memory_figures(&self.scope, &self.workspace)
    }
}

/// Git's id of the file at a path inside a tree: `Some(None)` for a file that is gone or of another length than the text, `None` where that is
/// not to be known. Files outside the tree are not looked at.
fn file_object(top: &Path, source: &str, bytes: u64) -> Option<Option<String>> {
    let file = top.join(source);
    let Ok(file) = file.canonicalize() else { return Some(None) };
    if !file.starts_with(top) {
        return None;
    }
    let about = std::fs::metadata(&file).ok()?;
    if !about.is_file() || about.len() != bytes {
        return Some(None);
    }
    Some(Some(object_id(&std::fs::read(&file).ok()?)))
}

#[cfg(test)]
mod tests;
