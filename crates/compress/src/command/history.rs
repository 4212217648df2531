//! `git log`: commits without labels and indentation, each author written once, of dates and lists of files what does not follow from the rest.
//!
//! ```text
//! [git log: "=" a commit, below it who and when (A= names somebody; a date goes on from the one above), its message, and files with lines added and removed]
//! =5c61e168698a72b87437d58ed728bcdea6d5db42
//! A=Ann Lee <ann@example.com>|2026 Aug 22 15:01:09 +0300
//! docs: make 5 example snippets compile cleanly
//!
//! Closes #22638
//! |docs/a.md|+3-1|src/b.c|+12
//! =1086f513b86dde051517066c29f4e3ac6e80d10d
//! A 14:32:58
//! ```
//!
//! Exact. Whatever is not written that way stands behind `>`.

use std::collections::HashMap;
use std::fmt::Write as _;

const INTRODUCTION: &str = "[git log: \"=\" a commit, below it who and when (A= names somebody; a date goes on from the one above), its message, and files with lines added and removed]\n";

/// Fewer commits are read as they are.
const COMMITS: usize = 3;

/// Names of files wider than this are not read back: a few bytes must not ask for gigabytes of padding.
const WIDTH: usize = 1 << 12;

/// A message is indented by this.
const INDENT: &str = "    ";

/// Writes commits; `None` for a text in which there are few, or much else.
pub(super) fn encode(text: &str) -> Option<String> {
    if !text.starts_with("commit ") {
        return None;
    }
    let (body, end) = text.strip_suffix('\n').map_or((text, ""), |body| (body, "\n"));
    let lines = crate::lines::between(body);
    let mut people = People::of(&lines);
    let mut encoded = INTRODUCTION.to_owned();
    let mut date = Date::default();
    let (mut at, mut commits, mut others, mut listed) = (0, 0, 0, false);
    while at < lines.len() {
        // A commit and a list stand below an empty line, which they are told by.
        let from = at + usize::from(at > 0);
        let parted = at == 0 || lines[at].is_empty();
        if let Some(head) = Head::parse(&lines, from).filter(|_| parted) {
            at = from + head.lines;
            head.write(&mut people, &mut date, &mut encoded);
            while let Some(line) = lines.get(at).and_then(|line| line.strip_prefix(INDENT)) {
                if line.starts_with(MARKS) {
                    encoded.push('\\');
                }
                encoded.push_str(line);
                encoded.push('\n');
                at += 1;
            }
            commits += 1;
            listed = false;
        } else if let Some((count, list)) =
            list(&lines[from.min(lines.len())..]).filter(|_| parted && at > 0 && !listed)
        {
            at = from + count;
            encoded.push_str(&list);
            encoded.push('\n');
            listed = true;
        } else {
            encoded.push('>');
            encoded.push_str(lines[at]);
            encoded.push('\n');
            at += 1;
            others += 1;
            listed = false;
        }
    }
    encoded.pop();
    (commits >= COMMITS && others * 8 <= lines.len()).then_some(encoded + end)
}

/// What a line that is no part of a message starts with.
const MARKS: [char; 4] = ['=', '|', '>', '\\'];

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let rows = encoded.strip_prefix(INTRODUCTION)?;
    let (rows, end) = rows.strip_suffix('\n').map_or((rows, ""), |rows| (rows, "\n"));
    let mut text = String::with_capacity(encoded.len() * 2);
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut date = Date::default();
    let mut rows = crate::lines::each(rows);
    while let Some(row) = rows.next() {
        if let Some(raw) = row.strip_prefix('>') {
            text.extend([raw, "\n"]);
        } else if let Some(list) = row.strip_prefix('|') {
            put_back(list, &mut text)?;
        } else if let Some(commit) = row.strip_prefix('=') {
            let (commit, merge) =
                commit.split_once('^').map_or((commit, None), |(commit, merge)| (commit, Some(merge)));
            let below = rows.next()?;
            let (who, when) = match below.split_once('|') {
                None => {
                    let (name, when) = below.split_once(' ')?;
                    (*names.get(name)?, when)
                }
                Some((who, when)) => match who.split_once('=').filter(|(name, _)| is_name(name)) {
                    Some((name, who)) => {
                        names.insert(name, who);
                        (who, when)
                    }
                    None => (who, when),
                },
            };
            date = date.followed_by(when)?;
            text.extend([if text.is_empty() { "commit " } else { "\ncommit " }, commit, "\n"]);
            text.extend(merge.iter().flat_map(|merge| ["Merge: ", merge, "\n"]));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "Author: {who}\nDate:   {}\n", date.spelled()?);
        } else {
            text.extend([INDENT, row.strip_prefix('\\').unwrap_or(row), "\n"]);
        }
    }
    text.pop();
    Some(text + end)
}

/// Whether a text starts the way [`encode`] writes.
pub(super) fn is_encoded(text: &str) -> bool {
    text.starts_with(INTRODUCTION)
}

/// The lines of a commit above its message, and the empty one below them.
struct Head<'t> {
    /// What stands behind `commit`: the id and what points to it.
    commit: &'t str,
    merge: Option<&'t str>,
    who: &'t str,
    date: Date<'t>,
    lines: usize,
}

impl<'t> Head<'t> {
    fn parse(lines: &[&'t str], from: usize) -> Option<Self> {
        let mut rest = lines.get(from..)?.iter();
        let commit = rest.next()?.strip_prefix("commit ").filter(|commit| !commit.contains('^'))?;
        let mut line = rest.next()?;
        let merge = line.strip_prefix("Merge: ");
        if merge.is_some() {
            line = rest.next()?;
        }
        let who = line.strip_prefix("Author: ").filter(|who| !who.contains('|'))?;
        let date = Date::parse(rest.next()?.strip_prefix("Date:   ")?)?;
        rest.next().filter(|line| line.is_empty())?;
        Some(Self { commit, merge, who, date, lines: 4 + usize::from(merge.is_some()) })
    }

    fn write(self, people: &mut People<'t>, above: &mut Date<'t>, encoded: &mut String) {
        encoded.extend(["=", self.commit]);
        encoded.extend(self.merge.iter().flat_map(|merge| ["^", merge]));
        encoded.push('\n');
        people.write(self.who, encoded);
        self.date.write(above, encoded);
        encoded.push('\n');
        *above = self.date;
    }
}

/// Who wrote how many commits, and who has a name already.
struct People<'t> {
    commits: HashMap<&'t str, usize>,
    names: HashMap<&'t str, String>,
}

impl<'t> People<'t> {
    fn of(lines: &[&'t str]) -> Self {
        let mut commits = HashMap::new();
        for who in lines.iter().filter_map(|line| line.strip_prefix("Author: ")) {
            *commits.entry(who).or_default() += 1;
        }
        Self { commits, names: HashMap::new() }
    }

    /// Somebody's name, or what it stands for, and a sign between it and the date.
    fn write(&mut self, who: &'t str, encoded: &mut String) {
        if let Some(name) = self.names.get(who) {
            encoded.extend([name, " "]);
            return;
        }
        if self.commits.get(who).is_some_and(|count| *count > 1) {
            let name = super::blame::name(self.names.len());
            encoded.extend([&name, "="]);
            self.names.insert(who, name);
        }
        encoded.extend([who, "|"]);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `Sat Aug 22 15:01:09 2026 +0300`, but for the day of the week, which follows from the rest.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Date<'t> {
    year: &'t str,
    month: &'t str,
    day: &'t str,
    time: &'t str,
    zone: &'t str,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl<'t> Date<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let (_, month, day, time, year, zone) = (next()?, next()?, next()?, next()?, next()?, next()?);
        let date = Self { year, month, day, time, zone };
        (date.spelled().as_deref() == Some(text) && date.is_plain()).then_some(date)
    }

    /// Whether every part is told from the others by its shape.
    fn is_plain(&self) -> bool {
        self.year.len() == 4 && self.day.len() <= 2 && self.time.contains(':') && self.zone.starts_with(['+', '-'])
    }

    /// As git writes it; `None` for a day that is in no calendar.
    fn spelled(&self) -> Option<String> {
        let Self { year, month, day, time, zone } = self;
        Some(format!("{} {month} {day} {time} {year} {zone}", self.weekday()?))
    }

    fn weekday(&self) -> Option<&'static str> {
        let month = MONTHS.iter().position(|month| *month == self.month)?;
        let (year, day): (usize, usize) = (self.year.parse().ok()?, self.day.parse().ok()?);
        // Sakamoto's rule: what each month adds to the days since Sunday, years counted from March.
        let year = year.checked_sub(usize::from(month < 2))?;
        let shift = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4][month];
        let days = year + year / 4 + year / 400 + shift + day;
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        // A century that is no leap year takes a day off; seven times as many are put on.
        names.get((days + 6 * (year / 100)) % 7).copied()
    }

    /// What is not as in the date above. A part that changed is followed by all smaller ones; the zone stands behind.
    fn write(&self, above: &Self, encoded: &mut String) {
        let year = self.year != above.year;
        let month = year || self.month != above.month;
        let day = month || self.day != above.day;
        for (part, _) in [(self.year, year), (self.month, month), (self.day, day)].iter().filter(|(_, new)| *new) {
            encoded.extend([part, " "]);
        }
        encoded.push_str(self.time);
        if self.zone != above.zone {
            encoded.extend([" ", self.zone]);
        }
    }

    /// The date that [`Date::write`] wrote below this one.
    fn followed_by(mut self, written: &'t str) -> Option<Self> {
        for part in written.split(' ') {
            let place = match part.as_bytes().first()? {
                b'+' | b'-' => &mut self.zone,
                b'0'..=b'9' if part.contains(':') => &mut self.time,
                b'0'..=b'9' if part.len() == 4 => &mut self.year,
                b'0'..=b'9' => &mut self.day,
                _ => &mut self.month,
            };
            *place = part;
        }
        Some(self)
    }
}

/// A list of `--stat` at the start of some lines: how many lines it has, and how it is written.
fn list(lines: &[&str]) -> Option<(usize, String)> {
    let files = lines.iter().take_while(|line| line.starts_with(' ') && line.contains(" | ")).count();
    let summary = lines.get(files).filter(|_| files > 0)?;
    let mut list = String::new();
    let mut sum = Changes::default();
    for line in &lines[..files] {
        let (name, change) = line.strip_prefix(' ')?.rsplit_once(" | ")?;
        let change = change.trim_start_matches(' ');
        if name.contains('|') || change.contains('|') {
            return None;
        }
        list.extend(["|", name.trim_end_matches(' '), "|"]);
        match Changes::drawn(change) {
            Some(drawn) => {
                drawn.write(&mut list);
                sum.add(drawn);
            }
            None => list.push_str(change),
        }
    }
    if sum.summary(files) != *summary {
        let mut numbers = summary.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).skip(1);
        let mut number = |what: &str| if summary.contains(what) { numbers.next()?.parse().ok() } else { Some(0) };
        sum = Changes { added: number(" insertion")?, removed: number(" deletion")? };
        list.push('|');
        sum.write(&mut list);
    }
    let mut text = String::new();
    put_back(&list[1..], &mut text)?;
    let source = lines[..=files].iter().flat_map(|line| [*line, "\n"]).collect::<String>();
    (text.strip_prefix('\n') == Some(&source)).then_some((files + 1, list))
}

/// Writes a list as `git log --stat` does, below an empty line.
fn put_back(list: &str, text: &mut String) -> Option<()> {
    let parts: Vec<&str> = list.split('|').collect();
    let files = parts.chunks_exact(2);
    let (width, digits) = files.clone().fold((0, 0), |(width, digits), file| {
        let number = match Changes::read(file[1]) {
            Some(changes) => changes.all().to_string().len(),
            None if file[1].starts_with("Bin") => 3,
            None => file[1].bytes().take_while(u8::is_ascii_digit).count(),
        };
        (width.max(file[0].chars().count()), digits.max(number))
    });
    if width > WIDTH || digits > WIDTH {
        return None;
    }
    let mut sum = Changes::default();
    text.push('\n');
    for file in files.clone() {
        let (name, change) = (file[0], file[1]);
        // Writing to a string cannot fail.
        let _ = write!(text, " {name:<width$} | ");
        match Changes::read(change) {
            Some(changes) => {
                if changes.all() > WIDTH {
                    return None;
                }
                let _ = write!(text, "{:>digits$}", changes.all());
                text.push_str(if changes.all() > 0 { " " } else { "" });
                text.extend(std::iter::repeat_n('+', changes.added));
                text.extend(std::iter::repeat_n('-', changes.removed));
                sum.add(changes);
            }
            None => {
                let number = change.split(' ').next().unwrap_or_default();
                let _ = write!(text, "{number:>digits$}{}", &change[number.len()..]);
            }
        }
        text.push('\n');
    }
    if let [said] = files.remainder() {
        sum = Changes::read(said)?;
    }
    text.push_str(&sum.summary(parts.len() / 2));
    text.push('\n');
    Some(())
}

/// Lines that were added and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    added: usize,
    removed: usize,
}

impl Changes {
    /// Those of a file whose graph has a sign for each.
    fn drawn(change: &str) -> Option<Self> {
        let (number, graph) = change.split_once(' ').unwrap_or((change, ""));
        let added = graph.bytes().take_while(|byte| *byte == b'+').count();
        let removed = graph[added..].bytes().take_while(|byte| *byte == b'-').count();
        let all: usize = number.parse().ok()?;
        (added + removed == graph.len() && all == graph.len()).then_some(Self { added, removed })
    }

    /// `+3-1`, `-4`, `+0`.
    fn write(self, list: &mut String) {
        // Writing to a string cannot fail.
        if self.added > 0 || self.removed == 0 {
            let _ = write!(list, "+{}", self.added);
        }
        if self.removed > 0 {
            let _ = write!(list, "-{}", self.removed);
        }
    }

    fn read(written: &str) -> Option<Self> {
        let number = |digits: &str| digits.parse().ok().filter(|number| *number < usize::MAX / 4);
        match written.strip_prefix('+') {
            Some(rest) => {
                let (added, removed) =
                    rest.split_once('-').map_or((rest, None), |(added, removed)| (added, Some(removed)));
                Some(Self { added: number(added)?, removed: removed.map_or(Some(0), number)? })
            }
            None => Some(Self { added: 0, removed: number(written.strip_prefix('-')?)? }),
        }
    }

    fn all(self) -> usize {
        self.added + self.removed
    }

    fn add(&mut self, other: Self) {
        self.added = self.added.saturating_add(other.added);
        self.removed = self.removed.saturating_add(other.removed);
    }

    /// The line below a list.
    fn summary(self, files: usize) -> String {
        let many = |count: usize| if count == 1 { "" } else { "s" };
        let mut text = format!(" {files} file{} changed", many(files));
        // Writing to a string cannot fail.
        if self.added > 0 || self.removed == 0 {
            let _ = write!(text, ", {} insertion{}(+)", self.added, many(self.added));
        }
        if self.removed > 0 || self.added == 0 {
            let _ = write!(text, ", {} deletion{}(-)", self.removed, many(self.removed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commit(at: usize) -> String {
        let day = ["Tue Jul 7", "Fri Aug 7", "Sat Aug 22"][at % 3];
        let who = if at == 4 { "Bo (x) <b@c>" } else { "Ann Lee <ann@example.com>" };
        format!(
            "commit {:040x}\nAuthor: {who}\nDate:   {day} 15:01:{:02} 2026 +0300\n\n    Subject {at}\n    \n    =odd\n      code\n",
            at * 7919,
            at % 60
        )
    }

    fn log() -> String {
        let lists = [
            " src/a.rs | 3 ++-\n src/long name.rs | 12 ------------\n 2 files changed, 2 insertions(+), 13 deletions(-)\n".replace("a.rs |", "a.rs         | "),
            " x.png | Bin 0 -> 12 bytes\n y.rs  | 214 +++++---\n 2 files changed, 200 insertions(+), 14 deletions(-)\n".to_owned(),
            " mode.sh | 0\n 1 file changed, 0 insertions(+), 0 deletions(-)\n".to_owned(),
        ];
        (0..9)
            .map(|at| commit(at) + &lists.get(at).map_or(String::new(), |list| format!("\n{list}")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn commits_go_without_what_is_said_already() {
        let encoded = encode(&log()).expect("a history");
        assert_eq!(decode(&encoded).as_deref(), Some(log().as_str()));
        for part in [
            "\nA=Ann Lee <ann@example.com>|2026 Jul 7 15:01:00 +0300\nSubject 0\n\n\\=odd\n  code\n|src/a.rs|+2-1|src/long name.rs|-12\n=",
            "\nA Aug 7 15:01:01\n",
            "\nBo (x) <b@c>|Aug 7 15:01:04\n",
            "\n|x.png|Bin 0 -> 12 bytes|y.rs|214 +++++---|+200-14\n",
            "\n|mode.sh|+0\n",
        ] {
            assert!(encoded.contains(part), "{part} in {encoded}");
        }
        assert_eq!((encode(&commit(1)), decode("x")), (None, None));
    }

    #[test]
    fn days_of_the_week_follow_from_the_date() {
        for spelled in [
            "Thu Jan 1 00:00:00 1970 +0000",
            "Tue Feb 29 10:00:00 2000 -0800",
            "Mon Nov 23 13:15:47 2026 +0000",
            "Sun Dec 31 1:2:3 1899 +0",
        ] {
            assert_eq!(Date::parse(spelled).and_then(|date| date.spelled()).as_deref(), Some(spelled));
        }
        assert!(Date::parse("Fri Jan 1 00:00:00 1970 +0000").is_none());
    }

    proptest! {
        #[test]
        fn every_history_reads_back(order in prop::collection::vec(0_usize..14, 3..20)) {
            let odd = ["", "    ", "    x", " a | 1 +", "commit x", "=", "|a|b", " 1 file changed, 1 insertion(+)\n", "Date:   x"];
            let part = |at: usize| odd.get(at).map_or_else(|| "\n".to_owned() + &commit(at), |line| format!("{line}\n"));
            let text = log() + "\n" + &order.into_iter().map(part).collect::<String>();
            if let Some(encoded) = encode(&text) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}
