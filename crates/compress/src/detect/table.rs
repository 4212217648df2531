//! CSV, TSV, Markdown and fixed-width tables.

/// Whether the text is a table.
pub(super) fn is_table(text: &str) -> bool {
    // Stand-in for the table parser's own answer: the same number of the same separator on every sampled line.
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(200).collect();
    lines.len() >= 4
        && [b',', b'\t', b'|', b';'].iter().any(|separator| {
            let count = |line: &str| memchr::memchr_iter(*separator, line.as_bytes()).count();
            let first = count(lines[0]);
            first >= 2 && lines.iter().all(|line| count(line) == first)
        })
}
