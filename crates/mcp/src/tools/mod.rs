//! The tools, one file each.

mod compress_command_output;
mod compress_file;
mod compress_rag_chunks;
mod memory;
mod retrieve_original_content;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;

use headroom::memory::{Memory, Witness};
use headroom::{Engine, Handle, Kinds};
use headroom_store::Scope;
use serde_json::{Map, Value};

use crate::roots::Roots;

/// What a tool works with.
pub(crate) struct Workplace {
    pub(crate) engine: Engine,
    pub(crate) scope: Scope,
    /// Settings by kind of text.
    pub(crate) kinds: Kinds,
    pub(crate) roots: Arc<Roots>,
    /// What the client calls itself, as the agent that it belongs to.
    pub(crate) agent: String,
    /// The memory of the source tree that the client works in; `None` where that is not certain.
    pub(crate) memory: Option<Memory>,
    /// Who meets what is kept, and where.
    pub(crate) witness: Option<Witness>,
}

impl Workplace {
    /// Why a call is refused whose arguments hold a mark of ours: what they are to be made of is not there, and a mark in a note or in an original
    /// would send later readers to nothing.
    pub(crate) fn refusal(&self, given: &Map<String, Value>) -> Option<String> {
        let written = Value::Object(given.clone()).to_string();
        self.engine.marked(&self.scope, &written).map(|(_, refusal)| refusal)
    }

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

/// Whether a tool changes anything outside the client's reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only reads, but for originals that it keeps.
    Reads,
    /// The same, and its arguments may hold marks: they say what to read.
    ReadsMarks,
    /// It keeps or drops something that later sessions read.
    Writes,
}

/// A tool as clients see it, and what it does.
pub(crate) struct ToolSpec {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// JSON schema of the arguments.
    pub(crate) schema: &'static str,
    pub(crate) effect: Effect,
    /// Blocks; runs on a thread for that.
    pub(crate) run: fn(&Workplace, Map<String, Value>) -> Result<Output, String>,
}

/// The tool that reads originals back.
pub(crate) const RETRIEVE: ToolSpec = retrieve_original_content::SPEC;

/// Every tool, in the order that clients list them in.
pub(crate) static TOOLS: &[ToolSpec] = &[
    compress_file::SPEC,
    compress_command_output::SPEC,
    compress_rag_chunks::SPEC,
    retrieve_original_content::SPEC,
    memory::SEARCH,
    memory::REMEMBER,
    memory::RECALL,
    memory::FORGET,
];
