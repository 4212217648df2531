//! A streamed Gemini answer.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use super::reply::{NOTHING, add, ending, is_mine, list, only_candidate, parts};
use super::usage::output_patches;
use crate::document::Document;
use crate::protocol::{Stream, Transcript};
use crate::sse::Event;
use crate::tool;
use crate::turn::{Ending, Heard, patch};
use crate::usage::Usage;

/// Follows the streams of one turn.
#[derive(Default)]
pub(super) struct Chunks {
    /// Whether this response continues an earlier one.
    continued: bool,
    /// Calls of ours that were hidden in this response.
    hidden: usize,
    finish_reason: Option<String>,
    /// What ends the response, kept back.
    closing: Vec<Event>,
    transcript: Transcript,
}

/// New text for a range of a chunk.
type Patch = (Range<usize>, String);

impl Stream for Chunks {
    fn event(&mut self, event: Event, out: &mut Vec<Bytes>) {
        self.transcript.add(&event);
        if !self.closing.is_empty() && event.data().is_none() {
            // The line feed that came behind the last carriage return of what is kept back, or a comment.
            return self.closing.push(event);
        }
        if self.chunk(&event, out).is_none() {
            out.push(event.raw().clone());
        }
    }

    fn ending(&self) -> Ending {
        ending(self.finish_reason.as_deref(), &self.heard().unwrap_or_default())
    }

    fn hidden(&self) -> usize {
        self.hidden
    }

    fn heard(&self) -> Option<Heard> {
        let mut heard = Heard::default();
        for event in self.transcript.events()? {
            let Some(document) = event.data().and_then(|data| Document::parse(data.into_owned().into())) else {
                continue;
            };
            let Some(candidate) = only_candidate(&document) else { continue };
            parts(&document, candidate).for_each(|part| add(&document, part, &mut heard));
        }
        Some(heard)
    }

    fn close(&mut self, earlier: &Usage, _ended: bool, out: &mut Vec<Bytes>) {
        for event in std::mem::take(&mut self.closing) {
            let patches = read(&event).map(|(document, root)| output_patches(&document, root, earlier));
            out.push(changed(&event, patches.unwrap_or_default()).raw().clone());
        }
    }

    fn next_response(&mut self) {
        *self = Self { continued: true, ..Self::default() };
    }
}

impl Chunks {
    /// Hands on what the client gets of a chunk. `None` when that is the chunk as it came.
    fn chunk(&mut self, event: &Event, out: &mut Vec<Bytes>) -> Option<()> {
        let data = event.data()?;
        let says = |word: &str| memmem::find(&data, word.as_bytes()).is_some();
        let alters = self.continued || self.hidden > 0;
        if !alters && !says(tool::NAME) && !says("finishReason") {
            return None;
        }
        let (document, _) = read(event)?;
        let candidate = only_candidate(&document)?;
        let list = list(&document, candidate);
        let mine = parts(&document, candidate).filter(|part| is_mine(&document, *part)).count();
        self.hidden += mine;
        let reason = document.members(candidate).find(|(key, _)| document.raw(*key) == "\"finishReason\"");
        let reason = reason.filter(|(_, value)| document.is_string(*value));
        if let Some((_, value)) = reason {
            self.finish_reason = document.string(value).map(String::from);
        }
        if !alters && mine == 0 {
            return None;
        }
        let kept: Vec<&str> = parts(&document, candidate)
            .filter(|part| !is_mine(&document, *part))
            .map(|part| document.raw(part))
            .filter(|part| part.replace([' ', '\n'], "") != NOTHING)
            .collect();
        let visible = list.filter(|_| mine > 0).map(|list| (document.span(list), format!("[{}]", kept.join(","))));
        let Some((key, value)) = reason else {
            if mine == 0 && self.closing.is_empty() {
                return None;
            }
            if !kept.is_empty() || list.is_none() {
                out.push(changed(event, visible.into_iter().collect()).raw().clone());
            }
            return Some(());
        };
        if !kept.is_empty() {
            // A member goes with the comma that parts it from its neighbour.
            let member = without(
                document.text(document.span(candidate)),
                document.span(candidate).start,
                document.span(key).start..document.span(value).end,
            );
            let said: Vec<Patch> = visible.into_iter().chain([(member, String::new())]).collect();
            out.push(changed(event, said).raw().clone());
        }
        let nothing = list.map(|list| (document.span(list), format!("[{NOTHING}]")));
        self.closing = vec![changed(event, nothing.into_iter().collect())];
        Some(())
    }
}

/// The range of a member together with one comma beside it.
fn without(object: &str, start: usize, member: Range<usize>) -> Range<usize> {
    let (before, after) = (&object[..member.start - start], &object[member.end - start..]);
    if let Some(comma) = after.find(|c: char| !c.is_ascii_whitespace()).filter(|at| after[*at..].starts_with(',')) {
        return member.start..member.end + comma + 1;
    }
    match before.trim_end().strip_suffix(',') {
        Some(rest) => start + rest.len()..member.end,
        None => member,
    }
}

/// A chunk and its root.
fn read(event: &Event) -> Option<(Document, usize)> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let root = document.root()?;
    Some((document, root))
}

fn changed(event: &Event, patches: Vec<Patch>) -> Event {
    match event.data() {
        Some(data) if !patches.is_empty() => event.with_data(&patch(&data, patches)),
        _ => event.clone(),
    }
}
