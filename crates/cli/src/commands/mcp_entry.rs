//! `headroom mcp install` and `headroom mcp uninstall`

use serde_json::{Value, json};

use super::wrap::recipe::{McpEntry, Shape};
use super::wrap::{known, persist, surroundings};
use crate::args::InstallArgs;
use crate::config_file::journal::{self, Edit};
use crate::error::CliError;
use crate::out;

pub(crate) fn install(args: &InstallArgs) -> Result<(), CliError> {
    let InstallArgs { agent, yes } = args;
    let recipe = known(agent)?;
    // The whole path: agents started by an editor or a service have another PATH.
    let program = std::env::current_exe().map_err(CliError::while_doing("cannot find this program"))?;
    let (at, path, shape) = match recipe.mcp {
        McpEntry::File(at, path, shape) => (at, path, shape),
        McpEntry::ByHand(how) => return out::line(&how.replace("{program}", &program.to_string_lossy())),
        McpEntry::None => return Err(CliError::Usage(format!("{agent} knows no MCP servers"))),
    };
    let path = path.iter().copied().chain(["headroom"]).map(str::to_owned).collect();
    let edit = Edit { path, value: entry(shape, &program.to_string_lossy()), element: false };
    let change = journal::plan(&surroundings()?.file(&at), at.format, vec![edit]);
    let change = change.map_err(|error| CliError::Failed(error.to_string()))?;
    persist::make(change, &format!("{}.mcp", recipe.name), *yes)
}

pub(crate) fn uninstall(agent: &str) -> Result<(), CliError> {
    persist::undo(known(agent)?, "mcp")
}

fn entry(shape: Shape, program: &str) -> Value {
    match shape {
        Shape::Plain => json!({"command": program, "args": ["mcp"]}),
        Shape::Stdio => json!({"type": "stdio", "command": program, "args": ["mcp"]}),
        Shape::OpenCode => json!({"type": "local", "command": [program, "mcp"], "enabled": true}),
        Shape::Copilot => json!({"type": "local", "command": program, "args": ["mcp"], "tools": ["*"]}),
    }
}
