//! Runs of signs that say nothing to a reader: base64, hexadecimal, compressed tables inside a string.

use std::ops::Range;

/// Shorter runs are names, paths and keys.
const LEAST: usize = 400;

/// So much of the beginning stays, by which such data is known.
const HEAD: usize = 32;

/// What of a row is not worth showing, in bytes of the row.
pub(crate) fn runs(row: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    if row.len() < LEAST {
        return runs;
    }
    let mut start = 0;
    for (at, byte) in row.bytes().chain([b' ']).enumerate() {
        if byte.is_ascii_alphanumeric() || b"+/=_-\\".contains(&byte) {
            continue;
        }
        if at - start >= LEAST {
            runs.push(start + HEAD..at);
        }
        start = at + 1;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_data_is_told_from_words() {
        let data = "A1b+".repeat(200);
        let only = |row: &str| runs(row).pop();
        assert_eq!(only(&format!("const wasm = '{data}'\n")), Some(14 + HEAD..14 + data.len()));
        assert!(runs(&format!("const words = '{}'\n", "some words ".repeat(200))).is_empty());
        assert_eq!(only(&"x".repeat(LEAST)), Some(HEAD..LEAST));
    }
}
