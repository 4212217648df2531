//! An engine on a store, with the settings it was opened with.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headroom::{Answer, Engine, Handle, Policy, Query, TextResult};
use headroom_proxy::{Config, Running, Token, Upstreams, fresh_id, serve};
use headroom_store::{Scope, Store};
use serde_json::{Value, json};

use crate::body::{Conversation, body, parts};
use crate::proxy::{check_url, runtime};
use crate::text::compress_in;
use crate::{Call, Error, Options};

/// Time that requests under way get when their library is closed.
const DRAIN: Duration = Duration::from_secs(5);

/// The library with its store open. All methods may be called from any thread at once.
#[derive(Debug)]
pub struct Headroom {
    /// `None` when it has been closed.
    state: RwLock<Option<Arc<State>>>,
}

#[derive(Debug)]
struct State {
    engine: Engine,
    policy: Policy,
    scope: Scope,
    /// Proxies for wrapped clients, by the address their clients had.
    loopbacks: Mutex<HashMap<String, Loopback>>,
}

#[derive(Debug)]
struct Loopback {
    running: Running,
    address: Address,
}

/// Where a wrapped client sends its requests instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Base address, without a slash at its end.
    pub url: String,
    /// What every request has to carry in the header `x-headroom-token`: other programs of this machine cannot use the address.
    pub token: String,
}

/// What of an original is wanted; all of it by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these lines, from 1, both included.
    pub lines: Option<(usize, usize)>,
    /// Only lines that match this regular expression, each with its number.
    pub pattern: Option<String>,
    /// Only what this JSONPath selects, one value a line.
    pub json_path: Option<String>,
}

/// A conversation as it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The messages, as JSON.
    pub messages: String,
    /// The tools, as JSON, with ours where the model may ask for what was left out.
    pub tools: Option<String>,
    /// Whether the caller must answer calls of `retrieve_original_content`.
    pub tool_offered: bool,
    /// Under which [`Headroom::explain`] knows it.
    pub id: String,
    /// Tokens that the changed texts had.
    pub tokens_before: u64,
    /// Tokens that they have.
    pub tokens_after: u64,
}

impl Headroom {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// When a setting cannot be, or the store cannot be opened.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let policy = options.policy()?;
        Ok(Self::on(options.open_store()?, policy, options.scope()))
    }

    fn on(store: Store, policy: Policy, scope: Scope) -> Self {
        let state = State { engine: Engine::new(store), policy, scope, loopbacks: Mutex::default() };
        Self { state: RwLock::new(Some(Arc::new(state))) }
    }

    fn state(&self) -> Result<Arc<State>, Error> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || Error::Closed("this Headroom has been closed; open another one".to_owned());
        state.clone().ok_or_else(closed)
    }

    /// Makes a text shorter; what is left out is kept in the store, durably when this returns.
    ///
    /// # Errors
    ///
    /// When the kind or the level is unknown, or this has been closed.
    pub fn compress(&self, text: &str, call: &Call<'_>) -> Result<TextResult, Error> {
        let state = self.state()?;
        compress_in(Some((&state.engine, &state.scope)), &state.policy.kinds, text, call)
    }

    /// Prepares a conversation for its provider, the same way on every turn. A store that fails costs the savings, not the conversation.
    ///
    /// # Errors
    ///
    /// When the dialect is unknown, a part of the conversation is not what it should be, or this has been closed.
    pub fn prepare(&self, conversation: &Conversation<'_>) -> Result<Prepared, Error> {
        let state = self.state()?;
        let request = body(conversation)?;
        let mut outbound = state.engine.prepare(&state.scope, &request, &state.policy);
        let receipt = &mut outbound.receipt;
        receipt.id = fresh_id(now_ms());
        state.engine.close(&state.scope, receipt);
        let sent = outbound.body.as_deref().unwrap_or(request.body());
        let (messages, tools) = parts(&request, sent)
            .unwrap_or_else(|| (conversation.messages.to_owned(), conversation.tools.map(str::to_owned)));
        Ok(Prepared {
            messages,
            tools,
            tool_offered: receipt.tool_offered,
            id: receipt.id.clone(),
            tokens_before: receipt.tokens_before,
            tokens_after: receipt.tokens_after,
        })
    }

    /// What was left out, given back: all that is selected.
    ///
    /// # Errors
    ///
    /// When `handle` is no handle or names nothing here, the selection selects nothing, or the store cannot be read.
    pub fn retrieve(&self, handle: &str, selection: &Selection) -> Result<String, Error> {
        let state = self.state()?;
        let handle: Handle = handle.parse().map_err(|error| Error::Handle(format!("id: {error}")))?;
        if *selection == Selection::default() {
            return state.engine.original(&state.scope, handle)?.ok_or_else(|| not_kept(handle));
        }
        if !state.engine.store().contains(&state.scope, handle)? {
            return Err(not_kept(handle));
        }
        if selection.lines.is_some_and(|(first, last)| first == 0 || last < first) {
            return Err(Error::Config(
                "lines: they count from 1, and the first comes before the last, as in 120-180".to_owned(),
            ));
        }
        let query = Query {
            line_range: selection.lines,
            pattern: selection.pattern.clone(),
            json_path: selection.json_path.clone(),
            ..Query::whole(handle)
        };
        match state.engine.answer_in_full(&state.scope, &query) {
            Answer::Found { text, .. } => Ok(text),
            Answer::Miss { text } => Err(Error::Config(text)),
        }
    }

    /// What the model gets for its call of `retrieve_original_content` with these arguments, as JSON: a page of the original, or a
    /// sentence that says what to do instead.
    ///
    /// # Errors
    ///
    /// When this has been closed.
    pub fn answer(&self, arguments: &str) -> Result<String, Error> {
        let state = self.state()?;
        Ok(match Query::from_arguments(arguments) {
            Ok(query) => state.engine.answer(&state.scope, &query).text().to_owned(),
            Err(problem) => problem,
        })
    }

    /// How a request, or the text of a handle, was treated and why, as JSON: `request` has the receipt, or null where the text was
    /// compressed by itself; `original` says of a handle what is kept, and is null for a request id.
    ///
    /// # Errors
    ///
    /// When nothing here has this id or handle, or the store cannot be read.
    pub fn explain(&self, id: &str) -> Result<String, Error> {
        let state = self.state()?;
        let unknown = || {
            Error::Handle(format!(
                "id: this store knows no request and no original {id:?}; give a handle such as hr_4k2m9x7qw3, or the id of a request"
            ))
        };
        let (original, request) = match id.parse::<Handle>() {
            Ok(handle) => {
                let text = state.engine.original(&state.scope, handle)?.ok_or_else(unknown)?;
                let kept = json!({"handle": handle.to_string(), "bytes": text.len(), "lines": text.lines().count()});
                (kept, state.engine.receipt_naming(&state.scope, handle)?)
            }
            Err(_) => (Value::Null, Some(state.engine.receipt(&state.scope, id)?.ok_or_else(unknown)?)),
        };
        Ok(json!({"original": original, "request": request}).to_string())
    }

    /// Where a client that sends its requests to `upstream` is to send them instead, so that they pass through this library: a proxy inside
    /// this process, started when it is first asked for and stopped by [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// When `upstream` is no address, the proxy cannot be started, or this has been closed.
    pub fn loopback(&self, upstream: &str) -> Result<Address, Error> {
        let state = self.state()?;
        let upstream = check_url("base_url", upstream)?;
        let mut loopbacks = state.loopbacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loopback) = loopbacks.get(&upstream) {
            return Ok(loopback.address.clone());
        }
        let token = secret(state.engine.store(), &upstream);
        let mut config = Config::local(state.policy.clone());
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.upstreams =
            Upstreams { anthropic: upstream.clone(), openai: upstream.clone(), gemini: upstream.clone() };
        config.scope = state.scope.clone();
        config.token = Some(Token::new(token.clone()));
        config.drain_timeout = DRAIN;
        let running = runtime()?
            .block_on(serve(config, state.engine.clone()))
            .map_err(|error| Error::Proxy(error.to_string()))?;
        let address = Address { url: format!("http://{}", running.addr()), token };
        loopbacks.insert(upstream, Loopback { running, address: address.clone() });
        Ok(address)
    }

    /// Stops what was started and closes the store once calls under way have ended. Closing again does nothing.
    pub fn close(&self) {
        let state = self.state.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(state) = state else { return };
        let loopbacks = std::mem::take(&mut *state.loopbacks.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(runtime) = runtime() else { return };
        for loopback in loopbacks.into_values() {
            runtime.block_on(loopback.running.shutdown());
        }
    }
}

fn not_kept(handle: Handle) -> Error {
    Error::Handle(format!(
        "id: {handle} is not kept in this store; open the store it was kept in, or produce the text again"
    ))
}

/// A text nobody can guess who does not know the store's own secret.
fn secret(store: &Store, upstream: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let seed = format!("loopback {} {now} {upstream}", std::process::id());
    blake3::keyed_hash(store.handle_key().as_bytes(), seed.as_bytes()).to_hex().to_string()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
