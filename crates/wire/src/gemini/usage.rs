//! Gemini's usage metadata.

use std::ops::Range;

use memchr::memmem;

use crate::document::Document;
use crate::scan::Id;
use crate::sse::Event;
use crate::usage::{Counters, Usage};

/// The member of a response that states it.
pub(super) const KEY: &str = "usageMetadata";

/// Takes over what an object states. Every chunk of a stream counts from the beginning, so a later statement replaces an earlier one.
/// `promptTokenCount` includes what was read from the cache; thinking and what tools of the provider's own fed in are counted beside.
pub(super) fn update(usage: &mut Usage, document: &Document, object: Id) -> Option<()> {
    let counters = Counters { document, object };
    let count = |name: &str| counters.get(&[name]).unwrap_or(0);
    let prompt = counters.get(&["promptTokenCount"])?;
    let (cached, thoughts) = (count("cachedContentTokenCount"), count("thoughtsTokenCount"));
    *usage = Usage {
        input: prompt.saturating_sub(cached).saturating_add(count("toolUsePromptTokenCount")),
        cache_read: cached,
        output: count("candidatesTokenCount").saturating_add(thoughts),
        reasoning: thoughts,
        ..Usage::default()
    };
    Some(())
}

/// Takes over what a chunk states.
pub(super) fn observe(usage: &mut Usage, event: &Event) -> Option<()> {
    let data = event.data()?;
    memmem::find(&data, KEY.as_bytes())?;
    let document = Document::parse(data.into_owned().into())?;
    update(usage, &document, document.field(document.root()?, KEY)?)
}

/// The output counters of a response, with the output of earlier responses added.
pub(super) fn output_patches(document: &Document, response: Id, earlier: &Usage) -> Vec<(Range<usize>, String)> {
    let Some(usage) = document.field(response, KEY) else { return Vec::new() };
    let names = ["candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"];
    let counters = document.fields(usage, names).unwrap_or_default();
    let spoken = earlier.output.saturating_sub(earlier.reasoning);
    let more = |(counter, by): (Option<Id>, u64)| {
        let counter = counter.filter(|_| by > 0)?;
        Some((document.span(counter), document.count(counter)?.saturating_add(by).to_string()))
    };
    counters.into_iter().zip([spoken, earlier.reasoning, earlier.output]).filter_map(more).collect()
}
