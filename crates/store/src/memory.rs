//! The store in memory.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headroom_core::{Handle, HandleKey};

use crate::access::{Grant, SecretHash};
use crate::sighting::SIGHTINGS_PER_TEXT;
use crate::terms::terms;
use crate::{
    Batch, Collected, Forget, Forgotten, Holdings, Lineage, Match, MemoryFigures, NOTES_PER_WORKSPACE, NewNote, Note,
    Remembered, Rendering, Scope, Scrubbed, Seen, Sighting, StoreError, StoredReceipt, Workspace, receipts_from,
};

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
    outcomes: HashMap<(Scope, Lineage), (Option<Handle>, String)>,
    sightings: BTreeMap<(Scope, Workspace, Handle), Vec<Seen>>,
    notes: BTreeMap<(Scope, Workspace), Vec<(NewNote, Note)>>,
    last_note: u64,
    grants: BTreeMap<(Scope, SecretHash), Grant>,
}

impl State {
    fn sight(&mut self, scope: &Scope, handle: Handle, sighting: &Sighting, now_ms: u64) {
        if !self.originals.contains_key(&(scope.clone(), handle)) {
            return;
        }
        let Sighting { workspace, agent, session, source, object } = sighting.bounded();
        let all = self.sightings.entry((scope.clone(), workspace, handle)).or_default();
        let same = |seen: &&mut Seen| (&seen.agent, &seen.session, &seen.source) == (&agent, &session, &source);
        if let Some(seen) = all.iter_mut().find(same) {
            seen.last_ms = seen.last_ms.max(now_ms);
            seen.times += 1;
            seen.object = object.or(seen.object.take());
            return;
        }
        all.push(Seen { agent, session, source, object, first_ms: now_ms, last_ms: now_ms, times: 1 });
        all.sort_by(|a, b| (a.first_ms, &a.agent, &a.session).cmp(&(b.first_ms, &b.agent, &b.session)));
        if all.len() > SIGHTINGS_PER_TEXT
            && let Some(oldest) = (1..all.len()).min_by_key(|at| all[*at].last_ms)
        {
            all.remove(oldest);
        }
    }

    /// The texts of a workspace with who met them.
    fn of(&self, scope: &Scope, workspace: &Workspace) -> impl Iterator<Item = (Handle, &Vec<Seen>)> {
        let here = (scope.clone(), *workspace);
        let inside = move |(of, at, _): &(Scope, Workspace, Handle)| *of == here.0 && *at == here.1;
        self.sightings.iter().filter(move |(key, _)| inside(key)).map(|((_, _, handle), seen)| (*handle, seen))
    }

    fn last_ms(seen: &[Seen]) -> u64 {
        seen.iter().map(|seen| seen.last_ms).max().unwrap_or_default()
    }
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
        for outcome in batch.outcomes {
            let filed = (outcome.handle, outcome.document);
            state.outcomes.entry((scope.clone(), outcome.key)).or_insert(filed);
        }
        for (handle, sighting) in &batch.sightings {
            state.sight(scope, *handle, sighting, batch.now_ms);
        }
        let from = receipts_from(batch.now_ms);
        state.receipts.retain(|(of, _), receipt| of != scope || receipt.at_ms >= from);
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

    pub(crate) fn outcome(&self, scope: &Scope, key: Lineage) -> Result<Option<String>, StoreError> {
        Ok(self.state().outcomes.get(&(scope.clone(), key)).map(|(_, document)| document.clone()))
    }

    pub(crate) fn remembered(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        handle: Handle,
    ) -> Result<Option<Remembered>, StoreError> {
        let state = self.state();
        let Some(seen) = state.sightings.get(&(scope.clone(), *workspace, handle)) else { return Ok(None) };
        let bytes = state.originals.get(&(scope.clone(), handle)).map_or(0, |text| text.len() as u64);
        Ok(Some(Remembered { handle, bytes, seen: seen.clone() }))
    }

    pub(crate) fn recent(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        let state = self.state();
        let mut all: Vec<_> = state.of(scope, workspace).map(|(handle, seen)| (State::last_ms(seen), handle)).collect();
        all.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        Ok(all.into_iter().skip(offset).take(limit).map(|(_, handle)| handle).collect())
    }

    pub(crate) fn candidates(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        words: &[String],
        which: Match,
        limit: usize,
    ) -> Result<Vec<Handle>, StoreError> {
        let state = self.state();
        let enough = |has: &dyn Fn(&String) -> bool| match which {
            Match::All => words.iter().all(has),
            Match::Any => words.iter().any(has),
        };
        let mut found: Vec<(u64, Handle)> = state
            .of(scope, workspace)
            .filter(|(handle, seen)| {
                let text = state.originals.get(&(scope.clone(), *handle)).map(String::as_str).unwrap_or_default();
                let of_text = terms(text);
                enough(&|word| of_text.contains(word))
                    || seen.iter().any(|seen| {
                        let source = seen.source.to_ascii_lowercase();
                        enough(&|word| source.contains(word.as_str()))
                    })
            })
            .map(|(handle, seen)| (State::last_ms(seen), handle))
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, handle)| handle).collect())
    }

    pub(crate) fn latest_from(
        &self,
        scope: &Scope,
        workspace: &Workspace,
        source: &str,
    ) -> Result<Option<Handle>, StoreError> {
        let state = self.state();
        let latest = state.of(scope, workspace).filter_map(|(handle, seen)| {
            seen.iter().filter(|seen| seen.source == source).map(|seen| (seen.last_ms, handle)).max()
        });
        Ok(latest.max().map(|(_, handle)| handle))
    }

    pub(crate) fn memory_figures(&self, scope: &Scope, workspace: &Workspace) -> Result<MemoryFigures, StoreError> {
        let state = self.state();
        let mut figures = MemoryFigures::default();
        let mut sights = Vec::new();
        for (handle, seen) in state.of(scope, workspace) {
            figures.texts += 1;
            figures.bytes += state.originals.get(&(scope.clone(), handle)).map_or(0, |text| text.len() as u64);
            let mut agents: Vec<&str> = Vec::new();
            for seen in seen {
                if !agents.contains(&seen.agent.as_str()) {
                    agents.push(&seen.agent);
                }
            }
            sights.extend(agents.into_iter().map(|agent| (handle, agent.to_owned())));
        }
        figures.notes = state.notes.get(&(scope.clone(), *workspace)).map_or(0, |notes| notes.len() as u64);
        figures.count_agents(sights);
        Ok(figures)
    }

    /// Memory that was freed is nobody's to read.
    #[allow(clippy::unnecessary_wraps, reason = "the same signature as the other back ends")]
    #[allow(clippy::unused_self, reason = "the same")]
    pub(crate) fn scrub(&self) -> Result<Scrubbed, StoreError> {
        Ok(Scrubbed::default())
    }

    pub(crate) fn forget(&self, scope: &Scope, workspace: &Workspace, what: Forget) -> Result<Forgotten, StoreError> {
        let mut state = self.state();
        let gone: Vec<Handle> = state
            .of(scope, workspace)
            .filter(|(handle, seen)| match what {
                Forget::Text(wanted) => wanted == *handle,
                Forget::Before(ms) => State::last_ms(seen) < ms,
                Forget::All => true,
            })
            .map(|(handle, _)| handle)
            .collect();
        let mut forgotten = Forgotten { texts: gone.len() as u64, ..Forgotten::default() };
        for handle in gone {
            state.sightings.remove(&(scope.clone(), *workspace, handle));
            if state.sightings.keys().any(|(of, _, known)| of == scope && *known == handle) {
                continue;
            }
            forgotten.erased += 1;
            let written = handle.to_string();
            state.originals.remove(&(scope.clone(), handle));
            state.outcomes.retain(|(of, _), (named, _)| of != scope || *named != Some(handle));
            state.renderings.retain(|(of, _), rendering| of != scope || !rendering.handles.contains(&handle));
            state.exchanges.retain(|(of, _), document| of != scope || !document.contains(&written));
        }
        if let Some(notes) = state.notes.get_mut(&(scope.clone(), *workspace)) {
            let before = notes.len();
            notes.retain(|(_, note)| match what {
                Forget::Text(_) => true,
                Forget::Before(ms) => note.last_ms >= ms,
                Forget::All => false,
            });
            forgotten.notes = (before - notes.len()) as u64;
        }
        Ok(forgotten)
    }

    pub(crate) fn remember(&self, scope: &Scope, workspace: &Workspace, note: NewNote) -> Result<Note, StoreError> {
        let mut state = self.state();
        let id = state.last_note + 1;
        let notes = state.notes.entry((scope.clone(), *workspace)).or_default();
        if let Some((_, kept)) = notes.iter_mut().find(|(said, _)| said.identity() == note.identity()) {
            kept.last_agent = note.bounded().agent;
            kept.last_ms = kept.last_ms.max(note.at_ms);
            kept.times += 1;
            return Ok(kept.clone());
        }
        if notes.len() >= NOTES_PER_WORKSPACE {
            return Err(StoreError::TooManyNotes { most: NOTES_PER_WORKSPACE });
        }
        let NewNote { topic, text, agent, session, at_ms } = note.bounded();
        let last_agent = agent.clone();
        let kept = Note { id, topic, text, agent, session, first_ms: at_ms, last_agent, last_ms: at_ms, times: 1 };
        notes.push((note, kept.clone()));
        state.last_note = id;
        Ok(kept)
    }

    pub(crate) fn notes(&self, scope: &Scope, workspace: &Workspace) -> Result<Vec<Note>, StoreError> {
        let state = self.state();
        let all = state.notes.get(&(scope.clone(), *workspace)).into_iter().flatten();
        let mut notes: Vec<Note> = all.map(|(_, note)| note.clone()).collect();
        notes.sort_by_key(|note| std::cmp::Reverse((note.last_ms, note.id)));
        Ok(notes)
    }

    pub(crate) fn forget_note(&self, scope: &Scope, workspace: &Workspace, id: u64) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(notes) = state.notes.get_mut(&(scope.clone(), *workspace)) else { return Ok(false) };
        let before = notes.len();
        notes.retain(|(_, note)| note.id != id);
        Ok(notes.len() < before)
    }

    pub(crate) fn grant(&self, scope: &Scope, hash: SecretHash, grant: &Grant) -> Result<(), StoreError> {
        self.state().grants.insert((scope.clone(), hash), grant.bounded());
        Ok(())
    }

    pub(crate) fn end_grants(&self, scope: &Scope, name: &str, at_ms: u64) -> Result<u64, StoreError> {
        let mut ended = 0;
        for ((of, _), grant) in &mut self.state().grants {
            if of == scope && grant.name == name && grant.holds_at(at_ms) {
                (grant.ends_ms, ended) = (Some(at_ms), ended + 1);
            }
        }
        Ok(ended)
    }

    pub(crate) fn granted(&self, scope: &Scope, hash: SecretHash) -> Result<Option<Grant>, StoreError> {
        Ok(self.state().grants.get(&(scope.clone(), hash)).cloned())
    }

    pub(crate) fn grants(&self, scope: &Scope) -> Result<Vec<Grant>, StoreError> {
        let state = self.state();
        let mut all: Vec<Grant> =
            state.grants.iter().filter(|((of, _), _)| of == scope).map(|(_, grant)| grant.clone()).collect();
        all.sort_by(|a, b| (&a.name, a.created_ms).cmp(&(&b.name, b.created_ms)));
        Ok(all)
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
