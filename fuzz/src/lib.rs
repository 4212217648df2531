//! What holds for every input, one function for each fuzz target. `crates/engine/tests/fuzz.rs` runs the same functions over mutated cases of
//! the corpus, so that a stable toolchain checks them too.

use headroom_core::{Handle, Hints, Kind, Level, Segment, find_marks};
use headroom_testkit::laws;
use headroom_tokens::Tokenizer;
use headroom_wire::sse::{Frame, Framer};
use headroom_wire::{Dialect, parse};

/// Every compressor is total and obeys the laws; what an exact encoding says, its decoder gives back.
pub fn compress(text: &str) {
    for compressor in headroom_compress::ALL {
        laws::check(*compressor, text, Hints::NONE);
    }
    let goal = headroom_core::Goal { level: Level::Exact, tokens: &Tokenizer::O200k };
    let outcome = headroom_compress::compress(&Segment::bare(text), &goal);
    let kinds = [Kind::Table, Kind::Diff, Kind::Log, Kind::Search, Kind::Command];
    if let Some(compressed) = outcome.compressed.filter(|_| kinds.contains(&outcome.kind)) {
        assert_eq!(headroom_compress::decode(outcome.kind, &compressed.text).as_deref(), Some(text));
    }
    for kind in kinds.into_iter().chain([Kind::Json]) {
        // Foreign text may look like an encoding: reading it must end.
        let _ = headroom_compress::decode(kind, text);
    }
}

/// Detection is total, and the pieces of a mixed text cover it in order.
pub fn detect(text: &str) {
    let _ = headroom_compress::detect(&Segment::bare(text));
    let mut at = 0;
    for piece in headroom_compress::split(text) {
        assert_eq!(piece.range.start, at);
        assert!(text.is_char_boundary(piece.range.end) && !piece.range.is_empty());
        at = piece.range.end;
    }
    assert_eq!(at, text.len());
}

/// A text that reads as a handle is printed as one; marks are found without end or panic.
pub fn handle(text: &str) {
    if let Ok(handle) = text.parse::<Handle>() {
        assert_eq!(handle.to_string(), text.trim());
    }
    for mark in find_marks(text) {
        assert!(text.contains(&mark.handle.to_string()));
    }
}

/// A request of any dialect is parsed without panic, its slots lie inside it, and without edits its bytes are its own.
pub fn wire(body: &[u8]) {
    for dialect in Dialect::ALL {
        let request = parse(*dialect, body.to_vec());
        for slot in request.slots() {
            assert!(slot.span().end <= body.len() && slot.span().start <= slot.span().end);
        }
        assert_eq!(request.splice(&[], &[]), body);
    }
}

/// However a stream is cut, the frames are its bytes.
pub fn sse(stream: &[u8]) {
    for size in [1, 7, stream.len().max(1)] {
        let mut framer = Framer::default();
        let mut seen = Vec::with_capacity(stream.len());
        for chunk in stream.chunks(size) {
            framer.push(chunk.to_vec().into());
            while let Some(frame) = framer.next() {
                match frame {
                    Frame::Event(event) => seen.extend_from_slice(event.raw()),
                    Frame::Unread(bytes) => seen.extend_from_slice(&bytes),
                }
            }
        }
        seen.extend(framer.finish().iter().flat_map(|event| event.raw().to_vec()));
        assert_eq!(seen, stream);
    }
}
