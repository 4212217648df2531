//! `headroom replay`

use headroom::{Engine, Policy};
use headroom_evals::{Prices, Report, SessionReport, load, replay, total};
use headroom_store::Scope;
use headroom_wire::Dialect;
use serde::Serialize;

use crate::args::{Price, ReplayArgs};
use crate::error::CliError;
use crate::out;

#[derive(Serialize)]
struct Output<'a> {
    total: Figures<'a>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    file: String,
    total: Figures<'a>,
    sessions: &'a [SessionReport],
}

/// A report with the figures that are computed from it.
#[derive(Serialize)]
struct Figures<'a> {
    net: f64,
    recall: f64,
    #[serde(flatten)]
    report: &'a Report,
}

impl<'a> Figures<'a> {
    fn of(report: &'a Report) -> Self {
        Self { net: report.net(), recall: report.recall(), report }
    }
}

pub(crate) fn run(args: &ReplayArgs, engine: &Engine, policy: &Policy) -> Result<(), CliError> {
    let mut played: Vec<(String, Vec<SessionReport>)> = Vec::new();
    let other: Option<Dialect> = args
        .dialect
        .as_deref()
        .map(|name| name.parse().map_err(|error| CliError::Usage(format!("--dialect: {error}"))))
        .transpose()?;
    for path in &args.files {
        let mut sessions = load(path).map_err(|error| CliError::Failed(error.to_string()))?;
        if let Some(other) = other {
            let spoken = sessions.into_iter().map(|session| session.spoken_in(other)).collect::<Option<_>>();
            sessions = spoken.ok_or_else(|| {
                CliError::Usage(format!(
                    "--dialect: sessions can be played in openai-responses and gemini, not in {other}"
                ))
            })?;
        }
        let prices = |dialect: Dialect| match (args.price, dialect) {
            (Some(Price::Anthropic), _) | (None, Dialect::AnthropicMessages) => Prices::ANTHROPIC,
            (Some(Price::Openai), _) | (None, _) => Prices::OPENAI,
        };
        let reports = sessions
            .iter()
            .map(|session| replay(session, engine, &Scope::default(), policy, &prices(session.dialect)))
            .collect();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        played.push((name, reports));
    }
    let sums: Vec<Report> =
        played.iter().map(|(_, reports)| total(reports.iter().map(|session| &session.report))).collect();
    let all = total(&sums);
    if args.json {
        let files = played.iter().zip(&sums).map(|((file, sessions), sum)| File {
            file: file.clone(),
            total: Figures::of(sum),
            sessions,
        });
        return out::json(&Output { total: Figures::of(&all), files: files.collect() });
    }
    out::line(
        "                                    sessions  turns  tokens    cost     net  recall  prefix  changed  handles  dearer",
    )?;
    out::line(
        "                                                       ours/direct, fetches                breaks   words     lost        ",
    )?;
    for ((name, _), sum) in played.iter().zip(&sums) {
        out::line(&row(name, sum))?;
    }
    out::line(&row("all", &all))
}

fn row(name: &str, report: &Report) -> String {
    format!(
        "{name:36} {:7} {:6}  {:.4}  {:.4}  {:.4}  {:.4}  {:6}  {:7}  {:3}/{:<3}  {:6}",
        report.sessions,
        report.turns,
        report.tokens_ours as f64 / report.tokens_direct.max(1) as f64,
        report.cost_ours / report.cost_direct.max(f64::MIN_POSITIVE),
        report.net(),
        report.recall(),
        report.prefix_violations,
        report.integrity_violations,
        report.handles_lost,
        report.handles,
        report.dearer,
    )
}
