//! Turns with retrievals, as a client and an upstream see them.

mod common;

use bytes::Bytes;
use headroom_testkit::corpus;
use headroom_wire::{Answer, Dialect, Exchange, Limits, Step, Turn, Usage, parse};
use serde_json::{Value, json};

use Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use common::{Outcome, Upstream, events, play, stream};

const TOOL: &str = headroom_wire::TOOL_NAME;

// --- Anthropic -----------------------------------------------------------------------------------

fn claude_request() -> Value {
    json!({"model": "claude", "stream": true, "tools": [{"name": "Bash", "input_schema": {}}], "messages": [{"role": "user", "content": "go"}]})
}

fn named(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

/// A response as a stream: text as it is, calls as `(name, id, input)`.
fn claude(blocks: &[Value], stop_reason: &str, input: u64) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": format!("msg_{input}"), "role": "assistant", "content": [],
        "usage": {"input_tokens": input, "cache_read_input_tokens": 100, "output_tokens": 1}}}),
    ];
    for (index, block) in blocks.iter().enumerate() {
        let mut begun = block.clone();
        let mut deltas = Vec::new();
        match block["type"].as_str().unwrap() {
            "text" => {
                begun["text"] = json!("");
                deltas = block["text"]
                    .as_str()
                    .unwrap()
                    .split_inclusive(' ')
                    .map(|part| json!({"type": "text_delta", "text": part}))
                    .collect();
            }
            "thinking" => {
                begun["thinking"] = json!("");
                begun["signature"] = json!("");
                deltas.push(json!({"type": "thinking_delta", "thinking": block["thinking"]}));
                deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
            }
            "tool_use" => {
                begun["input"] = json!({});
                let input = block["input"].to_string();
                let (a, b) = input.split_at(input.len() / 2);
                deltas = [a, b].map(|part| json!({"type": "input_json_delta", "partial_json": part})).to_vec();
            }
            _ => {}
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        events.push(json!({"type": "ping"}));
        events.extend(
            deltas.into_iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null}, "usage": {"output_tokens": 10}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(named).collect()
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn call(name: &str, id: &str, argument: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": {"content_id": argument}})
}

/// The message a client puts together from a stream, as an SDK does; indices must be consecutive.
fn claude_message(events: &[Value]) -> (Vec<Value>, Value) {
    let (mut blocks, mut inputs): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let mut end = Value::Null;
    let mut starts = 0;
    for event in events {
        match event["type"].as_str().unwrap() {
            "message_start" => starts += 1,
            "content_block_start" => {
                assert_eq!(event["index"], blocks.len());
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let index = event["index"].as_u64().unwrap() as usize;
                assert_eq!(index + 1, blocks.len());
                for key in ["text", "thinking", "signature"] {
                    if let Some(part) = event["delta"][key].as_str() {
                        let text = blocks[index][key].as_str().unwrap().to_owned() + part;
                        blocks[index][key] = json!(text);
                    }
                }
                inputs[index].push_str(event["delta"]["partial_json"].as_str().unwrap_or(""));
            }
            "content_block_stop" => assert_eq!(event["index"].as_u64().unwrap() as usize + 1, blocks.len()),
            "message_delta" => end = event.clone(),
            _ => {}
        }
    }
    assert_eq!(starts, 1, "one start");
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    for (block, input) in blocks.iter_mut().zip(inputs).filter(|(_, input)| !input.is_empty()) {
        block["input"] = serde_json::from_str(&input).unwrap();
    }
    (blocks, end)
}

/// T041
#[test]
fn a_retrieval_alone_is_hidden_and_its_continuation_spliced_in() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "EqQB+/="});
    let first = claude(&[thinking.clone(), text("Let me look. "), call(TOOL, "toolu_1", "hr_1")], "tool_use", 7);
    let second = claude(&[text("It says 42.")], "end_turn", 9);
    let outcome = stream(AnthropicMessages, &claude_request(), &[first.clone(), second]);
    let (blocks, end) = claude_message(&outcome.events());
    assert_eq!(blocks, [thinking.clone(), text("Let me look. "), text("It says 42.")]);
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
    assert_eq!(end["usage"]["output_tokens"], 20, "output of both responses");
    assert_eq!(outcome.asked, [r#"{"content_id":"hr_1"}"#]);
    assert!(!outcome.text().contains(TOOL) && !outcome.text().contains("toolu_1"));
    assert!(outcome.text().starts_with(
        &first
            [..first.find("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2").unwrap()]
    ));
    let messages = outcome.sent[0]["messages"].as_array().unwrap();
    assert_eq!(
        messages[1],
        json!({"role": "assistant", "content": [thinking, text("Let me look. "), call(TOOL, "toolu_1", "hr_1")]})
    );
    assert_eq!(
        messages[2],
        json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "for {\"content_id\":\"hr_1\"}"}]})
    );
    assert_eq!(outcome.sent[0]["tools"][1]["name"], TOOL);
    assert_eq!(outcome.usage, Usage { input: 16, cache_read: 200, output: 20, ..Usage::default() });
    assert!(outcome.over);
}

/// What a client sends next: its history, the message it saw, and more.
fn next(request: &Value, said: Value, more: Value) -> Value {
    let mut request = request.clone();
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(said);
    messages.push(more);
    request
}

/// Re-inserts exchanges into a request and checks that a longer history keeps the shorter one's bytes.
fn reinserted(dialect: Dialect, request: &Value, exchanges: &[Exchange]) -> Value {
    let text = |request: &Value| {
        let request = parse(dialect, request.to_string());
        let keys = request.exchange_keys();
        let known: Vec<Exchange> =
            exchanges.iter().filter(|exchange| keys.contains(&exchange.key())).cloned().collect();
        String::from_utf8(request.splice(&[], &request.reinsert(&known))).unwrap()
    };
    let shorter = text(request);
    let longer = text(&next(
        request,
        json!({"role": "assistant", "content": "later"}),
        json!({"role": "user", "content": "on"}),
    ));
    let common = shorter.rfind("]}").unwrap_or(0).min(shorter.len());
    assert!(longer.starts_with(&shorter[..common]), "forward(P) is not a prefix of forward(C)\n{shorter}\n{longer}");
    assert_eq!(text(request), shorter);
    serde_json::from_str(&shorter).unwrap()
}

/// T041
#[test]
fn a_hidden_exchange_returns_in_every_later_request() {
    let first = claude(&[text("Let me look. "), call(TOOL, "toolu_1", "hr_1")], "tool_use", 7);
    let second = claude(&[text("It says 42.")], "end_turn", 9);
    let outcome = stream(AnthropicMessages, &claude_request(), &[first, second]);
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "for {\"content_id\":\"hr_1\"}"});
    let said = json!({"content": [text("Let me look. "), text("It says 42.")], "role": "assistant"});
    let later = next(&claude_request(), said, json!({"role": "user", "content": "thanks"}));
    let whole = reinserted(AnthropicMessages, &later, &outcome.exchanges);
    assert_eq!(
        whole["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [text("Let me look. "), call(TOOL, "toolu_1", "hr_1")]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [text("It says 42.")]},
            {"role": "user", "content": "thanks"},
        ])
    );
    // A cache marker on an earlier message does not hide the place; another history does.
    let mut marked = later.clone();
    marked["messages"][0]["content"] = json!([{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}}]);
    assert_eq!(reinserted(AnthropicMessages, &marked, &outcome.exchanges)["messages"].as_array().unwrap().len(), 5);
    let mut other = later.clone();
    other["messages"][0]["content"] = json!("something else");
    assert_eq!(reinserted(AnthropicMessages, &other, &outcome.exchanges), other);
    // A client that dropped a block is not recognised, and nothing is inserted.
    let mut fewer = later;
    fewer["messages"][1]["content"] = json!("Let me look. It says 42.");
    assert_eq!(reinserted(AnthropicMessages, &fewer, &outcome.exchanges), fewer);
}

/// T020: thinking stands where it stood while the client keeps it, and its absence later does not hide the place.
#[test]
fn a_client_may_drop_thinking_and_empty_text_from_older_turns() {
    let thinking = |text: &str| json!({"type": "thinking", "thinking": text, "signature": "s"});
    let outcome = stream(
        AnthropicMessages,
        &claude_request(),
        &[
            claude(&[thinking("one"), text("Look."), call(TOOL, "a", "1")], "tool_use", 1),
            claude(&[thinking("two"), text(""), text("Done.")], "end_turn", 2),
        ],
    );
    let restored = |content: Value| {
        let said = json!({"role": "assistant", "content": content});
        let later = next(&claude_request(), said, json!({"role": "user", "content": "x"}));
        reinserted(AnthropicMessages, &later, &outcome.exchanges)["messages"].clone()
    };
    let whole = restored(json!([thinking("one"), text("Look."), thinking("two"), text(""), text("Done.")]));
    assert_eq!(whole[1]["content"], json!([thinking("one"), text("Look."), call(TOOL, "a", "1")]));
    assert_eq!(whole[3]["content"], json!([thinking("two"), text(""), text("Done.")]));
    let fewer = restored(json!([text("Look."), text("Done.")]));
    assert_eq!(fewer[1]["content"], json!([text("Look."), call(TOOL, "a", "1")]));
    assert_eq!(fewer[3]["content"], json!([text("Done.")]));
    // The same for a later exchange, whose lineage the earlier messages are.
    let before = |content: Value| {
        let said = json!({"role": "assistant", "content": content});
        next(&claude_request(), said, json!({"role": "user", "content": "go on"}))
    };
    let (full, bare) = (before(json!([thinking("zero"), text(""), text("Hi.")])), before(json!([text("Hi.")])));
    let second = stream(
        AnthropicMessages,
        &full,
        &[claude(&[call(TOOL, "b", "2")], "tool_use", 1), claude(&[text("Yes.")], "end_turn", 2)],
    );
    let later = next(&bare, json!({"role": "assistant", "content": "Yes."}), json!({"role": "user", "content": "x"}));
    let whole = reinserted(AnthropicMessages, &later, &second.exchanges);
    assert_eq!(whole["messages"][3]["content"], json!([call(TOOL, "b", "2")]));
    // Some thinking kept and some dropped: the place cannot be told, and nothing is inserted.
    assert_eq!(restored(json!([thinking("one"), text("Look."), text("Done.")])).as_array().unwrap().len(), 3);
}

#[test]
fn a_retrieval_before_any_text_returns_before_a_string() {
    let outcome = stream(
        AnthropicMessages,
        &claude_request(),
        &[
            claude(&[call(TOOL, "a", "1"), call(TOOL, "b", "2")], "tool_use", 1),
            claude(&[text("Done.")], "end_turn", 2),
        ],
    );
    assert_eq!(outcome.asked.len(), 2);
    for content in [json!("Done."), json!([text("Done.")])] {
        let said = json!({"role": "assistant", "content": content});
        let whole = reinserted(
            AnthropicMessages,
            &next(&claude_request(), said.clone(), json!({"role": "user", "content": "x"})),
            &outcome.exchanges,
        );
        let messages = whole["messages"].as_array().unwrap();
        assert_eq!(messages[1], json!({"role": "assistant", "content": [call(TOOL, "a", "1"), call(TOOL, "b", "2")]}));
        assert_eq!(messages[2]["content"][1]["tool_use_id"], "b");
        assert_eq!(messages[3], said);
        assert_eq!(messages.len(), 5);
    }
}

#[test]
fn a_continuation_that_says_nothing_keeps_the_call_at_the_end() {
    let outcome = stream(
        AnthropicMessages,
        &claude_request(),
        &[claude(&[text("Look."), call(TOOL, "a", "1")], "tool_use", 1), claude(&[], "end_turn", 2)],
    );
    let said = json!({"role": "assistant", "content": [text("Look.")]});
    let whole = reinserted(
        AnthropicMessages,
        &next(&claude_request(), said, json!({"role": "user", "content": "x"})),
        &outcome.exchanges,
    );
    let messages = whole["messages"].as_array().unwrap();
    assert_eq!(messages[1]["content"], json!([text("Look."), call(TOOL, "a", "1")]));
    assert_eq!(messages[2]["content"][0]["tool_use_id"], "a");
    assert_eq!(messages[3]["content"], "x");
}

/// T042
#[test]
fn in_a_mixed_turn_the_client_gets_its_own_calls_only() {
    for (blocks, place) in [
        (vec![text("Both."), call(TOOL, "m", "hr_1"), call("Bash", "b", "ls")], 1),
        (vec![text("Both."), call("Bash", "b", "ls"), call(TOOL, "m", "hr_1")], 2),
        (vec![call(TOOL, "m", "hr_1"), text("Both."), call("Bash", "b", "ls")], 0),
    ] {
        let outcome = stream(AnthropicMessages, &claude_request(), &[claude(&blocks, "tool_use", 3)]);
        let (shown, end) = claude_message(&outcome.events());
        assert_eq!(shown, [text("Both."), call("Bash", "b", "ls")]);
        assert_eq!(end["delta"]["stop_reason"], "tool_use");
        assert!(outcome.sent.is_empty() && outcome.exchanges.len() == 1);
        let answers = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "file"}, text("hurry")]});
        let later = next(&claude_request(), json!({"role": "assistant", "content": shown}), answers);
        let whole = reinserted(AnthropicMessages, &later, &outcome.exchanges);
        assert_eq!(whole["messages"][1]["content"], json!(blocks), "ours back at place {place}");
        let results = whole["messages"][2]["content"].as_array().unwrap();
        assert_eq!((results[0]["tool_use_id"].as_str(), results[1]["tool_use_id"].as_str()), (Some("m"), Some("b")));
        assert_eq!(results[2], text("hurry"));
        assert_eq!(whole["messages"].as_array().unwrap().len(), 3);
    }
}

/// Servers that count calls from zero give two conversations the same identifiers.
#[test]
fn what_another_conversation_retrieved_is_not_inserted() {
    let blocks = [call(TOOL, "call_0", "hr_1"), call("Bash", "call_1", "ls")];
    let outcome = stream(AnthropicMessages, &claude_request(), &[claude(&blocks, "tool_use", 3)]);
    let answers =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "file"}]});
    let shown = json!({"role": "assistant", "content": [blocks[1]]});
    let own = next(&claude_request(), shown.clone(), answers.clone());
    assert!(reinserted(AnthropicMessages, &own, &outcome.exchanges).to_string().contains("call_0"));
    let mut other = claude_request();
    other["messages"][0]["content"] = json!("Another question.");
    let other = next(&other, shown, answers);
    assert_eq!(reinserted(AnthropicMessages, &other, &outcome.exchanges), other);
}

#[test]
fn rounds_before_a_mixed_end_return_too() {
    let outcome = stream(
        AnthropicMessages,
        &claude_request(),
        &[
            claude(&[text("One."), call(TOOL, "m1", "1")], "tool_use", 1),
            claude(&[call(TOOL, "m2", "2")], "tool_use", 2),
            claude(&[text("Two."), call(TOOL, "m3", "3"), call("Bash", "b", "ls")], "tool_use", 3),
        ],
    );
    let (shown, _) = claude_message(&outcome.events());
    assert_eq!(shown, [text("One."), text("Two."), call("Bash", "b", "ls")]);
    let answers = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "file"}]});
    let whole = reinserted(
        AnthropicMessages,
        &next(&claude_request(), json!({"role": "assistant", "content": shown}), answers),
        &outcome.exchanges,
    );
    let contents: Vec<Value> =
        whole["messages"].as_array().unwrap().iter().map(|message| message["content"].clone()).collect();
    assert_eq!(contents[1], json!([text("One."), call(TOOL, "m1", "1")]));
    assert_eq!(contents[2][0]["tool_use_id"], "m1");
    assert_eq!(contents[3], json!([call(TOOL, "m2", "2")]));
    assert_eq!(contents[4][0]["tool_use_id"], "m2");
    assert_eq!(contents[5], json!([text("Two."), call(TOOL, "m3", "3"), call("Bash", "b", "ls")]));
    assert_eq!(
        (contents[6][0]["tool_use_id"].as_str(), contents[6][1]["tool_use_id"].as_str()),
        (Some("m3"), Some("b"))
    );
}

/// T043
#[test]
fn retrievals_in_a_row_are_bounded_and_the_model_is_told() {
    let again = |n: u64| claude(&[call(TOOL, &format!("t{n}"), "hr_misspelt")], "tool_use", n);
    let outcome = stream(AnthropicMessages, &claude_request(), &[again(1), again(2), again(3), again(4), again(5)]);
    assert_eq!(outcome.asked.len(), 3, "three are answered");
    assert_eq!(outcome.sent.len(), 4);
    let told = outcome.sent[3]["messages"].as_array().unwrap().last().unwrap()["content"][0].clone();
    assert!(told["content"].as_str().unwrap().contains("limit") && told["is_error"] == true);
    let (blocks, end) = claude_message(&outcome.events());
    assert!(blocks.is_empty());
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
    assert!(!outcome.text().contains(TOOL));
}

/// T044
#[test]
fn unknown_events_and_blocks_pass_even_around_a_retrieval() {
    let strange = "event: future\ndata: {\"type\":\"future\",\"index\":0}\n\n: comment\n\n";
    let block = json!({"type": "hologram", "frames": [1, 2]});
    let first = claude(&[block.clone(), call(TOOL, "a", "1")], "tool_use", 1)
        .replace("event: message_delta", &format!("{strange}event: message_delta"));
    let outcome = stream(AnthropicMessages, &claude_request(), &[first, claude(&[text("x")], "end_turn", 2)]);
    assert!(outcome.text().contains(strange));
    let (blocks, _) =
        claude_message(&outcome.events().into_iter().filter(|event| event["type"] != "future").collect::<Vec<_>>());
    assert_eq!(blocks, [block.clone(), text("x")]);
    assert_eq!(outcome.sent[0]["messages"][1]["content"][0], block);
}

/// T037
#[test]
fn a_stream_cut_while_a_call_is_held_ends_there() {
    let first = claude(&[text("Look."), call(TOOL, "a", "1")], "tool_use", 1);
    let held = first.find("\"index\":1").unwrap();
    let cut = &first[..first.find("event: message_delta").unwrap()];
    let outcome = stream(AnthropicMessages, &claude_request(), &[cut.to_owned()]);
    assert!(!outcome.over && outcome.asked.is_empty() && outcome.exchanges.is_empty());
    assert!(first[..held].starts_with(&outcome.text()[..outcome.text().find("event: ping").unwrap()]));
    assert!(!outcome.text().contains("message_stop") && !outcome.text().contains(TOOL));
    assert_eq!(outcome.usage.input, 1, "what was stated before the cut");
}

#[test]
fn a_call_cut_off_by_the_token_limit_is_dropped() {
    let outcome =
        stream(AnthropicMessages, &claude_request(), &[claude(&[text("x"), call(TOOL, "a", "1")], "max_tokens", 1)]);
    let (blocks, end) = claude_message(&outcome.events());
    assert_eq!((blocks, end["delta"]["stop_reason"].as_str()), (vec![text("x")], Some("max_tokens")));
    assert!(outcome.sent.is_empty() && outcome.exchanges.is_empty());
}

#[test]
fn an_error_in_the_middle_is_forwarded_as_it_came() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    let first = claude(&[call(TOOL, "a", "1")], "tool_use", 1);
    let broken = first[..first.find("event: message_delta").unwrap()].to_owned() + error;
    assert!(stream(AnthropicMessages, &claude_request(), &[broken]).text().ends_with(error));
}

#[test]
fn a_failed_continuation_is_told_in_the_providers_way() {
    for (dialect, request, first) in [
        (AnthropicMessages, claude_request(), claude(&[call(TOOL, "a", "1")], "tool_use", 1)),
        (OpenAiChat, gpt_request(), gpt(&[], &[("a", TOOL, "{}")], "tool_calls", true)),
    ] {
        let mut turn =
            Turn::new(parse(dialect, request.to_string()), request.to_string().into(), Some(Limits::default()));
        let mut steps = Vec::new();
        turn.feed(first.into(), &mut steps);
        steps.clear();
        turn.answer(&[Answer { text: "x".into(), is_error: false }], &mut steps);
        assert!(matches!(steps[..], [Step::Continue(_)]));
        steps.clear();
        turn.abandon(Some(b"{\"type\":\"error\",\n\"error\":{\"type\":\"overloaded_error\"}}"), &mut steps);
        let Step::Forward(told) = &steps[0] else { panic!("{steps:?}") };
        assert_eq!(events(told)[0]["error"]["type"], "overloaded_error");
    }
}

#[test]
fn a_whole_response_is_merged_the_same_way() {
    let body = |content: Value, stop: &str| {
        json!({"id": "msg", "content": content, "stop_reason": stop, "usage": {"input_tokens": 5, "output_tokens": 10}})
            .to_string()
    };
    let bodies = [
        body(json!([text("Look."), call(TOOL, "a", "1")]), "tool_use"),
        body(json!([text("Done."), call(TOOL, "m", "2"), call("Bash", "b", "ls")]), "tool_use"),
    ];
    let outcome =
        play(AnthropicMessages, &claude_request(), &Upstream::Whole(bodies.to_vec()), Some(Limits::default()));
    let shown: Value = serde_json::from_slice(&outcome.client).unwrap();
    assert_eq!(shown["content"], json!([text("Look."), text("Done."), call("Bash", "b", "ls")]));
    assert_eq!((&shown["stop_reason"], &shown["usage"]["output_tokens"]), (&json!("tool_use"), &json!(20)));
    assert_eq!(outcome.exchanges[0].calls(), 2);
    assert_eq!(outcome.usage.input, 10);
    let plain = body(json!([text("Plain.")]), "end_turn");
    let outcome =
        play(AnthropicMessages, &claude_request(), &Upstream::Whole(vec![plain.clone()]), Some(Limits::default()));
    assert_eq!(outcome.text(), plain);
}

// --- OpenAI --------------------------------------------------------------------------------------

fn gpt_request() -> Value {
    json!({"model": "gpt", "stream": true, "tools": [{"type": "function", "function": {"name": "Bash"}}], "messages": [{"role": "user", "content": "go"}]})
}

/// A response as a stream: text pieces, then calls as `(id, name, arguments)`.
fn gpt(text: &[&str], calls: &[(&str, &str, &str)], finish_reason: &str, indexed: bool) -> String {
    let chunk = |delta: Value, finish: Value| json!({"id": format!("chatcmpl-{finish_reason}"), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null});
    let mut chunks = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    chunks.extend(text.iter().map(|text| chunk(json!({"content": text}), Value::Null)));
    for (index, (id, name, arguments)) in calls.iter().enumerate() {
        let piece = |mut piece: Value| {
            if indexed {
                piece["index"] = json!(index);
            }
            chunk(json!({"tool_calls": [piece]}), Value::Null)
        };
        let (a, b) = arguments.split_at(arguments.len() / 2);
        chunks.push(piece(json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}})));
        chunks.push(piece(json!({"function": {"arguments": a}})));
        chunks.push(piece(json!({"function": {"arguments": b}})));
    }
    chunks.push(chunk(json!({}), json!(finish_reason)));
    chunks.push(json!({"id": format!("chatcmpl-{finish_reason}"), "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60,
        "prompt_tokens_details": {"cached_tokens": 40}}}));
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>() + "data: [DONE]\n\n"
}

/// The message a client puts together: text, calls, finish reason, usage. Appends every string it meets, as one SDK does.
fn gpt_message(outcome: &Outcome) -> (String, Vec<(String, String, String)>, String, Value) {
    let (mut text, mut role, mut finish, mut usage) = (String::new(), String::new(), String::new(), Value::Null);
    let mut calls: Vec<(String, String, String)> = Vec::new();
    let events = outcome.events();
    for chunk in &events {
        assert_eq!(chunk["id"], events[0]["id"], "one completion");
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        text.push_str(delta["content"].as_str().unwrap_or(""));
        role.push_str(delta["role"].as_str().unwrap_or(""));
        finish.push_str(choice["finish_reason"].as_str().unwrap_or(""));
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let new = piece["id"].is_string();
            let index = piece["index"].as_u64().map_or(calls.len() - usize::from(!new), |index| index as usize);
            if new {
                assert_eq!(index, calls.len());
                calls.push((
                    piece["id"].as_str().unwrap().to_owned(),
                    piece["function"]["name"].as_str().unwrap().to_owned(),
                    String::new(),
                ));
            }
            calls[index].2.push_str(piece["function"]["arguments"].as_str().unwrap());
        }
        if chunk["usage"].is_object() {
            assert!(usage.is_null(), "one usage");
            usage = chunk["usage"].clone();
        }
    }
    assert_eq!(role, "assistant");
    assert_eq!(outcome.text().matches("[DONE]").count(), 1);
    (text, calls, finish, usage)
}

/// T041, T013 (no index in tool deltas)
#[test]
fn openai_a_retrieval_alone_is_hidden_and_its_continuation_spliced_in() {
    for indexed in [true, false] {
        let outcome = stream(
            OpenAiChat,
            &gpt_request(),
            &[
                gpt(&["Let ", "me look. "], &[("c1", TOOL, r#"{"content_id":"hr_1"}"#)], "tool_calls", indexed),
                gpt(&["It says ", "42."], &[], "stop", indexed),
            ],
        );
        let (text, calls, finish, usage) = gpt_message(&outcome);
        assert_eq!((text.as_str(), calls.len(), finish.as_str()), ("Let me look. It says 42.", 0, "stop"));
        assert_eq!(usage["completion_tokens"], 20);
        assert_eq!((&usage["prompt_tokens"], &usage["total_tokens"]), (&json!(50), &json!(70)));
        assert_eq!(outcome.usage, Usage { input: 20, cache_read: 80, output: 20, ..Usage::default() });
        assert_eq!(outcome.asked, [r#"{"content_id":"hr_1"}"#]);
        let hidden = json!({"role": "assistant", "content": "Let me look. ", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": TOOL, "arguments": "{\"content_id\":\"hr_1\"}"}}]});
        assert_eq!(outcome.sent[0]["messages"][1], hidden);
        assert_eq!(outcome.sent[0]["messages"][2]["tool_call_id"], "c1");
        let later = next(
            &gpt_request(),
            json!({"role": "assistant", "content": text}),
            json!({"role": "user", "content": "thanks"}),
        );
        let whole = reinserted(OpenAiChat, &later, &outcome.exchanges);
        let messages = whole["messages"].as_array().unwrap();
        assert_eq!(messages[1], hidden);
        assert_eq!(messages[2]["role"], "tool");
        assert_eq!(messages[3], json!({"role": "assistant", "content": "It says 42."}));
        assert_eq!(messages.len(), 5);
    }
}

/// T042
#[test]
fn openai_in_a_mixed_turn_the_client_gets_its_own_calls_only() {
    let (ours, theirs) = (("m", TOOL, "{\"content_id\":\"hr\"}"), ("b", "Bash", "{\"c\":\"ls\"}"));
    for indexed in [true, false] {
        for order in [[ours, theirs], [theirs, ours]] {
            let outcome = stream(OpenAiChat, &gpt_request(), &[gpt(&["Both."], &order, "tool_calls", indexed)]);
            let (text, calls, finish, _) = gpt_message(&outcome);
            assert_eq!((text.as_str(), finish.as_str()), ("Both.", "tool_calls"));
            assert_eq!(calls, [("b".to_owned(), "Bash".to_owned(), "{\"c\":\"ls\"}".to_owned())]);
            assert!(!outcome.text().contains(TOOL));
            let spelled = |(id, name, arguments): (&str, &str, &str)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
            let said = json!({"role": "assistant", "content": "Both.", "tool_calls": [spelled(theirs)]});
            let later = next(&gpt_request(), said, json!({"role": "tool", "tool_call_id": "b", "content": "file"}));
            let whole = reinserted(OpenAiChat, &later, &outcome.exchanges);
            assert_eq!(whole["messages"][1]["tool_calls"], json!(order.map(spelled)));
            assert_eq!(whole["messages"][2]["tool_call_id"], "m");
            assert_eq!(whole["messages"][3]["tool_call_id"], "b");
        }
    }
}

/// T043
#[test]
fn openai_retrievals_in_a_row_are_bounded() {
    let again = |n: usize| gpt(&[], &[(&format!("t{n}"), TOOL, "{}")], "tool_calls", true);
    let outcome = stream(OpenAiChat, &gpt_request(), &(0..5).map(again).collect::<Vec<_>>());
    assert_eq!((outcome.asked.len(), outcome.sent.len()), (3, 4));
    let (text, calls, finish, usage) = gpt_message(&outcome);
    assert_eq!((text.as_str(), calls.len(), finish.as_str()), ("", 0, "stop"));
    assert_eq!(usage["completion_tokens"], 50);
}

#[test]
fn openai_one_chunk_may_hold_everything() {
    let chunk = |content: &str, calls: Value, finish: Value| {
        json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": content, "tool_calls": calls}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, "id": finish})
    };
    let call = |id: &str, index: usize, name: &str| json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let whole =
        format!("data: {}\n\n", chunk("Hi.", json!([call("m", 0, TOOL), call("b", 1, "Bash")]), json!("tool_calls")));
    let outcome = stream(OpenAiChat, &gpt_request(), &[whole]);
    let delta: Vec<Value> = outcome.events().iter().map(|event| event["choices"][0]["delta"].clone()).collect();
    assert_eq!(delta[0], json!({"role": "assistant", "content": "Hi.", "tool_calls": [call("b", 0, "Bash")]}));
    assert_eq!(outcome.events().last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(outcome.exchanges.len(), 1);

    let alone = format!("data: {}\n\n", chunk("Look. ", json!([call("m", 0, TOOL)]), json!("tool_calls")));
    let rest = format!("data: {}\n\ndata: [DONE]\n\n", chunk("Done.", Value::Null, json!("stop")));
    let (text, calls, finish, usage) = gpt_message(&stream(OpenAiChat, &gpt_request(), &[alone, rest]));
    assert_eq!((text.as_str(), calls.len(), finish.as_str()), ("Look. Done.", 0, "stop"));
    assert_eq!(usage["completion_tokens"], 4);
}

#[test]
fn openai_a_whole_response_is_merged_the_same_way() {
    let call =
        |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let body = |content: Value, calls: Value, finish: &str| {
        json!({"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": content, "tool_calls": calls}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15}}).to_string()
    };
    let bodies = [
        body(json!("Look. "), json!([call("a", TOOL)]), "tool_calls"),
        body(Value::Null, json!([call("m", TOOL), call("b", "Bash")]), "tool_calls"),
    ];
    let outcome = play(OpenAiChat, &gpt_request(), &Upstream::Whole(bodies.to_vec()), Some(Limits::default()));
    let shown: Value = serde_json::from_slice(&outcome.client).unwrap();
    let message = &shown["choices"][0]["message"];
    assert_eq!((&message["content"], &message["tool_calls"]), (&json!("Look. "), &json!([call("b", "Bash")])));
    assert_eq!((&shown["usage"]["completion_tokens"], &shown["usage"]["total_tokens"]), (&json!(20), &json!(25)));
    assert_eq!(outcome.exchanges[0].calls(), 2);
}

#[test]
fn openai_several_choices_pass_untouched() {
    let body = json!({"choices": [{"index": 0, "message": {"tool_calls": [{"id": "a", "function": {"name": TOOL}}]}, "finish_reason": "tool_calls"},
        {"index": 1, "message": {}, "finish_reason": "stop"}]}).to_string();
    assert_eq!(
        play(OpenAiChat, &gpt_request(), &Upstream::Whole(vec![body.clone()]), Some(Limits::default())).text(),
        body
    );
}

// --- Recorded streams ----------------------------------------------------------------------------

/// Recorded streams: those of the repository, and of the full corpus if it is here.
fn recorded() -> Vec<(Dialect, String, String)> {
    let mut found = Vec::new();
    for dialect in Dialect::ALL {
        let folder = corpus::repository().join("corpus/streams").join(dialect.name());
        for entry in std::fs::read_dir(&folder)
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "sse"))
        {
            found.push((*dialect, entry.path().display().to_string(), std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    assert!(found.len() >= 6, "the repository has recorded streams");
    for path in
        corpus::files("provider_traffic").iter().filter(|path| path.to_string_lossy().ends_with(".stream.jsonl"))
    {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let stream = entry["response"].as_str().unwrap().to_owned();
            let dialect = match path.to_string_lossy() {
                path if path.contains("anthropic") => AnthropicMessages,
                _ if stream.contains("\"response.") => OpenAiResponses,
                path if path.contains("google") => Gemini,
                _ => OpenAiChat,
            };
            found.push((dialect, entry["id"].as_str().unwrap().to_owned(), stream));
        }
    }
    found
}

fn feed(dialect: Dialect, chunks: &[&[u8]], limits: Option<Limits>) -> (Vec<u8>, Usage) {
    let request = match dialect {
        AnthropicMessages => claude_request(),
        OpenAiResponses => json!({"model": "gpt", "stream": true, "tools": [], "input": "go"}),
        Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}]}),
        _ => gpt_request(),
    };
    let mut turn = Turn::new(parse(dialect, request.to_string()), request.to_string().into(), limits);
    let mut steps = Vec::new();
    chunks.iter().for_each(|chunk| turn.feed(Bytes::copy_from_slice(chunk), &mut steps));
    turn.end(&mut steps);
    let forwarded = steps.iter().flat_map(|step| match step {
        Step::Forward(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    });
    (forwarded.collect(), turn.usage())
}

/// T035, T036, T044
#[test]
fn recorded_streams_pass_byte_for_byte_however_they_are_split() {
    for (dialect, name, stream) in recorded() {
        let bytes = stream.as_bytes();
        let whole = feed(dialect, &[bytes], Some(Limits::default()));
        assert!(whole.0 == bytes, "{name}");
        assert_eq!(feed(dialect, &[bytes], None), whole, "{name}: without the tool on offer");
        assert!(
            feed(dialect, &bytes.chunks(1).collect::<Vec<_>>(), Some(Limits::default())) == whole,
            "{name}: byte by byte"
        );
        // Every split of a small stream; of a large one, splits a prime apart.
        for at in (0..=bytes.len()).step_by(if bytes.len() < 3000 { 1 } else { 4999 }) {
            assert!(
                feed(dialect, &[&bytes[..at], &bytes[at..]], Some(Limits::default())) == whole,
                "{name}: split at {at}"
            );
        }
    }
}

/// T045, T113
#[test]
fn usage_is_counted_once_wherever_it_is_stated() {
    let start = |usage: Value| named(&json!({"type": "message_start", "message": {"usage": usage}}));
    let delta = |usage: Value| named(&json!({"type": "message_delta", "delta": {}, "usage": usage}));
    let full = json!({"input_tokens": 100, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 100}, "output_tokens": 9});
    let expected =
        Usage { input: 100, cache_read: 200, cache_write_5m: 600, cache_write_1h: 100, output: 9, reasoning: 0 };
    let partial = json!({"input_tokens": 100, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 700, "output_tokens": 9});
    for stream in [
        start(json!({"output_tokens": 1})) + &delta(full.clone()),
        start(full.clone()) + &delta(full.clone()),
        start(full.clone()) + &delta(json!({"output_tokens": 9})),
        start(full.clone()) + &delta(partial),
    ] {
        assert_eq!(feed(AnthropicMessages, &[stream.as_bytes()], None).1, expected, "{stream}");
    }
    let body = json!({"usage": full}).to_string();
    assert_eq!(Usage::of_response(AnthropicMessages, body.as_bytes()), Some(expected));
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 20}});
    let expected = Usage { input: 40, cache_read: 60, output: 30, reasoning: 20, ..Usage::default() };
    let stream = format!(
        "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
        json!({"choices": [{}], "usage": null}),
        json!({"choices": [], "usage": usage})
    );
    assert_eq!(feed(OpenAiChat, &[stream.as_bytes()], None).1, expected);
    assert_eq!(Usage::of_response(OpenAiChat, json!({"usage": usage}).to_string().as_bytes()), Some(expected));
    assert_eq!(Usage::of_response(OpenAiChat, b"not json"), None);
}

/// A call of ours put into recorded streams at every place where a block may begin.
#[test]
fn a_retrieval_grafted_into_recorded_streams_is_hidden_everywhere() {
    let mut grafted = 0;
    for (dialect, name, stream) in recorded().into_iter().filter(|(dialect, ..)| *dialect == AnthropicMessages) {
        if !stream.contains("\"stop_reason\":\"tool_use\"") && !stream.contains("\"stop_reason\":\"end_turn\"")
            || stream.matches("message_start").count() != 2
        {
            continue;
        }
        let (visible, _) = claude_message_loosely(&events(stream.as_bytes()));
        let places: Vec<usize> = stream
            .match_indices("event: content_block_start")
            .map(|(at, _)| at)
            .chain(stream.find("event: message_delta"))
            .collect();
        for (index, at) in places.into_iter().enumerate() {
            let ours: String = [
                json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": "ours", "name": TOOL, "input": {}}}),
                json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
                json!({"type": "content_block_stop", "index": index}),
            ].iter().map(named).collect();
            let rest = renumber(&stream[at..]);
            let (said, end) = rest.split_at(rest.find("event: message_delta").unwrap());
            let rest = said.to_owned() + &end.replace("\"stop_reason\":\"end_turn\"", "\"stop_reason\":\"tool_use\"");
            let continuation = claude(&[text("And then.")], "end_turn", 1);
            let upstream = Upstream::Stream {
                responses: vec![format!("{}{ours}{rest}", &stream[..at]), continuation],
                split: at + 40,
            };
            let outcome = play(dialect, &claude_request(), &upstream, Some(Limits::default()));
            let (shown, _) = claude_message_loosely(&outcome.events());
            assert_eq!(outcome.asked, ["{}"], "{name} {index}");
            assert_eq!(shown[..visible.len()], visible, "{name} {index}");
            assert_eq!(shown.len(), visible.len() + outcome.sent.len(), "{name} {index}");
            if let Some(sent) = outcome.sent.first() {
                assert_eq!(sent["messages"][1]["content"][index]["id"], "ours", "{name} {index}");
            }
            grafted += 1;
        }
    }
    assert!(grafted >= 3, "{grafted}");
}

/// Adds one to every index of the blocks that begin in this part of a stream.
fn renumber(stream: &str) -> String {
    let mut out = String::new();
    for line in stream.split_inclusive('\n') {
        let value = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok());
        match value.filter(|value| value["index"].is_u64()) {
            Some(mut value) => {
                value["index"] = json!(value["index"].as_u64().unwrap() + 1);
                out.push_str(&format!("data: {value}\n"));
            }
            None => out.push_str(line),
        }
    }
    out
}

/// The blocks as they begin, and the end; indices must be consecutive.
fn claude_message_loosely(events: &[Value]) -> (Vec<Value>, Value) {
    let starts: Vec<&Value> = events.iter().filter(|event| event["type"] == "content_block_start").collect();
    for (place, start) in starts.iter().enumerate() {
        assert_eq!(start["index"], place);
    }
    (starts.iter().map(|start| start["content_block"].clone()).collect(), events.last().unwrap().clone())
}
