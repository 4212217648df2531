//! Web pages: the text of the page, without its markup and without what surrounds the article.
//!
//! [`tree`] reads the page, [`blocks`] cuts it into blocks of text, [`choose`] decides for each block whether it belongs to the article,
//! and [`write`] sets the kept ones as plain lines. Sentences are never touched: a block is shown whole or left out whole, and a
//! place where visible text was left out is marked with the bytes of the source. Scripts, styles and tags are layout; with
//! no article to be found (an index, a forum), every visible text stays.
//!
//! Exact: tags and attributes that come again are written once ([`phrases`]); words stay as they are.

mod blocks;
mod choose;
mod tree;
mod write;

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use crate::phrases;

/// Pages with less visible text than this are shells that a script fills: their scripts are what there is to read.
const MIN_TEXT_BYTES: usize = 200;

/// The words of the page that start at a place, up to the next tag: they stay as they are.
fn words_at(page: &str, at: usize) -> usize {
    if at == 0 || page.as_bytes()[at - 1] != b'>' {
        return 0;
    }
    let length = memchr::memchr(b'<', &page.as_bytes()[at..]).unwrap_or(page.len() - at);
    if page[at..at + length].trim().is_empty() { 0 } else { length }
}

/// The compressor of web pages.
pub(crate) struct HtmlCompressor;

impl Compressor for HtmlCompressor {
    fn name(&self) -> &'static str {
        "html"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Html
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        if segment.hints.editable || !segment.text.contains('<') {
            return None;
        }
        let Some(original) = goal.original() else {
            return phrases::encode(segment.text, goal.tokens, words_at).map(Compressed::exact);
        };
        let nodes = tree::parse(segment.text);
        let page = blocks::cut(&nodes);
        let fates = choose::fates(&nodes, &page);
        let (body, omissions) = write::write(&page, &fates, original, segment.text.len());
        (body.len() >= MIN_TEXT_BYTES && body.len() < segment.text.len())
            .then(|| Compressed::omitting(body, original, omissions))
    }
}
