//! `headroom diff`, and the cuts that `headroom explain` shows.

use headroom::{Engine, Receipt, SentPart, SlotReceipt};
use headroom_store::Scope;
use serde::Serialize;

use crate::args::DiffArgs;
use crate::error::CliError;
use crate::out;

/// Lines shown on each side of what differs.
const AROUND: usize = 2;

/// Longest stretch of lines in which two texts are looked for a common line. A gap is one line against many, so the search goes along one text.
const REACH: usize = 20_000;

/// A text of a request, and what was sent of it.
#[derive(Serialize)]
struct Shown<'r> {
    slot: usize,
    tool: &'r str,
    reason: &'r str,
    compressor: &'r str,
    /// What was sent otherwise; `null` when that is not recorded, or not any more.
    parts: Option<Vec<SentPart>>,
}

pub(crate) fn run(args: &DiffArgs, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let receipt = engine.receipt(scope, &args.id).map_err(|error| CliError::Failed(error.to_string()))?;
    let receipt =
        receipt.ok_or_else(|| CliError::NotFound(format!("no request in this store has the id {:?}", args.id)))?;
    if let Some(slot) = args.slot.filter(|slot| *slot >= receipt.slots.len()) {
        let count = receipt.slots.len();
        return Err(CliError::NotFound(format!("there is no text {slot}; the request has {count}, counted from 0")));
    }
    let wanted = |(slot, about): &(usize, &SlotReceipt)| match args.slot {
        Some(wanted) => *slot == wanted,
        None => !about.compressor.is_empty(),
    };
    let mut shown = Vec::new();
    for (slot, about) in receipt.slots.iter().enumerate().filter(wanted) {
        let parts = engine.sent_parts(scope, about).map_err(|error| CliError::Failed(error.to_string()))?;
        shown.push(Shown { slot, tool: &about.tool, reason: &about.reason, compressor: &about.compressor, parts });
    }
    if args.json {
        return out::json(&shown);
    }
    print(&receipt, &shown)
}

fn print(receipt: &Receipt, shown: &[Shown<'_>]) -> Result<(), CliError> {
    if !receipt.unread.is_empty() {
        out::line(&format!("sent as it came: {}", receipt.unread))?;
    }
    if receipt.replayed_original {
        out::line("the provider refused what follows; the request was sent again as it came")?;
    }
    if shown.is_empty() {
        out::line("no text was changed")?;
    }
    for Shown { slot, tool, reason, parts, .. } in shown {
        let heading = format!("--- text {slot} {tool}");
        match parts {
            None => out::line(&format!("{heading}\n(what was sent of it is not recorded, or not any more)"))?,
            Some(parts) if parts.is_empty() => out::line(&format!("{heading}\n(sent as it came: {reason})"))?,
            Some(parts) => {
                for part in parts {
                    out::data(shown_part(*slot, tool, part).as_bytes())?;
                }
            }
        }
    }
    Ok(())
}

/// One part as a person reads it.
fn shown_part(slot: usize, tool: &str, part: &SentPart) -> String {
    let SentPart { range, sent, came } = part;
    let mut text =
        format!("--- text {slot} {tool}, bytes {}-{} as they came\n+++ as they were sent\n", range.start, range.end);
    match came {
        Some(came) => {
            for line in lines(came, sent) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        None => {
            text.push_str("(as it came it is not kept: what was sent holds everything that was in it, or the original has been forgotten)\n");
            sent.lines().for_each(|line| text.push_str(&format!("+{line}\n")));
        }
    }
    text
}

/// Lines taken out and put in, in order, with some around them. Lines that are the same are found along both texts, each once.
fn lines(came: &str, sent: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (came.lines().collect(), sent.lines().collect());
    let mut marked: Vec<(char, &str)> = Vec::with_capacity(old.len() + new.len());
    let (mut at, mut sent_at) = (0, 0);
    while sent_at < new.len() {
        let line = new[sent_at];
        let reach = old.len().min(at + REACH);
        // A blank line is everywhere and says nothing about where it is.
        let found = (!line.trim().is_empty()).then(|| old[at..reach].iter().position(|other| *other == line)).flatten();
        let found = found.or_else(|| (old.get(at) == Some(&line)).then_some(0));
        match found {
            Some(skipped) => {
                marked.extend(old[at..at + skipped].iter().map(|line| ('-', *line)));
                marked.push((' ', line));
                at += skipped + 1;
            }
            None => marked.push(('+', line)),
        }
        sent_at += 1;
    }
    marked.extend(old[at..].iter().map(|line| ('-', *line)));
    let changed: Vec<usize> = (0..marked.len()).filter(|at| marked[*at].0 != ' ').collect();
    let mut shown = Vec::new();
    let mut from = 0;
    for (at, (sign, line)) in marked.iter().enumerate() {
        let near = changed.partition_point(|changed| changed + AROUND < at);
        if changed.get(near).is_some_and(|changed| *changed <= at + AROUND) {
            if from < at {
                shown.push(format!("@@ {} lines as they came", at - from));
            }
            from = at + 1;
            shown.push(format!("{sign}{line}"));
        }
    }
    if from < marked.len() {
        shown.push(format!("@@ {} lines as they came", marked.len() - from));
    }
    shown
}

/// What was cut out of a text, for `headroom explain`: each cut between the lines around it, with the first and the last line of what was there.
pub(super) fn cuts(parts: &[SentPart]) -> Vec<String> {
    let mut shown = Vec::new();
    for SentPart { sent, came, .. } in parts {
        let Some(came) = came else {
            shown.push(format!("{} lines hold everything that was there, in another form", sent.lines().count()));
            continue;
        };
        shown.push(format!("{} lines became {}", came.lines().count(), sent.lines().count()));
        let difference = lines(came, sent);
        for run in difference.chunk_by(|a, b| a.starts_with('-') == b.starts_with('-')) {
            match run {
                [first, .., last] if first.starts_with('-') && run.len() > 3 => {
                    shown.extend([first.clone(), format!("-  [cut: {} lines more]", run.len() - 2), last.clone()]);
                }
                run => shown.extend_from_slice(run),
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_shown_between_the_lines_around_it() {
        let came: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let sent =
            "line 1\nline 2\nline 3\nline 4\n[-20 lines 5-24]\nline 25\nline 26\nline 27\nline 28\nline 29\nline 30\n";
        let shown = lines(&came, sent);
        assert_eq!(&shown[..3], ["@@ 2 lines as they came", " line 3", " line 4"]);
        assert_eq!(shown.iter().filter(|line| line.starts_with("-line")).count(), 20);
        assert!(shown.contains(&"+[-20 lines 5-24]".to_owned()));
        assert_eq!(shown.last().unwrap(), "@@ 4 lines as they came");
        let part = SentPart { range: 0..came.len(), sent: sent.to_owned(), came: Some(came) };
        let cut = cuts(&[part]);
        assert_eq!(cut[0], "30 lines became 11");
        assert!(cut.contains(&"-line 5".to_owned()) && cut.contains(&"-  [cut: 18 lines more]".to_owned()), "{cut:?}");
    }

    #[test]
    fn what_is_not_kept_is_said() {
        let part = SentPart { range: 3..9, sent: "a\nb".to_owned(), came: None };
        let text = shown_part(2, "Bash", &part);
        assert!(text.contains("bytes 3-9") && text.contains("it is not kept") && text.ends_with("+a\n+b\n"), "{text}");
    }
}
