//! Texts with a line number in front of every line, as `cat -n` and file viewers write them.

/// The text without its numbers, if every line has one and they count from 1: only then does a line have one number, whether it is looked
/// for in the view or in the file.
pub(crate) fn source(text: &str) -> Option<String> {
    let mut source = String::with_capacity(text.len());
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        let trimmed = line.trim_start_matches(' ');
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let body = trimmed[digits..].strip_prefix(['\t', '→'])?;
        if trimmed[..digits].parse() != Ok(number) {
            return None;
        }
        source.push_str(body);
    }
    (!source.is_empty()).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_count_from_one_are_taken_off() {
        assert_eq!(source("     1\ta\n     2\t  b\n").as_deref(), Some("a\n  b\n"));
        assert_eq!(source("1→a").as_deref(), Some("a"));
        for text in ["", "a\n", "     2\ta\n", "     1\ta\nb\n", "     1\ta\n     3\tb\n"] {
            assert_eq!(source(text), None, "{text:?}");
        }
    }
}
