//! Cursor.

use crate::commands::wrap::recipe::{Address, FileAt, McpEntry, Recipe, Root, Shape};
use crate::config_file::Format;

pub(crate) const RECIPE: Recipe = Recipe {
    name: "cursor",
    binaries: &["cursor-agent"],
    routes: &[],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::File(
        FileAt { root: Root::Home("", ".cursor"), names: &["mcp.json"], format: Format::Json },
        &["mcpServers"],
        Shape::Plain,
    ),
    address: Address::Bare,
    note: "Its own servers build the prompts and call the providers, also with a key of your own: nothing on this machine sees them. Use MCP.",
    source: "cursor.com/docs: context/mcp, settings/api-keys",
};
