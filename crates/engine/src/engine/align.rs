//! Looking up and recording how tools and instructions are sent: see [`crate::align`].

use std::sync::Arc;

use headroom_core::Reason;
use headroom_store::{Lineage, Rendering, Scope};
use headroom_tokens::Tokenizer;
use headroom_wire::{Dialect, Edit, Insertion, Request, Role};

use super::{Engine, Reach, now_ms};
use crate::align::{self, Fit, Stable};
use crate::memo::Memo;
use crate::plan::{self, Lineages};
use crate::receipt::Aligned;
use crate::trace::Seen;
use crate::{Align, Policy};

/// Bytes of heads in memory: those that conversations had last, and those that they are to keep. An agent's takes 20 to 100 KB.
const HEAD_BYTES: usize = 8 << 20;

/// Nothing is aligned before a request has this many bytes that a cache could hold: providers cache from 1,024 tokens on.
const CACHEABLE_BYTES: u64 = 6_000;

/// Milliseconds for which the head of an agent's last request serves its next conversation: as long as a cache holds it.
const AGENT_MS: u64 = 300_000;

/// What is known of the heads of conversations.
#[derive(Debug)]
pub(super) struct Heads {
    /// What conversations are to keep.
    kept: Memo<Recorded>,
    /// Every head that was sent lately, by what is in it.
    sent: Memo<Stable>,
    /// The head of an agent's last request, and when that was.
    agents: Memo<(Lineage, u64)>,
}

/// What the store says about a conversation.
#[derive(Clone, Debug)]
enum Recorded {
    Nothing,
    /// The provider refused it.
    Never,
    Stable(Arc<Stable>),
}

/// How the head of a request is sent.
#[derive(Debug)]
pub(super) enum Head {
    AsItCame,
    /// The provider has refused a changed one, or it is not known whether it has.
    Refused,
    Kept(Box<Kept>),
}

/// A head that is sent as it was first seen.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) stable: Arc<Stable>,
    pub(super) fit: Fit,
    key: Lineage,
    /// Decided now: it is to be recorded with this request.
    begun: bool,
    /// What the ends of turns say, by slot.
    notes: Vec<(usize, String)>,
    /// The note to be recorded, and whether in place of another one.
    fresh: Option<(Lineage, Rendering, bool)>,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self { kept: Memo::new(HEAD_BYTES), sent: Memo::new(HEAD_BYTES), agents: Memo::new(1 << 20) }
    }
}

impl Engine {
    /// How the head of a request is sent; `None` when memory does not say and the store was not to be asked.
    pub(super) fn head(
        &self,
        reach: Reach,
        scope: &Scope,
        digest: Lineage,
        seen: Option<&Seen<'_>>,
        policy: &Policy,
    ) -> Option<Head> {
        let Some((seen, key)) = seen.and_then(|seen| Some((seen, seen.conversation()?.then(b"aligned")))) else {
            return Some(Head::AsItCame);
        };
        if policy.align == Align::Off {
            return Some(Head::AsItCame);
        }
        let request = seen.request();
        let (stable, begun) = match self.recorded(reach, scope, digest, key, request)? {
            Recorded::Never => return Some(Head::Refused),
            Recorded::Stable(stable) => (stable, false),
            Recorded::Nothing => match self.first_seen(digest, seen, policy) {
                Some(stable) if reach == Reach::Store => (stable, true),
                // To begin is to record it.
                Some(_) => return None,
                None => return Some(Head::AsItCame),
            },
        };
        Some(match stable.fit(request).filter(|fit| fit.values.is_empty() || align::ends_with_a_slot(request)) {
            Some(fit) => Head::Kept(Box::new(Kept { stable, fit, key, begun, notes: Vec::new(), fresh: None })),
            None => Head::AsItCame,
        })
    }

    /// What was recorded for a conversation.
    fn recorded(
        &self,
        reach: Reach,
        scope: &Scope,
        digest: Lineage,
        key: Lineage,
        request: &Request,
    ) -> Option<Recorded> {
        let kept = &self.inner.heads.kept;
        if let Some(known) = kept.get(digest, key) {
            return Some(Recorded::clone(&known));
        }
        // A conversation that begins has nothing recorded, and small requests do not touch the store.
        let begins = request.messages().iter().all(|message| message.role() != Role::Assistant);
        if !begins && reach == Reach::Memory {
            return None;
        }
        let found =
            if begins { Ok(None) } else { self.store().renderings(scope, &[key]).map(|mut all| all.pop().flatten()) };
        let recorded = match found {
            Ok(None) => Recorded::Nothing,
            Ok(Some(rendering)) => {
                Stable::recorded(&rendering).map_or(Recorded::Never, |stable| Recorded::Stable(Arc::new(stable)))
            }
            Err(error) => {
                tracing::warn!(%error, "how instructions were sent could not be read; they are sent as they came");
                return Some(Recorded::Never);
            }
        };
        let weight = match &recorded {
            Recorded::Stable(stable) => stable.weight(),
            _ => 0,
        };
        kept.insert(digest, key, Arc::new(recorded.clone()), weight);
        Some(recorded)
    }

    /// What this conversation had, or its agent's last one, if this request differs from it by values alone and a cache could have held it.
    fn first_seen(&self, digest: Lineage, seen: &Seen<'_>, policy: &Policy) -> Option<Arc<Stable>> {
        let request = seen.request();
        let heads = &self.inner.heads;
        let needs_markers = request.dialect() == Dialect::AnthropicMessages;
        let (head, cached, counted) = match seen.earlier() {
            Some(earlier) => {
                // The bill says best whether a cache holds this conversation. Markers that we add from now on stand in none yet.
                let sizeable = earlier.bytes() >= CACHEABLE_BYTES;
                let billed =
                    earlier.is_cached(request.dialect()).filter(|_| !needs_markers || request.has_cache_markers());
                (earlier.head(), billed.unwrap_or(sizeable), earlier.counted())
            }
            None => {
                let last = heads.agents.get(digest, seen.agent())?;
                let (head, at_ms) = *last;
                let recent = seen.is_first() && now_ms().saturating_sub(at_ms) < AGENT_MS;
                (head, recent && seen.head_bytes() >= CACHEABLE_BYTES, false)
            }
        };
        let marked =
            request.dialect() != Dialect::AnthropicMessages || request.has_cache_markers() || policy.breakpoints;
        if !cached || !marked || head == seen.head() {
            return None;
        }
        let stable = heads.sent.get(digest, head)?;
        let fit = stable.fit(request)?;
        (!fit.is_empty() && (counted || !fit.only_numbers())).then_some(stable)
    }

    /// Finds what the ends of turns say, and decides what the newest one is to say; `None` when memory does not know and the store was
    /// not to be asked.
    pub(super) fn notes(
        &self,
        reach: Reach,
        scope: &Scope,
        digest: Lineage,
        request: &Request,
        lineages: &Lineages<'_>,
        kept: &mut Kept,
    ) -> Option<()> {
        let memo = &self.inner.renderings;
        let ends = align::turn_ends(request);
        let key = |slot: usize| lineages.slots[slot].then(b"note");
        let mut known: Vec<Option<Arc<Rendering>>> = ends.iter().map(|end| memo.get(digest, key(*end))).collect();
        let missing: Vec<usize> = (0..ends.len()).filter(|at| known[*at].is_none()).collect();
        // One that is recorded now has had no chance to say anything, but for a conversation that was aligned before its tools changed.
        if !missing.is_empty() {
            if reach == Reach::Memory {
                return None;
            }
            let keys: Vec<Lineage> = missing.iter().map(|at| key(ends[*at])).collect();
            // What cannot be read is not said again: the newest turn says all that counts.
            let found = self.store().renderings(scope, &keys).unwrap_or_else(|_| vec![None; keys.len()]);
            for (at, rendering) in missing.into_iter().zip(found) {
                let newest = at + 1 == ends.len();
                if rendering.is_none() && newest {
                    continue;
                }
                let rendering = Arc::new(rendering.unwrap_or_else(|| Rendering::kept(Reason::Policy)));
                memo.insert(digest, key(ends[at]), Arc::clone(&rendering), plan::weight(&rendering));
                known[at] = Some(rendering);
            }
        }
        let text = |at: usize| {
            let end = lineages.texts[ends[at]].len();
            known[at].as_deref().map_or("", |rendering| align::note_of(rendering, end))
        };
        let Some(newest) = ends.len().checked_sub(1) else { return Some(()) };
        let earlier: Vec<&str> = (0..newest).map(text).collect();
        let wanted = kept.fit.note(&earlier);
        if known[newest].is_none() || text(newest) != wanted {
            if reach == Reach::Memory {
                return None;
            }
            let end = lineages.texts[ends[newest]].len();
            let rendering = align::note_rendering(wanted.clone(), end);
            kept.fresh = Some((key(ends[newest]), rendering, known[newest].is_some()));
        }
        let all = earlier.iter().map(|note| (*note).to_owned()).chain([wanted]);
        kept.notes = ends.iter().copied().zip(all).filter(|(_, note)| !note.is_empty()).collect();
        Some(())
    }

    /// Remembers what was decided about a head.
    pub(super) fn memorize_head(&self, digest: Lineage, kept: &Kept) {
        if kept.begun {
            let weight = kept.stable.weight();
            let recorded = Recorded::Stable(Arc::clone(&kept.stable));
            self.inner.heads.kept.replace(digest, kept.key, Arc::new(recorded), weight);
        }
        if let Some((key, rendering, _)) = &kept.fresh {
            let weight = plan::weight(rendering);
            self.inner.renderings.replace(digest, *key, Arc::new(rendering.clone()), weight);
        }
    }

    /// Remembers the head of a request that was sent as it came, for the next one to be compared with.
    pub(super) fn remember_head(&self, digest: Lineage, seen: &Seen<'_>) {
        let heads = &self.inner.heads;
        let head = seen.head();
        if heads.sent.get(digest, head).is_none() {
            let stable = Stable::of(seen.request());
            let weight = stable.weight();
            heads.sent.insert(digest, head, Arc::new(stable), weight);
        }
        heads.agents.replace(digest, seen.agent(), Arc::new((head, now_ms())), 0);
    }

    /// Leaves the head of a conversation alone from now on, and says what is to be recorded of that.
    pub(super) fn give_head_up(&self, digest: Lineage, request: &Request) -> Option<(Lineage, Rendering)> {
        let key = self.inner.traces.see(digest, request, now_ms()).conversation()?.then(b"aligned");
        self.inner.heads.kept.replace(digest, key, Arc::new(Recorded::Never), 0);
        Some((key, Rendering::kept(Reason::Refused)))
    }

    /// The tools as they are sent, for the lineages of everything behind them.
    pub(super) fn tools_as_sent<'r>(request: &'r Request, head: &'r Head) -> &'r [u8] {
        match head {
            Head::Kept(kept) if kept.fit.tools => kept.stable.tools.as_ref().map_or(&[], |(list, _)| list.as_bytes()),
            _ => request.tools().map_or(&[], |tools| &request.body()[tools.span()]),
        }
    }
}

impl Head {
    /// Where it is sent as it was first seen.
    pub(super) fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Kept(kept) => Some(kept),
            _ => None,
        }
    }
}

impl Kept {
    /// What is to be recorded: new under its key, or in place of what is there.
    pub(super) fn to_record(&self) -> impl Iterator<Item = (Lineage, Rendering, bool)> {
        let head = self.begun.then(|| (self.key, self.stable.rendering(), false));
        head.into_iter().chain(self.fresh.clone())
    }

    /// Whether it cannot be sent unless it is recorded first.
    pub(super) const fn begins(&self) -> bool {
        self.begun
    }

    /// What is said at the ends of turns.
    pub(super) fn edits(&self, lineages: &Lineages<'_>) -> Vec<Edit> {
        let edit = |(slot, note): &(usize, String)| {
            let end = lineages.texts[*slot].len();
            Edit { slot: *slot, range: end..end, replacement: note.clone() }
        };
        self.notes.iter().map(edit).collect()
    }

    /// The instructions, and the tools with ours among them if it is offered.
    pub(super) fn insertions(&self, request: &Request, offered: bool) -> Vec<Insertion> {
        let mut insertions = request.replace_in_instructions(&self.fit.changes);
        if let Some((list, end)) = self.stable.tools.as_ref().filter(|_| self.fit.tools) {
            insertions.extend(request.replace_tools(list, *end, offered));
        }
        insertions
    }

    pub(super) fn receipt(&self, request: &Request) -> Aligned {
        let tokenizer = Tokenizer::for_model(request.model().unwrap_or_default());
        let newest = request.slots().len().checked_sub(1);
        let (mut note_tokens, mut new_note_tokens) = (0, 0);
        for (slot, note) in &self.notes {
            let tokens = tokenizer.count(note) as u64;
            if Some(*slot) == newest { new_note_tokens += tokens } else { note_tokens += tokens }
        }
        let values = self.fit.values.len() as u64;
        Aligned { values, tools: self.fit.tools, note_tokens, new_note_tokens, breakpoints: 0 }
    }
}
