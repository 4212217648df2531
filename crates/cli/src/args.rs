//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use headroom::Kind;

/// Everything an agent reads, shorter, without losing anything.
#[derive(Debug, Parser)]
#[command(name = "headroom", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Configuration file [default: headroom/config.toml in the user's configuration directory]
    #[arg(long, global = true, value_name = "FILE", env = "HEADROOM_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// SQLite file that keeps originals, `postgres://...`, or `memory`
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) store: Option<String>,

    /// Settings by kind of text, as JSON: {"json": {"threshold": 1000}}
    #[arg(long, global = true, value_name = "JSON")]
    pub(crate) compression: Option<String>,

    /// What is logged to stderr: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// How a command says on stderr why it failed: as a sentence, or as one JSON object with a code
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORM")]
    pub(crate) errors: Errors,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How failures are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Errors {
    /// A sentence
    Text,
    /// {"code": "not-found", "exit": 3, "message": "..."}
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the HTTP proxy
    Proxy(ProxyArgs),
    /// Run an agent, or any command, with its requests led through the proxy
    Wrap(WrapArgs),
    /// Take back what `wrap --persist` wrote
    Unwrap(AgentArgs),
    /// Serve compression and retrieval to an MCP client
    Mcp(McpArgs),
    /// Run a command and print its output shortened
    Run(RunArgs),
    /// Shorten what an agent's own tools return, through the agent's hooks
    Hook(HookArgs),
    /// Compress one text and print it
    Compress(CompressArgs),
    /// Print the request body that the proxy would forward for the one on stdin
    Request(RequestArgs),
    /// Print the original of a handle
    Get(GetArgs),
    /// What agents have met and noted in this source tree
    Memory(MemoryArgs),
    /// Tokens for those who may use this proxy and its store
    Token(TokenArgs),
    /// Play recorded sessions through the engine and price them
    Replay(ReplayArgs),
    /// Show what was saved
    Stats(StatsArgs),
    /// Show what Headroom would have made of the conversations that agents keep on this machine
    Audit(AuditArgs),
    /// Say how a request, or the text of a handle, was treated and why
    Explain(ExplainArgs),
    /// Say why one request was sent as it was: each decision, what its client changed, what the cache missed, and what that cost
    Why(WhyArgs),
    /// Print what was sent of a request against what came in, text by text
    Diff(DiffArgs),
    /// Show what the running proxy does, as it does it
    Top(TopArgs),
    /// Ask the running proxy whether it serves: exit code 0 if it does
    Healthcheck(HealthcheckArgs),
    /// Check the installation and each agent's way to the proxy, and say what to do next
    Doctor(DoctorArgs),
    /// Keep the proxy running in the background: a unit of systemd, or an agent of launchd
    Service(ServiceArgs),
    /// Print every file and folder that Headroom uses
    Paths(JsonArgs),
    /// Play a session without any key: a recorded one through the real proxy, or `debugging`, fifty requests about a log of 200 KB
    Demo(DemoArgs),
    /// Show or check the configuration
    Config(ConfigArgs),
    /// Print what makes a shell complete this command's arguments
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Address to listen on; anything but loopback needs a token
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// How much may be done: off, meter, lossless, standard
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Where Anthropic requests are sent
    #[arg(long, value_name = "URL")]
    pub(crate) anthropic_upstream: Option<String>,
    /// Where OpenAI requests are sent
    #[arg(long, value_name = "URL")]
    pub(crate) openai_upstream: Option<String>,
    /// Where Gemini requests are sent
    #[arg(long, value_name = "URL")]
    pub(crate) gemini_upstream: Option<String>,
    /// Secret that clients must send in x-headroom-token
    #[arg(long, value_name = "SECRET")]
    pub(crate) token: Option<String>,
    /// When the retrieval tool is added to a conversation's tools: auto, always, never
    #[arg(long, value_name = "WHEN")]
    pub(crate) retrieval: Option<String>,
    /// Whether large payloads pasted into user text are compressed: on, off
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) user_text: Option<String>,
    /// Whether values that change on every request are kept from moving what caches hold: auto, off
    #[arg(long, value_name = "WHEN")]
    pub(crate) align: Option<String>,
    /// Announce the address in this folder, and stop when no lease in it is good
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(crate) while_leased: Option<PathBuf>,
    /// Go on in a process that belongs to nobody
    #[arg(long, hide = true)]
    pub(crate) detach: bool,
}

/// The agent runs as itself: its exit code, signals and terminal are its own. Nothing is written unless --persist is given. An address that you have
/// set yourself becomes the proxy's upstream. If anything is in the way, the agent runs without Headroom and stderr says why.
#[derive(Debug, Args)]
pub(crate) struct WrapArgs {
    /// claude, codex, gemini, opencode, aider, qwen, goose, openhands, copilot, cursor, cline, continue
    #[arg(required_unless_present_any = ["command", "list"])]
    pub(crate) agent: Option<String>,
    /// Arguments for the agent; without an agent, the command to run
    #[arg(last = true)]
    pub(crate) command: Vec<OsString>,
    /// Write the proxy's address into the agent's configuration file instead of running it; needs a standing `headroom proxy`
    #[arg(long, requires = "agent")]
    pub(crate) persist: bool,
    /// Do not ask before writing
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what is known of each agent
    #[arg(long)]
    pub(crate) list: bool,
    /// How much may be done: off, meter, lossless, standard
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
}

/// Into whose settings an entry goes.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The agent
    pub(crate) agent: String,
    /// Do not ask before writing
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Out of whose settings an entry is taken.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// The agent
    pub(crate) agent: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McpAction {
    /// Enter this server in an agent's list of MCP servers
    Install(InstallArgs),
    /// Take the entry back
    Uninstall(AgentArgs),
    /// Run another MCP server (stdio) and shorten what its tools return
    Wrap {
        /// The server and its arguments
        #[arg(last = true, required = true, value_name = "SERVER")]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct McpArgs {
    #[command(subcommand)]
    pub(crate) action: Option<McpAction>,
    /// Serve streamable HTTP at http://ADDRESS/mcp instead of stdin and stdout; loopback only
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<std::net::SocketAddr>,
    /// Directory below which files may be read when the client names no roots; may be given several times [default: the
    /// working directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) root: Vec<PathBuf>,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Only encodings that hold everything
    Lossless,
    /// Comments and documentation of programs may be left out too; the original is kept
    Light,
    /// Whole units may be left out; the original is kept
    Standard,
}

/// On a terminal the last line of output is shown while the command runs. Output that goes into a pipe or a file passes as it is, unless
/// --always is given. Exit code and signals are the command's own.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Shorten output that goes into a pipe or a file too
    #[arg(long)]
    pub(crate) always: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// The hook is told what a tool returned and gives it back shorter. Commands, permissions, pipes and exit codes are never touched. What
/// was left out is read back with `headroom get`, or with the MCP server.
#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    pub(crate) action: HookAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookAction {
    /// Enter the hook in an agent's settings
    Install(HookInstallArgs),
    /// Take the entry back
    Uninstall(AgentArgs),
    /// What the agent runs: its event on stdin, the answer on stdout
    #[command(hide = true)]
    PostToolUse,
    /// The same before a tool runs
    #[command(hide = true)]
    PreToolUse,
}

#[derive(Debug, Args)]
pub(crate) struct HookInstallArgs {
    #[command(flatten)]
    pub(crate) into: InstallArgs,
    /// Also stand before tools that write or run something, and refuse a call that holds one of our marks
    #[arg(long)]
    pub(crate) guard: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompressArgs {
    /// File to compress; `-` is stdin
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// What the text is: json, log, code:python, ...; found out when not given
    #[arg(long)]
    pub(crate) kind: Option<Kind>,
    /// Tool that produced it
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// Command line that produced it
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// Exit code of that command
    #[arg(long, value_name = "CODE")]
    pub(crate) exit: Option<i32>,
    /// What you are looking for, in words: names of functions that stay whole, the subject of a text
    #[arg(long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
    /// How far to go
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) level: Level,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Provider format: anthropic, openai, openai-responses, gemini
    #[arg(long)]
    pub(crate) dialect: String,
    /// How much may be done: off, meter, lossless, standard
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The handle, as it stands in the text
    pub(crate) handle: String,
    /// Only these lines, from 1: `120-180`
    #[arg(long, value_name = "A-B")]
    pub(crate) lines: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE")]
    pub(crate) pattern: Option<String>,
    /// Only what this JSONPath selects
    #[arg(long, value_name = "PATH")]
    pub(crate) json_path: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token and print it; it is shown this once
    Create {
        /// The name it is managed by
        name: String,
        /// Whose requests they are [default: the name]
        #[arg(long)]
        user: Option<String>,
        /// What it allows, with commas between: proxy, retrieve, stats, admin
        #[arg(long, default_value = "proxy,retrieve")]
        rights: String,
        /// Days after which it ends [default: never]
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
    /// Make a new token under a name; the one before it holds on for a while
    Rotate {
        /// The name
        name: String,
        /// Hours for which the one before it still holds
        #[arg(long, default_value = "24", value_name = "N")]
        keep_hours: u32,
    },
    /// End all tokens of a name; proxies refuse them within ten seconds
    Revoke {
        /// The name
        name: String,
    },
    /// Who has a token, and what it allows
    List {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Memory belongs to a git repository: all its clones and worktrees share one, and nothing else does.
#[derive(Debug, Args)]
pub(crate) struct MemoryArgs {
    /// A directory of the repository [default: the working directory]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: MemoryAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemoryAction {
    /// Texts that were met, the latest first
    List {
        /// How many
        #[arg(long, default_value = "20", value_name = "N")]
        limit: usize,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a text that was met; who met it goes to stderr
    Show {
        /// Its handle
        handle: String,
    },
    /// Find texts and notes by their words
    Search {
        /// Words
        #[arg(required = true)]
        query: Vec<String>,
        /// How many of each
        #[arg(long, default_value = "10", value_name = "N")]
        limit: usize,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Notes, or those with these words
    Notes {
        /// Words
        query: Vec<String>,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a note for later sessions
    Remember {
        /// The fact
        #[arg(required = true)]
        text: Vec<String>,
        /// What it is about
        #[arg(long)]
        topic: Option<String>,
    },
    /// Print everything, one JSON object a line
    Export {
        /// The texts as well
        #[arg(long)]
        texts: bool,
    },
    /// Forget a text or a note. What no other repository has met is erased from the disk
    Forget {
        /// A handle, or the number of a note
        what: Option<String>,
        /// Everything not met since this date (UTC)
        #[arg(long, value_name = "DATE")]
        before: Option<String>,
        /// Everything
        #[arg(long)]
        all: bool,
    },
    /// Write the store's files anew, without the bytes of what was erased. Nothing else can write meanwhile
    Scrub,
    /// Figures, and how much was met again by another agent
    Stats {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Price {
    /// Cache reads 0.1, writes 1.25
    Anthropic,
    /// Cached input 0.25
    Openai,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Files with one session a line; .gz is read too
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Play them as an agent of another provider would have sent them: openai-responses, gemini
    #[arg(long, value_name = "DIALECT")]
    pub(crate) dialect: Option<String>,
    /// Whose prices [default: those of each session's dialect]
    #[arg(long, value_enum)]
    pub(crate) price: Option<Price>,
    /// How much may be done
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Print the result as JSON, with every session
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Only requests of the last N hours
    #[arg(long, value_name = "N")]
    pub(crate) hours: Option<u64>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads the transcripts of Claude Code, Codex, Gemini CLI and OpenCode, changes nothing and sends nothing. Costs are simulated with the provider's cache, and
/// set against what the agent noted as billed.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only this agent: claude, codex, gemini
    pub(crate) agent: Option<String>,
    /// Only transcripts that changed in the last N days
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) days: u64,
    /// Only projects whose directory contains this
    #[arg(long, value_name = "PART")]
    pub(crate) project: Option<String>,
    /// How much may be done: off, meter, lossless, standard
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A request id (the answer's x-headroom-id header), or a handle (hr_...): the first request that left its text out. A handle is
    /// looked for in all receipts, one after another
    pub(crate) what: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// A request id: the x-headroom-id header of its answer
    pub(crate) id: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Whether the store can be written too; without one requests pass, unchanged
    #[arg(long)]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
}

/// What to show a proxy that wants a token.
#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    /// Token to show the proxy [default: the configured one, HEADROOM_TOKEN]; others on this machine can read it, better use --token-file
    #[arg(long, value_name = "SECRET")]
    pub(crate) token: Option<String>,
    /// File that holds the token, and nothing else
    #[arg(long, value_name = "PATH", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Demo {
    /// A recorded session through the real proxy, with one retrieval
    Session,
    /// A log of 200 KB, pasted and read again, a clock in the instructions, fifty requests; both bills at list prices
    Debugging,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Which one
    #[arg(value_enum, default_value = "session")]
    pub(crate) which: Demo,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Print every option with its value and where it was set
    Show {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with the configuration: exit code 2 if anything is
    Check {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// To try it: `source <(headroom completions bash)`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write them into, one for each command; without one the main page is printed
    pub(crate) folder: Option<PathBuf>,
    /// Print the page of all commands for the documentation instead
    #[arg(long, hide = true)]
    pub(crate) markdown: bool,
}

/// The texts are those that were changed. What was sent is read from the record of what was sent, what came in from the kept originals; a text that was
/// only encoded anew has no original, because nothing was left out of it.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A request id: the x-headroom-id header of its answer
    pub(crate) id: String,
    /// Only the text with this number, as `headroom explain` counts them
    #[arg(long, value_name = "N")]
    pub(crate) slot: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// On a terminal the page is drawn anew until Ctrl-C; anywhere else it is printed once.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,
    /// Print it once
    #[arg(long)]
    pub(crate) once: bool,
}

/// The service runs `headroom proxy` as you, with your configuration file, from when you log in.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    pub(crate) action: ServiceAction,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Write the unit and start it
    Install {
        /// Print what would be written, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask before writing
        #[arg(long)]
        yes: bool,
    },
    /// Say whether it is installed and whether it runs
    Status,
    /// Stop it and take the unit back
    Remove,
}
