//! The session that everybody has had: a service fails, its log of 200 KB is pasted, and an agent looks for the reason over fifty requests.
//!
//! Everything is made here, the same on every machine: the log, the agent's steps, the clock in its instructions. The requests go through the engine as
//! they do in the proxy, the model asks for parts of what was left out, and both bills are computed from the list prices.

use std::collections::BTreeMap;

use headroom::ledger::{Ledger, Price, Prices as Table};
use headroom::{Align, Mode, Policy, Receipt};
use headroom_core::find_marks;
use headroom_wire::{Dialect, Request, TOOL_NAME, parse};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Live, Sent};

/// Requests of the session.
pub const REQUESTS: usize = 50;

/// Bytes of the log, about.
const LOG_BYTES: usize = 200_000;

/// The model whose prices are used.
const MODEL: &str = "claude-sonnet-4-5";

/// Steps at which the model asks for a part of what was left out, and what it asks for.
const ASKED: [(usize, &str, &str); 4] = [
    (3, "line_range", "600-640"),
    (9, "pattern", "config\\.reload"),
    (22, "pattern", "pool exhausted"),
    (31, "line_range", "1180-1210"),
];

/// The step at which the agent reads the log's file although the log was pasted.
const READ_AGAIN: usize = 18;

/// What the session cost and showed.
#[derive(Clone, Debug, Serialize)]
pub struct Debugging {
    /// Requests made by the agent.
    pub requests: usize,
    /// Bytes and lines of the log.
    pub log_bytes: usize,
    /// Its lines.
    pub log_lines: usize,
    /// The model whose list prices are used, and their date.
    pub model: String,
    /// Date of the prices.
    pub prices_as_of: String,
    /// Dollars billed, retrieval rounds included.
    pub cost: f64,
    /// Dollars for the same requests sent directly.
    pub direct: f64,
    /// Dollars for the same requests sent directly by an agent without a clock in its instructions.
    pub direct_without_clock: f64,
    /// Share of the direct cost that was saved, from 0 to 1.
    pub saved_share: f64,
    /// Dollars of `cost` for the rounds that answered retrievals.
    pub retrieval_cost: f64,
    /// Retrievals answered.
    pub retrievals: u32,
    /// Retrievals that found nothing.
    pub retrieval_misses: u32,
    /// Dollars that alignment saved, as the ledger states it.
    pub aligned: f64,
    /// Dollars that the ledger states for the direct requests; `direct` is computed apart from it.
    pub stated_direct: f64,
    /// Lines of errors in the log.
    pub error_lines: usize,
    /// How many of them stand in the pasted log as the last request carries it: perhaps written shorter, each in a line of its own.
    pub error_lines_inline: usize,
    /// Whether the line with the reason does.
    pub root_cause_inline: bool,
    /// Tokens of the log as pasted, and as sent.
    pub log_tokens: (u64, u64),
    /// Billed input tokens by class, directly and as forwarded.
    pub billed: BTreeMap<String, (u64, u64)>,
}

/// A log with a reason in it.
#[derive(Clone, Debug)]
pub struct Log {
    /// The text.
    pub text: String,
    /// Every line of an error, with the name of the request that it is about, which stands in no other line.
    pub errors: Vec<(String, String)>,
    /// The line that says why.
    pub root_cause: String,
}

/// Numbers that look like chance and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The log of a payment service whose connection pool was made too small by a change of its configuration.
pub fn log() -> Log {
    let mut dice = Dice(20_261_123);
    let mut log = Log { text: String::with_capacity(LOG_BYTES + 4096), errors: Vec::new(), root_cause: String::new() };
    let mut ms: u64 = 8 * 3_600_000 + 14 * 60_000;
    let mut line_number = 0_u64;
    while log.text.len() < LOG_BYTES {
        line_number += 1;
        ms += 40 + dice.roll(900);
        let time =
            format!("2026-11-23T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        if line_number == 612 {
            log.root_cause =
                format!("{time} WARN  config.reload applied revision 7f3c91: db.pool.max_size 64 -> 4 (by deploy-bot)");
            log.text.push_str(&log.root_cause);
            log.text.push('\n');
            continue;
        }
        // From the change on, somebody waits for a connection in vain now and then.
        let fails = line_number > 640 && dice.roll(70) == 0;
        let line = if fails { failure(&time, &mut dice, &mut log.errors) } else { routine(&time, &mut dice) };
        log.text.push_str(&line);
        log.text.push('\n');
    }
    log
}

fn routine(time: &str, dice: &mut Dice) -> String {
    let request = format!("req-{:08x}", dice.roll(1 << 32));
    let (worker, took) = (dice.roll(8), 3 + dice.roll(180));
    match dice.roll(10) {
        0..=3 => format!("{time} INFO  http.server worker-{worker} {request} POST /v1/charges 201 {took}ms"),
        4 | 5 => format!(
            "{time} INFO  http.server worker-{worker} {request} GET /v1/charges/{} 200 {took}ms",
            dice.roll(90_000)
        ),
        6 => format!(
            "{time} DEBUG ledger.writer {request} appended entry {} in {}us",
            400_000 + dice.roll(90_000),
            took * 11
        ),
        7 => format!("{time} INFO  webhook.sender {request} delivered event charge.succeeded attempt=1 {took}ms"),
        8 => format!("{time} DEBUG db.pool {request} connection {} lent for {took}ms", dice.roll(64)),
        _ => format!("{time} INFO  health.check ok queue={} heap={}MB", dice.roll(40), 300 + dice.roll(200)),
    }
}

/// What fails when there is no connection, each part of the service in its own words.
fn failure(time: &str, dice: &mut Dice, errors: &mut Vec<(String, String)>) -> String {
    let request = format!("req-{:08x}", dice.roll(1 << 32));
    let (number, kind) = (dice.roll(90_000), dice.roll(5));
    let line = match kind {
        0 => format!(
            "{time} ERROR db.pool {request} pool exhausted: no connection within 5000ms (active=4 idle=0 waiting={})",
            20 + dice.roll(60)
        ),
        1 => format!("{time} ERROR http.server worker-{} {request} POST /v1/charges 503 5003ms", dice.roll(8)),
        2 => format!("{time} ERROR ledger.writer {request} entry {number} was not appended: connection unavailable"),
        3 => format!("{time} ERROR webhook.sender {request} gave up on event charge.pending after attempt=5"),
        _ => format!("{time} ERROR charges.service {request} charge {number} is left pending"),
    };
    errors.push((line.clone(), request));
    if kind < 4 {
        return line;
    }
    let frames = [
        ("db.Pool.borrow", "Pool.java", 214),
        ("charges.ChargeRepository.save", "ChargeRepository.java", 88),
        ("charges.ChargeService.create", "ChargeService.java", 41),
        ("http.ChargeHandler.handle", "ChargeHandler.java", 63),
    ];
    let frames = frames.map(|(method, file, line)| format!("\n\tat com.example.payments.{method}({file}:{line})"));
    format!("{line}\ncom.example.payments.PoolExhaustedException: no connection within 5000ms{}", frames.concat())
}

/// What the agent's tools say, by step.
fn result(step: usize, log: &Log) -> (String, String) {
    if step == READ_AGAIN {
        return ("cat /var/log/payments/service.log".to_owned(), log.text.clone());
    }
    let mut dice = Dice(step as u64 + 7);
    match step % 6 {
        0 => {
            let row = |n: usize| {
                format!("payments-{:05x}-{n}   1/1   Running   {}   {}h\n", dice.roll(1 << 20), n % 3, 5 + n)
            };
            let rows: String = (0..14).map(row).collect();
            (
                format!("kubectl get pods -n payments # {step}"),
                format!("NAME   READY   STATUS   RESTARTS   AGE\n{rows}"),
            )
        }
        1 => {
            let hits: Vec<&str> = log.errors.iter().skip(step % 7).take(4).map(|(line, _)| line.as_str()).collect();
            (format!("grep -n ERROR service.log | sed -n {step},{}p", step + 6), hits.join("\n"))
        }
        2 => {
            let row = |n: usize| {
                format!("{{\"minute\": \"08:{n:02}\", \"p99_ms\": {}, \"errors\": {}}}", 90 + n * 31 % 700, n % 9)
            };
            let rows: Vec<String> = (10..40).map(row).collect();
            (format!("metrics query latency --step {step} --json"), format!("[{}]", rows.join(", ")))
        }
        3 => {
            let keys: String = (0..24).map(|n| format!("service.option_{n}: {}\n", (n * 37 + step) % 100)).collect();
            (format!("cat /etc/payments/part_{step}.yaml"), format!("{keys}db.pool.max_size: 4\n"))
        }
        4 => (
            format!("date; uptime # {step}"),
            format!(" 10:{step:02}:00 up 41 days, load average: 0.{step:02}, 0.31, 0.28\n"),
        ),
        _ => {
            let commits: String =
                (0..9).map(|n| format!("{:07x} Tune option {n} of part {step}\n", dice.roll(1 << 28))).collect();
            (format!("git log --oneline -9 -- deploy/part_{step}"), commits)
        }
    }
}

/// Plays the session and adds it up.
pub fn play() -> Debugging {
    let log = log();
    let mut live = Live::new(Policy { align: Align::Auto, ..Policy::of(Mode::Standard) }, MODEL);
    let mut still = Live::new(Policy::of(Mode::Off), MODEL);
    let paste = format!("Charges fail since this morning. Find out why; do not restart anything.\n\n{}", log.text);
    let mut messages = vec![json!({"role": "user", "content": paste})];
    let (mut sent, mut without_clock): (Vec<Sent>, Vec<Sent>) = (Vec::new(), Vec::new());
    for step in 0..REQUESTS {
        let mut asked = false;
        let speak = &mut |request: &Request| say(step, request, &log, &mut asked);
        let one =
            live.send(body(&messages, &format!("2026-11-23T10:{:02}:{:02}Z", step * 41 / 60, step * 41 % 60)), speak);
        let said = one.content.clone();
        without_clock.push(still.send(body(&messages, "no clock"), &mut |_| said.clone()));
        messages.push(json!({"role": "assistant", "content": one.content}));
        let results: Vec<Value> = one
            .content
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": result(step, &log).1}))
            .collect();
        messages.push(json!({"role": "user", "content": results}));
        sent.push(one);
    }
    add_up(&log, &sent, &without_clock)
}

/// What the model says at a step: once in a while it asks for a part of the log first.
fn say(step: usize, request: &Request, log: &Log, asked: &mut bool) -> Vec<Value> {
    let wants = ASKED.iter().find(|(at, ..)| *at == step);
    if let Some((_, key, value)) = wants.filter(|_| !*asked && request.has_retrieval_tool())
        && let Some(mark) = request.slots().first().and_then(|slot| find_marks(slot.text()).last())
    {
        *asked = true;
        let input = json!({"content_id": mark.handle.to_string(), *key: value});
        let text = "I want to see that part of the log itself. ";
        return vec![
            json!({"type": "text", "text": text}),
            json!({"type": "tool_use", "id": format!("toolu_look_{step}"), "name": TOOL_NAME, "input": input}),
        ];
    }
    if step + 1 == REQUESTS {
        let text = "Revision 7f3c91 made the connection pool smaller: db.pool.max_size went from 64 to 4, and since then charges wait for a connection \
                    until they fail. Put it back to 64 and reload.";
        return vec![json!({"type": "text", "text": text})];
    }
    let (command, _) = result(step, log);
    let text = format!("Step {step}: the pool is the suspect; I check what else speaks for it before I say so.");
    vec![
        json!({"type": "text", "text": text}),
        json!({"type": "tool_use", "id": format!("toolu_{step}"), "name": "Bash", "input": {"command": command}}),
    ]
}

/// A request as a coding agent sends it: instructions with the time, cache markers on them and on the last two user messages.
fn body(messages: &[Value], time: &str) -> String {
    let rules =
        "Work in small steps. Say what you expect before you look. Change nothing without being asked. ".repeat(60);
    let system = format!("You are an on-call engineer's assistant.\nCurrent time: {time}\n{rules}");
    let tool = |name: &str, about: &str| json!({"name": name, "description": about.repeat(12), "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}});
    let tools = [
        tool("Bash", "Runs a command in a shell and returns what it prints. "),
        tool("Read", "Reads a file of this machine and returns its lines. "),
        tool("Grep", "Searches files for a regular expression and returns the lines. "),
    ];
    let marker = json!({"type": "ephemeral"});
    let mut messages = messages.to_vec();
    for message in messages.iter_mut().rev().filter(|message| message["role"] == "user").take(2) {
        match &mut message["content"] {
            Value::Array(parts) => {
                if let Some(last) = parts.last_mut() {
                    last["cache_control"] = marker.clone();
                }
            }
            text => *text = json!([{"type": "text", "text": text.clone(), "cache_control": marker}]),
        }
    }
    // Written out, so that the members stand where clients put them.
    format!(
        "{{\"model\":\"{MODEL}\",\"max_tokens\":8192,\"system\":{},\"tools\":{},\"messages\":{}}}",
        json!([{"type": "text", "text": system, "cache_control": marker}]),
        json!(tools),
        json!(messages)
    )
}

fn add_up(log: &Log, sent: &[Sent], without_clock: &[Sent]) -> Debugging {
    let table = Table::listed();
    let price = table.of_model(MODEL).copied().unwrap_or(Price {
        input: 0.0,
        read: 0.0,
        write: 0.0,
        write_1h: 0.0,
        output: 0.0,
    });
    let receipts: Vec<Receipt> = sent.iter().map(|one| one.receipt.clone()).collect();
    let cost: f64 = receipts.iter().filter_map(|receipt| receipt.usage).map(|usage| price.of(&usage)).sum();
    let direct: f64 = sent.iter().map(|one| price.of(&one.direct)).sum();
    let ledger = Ledger::of(&receipts, &table);
    let last = parse(Dialect::AnthropicMessages, sent.last().map(|one| one.forwarded.clone()).unwrap_or_default());
    let seen = last.slots().first().map_or("", |slot| slot.text());
    let pasted = receipts.first().and_then(|receipt| receipt.slots.first());
    let class = |name: &str, pick: fn(&headroom::Usage) -> u64| {
        let directly = sent.iter().map(|one| pick(&one.direct)).sum();
        let forwarded = receipts.iter().filter_map(|receipt| receipt.usage).map(|usage| pick(&usage)).sum();
        (name.to_owned(), (directly, forwarded))
    };
    Debugging {
        requests: sent.len(),
        log_bytes: log.text.len(),
        log_lines: log.text.lines().count(),
        model: MODEL.to_owned(),
        prices_as_of: table.as_of().to_owned(),
        cost,
        direct,
        direct_without_clock: without_clock.iter().map(|one| price.of(&one.direct)).sum(),
        saved_share: 1.0 - cost / direct,
        retrieval_cost: receipts.iter().map(|receipt| price.of(&receipt.retrieval_usage)).sum(),
        retrievals: receipts.iter().map(|receipt| receipt.retrievals).sum(),
        retrieval_misses: receipts.iter().map(|receipt| receipt.retrieval_misses).sum(),
        aligned: ledger.total.money.aligned,
        stated_direct: ledger.total.money.direct_cost,
        error_lines: log.errors.len(),
        error_lines_inline: log.errors.iter().filter(|(_, request)| seen.contains(request)).count(),
        root_cause_inline: seen.lines().any(|line| line == log.root_cause),
        log_tokens: pasted.map_or((0, 0), |slot| (slot.tokens_before, slot.tokens_after)),
        billed: BTreeMap::from([
            class("cache read", |usage| usage.cache_read_tokens),
            class("cache write", |usage| usage.cache_write_tokens),
            class("input", |usage| usage.input_tokens),
            class("output", |usage| usage.output_tokens),
        ]),
    }
}
