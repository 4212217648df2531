//! Playing a session and judging what would have been sent.

use std::collections::{HashMap, HashSet};

use headroom::{Engine, Policy};
use headroom_core::{ContentHash, find_marks};
use headroom_store::Scope;
use headroom_tokens::Tokenizer;
use headroom_wire::parse_at;
use serde::Serialize;

use crate::blocks::{Block, BlockKind, blocks};
use crate::recall::{atoms, occurs, readable};
use crate::{PrefixCache, Prices, Session};

/// Output tokens of one retrieval call.
const RETRIEVAL_OUTPUT: f64 = 150.0;

/// What became of one session.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionReport {
    /// The session.
    pub id: String,
    /// Where it was recorded.
    pub source: String,
    /// The figures.
    #[serde(flatten)]
    pub report: Report,
}

/// Figures of one session, or summed over several.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Sessions summed.
    pub sessions: usize,
    /// Requests made.
    pub turns: usize,
    /// Input tokens of all requests, sent directly.
    pub tokens_direct: usize,
    /// Input tokens of all requests, as forwarded.
    pub tokens_ours: usize,
    /// Cost of the input sent directly, in uncached input tokens.
    pub cost_direct: f64,
    /// Cost of the input as forwarded.
    pub cost_ours: f64,
    /// Cost of fetching back each result of which something was used later that was not to be seen, and carrying it to the end.
    pub cost_fetched: f64,
    /// Turns whose forwarded blocks do not start with those of the turn before.
    pub prefix_violations: usize,
    /// Turns on which anything but the text of results changed.
    pub integrity_violations: usize,
    /// Things later turns used that only a tool result had said.
    pub atoms: usize,
    /// How many of them were still to be seen.
    pub atoms_visible: usize,
    /// Handles sent.
    pub handles: usize,
    /// Handles whose original could not be read back.
    pub handles_lost: usize,
    /// Sessions that cost more than sent directly.
    pub dearer: usize,
    /// The first few atoms that were not to be seen, with their turn.
    pub missing: Vec<String>,
}

impl Report {
    /// Cost as forwarded, fetches included, over the cost sent directly.
    pub fn net(&self) -> f64 {
        if self.cost_direct > 0.0 { (self.cost_ours + self.cost_fetched) / self.cost_direct } else { 1.0 }
    }

    /// Share of the atoms still to be seen; 1 when there were none.
    pub fn recall(&self) -> f64 {
        if self.atoms == 0 { 1.0 } else { self.atoms_visible as f64 / self.atoms as f64 }
    }

    fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.turns += other.turns;
        self.tokens_direct += other.tokens_direct;
        self.tokens_ours += other.tokens_ours;
        self.cost_direct += other.cost_direct;
        self.cost_ours += other.cost_ours;
        self.cost_fetched += other.cost_fetched;
        self.prefix_violations += other.prefix_violations;
        self.integrity_violations += other.integrity_violations;
        self.atoms += other.atoms;
        self.atoms_visible += other.atoms_visible;
        self.handles += other.handles;
        self.handles_lost += other.handles_lost;
        self.dearer += other.dearer;
        let room = 8_usize.saturating_sub(self.missing.len());
        self.missing.extend(other.missing.iter().take(room).cloned());
    }
}

/// The sum of several reports.
pub fn total<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Report {
    reports.into_iter().fold(Report::default(), |mut sum, report| {
        sum.add(report);
        sum
    })
}

/// Token counts by content, because every turn repeats the blocks of the one before.
pub(crate) struct Counts {
    tokenizer: Tokenizer,
    known: HashMap<ContentHash, usize>,
}

impl Counts {
    pub(crate) fn by(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, known: HashMap::new() }
    }

    pub(crate) fn of(&mut self, blocks: &[Block]) -> Vec<usize> {
        let Self { tokenizer, known } = self;
        let count =
            |block: &Block| *known.entry(ContentHash::of(&block.text)).or_insert_with(|| tokenizer.count(&block.text));
        blocks.iter().map(count).collect()
    }
}

/// Plays a session through `engine` under `policy`, as its agent would have sent it, and prices it.
///
/// The replay is open loop: the recorded model does not react to what it is sent. A thing it used that was not to be seen is
/// charged as one retrieval of the whole result, carried to the end.
pub fn replay(session: &Session, engine: &Engine, scope: &Scope, policy: &Policy, prices: &Prices) -> SessionReport {
    let mut report = Report { sessions: 1, ..Report::default() };
    let (mut direct_cache, mut our_cache) = (PrefixCache::default(), PrefixCache::default());
    let mut counts = Counts::by(Tokenizer::O200k);
    let mut before: Vec<ContentHash> = Vec::new();
    let mut results: Vec<Seen> = Vec::new();
    let mut words = String::new();
    let mut read_blocks = 0;
    let mut judged: HashSet<String> = HashSet::new();
    let mut handles = HashSet::new();
    let mut carried = 0.0;
    let listed = headroom::ledger::Prices::listed();
    let path = session.path();
    for turn in session.turns() {
        let body = session.request(turn);
        let direct = blocks(session.dialect, body.as_bytes());
        let request = parse_at(session.dialect, &path, body);
        let outbound = engine.prepare(scope, &request, policy);
        let ours = match &outbound.body {
            Some(body) => blocks(session.dialect, body),
            None => direct.clone(),
        };
        report.turns += 1;
        let (direct_counts, our_counts) = (counts.of(&direct), counts.of(&ours));
        report.tokens_direct += direct_counts.iter().sum::<usize>();
        report.tokens_ours += our_counts.iter().sum::<usize>();
        report.cost_direct += direct_cache.step(prices, &direct, &direct_counts).cost(prices);
        let bill = our_cache.step(prices, &ours, &our_counts);
        report.cost_ours += bill.cost(prices);
        // The engine learns what was billed, as it does in the proxy.
        let mut receipt = outbound.receipt;
        receipt.usage = Some(bill.usage(prices));
        if let Some(observed) = &outbound.observed {
            engine.settle(scope, observed, &mut receipt, &listed);
        }
        report.cost_fetched += prices.read * carried;
        let keys: Vec<_> = ours.iter().map(|block| block.key).collect();
        report.prefix_violations += usize::from(!keys.starts_with(&before));
        before = keys;
        report.integrity_violations += usize::from(!intact(&direct, &ours));
        for mark in
            ours.iter().filter(|block| block.kind == BlockKind::ToolResult).flat_map(|block| find_marks(&block.text))
        {
            handles.insert(mark.handle);
        }
        // What the model could know, and where from.
        let our_results: Vec<&Block> = ours.iter().filter(|block| block.kind == BlockKind::ToolResult).collect();
        for (block, count) in direct.iter().zip(&direct_counts).skip(read_blocks) {
            match block.kind {
                BlockKind::ToolResult => {
                    results.push(Seen { text: block.text.clone(), tokens: *count, fetched: false });
                }
                _ => {
                    words.push_str(&block.text);
                    words.push('\n');
                }
            }
        }
        read_blocks = direct.len();
        for atom in atoms(session.message(turn)) {
            if judged.contains(&atom) {
                continue;
            }
            let Some(source) = results.iter().rposition(|result| occurs(&atom, &result.text)) else { continue };
            judged.insert(atom.clone());
            if occurs(&atom, &words) {
                continue;
            }
            report.atoms += 1;
            let visible = ours.iter().any(|block| occurs(&atom, &block.text))
                || our_results.get(source).is_some_and(|result| readable(&atom, &result.text));
            report.atoms_visible += usize::from(visible);
            if visible {
                continue;
            }
            if report.missing.len() < 8 {
                report.missing.push(format!("{} turn {turn}: {atom}", session.id));
            }
            let result = &mut results[source];
            if !std::mem::replace(&mut result.fetched, true) {
                let context: usize = our_counts.iter().sum();
                report.cost_fetched += prices.read * context as f64
                    + prices.write * result.tokens as f64
                    + prices.output * RETRIEVAL_OUTPUT;
                carried += result.tokens as f64 + RETRIEVAL_OUTPUT;
            }
        }
    }
    let sent: HashSet<_> = handles.into_iter().collect();
    let known = |handle: &&headroom::Handle| engine.original(scope, **handle).is_ok_and(|original| original.is_some());
    report.handles = sent.len();
    report.handles_lost = report.handles - sent.iter().filter(known).count();
    report.dearer = usize::from(report.net() > 1.001);
    SessionReport { id: session.id.clone(), source: session.source.clone(), report }
}

/// A tool result as the client sent it.
struct Seen {
    text: String,
    tokens: usize,
    fetched: bool,
}

/// Whether nothing but the texts of results changed, and nothing but our tool was added.
fn intact(direct: &[Block], ours: &[Block]) -> bool {
    let tools = |blocks: &[Block]| blocks.iter().filter(|block| block.kind == BlockKind::Tool).count();
    let (direct_tools, our_tools) = (tools(direct), tools(ours));
    let added = our_tools.saturating_sub(direct_tools);
    let same = |(a, b): (&Block, &Block)| a.kind == b.kind && a.envelope == b.envelope;
    added <= 1
        && ours.len() == direct.len() + added
        && ours[..direct_tools].iter().zip(&direct[..direct_tools]).all(same)
        && ours[our_tools..].iter().zip(&direct[direct_tools..]).all(same)
}
