//! `headroom audit`: what Headroom would have made of the conversations on this machine.
//!
//! Reads what the agents keep, writes nothing, sends nothing. Every conversation is played through an engine of its own, turn by turn, as
//! `headroom replay` does with recorded sessions.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headroom::ledger::Prices as PriceTable;
use headroom::{Engine, Policy};
use headroom_evals::transcript::{Agent, Billed, Transcript};
use headroom_evals::{Prices, Report, replay};
use headroom_store::{Scope, Store};
use headroom_wire::Dialect;
use serde::Serialize;

use crate::args::AuditArgs;
use crate::error::CliError;
use crate::{env, out};

/// A repeated output of fewer tokens is an answer like any other ("ok", "no matches").
const REPEATED_FROM: usize = 64;

/// Outputs that are named.
const NAMED: usize = 5;

/// A cache that read less than this part of the turn before has missed.
const MISS: f64 = 0.5;

/// Contexts of fewer tokens are not judged: providers cache from one to four thousand on.
const CACHED_FROM: usize = 4096;

/// Seconds after which a provider forgets a prefix that nobody used (five minutes, as Anthropic and OpenAI publish).
const FORGOTTEN: i64 = 300;

/// Everything found, by agent and project.
#[derive(Debug, Default, Serialize)]
struct Audit {
    projects: Vec<Project>,
    /// Files and lines that could not be read.
    unread_files: usize,
    unread_lines: usize,
}

#[derive(Debug, Serialize)]
struct Project {
    agent: &'static str,
    project: String,
    #[serde(flatten)]
    sums: Sums,
}

/// Figures of one project, or of all.
#[derive(Clone, Debug, Default, Serialize)]
struct Sums {
    conversations: usize,
    /// Conversations that would have cost more.
    dearer: usize,
    turns: usize,
    /// Simulated cost of the input over that of sending it directly, what is fetched back included.
    net: f64,
    /// Input tokens of all turns, directly and as they would have been sent.
    tokens_direct: usize,
    tokens_ours: usize,
    #[serde(skip)]
    report: Report,
    /// Dollars billed for input, by what the agent noted and the list of prices; of conversations with a price.
    input_dollars: f64,
    /// Of which Headroom would have saved; negative for a loss.
    saved_dollars: f64,
    waste: Waste,
}

/// What cost more than it had to.
#[derive(Clone, Debug, Default, Serialize)]
struct Waste {
    /// Tokens of results that the same call had given before, once each.
    repeated_tokens: usize,
    repeated: usize,
    /// Turns on which the provider's cache had forgotten most of the prefix, and the tokens sent anew.
    misses_after_a_pause: usize,
    misses_otherwise: usize,
    missed_tokens: usize,
    /// The outputs that were carried furthest: tokens times turns.
    largest: Vec<Large>,
}

#[derive(Clone, Debug, Serialize)]
struct Large {
    tool: String,
    /// The beginning of its arguments.
    call: String,
    tokens: usize,
    /// Turns that carried it.
    carried: usize,
}

pub(crate) fn run(args: &AuditArgs, policy: &Policy, prices: &PriceTable) -> Result<(), CliError> {
    let wanted = args.agent.as_deref().map(named).transpose()?;
    let home = env::home().ok_or_else(|| CliError::Failed("there is no home directory".to_owned()))?;
    let span = Duration::from_secs(args.days.saturating_mul(86_400));
    let since = SystemTime::now().checked_sub(span).unwrap_or(UNIX_EPOCH);
    let mut files = Vec::new();
    for agent in Agent::ALL.into_iter().filter(|agent| wanted.is_none_or(|wanted| wanted == *agent)) {
        files.extend(agent.files(&folder(agent, &home)).into_iter().map(|file| (agent, file)));
    }
    let mut audit = Audit::default();
    let mut projects: BTreeMap<(Agent, String), Sums> = BTreeMap::new();
    for (at, (agent, file)) in files.iter().enumerate() {
        progress(at, files.len());
        let Ok(transcripts) = agent.conversations(file, since) else {
            audit.unread_files += 1;
            continue;
        };
        for transcript in transcripts {
            audit.unread_lines += transcript.unread;
            if args.project.as_deref().is_some_and(|part| !transcript.project.contains(part)) {
                continue;
            }
            let sums = projects.entry((*agent, transcript.project.clone())).or_default();
            sums.add(&transcript, policy, prices);
        }
    }
    progress(files.len(), files.len());
    audit.projects = projects
        .into_iter()
        .map(|((agent, project), sums)| Project { agent: agent.name(), project, sums: sums.finished() })
        .collect();
    if args.json { out::json(&audit) } else { print(&audit, files.len(), args, prices) }
}

fn named(name: &str) -> Result<Agent, CliError> {
    Agent::ALL.into_iter().find(|agent| agent.name() == name).ok_or_else(|| {
        let known = Agent::ALL.map(Agent::name).join(", ");
        CliError::Usage(format!("no transcripts of {name:?} can be read; known: {known}"))
    })
}

/// Where an agent keeps its own.
fn folder(agent: Agent, home: &Path) -> PathBuf {
    let named = |variable: &str, name: &str| env::variable(variable).map_or_else(|| home.join(name), PathBuf::from);
    match agent {
        Agent::Claude => named("CLAUDE_CONFIG_DIR", ".claude"),
        Agent::Codex => named("CODEX_HOME", ".codex"),
        Agent::Gemini => home.join(".gemini"),
        Agent::OpenCode => named("XDG_DATA_HOME", ".local/share").join("opencode"),
    }
}

fn progress(done: usize, all: usize) {
    if std::io::stderr().is_terminal() && (done == all || done.is_multiple_of(10)) {
        let end = if done == all { "\r\x1b[2K" } else { "" };
        out::say_on_this_line(&format!("\r\x1b[2Kheadroom: {done} of {all} files{end}"));
    }
}

impl Sums {
    fn add(&mut self, transcript: &Transcript, policy: &Policy, table: &PriceTable) {
        let prices = match transcript.session.dialect {
            Dialect::AnthropicMessages => Prices::ANTHROPIC,
            _ => Prices::OPENAI,
        };
        let engine = Engine::new(Store::memory());
        let report = replay(&transcript.session, &engine, &Scope::default(), policy, &prices).report;
        self.conversations += 1;
        if let Some(price) = table.of_model(&transcript.model) {
            let sum = |tokens: fn(&Billed) -> usize| transcript.billed.iter().map(tokens).sum::<usize>() as f64 / 1e6;
            let billed = price.input * sum(|turn| turn.input)
                + price.read * sum(|turn| turn.cached)
                + price.write * sum(|turn| turn.written);
            self.input_dollars += billed;
            self.saved_dollars += billed * (1.0 - report.net());
        }
        self.report = headroom_evals::total([&self.report, &report]);
        self.waste.add(transcript);
    }

    fn finished(mut self) -> Self {
        self.net = self.report.net();
        self.turns = self.report.turns;
        self.dearer = self.report.dearer;
        self.tokens_direct = self.report.tokens_direct;
        self.tokens_ours = self.report.tokens_ours;
        self
    }
}

impl Waste {
    fn add(&mut self, transcript: &Transcript) {
        for output in &transcript.outputs {
            if output.repeated && output.tokens >= REPEATED_FROM {
                self.repeated += 1;
                self.repeated_tokens += output.tokens;
            }
            let call: String = output.arguments.chars().take(60).collect();
            self.largest.push(Large {
                tool: output.tool.clone(),
                call,
                tokens: output.tokens,
                carried: output.carried,
            });
        }
        self.keep_largest();
        for turns in transcript.billed.windows(2) {
            let [before, after] = turns else { continue };
            let context = before.context();
            if context < CACHED_FROM || after.cached as f64 >= context as f64 * MISS {
                continue;
            }
            self.missed_tokens += context - after.cached;
            match (before.at, after.at) {
                (Some(then), Some(now)) if now - then > FORGOTTEN => self.misses_after_a_pause += 1,
                _ => self.misses_otherwise += 1,
            }
        }
    }

    fn keep_largest(&mut self) {
        self.largest.sort_by_key(|large| std::cmp::Reverse(large.tokens * large.carried));
        self.largest.truncate(NAMED);
    }
}

fn print(audit: &Audit, files: usize, args: &AuditArgs, prices: &PriceTable) -> Result<(), CliError> {
    if audit.projects.is_empty() {
        return out::line(&format!(
            "no conversations of the last {} days were found in {files} files of Claude Code, Codex, Gemini CLI and OpenCode",
            args.days
        ));
    }
    out::line("agent     conversations  turns  input tokens      as sent   cost  dearer  project")?;
    for project in &audit.projects {
        let Project { agent, project, sums } = project;
        out::line(&format!(
            "{agent:10}{:13}  {:5}  {:12}  {:11}  {:4.0}%  {:6}  {project}",
            sums.conversations,
            sums.turns,
            sums.tokens_direct,
            sums.tokens_ours,
            sums.net * 100.0,
            sums.dearer
        ))?;
    }
    let sums: Vec<&Sums> = audit.projects.iter().map(|project| &project.sums).collect();
    let report = headroom_evals::total(sums.iter().map(|sums| &sums.report));
    let dollars: (f64, f64) =
        sums.iter().fold((0.0, 0.0), |all, sums| (all.0 + sums.input_dollars, all.1 + sums.saved_dollars));
    out::line("")?;
    out::line(&format!(
        "input     {:.1} % of the tokens in the window, {:.1} % of the cost, by simulation with the provider's cache; {} of {} conversations dearer",
        100.0 * report.tokens_ours as f64 / report.tokens_direct.max(1) as f64,
        100.0 * report.net(),
        report.dearer,
        report.sessions
    ))?;
    if dollars.0 > 0.0 {
        out::line(&format!(
            "money     ${:.2} were billed for input (list prices of {}); ${:.2} of it would have been saved",
            dollars.0,
            prices.as_of(),
            dollars.1
        ))?;
    }
    waste(&sums)?;
    if audit.unread_files + audit.unread_lines > 0 {
        out::line(&format!("unread    {} files, {} lines", audit.unread_files, audit.unread_lines))?;
    }
    out::line(
        "Instructions and tool definitions are not in these files; their size is taken from what was billed for the first turn.",
    )
}

fn waste(sums: &[&Sums]) -> Result<(), CliError> {
    let mut all = Waste::default();
    for waste in sums.iter().map(|sums| &sums.waste) {
        all.repeated += waste.repeated;
        all.repeated_tokens += waste.repeated_tokens;
        all.misses_after_a_pause += waste.misses_after_a_pause;
        all.misses_otherwise += waste.misses_otherwise;
        all.missed_tokens += waste.missed_tokens;
        all.largest.extend(waste.largest.iter().cloned());
    }
    all.keep_largest();
    if all.repeated > 0 {
        out::line(&format!(
            "repeats   {} results, {} tokens, were the same as before: with Headroom a reference stands there",
            all.repeated, all.repeated_tokens
        ))?;
    }
    let misses = all.misses_after_a_pause + all.misses_otherwise;
    if misses > 0 {
        out::line(&format!(
            "cache     {misses} turns were sent anew, {} tokens: {} after more than five minutes (shorter pauses, or caching for an hour), \
             {} otherwise (the client changed what was sent before, or the provider forgot: `headroom why` names it)",
            all.missed_tokens, all.misses_after_a_pause, all.misses_otherwise
        ))?;
    }
    for large in &all.largest {
        let call = large.call.replace(['\n', '\r'], " ");
        out::line(&format!(
            "large     {} tokens, carried {} turns: {} {call}",
            large.tokens, large.carried, large.tool
        ))?;
    }
    Ok(())
}
