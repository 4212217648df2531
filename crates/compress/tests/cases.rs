//! The literate golden cases: `corpus/cases/<kind>/*.md`.
//!
//! A case has a title, header lines (`kind: json` is what the text must be found to be; `tool:`, `command:`, `path:`,
//! `exit:`, `query:` become hints; `level: light` asks for that level instead of the standard one; `origin:` and `licence:` are for people), and sections with one fenced block each: `## input`,
//! `## exact`, `## standard`; then `## must survive` with one fact per `- ` line. A level that leaves the input alone says
//! `(unchanged)`. `HEADROOM_BLESS=1` rewrites the two expected sections from what the code does now; the facts are never
//! rewritten.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use headroom_code::CodeCompressor;
use headroom_core::{Goal, Hints, Kind, Level, Original, Segment};
use headroom_testkit::corpus;
use headroom_testkit::laws::{self, KEY};
use headroom_tokens::Tokenizer;

/// What stands in an expected section when nothing is done.
const UNCHANGED: &str = "(unchanged)";

struct Case {
    /// Everything before the first expected section, as it stands.
    preamble: String,
    kind: Kind,
    headers: Vec<(String, String)>,
    input: String,
    exact: String,
    standard: String,
    facts: Vec<String>,
}

#[test]
fn every_case_comes_out_as_written() {
    let bless = std::env::var_os("HEADROOM_BLESS").is_some();
    let paths = case_paths();
    assert!(!paths.is_empty(), "no cases in {}", corpus::repository().join("corpus/cases").display());
    let mut problems = String::new();
    for path in paths {
        let name = path.strip_prefix(corpus::repository()).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path).expect("a case is readable");
        let case = parse(&text).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let (kind, exact, standard) = run(&case);
        if kind != case.kind {
            let _ = writeln!(problems, "{name}: found to be {kind}");
        }
        for fact in &case.facts {
            for (level, text) in [("exact", &exact), ("standard", &standard)] {
                if !text.as_ref().unwrap_or(&case.input).contains(fact.as_str()) {
                    let _ = writeln!(problems, "{name}: {level} lost {fact:?}");
                }
            }
        }
        if bless {
            std::fs::write(&path, written(&case, exact.as_deref(), standard.as_deref())).expect("a case is writable");
            continue;
        }
        for (level, is, should) in [("exact", &exact, &case.exact), ("standard", &standard, &case.standard)] {
            let is = is.as_deref().unwrap_or(UNCHANGED);
            if is.trim_end_matches('\n') != should {
                let _ = writeln!(problems, "{name}: {level} is now\n{is}");
            }
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn every_case_obeys_the_laws() {
    for path in case_paths() {
        let text = std::fs::read_to_string(&path).expect("a case is readable");
        let case = parse(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        for compressor in headroom_compress::ALL {
            laws::check(*compressor, &case.input, hints(&case));
        }
    }
}

fn case_paths() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    // References need an earlier text; their cases have a form of their own (`repeat_cases.rs`).
    let kinds = entries(&corpus::repository().join("corpus/cases"));
    for kind in kinds.into_iter().filter(|kind| !kind.ends_with("repeat")) {
        paths.extend(entries(&kind).into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    paths.sort();
    paths
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What detection says, and the texts of both levels.
fn run(case: &Case) -> (Kind, Option<String>, Option<String>) {
    let segment = Segment { text: &case.input, hints: hints(case) };
    let original = Original::new(&KEY, &case.input);
    let at = |level| {
        let goal = Goal { level, tokens: &Tokenizer::O200k };
        headroom_compress::compress_with(&[&CodeCompressor], &segment, &goal)
    };
    let exact = at(Level::Exact);
    let is_light = case.headers.iter().any(|(name, value)| name == "level" && value == "light");
    let standard =
        at(if is_light { Level::Light { original: &original } } else { Level::Standard { original: &original } });
    let text = |outcome: headroom_compress::Outcome| outcome.compressed.map(|compressed| compressed.text);
    (exact.kind, text(exact), text(standard))
}

fn hints(case: &Case) -> Hints<'_> {
    let header = |name: &str| case.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    Hints {
        tool: header("tool"),
        command: header("command"),
        path: header("path"),
        exit_code: header("exit").and_then(|code| code.parse().ok()),
        query: header("query"),
        ..Hints::NONE
    }
}

fn parse(text: &str) -> Result<Case, String> {
    let (preamble, rest) = text.split_once("\n## exact\n").ok_or("no section `exact`")?;
    let (head, input) = preamble.split_once("\n## input\n").ok_or("no section `input`")?;
    let (exact, rest) = rest.split_once("\n## standard\n").ok_or("no section `standard`")?;
    let (standard, facts) = rest.split_once("\n## must survive\n").ok_or("no section `must survive`")?;
    let headers: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let kind = headers.iter().find(|(name, _)| name == "kind").ok_or("no `kind:`")?;
    Ok(Case {
        preamble: preamble.to_owned(),
        kind: kind.1.parse().map_err(|error| format!("{error}"))?,
        input: fenced(input)? + "\n",
        exact: fenced(exact)?,
        standard: fenced(standard)?,
        facts: facts.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect(),
        headers,
    })
}

/// The text of the one fenced block of a section, without its last line end; or what stands there without a fence.
fn fenced(section: &str) -> Result<String, String> {
    let section = section.trim_matches('\n');
    let Some(fence) = section.lines().next().filter(|line| line.starts_with("```")) else {
        return Ok(section.to_owned());
    };
    let fence = &fence[..fence.bytes().take_while(|byte| *byte == b'`').count()];
    let inner = section.split_once('\n').map_or("", |(_, inner)| inner);
    let inner = inner.strip_suffix(fence).ok_or("a fence is not closed")?;
    Ok(inner.trim_end_matches('\n').to_owned())
}

fn written(case: &Case, exact: Option<&str>, standard: Option<&str>) -> String {
    let block = |text: Option<&str>| match text {
        None => UNCHANGED.to_owned(),
        Some(text) => {
            let fence = if text.contains("```") { "`````" } else { "```" };
            format!("{fence}text\n{}\n{fence}", text.trim_end_matches('\n'))
        }
    };
    let facts: Vec<_> = case.facts.iter().map(|fact| format!("- {fact}\n")).collect();
    format!(
        "{}\n## exact\n\n{}\n\n## standard\n\n{}\n\n## must survive\n\n{}",
        case.preamble,
        block(exact),
        block(standard),
        facts.concat()
    )
}
