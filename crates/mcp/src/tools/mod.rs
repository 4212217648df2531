//! The tools, one file each.

mod compress_command_output;
mod compress_file;
mod compress_rag_chunks;
mod retrieve_original_content;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;

use headroom::{Engine, Handle};
use headroom_store::Scope;
use serde_json::{Map, Value};

use crate::roots::Roots;

/// What a tool works with.
pub(crate) struct Workplace {
    pub(crate) engine: Engine,
    pub(crate) scope: Scope,
    pub(crate) roots: Arc<Roots>,
}

impl Workplace {
    /// The file at a path that a caller wrote, if it may be read.
    fn admit(&self, path: &str) -> Result<PathBuf, String> {
        self.roots.admit(std::path::Path::new(path))
    }
}

/// What a call gives.
pub(crate) struct Output {
    pub(crate) text: String,
    /// Where the rest is, if this is only the start.
    pub(crate) rest: Option<Rest>,
}

/// The whole of an output that was too long for one answer.
pub(crate) struct Rest {
    pub(crate) handle: Handle,
    /// Bytes of the whole.
    pub(crate) bytes: u64,
}

/// A tool as clients see it, and what it does.
pub(crate) struct ToolSpec {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// JSON schema of the arguments.
    pub(crate) schema: &'static str,
    /// Blocks; runs on a thread for that.
    pub(crate) run: fn(&Workplace, Map<String, Value>) -> Result<Output, String>,
}

/// The tool that reads originals back.
pub(crate) const RETRIEVE: ToolSpec = retrieve_original_content::SPEC;

/// Every tool, in the order that clients list them in.
pub(crate) static TOOLS: &[ToolSpec] =
    &[compress_file::SPEC, compress_command_output::SPEC, compress_rag_chunks::SPEC, retrieve_original_content::SPEC];
