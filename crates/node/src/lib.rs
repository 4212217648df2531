//! The compiled half of the TypeScript package. Everything here turns values of JavaScript into calls of `headroom_embed` and back; what may wait for
//! the store or the network runs on Node's pool and gives a promise. What programs call is in `index.cjs`.

use std::sync::Arc;

use headroom_embed::{Call, Conversation, Error, Options, ProxyOptions, Selection, Spelling, Targets, TextResult};
use napi::bindgen_prelude::{AsyncTask, ToNapiValue, TypeName};
use napi::{Env, Task};
use napi_derive::napi;

/// The error with the name of its class in front, which `index.cjs` takes off again.
fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(format!("[{}] {error}", error.name()))
}

/// Work for Node's pool.
pub struct Job<T>(Option<Box<dyn FnOnce() -> Result<T, Error> + Send>>);

impl<T: Send + ToNapiValue + TypeName + 'static> Task for Job<T> {
    type Output = T;
    type JsValue = T;

    fn compute(&mut self) -> napi::Result<T> {
        let work = self.0.take().ok_or_else(|| napi::Error::from_reason("this work has been done"))?;
        work().map_err(|error| thrown(&error))
    }

    fn resolve(&mut self, _: Env, output: T) -> napi::Result<T> {
        Ok(output)
    }
}

fn later<T: Send + ToNapiValue + TypeName + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> AsyncTask<Job<T>> {
    AsyncTask::new(Job(Some(Box::new(work))))
}

/// A run of units that a compressed text does not show.
#[napi(object)]
pub struct Omission {
    /// `line`, `row`, `key`, `sentence` or `byte`.
    pub unit: String,
    /// The first unit left out, from 1.
    pub first: u32,
    /// The last unit left out.
    pub last: u32,
    /// How many are left out.
    pub count: u32,
    /// How many there were.
    pub total: u32,
}

/// A text and what became of it.
#[napi(object)]
pub struct CompressResult {
    /// The text to read; nothing where it is the one that was given.
    pub text: Option<String>,
    /// What it was found to be.
    pub kind: String,
    /// The compressor that was asked.
    pub compressor: Option<String>,
    /// Whether the text holds everything that the original holds.
    pub exact: bool,
    /// Tokens of the original.
    pub tokens_before: u32,
    /// Tokens of the text.
    pub tokens_after: u32,
    /// Where the original is, when something was left out.
    pub handle: Option<String>,
    /// What was left out.
    pub omissions: Vec<Omission>,
    /// Why, as a stable code.
    pub reason: String,
}

/// Counts fit: a JavaScript string is shorter than 2^32.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn result_of(given: &str, result: TextResult) -> CompressResult {
    let omission = |omission: &headroom_embed::Omission| Omission {
        unit: omission.unit().name(1).to_owned(),
        first: count(*omission.range().start()),
        last: count(*omission.range().end()),
        count: count(omission.count()),
        total: count(omission.total()),
    };
    CompressResult {
        omissions: result.omissions.iter().map(omission).collect(),
        kind: result.kind.to_string(),
        compressor: result.compressor.map(str::to_owned),
        exact: result.exact,
        tokens_before: count(result.tokens_before),
        tokens_after: count(result.tokens_after),
        handle: result.handle.map(|handle| handle.to_string()),
        reason: result.reason.code().to_owned(),
        text: (result.text != given).then_some(result.text),
    }
}

/// What is said about one text.
#[napi(object)]
#[derive(Default)]
pub struct TextOptions {
    /// What it is.
    pub kind: Option<String>,
    /// How far to go.
    pub level: Option<String>,
    /// What the reader is after.
    pub query: Option<String>,
    /// Tool that produced it.
    pub tool: Option<String>,
    /// Command line that produced it.
    pub command: Option<String>,
    /// File it was read from.
    pub path: Option<String>,
    /// Model whose tokens are counted.
    pub model: Option<String>,
}

impl TextOptions {
    fn call(&self) -> Call<'_> {
        Call {
            kind: self.kind.as_deref(),
            level: self.level.as_deref(),
            query: self.query.as_deref(),
            tool: self.tool.as_deref(),
            command: self.command.as_deref(),
            path: self.path.as_deref(),
            model: self.model.as_deref(),
        }
    }
}

/// One text, without a place to keep what is left out.
#[napi(catch_unwind)]
pub fn compress(text: String, options: TextOptions) -> napi::Result<CompressResult> {
    let result = headroom_embed::compress(&text, &options.call()).map_err(|error| thrown(&error))?;
    Ok(result_of(&text, result))
}

/// What a library or a proxy is opened with.
#[napi(object)]
pub struct Settings {
    /// The store.
    pub store: Option<String>,
    /// Whose its entries are.
    pub tenant: Option<String>,
    /// Which of the tenant's projects they belong to.
    pub project: Option<String>,
    /// Settings by kind of text, as JSON.
    pub compression_config: Option<String>,
    /// How much may be done.
    pub policy: Option<String>,
    /// When the retrieval tool is offered.
    pub retrieval: Option<String>,
    /// Another word for it.
    pub ccr_enabled: Option<bool>,
}

impl From<Settings> for Options {
    fn from(settings: Settings) -> Self {
        let Settings { store, tenant, project, compression_config, policy, retrieval, ccr_enabled } = settings;
        let spelling = Spelling::Camel;
        Self { store, tenant, project, compression_config, policy, retrieval, ccr_enabled, spelling }
    }
}

/// A conversation's parts, as JSON.
#[napi(object)]
pub struct ConversationParts {
    /// Name of the dialect.
    pub dialect: String,
    /// The messages.
    pub messages: String,
    /// Instructions outside the messages.
    pub system: Option<String>,
    /// The tools.
    pub tools: Option<String>,
    /// The model, not as JSON.
    pub model: Option<String>,
}

/// A conversation as it is to be sent.
#[napi(object)]
pub struct PreparedParts {
    /// The messages, as JSON.
    pub messages: String,
    /// The tools, as JSON.
    pub tools: Option<String>,
    /// Whether the caller must answer calls of our tool.
    pub tool_offered: bool,
    /// Name of the receipt.
    pub id: String,
    /// Tokens that the changed texts had.
    pub tokens_before: u32,
    /// Tokens that they have.
    pub tokens_after: u32,
}

/// Where a wrapped client sends its requests instead.
#[napi(object)]
pub struct Address {
    /// Base address.
    pub url: String,
    /// For the header `x-headroom-token`.
    pub token: String,
}

/// The engine on a store.
#[napi]
pub struct Library {
    headroom: Arc<headroom_embed::Headroom>,
}

#[napi]
impl Library {
    /// Opens the store.
    #[napi(constructor)]
    pub fn new(settings: Settings) -> napi::Result<Self> {
        let headroom = headroom_embed::Headroom::open(&settings.into()).map_err(|error| thrown(&error))?;
        Ok(Self { headroom: Arc::new(headroom) })
    }

    /// One text.
    #[napi(catch_unwind)]
    pub fn compress(&self, text: String, options: TextOptions) -> napi::Result<CompressResult> {
        let result = self.headroom.compress(&text, &options.call()).map_err(|error| thrown(&error))?;
        Ok(result_of(&text, result))
    }

    /// A conversation.
    #[napi]
    pub fn prepare(&self, parts: ConversationParts) -> AsyncTask<Job<PreparedParts>> {
        let headroom = Arc::clone(&self.headroom);
        later(move || {
            let conversation = Conversation {
                dialect: &parts.dialect,
                messages: &parts.messages,
                system: parts.system.as_deref(),
                tools: parts.tools.as_deref(),
                model: parts.model.as_deref(),
            };
            let prepared = headroom.prepare(&conversation)?;
            Ok(PreparedParts {
                messages: prepared.messages,
                tools: prepared.tools,
                tool_offered: prepared.tool_offered,
                id: prepared.id,
                tokens_before: u32::try_from(prepared.tokens_before).unwrap_or(u32::MAX),
                tokens_after: u32::try_from(prepared.tokens_after).unwrap_or(u32::MAX),
            })
        })
    }

    /// What was left out. `first` and `last` are lines.
    #[napi]
    pub fn retrieve(
        &self,
        handle: String,
        first: Option<u32>,
        last: Option<u32>,
        pattern: Option<String>,
        json_path: Option<String>,
    ) -> AsyncTask<Job<String>> {
        let headroom = Arc::clone(&self.headroom);
        let lines = first.zip(last).map(|(first, last)| (first as usize, last as usize));
        later(move || headroom.retrieve(&handle, &Selection { lines, pattern, json_path }))
    }

    /// What the model gets for its call.
    #[napi]
    pub fn answer(&self, arguments: String) -> AsyncTask<Job<String>> {
        let headroom = Arc::clone(&self.headroom);
        later(move || headroom.answer(&arguments))
    }

    /// How a request or a text was treated, as JSON.
    #[napi]
    pub fn explain(&self, id: String) -> AsyncTask<Job<String>> {
        let headroom = Arc::clone(&self.headroom);
        later(move || headroom.explain(&id))
    }

    /// The way through this library to an upstream. Takes a few milliseconds the first time, so that wrapping a client need not wait.
    #[napi(catch_unwind)]
    pub fn loopback(&self, upstream: String) -> napi::Result<Address> {
        let address = self.headroom.loopback(&upstream).map_err(|error| thrown(&error))?;
        Ok(Address { url: address.url, token: address.token })
    }

    /// Closes the store.
    #[napi]
    pub fn close(&self) -> AsyncTask<Job<()>> {
        let headroom = Arc::clone(&self.headroom);
        later(move || {
            headroom.close();
            Ok(())
        })
    }
}

/// Where a proxy sends requests and listens.
#[napi(object)]
pub struct ProxyParts {
    /// One address.
    pub target: Option<String>,
    /// For Anthropic.
    pub anthropic: Option<String>,
    /// For OpenAI.
    pub openai: Option<String>,
    /// For Gemini.
    pub gemini: Option<String>,
    /// Address to listen on.
    pub host: Option<String>,
    /// Port to listen on.
    pub port: Option<u16>,
    /// What requests have to carry.
    pub token: Option<String>,
    /// Whether values that change are kept from moving the prefix.
    pub align: Option<String>,
}

/// `headroom proxy` inside this process.
#[napi]
pub struct Proxy {
    proxy: Arc<headroom_embed::Proxy>,
}

#[napi]
impl Proxy {
    /// Not yet started.
    #[napi(constructor)]
    pub fn new(settings: Settings, parts: ProxyParts) -> napi::Result<Self> {
        let ProxyParts { target, anthropic, openai, gemini, host, port, token, align } = parts;
        let targets = target.as_deref().map_or(Targets { anthropic, openai, gemini }, Targets::all);
        let options = ProxyOptions { options: settings.into(), targets, host, port, token, align };
        let proxy = headroom_embed::Proxy::new(&options).map_err(|error| thrown(&error))?;
        Ok(Self { proxy: Arc::new(proxy) })
    }

    /// Opens the store and listens.
    #[napi]
    pub fn start(&self) -> AsyncTask<Job<()>> {
        let proxy = Arc::clone(&self.proxy);
        later(move || proxy.start())
    }

    /// Lets requests under way finish.
    #[napi]
    pub fn stop(&self) -> AsyncTask<Job<()>> {
        let proxy = Arc::clone(&self.proxy);
        later(move || {
            proxy.stop();
            Ok(())
        })
    }

    /// Its base address.
    #[napi]
    pub fn url(&self) -> napi::Result<String> {
        self.proxy.url().map_err(|error| thrown(&error))
    }

    /// What it did, as JSON.
    #[napi]
    pub fn stats(&self, hours: Option<u32>) -> AsyncTask<Job<String>> {
        let proxy = Arc::clone(&self.proxy);
        later(move || proxy.stats(hours.map(u64::from)))
    }
}

/// The known name that was probably meant.
#[napi]
pub fn nearest(given: String, known: Vec<String>) -> Option<String> {
    headroom_embed::nearest(&given, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Reads `FIRST-LAST` or one number.
#[napi]
pub fn parse_lines(lines: String) -> Option<Vec<u32>> {
    headroom_embed::parse_line_range(&lines).map(|(first, last)| vec![count(first), count(last)])
}
