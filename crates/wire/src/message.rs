//! Messages of a WebSocket on which responses are asked for and streamed.
//!
//! A client's message is a request body with a `type`, [`parse`](crate::parse)d like any other. The provider's messages are the data of the
//! events that a stream would have had, one in each, so that a [`Turn`](crate::Turn) follows both.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr_iter, memmem};

use crate::document::Document;
use crate::openai_responses::CREATE;
use crate::sse::{Frame, Framer};

/// Whether a client's message asks for a response.
pub fn asks_for_response(message: &[u8]) -> bool {
    // Reading all of it is worth it only where the word stands at all.
    memmem::find(message, CREATE.as_bytes()).is_some() && kind(message).is_some_and(|kind| kind == CREATE)
}

/// The status of a provider's message that ends a response with an error; `Some(None)` when it states none.
pub fn error_status(message: &[u8]) -> Option<Option<u16>> {
    memmem::find(message, b"\"error\"")?;
    if kind(message)? != "error" {
        return None;
    }
    let document = Document::parse(Bytes::copy_from_slice(message))?;
    let [status, status_code] = document.fields(document.root()?, ["status", "status_code"])?;
    let status = status.or(status_code).and_then(|status| document.count(status));
    Some(status.and_then(|status| u16::try_from(status).ok()))
}

/// A message as the event of a stream. `None` for one that no event could carry unchanged.
pub fn to_event(message: &[u8]) -> Option<Bytes> {
    if memchr(b'\r', message).is_some() {
        return None;
    }
    let mut event = BytesMut::with_capacity(message.len() + 16);
    let mut done = 0;
    for end in memchr_iter(b'\n', message).chain([message.len()]) {
        event.put_slice(b"data: ");
        event.put_slice(&message[done..end]);
        event.put_u8(b'\n');
        done = end + 1;
    }
    event.put_u8(b'\n');
    Some(event.freeze())
}

/// The messages that whole events of a stream are; the opposite of [`to_event`].
pub fn of_events(events: Bytes) -> Vec<Bytes> {
    let mut framer = Framer::default();
    framer.push(events);
    let mut messages = Vec::new();
    while let Some(frame) = framer.next() {
        match frame {
            Frame::Event(event) => messages.extend(event.data().map(|data| Bytes::copy_from_slice(&data))),
            // The framer was made for this one piece: only an event longer than any that is read comes to this, and those are
            // not made of messages.
            Frame::Unread(bytes) => messages.push(bytes),
        }
    }
    messages
}

/// The `type` of a message.
fn kind(message: &[u8]) -> Option<String> {
    let document = Document::parse(Bytes::copy_from_slice(message))?;
    document.string_field(document.root()?, "type").map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_way_through_events() {
        for message in [&br#"{"type":"a"}"#[..], b"{\n  \"type\": \"a\"\n}", b"", b"\n", b"\n\n", b"no json", b" "] {
            let event = to_event(message).unwrap();
            assert_eq!(of_events(event), [Bytes::copy_from_slice(message)], "{message:?}");
        }
        assert_eq!(to_event(b"{\r\n}"), None);
    }

    #[test]
    fn requests_and_errors_are_told_from_what_only_names_them() {
        assert!(asks_for_response(br#"{"model":"m","input":"x","type":"response.create"}"#));
        assert!(!asks_for_response(br#"{"type":"response.cancel","input":"response.create"}"#));
        assert!(!asks_for_response(br#"["response.create"]"#));
        assert!(!asks_for_response(b"response.create"));
        assert_eq!(error_status(br#"{"type":"error","status":400,"error":{}}"#), Some(Some(400)));
        assert_eq!(error_status(br#"{"type":"error","status_code":429}"#), Some(Some(429)));
        assert_eq!(error_status(br#"{"type":"error","error":{"code":"x"}}"#), Some(None));
        assert_eq!(error_status(br#"{"type":"response.failed","response":{"error":{}}}"#), None);
    }
}
