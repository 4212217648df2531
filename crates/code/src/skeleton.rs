//! Skeletons: what a file declares, without what it does.
//!
//! Kept are the rows that say what each definition is (its signature, and the first row of each decorator or attribute), members of types,
//! constants, and the first row of what documents the file or a type. Everything else goes, what documents functions too: a fifth of what a
//! skeleton with it was, for what names and signatures mostly say. Each symbol of the file stays, also one inside a function.

use std::collections::HashSet;
use std::ops::Range;

use crate::comments;
use crate::outline::{Definition, Item, Outline, Sort};
use crate::rows::Rows;

/// Which rows stay; `None` where there is nothing to show. `focus`: the names that the reader is after, whose definitions stay whole.
pub(crate) fn keep(outline: &Outline, rows: &Rows<'_>, focus: &HashSet<&str>) -> Option<Vec<bool>> {
    let mut kept = vec![false; rows.len()];
    let mut whole: Vec<Range<usize>> = Vec::new();
    let mut lead = Lead::default();
    let mut shows_something = false;
    for item in &outline.items {
        match item {
            Item::Definition(definition) => {
                shows_something = true;
                mark(&mut kept, definition, &lead);
                if definition.name.clone().is_some_and(|name| focus.contains(&rows.text[name])) {
                    let from =
                        if lead.rows.end == definition.rows.start { lead.rows.start } else { definition.rows.start };
                    whole.push(from..definition.rows.end);
                }
            }
            Item::Comment(comment) => {
                kept[comment.clone()].fill(false);
                lead.comment(comment, rows);
                // The first comment of a file documents the file.
                if !shows_something && let Some(row) = lead.says.filter(|_| lead.is_first) {
                    kept[row] = true;
                }
            }
            Item::Docstring { rows: docstring, of, .. } => {
                kept[docstring.clone()].fill(false);
                let says = || docstring.clone().find(|row| comments::says_something(rows.row(*row)));
                if *of != Some(Sort::Function)
                    && let Some(row) = says()
                {
                    kept[row] = true;
                }
            }
            Item::Attribute(attribute) => lead.attribute(attribute),
            Item::Broken(broken) => kept[broken.clone()].fill(true),
            Item::Import(_) | Item::Doubtful(_) => {}
        }
    }
    for rows in whole {
        kept[rows].fill(true);
    }
    shows_something.then_some(kept)
}

/// Keeps the head of a definition and what leads to it. Its body goes, until something in it is kept in its turn.
fn mark(kept: &mut [bool], definition: &Definition, lead: &Lead) {
    let Range { start, end } = definition.rows.clone();
    if definition.sort == Sort::Function {
        kept[start..end].fill(false);
    }
    kept[start..start + definition.head].fill(true);
    if lead.rows.end == start {
        lead.attributes.iter().for_each(|attribute| kept[attribute.start] = true);
        let is_type = definition.sort == Sort::Type || (definition.sort == Sort::Member && definition.head > 1);
        if is_type && !definition.local {
            lead.says.iter().for_each(|row| kept[*row] = true);
        }
    }
}

/// Comments and attributes that follow each other and may lead to a definition.
#[derive(Default)]
struct Lead {
    rows: Range<usize>,
    /// The first row of the comments that says something.
    says: Option<usize>,
    attributes: Vec<Range<usize>>,
    /// Nothing of its kind stands before.
    is_first: bool,
}

impl Lead {
    fn comment(&mut self, comment: &Range<usize>, rows: &Rows<'_>) {
        self.follow(comment);
        self.says = self.says.or_else(|| comment.clone().find(|row| comments::says_something(rows.row(*row))));
    }

    fn attribute(&mut self, attribute: &Range<usize>) {
        self.follow(attribute);
        self.attributes.push(attribute.clone());
    }

    fn follow(&mut self, next: &Range<usize>) {
        if self.rows.end != next.start {
            self.is_first = self.rows.end == 0;
            (self.rows, self.says) = (next.start..next.start, None);
            self.attributes.clear();
        }
        self.rows.end = next.end;
    }
}
