//! `ls -l` as `ls -F` would print it, with sizes: names, what they are, and how large.
//!
//! ```text
//! [ls -l without modes, links and times; owner root root; "/" directory, "*" executable]
//! ./src:
//! total 92
//! blocking.rs 3211
//! doc/
//! lib.so -> lib.so.1
//! ```
//!
//! Not exact, so only where omissions are allowed, and the first line says what is gone. Rows in which something else is worth a look stay as
//! they are: another owner, files that anybody may write, set-user-ID and sticky bits, devices, and what is no row at all.
//!
//! Exact ([`encode`]): the same names and sizes, and of all other fields those that differ from the row above. How wide a column is padded follows
//! from its widest field.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::line::is_long_row;

/// Fewer rows are not worth a first line.
const ROWS: usize = 8;

/// A listing that can be seen at a glance keeps its columns: leaving them out has to save this many tokens beside the exact form.
pub(super) const WORTH: usize = 300;

/// Whether a command line sorts by time or asks for it in full: then times are what somebody wants to see.
pub(super) fn asks_for_times(command: &str) -> bool {
    command.split_whitespace().any(|word| {
        let short = word.strip_prefix('-').filter(|word| !word.starts_with('-'));
        short.is_some_and(|flags| flags.contains(['t', 'c', 'u']))
            || ["--sort=time", "--full-time", "--time"].contains(&word)
            || word.starts_with("--time=")
    })
}

/// Writes the short form; `None` when too few rows have one.
pub(super) fn shorten(text: &str) -> Option<String> {
    let rows: Vec<(&str, Option<Row<'_>>)> = crate::lines::each(text).map(|line| (line, Row::parse(line))).collect();
    let mut owners: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows.iter().filter_map(|(_, row)| row.as_ref()) {
        *owners.entry((row.owner, row.group)).or_default() += 1;
    }
    let (owner, group) = *owners.iter().max_by_key(|(_, count)| **count)?.0;
    let usual = |row: &Row<'_>| (row.owner, row.group) == (owner, group) && row.is_plain();
    let count = rows.iter().filter(|(_, row)| row.as_ref().is_some_and(usual)).count();
    if count < ROWS || count * 2 < rows.len() {
        return None;
    }
    let mut short =
        format!("[ls -l without modes, links and times; owner {owner} {group}; \"/\" directory, \"*\" executable]\n");
    for (at, (line, row)) in rows.iter().enumerate() {
        if at > 0 {
            short.push('\n');
        }
        match row.as_ref().filter(|row| usual(row)) {
            Some(row) => row.write(&mut short),
            None => short.push_str(line),
        }
    }
    Some(short)
}

const EXACT: &str = "[ls -l: name<tab>size<tab>time<tab>links<tab>mode<tab>owner<tab>group, an empty or missing one as in the row above that is a directory (\"/\"), link (\" -> \") or file too]\n";

/// Padding beyond this is not read back: a few bytes must not ask for gigabytes of blanks.
const WIDTH: usize = 1 << 10;

/// Writes names, sizes and what differs from the row above; `None` for a text with too few rows, or with others than these can be told from.
pub(super) fn encode(text: &str) -> Option<String> {
    // What holds a tab is a row.
    if !text.lines().take(SAMPLE).any(|line| Row::parse(line).is_some()) || text.contains('\t') {
        return None;
    }
    let mut encoded = EXACT.to_owned();
    let mut above: BTreeMap<Sort, Row<'_>> = BTreeMap::new();
    let mut count = 0;
    for line in crate::lines::between(text) {
        let Some((row, sort)) = Row::parse(line).and_then(|row| Some((row, Sort::of_mode(row.mode)?))) else {
            encoded.push_str(line);
            encoded.push('\n');
            continue;
        };
        count += 1;
        encoded.push_str(row.name);
        if sort == Sort::Directory {
            encoded.push('/');
        }
        let old = above.insert(sort, row);
        let start = encoded.len();
        for (at, field) in row.fields().into_iter().enumerate() {
            encoded.push('\t');
            if old.is_none_or(|old| old.fields()[at] != field) {
                encoded.push_str(field);
            }
        }
        // Fields at the end that are as above go without their tabs, but for the first one, which makes this a row.
        encoded.truncate(encoded.trim_end_matches('\t').len().max(start + 1));
        encoded.push('\n');
    }
    encoded.pop();
    (count >= ROWS && decode(&encoded).as_deref() == Some(text)).then_some(encoded)
}

/// So many lines are looked at for a first row.
const SAMPLE: usize = 16;

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut text = String::with_capacity(encoded.len() * 4);
    let mut above: BTreeMap<Sort, Row<'_>> = BTreeMap::new();
    let mut block: Vec<Row<'_>> = Vec::new();
    for line in crate::lines::between(encoded.strip_prefix(EXACT)?) {
        let Some((name, rest)) = line.split_once('\t') else {
            write_block(&mut block, &mut text)?;
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let sort = Sort::of_name(name);
        let name = if sort == Sort::Directory { &name[..name.len() - 1] } else { name };
        let mut row = Row { name, ..above.get(&sort).copied().unwrap_or_default() };
        let mut fields = rest.split('\t');
        for known in row.fields_mut() {
            *known = fields.next().filter(|field| !field.is_empty()).unwrap_or(known);
        }
        above.insert(sort, row);
        block.push(row);
    }
    write_block(&mut block, &mut text)?;
    text.pop();
    Some(text)
}

/// Writes rows that stand one below the other in their columns.
fn write_block(rows: &mut Vec<Row<'_>>, text: &mut String) -> Option<()> {
    let (mut links, mut owner, mut group, mut size) = (0, 0, 0, 0);
    for row in &*rows {
        (owner, group) = (owner.max(row.owner.len()), group.max(row.group.len()));
        (links, size) = (links.max(row.links.len()), size.max(row.size.len()));
    }
    if links.max(owner).max(group).max(size) > WIDTH {
        return None;
    }
    for Row { mode, links: count, owner: user, group: team, size: bytes, time, name } in rows.drain(..) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mode} {count:>links$} {user:<owner$} {team:<group$} {bytes:>size$} {time} {name}");
    }
    Some(())
}

/// What a row is about: the fields of rows of one sort are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    File,
    Directory,
    Link,
}

impl Sort {
    fn of_mode(mode: &str) -> Option<Self> {
        match mode.as_bytes().first()? {
            b'-' => Some(Self::File),
            b'd' => Some(Self::Directory),
            b'l' => Some(Self::Link),
            _ => None,
        }
    }

    fn of_name(name: &str) -> Self {
        match name {
            name if name.contains(" -> ") => Self::Link,
            name if name.ends_with('/') => Self::Directory,
            _ => Self::File,
        }
    }
}

/// A row of `ls -l`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row<'t> {
    mode: &'t str,
    links: &'t str,
    owner: &'t str,
    group: &'t str,
    size: &'t str,
    /// As it is spelled.
    time: &'t str,
    name: &'t str,
}

impl<'t> Row<'t> {
    /// Reads mode, links, owner, group, size, time and name; `None` for a line without one of them, or with one more.
    fn parse(line: &'t str) -> Option<Self> {
        if !is_long_row(line) || line.starts_with(' ') {
            return None;
        }
        let mut fields = Fields { rest: line };
        let mode = fields.next()?;
        let links = fields.next().filter(|links| is_number(links))?;
        let (owner, group, size) = (fields.next()?, fields.next()?, fields.next().filter(|size| is_size(size))?);
        let before = fields.rest;
        let day = fields.next()?;
        if is_month(day) {
            fields.next().filter(|day| is_number(day))?;
            fields.next().filter(|time| is_number(time) || is_clock(time))?;
        } else if is_date(day) {
            fields.next().filter(|time| is_clock(time))?;
            fields.skip_zone();
        } else {
            return None;
        }
        // One blank parts the name from the time; more belong to the name.
        let name = fields.rest.strip_prefix(' ').filter(|name| !name.is_empty())?;
        let time = before[..before.len() - fields.rest.len()].trim_start_matches(' ');
        Some(Self { mode, links, owner, group, size, time, name })
    }

    /// What the exact form writes behind the name, what differs most often first.
    fn fields(&self) -> [&'t str; 6] {
        [self.size, self.time, self.links, self.mode, self.owner, self.group]
    }

    /// [`Row::fields`], to be filled.
    fn fields_mut(&mut self) -> [&mut &'t str; 6] {
        let Self { mode, links, owner, group, size, time, .. } = self;
        [size, time, links, mode, owner, group]
    }

    /// Whether nothing but the name, the kind and the size is worth showing.
    fn is_plain(&self) -> bool {
        let mode = self.mode.as_bytes();
        let special = mode[1..10].iter().any(|byte| matches!(byte, b's' | b'S' | b't' | b'T'));
        let open = mode[8] == b'w' && mode[0] != b'l';
        let marked = matches!(mode.get(10), Some(b'+' | b'@'));
        matches!(mode[0], b'-' | b'd' | b'l') && !special && !open && !marked
    }

    fn write(&self, short: &mut String) {
        short.push_str(self.name);
        match self.mode.as_bytes()[0] {
            b'd' => short.push('/'),
            b'l' => {}
            _ => {
                if self.mode.as_bytes()[1..10].contains(&b'x') {
                    short.push('*');
                }
                short.push(' ');
                short.push_str(self.size);
            }
        }
    }
}

/// Words between blanks; what follows the last one taken is left as it is.
struct Fields<'t> {
    rest: &'t str,
}

impl<'t> Fields<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start_matches(' ');
        let (word, after) = rest.split_at(rest.find(' ')?);
        self.rest = after;
        Some(word)
    }

    /// `+0200` after a time in full.
    fn skip_zone(&mut self) {
        let zone = |word: &&str| word.len() == 5 && word.starts_with(['+', '-']) && is_number(&word[1..]);
        let after = self.rest;
        if self.next().filter(zone).is_none() {
            self.rest = after;
        }
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1234`, `4.0K`.
fn is_size(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'K' | b'M' | b'G' | b'T' | b'k' | b'B'))
}

fn is_month(word: &str) -> bool {
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].contains(&word)
}

/// `2024-01-31`
fn is_date(word: &str) -> bool {
    word.len() == 10
        && word
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// `10:00`, `10:00:00.123456789`
fn is_clock(word: &str) -> bool {
    word.contains(':') && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "[ls -l without modes, links and times; owner root root; \"/\" directory, \"*\" executable]\n";

    /// Every name stays, with what it is and how large.
    #[test]
    fn names_kinds_and_sizes_stay() {
        let rows = "-rw-r--r--  1 root root  12 Jan  1 00:00 a b.txt\n\
                    drwxr-xr-x  2 root root 4096 2006-07-24 01:21 src\n\
                    -rwxr-xr-x. 1 root root 9.5K Jan  1  2020 run\n\
                    lrwxrwxrwx  1 root root   3 2006-07-24 01:21:00.000000000 +0000 l -> run\n";
        let short = "a b.txt 12\nsrc/\nrun* 9.5K\nl -> run\n";
        assert_eq!(shorten(&rows.repeat(2)), Some(FIRST.to_owned() + &short.repeat(2)));
    }

    #[test]
    fn the_exact_form_says_what_differs_and_reads_back() {
        let text = "total 92\n\
                    -rw-r--r--  1 root root  3211 Jan  1 00:00 a b.txt\n\
                    drwxr-xr-x 12 root staff 4096 Jan  1  2020 src\n\
                    -rw-r--r--  1 root root    77 Jan  1 00:00 c\n\
                    lrwxrwxrwx  1 root root     3 Jan  1 00:00 l -> run/\n\
                    crw-r--r-- 1 root root 1, 3 Jan  1 00:00 null\n\
                    \n\
                    ./src:\n"
            .to_owned()
            + &(0..9)
                .map(|at| format!("-rwxr-xr-x 1 me me {:>2} 2024-01-31 10:00 f{at}\n", at * at))
                .collect::<String>();
        let encoded = encode(&text).expect("rows");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(
            encoded.contains("\nsrc/\t4096\tJan  1  2020\t12\tdrwxr-xr-x\troot\tstaff\nc\t77\nl -> run/\t3\t"),
            "{encoded}"
        );
        assert!(encoded.ends_with("\nf1\t1\nf2\t4\nf3\t9\nf4\t16\nf5\t25\nf6\t36\nf7\t49\nf8\t64\n"), "{encoded}");
        let odd = text.replace("10:00 f3", "10:00 f3/");
        assert_eq!(encode(&odd), None);
        assert_eq!(decode("x"), None);
    }

    #[test]
    fn times_that_were_asked_for_are_known() {
        for (command, expected) in [
            ("ls -la /srv", false),
            ("ls -ltr", true),
            ("ls -l --sort=time", true),
            ("ls --color", false),
            ("ls -lR --time-style=long-iso", false),
        ] {
            assert_eq!(asks_for_times(command), expected, "{command}");
        }
    }

    #[test]
    fn what_is_unusual_stays_whole() {
        let rows = "-rw-r--r-- 1 root root 12 Jan  1 00:00 a\n".repeat(12);
        for odd in [
            "-rwsr-xr-x 1 root root 12 Jan  1 00:00 sudo",
            "-rw-rw-rw- 1 root root 12 Jan  1 00:00 open",
            "-rw-r--r-- 1 eve root 12 Jan  1 00:00 x",
            "crw-r--r-- 1 root root 1, 3 Jan  1 00:00 null",
            "-rw-r--r-- 1 root root 12 janv.  1 00:00 x",
            "total 12",
            "./src:",
            "",
        ] {
            let short = shorten(&format!("{rows}{odd}\n")).expect("a short form");
            assert_eq!(short, format!("{FIRST}{}{odd}\n", "a 12\n".repeat(12)));
        }
        assert_eq!(shorten("-rw-r--r-- 1 root root 12 Jan  1 00:00 a\n"), None);
    }
}
