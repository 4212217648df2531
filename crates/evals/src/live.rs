//! An agent and a provider in one process, closed loop: each request goes through the engine as it does in the proxy, retrievals are answered and
//! billed, and what the same request would have cost directly is billed beside it.

use headroom::ledger::Prices as Table;
use headroom::{Engine, Policy, Query, Receipt, Usage};
use headroom_store::{Scope, Store};
use headroom_tokens::Tokenizer;
use headroom_wire::{Answer, Dialect, Limits, Request, Step, Turn, parse};
use serde_json::{Value, json};

use crate::blocks::blocks;
use crate::replay::Counts;
use crate::{PrefixCache, Prices};

/// Both sides, and the provider's two caches: that of what is forwarded, and that of what the client sent.
pub struct Live {
    /// The engine that the requests go through.
    pub engine: Engine,
    policy: Policy,
    table: Table,
    rates: Prices,
    tokenizer: Tokenizer,
    counts: Counts,
    ours: PrefixCache,
    direct: PrefixCache,
    requests: usize,
}

/// A request that was sent, and what came back.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its receipt, with what was billed.
    pub receipt: Receipt,
    /// What would have been billed without Headroom.
    pub direct: Usage,
    /// The body that arrived at the provider first.
    pub forwarded: Vec<u8>,
    /// Content blocks of the answer as the client sees it.
    pub content: Vec<Value>,
}

impl Live {
    /// An agent that speaks Anthropic Messages with a model, with an empty store. Tokens are counted as for that model everywhere.
    pub fn new(policy: Policy, model: &str) -> Self {
        let tokenizer = Tokenizer::for_model(model);
        Self {
            engine: Engine::new(Store::memory()),
            policy,
            table: Table::listed(),
            rates: Prices::ANTHROPIC_FROM_1024,
            tokenizer,
            counts: Counts::by(tokenizer),
            ours: PrefixCache::default(),
            direct: PrefixCache::default(),
            requests: 0,
        }
    }

    /// Sends a Messages request. `speak` is the model: it is shown what arrives and says content blocks.
    pub fn send(&mut self, body: String, speak: &mut dyn FnMut(&Request) -> Vec<Value>) -> Sent {
        let dialect = Dialect::AnthropicMessages;
        let scope = Scope::default();
        let mut direct = bill(&mut self.direct, &mut self.counts, &self.rates, body.as_bytes());
        let request = parse(dialect, body);
        let outbound = self.engine.prepare(&scope, &request, &self.policy);
        let forwarded = outbound.body.unwrap_or_else(|| request.body().to_vec());
        let limits = outbound.receipt.tool_offered.then(Limits::default);
        let mut turn = Turn::new(request, forwarded.clone().into(), limits);
        let mut receipt = outbound.receipt;
        self.requests += 1;
        receipt.id = format!("live-{}", self.requests);
        receipt.status = 200;
        let (mut billed, mut later) = (Usage::default(), Usage::default());
        let mut arrived = Some(forwarded.clone());
        let mut content = Vec::new();
        while let Some(body) = arrived.take() {
            let mut usage = bill(&mut self.ours, &mut self.counts, &self.rates, &body);
            let said = speak(&parse(dialect, body));
            usage.output_tokens = words(self.tokenizer, &said);
            billed += usage;
            if receipt.retrievals > 0 {
                later += usage;
            }
            let calls = said.iter().any(|block| block["type"] == "tool_use");
            let reason = if calls { "tool_use" } else { "end_turn" };
            let message = json!({"id": "msg", "type": "message", "role": "assistant", "content": said, "stop_reason": reason, "usage": {}});
            let mut steps = Vec::new();
            turn.whole(message.to_string().into(), &mut steps);
            while !steps.is_empty() {
                match steps.remove(0) {
                    Step::Answer(calls) => {
                        let answers: Vec<Answer> =
                            calls.iter().map(|call| self.answer(&scope, &call.arguments)).collect();
                        receipt.retrievals += u32::try_from(answers.len()).unwrap_or(u32::MAX);
                        turn.answer(&answers, &mut steps);
                    }
                    Step::Restore(handles) => turn.restore(&self.engine.written(&scope, &handles), &mut steps),
                    Step::Remember(exchange) => drop(self.engine.remember(&scope, &exchange)),
                    Step::Continue(body) => arrived = Some(body.to_vec()),
                    Step::Forward(bytes) => {
                        let shown: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                        content = shown["content"].as_array().cloned().unwrap_or_default();
                    }
                }
            }
        }
        direct.output_tokens = words(self.tokenizer, &content);
        (receipt.usage, receipt.retrieval_usage) = (Some(billed), later);
        if let Some(observed) = &outbound.observed {
            self.engine.settle(&scope, observed, &mut receipt, &self.table);
        }
        self.engine.close(&scope, &receipt);
        Sent { receipt, direct, forwarded, content }
    }

    fn answer(&self, scope: &Scope, arguments: &str) -> Answer {
        match Query::from_arguments(arguments) {
            Ok(query) => {
                let answer = self.engine.answer(scope, &query);
                Answer { text: answer.text().to_owned(), is_error: !answer.is_found() }
            }
            Err(text) => Answer { text, is_error: true },
        }
    }
}

/// What a provider bills for a body, without its answer.
fn bill(cache: &mut PrefixCache, counts: &mut Counts, rates: &Prices, body: &[u8]) -> Usage {
    let blocks = blocks(Dialect::AnthropicMessages, body);
    let tokens = counts.of(&blocks);
    cache.step(rates, &blocks, &tokens).usage(rates)
}

/// Tokens of what was said.
fn words(tokenizer: Tokenizer, content: &[Value]) -> u64 {
    let text = |block: &Value| block["text"].as_str().map_or_else(|| block["input"].to_string(), str::to_owned);
    content.iter().map(|block| tokenizer.count(&text(block)) as u64).sum()
}
