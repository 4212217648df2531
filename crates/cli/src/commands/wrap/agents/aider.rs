//! Aider.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Own, Persist, Place, Recipe, Root, Route, Then, Wire,
};
use crate::config_file::Format;

const HOME: FileAt = FileAt { root: Root::Home("", ""), names: &[".aider.conf.yml"], format: Format::Yaml };
const HERE: FileAt = FileAt { root: Root::Here, names: &[".aider.conf.yml"], format: Format::Yaml };
const KEY: &[&str] = &["openai-api-base"];

/// A configuration file beats the variable; an argument beats both.
const STRONGER: Then = Then::ChainBy(Carrier::Argument("--openai-api-base={url}"));

pub(crate) const RECIPE: Recipe = Recipe {
    name: "aider",
    binaries: &["aider"],
    routes: &[
        Route {
            wire: Wire::OpenAi,
            tail: "/v1",
            carriers: &[Carrier::Variable("OPENAI_API_BASE"), Carrier::Variable("OPENAI_BASE_URL")],
            own: &[
                Own { place: Place::File(HERE, KEY), then: STRONGER },
                Own { place: Place::File(HOME, KEY), then: STRONGER },
                Own { place: Place::Variable("AIDER_OPENAI_API_BASE"), then: STRONGER },
                Own { place: Place::Variable("OPENAI_API_BASE"), then: Then::Chain },
                Own { place: Place::Variable("OPENAI_BASE_URL"), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
        Route {
            wire: Wire::Anthropic,
            tail: "",
            carriers: &[Carrier::Variable("ANTHROPIC_API_BASE"), Carrier::Variable("ANTHROPIC_BASE_URL")],
            own: &[
                Own { place: Place::Variable("ANTHROPIC_API_BASE"), then: Then::Chain },
                Own { place: Place::Variable("ANTHROPIC_BASE_URL"), then: Then::Chain },
            ],
            usual: None,
            when: None,
        },
    ],
    obstacles: &[],
    keeps: &[],
    arguments: &[],
    persist: Some(Persist { file: HOME, keys: &[(KEY, "/v1", Wire::OpenAi)] }),
    mcp: McpEntry::None,
    address: Address::Extended,
    note: "OpenAI and Anthropic models pass; other providers go their own way. An address in a .env file that Aider loads wins over this one.",
    source: "aider.chat/docs: config/aider_conf, config/dotenv, llms/openai-compat; docs.litellm.ai: providers/anthropic",
};
