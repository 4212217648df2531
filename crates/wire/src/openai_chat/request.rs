//! Where text stands in a Chat Completions request.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::Document;
use crate::request::{Arguments, Call, Message, Outline, Role, Slot, SlotRole, Tools};
use crate::scan::{Id, Shape};

pub(crate) fn outline(document: &Document) -> Option<Outline> {
    let root = document.root()?;
    let [model, stream, messages, tools, user, cache_key, choices] =
        document.fields(root, ["model", "stream", "messages", "tools", "user", "prompt_cache_key", "n"])?;
    let messages = messages.filter(|id| document.is_array(*id))?;
    let text = |id: Option<Id>| id.and_then(|id| document.string(id)).map(String::from);
    let mut outline = Outline {
        model: text(model),
        stream: stream.is_some_and(|id| document.is_true(id)),
        session: text(cache_key).or_else(|| text(user)),
        unanswerable: choices.is_some_and(|id| !matches!(document.raw(id), "1" | "null")),
        tools: tools.and_then(|id| self::tools(document, id)),
        messages_span: Some(document.span(messages)),
        ..Outline::default()
    };
    let mut reader = Reader { document, calls: BTreeMap::new(), slots: Vec::new() };
    for (index, node) in document.elements(messages).enumerate() {
        let role = reader.message(index, node).unwrap_or(Role::Other);
        outline.messages.push(Message { role, span: document.span(node), node });
    }
    outline.slots = reader.slots;
    Some(outline)
}

fn tools(document: &Document, array: Id) -> Option<Tools> {
    let name = |tool| document.string_field(document.field(tool, "function").unwrap_or(tool), "name");
    document.is_array(array).then(|| Tools {
        names: document.elements(array).filter_map(name).map(String::from).collect(),
        span: document.span(array),
        last_end: document.elements(array).last().map(|tool| document.span(tool).end),
    })
}

struct Reader<'a> {
    document: &'a Document,
    /// The calls met so far, by identifier; a legacy function call has none and is known by its name.
    calls: BTreeMap<String, Arc<Call>>,
    slots: Vec<Slot>,
}

impl Reader<'_> {
    fn message(&mut self, index: usize, node: Id) -> Option<Role> {
        let [role, content, id, name, calls, legacy_call] =
            self.document.fields(node, ["role", "content", "tool_call_id", "name", "tool_calls", "function_call"])?;
        let text = |id: Option<Id>| id.and_then(|id| self.document.string(id)).map(String::from);
        match self.document.string(role?)?.as_ref() {
            "user" => {
                self.texts(index, content, SlotRole::UserText, None);
                Some(Role::User)
            }
            "tool" => {
                self.texts(index, content, SlotRole::ToolResult, text(id).as_deref());
                Some(Role::Tool)
            }
            "function" => {
                self.texts(index, content, SlotRole::ToolResult, text(name).as_deref());
                Some(Role::Tool)
            }
            "assistant" => {
                for call in calls.into_iter().flat_map(|calls| self.document.elements(calls)) {
                    if let Some(id) = self.document.string_field(call, "id").map(String::from) {
                        self.document.field(call, "function").and_then(|function| self.call(function, Some(id)));
                    }
                }
                legacy_call.and_then(|function| self.call(function, None));
                Some(Role::Assistant)
            }
            "system" | "developer" => Some(Role::Instructions),
            _ => Some(Role::Other),
        }
    }

    /// The texts of a message's content: one string, or the text parts of a list.
    fn texts(&mut self, index: usize, content: Option<Id>, role: SlotRole, call_id: Option<&str>) {
        let Some(content) = content else { return };
        self.text(index, content, role, call_id);
        for part in self.document.elements(content) {
            if let Some([Some(kind), Some(text)]) = self.document.fields(part, ["type", "text"])
                && self.document.string(kind).is_some_and(|kind| kind == "text")
            {
                self.text(index, text, role, call_id);
            }
        }
    }

    /// Adds a slot when the value is a string that has a text.
    fn text(&mut self, message: usize, value: Id, role: SlotRole, call_id: Option<&str>) {
        let Some(literal) = self.document.literal(value) else { return };
        self.slots.push(Slot {
            role,
            literal,
            span: self.document.span(value),
            message,
            call_id: call_id.map(str::to_owned),
            call: call_id.and_then(|id| self.calls.get(id)).cloned(),
            is_error: false,
        });
    }

    /// Remembers a call of one of the client's tools.
    fn call(&mut self, function: Id, id: Option<String>) -> Option<()> {
        let [name, arguments] = self.document.fields(function, ["name", "arguments"])?;
        let name = self.document.string(name?)?.into_owned();
        let arguments = arguments.and_then(|value| match self.document.shape(value) {
            Shape::Null => None,
            Shape::String { .. } => self.document.literal(value).map(Arguments::Quoted),
            _ => Some(Arguments::Raw(self.document.bytes(value))),
        });
        self.calls.insert(id.unwrap_or_else(|| name.clone()), Arc::new(Call { name, arguments }));
        Some(())
    }
}
