//! What a syntax tree holds that a skeleton or a pruned text is made from, in the order of the text.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use crate::rows::Rows;
use crate::rules::{Parts, Role, Rules};

/// Of a text that is not read cleanly, this share in percent may be broken.
const MAX_BROKEN_PERCENT: usize = 10;

/// One thing in the text. Rows count from 0; ranges of rows do not include their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Definition(Definition),
    /// A comment on rows of its own.
    Comment(Range<usize>),
    /// A string that documents what it stands in (`of`; the file where that is nothing), on rows of its own.
    Docstring {
        rows: Range<usize>,
        of: Option<Sort>,
    },
    Attribute(Range<usize>),
    Import(Import),
    /// Rows with words that the parser could make no sense of.
    Broken(Range<usize>),
    /// Rows that hold such words somewhere: what else was read there may have been misread. Comes before what stands in them.
    Doubtful(Range<usize>),
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) sort: Sort,
    /// All rows.
    pub(crate) rows: Range<usize>,
    /// How many of the rows, from the first, say what it is: all but its body.
    pub(crate) head: usize,
    /// Where its name stands, in bytes.
    pub(crate) name: Option<Range<usize>>,
    /// It is inside a function, and not a member of a type in there.
    pub(crate) local: bool,
    /// It is a member with a value.
    pub(crate) valued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Function,
    Type,
    Member,
}

/// An import statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) rows: Range<usize>,
    pub(crate) bytes: Range<usize>,
    /// It stands on rows of its own and has no use but its names.
    pub(crate) prunable: bool,
}

/// The items of a text.
pub(crate) struct Outline {
    pub(crate) items: Vec<Item>,
    /// How many places the parser could make no sense of.
    pub(crate) errors: usize,
}

/// Reads the tree; `None` when too much of the text is broken. Walks without recursion, so that depth costs no stack.
pub(crate) fn outline(tree: &Tree, rows: &Rows<'_>, rules: &Rules) -> Option<Outline> {
    let mut walk = Walk { rows, rules, items: Vec::new(), wrapped_from: None, errors: 0, broken_bytes: 0 };
    let mut cursor = tree.walk();
    let mut around = vec![Around::default()];
    loop {
        let node = cursor.node();
        let inside = around.last().copied().unwrap_or_default();
        let local = walk.visit(node, inside).unwrap_or(inside.local);
        if cursor.goto_first_child() {
            around.push(Around { local, unread: node.is_error() });
            continue;
        }
        while !cursor.goto_next_sibling() {
            around.pop();
            if !cursor.goto_parent() {
                let is_broken = walk.broken_bytes * 100 > rows.text.len() * MAX_BROKEN_PERCENT;
                return (!is_broken).then_some(Outline { items: walk.items, errors: walk.errors });
            }
        }
    }
}

/// Where the children of a node are.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Inside a function, and not inside a type that the function declares.
    local: bool,
    /// Among words that the parser could make no sense of together, though it may have read each.
    unread: bool,
}

struct Walk<'a> {
    rows: &'a Rows<'a>,
    rules: &'a Rules,
    items: Vec<Item>,
    /// The first row of a wrapper whose definition has not come yet.
    wrapped_from: Option<usize>,
    errors: usize,
    broken_bytes: usize,
}

impl Walk<'_> {
    /// Notes what the node is; says whether what is in it is local, `None` if as the node itself.
    fn visit(&mut self, node: Node<'_>, Around { local, unread }: Around) -> Option<bool> {
        if node.is_error() {
            self.errors += 1;
            self.items.push(Item::Doubtful(self.span(node)));
            if node.child_count() == 0 {
                self.broken(node);
            }
            return None;
        }
        if node.is_missing() {
            self.errors += 1;
            self.broken(node);
            return None;
        }
        let stands_alone = || self.rows.stands_alone(node.start_byte(), node.end_byte());
        match self.rules.role(&node) {
            Role::None if unread => self.broken(node),
            Role::None => {}
            Role::Closure(_) => return Some(true),
            Role::Wrapper => self.wrapped_from = self.wrapped_from.or(Some(node.start_position().row)),
            Role::Comment => {
                if stands_alone() {
                    self.items.push(Item::Comment(self.span(node)));
                }
            }
            Role::Docstring(inner) => {
                if let Some(item) = self.docstring(node, inner) {
                    self.items.push(item);
                }
            }
            Role::Attribute => self.items.push(Item::Attribute(self.span(node))),
            Role::Import { prunable } => {
                let import =
                    Import { rows: self.span(node), bytes: node.byte_range(), prunable: prunable && stands_alone() };
                self.items.push(Item::Import(import));
            }
            Role::Function(parts) => {
                self.define(Sort::Function, node, parts.body(node), &parts, local);
                return Some(true);
            }
            Role::Type(parts) => {
                self.define(Sort::Type, node, parts.body(node), &parts, local);
                return Some(false);
            }
            Role::Member(parts) | Role::Binding(parts) => {
                let value = parts.body(node);
                if let Some(Role::Closure(of_closure)) = value.map(|value| self.rules.role(&value)) {
                    let body = value.and_then(|value| of_closure.body(value)).or(value);
                    self.define(Sort::Function, node, body, &parts, local);
                    return Some(true);
                }
                let is_import = || value.is_some_and(|value| self.rules.imports(&self.rows.text[value.byte_range()]));
                if !local && matches!(self.rules.role(&node), Role::Member(_)) && !is_import() {
                    self.define(Sort::Member, node, value, &parts, local);
                }
            }
        }
        None
    }

    /// Words that nothing is known of: the row they begin in stays. What else is in them is read by itself.
    fn broken(&mut self, node: Node<'_>) {
        let rows = self.span(node);
        let row = rows.start..if node.child_count() == 0 { rows.end } else { rows.start + 1 };
        let end = node.start_byte() + row.clone().map(|row| self.rows.row(row).len()).sum::<usize>();
        self.broken_bytes += node.end_byte().min(end) - node.start_byte();
        self.items.push(Item::Broken(row));
    }

    fn define(&mut self, sort: Sort, node: Node<'_>, body: Option<Node<'_>>, parts: &Parts, local: bool) {
        let mut rows = self.span(node);
        rows.start = self.wrapped_from.take().map_or(rows.start, |wrapper| wrapper.min(rows.start));
        let head_end = match (body, sort) {
            (None, _) => rows.end,
            // The row on which a value begins says what kind of value it is.
            (Some(value), Sort::Member) => value.start_position().row + 1,
            (Some(body), _) => self.rows.before(body.start_byte()) + 1,
        };
        self.items.push(Item::Definition(Definition {
            sort,
            head: head_end.clamp(rows.start + 1, rows.end.max(rows.start + 1)) - rows.start,
            rows,
            name: parts.name(node).map(|name| name.byte_range()),
            local,
            valued: sort == Sort::Member && body.is_some(),
        }));
    }

    fn docstring(&self, node: Node<'_>, inner: u16) -> Option<Item> {
        let is_string =
            node.named_child_count() == 1 && node.named_child(0).is_some_and(|child| child.kind_id() == inner);
        let body = node.parent().filter(|_| is_string)?;
        let is_first = body.named_child(0) == Some(node)
            // Comments may stand before the string.
            || (body.parent().is_none() && self.items.iter().all(|item| matches!(item, Item::Comment(_))));
        (is_first && self.rows.stands_alone(node.start_byte(), node.end_byte()))
            .then(|| Item::Docstring { rows: self.span(node), of: body.parent().map(|of| self.sort(of)) })
    }

    fn sort(&self, node: Node<'_>) -> Sort {
        if matches!(self.rules.role(&node), Role::Function(_)) { Sort::Function } else { Sort::Type }
    }

    /// The rows of a node. A node may end behind its last line end, and what is missing may be missed behind the last row.
    fn span(&self, node: Node<'_>) -> Range<usize> {
        let start = node.start_position().row.min(self.rows.len().saturating_sub(1));
        start..self.rows.before(node.end_byte()).max(start) + 1
    }
}
