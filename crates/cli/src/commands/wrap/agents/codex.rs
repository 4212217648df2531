//! Codex.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Obstacle, Own, Persist, Place, Recipe, Root, Route, Shape, Then, When, Wire,
};
use crate::config_file::Format;

const CONFIG: FileAt =
    FileAt { root: Root::Home("CODEX_HOME", ".codex"), names: &["config.toml"], format: Format::Toml };
const LOGIN: FileAt = FileAt { root: Root::Home("CODEX_HOME", ".codex"), names: &["auth.json"], format: Format::Json };
const MODE: Place = Place::File(LOGIN, &["auth_mode"]);

/// Read from the variable by older versions, from the option by newer ones; each ignores the other.
const CARRIERS: &[Carrier] =
    &[Carrier::Variable("OPENAI_BASE_URL"), Carrier::Option("-c", "openai_base_url=\"{url}\"")];
const OWN: &[Own] = &[
    Own { place: Place::File(CONFIG, &["openai_base_url"]), then: Then::Chain },
    Own { place: Place::Variable("OPENAI_BASE_URL"), then: Then::Chain },
];

pub(crate) const RECIPE: Recipe = Recipe {
    name: "codex",
    binaries: &["codex"],
    routes: &[
        Route {
            wire: Wire::OpenAi,
            tail: "",
            carriers: CARRIERS,
            own: OWN,
            // The login's tokens are good there only.
            usual: Some("https://chatgpt.com/backend-api/codex"),
            when: Some(When { place: MODE, begins: &["chatgpt"], except: &[], not: false }),
        },
        Route {
            wire: Wire::OpenAi,
            tail: "/v1",
            carriers: CARRIERS,
            own: OWN,
            usual: None,
            when: Some(When { place: MODE, begins: &["chatgpt"], except: &[], not: true }),
        },
    ],
    obstacles: &[
        Obstacle {
            when: When {
                place: Place::File(LOGIN, &["tokens", "access_token"]),
                begins: &[""],
                except: &[],
                not: false,
            },
            and: Some(When { place: MODE, begins: &[""], except: &[], not: true }),
            why: "auth.json is of an older version and does not say whether its login is ChatGPT's; log in again",
        },
        Obstacle {
            when: When {
                place: Place::File(CONFIG, &["model_provider"]),
                begins: &[""],
                except: &["openai"],
                not: false,
            },
            and: None,
            why: "config.toml chooses a model_provider; set that provider's base_url to the proxy by hand",
        },
        Obstacle {
            when: When {
                place: Place::File(CONFIG, &["cli_auth_credentials_store"]),
                begins: &["keyring", "auto"],
                except: &[],
                not: false,
            },
            and: None,
            why: "the login is in the system's keyring, so that the right upstream is not known",
        },
    ],
    keeps: &[],
    arguments: &[],
    persist: Some(Persist { file: CONFIG, keys: &[(&["openai_base_url"], "/v1", Wire::OpenAi)] }),
    mcp: McpEntry::File(CONFIG, &["mcp_servers"], Shape::Plain),
    address: Address::Extended,
    note: "API key and ChatGPT login pass, over WebSocket as over HTTP.",
    source: "github.com/openai/codex: model_provider_info.rs; developers.openai.com/codex: config-reference, mcp",
};
