//! Cline.

use crate::commands::wrap::recipe::{Address, FileAt, McpEntry, Recipe, Root, Shape};
use crate::config_file::Format;

pub(crate) const RECIPE: Recipe = Recipe {
    name: "cline",
    binaries: &["cline"],
    routes: &[],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::File(
        FileAt {
            root: Root::Home("CLINE_DIR", ".cline"),
            names: &["data/settings/cline_mcp_settings.json"],
            format: Format::Json,
        },
        &["mcpServers"],
        Shape::Plain,
    ),
    address: Address::Bare,
    note: "It keeps its address in its own storage, not in the environment: start `headroom proxy` and set Base URL in its provider settings to \
           http://127.0.0.1:8787 (Anthropic) or http://127.0.0.1:8787/v1 (OpenAI compatible), or use MCP. The entry is for the command line; \
           the editor's extension has its own list (MCP Servers, Configure).",
    source: "docs.cline.bot: provider-config, mcp/configuring-mcp-servers",
};
