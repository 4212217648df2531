//! `headroom proxy` inside this process.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, OnceLock, PoisonError};

use headroom::{Engine, Policy};
use headroom_proxy::{Config, Running, Token, serve};
use tokio::runtime::Runtime;

use crate::options::one_of;
use crate::{Error, Options};

/// Where the requests of each provider's dialect go; `None` is the provider's own address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Anthropic Messages.
    pub anthropic: Option<String>,
    /// OpenAI and everything compatible.
    pub openai: Option<String>,
    /// Gemini.
    pub gemini: Option<String>,
}

impl Targets {
    /// One address for everything. A provider's own address is for its own dialect alone: another provider's keys must not go there.
    pub fn all(url: &str) -> Self {
        let is_at = |host: &str| url.split("//").nth(1).is_some_and(|rest| rest.split(['/', ':']).next() == Some(host));
        let url = || Some(url.to_owned());
        if is_at("api.anthropic.com") {
            Self { anthropic: url(), ..Self::default() }
        } else if is_at("api.openai.com") {
            Self { openai: url(), ..Self::default() }
        } else if is_at("generativelanguage.googleapis.com") {
            Self { gemini: url(), ..Self::default() }
        } else {
            Self { anthropic: url(), openai: url(), gemini: url() }
        }
    }
}

/// What a proxy is started with.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    /// Store and policy.
    pub options: Options,
    /// Where requests go.
    pub targets: Targets,
    /// Address to listen on; `127.0.0.1` by default.
    pub host: Option<String>,
    /// Port to listen on; 8787 by default, and 0 takes a free one.
    pub port: Option<u16>,
    /// What every request has to carry in `x-headroom-token`.
    pub token: Option<String>,
    /// Whether values that change in instructions and tools are kept from moving the prefix: `auto` or `off`, which is the default.
    pub align: Option<String>,
}

/// A proxy that can be started and stopped. All methods may be called from any thread at once.
#[derive(Debug)]
pub struct Proxy {
    options: Options,
    config: Config,
    running: Mutex<Option<Running>>,
}

impl Proxy {
    /// A proxy with these options, not yet started.
    ///
    /// # Errors
    ///
    /// When an option cannot be.
    pub fn new(options: &ProxyOptions) -> Result<Self, Error> {
        let mut policy: Policy = options.options.policy()?;
        if let Some(said) = &options.align {
            policy.align = one_of("align", said, &["auto", "off"])?;
        }
        let mut config = Config::local(policy);
        let host: IpAddr = match &options.host {
            None => config.listen.ip(),
            Some(host) => host
                .parse()
                .map_err(|_| Error::Config(format!("host: {host:?} is not an IP address; write 127.0.0.1")))?,
        };
        config.listen = SocketAddr::new(host, options.port.unwrap_or(config.listen.port()));
        let targets = &options.targets;
        for (own, said) in [
            (&mut config.upstreams.anthropic, &targets.anthropic),
            (&mut config.upstreams.openai, &targets.openai),
            (&mut config.upstreams.gemini, &targets.gemini),
        ] {
            if let Some(said) = said {
                *own = check_url("target", said)?;
            }
        }
        config.scope = options.options.scope();
        config.token = options.token.clone().map(Token::new);
        Ok(Self { options: options.options.clone(), config, running: Mutex::default() })
    }

    /// Opens the store and listens. A proxy that runs already goes on.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened or the address cannot be had.
    pub fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let engine = Engine::new(self.options.open_store()?);
            let started = runtime()?.block_on(serve(self.config.clone(), engine));
            *running = Some(started.map_err(|error| Error::Proxy(error.to_string()))?);
        }
        Ok(())
    }

    /// Lets requests under way finish, files their receipts, and closes the store. A proxy that does not run stays so.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(running), Ok(runtime)) = (running, runtime()) {
            runtime.block_on(running.shutdown());
        }
    }

    /// Its base address.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn url(&self) -> Result<String, Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref().ok_or_else(not_running)?;
        Ok(format!("http://{}", running.addr()))
    }

    /// What `GET /stats` says, as JSON, with the ledger of the last `hours` if they are given.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn stats(&self, hours: Option<u64>) -> Result<String, Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref().ok_or_else(not_running)?;
        let stats = runtime()?.block_on(running.stats(hours)).ok_or_else(not_running)?;
        Ok(stats.to_string())
    }
}

fn not_running() -> Error {
    Error::Closed("the proxy is not running; call start() first".to_owned())
}

/// A base address without a slash at its end.
pub(crate) fn check_url(name: &str, url: &str) -> Result<String, Error> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(Error::Config(format!("{name}: {url:?} is not an address; write https://api.anthropic.com"))),
    }
}

/// The threads that all proxies of this process run on; they end with the process.
pub(crate) fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let built = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.enable_all().thread_name("headroom").build().map_err(|error| error.to_string())
    });
    built.as_ref().map_err(|error| Error::Proxy(format!("cannot start threads for the proxy: {error}")))
}
