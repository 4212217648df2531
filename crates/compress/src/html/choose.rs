//! Which blocks belong to the article.
//!
//! Running text is told from what surrounds it by its own shape: long blocks with sentences and few links. The article is the
//! smallest element that holds most of that text. Inside it only parts that name themselves as surroundings, and lists
//! of links, are left out; outside it running text stays. Where running text is a small part of the
//! page there is no article, and everything visible stays.

use super::blocks::Block;
use super::tree::{Hint, Node, Tag};

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Shown,
    /// Visible, and not part of the article.
    Surrounding,
    /// Not displayed by the page itself.
    Hidden,
}

/// With less running text than this there is no article.
const MIN_ARTICLE_BYTES: usize = 500;

/// With a smaller percentage of the visible text running there is no article.
const MIN_RUNNING_PERCENT: usize = 25;

/// The article holds this percentage of the running text.
const ARTICLE_PERCENT: usize = 75;

/// A part that holds more than this percentage of the running text is no surroundings, whatever it is called.
const MAX_SURROUNDING_PERCENT: usize = 30;

/// The fate of each block.
pub(super) fn fates(nodes: &[Node], blocks: &[Block]) -> Vec<Fate> {
    let visible = |block: &&Block| !block.setting.hidden;
    let sums = Sums::of(nodes, blocks);
    let surroundings = surroundings(nodes, &sums);
    let article = article(nodes, blocks, &surroundings);
    let running: usize = blocks.iter().filter(visible).filter(|b| !surroundings[b.owner]).map(running_bytes).sum();
    let all: usize =
        blocks.iter().filter(visible).filter(|b| !surroundings[b.owner]).map(|block| block.text.len()).sum();
    let has_article = running >= MIN_ARTICLE_BYTES && running * 100 >= all * MIN_RUNNING_PERCENT;
    let in_link_list = link_lists(nodes, &sums);
    let fate = |block: &Block| {
        if block.setting.hidden {
            return Fate::Hidden;
        }
        if !has_article || block.setting.title {
            return Fate::Shown;
        }
        let inside = (article..nodes[article].end).contains(&block.owner);
        let is_running = block.is_running();
        let shown = !surroundings[block.owner]
            && if inside { is_running || !in_link_list[block.owner] } else { block.setting.heading == 1 || is_running };
        if shown { Fate::Shown } else { Fate::Surrounding }
    };
    blocks.iter().map(fate).collect()
}

/// Bytes of a block that count as running text: all or none.
fn running_bytes(block: &Block) -> usize {
    if block.is_running() { block.text.len() } else { 0 }
}

/// Sums over each node's subtree.
struct Sums {
    text: Vec<usize>,
    running: Vec<usize>,
    link: Vec<usize>,
    links: Vec<usize>,
}

impl Sums {
    fn of(nodes: &[Node], blocks: &[Block]) -> Self {
        let zero = || vec![0_usize; nodes.len()];
        let mut sums = Self { text: zero(), running: zero(), link: zero(), links: zero() };
        for block in blocks.iter().filter(|block| !block.setting.hidden && !block.setting.title) {
            sums.text[block.owner] += block.text.len();
            sums.running[block.owner] += running_bytes(block);
            sums.link[block.owner] += block.link_bytes;
            sums.links[block.owner] += block.links;
        }
        // Parents stand before their children.
        for at in (1..nodes.len()).rev() {
            let parent = nodes[at].parent;
            for sum in [&mut sums.text, &mut sums.running, &mut sums.link, &mut sums.links] {
                sum[parent] += sum[at];
            }
        }
        sums
    }
}

/// For each node, whether it lies in a part that is no article by its element or its name.
fn surroundings(nodes: &[Node], sums: &Sums) -> Vec<bool> {
    let total = sums.running[0];
    let mut inside = vec![false; nodes.len()];
    for (at, node) in nodes.iter().enumerate().skip(1) {
        let is_small = sums.running[at] * 100 <= total * MAX_SURROUNDING_PERCENT;
        // A note, a pull quote or an imprint is running text; a column of teasers is not.
        let is_text = sums.running[at] * 10 >= sums.text[at] * 6;
        let is_surrounding = match node.tag {
            Tag::Navigation | Tag::Form | Tag::Control => true,
            Tag::Aside | Tag::Footer => !is_text,
            tag => {
                node.hint == Hint::Surrounding && !tag.is_inline() && !matches!(tag, Tag::Heading(_) | Tag::Paragraph)
            }
        };
        inside[at] = inside[node.parent] || (is_surrounding && is_small);
    }
    inside
}

/// The smallest element that holds most of the running text.
fn article(nodes: &[Node], blocks: &[Block], surroundings: &[bool]) -> usize {
    let mut running = vec![0_usize; nodes.len()];
    for block in blocks.iter().filter(|block| !block.setting.hidden && !surroundings[block.owner]) {
        running[block.owner] += running_bytes(block);
    }
    for at in (1..nodes.len()).rev() {
        running[nodes[at].parent] += running[at];
    }
    let total = running[0];
    // Of the nodes that hold so much each lies in the one before.
    (0..nodes.len()).rev().find(|at| running[*at] * 100 >= total * ARTICLE_PERCENT).unwrap_or(0)
}

/// In a list of links whose texts are longer on average, each says something.
const MAX_LABEL_BYTES: usize = 32;

/// For each node, whether it lies in a list of links: several short ones, and hardly any text besides.
fn link_lists(nodes: &[Node], sums: &Sums) -> Vec<bool> {
    let mut inside = vec![false; nodes.len()];
    for (at, node) in nodes.iter().enumerate().skip(1) {
        let is_list = !node.tag.is_inline()
            && sums.links[at] >= 3
            && sums.link[at] <= sums.links[at] * MAX_LABEL_BYTES
            && sums.link[at] * 10 >= sums.text[at] * 7
            && sums.running[at] * 5 <= sums.text[at];
        inside[at] = inside[node.parent] || is_list;
    }
    inside
}
