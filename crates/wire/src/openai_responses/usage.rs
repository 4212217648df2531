//! The usage objects of Responses.

use crate::document::Document;
use crate::scan::Id;
use crate::sse::Event;
use crate::usage::{Counters, Usage};

/// Takes over what a usage object states; `None` when it is `null` or states no counts. `input_tokens` includes what was read from the
/// cache.
pub(super) fn update(usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
    let counters = Counters { document, object };
    let input = counters.get(&["input_tokens"])?;
    let cached = counters.get(&["input_tokens_details", "cached_tokens"]).unwrap_or(0);
    let written = counters.get(&["input_tokens_details", "cache_write_tokens"]).unwrap_or(0);
    *usage = Usage {
        input: input.saturating_sub(cached).saturating_sub(written),
        cache_read: cached,
        cache_write_5m: written,
        cache_write_1h: 0,
        output: counters.get(&["output_tokens"]).unwrap_or(0),
        reasoning: counters.get(&["output_tokens_details", "reasoning_tokens"]).unwrap_or(0),
    };
    Some(())
}

/// Takes over what a terminal event states, and says whether the event is one.
pub(super) fn observe(usage: &mut Usage, event: &Event) -> bool {
    let last = event.kind().is_some_and(|kind| is_last(&kind));
    if last {
        // A response that failed states none.
        let _: Option<()> = stated(usage, event);
    }
    last
}

/// Whether an event of this type ends a stream.
pub(super) fn is_last(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed")
}

fn stated(usage: &mut Usage, event: &Event) -> Option<()> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let response = document.field(document.root()?, "response")?;
    update(usage, &document, document.field(response, "usage")?)
}
