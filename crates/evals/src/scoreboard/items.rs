//! The texts of a corpus folder, each with what the corpus knows of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a text is for a reader: decides which facts must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Family {
    Json,
    Log,
    Tests,
    Command,
    GitLog,
    Search,
    Listing,
    Diff,
    Table,
    Html,
    Prose,
    Code,
}

impl Family {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Log => "log",
            Self::Tests => "tests and builds",
            Self::Command => "command",
            Self::GitLog => "git log",
            Self::Search => "search",
            Self::Listing => "listing",
            Self::Diff => "diff",
            Self::Table => "table",
            Self::Html => "html",
            Self::Prose => "prose",
            Self::Code => "code",
        }
    }

    /// By the folder and the name that the corpus gave the text, and by its syntax where that is certain.
    fn of(set: &str, name: &str, command: Option<&str>, text: &str) -> Self {
        let says =
            |words: &[&str]| words.iter().any(|word| name.contains(word) || command.is_some_and(|c| c.contains(word)));
        let is_json = || serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_array() || value.is_object());
        if set.starts_with("json") || is_json() {
            return Self::Json;
        }
        match set.split('/').next().unwrap_or_default() {
            "logs" | "log" => Self::Log,
            "search" => Self::Search,
            "listings" => Self::Listing,
            "diffs" | "diff" => Self::Diff,
            "table" => Self::Table,
            "html" => Self::Html,
            "qa" | "prose" => Self::Prose,
            "code" => Self::Code,
            _ if says(&["ls-tree", "-ls-R", "-ls-al", "-ls-glob", "name-only", "-locate"]) => Self::Listing,
            _ if says(&[".log-", ".log.txt", "git-log", "git log"]) => Self::GitLog,
            _ if set.ends_with("/tests") || set.ends_with("/compiler") || set.ends_with("/terminal") => Self::Tests,
            _ if says(&[
                "mvn_",
                "gradlew_",
                "dotnet-test",
                "cargo test",
                "pytest",
                "go test",
                "eslint",
                "golangci",
            ]) =>
            {
                Self::Tests
            }
            _ if says(&[
                "-ps-",
                "-systemctl",
                "-lsof",
                "-lsmod",
                "-pip-list",
                "-dpkg-l",
                "docker ps",
                "get pods",
                "pip list",
            ]) =>
            {
                Self::Table
            }
            _ => Self::Command,
        }
    }
}

/// One text.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is for a reader.
    pub family: Family,
    /// Folder it is in, below the corpus.
    pub set: String,
    /// Its path below the corpus.
    pub name: String,
    /// The text.
    pub text: String,
    /// The command that printed it, if the corpus says.
    pub command: Option<String>,
    /// Its exit code, if the corpus says.
    pub exit_code: Option<i32>,
    /// What its reader wants to know, if the corpus says.
    pub query: Option<String>,
    /// Strings that the corpus says must be found in it (failed tests, sentences of an article, answers).
    pub probes: Vec<String>,
    /// For logs: the event that people labelled each line with.
    pub events: Vec<String>,
}

/// Sets whose files are not texts that a tool printed.
const SKIPPED: [&str; 8] = [
    "conversations",
    "provider_traffic",
    "malformed",
    "tools",
    "short_prompts",
    "competitor_fixtures",
    "LICENCES",
    "sessions",
];

const BOOKKEEPING: [&str; 4] = ["index.jsonl", "probes.jsonl", "dropped.jsonl", "README.md"];

/// Every text below `root`, in order of path. What cannot be read is left out.
///
/// The layout is the shared corpus's (`<set>/index.jsonl`, `probes.jsonl`, `logs/labels`), or this repository's literate cases, whose
/// inputs are taken.
pub fn load(root: &Path) -> Vec<Item> {
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let known = Known::read(root);
    let mut items = Vec::new();
    for path in paths {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let set = name.rsplit_once('/').map_or(".", |(set, _)| set).to_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("md") => items.extend(case(&set, &name, &text)),
            Some("jsonl") if set == "qa" && name.ends_with("_multipassage.jsonl") => {
                items.extend(questions(&set, &name, &text));
            }
            Some("jsonl") if set == "qa" => items.extend(passages(root, &set, &name, &text)),
            Some("jsonl") if set.starts_with("commands") => items.extend(recorded(&set, &name, &text)),
            _ => items.push(known.item(set, name, text)),
        }
    }
    items
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str())
                && !matches!(name.as_str(), "labels" | "needles" | "requests" | "streams" | "repeat")
            {
                walk(&path, found);
            }
        } else if !BOOKKEEPING.contains(&name.as_str()) && !name.ends_with(".expected.txt") {
            found.push(path);
        }
    }
}

/// What index, probe and label files say, by path below the root.
#[derive(Default)]
struct Known {
    commands: HashMap<String, String>,
    probes: HashMap<String, Vec<String>>,
    events: HashMap<String, Vec<String>>,
}

impl Known {
    fn read(root: &Path) -> Self {
        let mut known = Self::default();
        for set in std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let set_name = set.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for record in records(&set.join("index.jsonl")) {
                let command = record["meta"]["cmd"].as_str().or(record["command"].as_str());
                if let (Some(file), Some(command)) = (record["file"].as_str(), command) {
                    known.commands.insert(format!("{set_name}/{file}"), command.to_owned());
                }
            }
            for record in records(&set.join("probes.jsonl")) {
                let Some(file) = record["file"].as_str() else { continue };
                let fields = ["failed", "summary", "errors", "reported_failures", "sentences"];
                let texts = fields.iter().flat_map(|field| record[*field].as_array().into_iter().flatten());
                let texts = texts.filter_map(Value::as_str).map(str::to_owned);
                known.probes.entry(format!("{set_name}/{file}")).or_default().extend(texts);
            }
            for label in std::fs::read_dir(set.join("labels")).into_iter().flatten().flatten().map(|entry| entry.path())
            {
                let system = label.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let Some(system) = system.strip_suffix(".tsv") else { continue };
                let rows = std::fs::read_to_string(&label).unwrap_or_default();
                let events = rows.lines().skip(1).filter_map(|row| row.split('\t').nth(1)).map(str::to_owned).collect();
                known.events.insert(format!("{set_name}/loghub/{system}_2k.log"), events);
            }
        }
        known
    }

    fn item(&self, set: String, name: String, text: String) -> Item {
        let command = self.commands.get(&name).cloned();
        Item {
            family: Family::of(&set, &name, command.as_deref(), &text),
            probes: self.probes.get(&name).cloned().unwrap_or_default(),
            events: self.events.get(&name).cloned().unwrap_or_default(),
            exit_code: None,
            query: None,
            command,
            set,
            name,
            text,
        }
    }
}

/// The JSON objects of a file with one a line.
fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Outputs with the commands that printed them, one a line.
fn recorded(set: &str, name: &str, text: &str) -> Vec<Item> {
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter_map(|record| {
            let text = record["raw_output"].as_str()?.to_owned();
            let command = record["command"].as_str().map(str::to_owned);
            Some(Item {
                family: Family::of(set, "", command.as_deref(), &text),
                set: set.to_owned(),
                name: format!("{name}#{}", record["id"].as_str().unwrap_or_default()),
                exit_code: record["exit_code"].as_i64().and_then(|code| code.try_into().ok()),
                command,
                text,
                query: None,
                probes: Vec::new(),
                events: Vec::new(),
            })
        })
        .collect()
}

/// Passages with the answers to the questions that people asked about them.
fn passages(root: &Path, set: &str, name: &str, text: &str) -> Vec<Item> {
    if !name.ends_with("_passages.jsonl") {
        return Vec::new();
    }
    let mut answers: HashMap<u64, Vec<String>> = HashMap::new();
    for record in records(&root.join(name.replace("_passages", "_questions"))) {
        let texts = record["answers"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        answers.entry(record["passage"].as_u64().unwrap_or(u64::MAX)).or_default().extend(texts);
    }
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter_map(|record| {
            let passage = record["passage"].as_u64()?;
            Some(Item {
                family: Family::Prose,
                set: set.to_owned(),
                name: format!("{name}#{passage}"),
                text: record["text"].as_str()?.to_owned(),
                command: None,
                exit_code: None,
                query: None,
                probes: answers.remove(&passage).unwrap_or_default(),
                events: Vec::new(),
            })
        })
        .collect()
}

/// Questions, each with many passages of which a few hold the answer.
fn questions(set: &str, name: &str, text: &str) -> Vec<Item> {
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter_map(|record| {
            let texts = |key: &str| record[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            let contexts: Vec<&str> = texts("contexts").collect();
            let gold = record["gold"].as_array()?.iter().filter_map(|place| contexts.get(place.as_u64()? as usize));
            let spans = gold.flat_map(|context| texts("answers").filter_map(|answer| in_its_sentence(context, answer)));
            Some(Item {
                family: Family::Prose,
                set: format!("{set}/questions"),
                name: format!("{name}#{}", record["id"].as_str().unwrap_or_default()),
                query: Some(record["question"].as_str()?.to_owned()),
                command: None,
                exit_code: None,
                // People gave several answers where one is enough.
                probes: spans.take(1).collect(),
                events: Vec::new(),
                text: contexts.join("\n\n"),
            })
        })
        .collect()
}

/// An answer with up to so many bytes of its sentence on both sides, so that the same words elsewhere do not count.
fn in_its_sentence(context: &str, answer: &str) -> Option<String> {
    const AROUND: usize = 24;
    let start = context.find(answer)?;
    let (before, after) = (&context[..start], &context[start + answer.len()..]);
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '\n');
    let left = before.rfind(ends).map_or(0, |at| at + 1).max(before.ceil_char_boundary(start.saturating_sub(AROUND)));
    let right = after.find(ends).unwrap_or(after.len()).min(after.floor_char_boundary(AROUND));
    Some(context[left..start + answer.len() + right].trim().to_owned())
}

/// A literate case of this repository: its input, its command, and the facts that must survive.
fn case(set: &str, name: &str, text: &str) -> Option<Item> {
    let (head, rest) = text.split_once("\n## input\n")?;
    let fence = rest.trim_start().lines().next()?.trim_end_matches(|c: char| c != '`').to_owned();
    let body = rest.trim_start().split_once('\n')?.1;
    let input = body.split_once(&format!("\n{fence}"))?.0;
    let facts = text.split_once("\n## must survive\n").map_or("", |(_, facts)| facts);
    let header = |key: &str| head.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned());
    let command = header("command:");
    let folder = set.rsplit('/').next().unwrap_or(set);
    // Cases of code say what the caller asks for; its symbols are judged by the tests of `headroom-code`, there is no oracle here.
    if folder == "code" || header("query:").is_some() || header("level:").is_some() {
        return None;
    }
    Some(Item {
        family: Family::of(folder, name, command.as_deref(), input),
        set: set.to_owned(),
        name: name.to_owned(),
        text: format!("{input}\n"),
        exit_code: header("exit:").and_then(|code| code.parse().ok()),
        command,
        query: None,
        probes: facts.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect(),
        events: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_looked_for_in_its_own_sentence() {
        let context =
            "It rained. Weeks later the council, which met in Örebro, gave 300 crowns to the mill. It burned.";
        assert_eq!(
            in_its_sentence(context, "300 crowns").as_deref(),
            Some("ch met in Örebro, gave 300 crowns to the mill")
        );
        assert_eq!(in_its_sentence(context, "It burned").as_deref(), Some("It burned"));
        assert_eq!(in_its_sentence(context, "a castle"), None);
    }

    #[test]
    fn a_question_is_an_item_with_all_its_passages() {
        let record = serde_json::json!({
            "id": "q1", "question": "Who paid?", "answers": ["the mill", "a mill"], "gold": [1],
            "contexts": ["Nobody paid.", "In the end the mill paid. So it goes.", "A bill came."],
        });
        let items = questions("qa", "qa/x_multipassage.jsonl", &record.to_string());
        let [item] = &items[..] else { panic!("{} items", items.len()) };
        assert_eq!(item.text, "Nobody paid.\n\nIn the end the mill paid. So it goes.\n\nA bill came.");
        assert_eq!(
            (item.query.as_deref(), &item.probes[..]),
            (Some("Who paid?"), &["In the end the mill paid".to_owned()][..])
        );
    }
}
