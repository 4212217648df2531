//! Which agent is at the other end, by what its clients call themselves. Data; from the agents' sources.

/// Names of agents, and how the names that their clients give begin: the `User-Agent` of their requests and the name that their MCP client
/// says. Compared without regard to case; the first that fits is the one.
const AGENTS: &[(&str, &[&str])] = &[
    (
        "claude",
        &["claude-cli", "claude-code", "claude code", "claudecode", "claude-ai", "claude-desktop", "claude-user"],
    ),
    ("codex", &["codex"]),
    ("gemini", &["geminicli", "gemini-cli", "gemini cli"]),
    ("qwen", &["qwencode", "qwen-code", "qwen-cli", "qwen code"]),
    ("opencode", &["opencode"]),
    ("cursor", &["cursor"]),
    ("cline", &["cline"]),
    ("roo", &["roocode", "roo-code", "roo code"]),
    ("continue", &["continue"]),
    ("copilot", &["githubcopilot", "github-copilot", "copilot", "visual studio code", "visual-studio-code"]),
    ("goose", &["goose"]),
    ("openhands", &["openhands"]),
    ("aider", &["aider"]),
    ("windsurf", &["windsurf"]),
    ("zed", &["zed"]),
];

/// Letters that a name may have in the address that a wrapped agent is given.
fn is_plain(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The agent behind a client's name for itself: one of those that are known, else the first word of the name. Empty for a client that
/// does not say who it is.
pub fn agent_of_client(client: &str) -> String {
    let lower = client.to_lowercase();
    let known = AGENTS.iter().find(|(_, begins)| begins.iter().any(|begin| lower.starts_with(begin)));
    match known {
        Some((name, _)) => (*name).to_owned(),
        None => client.split(['/', ' ', '(']).next().unwrap_or_default().chars().take(80).collect(),
    }
}

/// An agent's name as `headroom wrap` writes it into an address; `None` for what it would not write.
pub fn agent_named(name: &str) -> Option<String> {
    is_plain(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_how_their_names_begin() {
        for (client, agent) in [
            ("claude-cli/2.0.14 (external, cli)", "claude"),
            ("claude-code", "claude"),
            ("codex_cli_rs/0.46.0 (Debian 12; x86_64) xterm", "codex"),
            ("codex-tui/0.150.1 (Mac OS 26.5.0; arm64)", "codex"),
            ("codex-mcp-client", "codex"),
            ("GeminiCLI/0.8.2/gemini-2.5-pro (linux; x64)", "gemini"),
            ("gemini-cli-mcp-client", "gemini"),
            ("QwenCode/0.14.2 (linux; x64)", "qwen"),
            ("opencode/1.18.30 ai-sdk/provider-utils/3.0", "opencode"),
            ("cursor-vscode", "cursor"),
            ("Visual Studio Code", "copilot"),
            ("OpenAI/Python 1.99.0", "OpenAI"),
            ("my own client", "my"),
            ("", ""),
        ] {
            assert_eq!(agent_of_client(client), agent, "{client}");
        }
    }

    #[test]
    fn only_plain_names_stand_in_an_address() {
        assert_eq!(agent_named("claude").as_deref(), Some("claude"));
        for name in ["", "Claude", "a b", "../x", "a/b", "ä", &"a".repeat(33)] {
            assert_eq!(agent_named(name), None, "{name:?}");
        }
    }
}
