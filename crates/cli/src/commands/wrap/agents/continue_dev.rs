//! Continue.

use crate::commands::wrap::recipe::{Address, McpEntry, Recipe};

pub(crate) const RECIPE: Recipe = Recipe {
    name: "continue",
    binaries: &["cn"],
    routes: &[],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::ByHand(
        "add to ~/.continue/config.yaml:\nmcpServers:\n  - name: headroom\n    command: \"{program}\"\n    args: [\"mcp\"]",
    ),
    address: Address::Bare,
    note: "Addresses stand with each model in its config.yaml: start `headroom proxy` and set apiBase of a model to http://127.0.0.1:8787/v1, \
           or use MCP.",
    source: "docs.continue.dev: reference (config.yaml), customize/deep-dives/mcp",
};
