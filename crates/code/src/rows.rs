//! The rows of a text: lines, counted from 0 as parsers do.

/// A text with the places where its rows begin.
pub(crate) struct Rows<'t> {
    pub(crate) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Rows<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        Self { text, starts }
    }

    /// How many there are; an empty text has none.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// A row with its line end.
    pub(crate) fn row(&self, row: usize) -> &'t str {
        let end = self.starts.get(row + 1).copied().unwrap_or(self.text.len());
        self.starts.get(row).map_or("", |start| &self.text[*start..end])
    }

    /// The byte that the row begins with.
    pub(crate) fn start(&self, row: usize) -> usize {
        self.starts.get(row).copied().unwrap_or(self.text.len())
    }

    /// The row that holds the byte.
    pub(crate) fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The row of the last character before `byte` that is not white space.
    pub(crate) fn before(&self, byte: usize) -> usize {
        let end = self.text.get(..byte).unwrap_or_default().trim_end().len();
        self.at(end.saturating_sub(1))
    }

    pub(crate) fn is_blank(&self, row: usize) -> bool {
        self.row(row).trim_ascii().is_empty()
    }

    /// Whether nothing but white space stands beside `start..end` on its rows.
    pub(crate) fn stands_alone(&self, start: usize, end: usize) -> bool {
        let first = self.at(start);
        let before = self.text.get(self.starts.get(first).copied().unwrap_or_default()..start);
        let last = self.before(end);
        let after = self.text.get(end..self.starts.get(last + 1).copied().unwrap_or(self.text.len()).max(end));
        before.is_some_and(|text| text.trim_ascii().is_empty())
            && after.is_some_and(|text| text.trim_ascii().is_empty())
    }

    /// White space that the row begins with.
    pub(crate) fn indentation(&self, row: usize) -> &'t str {
        let row = self.row(row);
        let blanks = row.len() - row.trim_start_matches([' ', '\t']).len();
        &row[..blanks]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_cover_the_text() {
        for text in ["", "a", "a\n", "a\r\n\n b", "\n"] {
            let rows = Rows::of(text);
            assert_eq!((0..rows.len()).map(|row| rows.row(row)).collect::<String>(), text);
        }
        let rows = Rows::of("ab\n  c\n\nd");
        assert_eq!((rows.at(0), rows.at(2), rows.at(3), rows.before(8)), (0, 0, 1, 1));
        assert!(rows.stands_alone(5, 6) && !rows.stands_alone(0, 1) && rows.is_blank(2));
        assert_eq!(rows.indentation(1), "  ");
    }
}
