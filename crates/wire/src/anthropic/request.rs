//! Where text stands in a Messages request.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::Document;
use crate::request::{Arguments, Call, Message, Outline, Role, Slot, SlotRole, Tools};
use crate::scan::Id;

pub(crate) fn outline(document: &Document) -> Option<Outline> {
    let root = document.root()?;
    let [model, stream, messages, tools, metadata] =
        document.fields(root, ["model", "stream", "messages", "tools", "metadata"])?;
    let messages = messages.filter(|id| document.is_array(*id))?;
    let mut outline = Outline {
        model: model.and_then(|id| document.string(id)).map(String::from),
        stream: stream.is_some_and(|id| document.is_true(id)),
        session: metadata.and_then(|id| document.string_field(id, "user_id")).map(String::from),
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

struct Reader<'a> {
    document: &'a Document,
    /// The calls met so far, by identifier.
    calls: BTreeMap<String, Arc<Call>>,
    slots: Vec<Slot>,
}

impl Reader<'_> {
    fn message(&mut self, index: usize, node: Id) -> Option<Role> {
        let [role, content] = self.document.fields(node, ["role", "content"])?;
        let role = match self.document.string(role?)?.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::Instructions,
            _ => Role::Other,
        };
        let Some(content) = content else { return Some(role) };
        match role {
            Role::User => {
                self.text(index, content, None);
                for block in self.document.elements(content) {
                    self.user_block(index, block);
                }
            }
            Role::Assistant => {
                for block in self.document.elements(content) {
                    self.call(block);
                }
            }
            _ => {}
        }
        Some(role)
    }

    fn user_block(&mut self, index: usize, block: Id) -> Option<()> {
        let [kind, text, content, id, is_error] =
            self.document.fields(block, ["type", "text", "content", "tool_use_id", "is_error"])?;
        match self.document.string(kind?)?.as_ref() {
            "text" => self.text(index, text?, None),
            "tool_result" => {
                let id = self.document.string(id?)?.into_owned();
                let result = Result {
                    call: self.calls.get(&id).cloned(),
                    id,
                    is_error: is_error.is_some_and(|id| self.document.is_true(id)),
                };
                let content = content?;
                self.text(index, content, Some(&result));
                for part in self.document.elements(content) {
                    self.result_part(index, part, &result);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn result_part(&mut self, index: usize, part: Id, result: &Result) -> Option<()> {
        let [kind, text] = self.document.fields(part, ["type", "text"])?;
        if self.document.string(kind?)? == "text" {
            self.text(index, text?, Some(result));
        }
        Some(())
    }

    /// Adds a slot when the value is a string that has a text.
    fn text(&mut self, message: usize, value: Id, result: Option<&Result>) {
        let Some(literal) = self.document.literal(value) else { return };
        self.slots.push(Slot {
            role: if result.is_some() { SlotRole::ToolResult } else { SlotRole::UserText },
            literal,
            span: self.document.span(value),
            message,
            call_id: result.map(|result| result.id.clone()),
            call: result.and_then(|result| result.call.clone()),
            is_error: result.is_some_and(|result| result.is_error),
        });
    }

    /// Remembers a call of one of the client's tools.
    fn call(&mut self, block: Id) -> Option<()> {
        let [kind, id, name, input] = self.document.fields(block, ["type", "id", "name", "input"])?;
        if self.document.string(kind?)? == "tool_use" {
            let name = self.document.string(name?)?.into_owned();
            let arguments = input.map(|id| Arguments::Raw(self.document.bytes(id)));
            self.calls.insert(self.document.string(id?)?.into_owned(), Arc::new(Call { name, arguments }));
        }
        Some(())
    }
}

/// What a `tool_result` block says about its texts.
struct Result {
    id: String,
    call: Option<Arc<Call>>,
    is_error: bool,
}
