//! Tables.

use crate::table;

/// Whether `text` is one table and nothing else. The parser is strict (equal fields in every row, columns that line up, a
/// ruler that fits), so it is the judge.
pub(super) fn is_table(text: &str) -> bool {
    table::parse(text).is_some()
}
