//! How the elements of an array are laid out as rows: which keys are columns, which are the same everywhere, which are rare.
//!
//! Every array is inferred once, together with everything below it that the layout reaches, so the whole pass is linear
//! in the value (times the depth, which is bounded, where a layout is tried and refused).

use std::collections::HashMap;

use super::cost;
use super::shapes;
use super::template::{self, Template};
use super::value::{Fields, MAX_PLACES, Node, Value};
use super::words;
use crate::log::lex::HashedMap;

/// More distinct keys than this at one place are a map, not a schema; the rest are written by name.
const MAX_FIELDS: usize = 256;

/// What one row of a table is.
#[derive(Debug)]
pub(super) enum Element<'t> {
    /// An object: a tuple of cells.
    Tuple(Table<'t>),
    /// An object of one of several kinds, each with a header of its own: a letter and a tuple.
    Shapes(Vec<Table<'t>>),
    /// An array of `length` values: a tuple of cells. Its fields are the places.
    List { table: Table<'t>, length: usize },
    /// An array whose own elements are laid out.
    Rows(Box<Element<'t>>),
}

/// A group of fields with the blank between its cells.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) group: Group<'t>,
    pub(super) delimiter: Delimiter,
}

/// What stands between the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Space,
    Comma,
}

/// The fields of an object in the order all objects have them.
#[derive(Debug, Default)]
pub(super) struct Group<'t> {
    pub(super) fields: Vec<Field<'t>>,
    index: HashMap<&'t str, usize>,
    references: Vec<&'t str>,
}

/// One field.
#[derive(Debug)]
pub(super) struct Field<'t> {
    pub(super) key: &'t str,
    pub(super) layout: Layout<'t>,
}

/// How the values of a field are written.
#[derive(Debug)]
pub(super) enum Layout<'t> {
    /// One cell. With `text`, a bare word is a string even if it looks like a number.
    Cell { text: bool },
    /// Written once, in the header; a row that differs says so by name.
    Default(&'t Node<'t>),
    /// Written once, in the header, as it follows from other fields of the object; a row that differs says so by name.
    Derived(Template<'t>),
    /// A cell with the middle of an address whose ends stand in the header.
    Address { prefix: &'t str, suffix: &'t str },
    /// Always an object: its fields are cells of the same row.
    Group(Group<'t>),
    /// An object, null or absent: a tuple in braces.
    Maybe(Table<'t>),
    /// An array whose elements are laid out.
    Rows(Element<'t>),
}

impl<'t> Group<'t> {
    /// Place of `key`; `guess` is looked at first, because most objects are in order.
    pub(super) fn find(&self, key: &str, guess: usize) -> Option<usize> {
        if self.fields.get(guess).is_some_and(|field| field.key == key) {
            return Some(guess);
        }
        self.index.get(key).copied()
    }

    fn new(fields: Vec<Field<'t>>) -> Self {
        let index = fields.iter().enumerate().map(|(place, field)| (field.key, place)).collect();
        let mut references = Vec::new();
        for field in &fields {
            let Layout::Derived(template) = &field.layout else { continue };
            for part in &template.parts {
                match part {
                    template::Part::Key(key) if !references.contains(key) => references.push(*key),
                    _ => {}
                }
            }
        }
        Self { fields, index, references }
    }

    /// Whether some cell is written in every row; a row of nothing could not be told from no row.
    fn writes_a_cell(&self) -> bool {
        self.fields.iter().any(|field| match &field.layout {
            Layout::Default(_) | Layout::Derived(_) => false,
            Layout::Group(group) => group.writes_a_cell(),
            Layout::Cell { .. } | Layout::Address { .. } | Layout::Maybe(_) | Layout::Rows(_) => true,
        })
    }

    /// Turns the first constant into a cell, so that every row has one.
    fn write_a_cell(&mut self) -> bool {
        self.fields.iter_mut().any(|field| match &mut field.layout {
            Layout::Default(_) => {
                field.layout = Layout::Cell { text: false };
                true
            }
            Layout::Group(group) => group.write_a_cell(),
            Layout::Derived(_) => false,
            Layout::Cell { .. } | Layout::Address { .. } | Layout::Maybe(_) | Layout::Rows(_) => true,
        })
    }

    /// How many of an object's keys are fields of the group.
    pub(super) fn shared<'k>(&self, keys: impl Iterator<Item = &'k str>) -> usize {
        keys.enumerate().filter(|(place, key)| self.find(key, *place).is_some()).count()
    }

    /// Keys that derived fields refer to.
    pub(super) fn references(&self) -> &[&'t str] {
        &self.references
    }
}

/// The layout of an array with these elements, if they have enough in common.
pub(super) fn of_elements<'t>(elements: &[&'t Node<'t>]) -> Option<Element<'t>> {
    let objects: Vec<_> = elements.iter().copied().filter(|node| node.as_object().is_some()).collect();
    if objects.len() >= 2 && objects.len() * 2 >= elements.len() {
        if let Some(shapes) = shapes::of(&objects) {
            return Some(Element::Shapes(shapes.iter().map(|objects| table(objects)).collect::<Option<_>>()?));
        }
        return table(&objects).map(Element::Tuple);
    }
    let arrays: Vec<_> = elements.iter().filter_map(|node| node.as_array()).collect();
    if arrays.len() >= 2 && arrays.len() * 2 >= elements.len() {
        let inner: Vec<_> = arrays.iter().copied().flatten().collect();
        return of_elements(&inner).map(|element| Element::Rows(Box::new(element))).or_else(|| list(elements));
    }
    None
}

/// The layout of arrays that are records without keys: nearly all of one length, and hardly anything nested.
fn list<'t>(elements: &[&'t Node<'t>]) -> Option<Element<'t>> {
    let length = elements.iter().find_map(|node| node.as_array())?.len();
    let (mut records, mut nested) = (Vec::new(), 0);
    for node in elements {
        let Some(values) = node.as_array().filter(|values| values.len() == length) else { continue };
        records.push(*node);
        nested += values.iter().filter(|node| Fields::of(node).is_some()).count();
    }
    let uniform = records.len() >= 3 && records.len() * 5 >= elements.len() * 4;
    if !uniform || !(2..=MAX_PLACES).contains(&length) || nested * 5 > records.len() * length {
        return None;
    }
    Some(Element::List { table: table(&records)?, length })
}

fn table<'t>(objects: &[&'t Node<'t>]) -> Option<Table<'t>> {
    let mut table = infer(objects, 0).worthwhile(objects.len())?;
    (table.group.writes_a_cell() || table.group.write_a_cell()).then_some(table)
}

/// Objects of fewer estimated tokens are written again rather than referred to.
const MIN_REPEATED: u32 = 12;

/// Hashes of the objects that occur more than once and are worth a reference.
pub(super) fn repeated(node: &Node<'_>) -> HashedMap<Option<usize>> {
    fn find(node: &Node<'_>, seen: &mut HashedMap<()>, again: &mut HashedMap<Option<usize>>) {
        if node.cost < MIN_REPEATED {
            return;
        }
        match &node.value {
            Value::Array(elements) => elements.iter().for_each(|node| find(node, seen, again)),
            Value::Object(pairs) => {
                // What is inside a repeated object is written with it.
                if seen.insert(node.hash, ()).is_some() {
                    again.insert(node.hash, None);
                } else {
                    pairs.iter().for_each(|(_, node)| find(node, seen, again));
                }
            }
            _ => {}
        }
    }
    let mut again = HashedMap::default();
    find(node, &mut HashedMap::default(), &mut again);
    again
}

/// Whether these objects are few different ones, so that references beat columns.
fn are_repeats(objects: &[&Node<'_>]) -> bool {
    let mut hashes: Vec<_> = objects.iter().map(|node| node.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let costly = objects.iter().filter(|node| node.cost >= 2 * MIN_REPEATED).count();
    costly * 2 > objects.len() && hashes.len() * 2 <= objects.len() + 1
}

/// A group, and how well the objects it was made from fit it.
struct Inferred<'t> {
    group: Group<'t>,
    /// Objects whose keys are out of order or doubled.
    misfits: usize,
    /// Key occurrences, and how many of them have no field.
    keys: usize,
    strays: usize,
    /// Estimated cost of either delimiter, beyond what both have.
    space: usize,
    comma: usize,
}

impl<'t> Inferred<'t> {
    fn worthwhile(self, objects: usize) -> Option<Table<'t>> {
        let fits = self.misfits * 3 <= objects && self.strays * 3 <= self.keys && !self.group.fields.is_empty();
        let delimiter = if self.comma < self.space { Delimiter::Comma } else { Delimiter::Space };
        fits.then_some(Table { group: self.group, delimiter })
    }
}

/// The values of one key, in the order of the objects that have it.
struct Column<'t> {
    key: &'t str,
    place: usize,
    values: Vec<&'t Node<'t>>,
}

/// Fields in an order that every fitting object follows.
#[derive(Default)]
pub(super) struct Columns<'t> {
    columns: Vec<Column<'t>>,
    order: Vec<usize>,
    by_key: HashMap<&'t str, usize>,
}

impl<'t> Columns<'t> {
    /// Files the values of one object; `None` if its keys are out of order or doubled.
    pub(super) fn add(&mut self, fields: Fields<'t>, strays: &mut usize) -> Option<()> {
        let mut found = Vec::with_capacity(fields.len());
        let mut cursor = 0;
        for (key, node) in fields.iter() {
            let column = match self.order.get(cursor) {
                Some(&column) if self.columns[column].key == key => Some(column),
                _ => self.by_key.get(key).copied(),
            };
            let column = match column {
                Some(column) => column,
                None if self.columns.len() < MAX_FIELDS => self.insert(key, cursor),
                None => {
                    *strays += 1;
                    continue;
                }
            };
            if self.columns[column].place < cursor {
                return None;
            }
            cursor = self.columns[column].place + 1;
            found.push((column, node));
        }
        for (column, node) in found {
            self.columns[column].values.push(node);
        }
        Some(())
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    fn insert(&mut self, key: &'t str, place: usize) -> usize {
        let column = self.columns.len();
        self.columns.push(Column { key, place, values: Vec::new() });
        self.by_key.insert(key, column);
        self.order.insert(place, column);
        for (place, column) in self.order.iter().enumerate().skip(place) {
            self.columns[*column].place = place;
        }
        column
    }
}

fn infer<'t>(objects: &[&'t Node<'t>], path_cost: usize) -> Inferred<'t> {
    let (mut columns, mut strays, mut misfits, mut keys) = (Columns::default(), 0, 0, 0);
    for fields in objects.iter().copied().filter_map(Fields::of) {
        keys += fields.len();
        if columns.add(fields, &mut strays).is_none() {
            misfits += 1;
        }
    }
    let rows = objects.len() - misfits;
    let mut inferred = Inferred { group: Group::default(), misfits, keys, strays, space: 0, comma: 0 };
    let (mut fields, mut kept) = (Vec::new(), Vec::new());
    for column in &columns.order {
        let column = &columns.columns[*column];
        match inferred.layout(column, rows, path_cost) {
            Some(layout) => {
                fields.push(Field { key: column.key, layout });
                kept.push(column);
            }
            None => inferred.strays += column.values.len(),
        }
    }
    derive(&mut fields, &kept, rows);
    inferred.group = Group::new(fields);
    inferred
}

impl<'t> Inferred<'t> {
    /// The layout of one column, or `None` if it is best written by name where it occurs.
    fn layout(&mut self, column: &Column<'t>, rows: usize, path_cost: usize) -> Option<Layout<'t>> {
        let values = &column.values;
        let path_cost = path_cost + cost::of_text(column.key) as usize + 1;
        let common = majority(values)?;
        let equal = values.iter().filter(|node| node.same(common)).count();
        let container = matches!(common.value, Value::Array(_) | Value::Object(_));
        if rows >= 2 && (equal == rows || (container && equal * 10 >= rows * 9 && common.cost > 4)) {
            return Some(Layout::Default(common));
        }
        if let Some(layout) = self.nested(values, rows, path_cost) {
            return Some(layout);
        }
        let repeats = container && are_repeats(values);
        let written = |node: &&&Node<'_>| if repeats { 3 } else { node.cost as usize + 1 };
        let all: usize = values.iter().map(|node| written(&node)).sum();
        let other: usize = values.iter().filter(|node| !node.same(common)).map(|node| written(&node) + path_cost).sum();
        let missing = rows - values.len();
        let as_cell = path_cost + all + missing;
        let as_default = path_cost + common.cost as usize + other + missing * (path_cost + 2);
        let by_name = all + values.len() * path_cost;
        if by_name < as_cell.min(as_default) {
            return None;
        }
        if as_default < as_cell && equal > 1 {
            return Some(Layout::Default(common));
        }
        let text = is_text(values);
        self.weigh_delimiters(values, text);
        Some(Layout::Cell { text })
    }

    fn nested(&mut self, values: &[&'t Node<'t>], rows: usize, path_cost: usize) -> Option<Layout<'t>> {
        let nulls = values.iter().filter(|node| node.is_null()).count();
        let objects: Vec<_> = values.iter().copied().filter(|node| node.as_object().is_some()).collect();
        if values.len() * 4 < rows {
            return None;
        }
        if objects.len() >= 2 && objects.len() + nulls == values.len() {
            if are_repeats(&objects) {
                return None;
            }
            if objects.len() == rows {
                let inner = infer(&objects, path_cost);
                if inner.misfits == 0 && inner.strays * 3 <= inner.keys && !inner.group.fields.is_empty() {
                    self.space += inner.space;
                    self.comma += inner.comma;
                    return Some(Layout::Group(inner.group));
                }
                return None;
            }
            return Some(Layout::Maybe(infer(&objects, 0).worthwhile(objects.len())?));
        }
        let arrays: Vec<_> = values.iter().filter_map(|node| node.as_array()).collect();
        if !arrays.is_empty() && arrays.len() + nulls == values.len() {
            let inner: Vec<_> = arrays.into_iter().flatten().collect();
            return Some(Layout::Rows(of_elements(&inner)?));
        }
        None
    }

    fn weigh_delimiters(&mut self, values: &[&Node<'_>], text: bool) {
        for node in values {
            match &node.value {
                Value::String(string) => {
                    let traits = words::traits(&string.text);
                    let place = |delimiter| words::Place::Cell { delimiter, text };
                    let bare = |delimiter| words::is_bare_with(traits, &string.text, place(delimiter));
                    self.space += if bare(Delimiter::Space) { 0 } else { 2 };
                    self.comma += if bare(Delimiter::Comma) { 0 } else { 2 };
                    self.comma += usize::from(string.text.starts_with(|c: char| !c.is_ascii_digit()));
                }
                Value::Null => self.space += 1,
                _ => {}
            }
        }
    }
}

/// Gives cells with addresses a template or common ends.
fn derive<'t>(fields: &mut [Field<'t>], columns: &[&Column<'t>], rows: usize) {
    let whole = |column: &Column<'_>| rows >= 2 && column.values.len() == rows;
    let addresses: Vec<_> = fields
        .iter()
        .zip(columns)
        .map(|(field, column)| {
            let addresses = || column.values.iter().filter(|node| template::address(node).is_some()).count();
            let nulls = || column.values.iter().filter(|node| node.is_null()).count();
            matches!(field.layout, Layout::Cell { .. }) && addresses() * 5 >= (column.values.len() - nulls()) * 4
        })
        .collect();
    if !addresses.contains(&true) {
        return;
    }
    let others: Vec<_> = fields
        .iter()
        .zip(columns)
        .zip(&addresses)
        .filter(|((field, column), address)| matches!(field.layout, Layout::Cell { .. }) && !**address && whole(column))
        .map(|((_, column), _)| *column)
        .collect();
    let keys: Vec<_> = fields.iter().map(|field| field.key).collect();
    for place in (0..fields.len()).filter(|place| addresses[*place]) {
        let column = columns[place];
        let derived = if whole(column) { template_of(column, &others, &keys) } else { None };
        if let Some(template) = derived {
            fields[place].layout = Layout::Derived(template);
            continue;
        }
        let texts: Vec<_> = column.values.iter().filter_map(|node| template::address(node)).collect();
        if let Some((prefix, suffix)) = template::affixes(&texts) {
            fields[place].layout = Layout::Address { prefix, suffix };
        }
    }
}

/// The template that gives at least four in five of a column's values, made from one of its rows.
fn template_of<'t>(column: &Column<'t>, others: &[&Column<'t>], keys: &[&str]) -> Option<Template<'t>> {
    let rows = column.values.len();
    [0, rows / 2, rows - 1].into_iter().find_map(|row| {
        let text = template::address(column.values[row])?;
        let mut values: Vec<_> = others
            .iter()
            .filter_map(|other| {
                Some((other.key, template::scalar_text(other.values[row]).filter(|text| !text.is_empty())?))
            })
            .collect();
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let template = Template::of(text, &values)?;
        let given = (0..rows).filter(|row| {
            let value = |key: &str| {
                others.iter().find(|other| other.key == key).and_then(|other| template::scalar_text(other.values[*row]))
            };
            template::address(column.values[*row]).is_some_and(|text| template.gives(text, value))
        });
        (given.count() * 5 >= rows * 4 && template.is_readable(|key| keys.contains(&key))).then_some(template)
    })
}

/// Whether all values are strings or null, and enough of the strings look like something else to say so once in the header.
fn is_text(values: &[&Node<'_>]) -> bool {
    let strings = || {
        values.iter().filter_map(|node| match &node.value {
            Value::String(string) => Some(&string.text),
            _ => None,
        })
    };
    let nulls = values.iter().filter(|node| node.is_null()).count();
    strings().count() + nulls == values.len()
        && strings().filter(|text| words::is_literal(text) && !matches!(text.as_ref(), "null" | "-")).count() >= 2
}

/// The value that more than half of the nodes have, if there is one; any value otherwise (Boyer and Moore).
fn majority<'t>(values: &[&'t Node<'t>]) -> Option<&'t Node<'t>> {
    let (mut candidate, mut lead) = (*values.first()?, 0_usize);
    for node in values.iter().copied() {
        if lead == 0 {
            (candidate, lead) = (node, 1);
        } else if node.same(candidate) {
            lead += 1;
        } else {
            lead -= 1;
        }
    }
    Some(candidate)
}
