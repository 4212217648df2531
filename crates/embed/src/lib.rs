//! The engine and the proxy inside another program: what the Python and TypeScript packages have in common.
//!
//! A [`Headroom`] is an engine on a store, with the settings it was opened with; a [`Proxy`] is `headroom proxy` inside this process.
//! Arguments are texts and numbers as a caller in another language has them, and every [`Error`] says what is wrong, where, and what to do.
//! The packages themselves only turn their language's values into these.
//!
//! ```
//! use headroom_embed::{Call, Headroom, Options, compress};
//!
//! let rows: Vec<_> = (0..200).map(|n| format!("{{\"id\": {n}, \"state\": \"running\", \"zone\": \"eu-1\"}}")).collect();
//! let json = format!("[{}]", rows.join(", "));
//! // Without a place to keep what is left out, nothing is.
//! assert!(compress(&json, &Call::default())?.exact);
//!
//! let headroom = Headroom::open(&Options { store: Some("memory".to_owned()), ..Options::default() })?;
//! let result = headroom.compress(&json, &Call::default())?;
//! let handle = result.handle.expect("rows are left out").to_string();
//! assert_eq!(headroom.retrieve(&handle, &Default::default())?, json);
//! # Ok::<(), headroom_embed::Error>(())
//! ```

mod body;
mod error;
mod library;
mod options;
mod proxy;
mod text;

pub use body::{Conversation, body};
pub use error::Error;
pub use headroom::{Kinds, Omission, TextResult, nearest, parse_line_range};
pub use library::{Address, Headroom, Prepared, Selection};
pub use options::{Options, Spelling};
pub use proxy::{Proxy, ProxyOptions, Targets};
pub use text::{Call, compress};
