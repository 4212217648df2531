//! The store that is not there.

use headroom_core::{Handle, HandleKey};

use crate::access::{Grant, SecretHash};
use crate::{
    Batch, Collected, Forget, Forgotten, Holdings, Lineage, Match, MemoryFigures, NewNote, Note, Remembered, Rendering,
    Scope, Scrubbed, StoreError, StoredReceipt, Workspace,
};

/// Stands in for a store that could not be opened, so that the proxy still passes every request through.
#[derive(Debug)]
pub struct Unavailable {
    key: HandleKey,
    reason: String,
}

impl Unavailable {
    pub(crate) fn new(reason: &StoreError) -> Self {
        Self { key: HandleKey::from_bytes([0; 32]), reason: reason.to_string() }
    }

    fn refuse<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Unavailable(self.reason.clone()))
    }

    pub(crate) const fn handle_key(&self) -> &HandleKey {
        &self.key
    }

    #[allow(clippy::needless_pass_by_value, reason = "the same signature as the other back ends")]
    pub(crate) fn write(&self, _scope: &Scope, _batch: Batch) -> Result<(), StoreError> {
        self.refuse()
    }

    pub(crate) fn original(&self, _scope: &Scope, _handle: Handle) -> Result<Option<String>, StoreError> {
        self.refuse()
    }

    pub(crate) fn contains(&self, _scope: &Scope, _handle: Handle) -> Result<bool, StoreError> {
        self.refuse()
    }

    pub(crate) fn renderings(&self, _scope: &Scope, _of: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        self.refuse()
    }

    pub(crate) fn exchanges(&self, _scope: &Scope, _keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        self.refuse()
    }

    pub(crate) fn outcome(&self, _scope: &Scope, _key: Lineage) -> Result<Option<String>, StoreError> {
        self.refuse()
    }

    pub(crate) fn remembered(&self, _: &Scope, _: &Workspace, _: Handle) -> Result<Option<Remembered>, StoreError> {
        self.refuse()
    }

    pub(crate) fn recent(&self, _: &Scope, _: &Workspace, _: usize, _: usize) -> Result<Vec<Handle>, StoreError> {
        self.refuse()
    }

    pub(crate) fn candidates(
        &self,
        _: &Scope,
        _: &Workspace,
        _: &[String],
        _: Match,
        _: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        self.refuse()
    }

    pub(crate) fn latest_from(&self, _: &Scope, _: &Workspace, _: &str) -> Result<Option<Handle>, StoreError> {
        self.refuse()
    }

    pub(crate) fn memory_figures(&self, _: &Scope, _: &Workspace) -> Result<MemoryFigures, StoreError> {
        self.refuse()
    }

    pub(crate) fn scrub(&self) -> Result<Scrubbed, StoreError> {
        self.refuse()
    }

    pub(crate) fn forget(&self, _: &Scope, _: &Workspace, _: Forget) -> Result<Forgotten, StoreError> {
        self.refuse()
    }

    #[allow(clippy::needless_pass_by_value, reason = "the same signature as the other back ends")]
    pub(crate) fn remember(&self, _: &Scope, _: &Workspace, _note: NewNote) -> Result<Note, StoreError> {
        self.refuse()
    }

    pub(crate) fn notes(&self, _: &Scope, _: &Workspace) -> Result<Vec<Note>, StoreError> {
        self.refuse()
    }

    pub(crate) fn forget_note(&self, _: &Scope, _: &Workspace, _id: u64) -> Result<bool, StoreError> {
        self.refuse()
    }

    pub(crate) fn grant(&self, _: &Scope, _: SecretHash, _: &Grant) -> Result<(), StoreError> {
        self.refuse()
    }

    pub(crate) fn end_grants(&self, _: &Scope, _: &str, _: u64) -> Result<u64, StoreError> {
        self.refuse()
    }

    pub(crate) fn granted(&self, _: &Scope, _: SecretHash) -> Result<Option<Grant>, StoreError> {
        self.refuse()
    }

    pub(crate) fn grants(&self, _: &Scope) -> Result<Vec<Grant>, StoreError> {
        self.refuse()
    }

    pub(crate) fn receipt(&self, _scope: &Scope, _id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        self.refuse()
    }

    pub(crate) fn receipt_with(&self, _scope: &Scope, _text: &str) -> Result<Option<StoredReceipt>, StoreError> {
        self.refuse()
    }

    pub(crate) fn receipts(&self, _scope: &Scope, _since_ms: u64) -> Result<Vec<StoredReceipt>, StoreError> {
        self.refuse()
    }

    pub(crate) fn holdings(&self) -> Result<Holdings, StoreError> {
        self.refuse()
    }

    pub(crate) fn collect(&self, _now_ms: u64) -> Result<Collected, StoreError> {
        self.refuse()
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.refuse()
    }
}
