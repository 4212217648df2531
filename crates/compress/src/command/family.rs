//! What a command line is for: whether its output tells steps, or is data.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

/// Whether lines that are alike are progress or rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// What a tool did, one step after the other.
    Steps,
    /// What was asked for.
    Data,
}

/// Command lines are told by at most this many words.
const WORDS: usize = 3;

/// Words in front of a command that run it without being it.
const RUNNERS: [&str; 9] = ["sudo", "time", "env", "nice", "nohup", "command", "exec", "npx", "xvfb-run"];

/// `families.toml`: prefixes by family.
#[derive(Deserialize, Default)]
struct File {
    steps: BTreeMap<String, Vec<String>>,
    data: BTreeMap<String, Vec<String>>,
}

static PREFIXES: LazyLock<HashMap<String, Output>> = LazyLock::new(|| {
    // A test reads the file; one that could not be read would classify nothing.
    let file: File = toml::from_str(include_str!("families.toml")).unwrap_or_default();
    let of = |families: BTreeMap<String, Vec<String>>, output| {
        families.into_values().flatten().map(move |prefix| (prefix, output))
    };
    of(file.steps, Output::Steps).chain(of(file.data, Output::Data)).collect()
});

/// What the output of a command line is; `None` for a command that is not known.
///
/// Of several commands in one line the last known one decides, whose output comes last; what stands behind a pipe only cuts or
/// counts what the first one printed.
pub(crate) fn output_of(line: &str) -> Option<Output> {
    line.split(['&', ';', '\n']).rev().find_map(|part| of_command(part.split('|').next().unwrap_or(part)))
}

fn of_command(command: &str) -> Option<Output> {
    let is_setting = |word: &&str| {
        RUNNERS.contains(word)
            || word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.starts_with('-'))
    };
    let words: Vec<&str> = command.split_whitespace().skip_while(is_setting).take(2 * WORDS).collect();
    let program = words.first()?.rsplit('/').next()?;
    // `python3.11 -m pytest` is `python -m pytest`; options may stand before what a tool is told to do.
    let program = if program.starts_with("python") { "python" } else { program };
    let told = |keep: fn(&&&str) -> bool| {
        let rest = words[1..].iter().filter(keep).copied();
        std::iter::once(program).chain(rest).take(WORDS).collect::<Vec<_>>()
    };
    let longest = |words: Vec<&str>| {
        (1..=words.len()).rev().find_map(|count| Some((count, *PREFIXES.get(&words[..count].join(" "))?)))
    };
    let (as_said, without_options) = (longest(told(|_| true)), longest(told(|word| !word.starts_with('-'))));
    [as_said, without_options].into_iter().flatten().max_by_key(|(words, _)| *words).map(|(_, output)| output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_140_prefixes_are_classified() {
        let file: File = toml::from_str(include_str!("families.toml")).expect("the table of families");
        let all: Vec<_> = file.steps.values().chain(file.data.values()).flatten().collect();
        assert!(
            all.len() >= 140 && all.len() == PREFIXES.len(),
            "{} prefixes, {} different",
            all.len(),
            PREFIXES.len()
        );
        for prefix in all {
            assert!(prefix.split(' ').count() <= WORDS, "{prefix} is never looked up");
            assert!(output_of(prefix).is_some(), "{prefix} is not found");
        }
    }

    #[test]
    fn a_command_line_is_known_by_what_it_runs() {
        for (line, expected) in [
            ("cd /srv && CI=1 sudo /usr/bin/python3.11 -m pytest -q tests | tail -40", Some(Output::Steps)),
            ("npm run build 2>&1", Some(Output::Steps)),
            ("npm -s ls", Some(Output::Data)),
            ("pip list --outdated", Some(Output::Data)),
            ("pip install -r requirements.txt; pip list", Some(Output::Data)),
            ("kubectl get pods -A", Some(Output::Data)),
            ("docker compose build web", Some(Output::Steps)),
            ("./scripts/own-thing --all", None),
            ("", None),
        ] {
            assert_eq!(output_of(line), expected, "{line}");
        }
    }
}
