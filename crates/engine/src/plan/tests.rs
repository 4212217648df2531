use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use headroom_compress::Outcome;
use headroom_core::{Goal, Reason, Segment};
use headroom_store::{Batch, Rendering, Replacement, Scope, Store};
use headroom_wire::{Dialect, Request, parse};

use super::{At, Indexes, Known, Lineages, Plan, Planning, Processors, Spellings};
use crate::{Engine, Kinds, Mode, Policy, route};

fn lineages<'r>(request: &'r Request, kinds: &Kinds) -> Lineages<'r> {
    super::lineages(request, b"", kinds, &super::lineages::Identity::of)
}

fn send(engine: &Engine, request: &Request) -> Option<Vec<u8>> {
    engine.prepare(&Scope::default(), request, &Policy::of(Mode::Lossless)).body
}

/// T025: an upgrade that would decide otherwise finds what the older version sent, and sends it.
#[test]
fn what_an_older_version_sent_is_sent_again() {
    let body = |turns: usize| {
        let rows: String = (0..400).map(|n| format!("{{\\\"id\\\":{n},\\\"state\\\":\\\"up\\\"}},")).collect();
        let results: String = (0..turns)
            .map(|n| {
                format!(
                    r#",{{"role":"assistant","content":null,"tool_calls":[{{"id":"c{n}","type":"function","function":{{"name":"ls","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"c{n}","content":"[{rows}{n}]"}}"#
                )
            })
            .collect();
        let system = "x".repeat(8000);
        format!(
            r#"{{"model":"gpt-4o","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"q"}}{results}]}}"#
        )
    };
    let scope = Scope::default();
    let engine = Engine::new(Store::memory());
    let first = parse(Dialect::OpenAiChat, body(1));
    assert!(send(&engine, &first).is_some(), "the text is one that this version compresses");
    let lineage = lineages(&first, &Kinds::DEFAULT).slots[1];
    // A store in which an older version decided to send the slot another way.
    let store = Store::memory();
    let mut batch = Batch::at(1);
    let older = Replacement { range: 0..5, text: "OLD".to_owned() };
    batch.render(lineage, Rendering { replacements: vec![older], ..Rendering::kept(Reason::Compressed) });
    store.write(&scope, batch).unwrap();
    let upgraded = Engine::new(store);
    for turns in 1..4 {
        let sent = send(&upgraded, &parse(Dialect::OpenAiChat, body(turns))).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("\"content\":\"OLD"), "{turns}");
    }
}

/// An OpenAI conversation of tool results: the name of the tool, its arguments, and the text.
fn conversation(results: &[(&str, &str, String)]) -> Request {
    let mut messages = vec![
        serde_json::json!({"role": "system", "content": "x".repeat(30_000)}),
        serde_json::json!({"role": "user", "content": "q"}),
    ];
    for (n, (tool, arguments, text)) in results.iter().enumerate() {
        let call = serde_json::json!({"id": format!("c{n}"), "type": "function", "function": {"name": tool, "arguments": arguments}});
        messages.push(serde_json::json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        messages.push(serde_json::json!({"role": "tool", "tool_call_id": format!("c{n}"), "content": text}));
    }
    parse(Dialect::OpenAiChat, serde_json::json!({"model": "gpt-4o", "messages": messages}).to_string())
}

fn log(seed: usize, lines: usize) -> String {
    let line = |n: usize| {
        format!("2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled {}\n", n / 60 % 60, n % 60, n % 7, n * seed)
    };
    (0..lines).map(line).collect()
}

fn rows(seed: usize, rows: usize) -> String {
    let row = |n: usize| format!("{{\"id\":{},\"state\":\"up\",\"zone\":\"eu-{}\"}}", n * seed, n % 3);
    format!("[{}]", (0..rows).map(row).collect::<Vec<_>>().join(","))
}

/// Results of every fate: compressed, referenced whole and in part, edited, too small, failed, and one over which a compressor panics.
fn every_fate() -> Vec<(&'static str, &'static str, String)> {
    let code: String = (0..400).map(|n| format!("pub fn f{n}(x: u32) -> u32 {{\n    x + {n}\n}}\n")).collect();
    let grown = format!("{}{}", log(7919, 400), "2026-01-06T00:00:00Z ERROR disk full\n".repeat(3));
    let mut results = vec![
        ("shell", r#"{"command":"journalctl"}"#, log(7919, 400)),
        ("query", "{}", rows(3, 900)),
        ("read_file", r#"{"path":"src/lib.rs"}"#, code.clone()),
        ("read_file", r#"{"path":"src/lib.rs"}"#, format!("{code}// one line more\n")),
        ("shell", r#"{"command":"make notes"}"#, code),
        ("shell", r#"{"command":"journalctl"}"#, log(7919, 400)),
        ("shell", r#"{"command":"journalctl"}"#, grown),
        ("shell", r#"{"command":"true"}"#, "ok".to_owned()),
        ("shell", r#"{"command":"panic"}"#, format!("panic\n{}", log(31, 300))),
    ];
    results.extend((0..8).map(|n| ("query", "{}", rows(5 + n, 700))));
    results
}

fn plan(
    request: &Request,
    processors: &Processors,
    compress: &(dyn Fn(&Segment<'_>, &Goal<'_>) -> Outcome + Sync),
    late: &(dyn Fn() -> bool + Sync),
) -> Plan {
    let policy = Policy::of(Mode::Standard);
    let lineages = lineages(request, &policy.kinds);
    let (known, indexes) = (Known::nothing(request.slots().len()), Indexes::new());
    let (store, scope) = (Store::memory(), Scope::default().digest());
    let (lineages, policy, indexes, key) = (&lineages, &policy, &indexes, store.handle_key());
    Planning { request, lineages, known: &known, policy, key, compress, processors, indexes, scope }.plan(true, late)
}

/// What the turn before found out about the texts and lines of a conversation saves work and decides nothing.
#[test]
fn a_turn_decides_the_same_with_and_without_what_the_turn_before_left() {
    let policy = &Policy::of(Mode::Standard);
    let (store, scope, processors) = (Store::memory(), Scope::default().digest(), &Processors::new(1));
    let (key, compress) = (store.handle_key(), &unless_told_to_panic);
    let (indexes, spellings) = (Indexes::new(), Spellings::new());
    let results = every_fate();
    let (mut sent, mut reused) = (Vec::new(), 0);
    for turns in 1..=results.len() {
        let request = &conversation(&results[..turns]);
        let lineages = &lineages(request, &policy.kinds);
        let spelled = super::lineages(request, b"", &policy.kinds, &|slot| spellings.identity(scope, slot));
        assert_eq!((spelled.conversation, &spelled.slots), (lineages.conversation, &lineages.slots));
        assert!(spelled.texts.iter().zip(&lineages.texts).all(|(a, b)| (a.len(), a.get()) == (b.len(), b.get())));
        let mut known = Known::nothing(request.slots().len());
        for (at, rendering) in sent.drain(..) {
            known.note(At::Slot(at), lineages, rendering);
        }
        let known = &known;
        let kept = indexes.take(scope, lineages, &[]).is_some();
        assert!(!kept, "an index is of slots, and here are none");
        let planned = [&indexes, &Indexes::new()].map(|indexes| {
            Planning { request, lineages, known, policy, key, compress, processors, indexes, scope }
                .plan(true, &|| false)
        });
        assert_eq!(format!("{:?}", planned[0]), format!("{:?}", planned[1]), "{turns}");
        if let Some(index) = indexes.take(scope, lineages, &planned[0].slots) {
            reused += 1;
            indexes.keep(scope, lineages, index);
        }
        sent.extend(planned[0].slots.iter().map(|slot| slot.rendering.clone()).enumerate());
    }
    assert!(reused * 2 > results.len(), "{reused} of {}", results.len());
    // Sent another way, the same slots have no index.
    let request = conversation(&results);
    let lineages = lineages(&request, &policy.kinds);
    let kept = super::as_it_came(&request, Reason::Refused);
    assert!(indexes.take(scope, &lineages, &kept.slots).is_none());
}

fn unless_told_to_panic(segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
    assert!(!segment.text.starts_with("panic"), "as the test wants it");
    route::compress(&Kinds::DEFAULT, segment, goal)
}

/// Handles differ from store to store.
fn without_handles(plan: &Plan) -> String {
    let said = format!("{plan:?}");
    let mut parts = said.split("hr_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "hr_" + part.get(10..).unwrap_or_default())
}

#[test]
fn with_helpers_a_plan_is_the_same() {
    let request = conversation(&every_fate());
    let alone = plan(&request, &Processors::new(1), &unless_told_to_panic, &|| false);
    let reasons: HashSet<Reason> = alone.slots.iter().map(|slot| slot.rendering.reason).collect();
    for reason in [Reason::Compressed, Reason::Repeated, Reason::Editable, Reason::BelowFloor, Reason::Panic] {
        assert!(reasons.contains(&reason), "{reason:?} is not among {reasons:?}");
    }
    for processors in [2, 3, 16] {
        let threads = Mutex::new(HashSet::<ThreadId>::new());
        let compress = |segment: &Segment<'_>, goal: &Goal<'_>| {
            threads.lock().unwrap().insert(std::thread::current().id());
            // Long enough that every helper gets something to do.
            std::thread::sleep(Duration::from_millis(2));
            unless_told_to_panic(segment, goal)
        };
        let helped = plan(&request, &Processors::new(processors), &compress, &|| false);
        assert_eq!(without_handles(&helped), without_handles(&alone), "{processors}");
        assert!(threads.into_inner().unwrap().len() > 1, "{processors}: nobody helped");
    }
}

#[test]
fn helpers_take_only_processors_that_nobody_uses() {
    let request = conversation(&every_fate());
    let processors = Processors::new(3);
    let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let compress = |segment: &Segment<'_>, goal: &Goal<'_>| {
        most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        at_work.fetch_sub(1, Ordering::SeqCst);
        route::compress(&Kinds::DEFAULT, segment, goal)
    };
    plan(&request, &processors, &compress, &|| false);
    assert!((2..=3).contains(&most.swap(0, Ordering::SeqCst)));
    let others = [processors.enter(), processors.enter(), processors.enter()];
    plan(&request, &processors, &compress, &|| false);
    assert_eq!(most.swap(0, Ordering::SeqCst), 1);
    drop(others);
    plan(&request, &processors, &compress, &|| false);
    assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "they are given back");
}

#[test]
fn with_helpers_too_a_plan_ends_when_it_is_late() {
    let request = conversation(&every_fate());
    let done = AtomicUsize::new(0);
    let compress = |segment: &Segment<'_>, goal: &Goal<'_>| {
        done.fetch_add(1, Ordering::SeqCst);
        route::compress(&Kinds::DEFAULT, segment, goal)
    };
    let plan = plan(&request, &Processors::new(4), &compress, &|| done.load(Ordering::SeqCst) >= 4);
    let late = plan.slots.iter().filter(|slot| slot.rendering.reason == Reason::Deadline).count();
    assert!(late >= 5, "{late}");
    // One each may have been under way.
    assert!(done.load(Ordering::SeqCst) <= 4 + 4);
}
