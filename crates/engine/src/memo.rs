//! Renderings of the conversations that are going on, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use headroom_store::{Lineage, Rendering, Scope};

/// A bounded map from lineage to rendering that forgets what was not asked for lately.
///
/// Two generations: what is asked for moves to the young one; when that is full the old one is dropped and the young one
/// becomes old. Everything costs one lookup and nothing is ever sorted.
#[derive(Debug)]
pub(crate) struct Memo {
    generations: Mutex<Generations>,
    bytes: usize,
}

type Key = (Arc<Scope>, Lineage);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<Rendering>>,
    old: HashMap<Key, Arc<Rendering>>,
    young_bytes: usize,
}

/// Bytes an entry takes besides its text: two hashes, the scope's pointer, the map's slack.
const ENTRY_BYTES: usize = 256;

impl Memo {
    /// Holds about `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { generations: Mutex::default(), bytes }
    }

    pub(crate) fn get(&self, scope: &Arc<Scope>, lineage: Lineage) -> Option<Arc<Rendering>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(scope), lineage);
        if let Some(found) = generations.young.get(&key) {
            return Some(Arc::clone(found));
        }
        let found = generations.old.remove(&key)?;
        self.put(&mut generations, key, Arc::clone(&found));
        Some(found)
    }

    /// Adds a rendering; the first one under a lineage stays.
    pub(crate) fn insert(&self, scope: &Arc<Scope>, lineage: Lineage, rendering: Arc<Rendering>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(scope), lineage);
        if !generations.young.contains_key(&key) && !generations.old.contains_key(&key) {
            self.put(&mut generations, key, rendering);
        }
    }

    fn put(&self, generations: &mut Generations, key: Key, rendering: Arc<Rendering>) {
        let text: usize = rendering.replacements.iter().map(|replacement| replacement.text.len()).sum();
        generations.young_bytes += text + ENTRY_BYTES;
        generations.young.insert(key, rendering);
        if generations.young_bytes > self.bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::Reason;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let memo = Memo::new(40 * ENTRY_BYTES);
        let scope = Arc::new(Scope::default());
        let lineage = |n: u32| Lineage::root(&n.to_le_bytes());
        let kept = || Arc::new(Rendering::kept(Reason::NoGain));
        memo.insert(&scope, lineage(0), kept());
        for n in 1..1000 {
            memo.insert(&scope, lineage(n), kept());
            assert!(memo.get(&scope, lineage(0)).is_some());
        }
        assert!(memo.get(&scope, lineage(1)).is_none());
        assert!(memo.get(&scope, lineage(999)).is_some());
        assert!(memo.get(&Arc::new(Scope::new("a", "b")), lineage(0)).is_none());
    }
}
