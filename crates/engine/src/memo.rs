//! What the conversations that are going on need again on every turn, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use headroom_store::Lineage;

/// A bounded map from scope and lineage to a value that forgets what was not asked for lately.
///
/// Two generations: what is asked for moves to the young one; when that is full the old one is dropped and the young one
/// becomes old. Everything costs one lookup and nothing is ever sorted.
#[derive(Debug)]
pub(crate) struct Memo<V> {
    generations: Mutex<Generations<V>>,
    bytes: usize,
}

/// The scope's [digest](headroom_store::Scope::digest), and the lineage in it.
type Key = (Lineage, Lineage);

#[derive(Debug)]
struct Generations<V> {
    young: HashMap<Key, Entry<V>>,
    old: HashMap<Key, Entry<V>>,
    young_bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    bytes: usize,
}

/// Bytes an entry takes besides its text: two hashes, the value's fixed part, the map's slack.
const ENTRY_BYTES: usize = 256;

impl<V> Memo<V> {
    /// Holds about `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new(), young_bytes: 0 };
        Self { generations: Mutex::new(generations), bytes }
    }

    pub(crate) fn get(&self, scope: Lineage, lineage: Lineage) -> Option<Arc<V>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (scope, lineage);
        if let Some(found) = generations.young.get(&key) {
            return Some(Arc::clone(&found.value));
        }
        let entry = generations.old.remove(&key)?;
        let value = Arc::clone(&entry.value);
        self.put(&mut generations, key, entry);
        Some(value)
    }

    /// Adds a value that takes `bytes` bytes besides its fixed part; the first one under a lineage stays.
    pub(crate) fn insert(&self, scope: Lineage, lineage: Lineage, value: Arc<V>, bytes: usize) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (scope, lineage);
        if !generations.young.contains_key(&key) && !generations.old.contains_key(&key) {
            self.put(&mut generations, key, Entry { value, bytes });
        }
    }

    /// Adds a value in place of the one that may be there.
    pub(crate) fn replace(&self, scope: Lineage, lineage: Lineage, value: Arc<V>, bytes: usize) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (scope, lineage);
        generations.old.remove(&key);
        self.put(&mut generations, key, Entry { value, bytes });
    }

    fn put(&self, generations: &mut Generations<V>, key: Key, entry: Entry<V>) {
        generations.young_bytes += entry.bytes + ENTRY_BYTES;
        if let Some(before) = generations.young.insert(key, entry) {
            generations.young_bytes -= before.bytes + ENTRY_BYTES;
        }
        if generations.young_bytes > self.bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let memo = Memo::new(40 * ENTRY_BYTES);
        let lineage = |n: u32| Lineage::root(&n.to_le_bytes());
        let scope = lineage(7);
        memo.insert(scope, lineage(0), Arc::new(0), 0);
        for n in 1..1000 {
            memo.insert(scope, lineage(n), Arc::new(n), 0);
            assert!(memo.get(scope, lineage(0)).is_some());
        }
        assert!(memo.get(scope, lineage(1)).is_none());
        assert_eq!(memo.get(scope, lineage(999)).as_deref(), Some(&999));
        assert!(memo.get(lineage(8), lineage(0)).is_none());
    }

    #[test]
    fn the_first_value_stays_unless_it_is_replaced() {
        let memo = Memo::new(1 << 10);
        let at = Lineage::root(b"");
        memo.insert(at, at, Arc::new(1), 0);
        memo.insert(at, at, Arc::new(2), 0);
        assert_eq!(memo.get(at, at).as_deref(), Some(&1));
        memo.replace(at, at, Arc::new(3), 0);
        assert_eq!(memo.get(at, at).as_deref(), Some(&3));
    }
}
