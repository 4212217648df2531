//! Turns as a client and an upstream see them, played in every way.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by test binaries, none of which uses all of it")]

use bytes::Bytes;
use headroom_wire::sse::{Event, Frame, Framer};
use headroom_wire::{Answer, Dialect, Exchange, Limits, Step, Turn, Usage, parse};
use serde_json::Value;

/// What became of one turn.
#[derive(Default, Debug, Clone, PartialEq)]
pub struct Outcome {
    pub client: Vec<u8>,
    /// Continuations sent upstream.
    pub sent: Vec<Value>,
    /// Arguments of the calls that were answered.
    pub asked: Vec<String>,
    pub exchanges: Vec<Exchange>,
    pub usage: Usage,
    pub over: bool,
}

impl Outcome {
    pub fn text(&self) -> String {
        String::from_utf8(self.client.clone()).unwrap()
    }

    pub fn events(&self) -> Vec<Value> {
        events(&self.client)
    }
}

pub fn events(stream: &[u8]) -> Vec<Value> {
    let mut framer = Framer::default();
    framer.push(Bytes::copy_from_slice(stream));
    let mut events: Vec<Event> = Vec::new();
    while let Some(Frame::Event(event)) = framer.next() {
        events.push(event);
    }
    events.extend(framer.finish());
    events.iter().filter_map(|event| serde_json::from_slice(&event.data()?).ok()).collect()
}

pub enum Upstream {
    Stream {
        responses: Vec<String>,
        split: usize,
    },
    /// Streams that are one JSON array each.
    Arrays {
        responses: Vec<String>,
        split: usize,
    },
    Whole(Vec<String>),
}

/// Plays a turn: every call is answered by repeating its arguments.
pub fn play(dialect: Dialect, request: &Value, upstream: &Upstream, limits: Option<Limits>) -> Outcome {
    let request = parse(dialect, request.to_string());
    let sent = request.splice(&[], &request.offer_tool().into_iter().collect::<Vec<_>>());
    let mut turn = Turn::new(request, sent.into(), limits);
    if matches!(upstream, Upstream::Arrays { .. }) {
        turn.read_arrays();
    }
    let mut outcome = Outcome::default();
    let mut round = 0;
    loop {
        let mut steps = Vec::new();
        match upstream {
            Upstream::Whole(bodies) => turn.whole(Bytes::from(bodies[round].clone()), &mut steps),
            Upstream::Stream { responses, split } | Upstream::Arrays { responses, split } => {
                let bytes = responses[round].as_bytes();
                let chunks: Vec<&[u8]> = match split {
                    0 => bytes.chunks(1).collect(),
                    at => {
                        let (a, b) = bytes.split_at((*at).min(bytes.len()));
                        vec![a, b]
                    }
                };
                chunks.into_iter().for_each(|chunk| turn.feed(Bytes::copy_from_slice(chunk), &mut steps));
                turn.end(&mut steps);
            }
        }
        let mut again = false;
        let mut place = 0;
        while place < steps.len() {
            match steps[place].clone() {
                Step::Forward(bytes) => outcome.client.extend_from_slice(&bytes),
                Step::Answer(calls) => {
                    outcome.asked.extend(calls.iter().map(|call| call.arguments.clone()));
                    let answer = |call: &headroom_wire::Retrieval| Answer {
                        text: format!("for {}", call.arguments),
                        is_error: false,
                    };
                    let answers: Vec<Answer> = calls.iter().map(answer).collect();
                    turn.answer(&answers, &mut steps);
                }
                Step::Restore(handles) => {
                    let unknown = vec![headroom_wire::guard::Original::Unknown; handles.len()];
                    turn.restore(&unknown, &mut steps);
                }
                Step::Continue(body) => {
                    outcome.sent.push(serde_json::from_slice(&body).unwrap());
                    again = true;
                }
                Step::Remember(exchange) => {
                    let kept = serde_json::to_string(&exchange).unwrap();
                    outcome.exchanges.push(serde_json::from_str(&kept).unwrap());
                }
            }
            place += 1;
        }
        if !again {
            break;
        }
        round += 1;
    }
    outcome.usage = turn.usage();
    outcome.over = turn.is_over();
    outcome
}

/// Plays streamed responses whole, byte by byte, and split in two; all must come out the same.
pub fn stream(dialect: Dialect, request: &Value, responses: &[String]) -> Outcome {
    let play = |split| {
        let upstream = Upstream::Stream { responses: responses.to_vec(), split };
        play(dialect, request, &upstream, Some(Limits::default()))
    };
    let whole = play(usize::MAX);
    let longest = responses.iter().map(String::len).max().unwrap_or(0);
    // Every place in a short stream; in a long one every third, which still meets every kind of place.
    for split in (0..longest).step_by(if longest < 1500 { 1 } else { 3 }) {
        assert_eq!(play(split), whole, "split at {split}");
    }
    if dialect == Dialect::Gemini {
        let (got, outcome) = arrays(request, responses);
        assert_eq!(got, whole.events());
        assert_eq!(Outcome { client: whole.client.clone(), ..outcome }, whole);
    }
    whole
}

/// The same responses as Gemini streams them to those who do not ask for events.
pub fn as_array(response: &str) -> String {
    let elements: Vec<String> = events(response.as_bytes()).iter().map(|event| event.to_string()).collect();
    format!("[{}\n]\n", elements.join("\n,\r\n"))
}

/// Plays them as arrays in the same ways: what the client gets is one array. Its elements, and what became of the turn.
fn arrays(request: &Value, responses: &[String]) -> (Vec<Value>, Outcome) {
    let responses: Vec<String> = responses.iter().map(|response| as_array(response)).collect();
    let play = |split| {
        let upstream = Upstream::Arrays { responses: responses.clone(), split };
        play(Dialect::Gemini, request, &upstream, Some(Limits::default()))
    };
    let whole = play(usize::MAX);
    let longest = responses.iter().map(String::len).max().unwrap_or(0);
    for split in (0..longest).step_by(if longest < 1500 { 1 } else { 3 }) {
        assert_eq!(play(split), whole, "split at {split}");
    }
    let got: Vec<Value> =
        serde_json::from_slice(&whole.client).unwrap_or_else(|error| panic!("{error}: {}", whole.text()));
    (got, whole)
}
