//! Gemini: where text is found, and turns with retrievals as a client and an upstream see them.

mod common;

use bytes::Bytes;
use headroom_testkit::corpus;
use headroom_wire::{Answer, Dialect, Exchange, Limits, SlotRole, Step, Turn, Usage, parse, parse_at};
use serde_json::{Value, json};

use Dialect::Gemini;
use common::{Outcome, Upstream, as_array, events, play, stream};

const TOOL: &str = headroom_wire::TOOL_NAME;

#[test]
fn texts_are_found_with_the_calls_they_belong_to() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "no"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "ask"}, {"inlineData": {"data": "no"}}, {"fileData": {"fileUri": "no"}}]},
            {"parts": [{"text": "no role"}, {"text": "no", "thought": true}, {"text": "no", "thoughtSignature": "x"}]},
            {"role": "model", "parts": [{"text": "no"}, {"functionCall": {"name": "ls", "args": {"path": "a"}}, "thoughtSignature": "Ep+/="},
                {"functionCall": {"name": "ls", "args": {"path": "b"}}}, {"functionCall": {"id": "7", "name": "cat", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "ls", "response": {"output": "of a"}}},
                {"functionResponse": {"name": "ls", "response": {"result": "of b", "rows": [1, {"text": "no"}], "ok": true}}},
                {"functionResponse": {"id": "7", "name": "cat", "response": {"error": "no such file"}}},
                {"functionResponse": {"name": "other", "response": {"a": "x", "b": "y"}}},
                {"functionResponse": {"name": "other", "response": ["no"]}},
            ]},
            {"role": "function", "parts": [{"function_response": {"name": "snake", "response": {"content": "too"}}}]},
            {"role": "system", "parts": [{"text": "no"}]}, {"role": 7, "parts": [{"text": "no"}]}, null,
        ],
    });
    let request = parse(Gemini, body.to_string());
    let found: Vec<String> = request
        .slots()
        .iter()
        .map(|slot| match slot.role() {
            SlotRole::UserText => format!("user {}", slot.text()),
            SlotRole::ToolResult => format!(
                "{}{} {} {}",
                slot.tool().unwrap_or("-"),
                if slot.is_error() { "!" } else { "" },
                slot.arguments().unwrap_or("-"),
                slot.text()
            ),
        })
        .collect();
    assert_eq!(
        found,
        [
            "user ask",
            "user no role",
            "ls {\"path\":\"a\"} of a",
            "ls {\"path\":\"b\"} of b",
            "cat! {} no such file",
            "other - x",
            "other - y",
            "snake - too"
        ]
    );
    assert_eq!(request.splice(&[], &[]), body.to_string().as_bytes());
    for body in [
        r#"{"contents":{}}"#,
        r#"{"contents":[],"contents":[]}"#,
        r#"{"contents":[{"role":"user","parts":[{"text":"a","text":"b"}]}]}"#,
    ] {
        assert!(parse(Gemini, body).slots().is_empty(), "{body}");
    }
}

#[test]
fn the_tool_goes_behind_the_last_function_where_it_can_be_called() {
    let offered = |body: Value| {
        let request = parse(Gemini, body.to_string());
        let tool = request.offer_tool()?;
        Some(serde_json::from_slice::<Value>(&request.splice(&[], &[tool])).unwrap()["tools"].clone())
    };
    let ours: Value = serde_json::from_str(Gemini.tool_definition()).unwrap();
    let declared = json!({"functionDeclarations": [{"name": "a"}]});
    let body = |tools: Value, extra: Value| {
        let mut body = json!({"contents": [], "tools": tools});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let both = json!({"functionDeclarations": [{"name": "a"}, ours]});
    assert_eq!(offered(body(json!([declared]), json!({}))), Some(json!([both])));
    assert_eq!(
        offered(body(json!([declared, {"googleSearch": {}}]), json!({}))),
        Some(json!([both, {"googleSearch": {}}]))
    );
    let snake = json!([{"function_declarations": [{"name": "a"}]}]);
    assert_eq!(
        offered(body(snake, json!({"generationConfig": {"candidateCount": 1}}))).unwrap()[0]["function_declarations"]
            [1],
        ours
    );
    for no in [
        json!({"cachedContent": "cachedContents/x"}),
        json!({"generationConfig": {"candidateCount": 2}}),
        json!({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
        json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a"]}}}),
    ] {
        assert_eq!(offered(body(json!([declared]), no.clone())), None, "{no}");
    }
    for tools in
        [json!([]), json!([{"googleSearch": {}}]), json!([{"functionDeclarations": [{"name": TOOL}]}]), json!(null)]
    {
        assert_eq!(offered(body(tools, json!({}))), None);
    }
}

#[test]
fn requests_and_their_models_are_known_by_their_path() {
    for (path, model) in [
        ("/v1beta/models/gemini-3-pro-preview:generateContent", Some("gemini-3-pro-preview")),
        ("/v1/models/gemini-2.5-flash:streamGenerateContent", Some("gemini-2.5-flash")),
        (
            "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:generateContent",
            Some("gemini-2.5-pro"),
        ),
        ("/v1beta/models/gemini-2.5-pro:countTokens", None),
        ("/v1beta/models", None),
        ("/v1beta/cachedContents", None),
    ] {
        assert_eq!(Dialect::of_path(path) == Some(Gemini), model.is_some(), "{path}");
        assert_eq!(Dialect::model_of_path(path), model);
        assert_eq!(parse_at(Gemini, path, r#"{"contents":[]}"#).model(), model);
    }
}

// --- Turns ---------------------------------------------------------------------------------------

fn request() -> Value {
    json!({"tools": [{"functionDeclarations": [{"name": "Bash"}]}], "contents": [{"role": "user", "parts": [{"text": "go"}]}]})
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn call(name: &str, args: &Value) -> Value {
    json!({"functionCall": {"name": name, "args": args}})
}

fn ours(id: &str) -> Value {
    json!({"functionCall": {"name": TOOL, "args": {"content_id": "hr_1"}, "id": id}, "thoughtSignature": "Ep+/="})
}

fn answered(name: &str, id: Option<&str>, output: &str) -> Value {
    let mut response = json!({"name": name, "response": {"output": output}});
    if let Some(id) = id {
        response = json!({"id": id, "name": name, "response": {"output": output}});
    }
    json!({"functionResponse": response})
}

fn said(parts: &[Value]) -> Value {
    json!({"role": "model", "parts": parts})
}

fn chunk(parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": said(parts), "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({"candidates": [candidate], "responseId": "r", "usageMetadata": {"promptTokenCount": 50, "cachedContentTokenCount": 40,
        "candidatesTokenCount": 6, "thoughtsTokenCount": 4, "totalTokenCount": 60}})
}

/// A response as a stream: each part in a chunk of its own. The end comes with the last one, or behind it.
fn streamed(parts: &[Value], finish: &str, together: bool) -> String {
    let last = parts.len().wrapping_sub(1);
    let mut chunks: Vec<Value> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| chunk(std::slice::from_ref(part), (together && at == last).then_some(finish)))
        .collect();
    if !together || parts.is_empty() {
        chunks.push(chunk(&[text("")], Some(finish)));
    }
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

/// What a client puts together: its parts without empty text, the finish reasons, the last usage.
fn assembled(outcome: &Outcome) -> (Vec<Value>, Vec<String>, Value) {
    let (mut parts, mut finishes, mut usage) = (Vec::new(), Vec::new(), Value::Null);
    for event in outcome.events() {
        let candidate = &event["candidates"][0];
        parts.extend(
            candidate["content"]["parts"].as_array().unwrap().iter().filter(|part| **part != text("")).cloned(),
        );
        finishes.extend(candidate["finishReason"].as_str().map(str::to_owned));
        usage = event["usageMetadata"].clone();
    }
    (parts, finishes, usage)
}

fn next(request: &Value, more: &[Value]) -> Value {
    let mut request = request.clone();
    request["contents"].as_array_mut().unwrap().extend(more.iter().cloned());
    request
}

/// The contents with the exchanges put back, and that a longer history keeps its bytes.
fn reinserted(body: &Value, exchanges: &[Exchange]) -> Value {
    let text = |body: &Value| {
        let request = parse(Gemini, body.to_string());
        let keys = request.exchange_keys();
        let known: Vec<Exchange> =
            exchanges.iter().filter(|exchange| keys.contains(&exchange.key())).cloned().collect();
        String::from_utf8(request.splice(&[], &request.reinsert(&known))).unwrap()
    };
    let (shorter, on) = (text(body), json!({"role": "user", "parts": [{"text": "on"}]}));
    let longer = text(&next(body, &[on.clone(), said(&[json!({"text": "later"})]), on]));
    assert!(longer.starts_with(shorter.strip_suffix("]}").unwrap()), "{shorter}\n{longer}");
    serde_json::from_str::<Value>(&shorter).unwrap()["contents"].clone()
}

const FOR: &str = "for {\"content_id\":\"hr_1\"}";

/// T041, T020
#[test]
fn a_retrieval_alone_is_hidden_and_its_continuation_spliced_in() {
    for together in [false, true] {
        for id in ["", "c1"] {
            let mut mine = ours(id);
            if id.is_empty() {
                mine["functionCall"].as_object_mut().unwrap().remove("id");
            }
            let first = [json!({"text": "hm", "thought": true}), text("Let me "), text("look. "), mine.clone()];
            let second = [text("It says "), text("42.")];
            let outcome =
                stream(Gemini, &request(), &[streamed(&first, "STOP", together), streamed(&second, "STOP", together)]);
            let (parts, finishes, usage) = assembled(&outcome);
            assert_eq!(parts, [&first[..3], &second].concat());
            assert_eq!(finishes, ["STOP"]);
            let counts = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"]
                .map(|name| usage[name].as_u64().unwrap());
            assert_eq!(counts, [50, 12, 8, 70]);
            assert_eq!(
                outcome.usage,
                Usage { input: 20, cache_read: 80, output: 20, reasoning: 8, ..Usage::default() }
            );
            assert!(!outcome.text().contains(TOOL) && !outcome.text().contains("thoughtSignature"));
            let result = answered(TOOL, Some(id).filter(|id| !id.is_empty()), FOR);
            let answer = json!({"role": "user", "parts": [result]});
            assert_eq!(outcome.sent[0]["contents"], json!([request()["contents"][0], said(&first), answer]));
            assert_eq!(outcome.sent[0]["tools"][0]["functionDeclarations"][1]["name"], TOOL);
            // The client joins the text, and what was hidden is back in front of it, signature and all.
            let (whole, thanks) =
                (said(&[text("Let me look. It says 42.")]), json!({"role": "user", "parts": [{"text": "thanks"}]}));
            let later = next(&request(), &[whole.clone(), thanks.clone()]);
            let expected = json!([request()["contents"][0], said(&[mine]), answer, whole, thanks]);
            assert_eq!(reinserted(&later, &outcome.exchanges), expected);
            // Another question before it: another conversation.
            let other = next(&json!({"contents": [{"role": "user", "parts": [{"text": "other"}]}]}), &[whole]);
            assert_eq!(reinserted(&other, &outcome.exchanges), other["contents"]);
        }
    }
}

/// T042
#[test]
fn in_a_mixed_turn_the_client_gets_its_own_calls_only() {
    let (a, b) = (call("Bash", &json!({"c": 1, "d": "x"})), call("Bash", &json!({"c": 2})));
    for parts in [
        vec![ours("m"), a.clone(), b.clone()],
        vec![a.clone(), ours("m"), b.clone()],
        vec![a.clone(), b.clone(), ours("m")],
    ] {
        let outcome = stream(Gemini, &request(), &[streamed(&parts, "STOP", false)]);
        assert_eq!(assembled(&outcome).0, [a.clone(), b.clone()]);
        assert!(outcome.sent.is_empty());
        // The client numbers its calls itself and prints their arguments its own way.
        let numbered = json!({"functionCall": {"id": "client_1", "name": "Bash", "args": {"d": "x", "c": 1.0}}});
        let answers = json!({"role": "user", "parts": [answered("Bash", None, "1"), answered("Bash", None, "2")]});
        let later = next(&request(), &[said(&[numbered.clone(), b.clone()]), answers]);
        let expected: Vec<Value> =
            parts.iter().map(|part| if *part == a { numbered.clone() } else { part.clone() }).collect();
        let whole = reinserted(&later, &outcome.exchanges);
        assert_eq!(whole[1], said(&expected));
        assert_eq!(
            whole[2]["parts"],
            json!([answered(TOOL, Some("m"), FOR), answered("Bash", None, "1"), answered("Bash", None, "2")])
        );
        // Some clients keep every chunk of a stream as a message of its own.
        let later = next(
            &request(),
            &[said(std::slice::from_ref(&a)), said(std::slice::from_ref(&b)), later["contents"][2].clone()],
        );
        let whole = reinserted(&later, &outcome.exchanges);
        let calls: Vec<&Value> =
            whole.as_array().unwrap()[1..3].iter().flat_map(|content| content["parts"].as_array().unwrap()).collect();
        assert_eq!(calls, parts.iter().collect::<Vec<_>>());
    }
}

/// T036: the provider ends its lines with CR and LF. Where a chunk ends between the two, the events are still the same.
#[test]
fn line_ends_of_two_bytes_may_be_split() {
    let responses = [[text("Look. "), ours("m")], [text("Done. "), text("So.")]];
    let responses = responses.map(|parts| streamed(&parts, "STOP", true).replace('\n', "\r\n")).to_vec();
    let longest = responses.iter().map(String::len).max().unwrap();
    let played = |split| {
        let upstream = Upstream::Stream { responses: responses.clone(), split };
        play(Gemini, &request(), &upstream, Some(Limits::default())).events()
    };
    for split in 0..longest {
        assert_eq!(played(split), played(usize::MAX), "split at {split}");
    }
}

/// T043
#[test]
fn retrievals_in_a_row_are_bounded_and_the_model_is_told() {
    let outcome = stream(Gemini, &request(), &vec![streamed(&[ours("t")], "STOP", true); 5]);
    assert_eq!((outcome.asked.len(), outcome.sent.len()), (3, 4));
    let told = &outcome.sent[3]["contents"].as_array().unwrap().last().unwrap()["parts"][0];
    assert!(told["functionResponse"]["response"]["error"].as_str().unwrap().contains("limit"));
    let (parts, finishes, usage) = assembled(&outcome);
    assert!(parts.is_empty() && finishes == ["STOP"] && usage["candidatesTokenCount"] == 30);
}

#[test]
fn one_chunk_may_hold_everything() {
    let first = format!("data: {}\n\n", chunk(&[text("Look. "), ours("m"), text("So.")], Some("STOP")));
    let outcome = stream(Gemini, &request(), &[first, streamed(&[text("Done.")], "STOP", true)]);
    assert_eq!(assembled(&outcome).0, [text("Look. "), text("So."), text("Done.")]);
    assert_eq!(assembled(&outcome).1, ["STOP"]);
}

/// T037
#[test]
fn a_stream_cut_or_stopped_while_a_call_is_held_ends_there() {
    let first = streamed(&[text("Look."), ours("a")], "STOP", false);
    let cut = &first[..first.rfind("data: ").unwrap()];
    let outcome = stream(Gemini, &request(), &[cut.to_owned()]);
    assert!(!outcome.over && outcome.asked.is_empty() && assembled(&outcome).0 == [text("Look.")]);
    let outcome = stream(Gemini, &request(), &[streamed(&[text("Look."), ours("a")], "MAX_TOKENS", false)]);
    assert_eq!((assembled(&outcome).0, assembled(&outcome).1), (vec![text("Look.")], vec!["MAX_TOKENS".to_owned()]));
    assert!(outcome.sent.is_empty() && outcome.exchanges.is_empty());
}

#[test]
fn a_whole_response_is_merged_the_same_way() {
    let bodies = [
        chunk(&[text("Look. "), ours("a")], Some("STOP")).to_string(),
        chunk(&[text("Done."), ours("m"), call("Bash", &json!({}))], Some("STOP")).to_string(),
    ];
    let outcome = play(Gemini, &request(), &Upstream::Whole(bodies.to_vec()), Some(Limits::default()));
    let shown: Value = serde_json::from_slice(&outcome.client).unwrap();
    assert_eq!(
        shown["candidates"][0]["content"]["parts"],
        json!([text("Look. "), text("Done."), call("Bash", &json!({}))])
    );
    assert_eq!(shown["usageMetadata"]["candidatesTokenCount"], 12);
    assert_eq!(outcome.exchanges[0].calls(), 2);
    let later = next(
        &request(),
        &[shown["candidates"][0]["content"].clone(), json!({"role": "user", "parts": [answered("Bash", None, "x")]})],
    );
    let whole = reinserted(&later, &outcome.exchanges);
    assert_eq!(whole.as_array().unwrap().len(), 5);
    assert_eq!(whole[3]["parts"].as_array().unwrap().len(), 4);
    let plain = chunk(&[text("Plain.")], Some("STOP")).to_string();
    assert_eq!(play(Gemini, &request(), &Upstream::Whole(vec![plain.clone()]), Some(Limits::default())).text(), plain);
    let several = json!({"candidates": [{"content": said(&[ours("a")])}, {"content": said(&[text("x")])}]}).to_string();
    assert_eq!(
        play(Gemini, &request(), &Upstream::Whole(vec![several.clone()]), Some(Limits::default())).text(),
        several
    );
}

#[test]
fn a_failed_continuation_is_told_in_the_providers_way() {
    let mut turn =
        Turn::new(parse(Gemini, request().to_string()), request().to_string().into(), Some(Limits::default()));
    let mut steps = Vec::new();
    turn.feed(streamed(&[ours("a")], "STOP", true).into(), &mut steps);
    turn.end(&mut steps);
    steps.clear();
    turn.answer(&[Answer { text: "x".into(), is_error: false }], &mut steps);
    assert!(matches!(steps[..], [Step::Continue(_)]));
    steps.clear();
    turn.abandon(Some(b"{\"error\":{\"code\":429,\n\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}"), &mut steps);
    let Step::Forward(told) = &steps[0] else { panic!("{steps:?}") };
    assert_eq!(events(told)[0]["error"]["code"], 429);
}

/// T035: whatever is not ours passes byte for byte, wherever it is split, and so does what is no array.
#[test]
fn recorded_streams_pass_as_arrays_too() {
    let folder = corpus::repository().join("corpus/streams/gemini");
    let recorded = std::fs::read_dir(folder).unwrap().flatten();
    let mut bodies: Vec<String> =
        recorded.map(|entry| as_array(&std::fs::read_to_string(entry.path()).unwrap())).collect();
    assert!(bodies.len() >= 8);
    bodies.extend(
        [
            "[]",
            "[{\"candidates\":[{\"cut",
            "{\"error\":{\"code\":500}}",
            "",
            "[\n]",
            "\n,",
            ", {}",
            "[{}[{}",
            "[{}]{}",
            "[,{}",
            "[{}}]",
            "[{}{}]",
        ]
        .map(str::to_owned),
    );
    for body in bodies {
        for limits in [None, Some(Limits::default())] {
            for split in (0..body.len()).step_by(if body.len() < 2000 { 1 } else { 97 }).chain([usize::MAX]) {
                let upstream = Upstream::Arrays { responses: vec![body.clone()], split };
                assert_eq!(play(Gemini, &request(), &upstream, limits).text(), body, "split at {split}");
            }
        }
    }
}

#[test]
fn in_an_array_too_a_failed_continuation_is_told() {
    for shown in [vec![], vec![text("Look.")]] {
        let mut turn =
            Turn::new(parse(Gemini, request().to_string()), request().to_string().into(), Some(Limits::default()));
        turn.read_arrays();
        let (mut steps, mut client) = (Vec::new(), Vec::new());
        turn.feed(as_array(&streamed(&[shown.clone(), vec![ours("a")]].concat(), "STOP", true)).into(), &mut steps);
        turn.end(&mut steps);
        turn.answer(&[Answer { text: "x".into(), is_error: false }], &mut steps);
        turn.abandon(Some(b"{\"error\":{\"code\":429}}"), &mut steps);
        for step in steps {
            if let Step::Forward(bytes) = step {
                client.extend_from_slice(&bytes);
            }
        }
        let got: Vec<Value> = serde_json::from_slice(&client).unwrap();
        assert_eq!((got.len(), got.last().unwrap()["error"]["code"].as_u64()), (shown.len() + 1, Some(429)));
    }
}

/// A call of ours put into recorded streams in front of every chunk: answered, and everything else goes out when it comes.
#[test]
fn a_retrieval_grafted_into_recorded_streams_is_hidden_everywhere() {
    let folder = corpus::repository().join("corpus/streams/gemini");
    let mut grafted = 0;
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        let name = path.display().to_string();
        let recorded = std::fs::read_to_string(&path).unwrap();
        let visible = assembled(&play(
            Gemini,
            &request(),
            &Upstream::Stream { responses: vec![recorded.clone()], split: 9 },
            None,
        ))
        .0;
        let places: Vec<usize> = recorded.match_indices("data: ").map(|(at, _)| at).collect();
        for at in places {
            let mine = format!("data: {}\r\n\r\n", chunk(&[ours("m")], None));
            let whole = format!("{}{mine}{}", &recorded[..at], &recorded[at..]);
            let mut turn = Turn::new(parse(Gemini, request().to_string()), Bytes::new(), Some(Limits::default()));
            let mut steps = Vec::new();
            turn.feed(whole[..at + mine.len()].to_owned().into(), &mut steps);
            assert_eq!(steps.is_empty(), at == 0, "{name} {at}: nothing before it is held back");
            let upstream =
                Upstream::Stream { responses: vec![whole, streamed(&[text("And then.")], "STOP", true)], split: 3 };
            let outcome = play(Gemini, &request(), &upstream, Some(Limits::default()));
            let (shown, finishes, _) = assembled(&outcome);
            assert_eq!(outcome.asked.len(), 1, "{name} {at}");
            assert_eq!(shown[..visible.len()], visible, "{name} {at}");
            assert_eq!((shown.len(), finishes.len()), (visible.len() + outcome.sent.len(), 1), "{name} {at}");
            grafted += 1;
        }
    }
    assert!(grafted >= 10, "{grafted}");
}

#[test]
fn usage_is_counted_once_wherever_it_is_stated() {
    let mut stated = chunk(&[], Some("STOP"));
    stated["usageMetadata"]["toolUsePromptTokenCount"] = json!(7);
    let expected = Usage { input: 17, cache_read: 40, output: 10, reasoning: 4, ..Usage::default() };
    assert_eq!(Usage::of_response(Gemini, stated.to_string().as_bytes()), Some(expected));
    let mut turn = Turn::new(parse(Gemini, Bytes::new()), Bytes::new(), None);
    turn.feed(format!("data: {stated}\n\ndata: {stated}\n\n").into(), &mut Vec::new());
    assert_eq!(turn.usage(), expected);
}
