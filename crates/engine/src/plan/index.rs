//! What the model can see before a slot, line by line, kept from one turn of a conversation to the next.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use headroom_compress::repeat::Earlier;
use headroom_compress::view;
use headroom_store::{Lineage, Rendering};
use headroom_wire::Slot;

use super::{FLOOR_BYTES, Lineages, REPEAT, SlotPlan, VIEW, visible};
use crate::hints::Call;
use crate::memo::Memo;

/// Bytes of indexes in memory. An index takes two to three times as much as the texts that the model sees; one of more than half of this is
/// made anew on each turn.
const INDEX_BYTES: usize = 16 << 20;

/// The first slots of a request, indexed.
#[derive(Debug, Default)]
pub(crate) struct Index {
    earlier: Earlier,
    /// How each of them is sent. What the index was made from, together with the lineage of the last one.
    renderings: Vec<Arc<Rendering>>,
    last: Option<Lineage>,
}

impl Index {
    /// What a reference may point at.
    pub(super) const fn earlier(&self) -> &Earlier {
        &self.earlier
    }

    /// How many slots are in it.
    pub(super) const fn len(&self) -> usize {
        self.renderings.len()
    }

    /// Adds the slots before `end`.
    pub(super) fn extend(&mut self, slots: &[Slot], lineages: &Lineages<'_>, plans: &[SlotPlan], end: usize) {
        for index in self.len()..end {
            let (slot, text, rendering) = (&slots[index], lineages.texts[index], &plans[index].rendering);
            self.last = Some(lineages.slots[index]);
            self.renderings.push(Arc::clone(rendering));
            if text.len() < FLOOR_BYTES {
                continue;
            }
            // A thinned view shows every line, and its numbers follow: to a reference it is the view itself.
            let shown = visible(text, rendering);
            let shown = match rendering.compressor.as_str() {
                VIEW | REPEAT => Cow::Owned(view::full(&shown)),
                _ => shown,
            };
            self.earlier.add(Call::new(slot.tool(), slot.arguments()).label(), &shown, text.get());
        }
    }

    /// Whether it is of the first slots of this request, sent as they are sent now.
    fn is_of(&self, lineages: &Lineages<'_>, plans: &[SlotPlan]) -> bool {
        let same = |(is, plan): (&Arc<Rendering>, &SlotPlan)| Arc::ptr_eq(is, &plan.rendering) || *is == plan.rendering;
        self.len() > 0
            && self.len() <= plans.len()
            && self.last == lineages.slots.get(self.len() - 1).copied()
            && self.renderings.iter().zip(plans).all(same)
    }
}

/// The indexes of the conversations that are going on.
#[derive(Debug)]
pub(crate) struct Indexes(Memo<Mutex<Option<Index>>>);

impl Indexes {
    pub(crate) fn new() -> Self {
        Self(Memo::new(INDEX_BYTES))
    }

    /// Takes the index of a conversation out, if it is of the first slots of this request and of no slot behind those of `plans`.
    pub(super) fn take(&self, scope: Lineage, lineages: &Lineages<'_>, plans: &[SlotPlan]) -> Option<Index> {
        let kept = self.0.get(scope, lineages.conversation)?;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_if(|index| index.is_of(lineages, plans))
    }

    /// Keeps an index for the next turn.
    pub(super) fn keep(&self, scope: Lineage, lineages: &Lineages<'_>, index: Index) {
        let bytes = index.earlier.bytes();
        if index.len() > 0 && bytes < INDEX_BYTES / 2 {
            self.0.replace(scope, lineages.conversation, Arc::new(Mutex::new(Some(index))), bytes);
        }
    }
}
