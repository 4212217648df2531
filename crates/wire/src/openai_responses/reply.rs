//! A whole Responses answer.

use std::collections::BTreeSet;
use std::ops::Range;

use super::kind;
use crate::document::Document;
use crate::scan::{Id, Shape};
use crate::tool;
use crate::turn::{Ending, Heard, Item, ItemKind, Merge, Retrieval, patch};
use crate::usage::Usage;

/// What a response says; `None` when it is none.
pub(super) fn reply(document: &Document) -> Option<(Heard, Ending)> {
    let root = document.root()?;
    let output = document.field(root, "output").filter(|output| document.is_array(*output))?;
    let items = items(document, document.elements(output));
    let ending = ending(document.string_field(root, "status").as_deref(), &items);
    Some((Heard { items, response: kept_as(document, root, false), ..Heard::default() }, ending))
}

/// How a response with this status ended.
pub(super) fn ending(status: Option<&str>, items: &[Item]) -> Ending {
    let calls = items.iter().any(|item| matches!(item.kind, ItemKind::Mine(_) | ItemKind::Theirs(_)));
    match status {
        None => Ending::Broken,
        Some("completed") if calls => Ending::Calls,
        Some(_) => Ending::Other,
    }
}

/// The name of a response, unless it says that it is not kept and no connection keeps it.
pub(super) fn kept_as(document: &Document, response: Id, connected: bool) -> Option<String> {
    let [id, store] = document.fields(response, ["id", "store"])?;
    let kept = connected || store.is_none_or(|store| document.shape(store) != Shape::False);
    document.string(id?).filter(|_| kept).map(String::from)
}

/// The items of one response.
pub(super) fn items(document: &Document, nodes: impl Iterator<Item = Id>) -> Vec<Item> {
    let nodes: Vec<Id> = nodes.collect();
    let call_id = |node| document.string_field(node, "call_id");
    // What the provider has run itself has its output in the same response.
    let outputs = nodes.iter().filter(|node| kind(document, **node).ends_with("_output"));
    let answered: BTreeSet<_> = outputs.filter_map(|node| call_id(*node)).collect();
    let item = |node: &Id| {
        let kind = kind(document, *node);
        let called = call_id(*node).filter(|id| kind.ends_with("_call") && !answered.contains(id));
        let by_server = document.string_field(*node, "execution").is_some_and(|by| by == "server");
        let kind = match kind.as_ref() {
            "function_call" if is_mine(document, *node) => ItemKind::Mine(Retrieval {
                id: call_id(*node).unwrap_or_default().into_owned(),
                arguments: document.string_field(*node, "arguments").unwrap_or_default().into_owned(),
            }),
            "reasoning" => ItemKind::Thinking,
            kind if kind.ends_with("_output") => ItemKind::Uncounted,
            "mcp_approval_request" => {
                ItemKind::Theirs(document.string_field(*node, "id").unwrap_or_default().into_owned())
            }
            _ => match called.filter(|_| !by_server) {
                Some(id) => ItemKind::Theirs(id.into_owned()),
                None => ItemKind::Other,
            },
        };
        Item { json: document.raw(*node).to_owned(), kind }
    };
    nodes.iter().map(item).collect()
}

/// Whether an item is a call of our tool.
pub(super) fn is_mine(document: &Document, item: Id) -> bool {
    kind(document, item) == "function_call"
        && document.string_field(item, "name").is_some_and(|name| name == tool::NAME)
}

/// The last response with the items of all, without our calls. Its name is its own: the client can go on from it.
pub(super) fn merge(merge: &Merge<'_>) -> Option<Vec<u8>> {
    let document = merge.document;
    let root = document.root()?;
    let earlier: Vec<&str> = merge.items.iter().map(|item| item.json.as_str()).collect();
    let patches = response_patches(document, root, &earlier, &merge.earlier);
    Some(patch(document.raw(document.root()?).as_bytes(), moved(patches, document.span(root).start)))
}

/// What changes in a response object: its items, with those of earlier responses before them and without our calls, and its usage.
pub(super) fn response_patches(
    document: &Document,
    response: Id,
    earlier: &[&str],
    usage: &Usage,
) -> Vec<(Range<usize>, String)> {
    let [output, stated] = document.fields(response, ["output", "usage"]).unwrap_or_default();
    let mut patches = stated.map(|stated| usage_patches(document, stated, usage)).unwrap_or_default();
    if let Some(output) = output.filter(|output| document.is_array(*output)) {
        let own = document.elements(output).filter(|item| !is_mine(document, *item)).map(|item| document.raw(item));
        let all: Vec<&str> = earlier.iter().copied().chain(own).collect();
        patches.push((document.span(output), format!("[{}]", all.join(","))));
    }
    patches
}

/// The output counters of a usage object, with the output of earlier responses added.
fn usage_patches(document: &Document, usage: Id, earlier: &Usage) -> Vec<(Range<usize>, String)> {
    let [output, total, details] =
        document.fields(usage, ["output_tokens", "total_tokens", "output_tokens_details"]).unwrap_or_default();
    let reasoning = details.and_then(|details| document.field(details, "reasoning_tokens"));
    let more = |(counter, by): (Option<Id>, u64)| {
        let counter = counter.filter(|_| by > 0)?;
        Some((document.span(counter), document.count(counter)?.saturating_add(by).to_string()))
    };
    let counters = [(output, earlier.output), (total, earlier.output), (reasoning, earlier.reasoning)];
    counters.into_iter().filter_map(more).collect()
}

/// Patches of a body as patches of a value that begins at `start`.
fn moved(patches: Vec<(Range<usize>, String)>, start: usize) -> Vec<(Range<usize>, String)> {
    patches.into_iter().map(|(range, text)| (range.start - start..range.end - start, text)).collect()
}
