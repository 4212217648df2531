//! What is known of each agent, as a table: `headroom wrap --list`, and `docs/agents.md`.

use super::agents;
use super::recipe::{Carrier, FileAt, McpEntry, Recipe, Root};

/// A Markdown table of all recipes.
pub(crate) fn table() -> String {
    let head = "| Agent | Mode | Told by | `--persist` writes | `mcp install` writes | What passes, what does not | Source |\n\
                |---|---|---|---|---|---|---|\n";
    let all = agents::ALL.iter().copied().chain([&agents::ANY]);
    all.map(row).fold(head.to_owned(), |table, row| table + &row)
}

fn row(recipe: &Recipe) -> String {
    let mode = if recipe.routes.is_empty() { "MCP only" } else { "proxy" };
    let mut told: Vec<String> = Vec::new();
    for carrier in recipe.routes.iter().flat_map(|route| route.carriers) {
        let text = match carrier {
            Carrier::Variable(name) | Carrier::JsonVariable(name, _) => format!("`{name}`"),
            Carrier::Argument(text) => format!("`{}`", text.replace("{url}", "URL")),
            Carrier::Option(flag, text) => format!("`{flag} {}`", text.replace("{url}", "URL")),
        };
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told.extend(recipe.keeps.iter().map(|(name, value)| format!("`{name}={value}`")));
    told.extend(recipe.arguments.iter().map(|argument| format!("`{argument}`")));
    let persist = recipe.persist.map_or_else(|| "-".to_owned(), |persist| place(&persist.file));
    let mcp = match recipe.mcp {
        McpEntry::File(at, ..) => place(&at),
        McpEntry::ByHand(_) => "says what to do".to_owned(),
        McpEntry::None => "-".to_owned(),
    };
    let told = if told.is_empty() { "-".to_owned() } else { told.join(", ") };
    let name = if recipe.name == "--" { "`wrap -- COMMAND`".to_owned() } else { recipe.name.to_owned() };
    format!("| {name} | {mode} | {told} | {persist} | {mcp} | {} | {} |\n", recipe.note, recipe.source)
}

fn place(at: &FileAt) -> String {
    match at.root {
        Root::Here => format!("`{}`", at.names[0]),
        Root::Home(_, "") => format!("`~/{}`", at.names[0]),
        Root::Home(_, folder) => format!("`~/{folder}/{}`", at.names[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_table_is_this_one() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/agents.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&table()), "put this into docs/agents.md:\n{}", table());
    }
}
