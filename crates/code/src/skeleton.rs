//! Skeletons: what a file declares, without what it does.
//!
//! Kept are the rows that say what each definition is (its signature, and the first row of each decorator or attribute), members of types,
//! constants, and the first row of what documents the file or a type. Everything else goes, what documents functions too: a tenth of what a
//! skeleton with it was, for what names and signatures mostly say. Each symbol of the file stays, also one inside a function.

use std::collections::HashSet;
use std::ops::Range;

use crate::comments;
use crate::outline::{Definition, Item, Outline, Sort};
use crate::prune::words;
use crate::rows::Rows;

/// So many rows of names go behind one mark, so that which name stands in which row is seen at a glance.
const NAMES: usize = 10;

/// Shorter runs of constants are read as they are.
const RUN: usize = 8;

/// What a skeleton is made of.
pub(crate) struct Skeleton {
    /// Which rows stay.
    pub(crate) kept: Vec<bool>,
    /// Rows that do not, of which each defines one constant whose name is given, in bytes.
    pub(crate) named: Vec<Named>,
}

/// Rows that follow each other, and the name that each defines.
pub(crate) type Named = (Range<usize>, Vec<Range<usize>>);

/// Which rows stay; `None` where there is nothing to show. `focus`: the names that the reader is after, whose definitions stay whole.
pub(crate) fn keep(outline: &Outline, rows: &Rows<'_>, focus: &HashSet<&str>) -> Option<Skeleton> {
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
    let named = if focus.is_empty() { constants(outline, rows, &kept) } else { Vec::new() };
    for rows in whole {
        kept[rows].fill(true);
    }
    for (rows, _) in &named {
        kept[rows.clone()].fill(false);
    }
    shows_something.then_some(Skeleton { kept, named })
}

/// Runs of constants, one a row, that say twice as much as their names: tables of `#define`, generated ones above all.
fn constants(outline: &Outline, rows: &Rows<'_>, kept: &[bool]) -> Vec<Named> {
    let is_one =
        |definition: &Definition| definition.valued && definition.rows.len() == 1 && kept[definition.rows.start];
    let constants = outline.items.iter().filter_map(|item| match item {
        Item::Definition(definition) if is_one(definition) => Some((definition.rows.start, definition.name.clone()?)),
        _ => None,
    });
    // What is assigned to may be a place in something else, which no name stands for.
    let constants = constants.filter(|(_, name)| words(&rows.text[name.clone()]).eq([&rows.text[name.clone()]]));
    let mut runs: Vec<Named> = Vec::new();
    let mut last = usize::MAX;
    for (row, name) in constants {
        match runs.last_mut() {
            // Two in one row are no row of one constant.
            Some((run, names)) if run.end == row && last != row => {
                run.end += 1;
                names.push(name);
            }
            Some((run, names)) if run.end == row + 1 => {
                run.end -= 1;
                names.pop();
            }
            _ => runs.push((row..row + 1, vec![name])),
        }
        last = row;
    }
    let says_little = |(run, names): &Named| {
        let bytes: usize = run.clone().map(|row| rows.row(row).trim_ascii().len()).sum();
        run.len() >= RUN && names.iter().map(|name| name.len() + 1).sum::<usize>() * 2 < bytes
    };
    let parts = runs.into_iter().filter(says_little).flat_map(|(run, names)| {
        let part = move |(at, names): (usize, &[Range<usize>])| {
            let start = run.start + at * NAMES;
            (start..start + names.len(), names.to_vec())
        };
        names.chunks(NAMES).enumerate().map(part).collect::<Vec<_>>()
    });
    parts.collect()
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
