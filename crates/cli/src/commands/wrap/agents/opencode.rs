//! OpenCode.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Own, Persist, Place, Recipe, Root, Route, Shape, Then, Wire,
};
use crate::config_file::Format;

const CONFIG: FileAt = FileAt {
    root: Root::Home("XDG_CONFIG_HOME", ".config"),
    names: &["opencode/opencode.jsonc", "opencode/opencode.json", "opencode/config.json"],
    format: Format::Json,
};
const PROJECT: FileAt = FileAt { root: Root::Here, names: &["opencode.jsonc", "opencode.json"], format: Format::Json };
const ANTHROPIC: &[&str] = &["provider", "anthropic", "options", "baseURL"];
const OPENAI: &[&str] = &["provider", "openai", "options", "baseURL"];

/// The inline configuration is merged last.
const INLINE: &str = "OPENCODE_CONFIG_CONTENT";

pub(crate) const RECIPE: Recipe = Recipe {
    name: "opencode",
    binaries: &["opencode"],
    routes: &[
        Route {
            wire: Wire::Anthropic,
            tail: "/v1",
            carriers: &[Carrier::JsonVariable(INLINE, ANTHROPIC)],
            own: &[
                Own { place: Place::File(PROJECT, ANTHROPIC), then: Then::Chain },
                Own { place: Place::File(CONFIG, ANTHROPIC), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
        Route {
            wire: Wire::OpenAi,
            tail: "/v1",
            carriers: &[Carrier::JsonVariable(INLINE, OPENAI)],
            own: &[
                Own { place: Place::File(PROJECT, OPENAI), then: Then::Chain },
                Own { place: Place::File(CONFIG, OPENAI), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
    ],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: Some(Persist {
        file: CONFIG,
        keys: &[(ANTHROPIC, "/v1", Wire::Anthropic), (OPENAI, "/v1", Wire::OpenAi)],
    }),
    mcp: McpEntry::File(CONFIG, &["mcp"], Shape::OpenCode),
    address: Address::Extended,
    note: "Its providers anthropic and openai pass; others (zen, copilot, openrouter ...) go their own way, as do logins that plugins bring.",
    source: "opencode.ai/docs: config, providers, mcp-servers",
};
