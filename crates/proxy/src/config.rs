//! What the proxy needs to be told.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use headroom::Policy;
use headroom::ledger::Prices;
use headroom_store::Scope;
use headroom_wire::Dialect;

/// Everything that shapes a running proxy. Start from [`Config::local`] and change what differs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where requests go.
    pub upstreams: Upstreams,
    /// What the engine may do to them.
    pub policy: Policy,
    /// Whose originals, renderings and receipts they are.
    pub scope: Scope,
    /// What tokens cost, for the ledger.
    pub prices: Prices,
    /// What `/readyz` says of this configuration, so that others can tell whether it is the one they want. Holds no secret.
    pub identity: String,
    /// The user's home directory. A repository that is all of it is no workspace.
    pub home: Option<PathBuf>,
    /// What every request has to carry in `x-headroom-token`, if there are no grants; it allows everything. This or grants are required to
    /// listen beyond this machine.
    pub token: Option<Token>,
    /// Whether every request has to carry the secret of a grant in `x-headroom-token`, or `token`.
    pub grants: bool,
    /// Further names under which the proxy may be addressed, without port. `localhost` and loopback addresses always may.
    pub allowed_hosts: Vec<String>,
    /// Bytes of a request body that are read. A larger one is passed on unread; one that only grows larger when it is decoded is
    /// refused with 413, because nobody sends that in good faith.
    pub max_body_bytes: usize,
    /// Bytes of request bodies that are held at once, all requests together. What finds no room is passed on unread. With its
    /// decoded form, its index and its new body a request takes about three times its length.
    pub held_bytes: usize,
    /// Where spans and metrics go; nowhere by default.
    #[cfg(feature = "otlp")]
    pub export: crate::Export,
    /// Time to connect to the provider, and for its answer where a connection is to become a WebSocket.
    pub connect_timeout: Duration,
    /// Time in which the provider may send nothing at all. Longer than any client waits: clients decide, not the proxy.
    pub idle_timeout: Duration,
    /// Time in which a client may send nothing of a body it has announced.
    pub body_timeout: Duration,
    /// Time that requests under way get to finish when the proxy stops.
    pub drain_timeout: Duration,
}

impl Config {
    /// One user on one machine: loopback only, port 8787, the providers' own addresses.
    pub fn local(policy: Policy) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            upstreams: Upstreams {
                anthropic: "https://api.anthropic.com".to_owned(),
                openai: "https://api.openai.com".to_owned(),
                gemini: "https://generativelanguage.googleapis.com".to_owned(),
            },
            policy,
            scope: Scope::default(),
            prices: Prices::listed(),
            identity: String::new(),
            home: None,
            token: None,
            grants: false,
            allowed_hosts: Vec::new(),
            max_body_bytes: 64 << 20,
            held_bytes: 256 << 20,
            #[cfg(feature = "otlp")]
            export: crate::Export::default(),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(30 * 60),
            body_timeout: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Base addresses of the providers, without a trailing slash; a path in them is put before the request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstreams {
    /// Anthropic Messages and everything beside it.
    pub anthropic: String,
    /// OpenAI and everything compatible.
    pub openai: String,
    /// Gemini, at Google AI or at Vertex AI.
    pub gemini: String,
}

impl Upstreams {
    /// The base address for a dialect.
    pub(crate) fn of(&self, dialect: Dialect) -> &str {
        match dialect {
            Dialect::AnthropicMessages => &self.anthropic,
            Dialect::Gemini => &self.gemini,
            _ => &self.openai,
        }
    }
}

/// A shared secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `given` is the token. Takes the same time wherever they differ.
    pub(crate) fn matches(&self, given: &[u8]) -> bool {
        let own = self.0.as_bytes();
        own.len() == given.len() && own.iter().zip(given).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
