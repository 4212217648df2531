//! Qwen Code.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Obstacle, Own, Place, Recipe, Root, Route, Shape, Then, When, Wire,
};
use crate::config_file::Format;

const SETTINGS: FileAt = FileAt { root: Root::Home("", ".qwen"), names: &["settings.json"], format: Format::Json };

pub(crate) const RECIPE: Recipe = Recipe {
    name: "qwen",
    binaries: &["qwen"],
    routes: &[Route {
        wire: Wire::OpenAi,
        tail: "/v1",
        carriers: &[Carrier::Variable("OPENAI_BASE_URL"), Carrier::Argument("--openai-base-url={url}")],
        own: &[
            Own { place: Place::Variable("OPENAI_BASE_URL"), then: Then::Chain },
            Own { place: Place::File(SETTINGS, &["env", "OPENAI_BASE_URL"]), then: Then::Chain },
            Own { place: Place::File(SETTINGS, &["security", "auth", "baseUrl"]), then: Then::Chain },
        ],
        usual: None,
        when: None,
    }],
    obstacles: &[
        Obstacle {
            when: When { place: Place::File(SETTINGS, &["modelProviders"]), begins: &[""], except: &[], not: false },
            and: None,
            why: "settings.json lists modelProviders, whose addresses win; set their baseUrl to the proxy by hand",
        },
        Obstacle {
            when: When {
                place: Place::File(SETTINGS, &["security", "auth", "selectedType"]),
                begins: &["qwen-oauth", "anthropic", "gemini", "vertex", "copilot"],
                except: &[],
                not: false,
            },
            and: None,
            why: "the login in settings.json goes to an address of its own",
        },
        Obstacle {
            // Without an address of the user's, versions differ in where they go (OpenAI or DashScope).
            when: When { place: Place::Variable("OPENAI_API_KEY"), begins: &[""], except: &[], not: true },
            and: None,
            why: "OPENAI_API_KEY is not set, so that the provider is not known",
        },
    ],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::File(SETTINGS, &["mcpServers"], Shape::Plain),
    address: Address::Extended,
    note: "OpenAI-compatible keys pass; set OPENAI_BASE_URL where the key is not OpenAI's.",
    source: "github.com/QwenLM/qwen-code: docs/users/configuration/{model-providers,settings}.md",
};
