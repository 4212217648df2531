//! OpenAI's usage objects.

use memchr::memmem;

use crate::document::Document;
use crate::scan::Id;
use crate::sse::Event;
use crate::usage::{Counters, Usage};

/// Takes over what a usage object states; `None` when it is `null` or states no counts. `prompt_tokens` includes what was read
/// from and (where a server says so) written to the cache.
pub(crate) fn update(usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
    let counters = Counters { document, object };
    let prompt = counters.get(&["prompt_tokens"])?;
    let cached = counters
        .get(&["prompt_tokens_details", "cached_tokens"])
        .or_else(|| counters.get(&["prompt_cache_hit_tokens"]))
        .unwrap_or(0);
    let written = counters.get(&["prompt_tokens_details", "cache_write_tokens"]).unwrap_or(0);
    *usage = Usage {
        input: prompt.saturating_sub(cached).saturating_sub(written),
        cache_read: cached,
        cache_write_5m: written,
        cache_write_1h: 0,
        output: counters.get(&["completion_tokens"]).unwrap_or(0),
        reasoning: counters.get(&["completion_tokens_details", "reasoning_tokens"]).unwrap_or(0),
    };
    Some(())
}

/// Takes over what a chunk states; the last statement counts. Says whether the event is the one that ends every stream.
pub(crate) fn observe(usage: &mut Usage, event: &Event) -> bool {
    let Some(data) = event.data() else { return false };
    if memmem::find(&data, b"\"usage\"").is_some() {
        let document = Document::parse(data.clone().into_owned().into());
        let stated = document.as_ref().and_then(|document| {
            let object = document.field(document.root()?, "usage")?;
            update(usage, document, object)
        });
        let _: Option<()> = stated; // Most chunks say `"usage":null`.
    }
    data.trim_ascii() == b"[DONE]"
}
