//! What the write-guard costs: a streamed answer of 200 events with a call of a client's tool, with and without marks in the request.
//!
//!     cargo run --release -p headroom-wire --example guard
#![allow(clippy::print_stdout, reason = "it is a program that prints")]

use std::time::Instant;

use bytes::Bytes;
use headroom_core::{HandleKey, Omission, Original, Unit, gap_mark, trailer};
use headroom_wire::{Dialect, Limits, Turn, parse};
use serde_json::{Value, json};

const EVENTS: usize = 200;
const ROUNDS: u32 = 2_000;

/// An answer of which all events but a few are parts of a tool's arguments: source code, brackets and all.
fn answer() -> Vec<Bytes> {
    let mut events: Vec<Value> = vec![
        json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {}}}),
    ];
    for n in 0..EVENTS - 5 {
        let part = match n {
            0 => "{\"file_path\":\"/tmp/a\",\"content\":\"".to_owned(),
            n => format!("let row{n} = rows[{n}].cells[..{n}];\\n"),
        };
        events.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": part}}));
    }
    events.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "\"}"}}));
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}));
    let text = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(|event| text(event).into()).collect()
}

fn request(result: &str) -> Bytes {
    json!({"model": "m", "messages": [{"role": "user", "content": result}]}).to_string().into()
}

fn main() {
    let text: String = (1..=30).map(|n| format!("line {n} of it\n")).collect();
    let original = Original::new(&HandleKey::from_bytes([7; 32]), &text);
    let gap = Omission::new(&original, Unit::Line, 4..=29, 30);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = trailer(original.handle(), std::slice::from_ref(&gap));
    let short = format!("{}{}\n{}{end}", lines[..3].concat(), gap_mark(&gap), lines[29]);
    let (came, sent, events) = (request(&text), request(&short), answer());
    for (what, sent, limits) in [
        ("without a mark, without the tool", &came, None),
        ("without a mark, with the tool", &came, Some(Limits::default())),
        ("with marks, without the tool", &sent, None),
        ("with marks, with the tool", &sent, Some(Limits::default())),
    ] {
        let request = parse(Dialect::AnthropicMessages, came.clone());
        let (mut made, mut fed) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let (request, sent) = (request.clone(), sent.clone());
            let begun = Instant::now();
            let mut turn = Turn::new(request, sent, limits);
            made += begun.elapsed().as_secs_f64();
            let mut steps = Vec::new();
            let begun = Instant::now();
            for event in &events {
                turn.feed(event.clone(), &mut steps);
                steps.clear();
            }
            fed += begun.elapsed().as_secs_f64();
        }
        let per = 1e6 / f64::from(ROUNDS);
        println!("{what:34} {:7.2} us to begin, {:8.2} us for {} events", made * per, fed * per, events.len());
    }
}
