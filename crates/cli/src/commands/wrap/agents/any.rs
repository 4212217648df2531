//! Any command that reads the variables of the official SDKs.

use crate::commands::wrap::recipe::{Address, Carrier, McpEntry, Own, Place, Recipe, Route, Then, Wire};

pub(crate) const RECIPE: Recipe = Recipe {
    name: "--",
    binaries: &[],
    routes: &[
        Route {
            wire: Wire::Anthropic,
            tail: "",
            carriers: &[Carrier::Variable("ANTHROPIC_BASE_URL")],
            own: &[Own { place: Place::Variable("ANTHROPIC_BASE_URL"), then: Then::Chain }],
            usual: None,
            when: None,
        },
        Route {
            wire: Wire::OpenAi,
            tail: "/v1",
            carriers: &[Carrier::Variable("OPENAI_BASE_URL"), Carrier::Variable("OPENAI_API_BASE")],
            own: &[
                Own { place: Place::Variable("OPENAI_BASE_URL"), then: Then::Chain },
                Own { place: Place::Variable("OPENAI_API_BASE"), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
    ],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::None,
    address: Address::Bare,
    note: "Sees what the official SDKs send when no address is given in code.",
    source: "github.com/anthropics/anthropic-sdk-python, github.com/openai/openai-python: README",
};
