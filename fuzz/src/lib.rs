//! What holds for every input, one function for each fuzz target. `crates/engine/tests/fuzz.rs` runs the same functions over mutated cases of
//! the corpus, so that a stable toolchain checks them too.

use std::path::PathBuf;

use headroom::memory::{Repository, stated_directory};
use headroom_core::{Handle, Hints, Kind, Level, Segment, find_marks};
use headroom_testkit::laws;
use headroom_tokens::Tokenizer;
use headroom_wire::sse::{Frame, Framer};
use headroom_wire::{Dialect, Limits, Step, Turn, parse};

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

/// A streamed response that asks for nothing reaches the client in its own bytes, as events and as one array, however it is cut.
pub fn turn(stream: &[u8]) {
    for (dialect, is_array) in Dialect::ALL.iter().map(|dialect| (*dialect, false)).chain([(Dialect::Gemini, true)]) {
        for size in [1, 7, stream.len().max(1)] {
            let request = parse(dialect, b"{}".to_vec());
            let mut turn = Turn::new(request, b"{}".to_vec().into(), Some(Limits::default()));
            if is_array {
                turn.read_arrays();
            }
            let mut steps = Vec::new();
            for chunk in stream.chunks(size) {
                turn.feed(chunk.to_vec().into(), &mut steps);
            }
            turn.end(&mut steps);
            let forwarded: Option<Vec<u8>> = steps.iter().try_fold(Vec::new(), |mut bytes, step| match step {
                Step::Forward(part) => {
                    bytes.extend_from_slice(part);
                    Some(bytes)
                }
                _ => None,
            });
            assert!(forwarded.is_none_or(|bytes| bytes == stream), "{dialect:?} {is_array} {size}");
        }
    }
}

/// Whose memory is read and written: what stands in a file or a result never says in which directory an agent works, and a repository is
/// another's only if its configuration names that one's address.
pub fn scope(text: &str) {
    let content = serde_json::Value::from(text);
    for instructions in ["You are an agent.", "You are an agent.\nWorking directory: /home/a/tree\n"] {
        let body = format!(
            r#"{{"model":"m","system":{instructions:?},"messages":[{{"role":"user","content":"go on"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t1","name":"Read","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t1","content":{content}}}]}}]}}"#
        );
        let stated = stated_directory(&parse(Dialect::AnthropicMessages, body.into_bytes()));
        let own = instructions.contains("directory").then(|| PathBuf::from("/home/a/tree"));
        assert_eq!(stated, own, "{text:?}");
    }

    let folder = tempfile::tempdir().expect("a temporary directory");
    let git = folder.path().join(".git");
    std::fs::create_dir(&git).expect("a folder in it");
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file in it");
    let at = |config: &str| {
        std::fs::write(git.join("config"), config).expect("a file in it");
        Repository::at(folder.path(), None)
    };
    let foreign = at("[remote \"origin\"]\n\turl = https://example.com/acme/tool\n").expect("an address");
    let own = at(text);
    if own.is_some_and(|own| own.workspace == foreign.workspace) {
        let said: String = text.to_lowercase().split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        assert!(["example.com", "acme", "tool"].iter().all(|part| said.contains(part)), "{text:?}");
    }
}
