//! Retrieved passages (RAG chunks), shorter together: what `compress_rag_chunks` does.
//!
//! Text that several chunks share is written once. With a budget of tokens, the sentences of all chunks compete for it.

use headroom_compress::prose::compress_passages;
use headroom_core::{Compressed, Handle, Hints, Original};
use headroom_store::Scope;
use headroom_tokens::Tokenizer;

use crate::{Engine, Level, compress_text};

/// A shorter part that two chunks share is written in both: the reference would not be shorter.
const SHARED_BYTES: usize = 120;

/// A chunk is compared with as many of the chunks before it; more are not retrieved for one question.
const COMPARED: usize = 200;

/// Places of an earlier chunk at which a later one may begin; text that repeats itself has many.
const TRIES: usize = 32;

/// Steps in which the share of bytes that fits a budget of tokens is looked for: to a hundredth of the text.
const STEPS: usize = 7;

/// One retrieved passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What the reader knows it by: a file, an address, a title. Line breaks in it become blanks.
    pub id: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Chunks, and what became of them.
#[derive(Clone, Debug)]
pub struct ChunksResult {
    /// All chunks in their order, each below a heading `## NUMBER ID`.
    pub text: String,
    /// Tokens of all chunks with their headings, as o200k_base counts.
    pub tokens_before: usize,
    /// Tokens of the text.
    pub tokens_after: usize,
    /// Where the texts are from which something was left out.
    pub handles: Vec<Handle>,
    /// Chunks of which another one holds all, or the beginning.
    pub shared: usize,
}

/// Writes chunks below each other, with what they share written once, and with no more than `budget` tokens where a budget is given.
///
/// With a budget whole sentences and lines stay, those nearest to `query` first; code, failures and exact values of the query always do, so
/// that a small budget may be exceeded. Without one each chunk is shortened as [`compress_text`] would.
/// Without `keep`, or where the store cannot keep the original, nothing is left out.
pub fn compress_chunks(
    chunks: &[Chunk<'_>],
    query: Option<&str>,
    budget: Option<usize>,
    keep: Option<(&Engine, &Scope)>,
) -> ChunksResult {
    let tokens = |text: &str| Tokenizer::O200k.count(text);
    let before = tokens(&Document::of(chunks.iter().map(|chunk| (chunk.id, chunk.text))).text);
    let bodies = fold(chunks);
    let shared = chunks.iter().zip(&bodies).filter(|(chunk, body)| chunk.text != **body).count();
    let result = |text: String, handles| {
        let tokens_after = tokens(&text);
        ChunksResult { text, tokens_before: before, tokens_after, handles, shared }
    };
    let below_headings =
        |bodies: &[String]| Document::of(chunks.iter().zip(bodies).map(|(chunk, body)| (chunk.id, body.as_str())));
    let Some(budget) = budget else {
        let (bodies, handles) = shorten_each(&bodies, query, keep);
        return result(below_headings(&bodies).text, handles);
    };
    let folded = below_headings(&bodies);
    let fitting = keep.filter(|_| tokens(&folded.text) > budget).and_then(|(engine, scope)| {
        let fitting = fit(&folded, query, budget, engine)?;
        match engine.keep(scope, &folded.text) {
            Ok(handle) => Some((fitting.text, vec![handle])),
            Err(error) => {
                tracing::warn!(%error, "an original could not be kept; nothing is left out");
                None
            }
        }
    });
    let (text, handles) = fitting.unwrap_or((folded.text, Vec::new()));
    result(text, handles)
}

/// Each body as short as it gets by itself.
fn shorten_each(bodies: &[String], query: Option<&str>, keep: Option<(&Engine, &Scope)>) -> (Vec<String>, Vec<Handle>) {
    let mut handles = Vec::new();
    let shorten = |body: &String| {
        let result = compress_text(body, Hints { query, ..Hints::NONE }, Level::Standard, keep);
        handles.extend(result.handle);
        result.text
    };
    (bodies.iter().map(shorten).collect(), handles)
}

/// The most of a document that fits a budget of tokens, or the least there is; `None` when nothing can be left out.
fn fit(document: &Document, query: Option<&str>, budget: usize, engine: &Engine) -> Option<Compressed> {
    let original = Original::new(engine.store().handle_key(), &document.text);
    let at = |share: f32| compress_passages(&document.text, &document.starts, query, Some(share), &original);
    let fits = |compressed: &Compressed| Tokenizer::O200k.count(&compressed.text) <= budget;
    let mut best = at(0.0)?;
    if !fits(&best) {
        return Some(best);
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = f32::midpoint(low, high);
        match at(middle).filter(fits) {
            Some(more) => (low, best) = (middle, more),
            None => high = middle,
        }
    }
    Some(best)
}

/// Chunks below their headings.
struct Document {
    text: String,
    /// Where each heading begins.
    starts: Vec<usize>,
}

impl Document {
    fn of<'a>(chunks: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut text, mut starts) = (String::new(), Vec::new());
        for (number, (id, body)) in (1..).zip(chunks) {
            starts.push(text.len());
            text.push_str(&format!("## {number} {}\n{body}", id.replace(['\r', '\n'], " ")));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        Self { text, starts }
    }
}

/// The texts of the chunks, with what an earlier chunk holds replaced by a line in brackets that says so.
fn fold(chunks: &[Chunk<'_>]) -> Vec<String> {
    let fold = |(at, chunk): (usize, &Chunk<'_>)| {
        let earlier = at.saturating_sub(COMPARED)..at;
        let found = earlier.filter_map(|other| Some((other, shared(chunks[other].text, chunk.text)?)));
        // Of several the one that says most, and of equals the first.
        let best = found.min_by_key(|(other, shared)| (std::cmp::Reverse(shared.bytes()), *other));
        best.map_or_else(|| chunk.text.to_owned(), |(other, shared)| shared.written(other + 1, chunk.text))
    };
    chunks.iter().enumerate().map(fold).collect()
}

/// What a chunk has in common with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// All of it, somewhere in the earlier one: as many bytes.
    All(usize),
    /// Its first bytes are the last ones of the earlier one, as passages cut from one text in steps overlap.
    Start(usize),
}

impl Shared {
    const fn bytes(self) -> usize {
        match self {
            Self::All(bytes) | Self::Start(bytes) => bytes,
        }
    }

    fn written(self, number: usize, text: &str) -> String {
        match self {
            Self::All(_) => format!("[all of this stands in {number}]"),
            Self::Start(bytes) => {
                let characters = text[..bytes].chars().count();
                format!("[begins with the last {characters} characters of {number}]\n{}", &text[bytes..])
            }
        }
    }
}

fn shared(earlier: &str, later: &str) -> Option<Shared> {
    let head = later.get(..later.ceil_char_boundary(SHARED_BYTES))?;
    if head.len() < SHARED_BYTES {
        return None;
    }
    let begins = |at: usize| {
        let tail = &earlier[at..];
        if tail.starts_with(later) {
            return Some(Shared::All(later.len()));
        }
        later.starts_with(tail).then_some(Shared::Start(tail.len()))
    };
    memchr::memmem::find_iter(earlier.as_bytes(), head).take(TRIES).find_map(begins)
}

#[cfg(test)]
mod tests {
    use headroom_store::Store;
    use proptest::prelude::*;

    use super::*;

    const BOILER: &str = "The boiler is drained before winter, since water that freezes in it will burst the pipes. Open the valve at the bottom, and wait until it is dry.";

    fn document(sentences: &[&str], repeat: usize) -> String {
        sentences.iter().cycle().take(sentences.len() * repeat).copied().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_chunks_share_is_written_once() {
        let text: String =
            (0..40).map(|n| format!("Sentence {n} says something of its own about the matter at hand.\n")).collect();
        let chunks = [
            Chunk { id: "a.md", text: &text[..1500] },
            Chunk { id: "a.md\nrest", text: &text[1000..] },
            Chunk { id: "b.md", text: &text[200..900] },
        ];
        let result = compress_chunks(&chunks, None, None, None);
        let rest = &text[1500..];
        let expected = format!(
            "## 1 a.md\n{}\n## 2 a.md rest\n[begins with the last 500 characters of 1]\n{rest}## 3 b.md\n[all of this stands in 1]\n",
            &text[..1500]
        );
        assert_eq!((result.text, result.shared), (expected, 2));
        assert!(result.handles.is_empty() && result.tokens_after < result.tokens_before);
    }

    #[test]
    fn a_budget_is_kept_and_the_query_decides() {
        let engine = Engine::new(Store::memory());
        let filler = [
            "The garden was laid out by the second owner of the house.",
            "Roses grow along the wall that faces the road.",
            "In spring the gate is painted again.",
        ];
        let (long, more) = (document(&filler, 1), format!("{} {BOILER}", document(&filler[1..], 1)));
        let chunks: Vec<_> =
            (0..30).map(|n| Chunk { id: "house.md", text: if n == 17 { &more } else { &long } }).collect();
        let texts: Vec<String> = (0..30).map(|n| format!("Room {n} has a window. {}", chunks[n].text)).collect();
        let chunks: Vec<_> = texts.iter().map(|text| Chunk { id: "house.md", text }).collect();
        let scope = Scope::default();
        let result = compress_chunks(&chunks, Some("when is the boiler drained?"), Some(300), Some((&engine, &scope)));
        assert!(result.tokens_after <= 300 && result.tokens_before > 1000, "{result:?}");
        assert!(
            result.text.contains("## 18 house.md") && result.text.contains("The boiler is drained before winter"),
            "{}",
            result.text
        );
        let original = engine.original(&scope, result.handles[0]).unwrap().unwrap();
        assert!(texts.iter().all(|text| original.contains(text)));
    }

    #[test]
    fn without_a_store_nothing_is_left_out() {
        let text = document(&[BOILER], 40);
        let chunks = [Chunk { id: "x", text: &text }];
        let result = compress_chunks(&chunks, Some("boiler"), Some(50), None);
        assert_eq!(result.text, format!("## 1 x\n{text}\n"));
    }

    #[test]
    fn an_open_listing_ends_with_its_chunk() {
        let engine = Engine::new(Store::memory());
        let open = format!("```\nlet x = 1;\n{}", "let y = 2;\n".repeat(3));
        let long: String = (0..200).map(|n| format!("Nothing of note happened on day {n} of the journey. ")).collect();
        let chunks = [Chunk { id: "open", text: &open }, Chunk { id: "long", text: &long }];
        let result = compress_chunks(&chunks, None, Some(200), Some((&engine, &Scope::default())));
        assert!(result.tokens_after <= 200, "{}", result.text);
    }

    proptest! {
        #[test]
        fn every_chunk_can_be_read_from_the_text(parts in prop::collection::vec((0_usize..400, 0_usize..600), 1..12)) {
            let source: String = (0..80).map(|n| format!("é{n} of many, and then some more words. ")).collect();
            let cut = |at: usize| source.floor_char_boundary(at);
            let texts: Vec<&str> = parts.iter().map(|(from, long)| &source[cut(*from)..cut(from + long)]).collect();
            let chunks: Vec<_> = texts.iter().map(|text| Chunk { id: "", text }).collect();
            for (at, body) in fold(&chunks).into_iter().enumerate() {
                let number = |from: &str, to: &str| body.split_once(from)?.1.split_once(to)?.0.parse::<usize>().ok();
                let read = if let Some(other) = number("[all of this stands in ", "]") {
                    assert!(other <= at && texts[other - 1].contains(texts[at]));
                    continue;
                } else if let Some(count) = number("[begins with the last ", " ") {
                    let (other, rest) = (number("characters of ", "]").unwrap(), body.split_once("]\n").unwrap().1);
                    let earlier: Vec<char> = texts[other - 1].chars().collect();
                    earlier[earlier.len() - count..].iter().collect::<String>() + rest
                } else {
                    body
                };
                prop_assert_eq!(read, texts[at]);
            }
        }
    }
}
