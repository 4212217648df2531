//! The write-guard: what a client's tools get of calls whose arguments hold marks, in every dialect, whole and split at every byte.

use bytes::Bytes;
use headroom_core::{Handle, HandleKey, Omission, Original as Kept, Unit, gap_mark, trailer};
use headroom_wire::guard::Original;
use headroom_wire::sse::{Frame, Framer};
use headroom_wire::{Dialect, Limits, Step, Turn, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A text of a tool, what was sent of it, and its handle.
struct Case {
    text: String,
    short: String,
    handle: Handle,
}

fn case() -> Case {
    let text: String = (1..=30).map(|n| format!("line \"{n}\" \u{e9}\t\\ of it\n")).collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let original = Kept::new(&HandleKey::from_bytes([7; 32]), &text);
    let gaps = [Omission::new(&original, Unit::Line, 4..=19, 30), Omission::new(&original, Unit::Line, 25..=25, 30)];
    let short = format!(
        "{}{}\n{}{}\n{}{}",
        lines[..3].concat(),
        gap_mark(&gaps[0]),
        lines[19..24].concat(),
        gap_mark(&gaps[1]),
        lines[25..].concat(),
        trailer(original.handle(), &gaps)
    );
    let handle = original.handle();
    Case { short, handle, text: text.clone() }
}

/// How a tool is called.
struct Called<'a> {
    tool: &'a str,
    arguments: Value,
}

/// The request in which the shortened text was sent, and as it came.
fn request(dialect: Dialect, shown: &str) -> String {
    let said = json!({"role": "user", "content": shown});
    match dialect {
        Dialect::OpenAiResponses => json!({"model": "m", "input": [said]}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": shown}]}]}),
        _ => json!({"model": "m", "messages": [said]}),
    }
    .to_string()
}

/// Cuts a text where characters allow it, about `size` bytes each.
fn parts(text: &str, size: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}

/// A stream in which the model calls these tools, their arguments in parts of about `size` bytes.
fn streamed(dialect: Dialect, calls: &[Called<'_>], size: usize) -> String {
    let mut events: Vec<Value> = Vec::new();
    let mut output: Vec<Value> = Vec::new();
    match dialect {
        Dialect::AnthropicMessages => events.push(json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}})),
        Dialect::OpenAiChat => events.push(json!({"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "I write. [1"}}]})),
        Dialect::OpenAiResponses => events.push(json!({"type": "response.created", "response": {"id": "r"}, "sequence_number": 0})),
        _ => events.push(json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "I write."}]}}]})),
    }
    for (index, call) in calls.iter().enumerate() {
        let (text, id) = (call.arguments.to_string(), format!("call_{index}"));
        match dialect {
            Dialect::AnthropicMessages => {
                events.push(json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": id, "name": call.tool, "input": {}}}));
                for part in parts(&text, size) {
                    events.push(json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": part}}));
                    events.push(json!({"type": "ping"}));
                }
                events.push(json!({"type": "content_block_stop", "index": index}));
            }
            Dialect::OpenAiChat => {
                let chunk = |call: Value| json!({"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]});
                events.push(chunk(json!({"index": index, "id": id, "type": "function", "function": {"name": call.tool, "arguments": ""}})));
                events.extend(parts(&text, size).into_iter().map(|part| chunk(json!({"index": index, "function": {"arguments": part}}))));
            }
            Dialect::OpenAiResponses => {
                let free = call.arguments.is_string();
                let text = call.arguments.as_str().map_or(text.clone(), str::to_owned);
                let (kind, member) = if free { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                let event = if free { "response.custom_tool_call_input" } else { "response.function_call_arguments" };
                let item = |text: &str| json!({"type": kind, "id": format!("fc_{index}"), "call_id": id, "name": call.tool, member: text});
                events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item("")}));
                for part in parts(&text, size) {
                    events.push(json!({"type": format!("{event}.delta"), "item_id": format!("fc_{index}"), "output_index": index, "delta": part}));
                }
                events.push(json!({"type": format!("{event}.done"), "item_id": format!("fc_{index}"), "output_index": index, member: text}));
                events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item(&text)}));
                output.push(item(&text));
            }
            _ => events.push(json!({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": call.tool, "args": call.arguments}}]}}]})),
        }
    }
    match dialect {
        Dialect::AnthropicMessages => {
            events.push(
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
            );
            events.push(json!({"type": "message_stop"}));
        }
        Dialect::OpenAiChat => {
            events.push(json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}));
        }
        Dialect::OpenAiResponses => events.push(
            json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}}),
        ),
        _ => events.push(json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]})),
    }
    for (number, event) in events.iter_mut().enumerate().filter(|_| dialect == Dialect::OpenAiResponses) {
        event["sequence_number"] = json!(number);
    }
    let end = if dialect == Dialect::OpenAiChat { "data: [DONE]\n\n" } else { "" };
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>() + end
}

/// The same as one JSON answer.
fn whole(dialect: Dialect, calls: &[Called<'_>]) -> String {
    let each = |make: &dyn Fn(usize, &Called<'_>) -> Value| -> Vec<Value> {
        calls.iter().enumerate().map(|(index, call)| make(index, call)).collect()
    };
    match dialect {
        Dialect::AnthropicMessages => {
            json!({"content": each(&|n, call| json!({"type": "tool_use", "id": format!("call_{n}"), "name": call.tool, "input": call.arguments})), "stop_reason": "tool_use"})
        }
        Dialect::OpenAiChat => {
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": null, "tool_calls": each(&|n, call| json!({"id": format!("call_{n}"), "type": "function", "function": {"name": call.tool, "arguments": call.arguments.to_string()}}))}, "finish_reason": "tool_calls"}]})
        }
        Dialect::OpenAiResponses => {
            json!({"status": "completed", "output": each(&|n, call| match call.arguments.as_str() {
                Some(text) => json!({"type": "custom_tool_call", "call_id": format!("call_{n}"), "name": call.tool, "input": text}),
                None => json!({"type": "function_call", "call_id": format!("call_{n}"), "name": call.tool, "arguments": call.arguments.to_string()}),
            })})
        }
        _ => json!({"candidates": [{"content": {"parts": each(&|_, call| json!({"functionCall": {"name": call.tool, "args": call.arguments}}))}, "finishReason": "STOP"}]}),
    }
    .to_string()
}

/// What the client gets, and how often the store was asked.
fn play(
    dialect: Dialect,
    (came, sent): (&str, &str),
    offered: bool,
    known: &[(Handle, Original)],
    feed: impl Fn(&mut Turn, &mut Vec<Step>),
) -> (String, usize) {
    let limits = offered.then(Limits::default);
    let mut turn = Turn::new(parse(dialect, came.to_owned()), sent.to_owned().into(), limits);
    let mut steps = Vec::new();
    feed(&mut turn, &mut steps);
    let (mut client, mut asked, mut place) = (Vec::new(), 0, 0);
    while place < steps.len() {
        match steps[place].clone() {
            Step::Forward(bytes) => client.extend_from_slice(&bytes),
            Step::Restore(handles) => {
                asked += 1;
                let find =
                    |handle: &Handle| known.iter().find(|(known, _)| known == handle).map(|(_, text)| text.clone());
                let originals: Vec<Original> =
                    handles.iter().map(|handle| find(handle).unwrap_or(Original::Unknown)).collect();
                turn.restore(&originals, &mut steps);
            }
            other => panic!("{other:?}"),
        }
        place += 1;
    }
    assert!(turn.is_over() || dialect == Dialect::Gemini && !offered, "the turn is over");
    (String::from_utf8(client).unwrap(), asked)
}

fn feed_all(chunks: Vec<Bytes>) -> impl Fn(&mut Turn, &mut Vec<Step>) {
    move |turn, steps| {
        chunks.iter().for_each(|chunk| turn.feed(chunk.clone(), steps));
        turn.end(steps);
    }
}

fn split(stream: &str, at: usize) -> Vec<Bytes> {
    match at {
        0 => stream.as_bytes().chunks(1).map(Bytes::copy_from_slice).collect(),
        at => {
            let (a, b) = stream.as_bytes().split_at(at.min(stream.len()));
            vec![Bytes::copy_from_slice(a), Bytes::copy_from_slice(b)]
        }
    }
}

/// The arguments of every call as a client puts them together; every way in which a stream says them must say the same.
fn heard(dialect: Dialect, stream: &str) -> Vec<String> {
    let mut framer = Framer::default();
    framer.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut calls: Vec<String> = Vec::new();
    let mut add = |at: usize, text: &str, whole: bool| {
        calls.resize(calls.len().max(at + 1), String::new());
        if whole {
            assert!(calls[at].is_empty() || calls[at] == text, "{} is not {text}", calls[at]);
        }
        if !whole || calls[at].is_empty() {
            calls[at].push_str(text);
        }
    };
    let mut gemini = 0;
    while let Some(Frame::Event(event)) = framer.next() {
        let Ok(event) = serde_json::from_slice::<Value>(&event.data().unwrap_or_default()) else { continue };
        match dialect {
            Dialect::AnthropicMessages => {
                if let Some(part) = event["delta"]["partial_json"].as_str() {
                    add(event["index"].as_u64().unwrap() as usize, part, false);
                }
            }
            Dialect::OpenAiChat => {
                for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                    add(
                        call["index"].as_u64().unwrap() as usize,
                        call["function"]["arguments"].as_str().unwrap(),
                        false,
                    );
                }
            }
            Dialect::OpenAiResponses => {
                let at = event["output_index"].as_u64().unwrap_or_default() as usize;
                let kind = event["type"].as_str().unwrap();
                let said = |value: &Value| value["arguments"].as_str().or(value["input"].as_str()).map(str::to_owned);
                match kind {
                    kind if kind.ends_with(".delta") => add(at, event["delta"].as_str().unwrap(), false),
                    kind if kind.ends_with("arguments.done") || kind.ends_with("input.done") => {
                        add(at, &said(&event).unwrap(), true);
                    }
                    "response.output_item.done" => add(at, &said(&event["item"]).unwrap(), true),
                    "response.completed" => {
                        for (at, item) in event["response"]["output"].as_array().unwrap().iter().enumerate() {
                            add(at, &said(item).unwrap(), true);
                        }
                    }
                    _ => {}
                }
            }
            _ => {
                for part in event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
                    if let Some(call) = part.get("functionCall") {
                        add(gemini, &call["args"].to_string(), false);
                        gemini += 1;
                    }
                }
            }
        }
    }
    calls
}

/// The arguments of every call of a JSON answer.
fn heard_whole(dialect: Dialect, body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    let list = match dialect {
        Dialect::AnthropicMessages => &body["content"],
        Dialect::OpenAiChat => &body["choices"][0]["message"]["tool_calls"],
        Dialect::OpenAiResponses => &body["output"],
        _ => &body["candidates"][0]["content"]["parts"],
    };
    let read = |call: &Value| match dialect {
        Dialect::AnthropicMessages => call["input"].to_string(),
        Dialect::OpenAiChat => call["function"]["arguments"].as_str().unwrap().to_owned(),
        Dialect::OpenAiResponses => call["arguments"].as_str().or(call["input"].as_str()).unwrap().to_owned(),
        _ => call["functionCall"]["args"].to_string(),
    };
    list.as_array().unwrap().iter().map(read).collect()
}

/// Plays calls as a JSON answer and as streams, split at every byte and with arguments in parts of several sizes, with the tool on offer
/// and without; gives the arguments that the client hears, which are always the same or refused.
fn everywhere(
    dialect: Dialect,
    case: &Case,
    calls: &[Called<'_>],
    known: &[(Handle, Original)],
    check: impl Fn(&[String]),
) {
    let (came, sent) = (request(dialect, &case.text), request(dialect, &case.short));
    for offered in [true, false] {
        let body = whole(dialect, calls);
        let (client, _) =
            play(dialect, (&came, &sent), offered, known, |turn, steps| turn.whole(body.clone().into(), steps));
        check(&heard_whole(dialect, &client));
    }
    for size in [1, 7, 1000] {
        let stream = streamed(dialect, calls, size);
        let (first, _) = play(dialect, (&came, &sent), true, known, feed_all(vec![stream.clone().into()]));
        check(&heard(dialect, &first));
        let (unoffered, _) = play(dialect, (&came, &sent), false, known, feed_all(vec![stream.clone().into()]));
        assert_eq!(unoffered, first);
        let step = if size == 1000 { 1 } else { stream.len() / 40 };
        for at in (0..stream.len()).step_by(step) {
            let (client, _) = play(dialect, (&came, &sent), true, known, feed_all(split(&stream, at)));
            assert_eq!(client, first, "split at {at}");
        }
        if dialect == Dialect::Gemini {
            let elements: Vec<&str> = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
            let array = format!("[{}\n]\n", elements.join("\n,\r\n"));
            let played = |at| {
                let feed = feed_all(split(&array, at));
                play(dialect, (&came, &sent), true, known, |turn, steps| {
                    turn.read_arrays();
                    feed(turn, steps);
                })
            };
            let (whole, _) = played(usize::MAX);
            for at in (0..array.len()).step_by(step) {
                assert_eq!(played(at).0, whole, "array split at {at}");
            }
            let elements: Vec<Value> = serde_json::from_str(&whole).unwrap();
            let events: String = elements.iter().map(|element| format!("data: {element}\n\n")).collect();
            assert_eq!(heard(dialect, &events), heard(dialect, &first));
        }
    }
}

/// T073: a text that was copied with its marks is written as it is.
#[test]
fn a_copied_text_is_written_whole() {
    let case = case();
    let known = [(case.handle, Original::Kept(case.text.clone()))];
    for dialect in Dialect::ALL {
        let calls = [
            Called { tool: "Read", arguments: json!({"path": "a [1, 2] [-x", "content": "[-1 line 9999]"}) },
            Called { tool: "Write", arguments: json!({"content": case.short, "file_path": "/tmp/a"}) },
        ];
        everywhere(*dialect, &case, &calls, &known, |heard| {
            assert_eq!(heard[0], calls[0].arguments.to_string(), "what only looks like a mark stays");
            let written: Value = serde_json::from_str(&heard[1]).unwrap();
            assert_eq!(written, json!({"content": case.text, "file_path": "/tmp/a"}), "{dialect:?}");
        });
    }
}

/// T073: what cannot be expanded does nothing, and says why.
#[test]
fn what_cannot_be_written_is_refused() {
    let case = case();
    let kept = [(case.handle, Original::Kept(case.text.clone()))];
    let lost = [(case.handle, Original::Unreadable)];
    for dialect in Dialect::ALL {
        let command = json!({"command": format!("cat > a <<'E'\n{}\nE", case.short), "timeout": 5});
        for (arguments, known) in [(command, &kept), (json!({"file_path": "a", "content": case.short}), &lost)] {
            let calls =
                [Called { tool: "Bash", arguments }, Called { tool: "Bash", arguments: json!({"command": "ls"}) }];
            everywhere(*dialect, &case, &calls, known, |heard| {
                let Ok(Value::Object(got)) = serde_json::from_str(&heard[0]) else {
                    panic!("{dialect:?} {}", heard[0])
                };
                assert!(got["headroom_refused"].as_str().unwrap().contains("must not be written"));
                assert!(got.iter().all(|(name, value)| name == "headroom_refused" || value.is_null()), "{got:?}");
                assert!(!heard[0].contains("[-16 lines"), "no mark is left: {}", heard[0]);
                assert_eq!(heard[1], r#"{"command":"ls"}"#);
            });
        }
    }
}

/// T073: free text, which has no members to spoil: a patch loses its end, anything else is not begun.
#[test]
fn free_text_is_refused_whole_or_without_its_end() {
    let case = case();
    let patch = format!("*** Begin Patch\n*** Add File: a\n+{}\n*** End Patch", case.short.replace('\n', "\n+"));
    let script = format!("import os\nwrite({:?})\n", case.short);
    for (text, begins) in [(patch, "*** Begin Patch\n"), (script, "Nothing was done.")] {
        let calls = [Called { tool: "apply", arguments: json!(text) }];
        let known = [(case.handle, Original::Kept(case.text.clone()))];
        everywhere(Dialect::OpenAiResponses, &case, &calls, &known, |heard| {
            assert!(heard[0].contains("must not be written") && !heard[0].contains("*** End Patch"), "{}", heard[0]);
            assert!(heard[0].starts_with(begins) || heard[0].starts_with("Nothing was done."), "{}", heard[0]);
            assert!(!heard[0].contains("[-16 lines"));
        });
    }
}

/// References to what stands above are marks too, and name nothing that could be put in their place.
#[test]
fn a_reference_that_was_added_is_refused_and_the_clients_own_words_are_not() {
    let reference = "[12-80: unchanged, as above: src/lib.rs]";
    let calls = [Called { tool: "Write", arguments: json!({"content": format!("a\n{reference}\n")}) }];
    for dialect in Dialect::ALL {
        let body = whole(*dialect, &calls);
        let feed = |turn: &mut Turn, steps: &mut Vec<Step>| turn.whole(body.clone().into(), steps);
        let (came, sent) = (request(*dialect, "long text"), request(*dialect, reference));
        let (client, _) = play(*dialect, (&came, &sent), false, &[], feed);
        assert!(client.contains("headroom_refused") && !client.contains(reference), "{client}");
        let sent = format!("{sent} ");
        let (client, asked) = play(*dialect, (&sent, &format!("{sent} ")), false, &[], feed);
        assert_eq!((client, asked), (body.clone(), 0), "the client's own words");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// What holds no mark of ours reaches the client byte for byte, in the chunks in which it came but for what could have become a mark.
    #[test]
    fn nothing_else_is_changed_or_delayed(text in r#"(\[|\[-1|\[-12 l|\[1-|\]|[a-z\\"\n ]|é|\[-3 lines 1-3\]){0,60}"#, size in 1_usize..30, at in any::<prop::sample::Index>()) {
        let case = case();
        for dialect in Dialect::ALL {
            let calls = [Called { tool: "Write", arguments: json!({"content": text}) }];
            let stream = streamed(*dialect, &calls, size);
            let (came, sent) = (request(*dialect, &case.text), request(*dialect, &case.short));
            let (client, asked) = play(*dialect, (&came, &sent), true, &[], feed_all(split(&stream, at.index(stream.len()))));
            prop_assert_eq!((client, asked), (stream.clone(), 0));

            // An event without a bracket near its end goes out at once.
            let mut turn = Turn::new(parse(*dialect, came), sent.into(), Some(Limits::default()));
            let mut out = 0;
            for event in stream.split_inclusive("\n\n") {
                let mut steps = Vec::new();
                turn.feed(Bytes::copy_from_slice(event.as_bytes()), &mut steps);
                let bytes: usize = steps.iter().map(|step| match step { Step::Forward(bytes) => bytes.len(), _ => 0 }).sum();
                out += bytes;
                if !event.contains('[') && !text.contains('[') {
                    prop_assert_eq!(bytes, event.len(), "{}", event);
                }
            }
            let mut steps = Vec::new();
            turn.end(&mut steps);
            prop_assert!(out <= stream.len());
        }
    }
}
