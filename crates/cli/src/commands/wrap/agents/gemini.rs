//! Gemini CLI.

use crate::commands::wrap::recipe::{
    Address, Carrier, FileAt, McpEntry, Obstacle, Own, Place, Recipe, Root, Route, Shape, Then, When, Wire,
};
use crate::config_file::Format;

const SETTINGS: FileAt = FileAt { root: Root::Home("", ".gemini"), names: &["settings.json"], format: Format::Json };

pub(crate) const RECIPE: Recipe = Recipe {
    name: "gemini",
    binaries: &["gemini"],
    routes: &[Route {
        wire: Wire::Gemini,
        tail: "",
        carriers: &[Carrier::Variable("GOOGLE_GEMINI_BASE_URL")],
        own: &[Own { place: Place::Variable("GOOGLE_GEMINI_BASE_URL"), then: Then::Chain }],
        usual: None,
        when: None,
    }],
    obstacles: &[
        Obstacle {
            when: When {
                place: Place::File(SETTINGS, &["security", "auth", "selectedType"]),
                begins: &["oauth", "vertex", "cloud-shell", "compute"],
                except: &[],
                not: false,
            },
            and: None,
            why: "the login in settings.json goes to an address of its own",
        },
        Obstacle {
            when: When { place: Place::Variable("GEMINI_API_KEY"), begins: &[""], except: &[], not: true },
            and: None,
            why: "only the API key login can be led elsewhere, and GEMINI_API_KEY is not set",
        },
        Obstacle {
            when: When {
                place: Place::Variable("GOOGLE_GENAI_USE_VERTEXAI"),
                begins: &["true"],
                except: &[],
                not: false,
            },
            and: None,
            why: "GOOGLE_GENAI_USE_VERTEXAI is set: requests go to Vertex",
        },
        Obstacle {
            when: When { place: Place::Variable("GOOGLE_GENAI_USE_GCA"), begins: &["true"], except: &[], not: false },
            and: None,
            why: "GOOGLE_GENAI_USE_GCA is set: requests go to Google's code assist",
        },
    ],
    keeps: &[],
    arguments: &[],
    persist: None,
    mcp: McpEntry::File(SETTINGS, &["mcpServers"], Shape::Plain),
    address: Address::Extended,
    note: "API key passes. Google login cannot be led elsewhere; use MCP there.",
    source: "github.com/google-gemini/gemini-cli: packages/core/src/core/contentGenerator.ts, docs/cli/configuration.md",
};
