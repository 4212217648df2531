//! The scoreboard: what the library saves on a folder of real texts, and whether a reader would still find what counts.
//!
//! Every file goes through [`headroom::compress_text`] at both levels. An [oracle] lists the facts of the input by means of its own
//! (a standard parser, regular expressions, labels made by people) and looks for them in the output. A file that lost one fact has
//! saved nothing: its output counts as long as its input.

mod items;
mod oracle;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use headroom::{Engine, Hints, Level, TextResult, Tokenizer, compress_text};
use headroom_store::{Scope, Store};
use serde::Serialize;

pub use items::{Family, Item, load};
pub use table::{markdown, summary};

/// What a run found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Scoreboard {
    /// A row for each family of texts, in the order of [`Family`].
    pub families: Vec<Score>,
    /// A row for each folder that the texts came from.
    pub sets: Vec<Score>,
    /// Files that lost a fact, each with what it lost.
    pub losses: Vec<Loss>,
    /// A row for each file, those with the most tokens left at `standard` first: where the next saving is to be looked for.
    pub files: Vec<FileScore>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileScore {
    /// The file.
    pub name: String,
    /// What it is for a reader.
    pub family: &'static str,
    /// What the library took it for, at `standard`.
    pub kind: String,
    /// Tokens of the input.
    pub tokens: usize,
    /// Tokens of the output at `lossless`.
    pub lossless: usize,
    /// Tokens of the output at `standard`.
    pub standard: usize,
}

/// Sums over some files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// What the files have in common.
    pub name: String,
    /// How many.
    pub files: usize,
    /// Bytes of the inputs.
    pub bytes: usize,
    /// Tokens of the inputs (o200k_base).
    pub tokens: usize,
    /// At the level `lossless`.
    pub lossless: LevelScore,
    /// At the level `standard`.
    pub standard: LevelScore,
}

/// Sums over some files at one level.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LevelScore {
    /// Tokens of the outputs; of the input where a fact was lost.
    pub tokens: usize,
    /// Tokens of the outputs as they are, whatever was lost.
    pub tokens_unjudged: usize,
    /// Files whose output is shorter and holds everything.
    pub exact: usize,
    /// Files with an omission.
    pub omitting: usize,
    /// Files that lost no fact.
    pub faithful: usize,
    /// Facts looked for.
    pub facts: usize,
    /// Seconds spent in the library, one core, token counts included.
    pub seconds: f64,
}

impl LevelScore {
    /// Share of the `before` tokens saved, in percent.
    pub fn saving(&self, before: usize) -> f64 {
        100.0 * (1.0 - self.tokens as f64 / before.max(1) as f64)
    }
}

/// A file whose output misses facts of its input.
#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    /// The file.
    pub name: String,
    /// `lossless` or `standard`.
    pub level: &'static str,
    /// How many facts are missing.
    pub count: usize,
    /// The first ones.
    pub missing: Vec<String>,
}

/// How many missing facts of a file are listed.
const LISTED: usize = 5;

/// Where to find texts, and how to run them.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only families and sets whose name contains this.
    pub kind: Option<String>,
    /// Pass each file's path as a hint, as `headroom compress FILE` does, instead of the command that the corpus names.
    pub as_files: bool,
}

/// Scores every text of the folders.
pub fn run(folders: &[&Path], options: &Options) -> Scoreboard {
    let engine = Engine::new(Store::memory());
    let mut families: BTreeMap<Family, Score> = BTreeMap::new();
    let mut sets: BTreeMap<String, Score> = BTreeMap::new();
    let (mut losses, mut files) = (Vec::new(), Vec::new());
    let wanted = |item: &Item| {
        options
            .kind
            .as_ref()
            .is_none_or(|kind| item.family.name().contains(kind.as_str()) || item.set.contains(kind.as_str()))
    };
    for item in folders.iter().flat_map(|folder| load(folder)).filter(wanted) {
        let tokens = Tokenizer::O200k.count(&item.text);
        let (lossless, _) = judge(&item, Level::Lossless, &engine, tokens, options, &mut losses);
        let (standard, kind) = judge(&item, Level::Standard, &engine, tokens, options, &mut losses);
        let family = families.entry(item.family).or_insert_with(|| named(item.family.name()));
        let set = sets.entry(item.set.clone()).or_insert_with(|| named(&item.set));
        for score in [family, set] {
            score.files += 1;
            score.bytes += item.text.len();
            score.tokens += tokens;
            add(&mut score.lossless, &lossless);
            add(&mut score.standard, &standard);
        }
        files.push(FileScore {
            family: item.family.name(),
            kind,
            tokens,
            lossless: lossless.tokens,
            standard: standard.tokens,
            name: item.name,
        });
    }
    files.sort_by(|a, b| (b.standard, &a.name).cmp(&(a.standard, &b.name)));
    Scoreboard { families: families.into_values().collect(), sets: sets.into_values().collect(), losses, files }
}

fn named(name: &str) -> Score {
    Score { name: name.to_owned(), ..Score::default() }
}

fn add(sum: &mut LevelScore, one: &LevelScore) {
    sum.tokens += one.tokens;
    sum.tokens_unjudged += one.tokens_unjudged;
    sum.exact += one.exact;
    sum.omitting += one.omitting;
    sum.faithful += one.faithful;
    sum.facts += one.facts;
    sum.seconds += one.seconds;
}

/// One file at one level, and what the library took it for.
fn judge(
    item: &Item,
    level: Level,
    engine: &Engine,
    tokens: usize,
    options: &Options,
    losses: &mut Vec<Loss>,
) -> (LevelScore, String) {
    let (result, time) = compressed(item, level, engine, options);
    let verdict = oracle::judge(item, &result, level);
    let mut score = LevelScore {
        tokens: result.tokens_after,
        tokens_unjudged: result.tokens_after,
        exact: usize::from(result.exact && result.tokens_after < tokens),
        omitting: usize::from(!result.exact),
        faithful: 1,
        facts: verdict.facts,
        seconds: time.as_secs_f64(),
    };
    if !verdict.missing.is_empty() {
        score.faithful = 0;
        score.tokens = tokens;
        losses.push(Loss {
            name: item.name.clone(),
            level: if level == Level::Lossless { "lossless" } else { "standard" },
            count: verdict.missing.len(),
            missing: verdict.missing.into_iter().take(LISTED).collect(),
        });
    }
    (score, result.kind.to_string())
}

fn compressed(item: &Item, level: Level, engine: &Engine, options: &Options) -> (TextResult, Duration) {
    // What a file of source code is, its name says.
    let hints = if options.as_files || item.family == Family::Code {
        Hints { path: Some(&item.name), ..Hints::NONE }
    } else {
        Hints {
            command: item.command.as_deref(),
            exit_code: item.exit_code,
            query: item.query.as_deref(),
            ..Hints::NONE
        }
    };
    let scope = Scope::default();
    let start = Instant::now();
    let result = compress_text(&item.text, hints, level, Some((engine, &scope)));
    (result, start.elapsed())
}
