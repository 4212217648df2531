//! Sets the kept blocks as lines.

use headroom_core::{Omission, Original, Unit, gap_mark};

use super::blocks::{Block, Setting};
use super::choose::Fate;

/// A gap that hides less visible text than this is not worth its mark: what is visible in it is shown.
const MIN_GAP_BYTES: usize = 40;

/// Addresses up to this length are written behind an entry that has one link.
const MAX_ADDRESS_BYTES: usize = 80;

/// The page as text, with a gap mark where blocks were left out, and what was left out of the `length` bytes of source.
pub(super) fn write(
    blocks: &[Block],
    fates: &[Fate],
    original: &Original<'_>,
    length: usize,
) -> (String, Vec<Omission>) {
    let mut writer = Writer { out: String::new(), last: Setting::default() };
    let mut omissions = Vec::new();
    let title = blocks.iter().position(|block| block.setting.title).filter(|at| !is_repeated(*at, blocks, fates));
    let mut at = 0;
    while at < blocks.len() {
        if fates[at] == Fate::Shown {
            if !blocks[at].setting.title || Some(at) == title {
                writer.block(&blocks[at]);
            }
            at += 1;
            continue;
        }
        let end = fates[at..].iter().position(|fate| *fate == Fate::Shown).map_or(blocks.len(), |offset| at + offset);
        let gap = &blocks[at..end];
        if gap.iter().map(|block| block.text.len()).sum::<usize>() >= MIN_GAP_BYTES {
            let (start, stop) = (blocks[at].source.start, blocks[end - 1].source.end);
            let omission = Omission::new(original, Unit::Byte, start + 1..=stop, length);
            writer.line(&gap_mark(&omission));
            omissions.push(omission);
        } else {
            let visible = gap.iter().zip(&fates[at..end]).filter(|(_, fate)| **fate == Fate::Surrounding);
            visible.for_each(|(block, _)| writer.block(block));
        }
        at = end;
    }
    (writer.out, omissions)
}

/// Whether a heading that is shown says what the title says.
fn is_repeated(title: usize, blocks: &[Block], fates: &[Fate]) -> bool {
    let is_said = |(block, fate): (&Block, &Fate)| {
        *fate == Fate::Shown && block.setting.heading > 0 && blocks[title].text.starts_with(&block.text)
    };
    blocks.iter().zip(fates).any(is_said)
}

struct Writer {
    out: String,
    /// How the last block was set.
    last: Setting,
}

impl Writer {
    fn line(&mut self, text: &str) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.push_str(text);
        self.out.push('\n');
        self.last = Setting::default();
    }

    fn block(&mut self, block: &Block) {
        let setting = block.setting;
        if setting.row > 0 && setting.row == self.last.row {
            // The same row goes on.
            self.out.truncate(self.out.trim_end_matches('\n').len());
            self.out.push_str(if setting.cell == self.last.cell { " " } else { " | " });
            self.out.push_str(&block.text.replace('\n', " "));
            if let Some(href) = address(block) {
                self.out.push_str(&format!(" ({href})"));
            }
            self.out.push('\n');
            self.last = setting;
            return;
        }
        let continues_item = setting.item > 0 && setting.item == self.last.item;
        let prefix = prefix(setting, continues_item);
        if setting.preformatted && block.text.contains('\n') {
            self.line(&format!("```\n{}\n```", block.text));
        } else {
            let address = address(block).map(|href| format!(" ({href})")).unwrap_or_default();
            // A line within a block is indented as its first one is.
            let inner = format!("\n{}", if setting.quoted { "> " } else { "" });
            self.line(&format!("{prefix}{}{address}", block.text.replace('\n', &inner)));
        }
        self.last = setting;
    }
}

fn prefix(setting: Setting, continues_item: bool) -> String {
    let mut prefix = String::new();
    if setting.quoted {
        prefix.push_str("> ");
    }
    if setting.item > 0 {
        prefix.push_str(&"  ".repeat(usize::from(setting.lists.clamp(1, 8)) - 1));
        if !continues_item {
            match setting.number {
                0 => prefix.push_str("- "),
                number => prefix.push_str(&format!("{number}. ")),
            }
        }
    }
    if setting.heading > 0 {
        prefix.push_str(&"#".repeat(usize::from(setting.heading)));
        prefix.push(' ');
    } else if setting.title {
        prefix.push_str("# ");
    }
    prefix
}

/// Where a block leads that has one link and is no running text: an entry of a list, a heading, a cell.
fn address(block: &Block) -> Option<&str> {
    let href = block.href.as_str();
    let leads = !href.starts_with('#') && !href.starts_with("javascript:") && !href.is_empty();
    let is_entry = block.links == 1 && (block.link_bytes >= block.text.len() || !block.is_running());
    (is_entry && leads && href.len() <= MAX_ADDRESS_BYTES).then_some(href)
}
