//! The blocks of a page: runs of text with no line between them.

use std::ops::Range;

use super::tree::{Hint, Node, Tag};

/// A paragraph, an item, a heading, a cell, a listing.
#[derive(Debug)]
pub(super) struct Block {
    /// The text as displayed: white space folded, except in listings.
    pub(super) text: String,
    /// Where it stands in the source, in bytes, from its first text to its last.
    pub(super) source: Range<usize>,
    /// The innermost element around it that is not inline.
    pub(super) owner: usize,
    /// Bytes of the text that are links, and how many links.
    pub(super) link_bytes: usize,
    pub(super) links: usize,
    /// Where the last link leads.
    pub(super) href: String,
    pub(super) setting: Setting,
}

/// A block of running text has this many bytes, or ends a sentence and has [`MIN_SENTENCE_BYTES`].
const MIN_RUNNING_BYTES: usize = 80;
const MIN_SENTENCE_BYTES: usize = 25;

impl Block {
    /// Whether it reads like text rather than like a label: sentences, listings and data, with few links.
    pub(super) fn is_running(&self) -> bool {
        let bytes = self.text.len();
        let ends = self.text.ends_with(['.', '!', '?', ':', '"', '”', '。', '！', '？', '।', '؟']);
        let is_long = bytes >= MIN_RUNNING_BYTES || (ends && bytes >= MIN_SENTENCE_BYTES);
        let is_data = self.setting.preformatted || self.setting.row > 0;
        self.link_bytes * 2 <= bytes && (is_long || is_data)
    }
}

/// How a block is set, from the elements around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    /// Level of the heading; 0 for none.
    pub(super) heading: u8,
    /// Lists around the block.
    pub(super) lists: u8,
    /// The list item the block stands in, by node, and its number in an ordered list; 0 for none.
    pub(super) item: usize,
    pub(super) number: usize,
    pub(super) quoted: bool,
    pub(super) preformatted: bool,
    pub(super) hidden: bool,
    pub(super) title: bool,
    /// The row and the cell of a table of data, by node; 0 for none.
    pub(super) row: usize,
    pub(super) cell: usize,
}

/// Cells of a table of data hold at most this much text; in a longer one the table is a way to place paragraphs.
const MAX_CELL_BYTES: usize = 400;

/// Cuts the page into its blocks, in document order. Blocks without text are left out.
pub(super) fn cut(nodes: &[Node]) -> Vec<Block> {
    let tables = data_tables(nodes);
    let mut settings: Vec<Setting> = Vec::with_capacity(nodes.len());
    let mut items = vec![0_usize; nodes.len()];
    // The element around each node that is not inline, and the link around it (0 for none).
    let mut owners: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut links = vec![0_usize; nodes.len()];
    let mut cutter = Cutter { blocks: Vec::new(), current: None, last_link: 0 };
    let mut at = 0;
    while at < nodes.len() {
        let node = &nodes[at];
        let outer = settings.get(node.parent).copied().unwrap_or_default();
        let owner = owners.get(node.parent).copied().unwrap_or(0);
        links[at] = if node.tag == Tag::Link { at } else { links[node.parent] };
        settings.push(setting(at, node, outer, nodes, &tables, &mut items));
        let is_inline = node.tag.is_inline() && node.hint != Hint::Hidden;
        owners.push(if is_inline { owner } else { at });
        match node.tag {
            Tag::Unseen => {
                // What is inside is no text.
                let (setting, owner) = (settings[at], owners[at]);
                settings.resize(node.end, setting);
                owners.resize(node.end, owner);
                at = node.end;
                continue;
            }
            Tag::Break => cutter.push_break(),
            Tag::Text => cutter.push_text(node, owner, settings[at], links[at], nodes),
            _ if !is_inline => cutter.end(),
            _ => {}
        }
        at += 1;
    }
    cutter.end();
    cutter.blocks
}

fn setting(at: usize, node: &Node, outer: Setting, nodes: &[Node], tables: &[bool], items: &mut [usize]) -> Setting {
    let mut inner = outer;
    inner.hidden |= node.hint == Hint::Hidden;
    match node.tag {
        Tag::Heading(level) => inner.heading = level,
        Tag::List | Tag::OrderedList => inner.lists = outer.lists.saturating_add(1),
        Tag::Item => {
            items[node.parent] += 1;
            inner.item = at;
            inner.number = if nodes[node.parent].tag == Tag::OrderedList { items[node.parent] } else { 0 };
        }
        Tag::Quote => inner.quoted = true,
        Tag::Preformatted => inner.preformatted = true,
        Tag::Title => inner.title = true,
        Tag::Table => (inner.row, inner.cell) = (if tables[at] { outer.row } else { 0 }, 0),
        Tag::Row if in_data_table(at, nodes, tables) => inner.row = at,
        Tag::Cell if inner.row > 0 => inner.cell = at,
        _ => {}
    }
    inner
}

/// Whether the nearest table around a row is one of data. Rows stand right below a table or one of its parts.
fn in_data_table(row: usize, nodes: &[Node], tables: &[bool]) -> bool {
    let parent = nodes[row].parent;
    tables[parent] || tables[nodes[parent].parent]
}

/// For each node, whether it is a table whose rows and columns mean something: two of each at least, short cells, no table or
/// listing inside.
fn data_tables(nodes: &[Node]) -> Vec<bool> {
    let mut is_data = vec![false; nodes.len()];
    let mut counts: Vec<(usize, usize, usize)> = vec![(0, 0, 0); nodes.len()];
    // Rows, cells, and what is too much for a cell, of each table; and the nearest table around each node.
    let mut nearest = vec![0_usize; nodes.len()];
    for (at, node) in nodes.iter().enumerate().skip(1) {
        nearest[at] = if nodes[node.parent].tag == Tag::Table { node.parent } else { nearest[node.parent] };
        let table = nearest[at];
        if table == 0 {
            continue;
        }
        match node.tag {
            Tag::Row => counts[table].0 += 1,
            Tag::Cell => counts[table].1 += 1,
            Tag::Table | Tag::Preformatted | Tag::List | Tag::OrderedList => counts[table].2 += 1,
            _ => {}
        }
    }
    let mut cell_of = vec![0_usize; nodes.len()];
    let mut bytes = vec![0_usize; nodes.len()];
    for (at, node) in nodes.iter().enumerate().skip(1) {
        cell_of[at] = if node.tag == Tag::Cell { at } else { cell_of[node.parent] };
        if node.tag == Tag::Text {
            bytes[cell_of[at]] += node.text.trim().len();
        }
        let (cell, table) = (cell_of[at], nearest[at]);
        if cell > 0 && table > 0 && bytes[cell] > MAX_CELL_BYTES {
            counts[table].2 += 1;
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        let (rows, cells, others) = counts[at];
        is_data[at] = node.tag == Tag::Table && others == 0 && rows >= 2 && cells >= rows * 2;
    }
    is_data
}

struct Cutter {
    blocks: Vec<Block>,
    current: Option<Block>,
    last_link: usize,
}

impl Cutter {
    fn push_text(&mut self, node: &Node, owner: usize, setting: Setting, link: usize, nodes: &[Node]) {
        let continues = self.current.as_ref().is_some_and(|block| block.owner == owner && block.setting == setting);
        if !continues {
            if node.text.trim().is_empty() && !setting.preformatted {
                return;
            }
            self.end();
        }
        let block = self.current.get_or_insert_with(|| Block {
            text: String::new(),
            source: node.source.clone(),
            owner,
            link_bytes: 0,
            links: 0,
            href: String::new(),
            setting,
        });
        let before = block.text.len();
        if setting.preformatted {
            block.text.push_str(&node.text);
        } else {
            fold_onto(&mut block.text, &node.text);
        }
        if !node.text.trim().is_empty() {
            block.source.end = node.source.end.max(block.source.end);
        }
        if link > 0 && !nodes[link].text.is_empty() {
            block.link_bytes += block.text.len() - before;
            if link != self.last_link {
                block.links += 1;
                nodes[link].text.clone_into(&mut block.href);
                self.last_link = link;
            }
        }
    }

    fn push_break(&mut self) {
        if let Some(block) = &mut self.current {
            while block.text.ends_with(' ') {
                block.text.pop();
            }
            block.text.push('\n');
        }
    }

    fn end(&mut self) {
        let Some(mut block) = self.current.take() else { return };
        if block.setting.preformatted {
            let kept = block.text.trim_start_matches(['\n', '\r']).trim_end();
            block.text = kept.to_owned();
        } else {
            block.text.truncate(block.text.trim_end().len());
        }
        if !block.text.is_empty() {
            self.blocks.push(block);
        }
    }
}

/// Appends `text` with every run of white space as one blank. No-break spaces are kept: they are characters of the text.
fn fold_onto(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c') {
            if !out.is_empty() && !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
}
