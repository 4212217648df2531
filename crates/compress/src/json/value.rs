//! JSON values that keep everything the text says: order, duplicate keys, and how numbers are spelled.

use std::borrow::Cow;

use super::cost;
use super::embed::Style;

/// One value with what the encoder needs to know about it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) value: Value<'a>,
    /// Equal values have equal hashes; unequal ones almost always differ. Only ever used to skip comparisons.
    pub(super) hash: u64,
    /// Estimated tokens of the value written on its own.
    pub(super) cost: u32,
}

/// A value as the text says it.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// As spelled: `1`, `1.0` and `1e0` are three values.
    Number(&'a str),
    String(Text<'a>),
    Array(Vec<Node<'a>>),
    /// In order, duplicates included.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// A string that holds JSON, unwrapped.
    Embedded(Box<Embedded<'a>>),
    /// A line of an NDJSON text that is no JSON, as it stands.
    Broken(&'a str),
}

/// A string.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    /// Decoded.
    pub(super) text: Cow<'a, str>,
    /// As it stands in the source, between the quotes.
    pub(super) source: &'a str,
}

/// A string that holds JSON.
#[derive(Clone, Debug)]
pub(super) struct Embedded<'a> {
    pub(super) style: Style,
    pub(super) node: Node<'a>,
    /// The decoded string.
    pub(super) text: &'a str,
}

impl<'a> Node<'a> {
    pub(super) fn new(value: Value<'a>) -> Self {
        let hash = hash_of(&value);
        let cost = cost::of_value(&value);
        Self { value, hash, cost }
    }

    /// A node that is only to be compared with [`equals`](Self::equals): no hash, no cost.
    pub(super) const fn plain(value: Value<'a>) -> Self {
        Self { value, hash: 0, cost: 0 }
    }

    /// Whether two parsed values are the same, numbers by spelling.
    pub(super) fn same(&self, other: &Node<'_>) -> bool {
        self.hash == other.hash && self.equals(other)
    }

    /// [`same`](Self::same) without a look at the hashes.
    pub(super) fn equals(&self, other: &Node<'_>) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Number(one), Value::Number(two)) | (Value::Broken(one), Value::Broken(two)) => one == two,
            (Value::String(one), Value::String(two)) => one.text == two.text,
            (Value::Embedded(one), Value::Embedded(two)) => one.text == two.text,
            (Value::Embedded(one), Value::String(two)) | (Value::String(two), Value::Embedded(one)) => {
                one.text == two.text
            }
            (Value::Array(one), Value::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.equals(two))
            }
            (Value::Object(one), Value::Object(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.0 == two.0 && one.1.equals(&two.1))
            }
            _ => false,
        }
    }

    /// How much there is to it: values and bytes of strings. A reader that builds more than its source had has gone wrong.
    pub(super) fn size(&self) -> usize {
        match &self.value {
            Value::Null | Value::Bool(_) => 1,
            Value::Number(text) | Value::Broken(text) => 1 + text.len(),
            Value::String(string) => 1 + string.text.len(),
            Value::Embedded(embedded) => 1 + embedded.text.len() + embedded.node.size(),
            Value::Array(elements) => elements.iter().fold(1, |sum, node| sum + node.size()),
            Value::Object(pairs) => pairs.iter().fold(1, |sum, (key, node)| sum + key.len() + node.size()),
        }
    }

    pub(super) fn as_object(&self) -> Option<&[(Cow<'a, str>, Node<'a>)]> {
        match &self.value {
            Value::Object(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Node<'a>]> {
        match &self.value {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

/// The values of an object under their keys, or of an array under their places, which serve as keys.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    pairs: &'n [(Cow<'n, str>, Node<'n>)],
    elements: &'n [Node<'n>],
}

/// Places of array elements as keys; longer arrays are not laid out as rows.
const PLACES: [&str; 32] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
    "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
];

/// The longest array that [`Fields`] can show whole.
pub(super) const MAX_PLACES: usize = PLACES.len();

impl<'n> Fields<'n> {
    pub(super) const fn of_object(pairs: &'n [(Cow<'n, str>, Node<'n>)]) -> Self {
        Self { pairs, elements: &[] }
    }

    /// The first [`MAX_PLACES`] elements.
    pub(super) const fn of_array(elements: &'n [Node<'n>]) -> Self {
        Self { pairs: &[], elements }
    }

    pub(super) fn of(node: &'n Node<'n>) -> Option<Self> {
        match &node.value {
            Value::Object(pairs) => Some(Self::of_object(pairs)),
            Value::Array(elements) => Some(Self::of_array(elements)),
            _ => None,
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'n str, &'n Node<'n>)> {
        let pairs = self.pairs.iter().map(|(key, node)| (key.as_ref(), node));
        pairs.chain(PLACES.iter().copied().zip(self.elements))
    }

    pub(super) fn keys(self) -> impl Iterator<Item = &'n str> {
        self.iter().map(|(key, _)| key)
    }

    pub(super) const fn len(self) -> usize {
        self.pairs.len() + self.elements.len()
    }
}

fn hash_of(value: &Value<'_>) -> u64 {
    match value {
        Value::Null => 1,
        Value::Bool(value) => 2 + u64::from(*value),
        Value::Number(spelling) => hash_bytes(4, spelling.as_bytes()),
        Value::String(text) => hash_bytes(5, text.text.as_bytes()),
        Value::Embedded(embedded) => hash_bytes(5, embedded.text.as_bytes()),
        Value::Broken(line) => hash_bytes(6, line.as_bytes()),
        Value::Array(elements) => elements.iter().fold(7, |hash, element| mix(hash, element.hash)),
        Value::Object(pairs) => {
            pairs.iter().fold(8, |hash, (key, node)| mix(mix(hash, hash_bytes(9, key.as_bytes())), node.hash))
        }
    }
}

fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(mix(seed, bytes.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(hash, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// One multiplication and a rotation: weak against an adversary, who gains nothing, as equality is always checked.
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}
