//! Claude Code.

use crate::commands::wrap::recipe::{
    Carrier, FileAt, McpEntry, Obstacle, Own, Persist, Place, Recipe, Root, Route, Shape, Then, When, Wire,
};
use crate::config_file::Format;

/// The user's settings: variables and hooks.
pub(crate) const SETTINGS: FileAt =
    FileAt { root: Root::Home("CLAUDE_CONFIG_DIR", ".claude"), names: &["settings.json"], format: Format::Json };
const URL: &[&str] = &["env", "ANTHROPIC_BASE_URL"];

/// `env` in a settings file is put over the process's environment; settings given as an argument are put over that.
const STRONGER: Then = Then::ChainBy(Carrier::Option("--settings", "{\"env\":{\"ANTHROPIC_BASE_URL\":\"{url}\"}}"));

const fn project(name: &'static [&'static str]) -> Own {
    let file = FileAt { root: Root::Here, names: name, format: Format::Json };
    Own { place: Place::File(file, URL), then: STRONGER }
}

const fn cloud(variable: &'static str, why: &'static str) -> Obstacle {
    Obstacle {
        when: When { place: Place::Variable(variable), begins: &["1", "true", "yes", "on"], except: &[], not: false },
        and: None,
        why,
    }
}

pub(crate) const RECIPE: Recipe = Recipe {
    name: "claude",
    binaries: &["claude"],
    routes: &[Route {
        wire: Wire::Anthropic,
        tail: "",
        carriers: &[Carrier::Variable("ANTHROPIC_BASE_URL")],
        own: &[
            project(&[".claude/settings.local.json"]),
            project(&[".claude/settings.json"]),
            Own { place: Place::File(SETTINGS, URL), then: STRONGER },
            Own { place: Place::Variable("ANTHROPIC_BASE_URL"), then: Then::Chain },
        ],
        usual: None,
        when: None,
    }],
    obstacles: &[
        cloud("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_BEDROCK is set: requests go to Bedrock, not to this address"),
        cloud("CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_VERTEX is set: requests go to Vertex, not to this address"),
        cloud("CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CODE_USE_FOUNDRY is set: requests go to Foundry, not to this address"),
    ],
    // Tool search is off by default behind an address that is not Anthropic's; the proxy passes its blocks.
    keeps: &[("ENABLE_TOOL_SEARCH", "true")],
    arguments: &[],
    persist: Some(Persist { file: SETTINGS, keys: &[(URL, "", Wire::Anthropic)] }),
    mcp: McpEntry::File(
        FileAt { root: Root::Home("CLAUDE_CONFIG_DIR", ""), names: &[".claude.json"], format: Format::Json },
        &["mcpServers"],
        Shape::Stdio,
    ),
    note: "API key and subscription login both pass. Tool search stays on; remote control is off behind any foreign address.",
    source: "code.claude.com/docs: settings, env-vars, llm-gateway, mcp",
};
