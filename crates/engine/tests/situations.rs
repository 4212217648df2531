//! What real conversations do: rows of `docs/situations.md` that the engine answers for.

use headroom::{Engine, Mode, Policy, Query, Retrieval};
use headroom_core::find_marks;
use headroom_store::{Scope, Store};
use headroom_wire::{Dialect, Request, parse};
use serde_json::{Value, json};

fn view(from: usize, lines: usize) -> String {
    (from..from + lines).map(|n| format!("{n:>6}\tlet value_{n} = compute(input[{n}], \"name {n}\");\n")).collect()
}

fn log(lines: usize) -> String {
    let line = |n: usize| {
        format!(
            "2024-05-01T10:{:02}:{:02}Z INFO worker-{} handled request {n} in {}ms\n",
            n / 60 % 60,
            n % 60,
            n % 4,
            n * 3 % 90
        )
    };
    (0..lines).map(line).collect()
}

/// An Anthropic conversation: instructions, a question, and calls of tools with their results.
struct Talk {
    system: String,
    tools: Value,
    question: Value,
    results: Vec<(&'static str, Value, String)>,
}

impl Talk {
    fn new(results: Vec<(&'static str, Value, String)>) -> Self {
        Self {
            system: "Be careful. ".repeat(800),
            tools: json!([{"name": "Read"}, {"name": "Bash"}]),
            question: json!("Why does it fail?"),
            results,
        }
    }

    fn request(&self) -> Request {
        let mut messages = vec![json!({"role": "user", "content": self.question})];
        for (n, (tool, input, text)) in self.results.iter().enumerate() {
            let id = format!("t{n}");
            messages.push(
                json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": tool, "input": input}]}),
            );
            messages.push(
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}),
            );
        }
        let mut body =
            json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "system": self.system, "messages": messages});
        if self.tools != Value::Null {
            body["tools"] = self.tools.clone();
        }
        parse(Dialect::AnthropicMessages, body.to_string())
    }
}

fn always() -> Policy {
    Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) }
}

/// The texts of all slots as they are sent.
fn sent(engine: &Engine, request: &Request, policy: &Policy) -> Vec<String> {
    let outbound = engine.prepare(&Scope::default(), request, policy);
    let body = outbound.body.unwrap_or_else(|| request.body().to_vec());
    let slots: Vec<_> = parse(request.dialect(), body).slots().iter().map(|slot| slot.text().to_owned()).collect();
    slots
}

fn engine() -> Engine {
    Engine::new(Store::memory())
}

fn read(path: &str, text: String) -> (&'static str, Value, String) {
    ("Read", json!({"file_path": path}), text)
}

fn bash(command: &str, text: String) -> (&'static str, Value, String) {
    ("Bash", json!({"command": command}), text)
}

/// T029
#[test]
fn a_prefix_is_not_shrunk_below_what_the_provider_caches() {
    let mut talk = Talk::new(vec![bash("journalctl", log(40))]);
    talk.system = "Be brief.".to_owned();
    let small = talk.request();
    assert_eq!(sent(&engine(), &small, &always())[1], small.slots()[1].text());
    talk.system = "Be careful. ".repeat(800);
    assert_ne!(sent(&engine(), &talk.request(), &always())[1], small.slots()[1].text());
}

/// T031
#[test]
fn a_clock_in_the_instructions_is_left_where_it_is() {
    let mut talk = Talk::new(vec![bash("journalctl", log(200))]);
    talk.system = format!("It is 10:31:07. {}", talk.system);
    let request = talk.request();
    let body = engine().prepare(&Scope::default(), &request, &always()).body.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["system"], talk.system.as_str());
}

/// T032
#[test]
fn a_reminder_that_comes_and_goes_does_not_change_how_results_are_sent() {
    let mut talk = Talk::new(vec![bash("journalctl", log(200)), read("a.rs", view(1, 60))]);
    let without = sent(&engine(), &talk.request(), &always());
    talk.question = json!([{"type": "text", "text": "<system-reminder>be nice</system-reminder>"}, {"type": "text", "text": "Why does it fail?"}]);
    let with = sent(&engine(), &talk.request(), &always());
    assert_eq!(with[2..], without[1..]);
}

/// T034
#[test]
fn sub_agents_with_one_prefix_share_it_byte_for_byte() {
    let engine = engine();
    let talk = |text: &str| {
        let mut results = vec![bash("journalctl", log(300)), read("a.rs", view(1, 80))];
        results.push(bash("echo", text.repeat(100)));
        Talk::new(results).request()
    };
    let all: Vec<_> = std::thread::scope(|threads| {
        let run = |n: usize| {
            threads.spawn({
                let engine = &engine;
                let request = talk(&format!("agent {n}\n"));
                move || sent(engine, &request, &always())
            })
        };
        let running: Vec<_> = (0..4).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for slots in &all {
        assert_eq!(slots[..3], all[0][..3]);
    }
}

/// T070
#[test]
fn what_would_not_be_shorter_is_sent_as_it_is() {
    let noise: String = (1..400_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let request = Talk::new(vec![bash("./noise", noise.clone())]).request();
    assert_eq!(sent(&engine(), &request, &always())[1], noise);
}

/// T081
#[test]
fn a_handle_quoted_in_a_summary_is_still_redeemed() {
    let engine = engine();
    let text = log(600);
    let first = Talk::new(vec![bash("journalctl", text.clone())]).request();
    let trailer = sent(&engine, &first, &always())[1].lines().next_back().unwrap().to_owned();
    let mut after = Talk::new(Vec::new());
    after.question = json!(format!("Summary so far: the log was {trailer}. Go on."));
    let request = after.request();
    assert!(sent(&engine, &request, &always())[0].contains(&trailer));
    let handle = find_marks(&trailer).next().unwrap().handle;
    let answer = engine.answer(&Scope::default(), &Query { line_range: Some((300, 301)), ..Query::whole(handle) });
    assert_eq!(answer.text(), text.lines().skip(299).take(2).map(|line| format!("{line}\n")).collect::<String>());
}

/// T082, T084
#[test]
fn without_the_tool_nothing_is_left_out() {
    let engine = engine();
    let mut talk = Talk::new(vec![bash("journalctl", log(600))]);
    let offered = engine.prepare(&Scope::default(), &talk.request(), &always());
    assert!(offered.receipt.tool_offered && !offered.receipt.slots[1].handles.is_empty());
    // The same history, where tools are no longer declared; and a sub-agent for which the tool would not pay.
    talk.tools = Value::Null;
    let mut small = Talk::new(vec![bash("journalctl", log(600))]);
    small.tools = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
    for (request, policy) in [(talk.request(), always()), (small.request(), Policy::of(Mode::Standard))] {
        let outbound = engine.prepare(&Scope::default(), &request, &policy);
        assert!(!outbound.redeemable);
        assert!(outbound.receipt.slots.iter().all(|slot| slot.handles.is_empty()));
        let slots = sent(&engine, &request, &policy);
        assert!(slots.iter().all(|text| find_marks(text).next().is_none()));
    }
}

/// T083
#[test]
fn when_the_earlier_copy_is_gone_the_content_is_sent() {
    let engine = engine();
    let whole = Talk::new(vec![read("a.rs", view(1, 80)), read("a.rs", view(1, 80))]).request();
    assert!(sent(&engine, &whole, &always())[2].starts_with("[unchanged"));
    let rewound = Talk::new(vec![read("a.rs", view(1, 80))]).request();
    let fork = Talk::new(vec![read("b.rs", view(500, 80)), read("a.rs", view(1, 80))]).request();
    for slots in [sent(&engine, &rewound, &always()), sent(&engine, &fork, &always())] {
        assert!(slots.last().unwrap().contains("let value_40 = compute"), "{slots:?}");
    }
}

/// T109
#[test]
fn model_names_of_every_shape_are_counted_somehow() {
    for model in ["claude-x[1m]", "auto", "vendor/model:free", "", "brand-new-model-9"] {
        let body = Talk::new(vec![bash("journalctl", log(300))]).request();
        let body = String::from_utf8(body.body().to_vec()).unwrap().replace("claude-sonnet-4-5", model);
        let request = parse(Dialect::AnthropicMessages, body);
        let outbound = engine().prepare(&Scope::default(), &request, &always());
        assert!(outbound.receipt.tokens_after < outbound.receipt.tokens_before, "{model}");
    }
}

/// T016
#[test]
fn a_pasted_log_becomes_shorter_and_the_question_behind_it_stays() {
    let lines = log(5000);
    assert!(lines.len() > 300_000);
    let (before, question) = ("Here is what it printed:\n\n", "\nWhich worker was slow around request 4242, and why?");
    let mut talk = Talk::new(Vec::new());
    talk.question = json!(format!("{before}{lines}{question}"));
    let request = talk.request();
    let shown = sent(&engine(), &request, &always()).remove(0);
    assert!(shown.starts_with(before) && shown.ends_with(question));
    assert!(shown.len() < lines.len() / 2, "{} of {}", shown.len(), lines.len());
    let alone = Policy { user_text: false, ..always() };
    assert_eq!(sent(&engine(), &request, &alone), [request.slots()[0].text()]);
}

/// T026, T028: our tool takes no cache breakpoint, and all that the client has set are where they were.
#[test]
fn no_cache_breakpoint_is_added_or_moved() {
    let mark = json!({"type": "ephemeral"});
    let mut talk = Talk::new(vec![bash("journalctl", log(600))]);
    talk.tools = json!([{"name": "Read"}, {"name": "Bash", "cache_control": mark}]);
    talk.question = json!([{"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let mut body: Value = serde_json::from_slice(talk.request().body()).unwrap();
    body["system"] =
        json!([{"type": "text", "text": talk.system, "cache_control": {"type": "ephemeral", "scope": "global"}}]);
    body["messages"][2]["content"][0]["cache_control"] = mark;
    let request = parse(Dialect::AnthropicMessages, body.to_string());
    let outbound = engine().prepare(&Scope::default(), &request, &always());
    assert!(outbound.receipt.tool_offered && !outbound.receipt.slots.last().unwrap().handles.is_empty());
    let mut sent: Value = serde_json::from_slice(&outbound.body.unwrap()).unwrap();
    assert_eq!(sent.to_string().matches("cache_control").count(), 4);
    let tool = sent["tools"].as_array_mut().unwrap().pop().unwrap();
    assert!(tool["name"] == headroom_wire::TOOL_NAME && tool.get("cache_control").is_none());
    sent["messages"][2]["content"][0]["content"] = body["messages"][2]["content"][0]["content"].clone();
    assert_eq!(sent, body);
}

/// Code is left as it is wherever an agent that edits may have it from; only what a library of documents gave is shortened.
#[test]
fn code_stays_as_it_is_unless_a_library_of_documents_gave_it() {
    let code: String = (0..80)
        .map(|n| {
            format!(
                "def step_{n}(cart, limit):\n    total = sum(line.price for line in cart.lines)\n    if total > limit:\n        raise ValueError(\"step {n} is too dear\")\n    return total\n\n\n"
            )
        })
        .collect();
    let calls = [
        ("Bash", json!({"command": "git show HEAD:shop/cart.py"})),
        ("Read", json!({"file_path": "shop/cart.py"})),
        ("codebase_search", json!({"query": "where is the step taken"})),
        ("search_docs", json!({"query": "how is a step taken"})),
    ];
    for (tool, input) in calls {
        let engine = Engine::new(Store::memory());
        let request = Talk::new(vec![(tool, input, code.clone())]).request();
        let text = sent(&engine, &request, &always()).pop().unwrap();
        if tool == "search_docs" {
            assert!((0..80).all(|n| text.contains(&format!("def step_{n}(cart, limit):"))), "{text}");
            assert!(text.len() * 2 < code.len() && find_marks(&text).count() == 1, "{text}");
        } else {
            assert_eq!(text, code, "{tool}");
        }
    }
}

/// T065
#[test]
fn files_that_do_not_parse_pass_and_the_others_are_shortened() {
    let function = |n: usize| {
        format!(
            "def step_{n}(cart, limit):\n    total = sum(line.price for line in cart.lines)\n    return min(total, limit)\n\n\n"
        )
    };
    let sound: String = (0..80).map(function).collect();
    let broken = sound.replace("    return min(total, limit)\n", "    return min(total, limit\n");
    let clause = |n: usize| {
        let goal = ["member", "append", "length", "select"][n * n % 4];
        format!(
            "rule{n}(X, Y) :-\n    {goal}(X, [{}, Z|T]),\n    \\+ fact{}(Z), !,\n    Y is Z * {n}.\n",
            n * 37,
            n / 3
        )
    };
    let unknown: String = (0..20).map(clause).collect();
    let file = |path: &str, text: &str| ("search_docs", json!({"query": path}), text.to_owned());
    let results = vec![file("broken.py", &broken), file("sound.py", &sound), read("unknown.pl", unknown.clone())];
    let request = Talk::new(results).request();
    let texts = sent(&Engine::new(Store::memory()), &request, &always());
    let [.., shown_broken, shown_sound, shown_unknown] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!(shown_broken, &broken);
    assert!(shown_sound.len() * 2 < sound.len() && find_marks(shown_sound).count() == 1, "{shown_sound}");
    assert_eq!(shown_unknown, &unknown);
}
