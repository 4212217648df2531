//! Settings by kind of text do what they say, for single texts and for requests.

use headroom::compress_text_with;
use headroom::{Engine, Hints, Kind, Kinds, Language, Level, Mode, Policy, Reason, Retrieval, TextOptions, TextResult};
use headroom_store::{Scope, Store};
use headroom_wire::{Dialect, Request, parse};
use serde_json::{Value, json};

fn kinds(said: &Value) -> Kinds {
    Kinds::from_json(said, "compression_config").unwrap()
}

/// One text at the standard level, with a place to keep it.
fn compress(said: &Value, text: &str, kind: Option<Kind>) -> TextResult {
    let (engine, kinds) = (Engine::new(Store::memory()), kinds(said));
    let options = TextOptions { kinds: &kinds, ..TextOptions::DEFAULT };
    let hints = Hints { kind, ..Hints::NONE };
    compress_text_with(&options, text, hints, Level::Standard, Some((&engine, &Scope::default())))
}

fn rows(count: usize) -> String {
    let row = |n: usize| json!({"id": n, "name": format!("service-{n}"), "zone": "eu-central-1", "load": n * 37 % 100});
    Value::Array((0..count).map(row).collect()).to_string()
}

fn log(lines: usize) -> String {
    let line =
        |n: usize| format!("2024-05-01T10:{:02}:{:02}Z INFO worker-{} took {}ms\n", n / 60 % 60, n % 60, n % 4, n % 90);
    (0..lines).map(line).collect()
}

const CODE: &str = "def area(width, height):\n    # How areas are computed, and why, in many words that say little\n    scaled = width * 2\n    other = height * 2\n    return scaled * other / 4\n\n\n";

fn prose() -> String {
    let topics =
        ["The harbour", "A small station", "The northern road", "Every market", "The old library", "One of the mills"];
    let said = |n: usize| {
        format!(
            "{} was described by travellers in year {} as a place where the {} of the town met and talked about the weather. ",
            topics[n % 6],
            1700 + n,
            ["bakers", "sailors", "teachers", "clerks"][n % 4]
        )
    };
    (0..40).map(said).collect()
}

#[test]
fn a_kind_that_is_disabled_passes_as_it_is() {
    let text = rows(200);
    let result = compress(&json!({"json": {"enabled": false}, "log": {}}), &text, None);
    assert_eq!((result.text == text, result.kind, result.reason), (true, Kind::Json, Reason::Policy));
    assert!(compress(&json!({"log": {"enabled": false}}), &text, None).text.len() < text.len());
}

#[test]
fn the_threshold_is_the_least_number_of_tokens() {
    let text = rows(200);
    let tokens = compress(&json!({}), &text, None).tokens_before;
    let at = |threshold: usize| {
        compress(&json!({"json": {"compressor": "SmartCrusher", "threshold": threshold}}), &text, None)
    };
    assert_eq!((at(tokens).reason, at(tokens + 1).reason), (Reason::Compressed, Reason::BelowFloor));
    assert_eq!(at(tokens + 1).text, text);
}

#[test]
fn code_is_compressed_in_the_named_languages_only() {
    let text = CODE.repeat(30);
    let python = Some(Kind::Code(Language::Python));
    let config = |languages: Value| json!({"code": {"compressor": "CodeCompressor", "languages": languages}});
    assert_eq!(compress(&config(json!(["python", "typescript"])), &text, python).reason, Reason::Compressed);
    assert_eq!(compress(&config(json!(["typescript"])), &text, python).reason, Reason::Policy);
    assert_eq!(compress(&config(json!([])), &text, python).reason, Reason::Policy);
}

#[test]
fn the_ratio_is_the_share_of_prose_that_may_stay() {
    let text = prose();
    assert_eq!(compress(&json!({}), &text, Some(Kind::Prose)).text, text, "by itself it is too short");
    let mut longer = text.len();
    for ratio in [0.7, 0.4, 0.2] {
        let result = compress(&json!({"prose": {"compressor": "Kompress", "ratio": ratio}}), &text, Some(Kind::Prose));
        assert!(result.handle.is_some() && result.text.len() < longer, "{ratio}: {}", result.text);
        // Marks and the trailer are not counted.
        let kept: usize =
            text.split_inclusive(". ").filter(|sentence| result.text.contains(sentence.trim())).map(str::len).sum();
        assert!(kept as f64 <= ratio * text.len() as f64, "{ratio}: {kept} of {}", text.len());
        longer = result.text.len();
    }
}

#[test]
fn a_kinds_level_bounds_what_is_asked() {
    let text = log(400);
    assert!(!compress(&json!({}), &text, None).exact);
    let result = compress(&json!({"log": {"level": "lossless"}}), &text, None);
    assert!(result.exact && result.text.len() < text.len(), "{:?}", result.reason);
    let code = CODE.repeat(30);
    let light = compress(&json!({"code": {"level": "light"}}), &code, Some(Kind::Code(Language::Python)));
    assert!(light.text.contains("scaled = width * 2") && !light.text.contains("# How"), "{}", light.text);
}

/// A conversation with one long listing after the other, the second the same as the first.
fn conversation(results: &[String]) -> Request {
    let mut messages = vec![json!({"role": "user", "content": "Which service has failed?"})];
    for (n, text) in results.iter().enumerate() {
        let id = format!("t{n}");
        messages.push(
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "list", "input": {}}]}),
        );
        messages
            .push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}));
    }
    let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "system": "Be careful. ".repeat(800),
        "tools": [{"name": "list"}], "messages": messages});
    parse(Dialect::AnthropicMessages, body.to_string())
}

fn policy(said: &Value) -> Policy {
    Policy { retrieval: Retrieval::Always, kinds: kinds(said), ..Policy::of(Mode::Standard) }
}

#[test]
fn a_request_obeys_them_and_repeats_of_a_disabled_kind_stay_too() {
    let engine = Engine::new(Store::memory());
    let request = conversation(&[rows(200), rows(200), log(400)]);
    let outbound = engine.prepare(&Scope::default(), &request, &policy(&json!({"json": {"enabled": false}})));
    let reasons: Vec<_> = outbound.receipt.slots.iter().map(|slot| slot.reason.as_str()).collect();
    assert_eq!(reasons, ["below-floor", "policy", "policy", "compressed"]);
}

/// What was decided under one configuration is never sent under another, and each keeps its own; also after a restart.
#[test]
fn two_configurations_share_no_rendering() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        Engine::new(Store::open_sqlite(&folder.path().join("s.db"), &headroom_store::SqliteOptions::DEFAULT).unwrap())
    };
    let request = conversation(&[rows(200)]);
    let configurations = [
        json!({}),
        json!({"json": {"enabled": false}}),
        json!({"json": {"level": "lossless"}}),
        json!({"json": {"threshold": 10}}),
    ];
    let engine = open();
    let sent = |engine: &Engine, said: &Value| {
        let body = engine.prepare(&Scope::default(), &request, &policy(said)).body;
        body.unwrap_or_else(|| request.body().to_vec())
    };
    let first: Vec<_> = configurations.iter().map(|said| sent(&engine, said)).collect();
    assert!(first[1].len() > first[2].len() && first[2].len() > first[0].len());
    assert_eq!(first[3], first[0], "a threshold that everything passes changes no text");
    let restarted = open();
    for (said, before) in configurations.iter().zip(&first).rev() {
        assert_eq!(&sent(&restarted, said), before);
    }
    // A refusal concerns the configuration that was refused.
    restarted.refused(&Scope::default(), &request, &policy(&configurations[0]));
    assert_eq!(sent(&restarted, &configurations[0]), request.body()[..]);
    assert_eq!(sent(&restarted, &configurations[2]), first[2]);
}
