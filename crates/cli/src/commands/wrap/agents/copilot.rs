//! GitHub Copilot CLI.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Obstacle, Own, Place, Recipe, Root, Route, Shape, Then, When, one_address,
};
use crate::config_file::Format;

const URL: Place = Place::Variable("COPILOT_PROVIDER_BASE_URL");
const KIND: Place = Place::Variable("COPILOT_PROVIDER_TYPE");

const ROUTES: [Route; 2] = one_address(
    &[Carrier::Variable("COPILOT_PROVIDER_BASE_URL")],
    &[Own { place: URL, then: Then::Chain }],
    When { place: KIND, begins: &["anthropic"], except: &[], not: false },
    When { place: KIND, begins: &["anthropic"], except: &[], not: true },
);

pub(crate) const RECIPE: Recipe = Recipe {
    name: "copilot",
    binaries: &["copilot"],
    routes: &ROUTES,
    obstacles: &[
        Obstacle {
            when: When { place: URL, begins: &[""], except: &[], not: true },
            and: None,
            why: "with a GitHub login its address is fixed; only a provider of your own (COPILOT_PROVIDER_BASE_URL) can be led through the proxy",
        },
        Obstacle {
            when: When { place: KIND, begins: &["azure"], except: &[], not: false },
            and: None,
            why: "COPILOT_PROVIDER_TYPE is azure, whose addresses the proxy does not know",
        },
    ],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::File(
        FileAt { root: Root::Home("COPILOT_HOME", ".copilot"), names: &["mcp-config.json"], format: Format::Json },
        &["mcpServers"],
        Shape::Copilot,
    ),
    address: Address::Extended,
    note: "Only a provider of your own passes; with a GitHub login use MCP.",
    source: "docs.github.com/copilot: customize-copilot/copilot-cli use-byok-models, add-mcp-servers",
};
