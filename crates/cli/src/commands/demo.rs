//! `headroom demo`: a recorded session through the real proxy, to a provider that answers from the recording. Needs no key and no
//! network; everything listens on loopback and the store is in memory.

mod client;
mod debugging;
mod provider;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use headroom::{Engine, Mode, Policy, Receipt, Retrieval, Tokenizer};
use headroom_evals::{Session, parse_session};
use headroom_proxy::{Config, Upstreams, serve};
use headroom_store::{Scope, Store};
use serde::Serialize;

use crate::args::{Demo, DemoArgs};
use crate::error::CliError;
use crate::out;

/// The recording; `corpus/README.md` says where it is from.
const SESSION: &str = include_str!("../../../../corpus/sessions/demo.jsonl");

/// What the demo shows.
#[derive(Debug, Serialize)]
struct Shown {
    turns: usize,
    events_streamed: usize,
    tokens_direct: usize,
    tokens_forwarded: usize,
    saved_percent: f64,
    /// Tokens before and after at first sight, by compressor.
    by_compressor: BTreeMap<String, (u64, u64)>,
    retrieval: RetrievalShown,
}

/// The retrieval that the scripted model makes on the last turn.
#[derive(Debug, Serialize)]
struct RetrievalShown {
    handle: String,
    omitted: String,
    asked: String,
    /// First line of what the model got.
    answer: String,
    seen_by_client: bool,
    original_bytes: usize,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), CliError> {
    if args.which == Demo::Debugging {
        return debugging::run(args.json);
    }
    let session = parse_session(SESSION).map_err(CliError::Failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::while_doing("cannot start worker threads"))?;
    let shown = runtime.block_on(play(&session))?;
    if args.json { out::json(&shown) } else { print(&session, &shown) }
}

async fn play(session: &Session) -> Result<Shown, CliError> {
    let engine = Engine::new(Store::memory());
    let provider = provider::start(session).await?;
    let base = format!("http://{}", provider.addr);
    let policy = Policy { retrieval: Retrieval::Always, ..Policy::of(Mode::Standard) };
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        upstreams: Upstreams { anthropic: base.clone(), openai: base.clone(), gemini: base },
        ..Config::local(policy)
    };
    let proxy = serve(config, engine.clone()).await.map_err(|error| CliError::Failed(error.to_string()))?;
    let client = client::Client::new(proxy.addr())?;
    let mut events_streamed = 0;
    let mut last = String::new();
    let turns: Vec<usize> = session.turns().collect();
    for turn in &turns {
        last = client.send(session.request(*turn)).await?;
        events_streamed += last.matches("event: ").count();
    }
    proxy.shutdown().await;
    let asked =
        provider.asked().ok_or_else(|| CliError::Failed("the scripted model found nothing to retrieve".to_owned()))?;
    let scope = Scope::default();
    let original = engine.original(&scope, asked.handle).map_err(CliError::while_doing("cannot read the store"))?;
    let original = original.ok_or_else(|| CliError::Failed(format!("{} gave nothing back", asked.handle)))?;
    let (tokens_direct, tokens_forwarded) = (provider.count(session, &turns), provider.tokens_received());
    let receipts = engine.receipts(&scope, 0).map_err(CliError::while_doing("cannot read the store"))?;
    Ok(Shown {
        turns: turns.len(),
        events_streamed,
        tokens_direct,
        tokens_forwarded,
        saved_percent: 100.0 * (1.0 - tokens_forwarded as f64 / tokens_direct.max(1) as f64),
        by_compressor: by_compressor(&receipts),
        retrieval: RetrievalShown {
            handle: asked.handle.to_string(),
            omitted: asked.trailer,
            asked: asked.arguments,
            answer: asked.answer.lines().next().unwrap_or_default().to_owned(),
            seen_by_client: last.contains("retrieve_original_content"),
            original_bytes: original.len(),
        },
    })
}

/// What each compressor did at first sight.
fn by_compressor(receipts: &[Receipt]) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::new();
    let slots = receipts.iter().flat_map(|receipt| &receipt.slots);
    for slot in slots.filter(|slot| slot.fresh && !slot.compressor.is_empty()) {
        let sum: &mut (u64, u64) = sums.entry(slot.compressor.clone()).or_default();
        sum.0 += slot.tokens_before;
        sum.1 += slot.tokens_after;
    }
    sums
}

fn print(session: &Session, shown: &Shown) -> Result<(), CliError> {
    let Shown { turns, events_streamed, tokens_direct, tokens_forwarded, saved_percent, by_compressor, retrieval } =
        shown;
    out::line(&format!("session     {} ({})", session.id, session.source))?;
    out::line(&format!("requests    {turns}, streamed: {events_streamed} events came through"))?;
    out::line(&format!(
        "input       {tokens_direct} tokens sent directly, {tokens_forwarded} through the proxy ({saved_percent:.1} % less; {})",
        Tokenizer::O200k.name()
    ))?;
    for (compressor, (before, after)) in by_compressor {
        out::line(&format!("  {compressor:9} {before} -> {after} tokens at first sight"))?;
    }
    out::line(&format!("left out    {}", retrieval.omitted))?;
    out::line(&format!("asked back  {}", retrieval.asked))?;
    out::line(&format!("answered    {}", retrieval.answer))?;
    let hidden = if retrieval.seen_by_client {
        "reached the client"
    } else {
        "stayed inside the proxy; the client saw one unbroken answer"
    };
    out::line(&format!("the call    {hidden}"))?;
    out::line(&format!("original    {} bytes, redeemed whole from {}", retrieval.original_bytes, retrieval.handle))
}
