//! What a reader must still find. Facts come from the input, by means that share nothing with the compressors.
//!
//! A fact is found when it stands in the output, white space folded; or in what the output's published notation says, which the lossless
//! level proves first: there the notation must give back the very bytes (for JSON: the value).

mod code;
mod command;
mod diff;
mod json;
mod log;
mod search;
mod words;

use std::collections::HashSet;

use headroom::{Kind, Level, TextResult, decode};

use super::items::{Family, Item};

/// How many facts were looked for, and which are gone.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) facts: usize,
    pub(super) missing: Vec<String>,
}

impl Verdict {
    fn note(&mut self, found: bool, fact: impl FnOnce() -> String) {
        self.facts += 1;
        if !found {
            self.missing.push(fact());
        }
    }
}

/// Judges one output.
pub(super) fn judge(item: &Item, result: &TextResult, level: Level) -> Verdict {
    let mut verdict = Verdict::default();
    if level == Level::Lossless {
        verdict.note(result.exact && result.handle.is_none(), || "left something out at `lossless`".to_owned());
        verdict.note(is_given_back(&item.text, result), || "the decoder does not give the input back".to_owned());
        return verdict;
    }
    let seen = Seen::new(result);
    for probe in &item.probes {
        // What the corpus says must be in the input to begin with; redrawn lines and markup are seen differently.
        if words::folded(&item.text).contains(&words::folded(probe)) || item.family == Family::Html {
            verdict.note(seen.shows(probe), || probe.clone());
        }
    }
    match item.family {
        Family::Json => json::check(&item.text, result, &mut verdict),
        Family::Log
            if serde_json::from_str::<serde_json::Value>(item.text.lines().next().unwrap_or_default()).is_ok() =>
        {
            json::check(&item.text, result, &mut verdict);
        }
        Family::Log => log::check(item, &seen, &mut verdict),
        Family::Tests | Family::Command => {
            command::check(&item.text, &seen, &mut verdict);
            diff::check(&item.text, &seen, &mut verdict);
        }
        Family::GitLog => command::check_commits(&item.text, &seen, &mut verdict),
        Family::Search => search::check_hits(&item.text, &seen, &mut verdict),
        Family::Listing => search::check_names(&item.text, &seen, &mut verdict),
        Family::Diff => diff::check(&item.text, &seen, &mut verdict),
        Family::Table => search::check_keys(&item.text, &seen, &mut verdict),
        Family::Code => code::check(item, result, &mut verdict),
        Family::Html | Family::Prose => {}
    }
    verdict
}

fn is_given_back(input: &str, result: &TextResult) -> bool {
    if result.text == input {
        return true;
    }
    let Some(decoded) = decode(result.kind, &result.text) else { return false };
    if result.kind == Kind::Json { json::same(input, &decoded) } else { decoded == input }
}

/// An output, and what its notation says.
pub(super) struct Seen {
    texts: Vec<String>,
    lines: HashSet<String>,
}

impl Seen {
    pub(super) fn new(result: &TextResult) -> Self {
        let said = decode(result.kind, &result.text);
        let lines =
            said.as_deref().unwrap_or(&result.text).lines().chain(result.text.lines()).map(words::folded).collect();
        let texts = std::iter::once(result.text.as_str()).chain(said.as_deref()).map(words::folded).collect();
        Self { texts, lines }
    }

    /// Whether the text stands there, white space folded.
    pub(super) fn shows(&self, fact: &str) -> bool {
        let fact = words::folded(fact);
        self.lines.contains(&fact) || self.texts.iter().any(|text| text.contains(&fact))
    }
}

#[cfg(test)]
mod tests {
    use headroom::Reason;

    use super::*;

    /// The output of a compressor that loses things.
    fn careless(text: &str, kind: Kind) -> TextResult {
        TextResult {
            text: text.to_owned(),
            kind,
            compressor: None,
            exact: false,
            tokens_before: 0,
            tokens_after: 0,
            handle: None,
            omissions: Vec::new(),
            reason: Reason::Compressed,
        }
    }

    const CODE: Kind = Kind::Code(headroom::Language::Rust);

    fn item(family: Family, text: &str) -> Item {
        Item {
            family,
            set: String::new(),
            name: "name.rs".to_owned(),
            text: text.to_owned(),
            command: None,
            exit_code: None,
            query: None,
            probes: Vec::new(),
            events: Vec::new(),
        }
    }

    #[test]
    fn what_is_lost_is_noticed_in_every_family() {
        for (family, kind, input, output) in [
            (Family::Code, CODE, "fn a() {\n    1\n}\nfn b() {\n    2\n}", "fn a() {\n[-2 lines 2-3]\n[-3 lines 4-6]"),
            (
                Family::Code,
                CODE,
                "fn a() {\n    1\n}\nfn b() {\n    2\n}",
                "fn a() {\n[-1 line 2]\nfn b() {\n[-2 lines 5-6]",
            ),
            (Family::Tests, Kind::Command, "a.py::x PASSED\nFAILED a.py::y - boom", "FAILED"),
            (
                Family::Command,
                Kind::Command,
                "src/a.rs:3:4: error: x\nsrc/b.rs:9:1: error: x",
                "src/a.rs:3:4: error: x",
            ),
            (Family::Log, Kind::Log, "10:00:01 a b started well\n10:00:02 a b disk full", "10:00:01 a b started well"),
            (Family::Search, Kind::Search, "a.rs:1:x\na.rs:2:y", "a.rs:1:x\n2 more"),
            (Family::Listing, Kind::Search, "./a/b.rs\n./a/c.rs", "./a/b.rs"),
            (Family::Diff, Kind::Diff, "@@ -1,2 +1,2 @@\n a\n-b\n+c", "@@ -1,2 +1,2 @@\n a\n+c"),
            (Family::Table, Kind::Table, "NAME AGE\nweb 3\ndb 4", "NAME AGE\nweb 3"),
            (Family::Json, Kind::Json, r#"{"a": 1, "b": [2]}"#, "a=1 b=[]"),
            (Family::GitLog, Kind::Command, "commit 0123abc\nAuthor: x\n\n    Subject", "commit 0123abc\nAuthor: x"),
        ] {
            let whole = judge(&item(family, input), &careless(input, kind), Level::Standard);
            assert!(whole.facts > 0 && whole.missing.is_empty(), "{family:?}: {whole:?}");
            let part = judge(&item(family, input), &careless(output, kind), Level::Standard);
            assert!(!part.missing.is_empty(), "{family:?} does not notice");
            let exact = judge(&item(family, input), &careless(output, kind), Level::Lossless);
            assert!(!exact.missing.is_empty(), "{family:?}: an output that does not read back passes as lossless");
        }
    }
}
