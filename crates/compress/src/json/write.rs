//! The notation, written. [`super::read`] is its inverse.
//!
//! ```text
//! id=7 name="Mia Li" tags=[a b] address={city=Austin zip="78750"} flights=[{number date=2024-05-21 price}
//! HAT028 140
//! HAT277 101 seats=3]
//! ```
//!
//! - An object is `key=value` pairs; quotes stand only where a blank, a bracket or another type would be misread.
//! - An array of objects is a header in braces and one row each. A field with a value in the header has that value in every
//!   row that does not name another; a cell with a name is that key; `-` is an absent key.
//! - `user{id login}` in a header: always an object, its fields are cells of the row. `user?{id login}`: a cell `{7 mia}`, or
//!   `null`, or `-`. `files[{name size}]`: a cell `[a 1;b 2]`. `zip:str`: all strings, even if they look like numbers.
//! - Rows of several kinds have a header each: `[a{id name} b{code}` and then `a 7 mia`, `b E42`.
//! - `[#{0 1=eur 2}` is the header of arrays; its fields are their places.
//! - `&2{...}` is an object that comes again, as `*2`.
//! - `json{...}` is a string that holds JSON; `json:{...}` one with blanks after its signs, `json2{...}` an indented one.
//! - A row that starts with `=` is written on its own, not by the header.

use std::borrow::Cow;

use headroom_core::{Omission, Original, Unit, gap_mark};

use super::layout::{self, Delimiter, Element, Group, Layout, Table};
use super::read::MAX_LABELS;
use super::template::{self, REST};
use super::value::{Fields, Node, Text, Value};
use super::words::{self, Place};
use super::{opaque, select};
use crate::log::lex::HashedMap;

/// What is written of a value.
#[derive(Clone, Copy)]
pub(super) enum Extent<'o> {
    /// All of it.
    Whole,
    /// Large arrays and opaque strings in part. `text` is the source that was parsed.
    Part { original: &'o Original<'o>, text: &'o str },
}

/// A written value and what was left out of it.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) omissions: Vec<Omission>,
}

/// Writes a value, or refuses one that has no parts.
pub(super) fn write(node: &Node<'_>, extent: Extent<'_>) -> Option<Written> {
    let mut writer = Writer {
        out: String::new(),
        wrapped: false,
        extent,
        omissions: Vec::new(),
        repeated: layout::repeated(node),
        labels: Vec::new(),
    };
    match &node.value {
        Value::Object(pairs) if !pairs.is_empty() => writer.pairs(pairs, Lines::Many),
        Value::Array(elements) if !elements.is_empty() => writer.array(elements, Lines::Many),
        _ => return None,
    }
    Some(writer.finish())
}

/// Whether rows may have lines of their own, or must stay inside the cell of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Many,
    One,
}

struct Writer<'o> {
    out: String,
    extent: Extent<'o>,
    omissions: Vec<Omission>,
    /// Whether the last value took several lines; the next key then starts a line.
    wrapped: bool,
    /// Hashes of the objects that occur more than once, with the label they got when they were first written.
    repeated: HashedMap<Option<usize>>,
    labels: Vec<Label>,
}

/// `&3` before an object that is written as `*3` when it comes again.
struct Label {
    /// Where the label stands in the output.
    at: usize,
    hash: u64,
    used: bool,
}

type Pairs<'t> = [(Cow<'t, str>, Node<'t>)];

impl Writer<'_> {
    /// The text without labels that nothing refers to.
    fn finish(mut self) -> Written {
        let mut kept = String::with_capacity(self.out.len());
        let mut at = 0;
        for label in self.labels.iter().filter(|label| !label.used) {
            kept.push_str(&self.out[at..label.at]);
            let digits = self.out[label.at + 1..].bytes().take_while(u8::is_ascii_digit).count();
            at = label.at + 1 + digits;
        }
        if at > 0 {
            kept.push_str(&self.out[at..]);
            self.out = kept;
        }
        Written { text: self.out, omissions: self.omissions }
    }

    fn pairs(&mut self, pairs: &Pairs<'_>, lines: Lines) {
        for (place, (key, node)) in pairs.iter().enumerate() {
            if place > 0 {
                self.out.push(if std::mem::take(&mut self.wrapped) { '\n' } else { ' ' });
            }
            self.key(key, false);
            self.out.push('=');
            self.value(node, Place::Item, lines);
        }
    }

    fn key(&mut self, key: &str, in_path: bool) {
        if words::is_bare_key(key, in_path) {
            self.out.push_str(key);
        } else {
            words::push_quoted(&mut self.out, key);
        }
    }

    fn value(&mut self, node: &Node<'_>, place: Place, lines: Lines) {
        match &node.value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Number(spelling) => self.out.push_str(spelling),
            Value::String(string) => self.string(string, place),
            Value::Embedded(embedded) => {
                self.out.push_str(&embedded.style.mark());
                self.value(&embedded.node, Place::Element, lines);
            }
            // Only rows can be broken, and `row` writes them.
            Value::Broken(line) => self.out.push_str(line),
            Value::Array(elements) => self.array(elements, lines),
            Value::Object(pairs) => {
                if self.refer(node) {
                    return;
                }
                self.out.push('{');
                self.pairs(pairs, lines);
                self.out.push('}');
            }
        }
    }

    /// Writes the reference to an object that was written before, or the label of one that will come again.
    fn refer(&mut self, node: &Node<'_>) -> bool {
        let Some(label) = self.repeated.get_mut(&node.hash) else { return false };
        if let Some(label) = *label {
            self.out.push_str(&format!("*{label}"));
            self.labels[label - 1].used = true;
            return true;
        }
        if self.labels.len() < MAX_LABELS {
            *label = Some(self.labels.len() + 1);
            self.labels.push(Label { at: self.out.len(), hash: node.hash, used: false });
            self.out.push_str(&format!("&{}", self.labels.len()));
        }
        false
    }

    /// Takes back what was written since `mark`.
    fn take_back(&mut self, mark: Mark) {
        self.out.truncate(mark.out);
        self.omissions.truncate(mark.omissions);
        for label in self.labels.drain(mark.labels..) {
            self.repeated.insert(label.hash, None);
        }
    }

    fn mark(&self) -> Mark {
        Mark { out: self.out.len(), omissions: self.omissions.len(), labels: self.labels.len() }
    }

    fn string(&mut self, string: &Text<'_>, place: Place) {
        if let Some((head, tail, omission)) = self.blob(string) {
            self.out.push('"');
            self.out.push_str(head);
            self.out.push_str(&gap_mark(&omission));
            self.out.push_str(tail);
            self.out.push('"');
            self.omissions.push(omission);
        } else if words::is_bare(&string.text, place) {
            self.out.push_str(&string.text);
        } else {
            words::push_quoted(&mut self.out, &string.text);
        }
    }

    /// Head and tail of a string that says nothing to a reader, as they stand in the source.
    fn blob<'t>(&self, string: &Text<'t>) -> Option<(&'t str, &'t str, Omission)> {
        let Extent::Part { original, text } = self.extent else { return None };
        let middle = opaque::middle(string.source)?;
        let start = (string.source.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        let omission = Omission::new(original, Unit::Byte, start + middle.start + 1..=start + middle.end, text.len());
        Some((&string.source[..middle.start], &string.source[middle.end..], omission))
    }

    fn array(&mut self, elements: &[Node<'_>], lines: Lines) {
        let shown = self.shown(elements);
        // The header is made from all elements, also those not shown, so that what it says is true of them too.
        let all: Vec<_> = elements.iter().collect();
        self.out.push('[');
        if let Some(element) = layout::of_elements(&all) {
            self.header(&element);
            let separator = if lines == Lines::Many { '\n' } else { ';' };
            self.out.push(separator);
            self.each(elements, shown.as_deref(), |writer, node, first| {
                if !first {
                    writer.out.push(separator);
                }
                if let Some(node) = node {
                    writer.row(node, &element);
                }
            });
            if matches!(elements.last(), Some(Node { value: Value::Broken(_), .. })) {
                self.out.push('\n');
            }
            self.wrapped = lines == Lines::Many;
        } else {
            self.each(elements, shown.as_deref(), |writer, node, first| match node {
                Some(node) if !first => {
                    writer.between(node, Place::Element, Delimiter::Space);
                    writer.value(node, Place::Element, lines);
                }
                Some(node) => writer.value(node, Place::Element, lines),
                None => writer.out.push(' '),
            });
        }
        self.out.push(']');
    }

    fn shown(&self, elements: &[Node<'_>]) -> Option<Vec<bool>> {
        match self.extent {
            Extent::Whole => None,
            Extent::Part { .. } => select::shown(elements),
        }
    }

    /// Has every element that is shown written by `write`, which is also told of a gap before its mark is written; its last argument
    /// is whether nothing stands before.
    fn each<'t>(
        &mut self,
        elements: &'t [Node<'t>],
        shown: Option<&[bool]>,
        mut write: impl FnMut(&mut Self, Option<&'t Node<'t>>, bool),
    ) {
        let mut place = 0;
        while place < elements.len() {
            let Some((Extent::Part { original, .. }, shown)) =
                shown.filter(|shown| !shown[place]).map(|shown| (self.extent, shown))
            else {
                write(self, Some(&elements[place]), place == 0);
                place += 1;
                continue;
            };
            let end = shown[place..].iter().position(|shown| *shown).map_or(shown.len(), |length| place + length);
            write(self, None, place == 0);
            let omission = Omission::new(original, Unit::Row, place + 1..=end, elements.len());
            self.out.push_str(&gap_mark(&omission));
            self.omissions.push(omission);
            place = end;
        }
    }

    /// What stands before the next value: two strings in quotes are parted by a comma, which is one token with the quotes.
    fn between(&mut self, next: &Node<'_>, place: Place, delimiter: Delimiter) {
        let quoted = matches!(&next.value, Value::String(string) if !words::is_bare(&string.text, place));
        let comma = delimiter == Delimiter::Comma || (quoted && self.out.ends_with('"'));
        self.out.push(if comma { ',' } else { ' ' });
    }

    fn header(&mut self, element: &Element<'_>) {
        match element {
            Element::Tuple(table) => self.table_header(table),
            Element::List { table, .. } => {
                self.out.push('#');
                self.table_header(table);
            }
            Element::Shapes(tables) => {
                for (shape, table) in tables.iter().enumerate() {
                    if shape > 0 {
                        self.out.push(' ');
                    }
                    self.out.push(words::shape_letter(shape));
                    self.table_header(table);
                }
            }
            Element::Rows(inner) => {
                self.out.push('[');
                self.header(inner);
                self.out.push(']');
            }
        }
    }

    fn table_header(&mut self, table: &Table<'_>) {
        self.out.push('{');
        self.fields(&table.group, table.delimiter);
        if table.delimiter == Delimiter::Comma && table.group.fields.len() == 1 {
            self.out.push(',');
        }
        self.out.push('}');
    }

    fn fields(&mut self, group: &Group<'_>, delimiter: Delimiter) {
        for (place, field) in group.fields.iter().enumerate() {
            if place > 0 {
                self.out.push(if delimiter == Delimiter::Comma { ',' } else { ' ' });
            }
            self.key(field.key, false);
            match &field.layout {
                Layout::Cell { text: false } => {}
                Layout::Cell { text: true } => self.out.push_str(":str"),
                Layout::Default(node) => {
                    self.out.push('=');
                    self.value(node, Place::Item, Lines::One);
                }
                Layout::Derived(template) => {
                    self.out.push('=');
                    self.out.push_str(&template.written());
                }
                Layout::Address { prefix, suffix } => {
                    self.out.push('=');
                    self.out.push_str(prefix);
                    self.out.push_str(REST);
                    self.out.push_str(suffix);
                }
                Layout::Group(inner) => {
                    self.out.push('{');
                    self.fields(inner, delimiter);
                    self.out.push('}');
                }
                Layout::Maybe(table) => {
                    self.out.push('?');
                    self.table_header(table);
                }
                Layout::Rows(element) => {
                    self.out.push('[');
                    self.header(element);
                    self.out.push(']');
                }
            }
        }
    }

    fn row(&mut self, node: &Node<'_>, element: &Element<'_>) {
        if let Value::Broken(line) = node.value {
            self.out.push('!');
            self.out.push_str(line);
            return;
        }
        let mark = self.mark();
        let fits = match (element, &node.value) {
            (Element::Tuple(table), Value::Object(pairs)) => self.tuple(Fields::of_object(pairs), table),
            (Element::List { table, length }, Value::Array(elements)) => {
                elements.len() == *length && self.tuple(Fields::of_array(elements), table)
            }
            (Element::Shapes(tables), Value::Object(pairs)) => self.shape(Fields::of_object(pairs), tables),
            (Element::Rows(inner), Value::Array(elements)) => {
                self.rows(elements, inner);
                true
            }
            _ => false,
        };
        if !fits {
            self.take_back(mark);
            self.out.push('=');
            self.value(node, Place::Element, Lines::One);
        }
    }

    /// An array inside a cell or a row, by the header's layout.
    fn rows(&mut self, elements: &[Node<'_>], element: &Element<'_>) {
        self.out.push('[');
        let shown = self.shown(elements);
        self.each(elements, shown.as_deref(), |writer, node, first| {
            if !first {
                writer.out.push(';');
            }
            if let Some(node) = node {
                writer.row(node, element);
            }
        });
        self.out.push(']');
    }

    /// A row of the shape that it has most in common with; the first of equals.
    fn shape(&mut self, fields: Fields<'_>, tables: &[Table<'_>]) -> bool {
        let affinity = |table: &Table<'_>| {
            let shared = table.group.shared(fields.keys());
            (2 * shared).wrapping_sub(table.group.fields.len()) as isize
        };
        let affinities = tables.iter().map(affinity).enumerate();
        let Some((shape, _)) = affinities.max_by_key(|(shape, affinity)| (*affinity, std::cmp::Reverse(*shape))) else {
            return false;
        };
        self.out.push(words::shape_letter(shape));
        self.out.push(' ');
        self.tuple(fields, &tables[shape])
    }

    /// The cells of one row; `false` if the object does not fit (what was written is then to be dropped).
    fn tuple(&mut self, fields: Fields<'_>, table: &Table<'_>) -> bool {
        // An object that lacks most fields is shorter on its own than with a mark for each of them.
        let shared = table.group.shared(fields.keys());
        if table.group.fields.len() > 3 * shared {
            return false;
        }
        let mut row = Row { delimiter: table.delimiter, path: Vec::new(), cells_written: false, unwritten: None };
        self.cells(fields, &table.group, &mut row)
    }

    fn cells<'t>(&mut self, fields: Fields<'t>, group: &'t Group<'t>, row: &mut Row<'t>) -> bool {
        let outer = row.unwritten.take();
        let start = self.out.len();
        let mut cursor = 0;
        let references: Vec<_> = group.references().iter().map(|wanted| (*wanted, reference(fields, wanted))).collect();
        for (key, node) in fields.iter() {
            let Some(place) = group.find(key, cursor) else {
                if let Some((path, default)) = row.unwritten.take() {
                    self.named(&path, default, row);
                }
                row.path.push(key);
                self.named(&row.path.clone(), node, row);
                row.path.pop();
                continue;
            };
            if place < cursor {
                return false;
            }
            for field in &group.fields[cursor..place] {
                if !self.absent(field.key, &field.layout, row) {
                    return false;
                }
            }
            row.path.push(key);
            let fits = self.cell(node, &group.fields[place].layout, &references, row);
            row.path.pop();
            if !fits {
                return false;
            }
            cursor = place + 1;
        }
        let rest = group.fields[cursor..].iter().all(|field| self.absent(field.key, &field.layout, row));
        if self.out.len() == start && row.unwritten.is_none() {
            row.unwritten = outer;
        }
        rest
    }

    fn cell<'t>(
        &mut self,
        node: &'t Node<'t>,
        layout: &'t Layout<'t>,
        references: &[(&str, Option<&str>)],
        row: &mut Row<'t>,
    ) -> bool {
        let value = |key: &str| references.iter().find(|(known, _)| *known == key).and_then(|(_, value)| *value);
        match (layout, &node.value) {
            (Layout::Derived(template), Value::String(string)) if template.gives(&string.text, value) => {
                row.unwritten = Some((row.path.clone(), node));
                return true;
            }
            (Layout::Default(default), _) if node.same(default) => {
                row.unwritten = Some((row.path.clone(), default));
                return true;
            }
            (Layout::Default(_) | Layout::Derived(_), _) => {
                self.named(&row.path.clone(), node, row);
                return true;
            }
            (Layout::Group(group), Value::Object(pairs)) => return self.cells(Fields::of_object(pairs), group, row),
            (Layout::Group(_), _) => return false,
            // A row that was set aside when the layout was made may still have fitting keys, but not a fitting type.
            (Layout::Cell { text: true }, value) if !matches!(value, Value::String(_) | Value::Null) => return false,
            (Layout::Address { .. }, Value::Null) => {}
            (Layout::Address { prefix, suffix }, _) => {
                match middle(node, prefix, suffix) {
                    Some(middle) => self.middle(middle, row),
                    None => self.named(&row.path.clone(), node, row),
                }
                return true;
            }
            _ => {}
        }
        let text = matches!(layout, Layout::Cell { text: true } | Layout::Address { .. });
        let place = Place::Cell { delimiter: row.delimiter, text };
        let first = !row.cells_written;
        self.delimit(node, place, row);
        match (layout, &node.value) {
            (Layout::Maybe(table), Value::Object(pairs)) => {
                let mark = self.mark();
                self.out.push('{');
                if self.tuple(Fields::of_object(pairs), table) {
                    self.out.push('}');
                } else if first {
                    // A row that starts with `=` is read as a whole.
                    return false;
                } else {
                    self.take_back(mark);
                    self.out.push('=');
                    self.value(node, place, Lines::One);
                }
            }
            (Layout::Rows(element), Value::Array(elements)) => self.rows(elements, element),
            // In a comma row nothing between two commas is null, as in every CSV; the row's first cell says it in full,
            // as an empty row would look like none.
            (_, Value::Null) if row.delimiter == Delimiter::Comma && !first => {}
            _ => self.value(node, place, Lines::One),
        }
        true
    }

    /// A cell with what is left of an address.
    fn middle(&mut self, middle: &str, row: &mut Row<'_>) {
        self.delimit_mark(row);
        if words::is_bare(middle, Place::Cell { delimiter: row.delimiter, text: true }) {
            self.out.push_str(middle);
        } else {
            words::push_quoted(&mut self.out, middle);
        }
    }

    fn absent<'t>(&mut self, key: &'t str, layout: &'t Layout<'t>, row: &mut Row<'t>) -> bool {
        match layout {
            Layout::Group(_) => return false,
            Layout::Default(_) | Layout::Derived(_) => {
                self.delimit_mark(row);
                row.path.push(key);
                self.path(&row.path);
                row.path.pop();
                self.out.push_str("=-");
            }
            Layout::Cell { .. } | Layout::Address { .. } | Layout::Maybe(_) | Layout::Rows(_) => {
                self.delimit_mark(row);
                self.out.push('-');
            }
        }
        true
    }

    fn named<'t>(&mut self, path: &[&'t str], node: &'t Node<'t>, row: &mut Row<'t>) {
        self.delimit_mark(row);
        self.path(path);
        self.out.push('=');
        self.value(node, Place::Cell { delimiter: row.delimiter, text: false }, Lines::One);
    }

    fn path(&mut self, path: &[&str]) {
        for (place, key) in path.iter().enumerate() {
            if place > 0 {
                self.out.push('.');
            }
            self.key(key, true);
        }
    }

    fn delimit(&mut self, node: &Node<'_>, place: Place, row: &mut Row<'_>) {
        row.unwritten = None;
        if row.cells_written {
            self.between(node, place, row.delimiter);
        }
        row.cells_written = true;
    }

    fn delimit_mark(&mut self, row: &mut Row<'_>) {
        row.unwritten = None;
        if row.cells_written {
            self.out.push(if row.delimiter == Delimiter::Comma { ',' } else { ' ' });
        }
        row.cells_written = true;
    }
}

/// How far the output had come.
#[derive(Clone, Copy)]
struct Mark {
    out: usize,
    omissions: usize,
    labels: usize,
}

/// What stands between the ends of an address.
fn middle<'n>(node: &'n Node<'_>, prefix: &str, suffix: &str) -> Option<&'n str> {
    match &node.value {
        Value::String(string) => string.text.strip_prefix(prefix)?.strip_suffix(suffix),
        _ => None,
    }
}

/// The text that a template finds under `key`.
fn reference<'t>(fields: Fields<'t>, key: &str) -> Option<&'t str> {
    fields.iter().find(|(known, _)| *known == key).and_then(|(_, node)| template::scalar_text(node))
}

/// The row being written.
struct Row<'t> {
    delimiter: Delimiter,
    path: Vec<&'t str>,
    /// Whether the row has a cell yet.
    cells_written: bool,
    /// The last field left to its default since the last cell. It is written out before a key that the header does
    /// not have, because such a key is read as standing right after the last cell.
    unwritten: Option<(Vec<&'t str>, &'t Node<'t>)>,
}
