//! What is known of an agent: how it is pointed at the proxy, what it reads, what it loses, and where it cannot be helped.

use std::path::PathBuf;

use crate::config_file::Format;

/// One agent. Everything in it is from its public documentation or source, named in `source`.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Name on our command line.
    pub(crate) name: &'static str,
    /// Names of its executable, the usual one first. Empty: it is no program that we could start.
    pub(crate) binaries: &'static [&'static str],
    /// How its requests are led through the proxy, one for each provider format. Empty: they cannot be.
    pub(crate) routes: &'static [Route],
    /// What makes routes useless or harmful: the agent then runs as it is.
    pub(crate) obstacles: &'static [Obstacle],
    /// Variables that keep what a foreign address switches off; set only where they are not.
    pub(crate) keeps: &'static [(&'static str, &'static str)],
    /// Arguments without which the routes are not looked at.
    pub(crate) arguments: &'static [&'static str],
    /// Where `--persist` writes; `None`: by hand only.
    pub(crate) persist: Option<Persist>,
    /// Where it lists its MCP servers.
    pub(crate) mcp: McpEntry,
    /// Whether an address with a path before the agent's own is kept whole.
    pub(crate) address: Address,
    /// What a person should know: what passes, what does not, what to do instead.
    pub(crate) note: &'static str,
    /// Where these facts are from.
    pub(crate) source: &'static str,
}

/// What an agent makes of an address that has a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// It puts its own path behind: the address may say who asks, and in which source tree.
    Extended,
    /// It may replace the path, or nobody has looked: the address is the proxy's and nothing more.
    Bare,
}

/// Whose format the requests of a route have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI, or anything else that the proxy sends to its OpenAI upstream.
    OpenAi,
    /// Gemini.
    Gemini,
}

/// The routes of an agent that takes one address for whichever provider its user has chosen.
pub(crate) const fn one_address(
    carriers: &'static [Carrier],
    own: &'static [Own],
    anthropic: When,
    openai: When,
) -> [Route; 2] {
    [
        Route { wire: Wire::Anthropic, tail: "", carriers, own, usual: None, when: Some(anthropic) },
        Route { wire: Wire::OpenAi, tail: "/v1", carriers, own, usual: None, when: Some(openai) },
    ]
}

/// One way from the agent to a provider.
#[derive(Debug)]
pub(crate) struct Route {
    /// Format, and so which upstream of the proxy is meant.
    pub(crate) wire: Wire,
    /// What the agent expects after the address of a server: `/v1`, or nothing.
    pub(crate) tail: &'static str,
    /// Where the agent is told.
    pub(crate) carriers: &'static [Carrier],
    /// Where the user may have said an address already, strongest first.
    pub(crate) own: &'static [Own],
    /// Where the agent goes when nobody says anything, if that is not the provider of the format itself.
    pub(crate) usual: Option<&'static str>,
    /// Only under this condition.
    pub(crate) when: Option<When>,
}

/// How the agent is told an address. `{url}` stands for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carrier {
    /// A variable.
    Variable(&'static str),
    /// One more argument, before the user's.
    Argument(&'static str),
    /// Two more arguments.
    Option(&'static str, &'static str),
    /// A value at a path in a variable that holds JSON; what else it holds stays.
    JsonVariable(&'static str, &'static [&'static str]),
}

/// A place that can hold something the user said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// A variable.
    Variable(&'static str),
    /// A path in a file.
    File(FileAt, &'static [&'static str]),
}

/// A place where the user may have put an address, and what to do about one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    /// Where.
    pub(crate) place: Place,
    /// What then.
    pub(crate) then: Then,
}

/// What to do about an address that the user has set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// Our carriers are stronger: the proxy sends on to it.
    Chain,
    /// This carrier is stronger: the proxy sends on to it.
    ChainBy(Carrier),
}

/// A condition on what the user said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// Where it is said.
    pub(crate) place: Place,
    /// Beginnings of the value that fit. Nothing said fits none.
    pub(crate) begins: &'static [&'static str],
    /// Values that do not fit all the same.
    pub(crate) except: &'static [&'static str],
    /// Turns the condition around.
    pub(crate) not: bool,
}

/// Something that speaks against a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obstacle {
    /// When.
    pub(crate) when: When,
    /// And only when this holds too.
    pub(crate) and: Option<When>,
    /// Why, for the person at the terminal.
    pub(crate) why: &'static str,
}

/// Where a file is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileAt {
    /// Its folder.
    pub(crate) root: Root,
    /// Names in that folder; the first that exists is the one, else the first.
    pub(crate) names: &'static [&'static str],
    /// How it is written.
    pub(crate) format: Format,
}

/// Where a path starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Root {
    /// What this variable says, else this folder in the home directory.
    Home(&'static str, &'static str),
    /// The working directory.
    Here,
}

/// Where an address can be written down for good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Persist {
    /// Into which file.
    pub(crate) file: FileAt,
    /// At which paths, with what after the proxy's address, for which upstream.
    pub(crate) keys: &'static [(&'static [&'static str], &'static str, Wire)],
}

/// Where MCP servers are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum McpEntry {
    /// Under this path in this file, in this shape.
    File(FileAt, &'static [&'static str], Shape),
    /// In a file that we do not change; this is what to do, with `{program}` for the whole path of this one.
    ByHand(&'static str),
    /// The agent knows no MCP.
    None,
}

/// How an entry looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// `command` and `args`.
    Plain,
    /// The same and `"type": "stdio"`.
    Stdio,
    /// `command` is a list; `"type": "local"`, `"enabled": true`.
    OpenCode,
    /// `"type": "local"` and `"tools": ["*"]`.
    Copilot,
}

/// What the environment of this process says: variables, the home and the working directory.
pub(crate) struct Surroundings<'a> {
    /// Values of variables; empty ones count as unset.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The home directory.
    pub(crate) home: PathBuf,
    /// The working directory.
    pub(crate) here: PathBuf,
}

impl Surroundings<'_> {
    /// The file that the agent reads.
    pub(crate) fn file(&self, at: &FileAt) -> PathBuf {
        let folder = match at.root {
            Root::Here => self.here.clone(),
            Root::Home(variable, folder) => {
                let named = Some(variable).filter(|name| !name.is_empty()).and_then(|name| (self.variable)(name));
                named.map_or_else(|| self.home.join(folder), PathBuf::from)
            }
        };
        let mut paths = at.names.iter().map(|name| folder.join(name));
        let first = paths.next().unwrap_or_else(|| folder.clone());
        if first.exists() { first } else { paths.find(|path| path.exists()).unwrap_or(first) }
    }

    /// What is said at a place. A file that cannot be read or understood says nothing: nor does it to the agent.
    pub(crate) fn said(&self, place: &Place) -> Option<String> {
        match place {
            Place::Variable(name) => (self.variable)(name),
            Place::File(at, path) => {
                let bytes = std::fs::read(self.file(at)).ok()?;
                match crate::config_file::format::get(at.format, &bytes, path).ok()?? {
                    serde_json::Value::String(text) if text.is_empty() => None,
                    serde_json::Value::String(text) => Some(text),
                    serde_json::Value::Null => None,
                    other => Some(other.to_string()),
                }
            }
        }
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&self, when: &When) -> bool {
        let fits = self.said(&when.place).is_some_and(|value| {
            when.begins.iter().any(|begin| value.to_lowercase().starts_with(begin))
                && !when.except.contains(&value.as_str())
        });
        fits != when.not
    }
}

impl Recipe {
    /// What speaks against leading this agent through a proxy here.
    pub(crate) fn obstacle(&self, surroundings: &Surroundings<'_>) -> Option<&'static str> {
        let stands = |obstacle: &&Obstacle| {
            surroundings.holds(&obstacle.when) && obstacle.and.as_ref().is_none_or(|and| surroundings.holds(and))
        };
        self.obstacles.iter().find(stands).map(|obstacle| obstacle.why)
    }
}

/// The recipe of an executable.
pub(crate) fn of_program(program: &std::ffi::OsStr) -> Option<&'static Recipe> {
    let name = std::path::Path::new(program).file_stem()?.to_str()?;
    super::agents::ALL.iter().copied().find(|recipe| recipe.binaries.contains(&name))
}

/// The recipe of that name.
pub(crate) fn named(name: &str) -> Option<&'static Recipe> {
    super::agents::ALL.iter().copied().find(|recipe| recipe.name == name)
}
