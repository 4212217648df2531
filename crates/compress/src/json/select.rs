//! Which rows of a large array are shown when the others may be left out.
//!
//! Kept are the first and last rows, an even sample between them, rows that speak of errors, the first row of every rare
//! value and rare key, the rows around a change in a column that rarely changes, and numbers far from all others. The choice looks
//! only at the array itself, is linear, and never depends on the order of a hash map.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::value::{Node, Value};
use crate::log::lex::HashedMap;

/// Arrays of up to this many elements are shown whole.
const MIN_ROWS: usize = 40;

/// So are arrays of fewer estimated tokens.
const MIN_COST: u32 = 2000;

/// Of fewer rows than this the first, the last, the even sample and the remarkable ones are nearly all.
const FEWEST: usize = 16;

/// So many rows may be shown for what is remarkable in them, if that is more than a sixth.
const REMARKABLE: usize = 8;

/// A value is rare if at most this share of the rows carries it.
const RARE_PERCENT: usize = 3;

/// Of a column with at most this many values each is shown once, rare or not.
const FEW_VALUES: usize = 8;

/// A column that changes more often than this says nothing by changing.
const MAX_CHANGES: usize = 6;

/// Levels of objects inside a row whose leaves count as columns.
const MAX_DEPTH: usize = 4;

/// One flag for each element, or `None` if all are to be shown.
pub(super) fn shown(elements: &[Node<'_>]) -> Option<Vec<bool>> {
    let rows = elements.len();
    let cost = elements.iter().fold(0_u32, |sum, node| sum.saturating_add(node.cost));
    if rows <= MIN_ROWS || cost < MIN_COST { None } else { chosen(elements, REMARKABLE) }
}

/// [`shown`], whatever the array costs, with at most `remarkable` rows (or a sixth of all) for being remarkable; `None` for fewer rows than a sample has.
pub(super) fn chosen(elements: &[Node<'_>], remarkable: usize) -> Option<Vec<bool>> {
    let rows = elements.len();
    if rows < FEWEST {
        return None;
    }
    let mut survey = Survey::new(rows);
    for (row, node) in elements.iter().enumerate() {
        survey.visit(row, node);
    }
    let mut shown = vec![false; rows];
    let sample = (rows / 40).clamp(4, 16);
    for place in (0..3).chain(rows - 2..rows).chain((1..sample).map(|part| part * rows / sample)) {
        shown[place] = true;
    }
    survey.mark(&mut shown, remarkable);
    // A gap of one row costs as much as the row says.
    for row in 1..rows - 1 {
        shown[row] = shown[row] || (shown[row - 1] && shown[row + 1]);
    }
    shown.contains(&false).then_some(shown)
}

/// What was seen in the columns of all rows.
struct Survey {
    rows: usize,
    columns: Vec<Column>,
    by_path: HashedMap<usize>,
    /// Rows that speak of errors.
    errors: Vec<usize>,
}

#[derive(Default)]
struct Column {
    /// Rows that have the column.
    present: usize,
    first: usize,
    /// Distinct values in order of appearance, until there are too many to be categories.
    values: Vec<Category>,
    by_hash: HashedMap<usize>,
    open: bool,
    last: u64,
    changes: Vec<usize>,
    numbers: Numbers,
}

struct Category {
    count: usize,
    first: usize,
}

#[derive(Default)]
struct Numbers {
    count: usize,
    sum: f64,
    squares: f64,
    low: Option<(f64, usize)>,
    high: Option<(f64, usize)>,
}

impl Survey {
    fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new(), by_path: HashedMap::default(), errors: Vec::new() }
    }

    fn visit(&mut self, row: usize, node: &Node<'_>) {
        self.leaf(row, 0, "", node, MAX_DEPTH);
    }

    fn leaf(&mut self, row: usize, path: u64, key: &str, node: &Node<'_>, depth: usize) {
        match &node.value {
            Value::Object(pairs) if depth > 0 && !pairs.is_empty() => {
                for (key, node) in pairs {
                    self.leaf(row, hash_path(path, key), key, node, depth - 1);
                }
            }
            Value::Array(elements) if depth == MAX_DEPTH => {
                for (place, node) in elements.iter().enumerate().take(64) {
                    self.leaf(row, place as u64 + 1, "", node, depth - 1);
                }
            }
            value => {
                if speaks_of_error(key, value) && self.errors.last() != Some(&row) {
                    self.errors.push(row);
                }
                let places = self.columns.len();
                let place = *self.by_path.entry(path).or_insert(places);
                if place == places {
                    self.columns.push(Column::default());
                }
                self.columns[place].add(row, node, self.rows);
            }
        }
    }

    fn mark(&self, shown: &mut [bool], remarkable: usize) {
        let few = (self.rows / 4).max(4);
        for row in self.errors.iter().take(if self.errors.len() <= few { few } else { 4 }) {
            shown[*row] = true;
        }
        let rare = (self.rows * RARE_PERCENT / 100).max(1);
        let mut wanted: Vec<_> = self.columns.iter().map(|column| column.remarkable(self.rows, rare)).collect();
        // Columns with few remarkable rows first: there they mean most.
        wanted.sort_by_key(Vec::len);
        let mut left = (self.rows / 6).max(remarkable);
        for row in wanted.into_iter().flatten() {
            if left == 0 {
                break;
            }
            left -= usize::from(!shown[row]);
            shown[row] = true;
        }
    }
}

impl Column {
    fn add(&mut self, row: usize, node: &Node<'_>, rows: usize) {
        if self.present == 0 {
            self.first = row;
        } else if self.last != node.hash && self.changes.len() <= MAX_CHANGES {
            self.changes.push(row);
        }
        self.present += 1;
        self.last = node.hash;
        if let Value::Number(spelling) = node.value {
            self.numbers.add(row, spelling);
        }
        if self.open {
            return;
        }
        let places = self.values.len();
        let place = *self.by_hash.entry(node.hash).or_insert(places);
        if place == places {
            self.values.push(Category { count: 0, first: row });
        }
        self.values[place].count += 1;
        if self.values.len() > (rows / 4).clamp(16, 256) {
            self.open = true;
            self.by_hash = HashedMap::default();
        }
    }

    /// Rows in which this column says something that others do not.
    fn remarkable(&self, rows: usize, rare: usize) -> Vec<usize> {
        let mut found = Vec::new();
        if self.present <= rare {
            found.push(self.first);
        }
        if !self.open && self.values.len() > 1 {
            let few = self.values.len() <= FEW_VALUES;
            found.extend(self.values.iter().filter(|value| few || value.count <= rare).map(|value| value.first));
            if self.changes.len() <= MAX_CHANGES {
                found.extend(&self.changes);
            }
        }
        if self.numbers.count == self.present && rows > 2 {
            found.extend(self.numbers.outliers());
        }
        found
    }
}

impl Numbers {
    fn add(&mut self, row: usize, spelling: &str) {
        let Some(number) = spelling.parse::<f64>().ok().filter(|number| number.is_finite()) else { return };
        self.count += 1;
        self.sum += number;
        self.squares += number * number;
        if self.low.is_none_or(|(low, _)| number < low) {
            self.low = Some((number, row));
        }
        if self.high.is_none_or(|(high, _)| number > high) {
            self.high = Some((number, row));
        }
    }

    /// Rows with the lowest or highest number, if it lies more than four standard deviations from the mean.
    fn outliers(&self) -> impl Iterator<Item = usize> {
        let mean = self.sum / self.count as f64;
        let deviation = (self.squares / self.count as f64 - mean * mean).max(0.0).sqrt();
        let far = move |(number, row): (f64, usize)| {
            ((number - mean).abs() > 4.0 * deviation && deviation > 0.0).then_some(row)
        };
        self.low.into_iter().chain(self.high).filter_map(far)
    }
}

/// Whether a leaf reports that something went wrong: a key such as `error` that holds something, or a value that says so.
fn speaks_of_error(key: &str, value: &Value<'_>) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = [
            "error",
            "exception",
            "fail",
            "fatal",
            "panic",
            "critical",
            "denied",
            "traceback",
            "unhealthy",
            "refused",
            "timeout",
            "abort",
            "crash",
        ];
        AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
    });
    let speaks = |text: &str| WORDS.as_ref().is_some_and(|words| words.is_match(text));
    match value {
        Value::Null | Value::Bool(false) | Value::Number("0") => false,
        Value::String(string) => !string.text.is_empty() && (speaks(&string.text) || speaks(key)),
        Value::Embedded(embedded) => speaks(embedded.text) || speaks(key),
        Value::Array(elements) => !elements.is_empty() && speaks(key),
        Value::Object(pairs) => !pairs.is_empty() && speaks(key),
        Value::Bool(true) | Value::Number(_) => speaks(key),
        Value::Broken(_) => true,
    }
}

fn hash_path(path: u64, key: &str) -> u64 {
    key.bytes().fold(path.wrapping_mul(31).wrapping_add(7), |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
