//! OpenHands.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Obstacle, Own, Place, Recipe, Root, Route, Shape, Then, When, one_address,
};
use crate::config_file::Format;

const MODEL: Place = Place::Variable("LLM_MODEL");

const ROUTES: [Route; 2] = one_address(
    &[Carrier::Variable("LLM_BASE_URL")],
    &[Own { place: Place::Variable("LLM_BASE_URL"), then: Then::Chain }],
    When { place: MODEL, begins: &["anthropic/", "claude"], except: &[], not: false },
    When { place: MODEL, begins: &["openai/", "gpt"], except: &[], not: false },
);

pub(crate) const RECIPE: Recipe = Recipe {
    name: "openhands",
    binaries: &["openhands"],
    routes: &ROUTES,
    obstacles: &[Obstacle {
        when: When { place: MODEL, begins: &["anthropic/", "claude", "openai/", "gpt"], except: &[], not: true },
        and: None,
        why: "it takes an address from the environment only together with LLM_MODEL and LLM_API_KEY, \
              and LLM_MODEL must begin with openai/ or anthropic/",
    }],
    keeps: &[],
    // Without it the variables are not read at all.
    arguments: &["--override-with-envs"],
    persist: None,
    mcp: McpEntry::File(
        FileAt { root: Root::Home("", ".openhands"), names: &["mcp.json"], format: Format::Json },
        &["mcpServers"],
        Shape::Plain,
    ),
    address: Address::Extended,
    note: "Set LLM_MODEL and LLM_API_KEY: settings made inside OpenHands are not looked at under --override-with-envs.",
    source: "docs.openhands.dev: cli/command-reference, cli/mcp-servers; docs.litellm.ai: providers",
};
