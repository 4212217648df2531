//! The store that is not there.

use headroom_core::{Handle, HandleKey};

use crate::{Batch, Collected, Holdings, Lineage, Rendering, Scope, StoreError, StoredReceipt};

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
