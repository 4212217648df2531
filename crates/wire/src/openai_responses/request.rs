//! Where text stands in a Responses request.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind;
use crate::document::Document;
use crate::request::{Arguments, Call, Message, Outline, Previous, Role, Slot, SlotRole, Tools};
use crate::scan::{Id, Shape};

pub(super) fn outline(document: &Document) -> Option<Outline> {
    let root = document.root()?;
    let [model, stream, input, tools] = document.fields(root, ["model", "stream", "input", "tools"])?;
    let [previous, conversation, store, background] =
        document.fields(root, ["previous_response_id", "conversation", "store", "background"])?;
    let [user, cache_key, event] = document.fields(root, ["user", "prompt_cache_key", "type"])?;
    // Bodies have no type; what comes over a connection has one, and only this one is a request.
    let connected = match event {
        Some(event) if document.string(event)? == super::CREATE => true,
        Some(_) => return None,
        None => false,
    };
    let input = input.filter(|id| document.is_array(*id) || document.is_string(*id))?;
    let text = |id: Option<Id>| id.and_then(|id| document.string(id)).map(String::from);
    let previous =
        previous.and_then(|id| Some(Previous { id: document.string(id)?.into_owned(), span: document.span(id) }));
    // A connection keeps its last response whatever the client says.
    let unkept = store.is_some_and(|id| document.shape(id) == Shape::False) && !connected;
    let mut outline = Outline {
        model: text(model),
        stream: stream.is_some_and(|id| document.is_true(id)),
        session: text(cache_key).or_else(|| text(user)),
        // A conversation object shows its items to whoever asks for them, a background response is fetched later and elsewhere, and a
        // response that is not kept cannot be gone on from.
        unanswerable: conversation.is_some_and(|id| document.shape(id) != Shape::Null)
            || background.is_some_and(|id| document.is_true(id))
            || (previous.is_some() && unkept),
        previous,
        unkept,
        connected,
        tools: tools.and_then(|id| self::tools(document, id)),
        messages_span: Some(document.span(input)),
        ..Outline::default()
    };
    let mut reader = Reader { document, calls: BTreeMap::new(), slots: Vec::new() };
    if document.is_string(input) {
        reader.text(0, input, None);
        outline.messages.push(Message { role: Role::User, span: document.span(input), node: input });
    }
    for (index, node) in document.elements(input).enumerate() {
        let role = reader.item(index, node).unwrap_or(Role::Other);
        outline.messages.push(Message { role, span: document.span(node), node });
    }
    outline.slots = reader.slots;
    Some(outline)
}

fn tools(document: &Document, array: Id) -> Option<Tools> {
    document.is_array(array).then(|| Tools {
        names: document
            .elements(array)
            .filter_map(|tool| document.string_field(tool, "name"))
            .map(String::from)
            .collect(),
        span: document.span(array),
        last_end: document.elements(array).last().map(|tool| document.span(tool).end),
    })
}

/// Whether an item of this type is what a client says a call gave.
fn is_output(kind: &str) -> bool {
    kind.ends_with("_call_output") || kind == "mcp_approval_response" || kind == "tool_search_output"
}

struct Reader<'a> {
    document: &'a Document,
    /// The calls met so far, by identifier.
    calls: BTreeMap<String, Arc<Call>>,
    slots: Vec<Slot>,
}

impl Reader<'_> {
    fn item(&mut self, index: usize, node: Id) -> Option<Role> {
        let document = self.document;
        let [role, content, output] = document.fields(node, ["role", "content", "output"])?;
        let [call_id, id] = document.fields(node, ["call_id", "id"])?;
        if document.fields(node, ["type"])?[0].is_some_and(|kind| document.string(kind).is_none()) {
            return None;
        }
        let kind = kind(document, node);
        match kind.as_ref() {
            // The type of a message may be left out.
            "" | "message" => {
                let role = match document.string(role?)?.as_ref() {
                    "user" => Role::User,
                    "assistant" => Role::Assistant,
                    "system" | "developer" => Role::Instructions,
                    _ => Role::Other,
                };
                if role == Role::User {
                    self.texts(index, content?, None);
                }
                Some(role)
            }
            "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
                // A local shell call is known by its own identifier.
                let id = call_id.or(id).and_then(|id| document.string(id))?;
                self.texts(index, output?, Some(&id));
                Some(Role::Tool)
            }
            "shell_call_output" => {
                let id = call_id.and_then(|id| document.string(id))?;
                for chunk in document.elements(output?) {
                    let streams = document.fields(chunk, ["stdout", "stderr"])?;
                    streams.into_iter().flatten().for_each(|text| self.text(index, text, Some(&id)));
                }
                Some(Role::Tool)
            }
            "mcp_call" => {
                let id = id.and_then(|id| document.string(id))?;
                self.call(node, &id, "arguments");
                if let Some(output) = output {
                    self.text(index, output, Some(&id));
                }
                Some(Role::Assistant)
            }
            kind if is_output(kind) => Some(Role::Tool),
            kind => {
                let arguments = match kind {
                    "custom_tool_call" => "input",
                    "local_shell_call" | "shell_call" => "action",
                    _ => "arguments",
                };
                for id in [call_id, id].into_iter().flatten().filter_map(|id| document.string(id)) {
                    self.call(node, &id, arguments);
                }
                let said =
                    kind.ends_with("_call") || matches!(kind, "reasoning" | "item_reference" | "mcp_approval_request");
                Some(if said { Role::Assistant } else { Role::Other })
            }
        }
    }

    /// The texts of a message or an output: one string, or the text parts of a list.
    fn texts(&mut self, index: usize, value: Id, call_id: Option<&str>) {
        self.text(index, value, call_id);
        for part in self.document.elements(value) {
            if let Some([Some(kind), Some(text)]) = self.document.fields(part, ["type", "text"])
                && self.document.string(kind).is_some_and(|kind| kind == "input_text")
            {
                self.text(index, text, call_id);
            }
        }
    }

    /// Adds a slot when the value is a string that has a text.
    fn text(&mut self, message: usize, value: Id, call_id: Option<&str>) {
        let Some(literal) = self.document.literal(value) else { return };
        self.slots.push(Slot {
            role: if call_id.is_some() { SlotRole::ToolResult } else { SlotRole::UserText },
            literal,
            span: self.document.span(value),
            message,
            call_id: call_id.map(str::to_owned),
            call: call_id.and_then(|id| self.calls.get(id)).cloned(),
            is_error: false,
        });
    }

    /// Remembers a call. Tools of the API's own have no name but that of their kind.
    fn call(&mut self, node: Id, id: &str, arguments: &str) -> Option<()> {
        let [name, arguments] = self.document.fields(node, ["name", arguments])?;
        let name = match name.and_then(|name| self.document.string(name)) {
            Some(name) => name.into_owned(),
            None => kind(self.document, node).trim_end_matches("_call").to_owned(),
        };
        let arguments = arguments.and_then(|value| match self.document.shape(value) {
            Shape::Null => None,
            Shape::String { .. } => self.document.literal(value).map(Arguments::Quoted),
            _ => Some(Arguments::Raw(self.document.bytes(value))),
        });
        self.calls.insert(id.to_owned(), Arc::new(Call { name, arguments }));
        Some(())
    }
}
