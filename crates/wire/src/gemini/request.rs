//! Where text stands in a Gemini request.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{call_of, either};
use crate::document::Document;
use crate::request::{Arguments, Call, Message, Outline, Role, Slot, SlotRole, Tools};
use crate::scan::{Id, Shape};

pub(super) fn outline(document: &Document) -> Option<Outline> {
    let root = document.root()?;
    let [contents, tools] = document.fields(root, ["contents", "tools"])?;
    let contents = contents.filter(|id| document.is_array(*id))?;
    let mut outline = Outline {
        unanswerable: !may_call(document, root),
        tools: tools.and_then(|id| self::tools(document, id)),
        messages_span: Some(document.span(contents)),
        ..Outline::default()
    };
    // Other tools than functions cannot stand beside functions with every model; a client that has none gets none.
    outline.unanswerable |= outline.tools.as_ref().is_some_and(|tools| tools.last_end.is_none());
    let mut reader = Reader { document, calls: Calls::default(), slots: Vec::new() };
    for (index, node) in document.elements(contents).enumerate() {
        let role = reader.content(index, node).unwrap_or(Role::Other);
        outline.messages.push(Message { role, span: document.span(node), node });
    }
    outline.slots = reader.slots;
    Some(outline)
}

/// Whether the model could call a function more, and its answer be told from others.
fn may_call(document: &Document, root: Id) -> bool {
    // Cached content brings its own tools, and a request with it may not bring any.
    let cached = either(document, root, "cachedContent", "cached_content");
    let generation = either(document, root, "generationConfig", "generation_config");
    let candidates = generation.and_then(|config| either(document, config, "candidateCount", "candidate_count"));
    let config = either(document, root, "toolConfig", "tool_config")
        .and_then(|config| either(document, config, "functionCallingConfig", "function_calling_config"));
    let allowed = config.and_then(|config| either(document, config, "allowedFunctionNames", "allowed_function_names"));
    let mode = config.and_then(|config| document.string_field(config, "mode"));
    cached.is_none()
        && candidates.is_none_or(|count| document.raw(count) == "1")
        && allowed.is_none()
        && mode.is_none_or(|mode| mode != "NONE")
}

/// The functions of all tools; one more goes behind the last of them, because not every model takes two lists.
fn tools(document: &Document, array: Id) -> Option<Tools> {
    if !document.is_array(array) {
        return None;
    }
    let lists = document
        .elements(array)
        .filter_map(|tool| either(document, tool, "functionDeclarations", "function_declarations"));
    let functions: Vec<Id> = lists.flat_map(|list| document.elements(list)).collect();
    let names = functions.iter().filter_map(|function| document.string_field(*function, "name")).map(String::from);
    Some(Tools {
        names: names.collect(),
        span: document.span(array),
        last_end: functions.last().map(|function| document.span(*function).end),
    })
}

/// The calls that wait for their results.
#[derive(Default)]
struct Calls {
    by_id: BTreeMap<String, Arc<Call>>,
    /// Those without an identifier: results of functions with one name come in the order of the calls.
    by_name: BTreeMap<String, VecDeque<Arc<Call>>>,
}

struct Reader<'a> {
    document: &'a Document,
    calls: Calls,
    slots: Vec<Slot>,
}

impl Reader<'_> {
    fn content(&mut self, index: usize, node: Id) -> Option<Role> {
        let [role, parts] = self.document.fields(node, ["role", "parts"])?;
        let role = match role {
            None => Role::User,
            Some(role) => match self.document.string(role)?.as_ref() {
                "user" => Role::User,
                "model" => Role::Assistant,
                "function" | "tool" => Role::Tool,
                "system" => Role::Instructions,
                _ => Role::Other,
            },
        };
        let parts: Vec<Id> = parts.into_iter().flat_map(|parts| self.document.elements(parts)).collect();
        match role {
            Role::User | Role::Tool => {
                for part in parts {
                    self.said(index, part);
                }
            }
            Role::Assistant => {
                let calls: Vec<Id> = parts.iter().filter_map(|part| call_of(self.document, *part)).collect();
                if !calls.is_empty() {
                    self.calls.by_name.clear();
                }
                for call in calls {
                    self.called(call);
                }
            }
            _ => {}
        }
        Some(role)
    }

    /// A part of what the client says: the user's text, or the result of a function.
    fn said(&mut self, index: usize, part: Id) -> Option<()> {
        let document = self.document;
        let [text, thought, signature] = document.fields(part, ["text", "thought", "thoughtSignature"])?;
        if let Some(text) = text.filter(|_| thought.is_none() && signature.is_none()) {
            self.text(index, text, None);
        }
        let result = either(document, part, "functionResponse", "function_response")?;
        let [id, name, response] = document.fields(result, ["id", "name", "response"])?;
        let name = document.string(name?)?.into_owned();
        let id = id.and_then(|id| document.string(id)).map(String::from);
        let waiting = |calls: &mut Calls| calls.by_name.get_mut(&name).and_then(VecDeque::pop_front);
        let call = id.as_ref().and_then(|id| self.calls.by_id.get(id).cloned()).or_else(|| waiting(&mut self.calls));
        let call = call.unwrap_or_else(|| Arc::new(Call { name: name.clone(), arguments: None }));
        // A structured result stays as it is: only texts in it can be replaced by texts.
        let response = response?;
        for (key, value) in document.members(response) {
            // A key that stands twice has no one meaning.
            let Some(key) = document.string(key).filter(|key| document.field(response, key).is_some()) else {
                continue;
            };
            let result = Result {
                id: id.clone().unwrap_or_else(|| name.clone()),
                call: Arc::clone(&call),
                is_error: key == "error",
            };
            self.text(index, value, Some(&result));
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
            call: result.map(|result| Arc::clone(&result.call)),
            is_error: result.is_some_and(|result| result.is_error),
        });
    }

    /// Remembers a call of one of the client's functions.
    fn called(&mut self, call: Id) -> Option<()> {
        let [id, name, args] = self.document.fields(call, ["id", "name", "args"])?;
        let name = self.document.string(name?)?.into_owned();
        let arguments = args.filter(|args| self.document.shape(*args) == Shape::Object);
        let arguments = arguments.map(|args| Arguments::Raw(self.document.bytes(args)));
        let call = Arc::new(Call { name: name.clone(), arguments });
        match id.and_then(|id| self.document.string(id)) {
            Some(id) => drop(self.calls.by_id.insert(id.into_owned(), call)),
            None => self.calls.by_name.entry(name).or_default().push_back(call),
        }
        Some(())
    }
}

/// What a function response says about its texts.
struct Result {
    id: String,
    call: Arc<Call>,
    is_error: bool,
}
