//! Pruning: comments, documentation and imports that nothing names go; the code stays, and still parses.
//!
//! Of what documents a definition the first row that says something stays. Comments that a tool or a reader acts on stay whole.

use std::collections::HashSet;
use std::ops::Range;

use tree_sitter::Tree;

use crate::comments;
use crate::outline::{Import, Item, Outline};
use crate::rows::Rows;
use crate::rules::{Role, Rules};

/// Which rows stay, and which of the others are inside a comment or string that stays around them.
pub(crate) struct Pruned {
    pub(crate) kept: Vec<bool>,
    pub(crate) inner: Vec<bool>,
}

pub(crate) fn keep(outline: &Outline, rows: &Rows<'_>) -> Pruned {
    let mut pruned = Pruned { kept: vec![true; rows.len()], inner: vec![false; rows.len()] };
    let named = names_outside_imports(outline, rows);
    let mut is_first = true;
    let mut doubtful_to = 0;
    let mut items = outline.items.iter().peekable();
    while let Some(item) = items.next() {
        match item {
            Item::Doubtful(rows) => doubtful_to = doubtful_to.max(rows.end),
            Item::Comment(rows) | Item::Docstring { rows, .. } if rows.start < doubtful_to => {}
            Item::Import(import) if import.rows.start < doubtful_to => {}
            Item::Comment(first) => {
                let mut run = vec![first.clone()];
                while let Some(Item::Comment(next)) = items.peek()
                    && run.last().is_some_and(|last| last.end == next.start)
                {
                    run.push(next.clone());
                    items.next();
                }
                let end = run.last().map_or(first.end, |last| last.end);
                // The first comment of a file documents the file.
                let documents = is_first
                    || items.peek().is_some_and(|next| match next {
                        Item::Definition(definition) => definition.rows.start == end,
                        Item::Attribute(attribute) => attribute.start == end,
                        _ => false,
                    });
                pruned.comments(&run, documents, rows);
            }
            Item::Docstring { rows: docstring, .. } => pruned.inside(docstring, rows),
            Item::Import(import) if import.prunable && is_unused(import, &named, rows) => {
                pruned.kept[import.rows.clone()].fill(false);
            }
            _ => {}
        }
        is_first = false;
    }
    pruned
}

/// The tokens of a program, without those of what may be pruned.
pub(crate) fn code<'t>(tree: &Tree, text: &'t str, rules: &Rules) -> Vec<&'t str> {
    let (mut cursor, mut tokens) = (tree.walk(), Vec::new());
    loop {
        let node = cursor.node();
        let may_go = match rules.role(&node) {
            Role::Comment | Role::Import { .. } => true,
            Role::Docstring(inner) => {
                node.named_child_count() == 1 && node.named_child(0).is_some_and(|child| child.kind_id() == inner)
            }
            _ => false,
        };
        if !may_go && node.child_count() == 0 {
            tokens.push(text.get(node.byte_range()).unwrap_or_default().trim());
        }
        if !may_go && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                tokens.retain(|token| !token.is_empty());
                return tokens;
            }
        }
    }
}

impl Pruned {
    /// Comments that follow each other.
    fn comments(&mut self, run: &[Range<usize>], documents: bool, rows: &Rows<'_>) {
        let mut says = None;
        for comment in run {
            let text = || comment.clone().map(|row| rows.row(row)).collect::<String>();
            let first = comment.clone().find(|row| comments::says_something(rows.row(*row)));
            if comments::is_acted_on(text().trim_start()) {
                continue;
            }
            if documents && says.is_none() && first.is_some() {
                says = first;
                self.inside(comment, rows);
            } else {
                self.kept[comment.clone()].fill(false);
            }
        }
    }

    /// Of a comment or string over several rows, the first that says something stays, and so do its two ends.
    fn inside(&mut self, comment: &Range<usize>, rows: &Rows<'_>) {
        let Some(first) = comment.clone().find(|row| comments::says_something(rows.row(*row))) else { return };
        let interior = first + 1..comment.end - 1;
        if interior.is_empty() {
            return;
        }
        self.kept[interior.clone()].fill(false);
        self.inner[interior].fill(true);
    }
}

/// Every word of the text that stands outside import statements.
fn names_outside_imports<'t>(outline: &Outline, rows: &Rows<'t>) -> HashSet<&'t str> {
    let mut names = HashSet::new();
    let mut at = 0;
    for item in &outline.items {
        if let Item::Import(import) = item {
            names.extend(words(rows.text.get(at..import.bytes.start).unwrap_or_default()));
            at = at.max(import.bytes.end);
        }
    }
    names.extend(words(&rows.text[at..]));
    names
}

fn is_unused(import: &Import, named: &HashSet<&str>, rows: &Rows<'_>) -> bool {
    const KEYWORDS: [&str; 8] = ["import", "from", "as", "use", "type", "static", "function", "const"];
    let statement = &rows.text[import.bytes.clone()];
    let is_for_effect = statement.contains(['*', '"', '\'']) && !statement.contains(" from ");
    // Names in a quoted path are no names.
    let unquoted = statement.split(['"', '\'']).step_by(2).flat_map(words);
    let mut names = unquoted.filter(|word| !KEYWORDS.contains(word)).peekable();
    !is_for_effect && !statement.contains('*') && names.peek().is_some() && names.all(|name| !named.contains(name))
}

/// Identifiers, and whatever else looks like one.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').filter(|word| !word.is_empty())
}
