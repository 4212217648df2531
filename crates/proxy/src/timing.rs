//! Where the time of a request went, for clients that ask: `Server-Timing` (<https://www.w3.org/TR/server-timing/>).

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

/// A client that sends this header with `1` is told.
pub(crate) const ASK: &str = "x-headroom-timing";

/// The answer.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The phases of one request up to the head of its answer. What is not done takes no time.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    last: Instant,
    /// Name, and what it is, in the order in which they were done.
    phases: Vec<(&'static str, Duration)>,
}

impl Timing {
    /// Begins now, if the client asks.
    pub(crate) fn asked(client: &HeaderMap) -> Option<Self> {
        let asked = client.get(ASK).is_some_and(|value| !matches!(value.as_bytes(), b"" | b"0" | b"false"));
        asked.then(|| Self { last: Instant::now(), phases: Vec::new() })
    }

    /// The phase that ends here. Phases may be done several times.
    pub(crate) fn end(&mut self, phase: &'static str) {
        let now = Instant::now();
        let took = now.duration_since(std::mem::replace(&mut self.last, now));
        match self.phases.iter_mut().find(|(known, _)| *known == phase) {
            Some((_, sum)) => *sum += took,
            None => self.phases.push((phase, took)),
        }
    }

    /// Tells the client, beside what the provider may say of its own phases.
    pub(crate) fn tell(&self, answer: &mut HeaderMap) {
        let phases: Vec<String> = self
            .phases
            .iter()
            .map(|(phase, took)| format!("headroom-{phase};dur={:.3}", took.as_secs_f64() * 1e3))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&phases.join(", ")) {
            answer.append(SERVER_TIMING, value);
        }
    }
}
