//! Anthropic's usage objects.

use crate::document::Document;
use crate::scan::Id;
use crate::sse::Event;
use crate::usage::{Counters, Usage};

/// Takes over what a usage object states. Counters are cumulative: `message_delta` repeats or corrects those of
/// `message_start`, so a later statement replaces an earlier one and nothing is counted twice.
pub(crate) fn update(usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
    let counters = Counters { document, object };
    let set = |field: &mut u64, stated: Option<u64>| *field = stated.unwrap_or(*field);
    set(&mut usage.input, counters.get(&["input_tokens"]));
    set(&mut usage.cache_read, counters.get(&["cache_read_input_tokens"]));
    set(&mut usage.output, counters.get(&["output_tokens"]));
    set(&mut usage.reasoning, counters.get(&["output_tokens_details", "thinking_tokens"]));
    let written = counters.get(&["cache_creation_input_tokens"]);
    if let Some(hour) = counters.get(&["cache_creation", "ephemeral_1h_input_tokens"]) {
        let minutes = counters.get(&["cache_creation", "ephemeral_5m_input_tokens"]);
        usage.cache_write_1h = hour;
        usage.cache_write_5m = minutes.unwrap_or_else(|| written.unwrap_or(hour).saturating_sub(hour));
    } else if let Some(written) = written {
        // A total alone says nothing about durations; what was known of the hour stays.
        usage.cache_write_5m = written.saturating_sub(usage.cache_write_1h);
    }
    Some(())
}

/// Takes over what `message_start` and `message_delta` state. Says whether the event is the one that ends every stream.
pub(crate) fn observe(usage: &mut Usage, event: &Event) -> bool {
    match event.kind().as_deref() {
        Some("message_start" | "message_delta") => {
            // A message without usage, as some imitations send it, states nothing.
            let _: Option<()> = stated(usage, event);
            false
        }
        kind => kind == Some("message_stop"),
    }
}

fn stated(usage: &mut Usage, event: &Event) -> Option<()> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let root = document.root()?;
    let holder = document.field(root, "message").unwrap_or(root);
    update(usage, &document, document.field(holder, "usage")?)
}
