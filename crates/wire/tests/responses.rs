//! OpenAI Responses: where text is found, and turns with retrievals as a client and an upstream see them.

mod common;

use bytes::Bytes;
use headroom_testkit::corpus;
use headroom_wire::{Answer, Dialect, Edit, Exchange, Limits, Request, Step, Turn, Usage, parse};
use serde_json::{Value, json};

use Dialect::OpenAiResponses;
use common::{Outcome, Upstream, events, play, stream};

const TOOL: &str = headroom_wire::TOOL_NAME;

/// The texts of all slots with the tool they came from.
fn slots(body: &Value) -> Vec<(String, String)> {
    let request = parse(OpenAiResponses, body.to_string());
    let tool = |slot: &headroom_wire::Slot| match slot.role() {
        headroom_wire::SlotRole::UserText => "user".to_owned(),
        headroom_wire::SlotRole::ToolResult => slot.tool().unwrap_or("-").to_owned(),
    };
    request.slots().iter().map(|slot| (tool(slot), slot.text().to_owned())).collect()
}

#[track_caller]
fn check(input: &Value, expected: &[(&str, &str)]) {
    let owned: Vec<_> = expected.iter().map(|(tool, text)| ((*tool).to_owned(), (*text).to_owned())).collect();
    assert_eq!(slots(&json!({"model": "gpt-5", "instructions": "no", "input": input})), owned);
}

#[test]
fn user_text_is_found_however_it_is_spelled() {
    check(&json!("a question"), &[("user", "a question")]);
    check(
        &json!([
            {"role": "user", "content": "easy"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "part"}, {"type": "input_image", "image_url": "no"}]},
            {"role": "developer", "content": "no"}, {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "no"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "no"}]}, {"role": "assistant", "content": "no"},
            {"type": "future", "role": "user", "content": "no"}, {"type": 7, "role": "user", "content": "no"},
        ]),
        &[("user", "easy"), ("user", "part")],
    );
}

/// T011
#[test]
fn results_are_found_with_the_calls_they_belong_to() {
    check(
        &json!([
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "no"}], "encrypted_content": "gAAA+/="},
            {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "shell", "arguments": "{\"command\":[\"ls\"]}"},
            {"type": "custom_tool_call", "call_id": "b", "name": "apply_patch", "input": "*** Begin"},
            {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "action": {"type": "exec", "command": ["cat", "x"]}},
            {"type": "shell_call", "call_id": "d", "action": {"commands": ["pwd"]}},
            {"type": "function_call_output", "call_id": "a", "output": "1"},
            {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "2"}, {"type": "input_image"}]},
            {"type": "custom_tool_call_output", "call_id": "b", "output": "3"},
            {"type": "local_shell_call_output", "id": "lsh_1", "output": "4"},
            {"type": "shell_call_output", "call_id": "d", "output": [{"stdout": "5", "stderr": "6", "outcome": {"type": "exit", "exit_code": 0}}]},
            {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "search", "arguments": "{}", "output": "7"},
            {"type": "function_call_output", "call_id": "elsewhere", "output": "8"},
            {"type": "computer_call_output", "call_id": "x", "output": {"type": "computer_screenshot", "image_url": "no"}},
            {"type": "web_search_call", "id": "ws", "action": {"query": "no"}}, {"type": "compaction", "encrypted_content": "no"},
        ]),
        &[
            ("shell", "1"),
            ("shell", "2"),
            ("apply_patch", "3"),
            ("local_shell", "4"),
            ("shell", "5"),
            ("shell", "6"),
            ("search", "7"),
            ("-", "8"),
        ],
    );
    let body = json!({"input": [
        {"type": "local_shell_call", "id": "l", "call_id": "c", "action": {"type": "exec", "command": ["cat", "x"]}},
        {"type": "local_shell_call_output", "call_id": "c", "output": "4"}]});
    let request = parse(OpenAiResponses, body.to_string());
    assert_eq!(request.slots()[0].arguments(), Some(r#"{"type":"exec","command":["cat","x"]}"#));
    assert_eq!(request.slots()[0].call_id(), Some("c"));
}

/// T011, T012, T018, T019: what is sealed, unknown or doubled stays byte for byte while a result changes.
#[test]
fn everything_else_stays_byte_for_byte() {
    let body = "{ \"store\":false,\"previous_response_id\" :\"resp_1\",\"instructions\":\"i\\u0020\",\"input\":[ {\"type\":\"reasoning\",\"encrypted_content\":\"gA\\/=\"},\r\n\
        {\"type\":\"function_call_output\",\"call_id\":\"a\" ,\"output\" : \"edit me\"},{\"type\":\"function_call_output\",\"call_id\":\"a\",\"output\":\"x\",\"output\":\"y\"}],\
        \"big\":123456789012345678901234567890,\"n\":1.50 }";
    let request = parse(OpenAiResponses, body);
    assert_eq!(request.slots().len(), 1);
    let edited = request.splice(&[Edit { slot: 0, range: 0..7, replacement: "é\"\n".into() }], &[]);
    assert_eq!(String::from_utf8(edited).unwrap(), body.replace("edit me", "é\\\"\\n"));
}

#[test]
fn what_is_no_request_has_no_slots_and_passes() {
    for body in [
        "",
        "[]",
        "{\"input\":7}",
        "{\"input\":[1,null,{},{\"type\":\"message\"}]}",
        "{\"input\":\"a\",\"input\":\"b\"}",
    ] {
        let request = parse(OpenAiResponses, body);
        assert!(request.slots().is_empty() && request.splice(&[], &[]) == body.as_bytes(), "{body}");
    }
}

#[test]
fn the_tool_is_offered_where_a_retrieval_can_be_answered() {
    let offered = |extra: &Value| {
        let mut body = json!({"model": "gpt", "tools": [{"type": "function", "name": "a"}], "input": "x"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        parse(OpenAiResponses, body.to_string()).offer_tool().is_some()
    };
    for yes in
        [json!({}), json!({"store": false}), json!({"previous_response_id": "resp_1"}), json!({"conversation": null})]
    {
        assert!(offered(&yes), "{yes}");
    }
    for no in [
        json!({"previous_response_id": "resp_1", "store": false}),
        json!({"conversation": "conv_1"}),
        json!({"conversation": {"id": "conv_1"}}),
        json!({"background": true}),
        json!({"tools": null}),
        json!({"tools": [{"type": "function", "name": TOOL}]}),
    ] {
        assert!(!offered(&no), "{no}");
    }
    let definition: Value = serde_json::from_str(OpenAiResponses.tool_definition()).unwrap();
    assert_eq!(
        (&definition["type"], &definition["name"], &definition["strict"]),
        (&json!("function"), &json!(TOOL), &json!(false))
    );
}

// --- Turns ---------------------------------------------------------------------------------------

fn request() -> Value {
    json!({"model": "gpt-5", "stream": true, "tools": [{"type": "function", "name": "Bash"}], "input": [{"role": "user", "content": "go"}]})
}

fn words(text: &str) -> Value {
    let id = format!("msg_{}", text.len());
    json!({"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn reasoning(id: &str) -> Value {
    json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": "gAAA"})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments, "status": "completed"})
}

fn result(id: &str, output: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": output})
}

/// The response object that ends a stream, and is the whole of a JSON answer.
fn response(id: &str, items: &[Value], status: &str) -> Value {
    json!({"id": id, "object": "response", "status": status, "store": true, "output": items, "usage": {
        "input_tokens": 50, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 60}})
}

/// The same as a stream.
fn streamed(id: &str, items: &[Value], status: &str) -> String {
    let mut begun = response(id, &[], "in_progress");
    begun["usage"] = Value::Null;
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    for (index, item) in items.iter().enumerate() {
        let mut added = item.clone();
        let mut within = Vec::new();
        match item["type"].as_str().unwrap() {
            "message" => {
                added["content"] = json!([]);
                let text = item["content"][0]["text"].as_str().unwrap();
                within.push(json!({"type": "response.content_part.added", "content_index": 0, "part": {"type": "output_text", "text": ""}}));
                within.extend(
                    text.split_inclusive(' ')
                        .map(|part| json!({"type": "response.output_text.delta", "content_index": 0, "delta": part})),
                );
                within.push(json!({"type": "response.output_text.done", "content_index": 0, "text": text}));
            }
            "function_call" => {
                added["arguments"] = json!("");
                let (a, b) = item["arguments"].as_str().unwrap().split_at(1);
                within.extend(
                    [a, b].map(|part| json!({"type": "response.function_call_arguments.delta", "delta": part})),
                );
                within.push(json!({"type": "response.function_call_arguments.done", "arguments": item["arguments"]}));
            }
            _ => {}
        }
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": added}));
        for mut event in within {
            event["output_index"] = json!(index);
            event["item_id"] = item["id"].clone();
            events.push(event);
        }
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": format!("response.{status}"), "response": response(id, items, status)}));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    });
    numbered.collect()
}

/// The response that a client puts together, as an SDK does; every number must follow the one before.
fn assembled(outcome: &Outcome) -> Value {
    let events = outcome.events();
    let mut items: Vec<Value> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let index = event["output_index"].as_u64().map(|index| index as usize);
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len()));
                items.push(event["item"].clone());
            }
            "response.output_item.done" => items[index.unwrap()] = event["item"].clone(),
            _ => assert!(index.is_none_or(|index| index + 1 == items.len())),
        }
    }
    let kinds = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((kinds("response.created"), kinds("response.in_progress"), kinds("response.completed")), (1, 1, 1));
    let last = events.last().unwrap()["response"].clone();
    assert_eq!(last["output"], json!(items), "the end lists what was shown");
    last
}

/// What a client that keeps its own history sends next.
fn next(request: &Value, more: &[Value]) -> Value {
    let mut request = request.clone();
    request["input"].as_array_mut().unwrap().extend(more.iter().cloned());
    request
}

/// The input with the exchanges put back, and that a longer history keeps its bytes.
fn reinserted(body: &Value, exchanges: &[Exchange]) -> Value {
    let text = |body: &Value| {
        let request = parse(OpenAiResponses, body.to_string());
        let keys = request.exchange_keys();
        let known: Vec<Exchange> =
            exchanges.iter().filter(|exchange| keys.contains(&exchange.key())).cloned().collect();
        String::from_utf8(request.splice(&[], &request.reinsert(&known))).unwrap()
    };
    let (shorter, longer) =
        (text(body), text(&next(body, &[words("later"), json!({"role": "user", "content": "on"})])));
    let items = |text: &str| -> Vec<Vec<u8>> {
        let request = parse(OpenAiResponses, text.to_owned());
        request.messages().iter().map(|message| text.as_bytes()[message.span()].to_vec()).collect()
    };
    assert!(items(&longer).starts_with(&items(&shorter)), "forward(P) is a prefix of forward(C)\n{shorter}\n{longer}");
    serde_json::from_str::<Value>(&shorter).unwrap()
}

const ARGUMENTS: &str = r#"{"content_id":"hr_1"}"#;

/// T041
#[test]
fn a_retrieval_alone_is_hidden_and_its_continuation_spliced_in() {
    let first = [reasoning("rs_1"), words("Let me look. "), call("c1", TOOL, ARGUMENTS)];
    let second = [reasoning("rs_2"), words("It says 42.")];
    let responses = [streamed("resp_1", &first, "completed"), streamed("resp_2", &second, "completed")];
    let outcome = stream(OpenAiResponses, &request(), &responses);
    let shown = assembled(&outcome);
    assert_eq!(shown["output"], json!([first[0], first[1], second[0], second[1]]));
    assert_eq!(shown["id"], "resp_1", "it ends under the name it began with");
    let usage = &shown["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"], &usage["total_tokens"]),
        (&json!(50), &json!(20), &json!(70))
    );
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 8);
    assert_eq!(outcome.usage, Usage { input: 20, cache_read: 80, output: 20, reasoning: 8, ..Usage::default() });
    assert_eq!(outcome.asked, [ARGUMENTS]);
    assert!(!outcome.text().contains(TOOL) && !outcome.text().contains("fc_c1"));
    let ours = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":2";
    let held = responses[0].find(ours).unwrap();
    assert!(outcome.text().starts_with(&responses[0][..held]), "everything before our call passes byte for byte");
    let answer = result("c1", &format!("for {ARGUMENTS}"));
    assert_eq!(
        outcome.sent[0]["input"],
        json!([{"role": "user", "content": "go"}, first[0], first[1], first[2], answer])
    );
    assert_eq!(outcome.sent[0]["tools"][1]["name"], TOOL);
    // The client's next request, with its own history: everything is back where it was.
    let thanks = json!({"role": "user", "content": "thanks"});
    let whole =
        next(&request(), &[first[0].clone(), first[1].clone(), second[0].clone(), second[1].clone(), thanks.clone()]);
    let expected =
        json!([{"role": "user", "content": "go"}, first[0], first[1], first[2], answer, second[0], second[1], thanks]);
    assert_eq!(reinserted(&whole, &outcome.exchanges)["input"], expected);
    // Without reasoning, and with words in the short spelling: our call goes without the name that would ask for its reasoning.
    let short = json!({"role": "assistant", "content": "It says 42."});
    let fewer = next(&request(), &[first[1].clone(), short.clone(), thanks.clone()]);
    let mut nameless = first[2].clone();
    nameless.as_object_mut().unwrap().remove("id");
    let expected = json!([{"role": "user", "content": "go"}, first[1], nameless, answer, short, thanks]);
    assert_eq!(reinserted(&fewer, &outcome.exchanges)["input"], expected);
    // As references to what the provider keeps.
    let reference = |id: &Value| json!({"type": "item_reference", "id": id});
    let items = [&first[0], &first[1], &second[0], &second[1]].map(|item| reference(&item["id"]));
    let whole = next(&request(), &[&items[..], std::slice::from_ref(&thanks)].concat());
    let expected =
        json!([{"role": "user", "content": "go"}, items[0], items[1], first[2], answer, items[2], items[3], thanks]);
    assert_eq!(reinserted(&whole, &outcome.exchanges)["input"], expected);
    // Some reasoning dropped and some kept, or another question before: nothing is inserted.
    for strange in [
        next(&request(), &[first[1].clone(), second[0].clone(), second[1].clone()]),
        next(
            &json!({"input": [{"role": "user", "content": "other"}]}),
            &[first[0].clone(), first[1].clone(), second[0].clone(), second[1].clone()],
        ),
    ] {
        assert_eq!(reinserted(&strange, &outcome.exchanges), strange);
    }
}

/// T042
#[test]
fn in_a_mixed_turn_the_client_gets_its_own_calls_only() {
    let (ours, a, b) = (call("m", TOOL, ARGUMENTS), call("a", "Bash", "{\"c\":1}"), call("b", "Bash", "{\"c\":2}"));
    let answer = result("m", &format!("for {ARGUMENTS}"));
    let (ra, rb) = (result("a", "1"), result("b", "2"));
    for items in [vec![&ours, &a, &b], vec![&a, &ours, &b], vec![&a, &b, &ours]] {
        let items: Vec<Value> = std::iter::once(reasoning("rs")).chain(items.into_iter().cloned()).collect();
        let outcome = stream(OpenAiResponses, &request(), &[streamed("resp_1", &items, "completed")]);
        assert_eq!(assembled(&outcome)["output"], json!([reasoning("rs"), a, b]));
        assert!(outcome.sent.is_empty());
        let go = json!({"role": "user", "content": "go"});
        let later = next(&request(), &[reasoning("rs"), a.clone(), b.clone(), ra.clone(), rb.clone()]);
        let mut expected = vec![go.clone()];
        expected.extend(items.iter().cloned());
        expected.extend([answer.clone(), ra.clone(), rb.clone()]);
        assert_eq!(reinserted(&later, &outcome.exchanges)["input"], json!(expected));
        // Some clients put each result behind its call. Ours stands behind ours wherever that is.
        let later = next(&request(), &[reasoning("rs"), a.clone(), ra.clone(), b.clone(), rb.clone()]);
        let whole = reinserted(&later, &outcome.exchanges)["input"].as_array().unwrap().clone();
        let at = |item: &Value| whole.iter().position(|found| found == item).unwrap();
        assert!(at(&ours) < at(&answer) && whole.len() == 8, "{whole:?}");
        // The provider holds the history: our result goes in front of theirs.
        let held = json!({"previous_response_id": "resp_1", "input": [ra, rb]});
        assert_eq!(reinserted(&held, &outcome.exchanges)["input"], json!([answer, ra, rb]));
        assert_eq!(reinserted(&held, &outcome.exchanges)["previous_response_id"], "resp_1");
    }
}

/// The hidden exchange lives at the provider too, whichever name the client goes on from.
#[test]
fn a_history_at_the_provider_is_gone_on_from_there() {
    let body =
        json!({"model": "gpt-5", "stream": true, "previous_response_id": "resp_0", "tools": [], "input": "and now?"});
    let first = [reasoning("rs_1"), call("c1", TOOL, ARGUMENTS)];
    let again = [call("c2", TOOL, ARGUMENTS)];
    let last = [words("It says 42.")];
    let responses = [("resp_1", &first[..]), ("resp_2", &again[..]), ("resp_3", &last[..])]
        .map(|(id, items)| streamed(id, items, "completed"));
    let outcome = stream(OpenAiResponses, &body, &responses);
    let answer = |id: &str| result(id, &format!("for {ARGUMENTS}"));
    for (sent, previous, id) in [(&outcome.sent[0], "resp_1", "c1"), (&outcome.sent[1], "resp_2", "c2")] {
        assert_eq!((&sent["previous_response_id"], &sent["input"]), (&json!(previous), &json!([answer(id)])));
        assert_eq!((&sent["model"], &sent["tools"][0]["name"]), (&json!("gpt-5"), &json!(TOOL)));
    }
    let shown = assembled(&outcome);
    assert_eq!((&shown["id"], &shown["output"]), (&json!("resp_1"), &json!([reasoning("rs_1"), words("It says 42.")])));
    // Whatever name a client goes on from, it goes on from the end.
    for (named, meant) in [("resp_1", "resp_3"), ("resp_3", "resp_3"), ("resp_9", "resp_9")] {
        let body = json!({"previous_response_id": named, "input": [{"role": "user", "content": "thanks"}]});
        let whole = reinserted(&body, &outcome.exchanges);
        assert_eq!((&whole["previous_response_id"], &whole["input"]), (&json!(meant), &body["input"]));
    }
    // A first request names no response, and its client may go on either way.
    let outcome = stream(OpenAiResponses, &request(), &responses);
    let body = json!({"previous_response_id": "resp_1", "input": [{"role": "user", "content": "on"}]});
    assert_eq!(reinserted(&body, &outcome.exchanges)["previous_response_id"], "resp_3");
}

#[test]
fn a_mixed_end_behind_other_rounds_is_pending_under_every_name() {
    let items = [call("m", TOOL, ARGUMENTS), call("b", "Bash", "{}")];
    let responses =
        [streamed("resp_1", &[call("c1", TOOL, ARGUMENTS)], "completed"), streamed("resp_2", &items, "completed")];
    let body = json!({"previous_response_id": "resp_0", "tools": [], "input": "go"});
    let outcome = stream(OpenAiResponses, &body, &responses);
    for named in ["resp_1", "resp_2"] {
        let whole =
            reinserted(&json!({"previous_response_id": named, "input": [result("b", "x")]}), &outcome.exchanges);
        assert_eq!((&whole["previous_response_id"], &whole["input"][0]["call_id"]), (&json!("resp_2"), &json!("m")));
    }
}

/// What is not kept cannot be gone on from: the retrieval is dropped, and the client gets the rest.
#[test]
fn a_response_that_turns_out_not_to_be_kept_ends_the_turn() {
    let body = json!({"previous_response_id": "resp_0", "tools": [], "input": "go"});
    let first = streamed("resp_1", &[words("Hm."), call("c1", TOOL, ARGUMENTS)], "completed")
        .replace("\"store\":true", "\"store\":false");
    let outcome = stream(OpenAiResponses, &body, &[first]);
    assert_eq!(assembled(&outcome)["output"], json!([words("Hm.")]));
    assert!(outcome.sent.is_empty());
}

/// Without the provider's memory only sealed reasoning can be said back.
#[test]
fn a_client_that_keeps_its_history_to_itself_gets_it_all_back() {
    let mut body = request();
    body["store"] = json!(false);
    let mut open = reasoning("rs_0");
    open["encrypted_content"] = Value::Null;
    let first = [open.clone(), reasoning("rs_1"), call("c1", TOOL, ARGUMENTS)];
    let unkept = |stream: String| stream.replace("\"store\":true", "\"store\":false");
    let responses =
        [streamed("resp_1", &first, "completed"), streamed("resp_2", &[words("Yes.")], "completed")].map(unkept);
    let outcome = stream(OpenAiResponses, &body, &responses);
    let sent = outcome.sent[0]["input"].as_array().unwrap();
    assert_eq!(sent[1..], [reasoning("rs_1"), first[2].clone(), result("c1", &format!("for {ARGUMENTS}"))]);
    let later = next(&body, &[open.clone(), reasoning("rs_1"), words("Yes.")]);
    let expected =
        json!([{"role": "user", "content": "go"}, open, reasoning("rs_1"), first[2], sent[3], words("Yes.")]);
    assert_eq!(reinserted(&later, &outcome.exchanges)["input"], expected);
    let elsewhere = json!({"previous_response_id": "resp_1", "input": []});
    assert_eq!(reinserted(&elsewhere, &outcome.exchanges), elsewhere);
}

#[test]
fn a_question_as_one_string_is_continued_as_a_list() {
    let body = json!({"tools": [], "input": "go \"on\""});
    let first = [call("c1", TOOL, ARGUMENTS)];
    let responses = [streamed("resp_1", &first, "completed"), streamed("resp_2", &[words("Yes.")], "completed")];
    let outcome = stream(OpenAiResponses, &body, &responses);
    let answer = result("c1", &format!("for {ARGUMENTS}"));
    let go = json!({"role": "user", "content": "go \"on\""});
    assert_eq!(outcome.sent[0]["input"], json!([go, first[0], answer]));
    // The client spells its own question as a message from now on; it is the same one.
    for go in [go, json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go \"on\""}]})]
    {
        let later = json!({"input": [go, words("Yes.")]});
        assert_eq!(reinserted(&later, &outcome.exchanges)["input"], json!([go, first[0], answer, words("Yes.")]));
    }
}

/// T043
#[test]
fn retrievals_in_a_row_are_bounded_and_the_model_is_told() {
    let again = |n: usize| streamed(&format!("resp_{n}"), &[call(&format!("t{n}"), TOOL, "{}")], "completed");
    let outcome = stream(OpenAiResponses, &request(), &(0..5).map(again).collect::<Vec<_>>());
    assert_eq!((outcome.asked.len(), outcome.sent.len()), (3, 4));
    let told = outcome.sent[3]["input"].as_array().unwrap().last().unwrap().clone();
    assert!(told["output"].as_str().unwrap().contains("limit"));
    let shown = assembled(&outcome);
    assert_eq!((&shown["output"], &shown["usage"]["output_tokens"]), (&json!([]), &json!(50)));
}

/// Calls of other kinds are the client's; what the provider has run itself is nobody's.
#[test]
fn only_calls_that_wait_for_the_client_make_a_turn_mixed() {
    let ours = call("m", TOOL, ARGUMENTS);
    let patch = json!({"type": "custom_tool_call", "id": "ct", "call_id": "p", "name": "apply_patch", "input": "x"});
    let shell = json!({"type": "local_shell_call", "id": "ls", "call_id": "l", "status": "completed", "action": {}});
    let approval = json!({"type": "mcp_approval_request", "id": "mcpr_1", "name": "x", "arguments": "{}"});
    for theirs in [patch, shell, approval] {
        let outcome =
            stream(OpenAiResponses, &request(), &[streamed("r", &[ours.clone(), theirs.clone()], "completed")]);
        assert!(outcome.sent.is_empty() && assembled(&outcome)["output"] == json!([theirs]), "{theirs}");
    }
    let search = json!({"type": "web_search_call", "id": "ws", "status": "completed"});
    let inside = [
        json!({"type": "shell_call", "id": "sh", "call_id": "s", "status": "completed"}),
        json!({"type": "shell_call_output", "id": "sho", "call_id": "s", "output": []}),
    ];
    for theirs in [vec![search], inside.to_vec()] {
        let items: Vec<Value> = theirs.iter().cloned().chain([ours.clone()]).collect();
        let responses = [streamed("r", &items, "completed"), streamed("r2", &[words("Yes.")], "completed")];
        let outcome = stream(OpenAiResponses, &request(), &responses);
        assert_eq!(outcome.sent.len(), 1);
        let said: Vec<Value> = theirs.iter().cloned().chain([words("Yes.")]).collect();
        let whole = reinserted(&next(&request(), &said), &outcome.exchanges);
        assert_eq!(whole["input"].as_array().unwrap().len(), said.len() + 3);
    }
}

/// T037
#[test]
fn a_stream_cut_while_a_call_is_held_ends_there() {
    let first = streamed("resp_1", &[words("Look."), call("a", TOOL, ARGUMENTS)], "completed");
    let cut = &first[..first.find("event: response.completed").unwrap()];
    let outcome = stream(OpenAiResponses, &request(), &[cut.to_owned()]);
    assert!(!outcome.over && outcome.asked.is_empty() && outcome.exchanges.is_empty());
    assert!(!outcome.text().contains("response.completed") && !outcome.text().contains(TOOL));
}

#[test]
fn an_incomplete_or_failed_response_is_not_continued() {
    for status in ["incomplete", "failed"] {
        let first = streamed("resp_1", &[words("x"), call("a", TOOL, ARGUMENTS)], status);
        let outcome = stream(OpenAiResponses, &request(), &[first]);
        let last = outcome.events().last().unwrap().clone();
        assert_eq!(
            (last["type"].as_str().unwrap(), &last["response"]["output"]),
            (format!("response.{status}").as_str(), &json!([words("x")]))
        );
        assert!(outcome.sent.is_empty() && outcome.exchanges.is_empty());
    }
}

/// Some servers list nothing at the end, name no events, or number nothing.
#[test]
fn servers_that_say_less_are_followed_too() {
    let plain = |stream: String| -> String {
        let without = |event: &Value| {
            let mut event = event.clone();
            event.as_object_mut().unwrap().remove("sequence_number");
            if event["type"] == "response.completed" {
                event["response"]["output"] = json!([]);
            }
            format!("data: {event}\n\n")
        };
        events(stream.as_bytes()).iter().map(without).collect()
    };
    let responses = [
        plain(streamed("resp_1", &[words("Look. "), call("a", TOOL, ARGUMENTS)], "completed")),
        plain(streamed("resp_2", &[words("Done.")], "completed")),
    ];
    let outcome = stream(OpenAiResponses, &request(), &responses);
    let items: Vec<Value> =
        outcome.events().iter().filter(|event| event["type"] == "response.output_item.done").cloned().collect();
    assert_eq!(
        (&items[0]["item"], &items[1]["item"], &items[1]["output_index"]),
        (&words("Look. "), &words("Done."), &json!(1))
    );
    let last = outcome.events().last().unwrap().clone();
    assert_eq!((&last["response"]["output"], &last["response"]["usage"]["output_tokens"]), (&json!([]), &json!(20)));
    let whole = reinserted(&next(&request(), &[words("Look. "), words("Done.")]), &outcome.exchanges);
    assert_eq!(whole["input"].as_array().unwrap().len(), 5);
}

#[test]
fn a_whole_response_is_merged_the_same_way() {
    let bodies = [
        response("resp_1", &[words("Look. "), call("a", TOOL, ARGUMENTS)], "completed").to_string(),
        response("resp_2", &[words("Done."), call("m", TOOL, ARGUMENTS), call("b", "Bash", "{}")], "completed")
            .to_string(),
    ];
    let outcome = play(OpenAiResponses, &request(), &Upstream::Whole(bodies.to_vec()), Some(Limits::default()));
    let shown: Value = serde_json::from_slice(&outcome.client).unwrap();
    assert_eq!(shown["output"], json!([words("Look. "), words("Done."), call("b", "Bash", "{}")]));
    assert_eq!((&shown["id"], &shown["usage"]["output_tokens"]), (&json!("resp_2"), &json!(20)));
    let later = next(&request(), &[words("Look. "), words("Done."), call("b", "Bash", "{}"), result("b", "x")]);
    let whole = reinserted(&later, &outcome.exchanges);
    let ids: Vec<&str> =
        whole["input"].as_array().unwrap().iter().map(|item| item["call_id"].as_str().unwrap_or("-")).collect();
    assert_eq!(ids, ["-", "-", "a", "a", "-", "m", "b", "m", "b"]);
    let plain = response("resp_1", &[words("Plain.")], "completed").to_string();
    let outcome = play(OpenAiResponses, &request(), &Upstream::Whole(vec![plain.clone()]), Some(Limits::default()));
    assert_eq!(outcome.text(), plain);
}

#[test]
fn a_failed_continuation_is_told_in_the_providers_way() {
    let mut turn =
        Turn::new(parse(OpenAiResponses, request().to_string()), request().to_string().into(), Some(Limits::default()));
    let mut steps = Vec::new();
    turn.feed(streamed("r", &[call("a", TOOL, "{}")], "completed").into(), &mut steps);
    steps.clear();
    turn.answer(&[Answer { text: "x".into(), is_error: false }], &mut steps);
    assert!(matches!(steps[..], [Step::Continue(_)]));
    for (error, kind) in [
        (Some(&b"{\"error\":{\"type\":\"rate_limit\",\n\"message\":\"m\"}}"[..]), "rate_limit"),
        (None, "server_error"),
    ] {
        steps.clear();
        turn.abandon(error, &mut steps);
        let Step::Forward(told) = &steps[0] else { panic!("{steps:?}") };
        assert_eq!((&events(told)[0]["type"], &events(told)[0]["error"]["type"]), (&json!("error"), &json!(kind)));
    }
}

/// A call of ours put into recorded streams at every place where an item may begin: answered at once, nothing else held back.
#[test]
fn a_retrieval_grafted_into_recorded_streams_is_hidden_everywhere() {
    let folder = corpus::repository().join("corpus/streams/openai-responses");
    let mut grafted = 0;
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        let name = path.display().to_string();
        let recorded = events(&std::fs::read(&path).unwrap());
        let Some(end) = recorded.iter().position(|event| event["type"] == "response.completed") else { continue };
        let begins = |event: &Value| event["type"] == "response.output_item.added";
        let places: Vec<usize> = (0..end).filter(|at| begins(&recorded[*at])).chain([end]).collect();
        let visible: Vec<Value> = recorded
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|event| event["item"].clone())
            .collect();
        // Indices of a recording may leave gaps.
        let indices = || recorded.iter().filter_map(|event| event["output_index"].as_u64());
        for at in &places {
            let index =
                recorded[*at]["output_index"].as_u64().unwrap_or_else(|| indices().max().map_or(0, |last| last + 1));
            let ours = events(streamed("x", &[call("ours", TOOL, ARGUMENTS)], "completed").as_bytes());
            let mut ours: Vec<Value> = ours.into_iter().filter(|event| event["output_index"].is_u64()).collect();
            ours.iter_mut().for_each(|event| event["output_index"] = json!(index));
            let mut rest = recorded[*at..].to_vec();
            for event in &mut rest {
                if let Some(number) = event["output_index"].as_u64() {
                    event["output_index"] = json!(number + 1);
                }
            }
            let mut all = [&recorded[..*at], &ours, &rest].concat();
            for (number, event) in all.iter_mut().enumerate() {
                event["sequence_number"] = json!(number);
            }
            let text: String = all
                .iter()
                .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
                .collect();
            let upstream = Upstream::Stream {
                responses: vec![text, streamed("resp_2", &[words("And then.")], "completed")],
                split: 7,
            };
            let outcome = play(OpenAiResponses, &request(), &upstream, Some(Limits::default()));
            let shown: Vec<Value> = outcome
                .events()
                .iter()
                .filter(|event| event["type"] == "response.output_item.done")
                .map(|event| event["item"].clone())
                .collect();
            assert_eq!(outcome.asked, [ARGUMENTS], "{name} {index}");
            assert_eq!(shown[..visible.len()], visible, "{name} {index}");
            assert_eq!(shown.len(), visible.len() + outcome.sent.len(), "{name} {index}");
            for (number, event) in outcome.events().iter().enumerate() {
                assert_eq!(event["sequence_number"], number, "{name} {index}");
            }
            // Nothing waits for our call but what ends the response.
            let mut turn =
                Turn::new(parse(OpenAiResponses, request().to_string()), Bytes::new(), Some(Limits::default()));
            let cut = recorded.iter().filter(|event| event["type"] != "response.completed").count();
            let mut forwarded = 0;
            for event in all.iter().filter(|event| event["type"] != "response.completed") {
                let mut steps = Vec::new();
                turn.feed(format!("data: {event}\n\n").into(), &mut steps);
                forwarded += steps.iter().filter(|step| matches!(step, Step::Forward(_))).count();
            }
            assert_eq!(forwarded, cut, "{name} {index}: every other event went out when it came");
            grafted += 1;
        }
    }
    assert!(grafted >= 15, "{grafted}");
}

#[test]
fn usage_is_counted_once_wherever_it_is_stated() {
    let expected = Usage { input: 10, cache_read: 40, output: 10, reasoning: 4, ..Usage::default() };
    let whole = response("r", &[], "completed").to_string();
    assert_eq!(Usage::of_response(OpenAiResponses, whole.as_bytes()), Some(expected));
    let mut turn = Turn::new(parse(OpenAiResponses, Bytes::new()), Bytes::new(), None);
    turn.feed(streamed("r", &[words("x")], "incomplete").into(), &mut Vec::new());
    assert_eq!((turn.usage(), turn.is_over()), (expected, true));
}

/// Every request, whatever it holds, comes back unchanged without edits.
#[test]
fn requests_are_understood_by_their_path() {
    for (path, known) in [
        ("/v1/responses", true),
        ("/responses", true),
        ("/backend-api/codex/responses", true),
        ("/v1/responses/resp_1", false),
        ("/v1/responses/compact", false),
    ] {
        assert_eq!(Dialect::of_path(path) == Some(OpenAiResponses), known, "{path}");
    }
    let request: Request =
        parse(OpenAiResponses, r#"{"model":"gpt-5","prompt_cache_key":"k","stream":true,"input":"x"}"#);
    assert_eq!((request.model(), request.session(), request.stream()), (Some("gpt-5"), Some("k"), true));
}

/// Over a connection the provider keeps the last response whatever the client says: a retrieval goes on from it, and so does the client's
/// next request.
#[test]
fn a_connection_keeps_what_the_client_did_not_ask_to_keep() {
    let unkept = |stream: String| stream.replace("\"store\":true", "\"store\":false");
    let body = json!({"type": "response.create", "model": "gpt-5", "store": false, "tools": [], "input": [{"role": "user", "content": "go"}]});
    let open = json!({"type": "reasoning", "id": "rs_0", "summary": []});
    let responses = [
        streamed("resp_1", &[open.clone(), call("c1", TOOL, ARGUMENTS)], "completed"),
        streamed("resp_2", &[call("c2", TOOL, ARGUMENTS)], "completed"),
        streamed("resp_3", &[words("Yes.")], "completed"),
    ];
    let outcome = stream(OpenAiResponses, &body, &responses.map(unkept));
    assert_eq!(assembled(&outcome)["output"], json!([open, words("Yes.")]));
    let answered = |id: &str| json!([result(id, &format!("for {ARGUMENTS}"))]);
    for (sent, previous, id) in [(&outcome.sent[0], "resp_1", "c1"), (&outcome.sent[1], "resp_2", "c2")] {
        assert_eq!((&sent["previous_response_id"], &sent["input"]), (&json!(previous), &answered(id)));
        assert_eq!((&sent["type"], &sent["tools"][0]["name"]), (&body["type"], &json!(TOOL)));
    }
    // The client has seen the turn end under its first name, and what it goes on from is the last.
    let thanks = json!([{"role": "user", "content": "thanks"}]);
    let later = json!({"type": "response.create", "store": false, "previous_response_id": "resp_1", "input": thanks});
    let sent = reinserted(&later, &outcome.exchanges);
    assert_eq!((&sent["previous_response_id"], &sent["input"]), (&json!("resp_3"), &thanks));
    // On a new connection it says everything again, and so do we.
    let again = next(&body, &[open, words("Yes.")]);
    let sent = reinserted(&again, &outcome.exchanges);
    assert_eq!(sent["input"].as_array().unwrap().len(), 3 + 4);
    assert!(parse(OpenAiResponses, later.to_string()).offer_tool().is_none(), "it declares no tools");
    let mut declared = later;
    declared["tools"] = json!([]);
    assert!(parse(OpenAiResponses, declared.to_string()).offer_tool().is_some());
}

/// What is no request has no slots, whatever it carries.
#[test]
fn other_events_of_a_connection_are_not_read() {
    let event = json!({"type": "response.processed", "response_id": "resp_1", "input": "some text"});
    assert!(slots(&event).is_empty() && !parse(OpenAiResponses, event.to_string()).is_understood());
}
