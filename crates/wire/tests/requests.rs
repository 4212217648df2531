//! Where text is found in a request, and that nothing else in it ever moves.

use headroom_testkit::corpus;
use headroom_testkit::generate::any_text;
use headroom_wire::{Dialect, Edit, Request, Role, SlotRole, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};

/// The texts of all slots: `role tool text`.
fn slots(request: &Request) -> Vec<String> {
    let line = |slot: &headroom_wire::Slot| {
        let role = match slot.role() {
            SlotRole::ToolResult => "result",
            SlotRole::UserText => "user",
        };
        let error = if slot.is_error() { "!" } else { "" };
        format!("{role}{error} {} {}", slot.tool().unwrap_or("-"), slot.text())
    };
    request.slots().iter().map(line).collect()
}

/// Replaces the whole text of one slot.
fn replace(request: &Request, slot: usize, replacement: &str) -> String {
    let range = 0..request.slots()[slot].text().len();
    let edit = Edit { slot, range, replacement: replacement.to_owned() };
    String::from_utf8(request.splice(&[edit], &[])).unwrap()
}

fn anthropic(messages: &Value) -> Request {
    parse(AnthropicMessages, json!({"model": "claude", "messages": messages}).to_string())
}

fn openai(messages: &Value) -> Request {
    parse(OpenAiChat, json!({"model": "gpt", "messages": messages}).to_string())
}

/// T001
#[test]
fn of_three_parallel_results_only_the_edited_one_changes() {
    let result = |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": text});
    let call = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {"q": id}});
    let request = anthropic(&json!([
        {"role": "assistant", "content": [call("a", "Grep"), call("b", "Bash"), call("c", "Read")]},
        {"role": "user", "content": [result("a", "one"), result("b", "two \"2\""), result("c", "three"), {"type": "text", "text": "go on"}]},
    ]));
    assert_eq!(slots(&request), ["result Grep one", "result Bash two \"2\"", "result Read three", "user - go on"]);
    assert_eq!(request.slots()[1].arguments(), Some(r#"{"q":"b"}"#));
    assert_eq!(request.slots()[1].call_id(), Some("b"));
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    assert_eq!(replace(&request, 1, "2\n"), body.replace(r#""two \"2\"""#, r#""2\n""#));
}

/// T002, T009
#[test]
fn images_in_results_are_no_slots() {
    let request = anthropic(&json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": {"type": "base64", "data": "aGk="}}]},
        {"type": "tool_result", "tool_use_id": "b", "content": "text"},
    ]}]));
    assert_eq!(slots(&request), ["result - text"]);
}

/// T003
#[test]
fn every_shape_of_result_content_is_understood() {
    let request = anthropic(&json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "content": "string"},
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
        {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "z"}, {"type": "image", "source": {}}]},
        {"type": "tool_result", "tool_use_id": "d", "content": []},
        {"type": "tool_result", "tool_use_id": "e"},
        {"type": "tool_result", "tool_use_id": "f", "content": null},
    ]}]));
    assert_eq!(slots(&request), ["result - string", "result - x", "result - y", "result - z"]);
    let request = openai(&json!([
        {"role": "tool", "tool_call_id": "a", "content": "string"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "text": "no"}]},
        {"role": "tool", "tool_call_id": "c", "content": []},
        {"role": "tool", "tool_call_id": "d", "content": null},
        {"role": "tool", "tool_call_id": "e"},
    ]));
    assert_eq!(slots(&request), ["result - string", "result - x"]);
}

/// T004
#[test]
fn an_error_result_says_so() {
    let request = anthropic(&json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": "trace"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": false, "content": "fine"},
    ]}]));
    assert_eq!(slots(&request), ["result! - trace", "result - fine"]);
}

/// T005
#[test]
fn a_call_without_a_result_is_forwarded_as_it_is() {
    let request = anthropic(&json!([
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "Bash", "input": {}}]},
        {"role": "user", "content": "stop"},
    ]));
    assert_eq!(slots(&request), ["user - stop"]);
    assert_eq!(request.splice(&[], &[]), *request.body());
}

/// T006, T007, T008
#[test]
fn resources_server_results_and_documents_are_opaque() {
    let request = anthropic(&json!([
        {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "text", "text": "no", "encrypted_content": "xx"}]},
        ]},
        {"role": "user", "content": [
            {"type": "document", "source": {"type": "text", "data": "no"}, "citations": {"enabled": true}},
            {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "no"}]},
            {"type": "container_upload", "file_id": "f"},
            {"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "resource", "resource": {"text": "<p>no</p>"}}, {"type": "search_result", "content": [{"type": "text", "text": "no"}]}]},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "text", "text": "no"}]},
        ]},
    ]));
    assert!(slots(&request).is_empty());
}

/// T010
#[test]
fn arguments_of_any_shape_are_tolerated() {
    let call = |id: &str, arguments: Value| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let request = openai(&json!([
        {"role": "assistant", "content": null, "tool_calls": [
            call("a", json!("{\"x\":1}")), call("b", Value::Null), call("c", json!({"x": 2})), call("d", json!("{broken")), {"id": 7}, null]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
        {"role": "tool", "tool_call_id": "d", "content": "4"},
        {"role": "tool", "tool_call_id": "unknown", "content": "5"},
    ]));
    assert_eq!(slots(&request), ["result f 1", "result f 2", "result f 3", "result f 4", "result - 5"]);
    let arguments: Vec<_> = request.slots().iter().map(|slot| slot.arguments()).collect();
    assert_eq!(arguments, [Some("{\"x\":1}"), None, Some("{\"x\":2}"), Some("{broken"), None]);
}

#[test]
fn legacy_functions_are_results_too() {
    let request = openai(&json!([
        {"role": "assistant", "content": null, "function_call": {"name": "lookup", "arguments": "{}"}},
        {"role": "function", "name": "lookup", "content": "found"},
    ]));
    assert_eq!(slots(&request), ["result lookup found"]);
}

/// T014
#[test]
fn unknown_tools_are_forwarded_and_known_names_listed() {
    let tools = json!([
        {"name": "Bash", "input_schema": {}, "input_examples": [{"a": 1}]},
        {"type": "custom", "name": "patch", "format": {"type": "grammar"}},
        {"type": "future"},
    ]);
    let request = parse(AnthropicMessages, json!({"tools": tools, "messages": []}).to_string());
    assert_eq!(request.tools().unwrap().names(), ["Bash", "patch"]);
    assert_eq!(&request.body()[request.tools().unwrap().span()], tools.to_string().as_bytes());
    assert_eq!(request.splice(&[], &[]), *request.body());
}

/// T015
#[test]
fn instructions_are_never_slots_wherever_they_stand() {
    let request = parse(
        AnthropicMessages,
        json!({"system": [{"type": "text", "text": "no"}], "messages": [
            {"role": "user", "content": "yes"}, {"role": "system", "content": "no"}, {"role": "user", "content": "too"}]})
        .to_string(),
    );
    assert_eq!(slots(&request), ["user - yes", "user - too"]);
    let roles: Vec<Role> = request.messages().iter().map(|message| message.role()).collect();
    assert_eq!(roles, [Role::User, Role::Instructions, Role::User]);
    let request = openai(&json!([
        {"role": "system", "content": "no"}, {"role": "developer", "content": [{"type": "text", "text": "no"}]},
        {"role": "assistant", "content": "no"}, {"role": "user", "content": [{"type": "text", "text": "yes"}]}]));
    assert_eq!(slots(&request), ["user - yes"]);
}

/// T016: the question can be kept while the payload before it is replaced.
#[test]
fn a_part_of_a_users_text_can_be_replaced_alone() {
    let text = "héllo\tlog\n\u{1f600} tail? \"why\"";
    let request = openai(&json!([{"role": "user", "content": text}]));
    let payload = text.find("log").unwrap()..text.find(" tail").unwrap();
    let edit = Edit { slot: 0, range: payload.clone(), replacement: "[…]".to_owned() };
    let body: Value = serde_json::from_slice(&request.splice(&[edit], &[])).unwrap();
    assert_eq!(body["messages"][0]["content"], "héllo\t[…] tail? \"why\"");
}

/// T017, T027, T028, T030
#[test]
fn cache_markers_stay_where_and_as_they_are() {
    let body = json!({
        "cache_control": {"type": "ephemeral"},
        "system": [{"type": "text", "text": " ", "cache_control": {"type": "ephemeral", "ttl": "5m", "scope": "global"}}],
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "tool_result", "tool_use_id": "a", "content": "x", "cache_control": {"type": "ephemeral"}}]}],
    })
    .to_string();
    let request = parse(AnthropicMessages, body.clone());
    assert_eq!(replace(&request, 1, "y"), body.replace("\"content\":\"x\"", "\"content\":\"y\""));
}

/// T018
#[test]
fn strange_numbers_keys_and_characters_survive_byte_for_byte() {
    let body = "{ \"big\" : 123456789012345678901234567890 , \"f\":1e400,\t\"z\":-0.0,\"dup\":1,\"dup\":2,\r\n\
        \"nul\":\"\\u0000\", \"lone\":\"\\ud83d\", \"esc\":\"\\/\\u00e9\", \"messages\":[ {\"content\" :\"edit me\",\"role\":\"us\\u0065r\",\"x\":1.50} ,\
        {\"role\":\"user\",\"content\":\"half \\udc00 pair\"}, {\"role\":\"user\",\"content\":\"twice\",\"content\":\"twice\"} ] }";
    for dialect in [AnthropicMessages, OpenAiChat] {
        let request = parse(dialect, body);
        assert_eq!(request.splice(&[], &[]), body.as_bytes());
        assert_eq!(slots(&request), ["user - edit me"], "half a pair and doubled keys make no slot");
        assert_eq!(replace(&request, 0, "\u{0}é\"\u{1b}"), body.replace("edit me", "\\u0000é\\\"\\u001b"));
    }
}

/// T018
#[test]
fn a_doubled_key_on_the_way_to_a_text_hides_the_text() {
    for body in [
        r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}"#,
        r#"{"messages":[{"role":"user","role":"system","content":"a"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","type":"image","text":"a"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","t\u0065xt":"b"}]}]}"#,
    ] {
        for dialect in [AnthropicMessages, OpenAiChat] {
            assert!(parse(dialect, body).slots().is_empty(), "{body}");
        }
    }
}

#[test]
fn what_is_no_request_has_no_slots_and_passes() {
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    let bodies: [&[u8]; 9] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{\"messages\":{}}",
        b"{\"messages\":[1,null,\"x\",{},{\"role\":1}]}",
        b"{\"messages\":[NaN]}",
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
        deep.as_bytes(),
    ];
    for body in bodies {
        for dialect in [AnthropicMessages, OpenAiChat] {
            let request = parse(dialect, body.to_vec());
            assert!(request.slots().is_empty() && request.splice(&[], &[]) == body);
        }
    }
}

/// T019, T020
#[test]
fn a_signed_message_stays_whole_while_a_later_result_changes() {
    let request = anthropic(&json!([
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "EqQB+/="}, {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "no"}, {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "ls"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "long output"}]},
    ]));
    assert_eq!(slots(&request), ["result Bash long output"]);
    let before = String::from_utf8(request.body()[request.messages()[0].span()].to_vec()).unwrap();
    assert!(replace(&request, 0, "short").contains(&before));
}

/// T023, T021: no flag, field or header is written by this crate.
#[test]
fn other_fields_pass_with_an_edit() {
    let body = json!({"stream": true, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}, "messages": [
        {"role": "user", "content": "x"}]});
    let request = parse(AnthropicMessages, body.to_string());
    assert!(request.stream());
    let mut edited: Value = serde_json::from_str(&replace(&request, 0, "y")).unwrap();
    edited["messages"][0]["content"] = json!("x");
    assert_eq!(edited, body);
}

#[test]
fn model_and_session_are_read() {
    let request = parse(AnthropicMessages, r#"{"model":"claude-x[1m]","metadata":{"user_id":"u_1"},"messages":[]}"#);
    assert_eq!((request.model(), request.session(), request.stream()), (Some("claude-x[1m]"), Some("u_1"), false));
    let request =
        parse(OpenAiChat, r#"{"model":"vendor/m:free","user":"u","prompt_cache_key":"k","messages":[],"stream":true}"#);
    assert_eq!((request.model(), request.session(), request.stream()), (Some("vendor/m:free"), Some("k"), true));
}

/// T026, T033
#[test]
fn our_tool_goes_last_and_marks_no_cache_breakpoint() {
    for (dialect, tools, expected) in [
        (
            AnthropicMessages,
            r#"[ {"name":"a","cache_control":{"type":"ephemeral"}} ]"#,
            Some(r#"[ {"name":"a","cache_control":{"type":"ephemeral"}},TOOL ]"#),
        ),
        (AnthropicMessages, "[ ]", Some("[TOOL ]")),
        (AnthropicMessages, r#"[{"name":"retrieve_original_content"}]"#, None),
        (AnthropicMessages, "null", None),
        (
            OpenAiChat,
            r#"[{"type":"function","function":{"name":"a"}}]"#,
            Some(r#"[{"type":"function","function":{"name":"a"}},TOOL]"#),
        ),
        (OpenAiChat, r#"[{"type":"function","function":{"name":"retrieve_original_content"}}]"#, None),
    ] {
        let body = format!(r#"{{"tools":{tools},"messages":[]}}"#);
        let request = parse(dialect, body.clone());
        let offered =
            request.offer_tool().map(|insertion| String::from_utf8(request.splice(&[], &[insertion])).unwrap());
        let expected = expected
            .map(|tools| format!(r#"{{"tools":{tools},"messages":[]}}"#).replace("TOOL", dialect.tool_definition()));
        assert_eq!(offered, expected, "{body}");
        if let Some(offered) = offered {
            let again = parse(dialect, offered);
            assert!(again.has_retrieval_tool() && again.offer_tool().is_none());
            assert_eq!(dialect.tool_definition().matches("cache_control").count(), 0);
        }
    }
    assert!(parse(AnthropicMessages, r#"{"messages":[]}"#).offer_tool().is_none());
    assert!(parse(OpenAiChat, r#"{"n":2,"tools":[],"messages":[]}"#).offer_tool().is_none());
}

#[test]
fn our_tool_definition_is_frozen_and_small() {
    for dialect in Dialect::ALL {
        let definition: Value = serde_json::from_str(dialect.tool_definition()).unwrap();
        let tokens = headroom_tokens::Tokenizer::O200k.count(dialect.tool_definition());
        assert!(tokens <= 130, "{dialect}: {tokens} tokens");
        assert_eq!(definition.get("function").unwrap_or(&definition)["name"], headroom_wire::TOOL_NAME);
    }
}

#[test]
fn edits_that_do_not_fit_are_left_out() {
    let request = openai(&json!([{"role": "user", "content": "aéb"}]));
    let edit = |slot, range, text: &str| Edit { slot, range, replacement: text.to_owned() };
    let spliced = request.splice(
        &[
            edit(0, 2..3, "x"),
            edit(0, 0..9, "x"),
            edit(7, 0..0, "x"),
            edit(0, 3..4, "B"),
            edit(0, 3..4, "C"),
            edit(0, 0..1, "A"),
        ],
        &[],
    );
    assert_eq!(String::from_utf8(spliced).unwrap(), r#"{"model":"gpt","messages":[{"role":"user","content":"AéB"}]}"#);
    // The whole text is not replaced beside a part of it.
    let spliced = request.splice(&[edit(0, Edit::WHOLE, "all"), edit(0, 3..4, "B")], &[]);
    assert_eq!(String::from_utf8(spliced).unwrap(), r#"{"model":"gpt","messages":[{"role":"user","content":"aéB"}]}"#);
    let spliced = request.splice(&[edit(0, Edit::WHOLE, "all")], &[]);
    assert_eq!(String::from_utf8(spliced).unwrap(), r#"{"model":"gpt","messages":[{"role":"user","content":"all"}]}"#);
}

/// Spells a JSON value with white space and escapes that no serialiser would choose.
fn spell(value: &Value, odd: &mut impl FnMut() -> usize, out: &mut String) {
    let space = |odd: &mut dyn FnMut() -> usize, out: &mut String| out.push_str(["", " ", "\n\t", "\r\n "][odd() % 4]);
    space(odd, out);
    match value {
        Value::String(text) => {
            out.push('"');
            for c in text.chars() {
                if odd().is_multiple_of(5) || c < ' ' || c == '"' || c == '\\' {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
                } else {
                    out.push(c);
                }
            }
            out.push('"');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                spell(item, odd, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (place, (key, item)) in members.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                spell(&Value::String(key.clone()), odd, out);
                out.push(':');
                spell(item, odd, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    space(odd, out);
}

/// A request in which the user says these texts in one message.
fn user_texts(dialect: Dialect, texts: &[String]) -> Value {
    match dialect {
        OpenAiResponses => {
            let parts: Vec<Value> = texts.iter().map(|text| json!({"type": "input_text", "text": text})).collect();
            json!({"input": [{"role": "user", "content": parts}], "n": 1.50})
        }
        Gemini => {
            let parts: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
            json!({"contents": [{"role": "user", "parts": parts}], "n": 1.50})
        }
        _ => {
            let parts: Vec<Value> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
            json!({"messages": [{"role": "user", "content": parts}], "n": 1.50})
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Splice: whatever the spelling, an edit changes its slot's text and leaves every byte outside the range.
    #[test]
    fn an_edit_changes_only_its_slot(
        texts in prop::collection::vec(any_text(), 1..4),
        replacement in any_text(),
        picks in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        seed in any::<usize>(),
    ) {
        let mut state = seed;
        let mut odd = || { state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); state >> 33 };
        for dialect in Dialect::ALL.iter().copied() {
            let mut body = String::new();
            spell(&user_texts(dialect, &texts), &mut odd, &mut body);
            let request = parse(dialect, body.clone());
            prop_assert_eq!(request.slots().len(), texts.len());
            prop_assert_eq!(request.splice(&[], &[]), body.as_bytes());
            let slot = picks.0.index(texts.len());
            let text = &texts[slot];
            let boundary = |index: usize| (0..=index).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let (a, b) = (boundary(picks.1.index(text.len() + 1)), boundary(picks.2.index(text.len() + 1)));
            let range = a.min(b)..a.max(b);
            let spliced = request.splice(&[Edit { slot, range: range.clone(), replacement: replacement.clone() }], &[]);
            let span = request.slots()[slot].span();
            prop_assert_eq!(&spliced[..span.start], &body.as_bytes()[..span.start]);
            prop_assert!(spliced.ends_with(&body.as_bytes()[span.end..]));
            let again = parse(dialect, spliced);
            for (place, before) in texts.iter().enumerate() {
                let mut expected = before.clone();
                if place == slot {
                    expected.replace_range(range.clone(), &replacement);
                }
                prop_assert_eq!(again.slots()[place].text(), &expected);
            }
        }
    }

    #[test]
    fn any_bytes_are_accepted_and_returned(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for dialect in Dialect::ALL {
            prop_assert_eq!(parse(*dialect, bytes.clone()).splice(&[], &[]), bytes.clone());
        }
    }
}

/// Every request of the recorded traffic and of the conversations, as JSON text.
#[allow(clippy::print_stderr)] // A test that skips something says so.
fn recorded() -> Vec<(Dialect, String)> {
    let mut found = Vec::new();
    for dialect in Dialect::ALL {
        let folder = corpus::repository().join("corpus/requests").join(dialect.name());
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        found.extend(entries.map(|entry| (*dialect, std::fs::read_to_string(entry.path()).unwrap())));
    }
    assert!(found.len() > 10, "the repository has recorded requests");
    let own = found.len();
    for path in corpus::files("provider_traffic").into_iter().chain(corpus::files("conversations")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            let body = if entry["request"].is_object() { entry["request"].to_string() } else { line.to_owned() };
            found.extend(Dialect::ALL.iter().map(|dialect| (*dialect, body.clone())));
        }
    }
    if found.len() == own {
        eprintln!("the full corpus is not here: recorded requests skipped");
    }
    found
}

#[test]
fn recorded_requests_pass_and_only_their_slots_change() {
    let mut slots = 0;
    let recorded = recorded();
    for (dialect, body) in &recorded {
        let request = parse(*dialect, body.clone());
        assert_eq!(request.splice(&[], &[]), body.as_bytes());
        slots += request.slots().len();
        let mut reached = 0;
        let mut expected = String::new();
        for slot in request.slots() {
            let literal = &body[slot.span()];
            assert_eq!(serde_json::from_str::<String>(literal).unwrap(), slot.text());
            expected.push_str(&body[reached..slot.span().start]);
            expected.push_str("\"-\"");
            reached = slot.span().end;
        }
        expected.push_str(&body[reached..]);
        let whole = |(index, slot): (usize, &headroom_wire::Slot)| Edit {
            slot: index,
            range: 0..slot.text().len(),
            replacement: "-".into(),
        };
        let edits: Vec<Edit> = request.slots().iter().enumerate().map(whole).collect();
        assert_eq!(String::from_utf8(request.splice(&edits, &[])).unwrap(), expected);
        // The same before anything is decoded.
        let unread = parse(request.dialect(), body.clone());
        let edits: Vec<Edit> = edits.into_iter().map(|edit| Edit { range: Edit::WHOLE, ..edit }).collect();
        assert_eq!(String::from_utf8(unread.splice(&edits, &[])).unwrap(), expected);
    }
    assert!(slots > recorded.len() / 2, "{slots} slots in {} requests", recorded.len());
}

#[test]
fn hostile_json_is_judged_and_returned_unchanged() {
    for path in corpus::files("malformed") {
        let bytes = std::fs::read(&path).unwrap();
        for dialect in [AnthropicMessages, OpenAiChat] {
            let request = parse(dialect, bytes.clone());
            assert!(request.splice(&[], &[]) == bytes, "{}", path.display());
            let wrapped = [br#"{"messages":[{"role":"user","content":"x"}],"extra":"#, bytes.as_slice(), b"}"].concat();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let slots = parse(dialect, wrapped).slots().len();
            if name.starts_with("y_") {
                assert_eq!(slots, 1, "{name}");
            } else if name.starts_with("n_") && !name.contains("trailing") && !name.contains("structure") {
                assert_eq!(slots, 0, "{name}");
            }
        }
    }
}
