//! What was sent of one text, next to what came: for people who want to see it.

use std::ops::Range;

use headroom_core::Handle;
use headroom_store::{Lineage, Scope, StoreError};
use headroom_wire::guard::{Original, refusal, written_handles};
use serde::Serialize;

use crate::{Engine, SlotReceipt};

/// A part of a text that was sent otherwise than it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentPart {
    /// Which bytes of the text as it came.
    pub range: Range<usize>,
    /// What was sent in their place.
    pub sent: String,
    /// The bytes as they came. `None` where they are not kept, because what was sent holds everything, or not any more.
    pub came: Option<String>,
}

impl Engine {
    /// What was sent in the place of the text that a receipt speaks of; empty when it was sent as it came. `None` when that is not recorded, or not
    /// any more.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn sent_parts(&self, scope: &Scope, slot: &SlotReceipt) -> Result<Option<Vec<SentPart>>, StoreError> {
        if slot.compressor.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Some(lineage) = lineage_of(&slot.lineage) else { return Ok(None) };
        let Some(rendering) = self.store().renderings(scope, &[lineage])?.pop().flatten() else { return Ok(None) };
        let mut parts = Vec::with_capacity(rendering.replacements.len());
        let mut handles = rendering.handles.iter();
        for replacement in rendering.replacements {
            // Each part names its original at its end; handles are recorded in the order in which they are named.
            let names = |handle: &&Handle| replacement.text.contains(&handle.to_string());
            let handle = handles.clone().next().filter(names).copied();
            if handle.is_some() {
                handles.next();
            }
            let came = handle.map(|handle| self.original(scope, handle)).transpose()?.flatten();
            let came = came.filter(|came| came.len() == replacement.range.len());
            parts.push(SentPart { range: replacement.range, sent: replacement.text, came });
        }
        Ok(Some(parts))
    }
}

impl Engine {
    /// What marks stand for that a model has written into a call of a client's tool: the answer to [`headroom_wire::Step::Restore`].
    pub fn written(&self, scope: &Scope, handles: &[Handle]) -> Vec<Original> {
        let original = |handle: &Handle| match self.original(scope, *handle) {
            Ok(Some(text)) => Original::Kept(text),
            Ok(None) => Original::Unknown,
            Err(_) => Original::Unreadable,
        };
        handles.iter().map(original).collect()
    }

    /// Why a text must not be written, for the model that would write it: it holds a mark that names an original of ours, which comes along. `None`
    /// where there is none. For doors that see a call without its conversation.
    pub fn marked(&self, scope: &Scope, text: &str) -> Option<(Handle, String)> {
        let ours = |handle: &Handle| self.original(scope, *handle).is_ok_and(|text| text.is_some());
        let handle = written_handles(text).into_iter().find(ours)?;
        Some((handle, refusal(&format!("all in {handle}"))))
    }
}

/// The lineage as receipts write it.
pub(crate) fn lineage_text(lineage: Lineage) -> String {
    lineage.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lineage_of(text: &str) -> Option<Lineage> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(Lineage::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_is_read_as_it_is_written() {
        let lineage = Lineage::root(b"seed");
        assert_eq!(lineage_of(&lineage_text(lineage)), Some(lineage));
        for odd in ["", "0", "zz000000000000000000000000000000", "é000000000000000000000000000000"] {
            assert_eq!(lineage_of(odd), None, "{odd}");
        }
    }
}
