//! Standing in front of another MCP server: what its tools return gets shorter, all else passes byte for byte.
//!
//! [`Relay`] does no input or output; [`crate::wrap`] runs a server over stdin and stdout with one. Messages are lines of JSON-RPC 2.0, as the
//! stdio transport of MCP has them. A batch (an array; out of the protocol since version 2025-06-18) passes as it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headroom::{Engine, Kinds, ToolCall, compress_tool_result};
use headroom_store::Scope;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::roots::Roots;
use crate::server::tool;
use crate::tools::{RETRIEVE, Workplace};

/// Calls that may be open at a time and still have their results shortened. A server that answers none of so many is not waited for.
const MOST_OPEN: usize = 4096;

/// What the client waits for.
enum Asked {
    /// The list of tools.
    Tools,
    /// A tool's result.
    Call { tool: String, arguments: Option<String> },
}

/// What is known of one client's conversation with one server.
pub(crate) struct Relay {
    workplace: Workplace,
    /// By the request's id as it is written.
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    asked: HashMap<String, Asked>,
    /// Whether the client was shown the tool that reads originals back. Until then nothing is left out.
    offered: bool,
}

/// The parts of a message that are looked at; strings and numbers stay as they are written.
#[derive(Deserialize)]
struct Message<'m> {
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'m, str>>,
    #[serde(borrow)]
    params: Option<&'m RawValue>,
    #[serde(borrow)]
    result: Option<&'m RawValue>,
}

#[derive(Deserialize)]
struct CallParams<'m> {
    #[serde(borrow)]
    name: Cow<'m, str>,
    #[serde(borrow)]
    arguments: Option<&'m RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelParams<'m> {
    #[serde(borrow)]
    request_id: &'m RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'m> {
    #[serde(borrow, default)]
    content: Vec<&'m RawValue>,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
struct Content<'m> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'m, str>,
    #[serde(borrow)]
    text: Option<&'m RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolList<'m> {
    #[serde(borrow)]
    tools: &'m RawValue,
    next_cursor: Option<Value>,
}

#[derive(Deserialize)]
struct Named<'m> {
    #[serde(borrow)]
    name: Cow<'m, str>,
}

impl Relay {
    pub(crate) fn new(engine: Engine, scope: Scope, kinds: Kinds) -> Self {
        let roots = Roots::default().into();
        let workplace = Workplace { engine, scope, roots, kinds, agent: String::new(), memory: None, witness: None };
        Self { workplace, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client waits for an answer that the server may still give.
    pub(crate) fn is_asked(&self) -> bool {
        !self.open().asked.is_empty()
    }

    /// Takes note of a line of the client's. Gives the answer where it is for us, and not for the server.
    pub(crate) fn hear_client(&self, line: &[u8]) -> Option<Vec<u8>> {
        let message: Message<'_> = serde_json::from_slice(line).ok()?;
        let method = message.method.as_deref()?;
        if method == "notifications/cancelled" {
            let cancelled: CancelParams<'_> = serde_json::from_str(message.params?.get()).ok()?;
            self.open().asked.remove(cancelled.request_id.get());
            return None;
        }
        let id = message.id?.get();
        let asked = match method {
            "tools/list" => Asked::Tools,
            "tools/call" => {
                let call: CallParams<'_> = serde_json::from_str(message.params?.get()).ok()?;
                if call.name == RETRIEVE.name && self.open().offered {
                    return Some(self.answer(id, call.arguments));
                }
                let arguments = call.arguments.map(|arguments| arguments.get().to_owned());
                Asked::Call { tool: call.name.into_owned(), arguments }
            }
            _ => return None,
        };
        let mut open = self.open();
        if open.asked.len() < MOST_OPEN {
            open.asked.insert(id.to_owned(), asked);
        }
        None
    }

    /// Reads an original back.
    fn answer(&self, id: &str, arguments: Option<&RawValue>) -> Vec<u8> {
        let arguments: Map<String, Value> =
            arguments.and_then(|arguments| serde_json::from_str(arguments.get()).ok()).unwrap_or_default();
        let (text, is_error) = match (RETRIEVE.run)(&self.workplace, arguments) {
            Ok(output) => (output.text, false),
            Err(sentence) => (sentence, true),
        };
        let result = json!({"content": [{"type": "text", "text": text}], "isError": is_error});
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n").into_bytes()
    }

    /// A line of the server's as the client is to read it.
    pub(crate) fn hear_server<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        match catch_unwind(AssertUnwindSafe(|| self.edit(line))) {
            Ok(Some(edited)) => Cow::Owned(edited),
            // Whatever went wrong, the server's own line is right.
            Ok(None) | Err(_) => Cow::Borrowed(line),
        }
    }

    fn edit(&self, line: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(line).ok()?;
        let message: Message<'_> = serde_json::from_str(text).ok()?;
        if message.method.is_some() {
            return None;
        }
        let (asked, offered) = {
            let mut open = self.open();
            (open.asked.remove(message.id?.get())?, open.offered)
        };
        let result = message.result?.get();
        let edits = match asked {
            Asked::Tools => self.offer(result)?,
            Asked::Call { tool, arguments } => self.shorten(&tool, arguments.as_deref(), result, offered)?,
        };
        Some(splice(text, &edits))
    }

    /// Puts the tool that reads originals back behind the last of the server's tools.
    fn offer<'m>(&self, result: &'m str) -> Option<Vec<(&'m str, String)>> {
        let list: ToolList<'_> = serde_json::from_str(result).ok()?;
        let names: Vec<Named<'_>> = serde_json::from_str(list.tools.get()).ok()?;
        if names.iter().any(|tool| tool.name == RETRIEVE.name) {
            // The server has one of its own, which is asked: nothing of ours may be behind that name.
            self.open().offered = false;
            return None;
        }
        if list.next_cursor.is_some_and(|cursor| !cursor.is_null()) {
            return None;
        }
        let spec = serde_json::to_string(&tool(&RETRIEVE)).ok()?;
        let bracket = &list.tools.get()[list.tools.get().len() - 1..];
        let comma = if names.is_empty() { "" } else { "," };
        self.open().offered = true;
        Some(vec![(bracket, format!("{comma}{spec}]"))])
    }

    /// The texts of a result that get shorter.
    fn shorten<'m>(
        &self,
        tool: &str,
        arguments: Option<&str>,
        result: &'m str,
        offered: bool,
    ) -> Option<Vec<(&'m str, String)>> {
        let result: CallResult<'_> = serde_json::from_str(result).ok()?;
        let Workplace { engine, scope, kinds, .. } = &self.workplace;
        let mut edits = Vec::new();
        for content in &result.content {
            let Ok(Content { kind, text: Some(written) }) = serde_json::from_str(content.get()) else { continue };
            let Some(text) = (kind == "text").then(|| serde_json::from_str::<String>(written.get()).ok()).flatten()
            else {
                continue;
            };
            let keep = offered.then_some((engine, scope));
            let call = ToolCall { tool, arguments, exit_code: None, is_error: result.is_error };
            let shorter = compress_tool_result(kinds, &call, &text, keep);
            if shorter.tokens_after < shorter.tokens_before {
                edits.push((written.get(), serde_json::to_string(&shorter.text).ok()?));
            }
        }
        (!edits.is_empty()).then_some(edits)
    }
}

/// The text with parts of itself replaced. The parts are in order.
fn splice(text: &str, edits: &[(&str, String)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for (part, replacement) in edits {
        // A part is a slice of the text, so that its address says where it stands.
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        out.extend_from_slice(&text.as_bytes()[done..start]);
        out.extend_from_slice(replacement.as_bytes());
        done = start + part.len();
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
    out
}

#[cfg(test)]
mod tests {
    use headroom_store::Store;

    use super::*;

    fn relay() -> Relay {
        Relay::new(Engine::new(Store::memory()), Scope::default(), Kinds::DEFAULT)
    }

    /// Sends a request, and gives the server's answer as the client reads it.
    fn exchange(relay: &Relay, id: &str, method: &str, params: &Value, result: &str) -> String {
        let request = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n");
        assert_eq!(relay.hear_client(request.as_bytes()), None);
        let answer = format!("{{ \"jsonrpc\": \"2.0\", \"result\" : {result}, \"id\": {id}, \"x\": 1.0e5 }}\n");
        String::from_utf8(relay.hear_server(answer.as_bytes()).into_owned()).unwrap()
    }

    fn rows() -> String {
        let row = |n: usize| json!({"id": n, "state": "running", "zone": "eu-1", "note": if n == 77 { "disk is failing" } else { "" }});
        Value::Array((0..300).map(row).collect()).to_string()
    }

    fn list(relay: &Relay) -> String {
        exchange(relay, "1", "tools/list", &json!({}), r#"{"tools":[{"name":"list_machines","inputSchema":{}} ]}"#)
    }

    #[test]
    fn results_get_shorter_and_are_read_back() {
        let relay = relay();
        assert!(list(&relay).contains(r#"{"name":"list_machines","inputSchema":{}} ,{"#));
        let text = rows();
        let result =
            json!({"content": [{"type": "text", "text": text}, {"type": "image", "data": "AA=="}], "isError": false});
        let answer = exchange(&relay, "\"a\"", "tools/call", &json!({"name": "list_machines"}), &result.to_string());
        assert!(
            answer.starts_with("{ \"jsonrpc\": \"2.0\", \"result\" : ")
                && answer.ends_with(", \"id\": \"a\", \"x\": 1.0e5 }\n")
        );
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["result"]["content"][1], result["content"][1]);
        let shown = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(shown.len() * 2 < text.len() && shown.contains("disk is failing"), "{shown}");
        let Some(at) = shown.rfind("hr_") else { panic!("nothing was left out: {shown}") };
        let handle: String = shown[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let call = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": RETRIEVE.name, "arguments": {"content_id": handle, "pattern": "\"id\":123"}}});
        let read = relay.hear_client(call.to_string().as_bytes()).unwrap();
        let read: Value = serde_json::from_slice(&read).unwrap();
        assert!(
            read["id"] == 9 && read["result"]["content"][0]["text"].as_str().unwrap().contains("\"id\":123"),
            "{read}"
        );
    }

    #[test]
    fn nothing_is_left_out_where_it_could_not_be_read_back() {
        let text = rows();
        let result = json!({"content": [{"type": "text", "text": text}]}).to_string();
        let call = |relay: &Relay| {
            let answer = exchange(relay, "2", "tools/call", &json!({"name": "list_machines"}), &result);
            let answer: Value = serde_json::from_str(&answer).unwrap();
            answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
        };
        // The client has not asked for the tools.
        assert!(!call(&relay()).contains("hr_"));
        // The server has a tool of that name.
        let relay = relay();
        let own = format!(r#"{{"tools":[{{"name":"{}"}}]}}"#, RETRIEVE.name);
        assert!(exchange(&relay, "1", "tools/list", &json!({}), &own).contains(&own));
        assert!(!call(&relay).contains("hr_"));
    }

    #[test]
    fn the_tool_is_added_to_the_last_page_only() {
        let relay = relay();
        let first = r#"{"tools":[{"name":"a"}],"nextCursor":"2"}"#;
        assert!(exchange(&relay, "1", "tools/list", &json!({}), first).contains(first));
        let last = exchange(&relay, "2", "tools/list", &json!({"cursor": "2"}), r#"{"tools":[ ],"nextCursor":null}"#);
        assert!(last.contains(&format!(r#"{{"tools":[ {{"name":"{}""#, RETRIEVE.name)), "{last}");
    }

    #[test]
    fn everything_else_passes_byte_for_byte() {
        let relay = relay();
        list(&relay);
        let text = json!(rows()).to_string();
        for line in [
            "not JSON\n".to_owned(),
            "\n".to_owned(),
            format!(
                "[{{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}}}]\n"
            ),
            // Nobody asked.
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}}}\n"
            ),
            "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"roots/list\"}\n".to_owned(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n".to_owned(),
        ] {
            assert_eq!(relay.hear_server(line.as_bytes()), line.as_bytes());
            assert_eq!(relay.hear_client(line.as_bytes()), None);
        }
        let failed = r#"{"content":[{"type":"text","text":"short"},{"type":"text"},7]}"#;
        assert!(exchange(&relay, "6", "tools/call", &json!({"name": "x"}), failed).contains(failed));
    }

    #[test]
    fn a_cancelled_call_is_forgotten() {
        let relay = relay();
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "x", "arguments": {}}});
        relay.hear_client(call.to_string().as_bytes());
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
        relay.hear_client(cancel.to_string().as_bytes());
        assert!(relay.open().asked.is_empty());
    }

    #[test]
    fn a_file_that_may_be_edited_stays() {
        let relay = relay();
        list(&relay);
        let text = rows();
        let result = json!({"content": [{"type": "text", "text": text}]}).to_string();
        let asked = json!({"name": "read_text_file", "arguments": {"path": "machines.json"}});
        assert!(exchange(&relay, "8", "tools/call", &asked, &result).contains(&json!(text).to_string()));
    }
}
