//! The literate cases of references: `corpus/cases/repeat/*.md`.
//!
//! A case has a title, a line `label:` (what the new text is called), a section `## earlier` with what the model has read before (its
//! first line, `label: ...`, names it), `## input` with the new text, `## sent` with what is sent for it, and `## must survive`: each
//! fact stands in what is sent, or in the earlier text. `HEADROOM_BLESS=1` rewrites `## sent`.

use headroom_compress::repeat::Earlier;
use headroom_testkit::corpus;

const UNCHANGED: &str = "(unchanged)";

#[test]
fn every_case_is_sent_as_written() {
    let bless = std::env::var_os("HEADROOM_BLESS").is_some();
    let folder = corpus::repository().join("corpus/cases/repeat");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder of cases").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert!(paths.len() >= 12, "{} cases", paths.len());
    let mut problems = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a case is readable");
        let section = |title: &str| {
            let (_, rest) =
                text.split_once(&format!("\n## {title}\n\n")).unwrap_or_else(|| panic!("{name}: no {title}"));
            rest.split("\n## ").next().unwrap_or(rest)
        };
        let (input, before) = (fenced(section("input")), fenced(section("earlier")));
        let mut earlier = Earlier::default();
        earlier.add(label(section("earlier")), before, before);
        let folded = earlier.fold(label(&text), input);
        let sent = folded.map_or(UNCHANGED.to_owned(), |folded| folded.text());
        for fact in section("must survive").lines().filter_map(|line| line.strip_prefix("- ")) {
            let found = before.contains(fact) || sent.contains(fact) || (sent == UNCHANGED && input.contains(fact));
            if !found {
                problems.push(format!("{name} lost {fact:?}"));
            }
        }
        let expected = section("sent");
        let written = if sent == UNCHANGED { sent } else { format!("```text\n{sent}\n```") };
        if written == expected.trim_end() {
            continue;
        }
        if bless {
            std::fs::write(&path, text.replacen(expected.trim_end(), &written, 1)).expect("a case is writable");
        } else {
            problems.push(format!("{name} is now sent as\n{written}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn label(section: &str) -> &str {
    section.lines().find_map(|line| line.strip_prefix("label: ")).unwrap_or_default()
}

/// The text of the one fenced block of a section.
fn fenced(section: &str) -> &str {
    let inner = section.split_once("```text\n").map_or("", |(_, inner)| inner);
    inner.rsplit_once("\n```").map_or(inner, |(inner, _)| inner)
}
