//! The HTTP proxy: between an agent and its provider, on this machine's port 8787.
//!
//! [`serve`] starts it. A request goes through `routes` (may it pass, and where to), `exchange` (one request, whole) and `relay`
//! (the answer, as it comes). What can go wrong with us costs savings, never the request: the worst answer is what the
//! provider says to the client's own bytes.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), headroom_proxy::ServeError> {
//! use headroom::{Engine, Mode, Policy};
//! use headroom_store::Store;
//!
//! let mut config = headroom_proxy::Config::local(Policy::of(Mode::Standard));
//! config.listen.set_port(0);
//! let running = headroom_proxy::serve(config, Engine::new(Store::memory())).await?;
//! println!("listening on {}", running.addr());
//! running.shutdown().await; // or running.until_signal().await
//! # Ok(())
//! # }
//! ```

mod access;
mod admin;
mod app;
mod body;
mod config;
mod converse;
mod exchange;
mod guard;
mod guarded;
mod headers;
mod memory_pages;
mod metrics;
mod passing;
mod prepare;
mod receipts;
mod refusal;
mod relay;
mod room;
mod routes;
mod serve;
#[cfg(feature = "otlp")]
mod telemetry;
mod timing;
mod upgrade;
mod upstream;
mod witness;

pub use config::{Config, Token, Upstreams};
pub use receipts::fresh_id;
pub use serve::{Running, ServeError, serve};
#[cfg(feature = "otlp")]
pub use telemetry::Export;
