//! A page as a flat tree: nodes in document order, each knowing where its subtree ends.
//!
//! Tokens come from a tokenizer that follows the HTML standard. The tree is built by the few rules that matter for reading:
//! void elements, implied ends of paragraphs, items and cells, and end tags that match nothing. Depth is bounded; what is nested
//! deeper hangs on the deepest element.

use std::ops::Range;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// Elements are nested this deep at most.
const MAX_DEPTH: usize = 400;

/// What an element is for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// A text node.
    Text,
    /// Within a line: `span`, `em`, and every unknown element.
    Inline,
    Link,
    Break,
    /// Stands on lines of its own: `div`, `section`, `figure`.
    Block,
    Paragraph,
    Heading(u8),
    List,
    OrderedList,
    Item,
    Quote,
    Preformatted,
    Table,
    Row,
    Cell,
    Title,
    Navigation,
    Header,
    Footer,
    Aside,
    Form,
    /// A button, a selection, a field.
    Control,
    /// Never shown: `script`, `style`, pictures.
    Unseen,
    /// Has no content: `input`, `img`, `wbr`.
    Void,
    /// A void element that ends a line.
    VoidBlock,
}

impl Tag {
    fn of(name: &[u8]) -> Self {
        match name {
            b"a" => Self::Link,
            b"br" => Self::Break,
            b"p" => Self::Paragraph,
            b"h1" => Self::Heading(1),
            b"h2" => Self::Heading(2),
            b"h3" => Self::Heading(3),
            b"h4" => Self::Heading(4),
            b"h5" => Self::Heading(5),
            b"h6" => Self::Heading(6),
            b"ol" => Self::OrderedList,
            b"ul" | b"menu" | b"dl" | b"dir" => Self::List,
            b"li" | b"dt" | b"dd" => Self::Item,
            b"blockquote" => Self::Quote,
            b"pre" | b"listing" | b"xmp" => Self::Preformatted,
            b"table" => Self::Table,
            b"tr" => Self::Row,
            b"td" | b"th" => Self::Cell,
            b"title" => Self::Title,
            b"nav" => Self::Navigation,
            b"header" => Self::Header,
            b"footer" => Self::Footer,
            b"aside" => Self::Aside,
            b"form" => Self::Form,
            b"button" | b"select" | b"option" | b"optgroup" | b"textarea" | b"datalist" => Self::Control,
            b"script" | b"style" | b"template" | b"noscript" | b"iframe" | b"object" | b"svg" | b"canvas"
            | b"video" | b"audio" | b"map" | b"noframes" | b"noembed" => Self::Unseen,
            b"img" | b"input" | b"wbr" | b"meta" | b"link" | b"base" | b"embed" | b"source" | b"track" | b"area"
            | b"col" | b"param" | b"frame" | b"keygen" => Self::Void,
            b"hr" => Self::VoidBlock,
            b"html" | b"head" | b"body" | b"div" | b"section" | b"main" | b"article" | b"figure" | b"figcaption"
            | b"address" | b"center" | b"details" | b"summary" | b"fieldset" | b"legend" | b"hgroup" | b"dialog"
            | b"thead" | b"tbody" | b"tfoot" | b"caption" | b"search" => Self::Block,
            _ => Self::Inline,
        }
    }

    /// Whether the element stays within a line.
    pub(super) const fn is_inline(self) -> bool {
        matches!(self, Self::Text | Self::Inline | Self::Link | Self::Break | Self::Void)
    }
}

/// What the attributes of an element say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Nothing,
    /// Not displayed at first.
    Hidden,
    /// Named as something that surrounds the content: `sidebar`, `cookie-banner`.
    Surrounding,
}

/// One element or text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) tag: Tag,
    pub(super) hint: Hint,
    /// Place of the parent; the root is its own.
    pub(super) parent: usize,
    /// Place behind the last node of the subtree.
    pub(super) end: usize,
    /// Where it stands in the source, in bytes; of an element, its start tag.
    pub(super) source: Range<usize>,
    /// The text of a text node, or where a link leads.
    pub(super) text: String,
}

/// The nodes of a page in document order. The first is a root around everything.
pub(super) fn parse(html: &str) -> Vec<Node> {
    let mut builder = Builder::new();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| -> Option<()> {
        builder.take(&event, span.start..span.end);
        None
    });
    emitter.naively_switch_states(true);
    // Reading from a string cannot fail, and the callback never yields a token.
    Tokenizer::new_with_emitter(html, emitter).for_each(drop);
    builder.finish(html.len())
}

struct Builder {
    nodes: Vec<Node>,
    /// The open elements, with their names.
    open: Vec<(usize, Vec<u8>)>,
    /// The start tag being read.
    name: Vec<u8>,
    start: usize,
    attribute: Attribute,
    hint: Hint,
    href: String,
}

#[derive(Clone, Copy)]
enum Attribute {
    Name,
    Role,
    Style,
    Href,
    Other,
}

impl Builder {
    fn new() -> Self {
        let root = Node { tag: Tag::Block, hint: Hint::Nothing, parent: 0, end: 0, source: 0..0, text: String::new() };
        Self {
            nodes: vec![root],
            open: vec![(0, Vec::new())],
            name: Vec::new(),
            start: 0,
            attribute: Attribute::Other,
            hint: Hint::Nothing,
            href: String::new(),
        }
    }

    fn take(&mut self, event: &CallbackEvent<'_>, span: Range<usize>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.name = name.to_ascii_lowercase();
                self.start = span.start;
                self.hint = Hint::Nothing;
                self.href.clear();
            }
            CallbackEvent::AttributeName { name } => self.attribute_named(name),
            CallbackEvent::AttributeValue { value } => self.attribute_valued(&String::from_utf8_lossy(value)),
            CallbackEvent::CloseStartTag { self_closing } => self.open_element(span.end, *self_closing),
            CallbackEvent::EndTag { name } => self.close_element(&name.to_ascii_lowercase()),
            CallbackEvent::String { value } => {
                let text = String::from_utf8_lossy(value).into_owned();
                self.push(Tag::Text, Hint::Nothing, span, text);
            }
            _ => {}
        }
    }

    fn attribute_named(&mut self, name: &[u8]) {
        self.attribute = match name {
            b"class" | b"id" => Attribute::Name,
            b"role" => Attribute::Role,
            b"style" => Attribute::Style,
            b"href" => Attribute::Href,
            _ => Attribute::Other,
        };
        if name == b"hidden" {
            self.hint = Hint::Hidden;
        }
    }

    fn attribute_valued(&mut self, value: &str) {
        let found = match self.attribute {
            Attribute::Name if names_surroundings(value) => Hint::Surrounding,
            Attribute::Role if SURROUNDING_ROLES.contains(&value) => Hint::Surrounding,
            Attribute::Style if hides(value) => Hint::Hidden,
            Attribute::Href => {
                value.trim().clone_into(&mut self.href);
                return;
            }
            _ => return,
        };
        if self.hint != Hint::Hidden {
            self.hint = found;
        }
    }

    fn open_element(&mut self, end: usize, self_closing: bool) {
        let name = std::mem::take(&mut self.name);
        let tag = Tag::of(&name);
        self.close_implied(tag, &name);
        let href = if tag == Tag::Link { std::mem::take(&mut self.href) } else { String::new() };
        let place = self.push(tag, self.hint, self.start..end, href);
        let is_void = matches!(tag, Tag::Void | Tag::VoidBlock | Tag::Break) || (self_closing && name == b"path");
        if !is_void && self.open.len() < MAX_DEPTH {
            self.open.push((place, name));
        }
    }

    /// Closes what the start of this element ends without saying so.
    fn close_implied(&mut self, tag: Tag, name: &[u8]) {
        if !tag.is_inline() && self.open_tag(0) == Some(Tag::Paragraph) {
            self.close_above(self.open.len() - 1);
        }
        let (closed, barrier): (&[Tag], &[Tag]) = match tag {
            Tag::Item => (&[Tag::Item], &[Tag::List, Tag::OrderedList, Tag::Table, Tag::Cell]),
            Tag::Row => (&[Tag::Row], &[Tag::Table]),
            Tag::Cell => (&[Tag::Cell], &[Tag::Row, Tag::Table]),
            Tag::Link => (&[Tag::Link], &[Tag::Block, Tag::Cell, Tag::Item, Tag::Paragraph]),
            Tag::Control if name == b"option" => (&[Tag::Control], &[]),
            _ => return,
        };
        let mut from_top = 0;
        while let Some(open) = self.open_tag(from_top) {
            if barrier.contains(&open) {
                return;
            }
            let at = self.open.len() - 1 - from_top;
            if closed.contains(&open) && (name != b"option" || self.open[at].1 == b"option") {
                self.close_above(at);
                return;
            }
            from_top += 1;
        }
    }

    /// The tag of an open element, counted from the innermost; the root is not one.
    fn open_tag(&self, from_top: usize) -> Option<Tag> {
        let at = self.open.len().checked_sub(from_top + 1).filter(|at| *at > 0)?;
        Some(self.nodes[self.open[at].0].tag)
    }

    fn close_element(&mut self, name: &[u8]) {
        let tag = Tag::of(name);
        for at in (1..self.open.len()).rev() {
            if self.open[at].1 == name {
                self.close_above(at);
                return;
            }
            let open = self.nodes[self.open[at].0].tag;
            // A stray end tag closes nothing around a block, and nothing around a cell.
            if (tag.is_inline() && !open.is_inline()) || (open == Tag::Cell && !matches!(tag, Tag::Row | Tag::Table)) {
                return;
            }
        }
    }

    fn close_above(&mut self, at: usize) {
        let end = self.nodes.len();
        for (place, _) in self.open.drain(at..) {
            self.nodes[place].end = end;
        }
    }

    fn push(&mut self, tag: Tag, hint: Hint, source: Range<usize>, text: String) -> usize {
        let place = self.nodes.len();
        let parent = self.open.last().map_or(0, |(place, _)| *place);
        self.nodes.push(Node { tag, hint, parent, end: place + 1, source, text });
        place
    }

    fn finish(mut self, length: usize) -> Vec<Node> {
        self.close_above(0);
        for node in &mut self.nodes {
            node.source.end = node.source.end.min(length);
            node.source.start = node.source.start.min(node.source.end);
        }
        self.nodes
    }
}

const SURROUNDING_ROLES: [&str; 9] =
    ["navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "dialog", "alertdialog"];

/// Words in a class or an identifier that name what surrounds an article.
const SURROUNDING_WORDS: &[&str] = &[
    "ad",
    "ads",
    "advert",
    "advertisement",
    "banner",
    "breadcrumb",
    "breadcrumbs",
    "ccpa",
    "consent",
    "cookie",
    "cookies",
    "dfp",
    "footer",
    "gdpr",
    "login",
    "masthead",
    "menu",
    "menus",
    "modal",
    "nav",
    "navbar",
    "navigation",
    "newsletter",
    "onetrust",
    "outbrain",
    "overlay",
    "pager",
    "pagination",
    "popup",
    "promo",
    "recirc",
    "recommendations",
    "recommended",
    "related",
    "rss",
    "share",
    "sharedaddy",
    "sharing",
    "shoutbox",
    "sidebar",
    "signup",
    "skip",
    "social",
    "sponsor",
    "sponsored",
    "subscribe",
    "taboola",
    "toolbar",
    "widget",
];

fn names_surroundings(names: &str) -> bool {
    // A name that says both (`content-with-sidebar`, `main-nav-wrapper`) is settled by the text instead.
    let says_content =
        |word: &str| matches!(word, "article" | "content" | "main" | "body" | "post" | "page" | "with" | "has" | "no");
    let words = || names.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let is_surrounding = |word: &str| {
        let lower = word.to_ascii_lowercase();
        SURROUNDING_WORDS.binary_search(&lower.as_str()).is_ok()
    };
    words().any(is_surrounding) && !words().any(|word| says_content(&word.to_ascii_lowercase()))
}

/// Whether an inline style keeps the element from being displayed.
fn hides(style: &str) -> bool {
    style.split(';').filter_map(|rule| rule.split_once(':')).any(|(property, value)| {
        let value = value.trim().trim_end_matches("!important").trim();
        (property.trim().eq_ignore_ascii_case("display") && value.eq_ignore_ascii_case("none"))
            || (property.trim().eq_ignore_ascii_case("visibility") && value.eq_ignore_ascii_case("hidden"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(html: &str) -> String {
        let nodes = parse(html);
        let mut depth = vec![0; nodes.len()];
        let mut out = Vec::new();
        for (place, node) in nodes.iter().enumerate().skip(1) {
            depth[place] = depth[node.parent] + 1;
            let text = if node.tag == Tag::Text { node.text.clone() } else { format!("{:?}", node.tag) };
            out.push(format!("{}{text}", ".".repeat(depth[place] - 1)));
        }
        out.join(" ")
    }

    #[test]
    fn elements_end_where_the_next_one_implies_it() {
        assert_eq!(outline("<p>a<p>b"), "Paragraph .a Paragraph .b");
        assert_eq!(outline("<ul><li>a<li>b<ul><li>c</ul></ul>"), "List .Item ..a .Item ..b ..List ...Item ....c");
        assert_eq!(
            outline("<table><tr><td>a<td>b<tr><td>c</table>d"),
            "Table .Row ..Cell ...a ..Cell ...b .Row ..Cell ...c d"
        );
        assert_eq!(outline("<div>a</span></div>b"), "Block .a b");
        assert_eq!(outline("<a href=x>a<a href=y>b</a>c"), "Link .a Link .b c");
    }

    #[test]
    fn scripts_hide_their_tags_and_entities_are_read() {
        assert_eq!(outline("<script>'<p>'</script>&eacute;&#x41;"), "Unseen .'<p>' éA");
    }

    #[test]
    fn text_knows_where_it_stood() {
        let html = "<p>&lt;é</p><b>x</b>";
        let nodes = parse(html);
        let sources: Vec<_> =
            nodes.iter().filter(|node| node.tag == Tag::Text).map(|node| &html[node.source.clone()]).collect();
        assert_eq!(sources, ["&lt;é", "x"]);
    }

    #[test]
    fn nesting_is_bounded() {
        let nodes = parse(&"<div>".repeat(100_000));
        assert_eq!(nodes.len(), 100_001);
    }

    #[test]
    fn surrounding_words_are_sorted_and_whole() {
        assert!(SURROUNDING_WORDS.is_sorted());
        assert!(names_surroundings("left sidebar-2") && names_surroundings("cookie_banner"));
        assert!(!names_surroundings("content-with-sidebar") && !names_surroundings("shadow adapter"));
    }
}
