//! Goose.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Own, Persist, Place, Recipe, Root, Route, Then, Wire,
};
use crate::config_file::Format;

const CONFIG: FileAt =
    FileAt { root: Root::Home("XDG_CONFIG_HOME", ".config"), names: &["goose/config.yaml"], format: Format::Yaml };

pub(crate) const RECIPE: Recipe = Recipe {
    name: "goose",
    binaries: &["goose"],
    routes: &[
        Route {
            wire: Wire::OpenAi,
            tail: "",
            carriers: &[Carrier::Variable("OPENAI_HOST")],
            own: &[
                Own { place: Place::Variable("OPENAI_HOST"), then: Then::Chain },
                Own { place: Place::File(CONFIG, &["OPENAI_HOST"]), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
        Route {
            wire: Wire::Anthropic,
            tail: "",
            carriers: &[Carrier::Variable("ANTHROPIC_HOST")],
            own: &[
                Own { place: Place::Variable("ANTHROPIC_HOST"), then: Then::Chain },
                Own { place: Place::File(CONFIG, &["ANTHROPIC_HOST"]), then: Then::Chain },
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
        keys: &[(&["OPENAI_HOST"], "", Wire::OpenAi), (&["ANTHROPIC_HOST"], "", Wire::Anthropic)],
    }),
    mcp: McpEntry::ByHand("run `goose configure`, Add Extension, Command-line Extension, command `{program} mcp`"),
    address: Address::Extended,
    note: "Its providers openai and anthropic pass; others go their own way.",
    source: "github.com/block/goose: crates/goose/src/providers/{openai,anthropic,api_client}.rs; block.github.io/goose: config-file",
};
