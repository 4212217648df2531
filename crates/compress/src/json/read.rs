//! The notation, read back. It shares nothing with [`super::write`] but the rules for bare words, so that a mistake in
//! either is found when the result is compared with the source.

use std::borrow::Cow;

use super::embed::Style;
use super::layout::Delimiter;
use super::parse;
use super::shapes::MAX_SHAPES;
use super::template::{self, Part, REST, Template};
use super::value::{Node, Text, Value};
use super::words::{self, Place};

/// Brackets inside brackets that are read; a written value never has more.
const MAX_DEPTH: usize = 4 * parse::MAX_DEPTH;

/// Labels that are read; more would be more than anyone could look up.
pub(super) const MAX_LABELS: usize = 999;

/// The value that was written as `text`. Values that stand for repeated ones may add up to `budget` (see [`Node::size`]).
pub(super) fn read(text: &str, budget: usize) -> Option<Node<'_>> {
    let mut reader = Reader { text, at: 0, depth: 0, name: None, labels: Vec::new(), budget };
    if text.starts_with(words::LINES) {
        reader.at = words::LINES.len();
    }
    let node = if reader.peek() == Some(b'[') {
        reader.value(Place::Element)?
    } else {
        let mut pairs = Vec::new();
        for field in reader.items(None)?.fields {
            let Kind::Default(node) = field.kind else { return None };
            pairs.push((field.key, node));
        }
        Node::plain(Value::Object(pairs))
    };
    (reader.at == text.len()).then_some(node)
}

/// The header of a table.
struct Head<'a> {
    fields: Vec<Field<'a>>,
    delimiter: Delimiter,
}

#[derive(Debug)]
struct Field<'a> {
    key: Cow<'a, str>,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    Cell {
        text: bool,
    },
    Default(Node<'a>),
    /// Text with keys in braces; what it refers to is known when the whole header is.
    Template(&'a str),
    Group(Vec<Field<'a>>),
    Maybe(Head<'a>),
    Rows(Element<'a>),
}

#[derive(Debug)]
enum Element<'a> {
    Tuple(Head<'a>),
    Shapes(Vec<Head<'a>>),
    List(Head<'a>),
    Rows(Box<Element<'a>>),
}

impl std::fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.fields).finish()
    }
}

impl Head<'_> {
    fn has_cells(&self) -> bool {
        self.fields.iter().any(|field| !matches!(field.kind, Kind::Default(_)))
    }
}

/// What stands in square brackets.
enum Bracketed<'a> {
    Elements(Vec<Node<'a>>),
    Header(Element<'a>),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The name at some place, so that a row of many defaults looks for it only once.
    name: Option<Name<'a>>,
    /// Objects that are referred to later, by their numbers less one.
    labels: Vec<Node<'a>>,
    budget: usize,
}

#[derive(Clone)]
struct Name<'a> {
    at: usize,
    first: bool,
    found: Option<(Vec<Cow<'a, str>>, usize)>,
}

/// The row being read.
struct Row<'a> {
    delimiter: Delimiter,
    path: Vec<Cow<'a, str>>,
    first: bool,
}

type Pairs<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let (text, length) = parse::string_at(&self.text[self.at..])?;
        self.at += length;
        Some(text)
    }

    fn key(&mut self, in_path: bool) -> Option<Cow<'a, str>> {
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|byte| words::is_key_byte(*byte) && !(in_path && *byte == b'.')).count();
        self.at += length;
        (length > 0).then(|| Cow::Borrowed(&rest[..length]))
    }

    fn bare(&mut self, place: Place) -> &'a str {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| match byte {
            b'\n' | b';' | b']' | b'}' => true,
            b' ' => !matches!(place, Place::Cell { delimiter: Delimiter::Comma, .. }),
            b',' => matches!(place, Place::Item | Place::Cell { delimiter: Delimiter::Comma, .. }),
            _ => false,
        };
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn value(&mut self, place: Place) -> Option<Node<'a>> {
        match self.peek()? {
            b'&' => {
                self.at += 1;
                let label = self.label()?;
                let node = self.value(place)?;
                // Labels inside this object have higher numbers and are filed before it.
                if self.labels.len() < label {
                    self.labels.resize_with(label, || Node::plain(Value::Null));
                }
                self.labels[label - 1] = node.clone();
                return Some(node);
            }
            b'*' => {
                self.at += 1;
                let label = self.label()?;
                let node = self.labels.get(label - 1)?.clone();
                self.budget = self.budget.checked_sub(node.size())?;
                return Some(node);
            }
            b'j' => {
                if let Some((style, length)) = Style::at_start(&self.text[self.at..]) {
                    self.at += length;
                    let node = self.value(Place::Element)?;
                    self.budget = self.budget.checked_sub(node.size())?;
                    return Some(Node::plain(string(Cow::Owned(style.text_of(&node)))));
                }
            }
            _ => {}
        }
        let value = match self.peek()? {
            b'"' => string(self.string()?),
            b'{' => {
                let head = self.braced()?;
                let pair = |field: Field<'a>| match field.kind {
                    Kind::Default(node) => Some((field.key, node)),
                    _ => None,
                };
                Value::Object(head.fields.into_iter().map(pair).collect::<Option<_>>()?)
            }
            b'[' => match self.deeper(Self::bracketed)? {
                Bracketed::Elements(elements) => Value::Array(elements),
                Bracketed::Header(_) => return None,
            },
            _ => {
                let text = matches!(place, Place::Cell { text: true, .. });
                match self.bare(place) {
                    "" | "-" => return None,
                    "null" => Value::Null,
                    word if text => string(Cow::Borrowed(word)),
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    word if words::is_literal(word) => Value::Number(word),
                    word => string(Cow::Borrowed(word)),
                }
            }
        };
        Some(Node::plain(value))
    }

    /// A label's number, from 1.
    fn label(&mut self) -> Option<usize> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += length;
        rest[..length].parse().ok().filter(|label| (1..=MAX_LABELS).contains(label))
    }

    fn braced(&mut self) -> Option<Head<'a>> {
        self.deeper(|reader| {
            reader.take(b'{')?;
            reader.items(Some(b'}'))
        })
    }

    /// Pairs and columns up to `end`, which is taken too.
    fn items(&mut self, end: Option<u8>) -> Option<Head<'a>> {
        let mut head = Head { fields: Vec::new(), delimiter: Delimiter::Space };
        loop {
            if self.peek() == end {
                self.at += usize::from(end.is_some());
                return Some(head);
            }
            let key = self.key(false)?;
            let kind = self.kind()?;
            head.fields.push(Field { key, kind });
            match self.peek() {
                Some(b' ' | b'\n') => self.at += 1,
                Some(b',') => {
                    self.at += 1;
                    head.delimiter = Delimiter::Comma;
                }
                other if other == end => {}
                _ => return None,
            }
        }
    }

    /// What follows a key in braces.
    fn kind(&mut self) -> Option<Kind<'a>> {
        match self.peek() {
            Some(b'=') => {
                self.at += 1;
                match self.template() {
                    Some(template) => Some(Kind::Template(template)),
                    None => Some(Kind::Default(self.value(Place::Item)?)),
                }
            }
            Some(b'{') => Some(Kind::Group(self.braced()?.fields)),
            Some(b'?') => {
                self.at += 1;
                Some(Kind::Maybe(self.braced()?))
            }
            Some(b'[') => match self.deeper(Self::bracketed)? {
                Bracketed::Header(element) => Some(Kind::Rows(element)),
                Bracketed::Elements(_) => None,
            },
            Some(b':') => {
                let text = self.text[self.at..].starts_with(":str");
                self.at += ":str".len();
                text.then_some(Kind::Cell { text })
            }
            _ => Some(Kind::Cell { text: false }),
        }
    }

    /// A word with braces that match, which no bare string has.
    fn template(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        if rest.starts_with(['{', '[', '"', '&', '*']) || Style::at_start(rest).is_some() {
            return None;
        }
        let (mut open, mut braces) = (0_usize, false);
        let ends = |byte: u8| {
            match byte {
                b'{' => open += 1,
                b'}' if open == 0 => return true,
                b'}' => (open, braces) = (open - 1, true),
                b' ' | b',' | b'\n' | b';' | b']' | b'"' => return true,
                _ => {}
            }
            false
        };
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        (braces && open == 0).then(|| {
            self.at += length;
            &rest[..length]
        })
    }

    fn bracketed(&mut self) -> Option<Bracketed<'a>> {
        self.take(b'[')?;
        let mut elements = Vec::new();
        match self.peek()? {
            b']' => {}
            b'{' => {
                let head = self.braced()?;
                if head.has_cells() {
                    return self.table(Element::Tuple(head));
                }
                let pair = |field: Field<'a>| match field.kind {
                    Kind::Default(node) => Some((field.key, node)),
                    _ => None,
                };
                elements.push(Node::plain(Value::Object(head.fields.into_iter().map(pair).collect::<Option<_>>()?)));
            }
            b'[' => match self.deeper(Self::bracketed)? {
                Bracketed::Header(inner) => return self.table(Element::Rows(Box::new(inner))),
                Bracketed::Elements(inner) => elements.push(Node::plain(Value::Array(inner))),
            },
            b'#' => {
                self.at += 1;
                let head = self.braced()?;
                return self.table(Element::List(head));
            }
            b'a' if self.text[self.at..].starts_with("a{") => {
                let mut shapes = Vec::new();
                loop {
                    self.take(words::shape_letter(shapes.len()) as u8)?;
                    shapes.push(self.braced()?);
                    if shapes.len() > MAX_SHAPES || self.take(b' ').is_none() {
                        return self.table(Element::Shapes(shapes));
                    }
                }
            }
            _ => elements.push(self.value(Place::Element)?),
        }
        while self.take(b']').is_none() {
            self.at += matches!(self.peek()?, b' ' | b',').then_some(1)?;
            elements.push(self.value(Place::Element)?);
        }
        Some(Bracketed::Elements(elements))
    }

    /// The rows after a header; without any, the header alone.
    fn table(&mut self, element: Element<'a>) -> Option<Bracketed<'a>> {
        if self.take(b']').is_some() {
            return Some(Bracketed::Header(element));
        }
        let mut rows = Vec::new();
        while self.take(b']').is_none() {
            self.at += matches!(self.peek()?, b'\n' | b';').then_some(1)?;
            if self.peek() == Some(b'!') {
                rows.push(self.broken()?);
            } else {
                rows.push(self.row(&element)?);
            }
        }
        Some(Bracketed::Elements(rows))
    }

    /// A line as it stands, up to and including the line end that only such a line has before the closing bracket.
    fn broken(&mut self) -> Option<Node<'a>> {
        let line = self.text[self.at + 1..].lines().next()?;
        self.at += 1 + line.len();
        if self.text[self.at..].starts_with("\n]") {
            self.at += 1;
        }
        Some(Node::plain(Value::Broken(line)))
    }

    fn row(&mut self, element: &Element<'a>) -> Option<Node<'a>> {
        if self.take(b'=').is_some() {
            return self.value(Place::Element);
        }
        match element {
            Element::Tuple(head) => self.tuple(head),
            Element::List(head) => {
                let mut row = Row { delimiter: head.delimiter, path: Vec::new(), first: true };
                let pairs = self.cells(&head.fields, &mut row)?;
                Some(Node::plain(Value::Array(pairs.into_iter().map(|(_, node)| node).collect())))
            }
            Element::Shapes(heads) => {
                let shape = usize::from(self.peek()?.checked_sub(b'a')?);
                self.at += 1;
                self.take(b' ')?;
                self.tuple(heads.get(shape)?)
            }
            Element::Rows(inner) => self.rows(inner),
        }
    }

    fn rows(&mut self, element: &Element<'a>) -> Option<Node<'a>> {
        self.deeper(|reader| {
            reader.take(b'[')?;
            let mut rows = Vec::new();
            while reader.take(b']').is_none() {
                if !rows.is_empty() {
                    reader.take(b';')?;
                }
                rows.push(reader.row(element)?);
            }
            Some(Node::plain(Value::Array(rows)))
        })
    }

    fn tuple(&mut self, head: &Head<'a>) -> Option<Node<'a>> {
        let mut row = Row { delimiter: head.delimiter, path: Vec::new(), first: true };
        Some(Node::plain(Value::Object(self.cells(&head.fields, &mut row)?)))
    }

    fn cells(&mut self, fields: &[Field<'a>], row: &mut Row<'a>) -> Option<Pairs<'a>> {
        let mut pairs = Vec::new();
        let mut derived = Vec::new();
        for field in fields {
            self.strays(fields, row, &mut pairs)?;
            let node = match &field.kind {
                Kind::Group(inner) => {
                    row.path.push(field.key.clone());
                    let inner = self.cells(inner, row)?;
                    row.path.pop();
                    Some(Node::plain(Value::Object(inner)))
                }
                Kind::Template(template) if template.contains(REST) && !self.is_named(row, &field.key) => {
                    let node = self.next_cell(&Kind::Cell { text: true }, row)?;
                    node.map(|node| in_address(node, template)).map_or(Some(None), |node| node.map(Some))?
                }
                Kind::Default(_) | Kind::Template(_) => match (self.name(row), &field.kind) {
                    (Some((path, after)), _) if is_at(&path, &row.path, &field.key) => {
                        self.at = after;
                        row.first = false;
                        self.cell(&Kind::Cell { text: false }, row.delimiter)?
                    }
                    (_, Kind::Default(node)) => Some(node.clone()),
                    (_, Kind::Template(template)) => {
                        derived.push((pairs.len(), *template));
                        Some(Node::plain(Value::Null))
                    }
                    _ => None,
                },
                kind => self.next_cell(kind, row)?,
            };
            pairs.extend(node.map(|node| (field.key.clone(), node)));
        }
        self.strays(fields, row, &mut pairs)?;
        for (place, template) in derived {
            let template = Template::read(template, |key| fields.iter().any(|field| field.key == key))?;
            let node = string(Cow::Owned(filled(&template, &pairs)?));
            pairs[place].1 = Node::plain(node);
        }
        Some(pairs)
    }

    #[allow(clippy::option_option, reason = "the outer one is a text that cannot be read")]
    fn next_cell(&mut self, kind: &Kind<'a>, row: &mut Row<'a>) -> Option<Option<Node<'a>>> {
        if !row.first {
            self.at += matches!(self.peek()?, b' ' | b',').then_some(1)?;
        }
        row.first = false;
        self.cell(kind, row.delimiter)
    }

    /// Cells with a name of the group being read that the header does not know.
    fn strays(&mut self, fields: &[Field<'a>], row: &mut Row<'a>, pairs: &mut Pairs<'a>) -> Option<()> {
        while let Some((path, after)) = self.name(row) {
            let Some(key) = path.last().filter(|key| is_at(&path, &row.path, key)) else { break };
            if fields.iter().any(|field| field.key == *key) {
                break;
            }
            self.at = after;
            row.first = false;
            let node = self.value(Place::Cell { delimiter: row.delimiter, text: false })?;
            pairs.push((key.clone(), node));
        }
        Some(())
    }

    /// Whether the next cell has this name.
    fn is_named(&mut self, row: &Row<'a>, key: &str) -> bool {
        self.name(row).is_some_and(|(path, _)| is_at(&path, &row.path, key))
    }

    /// One cell; the inner `None` is an absent key.
    #[allow(clippy::option_option, reason = "the outer one is a text that cannot be read")]
    fn cell(&mut self, kind: &Kind<'a>, delimiter: Delimiter) -> Option<Option<Node<'a>>> {
        let text = matches!(kind, Kind::Cell { text: true });
        let comma = delimiter == Delimiter::Comma;
        let ends = |byte: Option<&u8>| match byte {
            None | Some(b'\n' | b';' | b']' | b'}') => true,
            Some(b' ') => !comma,
            Some(b',') => comma,
            _ => false,
        };
        let bytes = &self.text.as_bytes()[self.at..];
        if bytes.first() == Some(&b'-') && ends(bytes.get(1)) {
            self.at += 1;
            return Some(None);
        }
        let node = match (kind, bytes.first()) {
            (Kind::Maybe(head), Some(b'{')) => self.deeper(|reader| {
                reader.at += 1;
                let node = reader.tuple(head)?;
                reader.take(b'}')?;
                Some(node)
            })?,
            (Kind::Rows(element), Some(b'[')) => self.rows(element)?,
            (Kind::Maybe(_), Some(b'=')) => {
                self.at += 1;
                self.value(Place::Element)?
            }
            (_, first) if comma && ends(first) => Node::plain(Value::Null),
            _ => self.value(Place::Cell { delimiter, text })?,
        };
        Some(Some(node))
    }

    /// The name of the next cell, if it has one, and where its value starts.
    fn name(&mut self, row: &Row<'a>) -> Option<(Vec<Cow<'a, str>>, usize)> {
        if let Some(name) = self.name.as_ref().filter(|name| name.at == self.at && name.first == row.first) {
            return name.found.clone();
        }
        let at = self.at;
        let found = self.find_name(row.first);
        self.at = at;
        self.name = Some(Name { at, first: row.first, found: found.clone() });
        found
    }

    fn find_name(&mut self, first: bool) -> Option<(Vec<Cow<'a, str>>, usize)> {
        if !first {
            self.at += matches!(self.peek()?, b' ' | b',').then_some(1)?;
        }
        let first = self.key(true)?;
        // Most cells have no name, and are spared a path.
        if !matches!(self.peek(), Some(b'.' | b'=')) {
            return None;
        }
        let mut path = vec![first];
        while self.take(b'.').is_some() {
            path.push(self.key(true)?);
        }
        self.take(b'=')?;
        Some((path, self.at))
    }
}

/// What a template gives in one object.
fn filled(template: &Template<'_>, pairs: &Pairs<'_>) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Key(key) => {
                let (_, node) = pairs.iter().find(|(known, _)| known == key)?;
                text.push_str(template::scalar_text(node)?);
            }
        }
    }
    Some(text)
}

/// The address whose middle a cell holds.
fn in_address<'a>(node: Node<'a>, template: &str) -> Option<Node<'a>> {
    if node.is_null() {
        return Some(node);
    }
    let (prefix, suffix) = template.split_once(REST)?;
    let text = format!("{prefix}{}{suffix}", template::scalar_text(&node)?);
    Some(Node::plain(string(Cow::Owned(text))))
}

const fn string(text: Cow<'_, str>) -> Value<'_> {
    Value::String(Text { text, source: "" })
}

/// Whether `path` is `key` in the group at `group`.
fn is_at(path: &[Cow<'_, str>], group: &[Cow<'_, str>], key: &str) -> bool {
    path.split_last().is_some_and(|(last, parents)| last == key && parents == group)
}
