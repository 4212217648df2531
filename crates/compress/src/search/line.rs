//! The shapes of one line: a hit with its coordinates, a row of `ls -l`, a branch of a tree.

/// Where a hit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coordinate<'t> {
    /// `path:12:text`, or `path-12-text` for a line of context.
    Full {
        /// The file.
        path: &'t str,
        /// The line number as written.
        number: &'t str,
        /// `:` for a hit, `-` for context.
        sign: char,
        /// What follows the second sign.
        text: &'t str,
    },
    /// `12:text` or `12-text`: the file is known from a heading or from the command.
    Bare {
        /// The line number as written.
        number: &'t str,
        /// `:` for a hit, `-` for context.
        sign: char,
        /// What follows the sign.
        text: &'t str,
    },
}

/// Reads the coordinates at the start of a line (without line end).
pub(crate) fn coordinate(line: &str) -> Option<Coordinate<'_>> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        let (number, rest) = line.split_at(digits);
        let sign = rest.chars().next().filter(|sign| matches!(sign, ':' | '-'))?;
        return Some(Coordinate::Bare { number, sign, text: &rest[1..] });
    }
    let word = line.bytes().position(|byte| NO_PATH[usize::from(byte)]).unwrap_or(line.len());
    full(line, word, ':').or_else(|| full(line, word, '-'))
}

/// What stands in no path.
const NO_PATH: [bool; 256] = {
    let mut none = [false; 256];
    let signs = b" \t\"([{=,";
    let mut at = 0;
    while at < signs.len() {
        none[signs[at] as usize] = true;
        at += 1;
    }
    none
};

/// The first place where digits stand between two `sign`s, with a path before it, which is in the first `word` bytes.
fn full(line: &str, word: usize, sign: char) -> Option<Coordinate<'_>> {
    let bytes = line.as_bytes();
    let mut from = 1;
    while let Some(at) = memchr::memchr(sign as u8, bytes.get(from..word)?).map(|offset| from + offset) {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 && bytes.get(at + 1 + digits) == Some(&(sign as u8)) {
            let path = &line[..at];
            let named = path.bytes().any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80);
            let placed = sign == ':' || path.contains(['/', '.']);
            return (named && placed).then_some(Coordinate::Full {
                path,
                number: &line[at + 1..at + 1 + digits],
                sign,
                text: &line[at + digits + 2..],
            });
        }
        from = at + 1;
    }
    None
}

/// A row of `ls -l`: it starts with a mode such as `-rw-r--r--`.
pub(crate) fn is_long_row(line: &str) -> bool {
    let bytes = line.trim_start().as_bytes();
    bytes.len() > 20
        && matches!(bytes[0], b'-' | b'd' | b'l' | b'c' | b'b' | b'p' | b's')
        && bytes[1..10].iter().all(|byte| matches!(byte, b'r' | b'w' | b'x' | b's' | b'S' | b't' | b'T' | b'-'))
        && matches!(bytes[10], b' ' | b'.' | b'+' | b'@')
}

/// A branch of `tree`, drawn with lines.
pub(crate) fn is_tree_row(line: &str) -> bool {
    let rest = line.trim_start_matches(['│', ' ', '\u{a0}', '|']);
    ["├──", "└──", "|--", "`--"].iter().any(|branch| rest.starts_with(branch)) || line.starts_with("|--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_read_in_every_style() {
        let full = |path, number, sign, text| Some(Coordinate::Full { path, number, sign, text });
        assert_eq!(coordinate("src/a.rs:12:let x = 1;"), full("src/a.rs", "12", ':', "let x = 1;"));
        assert_eq!(coordinate("src/a-b.rs-12-  x - 1"), full("src/a-b.rs", "12", '-', "  x - 1"));
        assert_eq!(coordinate("C:\\x\\a.rs:7:y"), full("C:\\x\\a.rs", "7", ':', "y"));
        assert_eq!(coordinate("12:text"), Some(Coordinate::Bare { number: "12", sign: ':', text: "text" }));
        for line in ["", ":", "12", "a b:12:c", "at 12:30:45 the", "foo-12-bar", "--"] {
            assert_eq!(coordinate(line), None, "{line}");
        }
    }

    #[test]
    fn rows_of_listings_are_known_by_their_start() {
        assert!(is_long_row("-rw-r--r-- 1 root root 12 Jan  1 00:00 a"));
        assert!(!is_long_row("-rw-r--r--"));
        assert!(is_tree_row("│   ├── a"));
    }
}
