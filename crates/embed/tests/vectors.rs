//! The shared vectors from Rust: by the engine, by the library door, and by the proxy's page. `tests/python` and `tests/node` read the same file.
//!
//! `HEADROOM_BLESS=1` writes what the engine says now.

use std::path::PathBuf;

use headroom::{Engine, Hints, Kinds, Level, TextOptions, TextResult, compress_text_with};
use headroom_embed::{Call, Conversation, Headroom, Options, Proxy, ProxyOptions};
use headroom_store::{Scope, Store};
use headroom_testkit::http::send;
use serde_json::{Value, json};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vectors.json")
}

/// The vectors with their inputs filled in.
fn vectors() -> Value {
    let mut vectors: Value = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    let inputs = vectors["inputs"].clone();
    let inputs = inputs.as_object().unwrap();
    let filled = |text: &str| inputs.get(text.strip_prefix('@')?)?.as_str().map(str::to_owned);
    for part in ["texts", "conversations"] {
        replace(&mut vectors[part], &filled);
    }
    vectors
}

/// Writes vectors with the names of their inputs.
fn write(mut vectors: Value) {
    let inputs = vectors["inputs"].clone();
    let inputs = inputs.as_object().unwrap();
    let named = |text: &str| inputs.iter().find(|(_, input)| *input == text).map(|(name, _)| format!("@{name}"));
    for part in ["texts", "conversations"] {
        replace(&mut vectors[part], &named);
    }
    std::fs::write(file(), serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
}

/// Replaces texts wherever they stand.
fn replace(value: &mut Value, by: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = by(text) {
                *text = other;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, by)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, by)),
        _ => {}
    }
}

/// Handles are a store's own; everything else is the same everywhere.
fn without_handle(text: &str, handle: Option<&str>) -> String {
    handle.map_or_else(|| text.to_owned(), |handle| text.replace(handle, "hr_HANDLE"))
}

/// What a vector expects of one text.
fn outcome(result: &TextResult) -> Value {
    let handle = result.handle.map(|handle| handle.to_string());
    json!({
        "text": without_handle(&result.text, handle.as_deref()),
        "kind": result.kind.to_string(),
        "exact": result.exact,
        "tokens_before": result.tokens_before,
        // A handle takes a token more or less in every store.
        "tokens_after": handle.is_none().then_some(result.tokens_after),
        "omitted": result.omissions.iter().map(|omission| [omission.range().start().to_owned(), *omission.range().end()]).collect::<Vec<_>>(),
    })
}

fn by_engine(vector: &Value) -> Value {
    let engine = Engine::new(Store::memory());
    let kinds = Kinds::from_json(&vector["config"], "config").unwrap();
    let kind = vector["kind"].as_str().filter(|kind| *kind != "auto").map(|kind| kind.parse().unwrap());
    let level = match vector["level"].as_str() {
        Some("lossless") => Level::Lossless,
        Some("light") => Level::Light,
        _ => Level::Standard,
    };
    let options = TextOptions { kinds: &kinds, ..TextOptions::DEFAULT };
    let keep = Some((&engine, &Scope::default()));
    outcome(&compress_text_with(&options, vector["text"].as_str().unwrap(), Hints { kind, ..Hints::NONE }, level, keep))
}

fn options(vector: &Value) -> Options {
    Options {
        store: Some("memory".to_owned()),
        compression_config: Some(vector["config"].to_string()),
        retrieval: Some("always".to_owned()),
        ..Options::default()
    }
}

#[test]
fn texts_come_out_the_same_from_the_engine_and_the_library() {
    let mut vectors = vectors();
    for vector in vectors["texts"].as_array_mut().unwrap() {
        let said = by_engine(vector);
        let call = Call { kind: vector["kind"].as_str(), level: vector["level"].as_str(), ..Call::default() };
        let headroom = Headroom::open(&options(vector)).unwrap();
        assert_eq!(outcome(&headroom.compress(vector["text"].as_str().unwrap(), &call).unwrap()), said);
        if std::env::var_os("HEADROOM_BLESS").is_some() {
            vector["expected"] = said;
        } else {
            assert_eq!(said, vector["expected"], "{}", vector["name"]);
        }
    }
    for vector in vectors["conversations"].as_array_mut().unwrap() {
        let said = by_library(vector);
        if std::env::var_os("HEADROOM_BLESS").is_some() {
            vector["expected"] = said;
        } else {
            assert_eq!(said, vector["expected"], "{}", vector["name"]);
        }
    }
    if std::env::var_os("HEADROOM_BLESS").is_some() {
        write(vectors);
    }
}

fn by_library(vector: &Value) -> Value {
    let headroom = Headroom::open(&options(vector)).unwrap();
    let part = |name: &str| (!vector[name].is_null()).then(|| vector[name].to_string());
    let (messages, system, tools) = (vector["messages"].to_string(), part("system"), part("tools"));
    let conversation = Conversation {
        dialect: vector["dialect"].as_str().unwrap(),
        messages: &messages,
        system: system.as_deref(),
        tools: tools.as_deref(),
        model: vector["model"].as_str(),
    };
    let prepared = headroom.prepare(&conversation).unwrap();
    let explained: Value = serde_json::from_str(&headroom.explain(&prepared.id).unwrap()).unwrap();
    let slots = explained["request"]["slots"].as_array().unwrap();
    let handles: Vec<&str> =
        slots.iter().flat_map(|slot| slot["handles"].as_array().unwrap()).filter_map(Value::as_str).collect();
    let plain = |text: String| handles.iter().fold(text, |text, handle| text.replace(handle, "hr_HANDLE"));
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    json!({"messages": read(&plain(prepared.messages)), "tools": prepared.tools.as_deref().map(read)})
}

#[test]
fn texts_come_out_the_same_from_the_proxy() {
    let world = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for vector in vectors()["texts"].as_array().unwrap() {
        let proxy =
            Proxy::new(&ProxyOptions { options: options(vector), port: Some(0), ..ProxyOptions::default() }).unwrap();
        proxy.start().unwrap();
        let listens = proxy.url().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        let mut question = json!({"text": vector["text"], "level": vector["level"]});
        if vector["kind"] != "auto" {
            question["kind"] = vector["kind"].clone();
        }
        let headers = [("content-type", "application/json")];
        let answer = world.block_on(send(listens, "POST", "/v1/compress", &headers, question.to_string().as_bytes()));
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        let text = without_handle(said["text"].as_str().unwrap(), said["handle"].as_str());
        let expected = &vector["expected"];
        assert_eq!((&json!(text), &said["exact"]), (&expected["text"], &expected["exact"]), "{}", vector["name"]);
        assert_eq!(said["tokens_before"], expected["tokens_before"]);
        assert!(!said["handle"].is_null() || said["tokens_after"] == expected["tokens_after"], "{said}");
    }
}
