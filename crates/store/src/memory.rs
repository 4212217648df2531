//! The store in memory.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headroom_core::{Handle, HandleKey};

use crate::{Batch, Collected, Holdings, Lineage, Rendering, Scope, StoreError, StoredReceipt};

/// Everything in maps behind one lock. Nothing is ever collected: it lives as long as its process.
#[derive(Debug)]
pub struct Memory {
    key: HandleKey,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    originals: HashMap<(Scope, Handle), String>,
    renderings: HashMap<(Scope, Lineage), Rendering>,
    exchanges: HashMap<(Scope, Lineage), String>,
    receipts: BTreeMap<(Scope, String), StoredReceipt>,
}

impl Default for Memory {
    /// The key need not be secret or random: nobody but this process ever sees its handles.
    fn default() -> Self {
        Self { key: HandleKey::from_bytes(*blake3::hash(b"headroom memory store").as_bytes()), state: Mutex::default() }
    }
}

impl Memory {
    /// A panic while the lock was held cannot have left a map half changed: every insertion is one call.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn handle_key(&self) -> &HandleKey {
        &self.key
    }

    pub(crate) fn write(&self, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.state();
        for (handle, text) in &batch.originals {
            if state.originals.get(&(scope.clone(), *handle)).is_some_and(|kept| kept != text) {
                return Err(StoreError::Collision(*handle));
            }
        }
        for (handle, text) in batch.originals {
            state.originals.insert((scope.clone(), handle), text);
        }
        for (lineage, rendering) in batch.renderings {
            if let Entry::Vacant(free) = state.renderings.entry((scope.clone(), lineage)) {
                free.insert(rendering);
            }
        }
        for (lineage, rendering) in batch.superseding {
            state.renderings.insert((scope.clone(), lineage), rendering);
        }
        for (key, document) in batch.exchanges {
            state.exchanges.entry((scope.clone(), key)).or_insert(document);
        }
        for receipt in batch.receipts {
            state.receipts.insert((scope.clone(), receipt.id.clone()), receipt);
        }
        Ok(())
    }

    pub(crate) fn original(&self, scope: &Scope, handle: Handle) -> Result<Option<String>, StoreError> {
        Ok(self.state().originals.get(&(scope.clone(), handle)).cloned())
    }

    pub(crate) fn contains(&self, scope: &Scope, handle: Handle) -> Result<bool, StoreError> {
        Ok(self.state().originals.contains_key(&(scope.clone(), handle)))
    }

    pub(crate) fn renderings(&self, scope: &Scope, lineages: &[Lineage]) -> Result<Vec<Option<Rendering>>, StoreError> {
        let state = self.state();
        Ok(lineages.iter().map(|lineage| state.renderings.get(&(scope.clone(), *lineage)).cloned()).collect())
    }

    pub(crate) fn exchanges(&self, scope: &Scope, keys: &[Lineage]) -> Result<Vec<Option<String>>, StoreError> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.exchanges.get(&(scope.clone(), *key)).cloned()).collect())
    }

    pub(crate) fn receipt(&self, scope: &Scope, id: &str) -> Result<Option<StoredReceipt>, StoreError> {
        Ok(self.state().receipts.get(&(scope.clone(), id.to_owned())).cloned())
    }

    pub(crate) fn receipt_with(&self, scope: &Scope, text: &str) -> Result<Option<StoredReceipt>, StoreError> {
        Ok(self.receipts(scope, 0)?.into_iter().find(|receipt| receipt.document.contains(text)))
    }

    pub(crate) fn receipts(&self, scope: &Scope, since_ms: u64) -> Result<Vec<StoredReceipt>, StoreError> {
        let state = self.state();
        let in_scope = state.receipts.iter().filter(|((of, _), receipt)| of == scope && receipt.at_ms >= since_ms);
        let mut receipts: Vec<_> = in_scope.map(|(_, receipt)| receipt.clone()).collect();
        receipts.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        Ok(receipts)
    }

    pub(crate) fn holdings(&self) -> Result<Holdings, StoreError> {
        let state = self.state();
        let bytes = state.originals.values().map(|text| text.len() as u64).sum();
        Ok(Holdings {
            originals: state.originals.len() as u64,
            original_bytes: bytes,
            stored_bytes: bytes,
            renderings: state.renderings.len() as u64,
            receipts: state.receipts.len() as u64,
        })
    }

    pub(crate) fn collect(&self, _now_ms: u64) -> Result<Collected, StoreError> {
        Ok(Collected::default())
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
