//! What marks stand for, put in their places.
//!
//! Only where it can be shown to be exact: in an argument that holds what a file will hold, where every mark stands on a line of its own, counts
//! lines, and stands between the lines of one original that its neighbours are. A command line, a patch, a line that
//! also says something else, a reference, a gap whose neighbours were changed: none of these is guessed at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use headroom_core::Handle;

use super::Original;
use super::events::Form;
use super::marks::{self, Sources, named};
use crate::document::Document;
use crate::literal::encode;
use crate::scan::Id;
use crate::turn::patch;

/// Arguments that hold what a file holds, as agents call them; lower case, without underscores.
const CONTENTS: &[&str] = &[
    "content",
    "contents",
    "filecontent",
    "filecontents",
    "filetext",
    "inserttext",
    "newsource",
    "newstr",
    "newstring",
    "newtext",
    "oldstr",
    "oldstring",
    "oldtext",
];

/// Parts of the names of tools that run what they are given.
const RUNNERS: &[&str] = &["shell", "bash", "exec", "command", "terminal", "run"];

/// Bytes that one argument may be expanded by.
const LONGEST: usize = 4 << 20;

/// What becomes of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What looked like our marks is none of ours.
    Data,
    /// They are this, with the originals in their places.
    Restored(String),
    /// Some mark cannot be expanded.
    Refused,
}

/// What is known about the arguments of a call.
pub(super) struct Written<'a> {
    pub(super) sources: &'a Sources,
    pub(super) known: &'a [(Handle, &'a Original)],
    pub(super) tool: &'a str,
    /// Which marks are ours, as far as that has been found out: it takes a look through the whole request.
    pub(super) ours: RefCell<BTreeMap<String, bool>>,
}

/// New text for a range.
type Patch = (Range<usize>, String);

/// A mark that cannot be expanded.
struct Refused;

impl Written<'_> {
    pub(super) fn arguments(&self, text: &str, form: Form) -> Outcome {
        if !marks::all(text).any(|(_, mark)| self.is_ours(mark)) {
            return Outcome::Data;
        }
        let Some(document) = Document::parse(text.to_owned().into()).filter(|_| form != Form::Free) else {
            return Outcome::Refused;
        };
        let mut patches = Vec::new();
        match document.root().map(|root| self.value(&document, root, "", &mut patches)) {
            Some(Ok(())) => match String::from_utf8(patch(text.as_bytes(), patches)) {
                Ok(text) => Outcome::Restored(text),
                Err(_) => Outcome::Refused,
            },
            _ => Outcome::Refused,
        }
    }

    fn value(&self, document: &Document, id: Id, key: &str, patches: &mut Vec<Patch>) -> Result<(), Refused> {
        if !marks::all(document.raw(id)).any(|(_, mark)| self.is_ours(mark)) {
            return Ok(());
        }
        if document.is_string(id) {
            let literal = document.literal(id).filter(|_| self.is_content(key)).ok_or(Refused)?;
            let edits = self.edits(literal.text())?;
            let start = document.span(id).start + 1;
            let ranges = literal.locate(edits.iter().map(|(range, _)| range));
            for (raw, (_, new)) in ranges.zip(&edits) {
                let mut written = Vec::with_capacity(new.len());
                encode(new, &mut written);
                let written = String::from_utf8(written).map_err(|_| Refused)?;
                patches.push((start + raw.start..start + raw.end, written));
            }
            return Ok(());
        }
        for (name, member) in document.members(id) {
            if marks::all(document.raw(name)).any(|(_, mark)| self.is_ours(mark)) {
                return Err(Refused);
            }
            self.value(document, member, &document.string(name).unwrap_or_default(), patches)?;
        }
        document.elements(id).try_for_each(|element| self.value(document, element, key, patches))
    }

    fn is_content(&self, key: &str) -> bool {
        let plain = key.replace('_', "").to_lowercase();
        let tool = self.tool.to_lowercase();
        CONTENTS.contains(&plain.as_str()) && !RUNNERS.iter().any(|runner| tool.contains(runner))
    }

    /// Whether a mark is ours, now that the store has been asked.
    fn is_ours(&self, mark: &str) -> bool {
        if let Some(ours) = self.ours.borrow().get(mark) {
            return *ours;
        }
        let owned = |handle: &Handle| self.original(*handle) != Some(&Original::Unknown);
        let unnamed = || named(mark).is_none() && self.sources.is_added(mark);
        let ours = self.sources.handles_of(mark).iter().any(owned) || unnamed();
        self.ours.borrow_mut().insert(mark.to_owned(), ours);
        ours
    }

    fn original(&self, handle: Handle) -> Option<&Original> {
        self.known.iter().find(|(known, _)| *known == handle).map(|(_, original)| *original)
    }

    fn text(&self, handle: Handle) -> Option<&str> {
        match self.original(handle)? {
            Original::Kept(text) => Some(text),
            Original::Unknown | Original::Unreadable => None,
        }
    }

    /// How a text that holds marks of ours is to be changed.
    fn edits(&self, text: &str) -> Result<Vec<Patch>, Refused> {
        if let Some((0, mark)) = marks::all(text).next()
            && mark == text.trim_end()
            && let Some(original) = named(mark).and_then(|handle| self.text(handle))
        {
            // Nothing but the name of an original: it stands for the whole.
            return Ok(vec![(0..text.len(), original.to_owned())]);
        }
        let lines = Line::all(text, |mark| self.is_ours(mark))?;
        let mut edits: Vec<Patch> = Vec::new();
        let mut from = 0;
        while let Some(next) = lines[from..].iter().position(|line| line.gap.is_some() || line.trailer.is_some()) {
            let first = from + next;
            let end = lines[first..].iter().position(|line| line.trailer.is_some()).map(|at| first + at);
            let part = &lines[..end.unwrap_or(lines.len())];
            let handles = match end {
                Some(end) => lines[end].trailer.map(|trailer| trailer.handle).into_iter().collect(),
                None => self.sources.handles_of(lines[first].text.trim_end()),
            };
            let mut ways: Vec<Vec<Patch>> = Vec::new();
            for original in handles.into_iter().filter_map(|handle| self.text(handle)) {
                let splice = Splice { original: &split(original), written: part, from: first };
                let trailer = end.map(|end| &lines[end]);
                ways.extend(splice.edits(trailer).filter(|way| !ways.contains(way)));
            }
            let [way] = ways.as_slice() else { return Err(Refused) };
            edits.extend(way.iter().cloned());
            match end {
                Some(end) => from = end + 1,
                None => break,
            }
        }
        let length: usize = edits.iter().map(|(_, new)| new.len()).sum();
        if length > LONGEST { Err(Refused) } else { Ok(edits) }
    }
}

/// A line that a model wrote, its end included.
struct Line<'a> {
    text: &'a str,
    start: usize,
    gap: Option<Gap>,
    trailer: Option<Trailer>,
}

/// `[-14 lines 38-51]`
#[derive(Clone, Copy)]
struct Gap {
    first: usize,
    last: usize,
}

/// `[-212 of 400 lines; all in hr_4k2m9x7qw3]`
#[derive(Clone, Copy)]
struct Trailer {
    omitted: usize,
    total: usize,
    handle: Handle,
}

impl<'a> Line<'a> {
    /// The lines of a text. Refused where a mark of ours does not stand by itself or does not count lines.
    fn all(text: &'a str, is_ours: impl Fn(&str) -> bool) -> Result<Vec<Self>, Refused> {
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            let ours = marks::all(line).find(|(_, mark)| is_ours(mark));
            let (mut gap, mut trailer) = (None, None);
            if let Some((at, mark)) = ours {
                if at > 0 || line.strip_suffix('\n').unwrap_or(line) != mark {
                    return Err(Refused);
                }
                (gap, trailer) = (Gap::read(mark), Trailer::read(mark));
                if gap.is_none() && trailer.is_none() {
                    return Err(Refused);
                }
            }
            lines.push(Self { text: line, start, gap, trailer });
            start += line.len();
        }
        Ok(lines)
    }

    fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

impl Gap {
    fn read(mark: &str) -> Option<Self> {
        let (count, place) = mark.strip_prefix("[-")?.strip_suffix(']')?.split_once(" line")?;
        let (first, last) = match place.strip_prefix("s ") {
            Some(range) => range.split_once('-')?,
            None => (place.strip_prefix(' ')?, place.strip_prefix(' ')?),
        };
        let gap = Self { first: first.parse().ok()?, last: last.parse().ok()? };
        let count: usize = count.parse().ok()?;
        (1 <= gap.first && gap.first <= gap.last && gap.last - gap.first + 1 == count).then_some(gap)
    }
}

impl Trailer {
    fn read(mark: &str) -> Option<Self> {
        let (counts, rest) = mark.strip_prefix("[-")?.split_once(" line")?;
        let (omitted, total) = counts.split_once(" of ")?;
        let handle = rest.strip_prefix('s').unwrap_or(rest).strip_prefix("; all in ")?.strip_suffix(']')?;
        Some(Self { omitted: omitted.parse().ok()?, total: total.parse().ok()?, handle: handle.parse().ok()? })
    }
}

/// The lines of one original, and lines that a model wrote between which gaps stand, from the one at `from` on.
struct Splice<'a> {
    original: &'a [&'a str],
    written: &'a [Line<'a>],
    from: usize,
}

impl Splice<'_> {
    /// The original's lines in their places. `None` where that does not fit.
    fn edits(&self, trailer: Option<&Line<'_>>) -> Option<Vec<Patch>> {
        let mut edits = Vec::new();
        let mut omitted = 0;
        for (at, line) in self.written.iter().enumerate().skip(self.from) {
            let Some(gap) = line.gap else { continue };
            if gap.last > self.original.len() || !self.stands_between(at, gap) {
                return None;
            }
            omitted += gap.last - gap.first + 1;
            edits.push((line.range(), self.original[gap.first - 1..gap.last].concat()));
        }
        let Some(line) = trailer else { return Some(edits) };
        let stated = line.trailer?;
        if stated.total != self.original.len() || stated.omitted != omitted || omitted == 0 {
            return None;
        }
        // The line end before the trailer is the trailer's where the original ends without one.
        let ended = self.original.last().is_some_and(|last| last.ends_with('\n'));
        let mut range = line.range();
        if !ended && let Some(before) = self.written.last().filter(|before| before.gap.is_none()) {
            range.start -= usize::from(before.text.ends_with('\n'));
        }
        edits.push((range, String::new()));
        Some(edits)
    }

    /// Whether the lines around a gap are those around it in the original. Where the text begins or ends with the gap, so must the original.
    fn stands_between(&self, at: usize, gap: Gap) -> bool {
        let before = match at.checked_sub(1).and_then(|at| self.written.get(at)) {
            None => gap.first == 1,
            Some(Line { gap: Some(other), .. }) => other.last + 1 == gap.first,
            Some(line) => gap.first > 1 && same(line.text, self.original[gap.first - 2]),
        };
        let after = match self.written.get(at + 1) {
            None => gap.last == self.original.len(),
            Some(Line { gap: Some(other), .. }) => gap.last + 1 == other.first,
            Some(line) => self.original.get(gap.last).is_some_and(|next| same(line.text, next)),
        };
        before && after
    }
}

/// Whether two lines are the same, but for the end that a last line may lack.
fn same(one: &str, other: &str) -> bool {
    one.strip_suffix('\n').unwrap_or(one) == other.strip_suffix('\n').unwrap_or(other)
}

fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::{HandleKey, Omission, Unit, gap_mark, trailer};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn original(lines: usize, ended: bool) -> String {
        let text: Vec<String> = (1..=lines).map(|n| format!("line \"{n}\"\t\u{e9}")).collect();
        format!("{}{}", text.join("\n"), if ended { "\n" } else { "" })
    }

    /// A text without these lines, as compressors write it.
    fn shortened(text: &str, gaps: &[(usize, usize)]) -> (String, Handle) {
        let key = HandleKey::from_bytes([7; 32]);
        let kept = headroom_core::Original::new(&key, text);
        let lines = split(text);
        let omissions: Vec<Omission> =
            gaps.iter().map(|(first, last)| Omission::new(&kept, Unit::Line, *first..=*last, lines.len())).collect();
        let mut out = String::new();
        for (n, line) in lines.iter().enumerate() {
            match omissions.iter().find(|omission| omission.range().contains(&(n + 1))) {
                Some(omission) if *omission.range().start() == n + 1 => {
                    out.push_str(&gap_mark(omission));
                    out.push('\n');
                }
                Some(_) => {}
                None => out.push_str(line),
            }
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
        (format!("{out}{}", trailer(kept.handle(), &omissions)), kept.handle())
    }

    fn outcome(tool: &str, arguments: &Value, sent: &str, known: &[(Handle, &Original)]) -> Outcome {
        let sent = json!({"messages": [{"role": "user", "content": sent}]}).to_string();
        let sources = Sources::of(&"{}".into(), &sent.into()).unwrap();
        Written { sources: &sources, known, tool, ours: RefCell::default() }
            .arguments(&arguments.to_string(), Form::Text)
    }

    fn content(outcome: &Outcome) -> Option<String> {
        let Outcome::Restored(text) = outcome else { return None };
        serde_json::from_str::<Value>(text).unwrap()["content"].as_str().map(str::to_owned)
    }

    proptest! {
        /// T073
        #[test]
        fn what_was_copied_whole_is_written_whole(lines in 3_usize..40, ended: bool, cuts in prop::collection::btree_set(1_usize..40, 2..6)) {
            let text = original(lines, ended);
            let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= lines).collect();
            let gaps: Vec<(usize, usize)> = cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            prop_assume!(!gaps.is_empty() && gaps.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            let (short, handle) = shortened(&text, &gaps);
            let kept = Original::Kept(text.clone());
            let outcome = outcome("Write", &json!({"content": &short, "file_path": "a"}), &short, &[(handle, &kept)]);
            prop_assert_eq!(content(&outcome), Some(text), "{}", short);
        }
    }

    #[test]
    fn a_part_is_written_where_its_neighbours_say_what_it_is_part_of() {
        let text = original(20, true);
        let (short, handle) = shortened(&text, &[(5, 9), (15, 16)]);
        let kept = Original::Kept(text.clone());
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let part = format!("{}[-5 lines 5-9]\n{}", lines[3], lines[9]);
        let ask = |tool: &str, arguments: Value| outcome(tool, &arguments, &short, &[(handle, &kept)]);
        assert_eq!(content(&ask("Edit", json!({"content": part}))).unwrap(), lines[3..10].concat());
        assert_eq!(
            content(&ask("Write", json!({"content": format!("[-7 of 20 lines; all in {handle}]\n")}))).unwrap(),
            text
        );

        let refused = [
            ("a changed neighbour", json!({"content": part.replace("\"4\"", "4")})),
            ("nothing after it", json!({"content": format!("{}[-5 lines 5-9]", lines[3])})),
            ("a line that says more", json!({"content": format!("{}# [-5 lines 5-9]\n{}", lines[3], lines[9])})),
            ("a command", json!({"command": part})),
            ("a key", json!({part.as_str(): "content"})),
            (
                "one gap of two with both counted",
                json!({"content": format!("{part}[-7 of 20 lines; all in {handle}]")}),
            ),
            ("a text in a text", json!({"content": json!({"content": part}).to_string()})),
        ];
        for (what, arguments) in refused {
            assert_eq!(ask("Write", arguments), Outcome::Refused, "{what}");
        }
        assert_eq!(ask("run_shell", json!({"content": part})), Outcome::Refused);
        assert_eq!(ask("Write", json!({"content": "[-3 lines 1-3]"})), Outcome::Data, "not in this conversation");
    }

    #[test]
    fn the_store_has_the_last_word() {
        let text = original(20, true);
        let (short, handle) = shortened(&text, &[(5, 9)]);
        let whole = json!({"content": short});
        assert_eq!(outcome("Write", &whole, &short, &[(handle, &Original::Unreadable)]), Outcome::Refused);
        let foreign = json!({"content": format!("see [-5 of 20 lines; all in {handle}]")});
        assert_eq!(outcome("Write", &foreign, &short, &[(handle, &Original::Unknown)]), Outcome::Data);
    }
}
