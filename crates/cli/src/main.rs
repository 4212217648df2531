//! The `headroom` command: arguments in, exit code out. Everything else is the engine's or the proxy's.

mod args;
mod commands;
mod config_file;
mod env;
mod error;
mod out;
mod settings;
mod share;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use headroom::{Engine, Policy};
use headroom_store::{SqliteOptions, Store, StoreError};

use args::{Cli, Command, ConfigAction, Errors, McpAction, McpArgs};
use error::CliError;
use settings::{Said, Settings, SettingsError};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let errors = cli.errors;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Nothing to say: the reader is gone, or the command has said it.
        Err(error @ (CliError::Closed | CliError::Command(_))) => error.exit_code(),
        Err(error) => {
            out::fail(errors, &error);
            error.exit_code()
        }
    }
}

/// Arguments that say nothing: clap's own words, or JSON where that was asked for in whatever is there.
fn not_understood(error: &clap::Error) -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let asked = arguments.iter().any(|argument| argument == "--errors=json")
        || arguments.windows(2).any(|pair| pair[0] == "--errors" && pair[1] == "json");
    if !asked || !error.use_stderr() {
        error.exit();
    }
    let said = error.to_string();
    let error = CliError::Usage(said.trim_start_matches("error: ").trim_end().to_owned());
    out::fail(Errors::Json, &error);
    error.exit_code()
}

fn run(cli: Cli) -> Result<(), CliError> {
    // What needs no settings works whatever they say.
    match &cli.command {
        Command::Completions(args) => return commands::completions::run(args),
        Command::Man(args) => return commands::man::run(args),
        _ => {}
    }
    let said = gather(&cli);
    if let Command::Config(args) = &cli.command {
        return match args.action {
            ConfigAction::Show { json } => commands::config::show(json, &said?),
            ConfigAction::Check { json } => commands::config::check(json, said),
        };
    }
    let said = said?;
    let settings = said.read()?;
    start_log(&settings.log)?;
    add_filters()?;
    let engine = || open(&settings).map(Engine::new).map_err(|error| CliError::Failed(error.to_string()));
    match cli.command {
        Command::Proxy(args) => commands::proxy::run(&settings, &args),
        Command::Wrap(args) => commands::wrap::run(&args, &settings, cli.config.as_deref()),
        Command::Unwrap(args) => commands::wrap::unwrap(&args.agent),
        Command::Mcp(McpArgs { action: Some(McpAction::Install(args)), .. }) => commands::mcp_entry::install(&args),
        Command::Mcp(McpArgs { action: Some(McpAction::Uninstall(args)), .. }) => {
            commands::mcp_entry::uninstall(&args.agent)
        }
        Command::Mcp(McpArgs { action: Some(McpAction::Wrap { command }), .. }) => {
            commands::mcp::wrap(&command, engine()?, settings.scope(), settings.policy.kinds.clone())
        }
        Command::Mcp(args) => commands::mcp::run(args, engine()?, settings.scope(), settings.policy.kinds.clone()),
        Command::Run(args) => commands::run::run(&args, &settings, engine),
        Command::Hook(args) => commands::hook::run(args.action, &settings, engine),
        Command::Compress(args) => commands::compress::run(&args, &settings.policy.kinds, &settings.scope(), engine),
        Command::Request(args) => {
            let policy = policy_for(&settings, args.policy.as_deref())?;
            commands::request::run(&args, &engine()?, &settings.scope(), &policy)
        }
        Command::Token(args) => commands::token::run(&args, &engine()?, &settings.scope()),
        Command::Memory(args) => commands::memory::run(&args, &engine()?, &settings.scope()),
        Command::Get(args) => commands::get::run(&args, &engine()?, &settings.scope()),
        Command::Replay(args) => {
            let policy = policy_for(&settings, args.policy.as_deref())?;
            // Recorded conversations are no conversations of this user's: they get a store of their own, unless one is named.
            let engine = if cli.store.is_some() { engine()? } else { Engine::new(Store::memory()) };
            commands::replay::run(&args, &engine, &policy)
        }
        Command::Audit(args) => {
            let policy = policy_for(&settings, args.policy.as_deref())?;
            commands::audit::run(&args, &policy, &commands::stats::prices(&settings)?)
        }
        Command::Stats(args) => commands::stats::run(&args, &engine()?, &settings),
        Command::Explain(args) => commands::explain::run(&args, &engine()?, &settings.scope()),
        Command::Why(args) => commands::why::run(&args, engine, &settings),
        Command::Healthcheck(args) => commands::healthcheck::run(&args, &settings),
        Command::Diff(args) => commands::diff::run(&args, &engine()?, &settings.scope()),
        Command::Top(args) => commands::top::run(&args, &settings),
        Command::Doctor(args) => commands::doctor::run(&args, &settings, cli.config.as_deref()),
        Command::Service(args) => {
            if let Some(flag) = unit_cannot_hold(cli.store.as_ref(), cli.compression.as_ref(), cli.log.as_ref()) {
                return Err(CliError::Usage(format!(
                    "{flag} is not for a service: put it into the configuration file"
                )));
            }
            commands::service::run(args.action, &settings, cli.config.as_deref())
        }
        Command::Paths(args) => commands::paths::run(&args, &settings, cli.config.as_deref()),
        Command::Demo(args) => commands::demo::run(&args),
        // Answered above.
        Command::Config(_) | Command::Completions(_) | Command::Man(_) => Ok(()),
    }
}

/// The first flag that a service would not be started with.
fn unit_cannot_hold(
    store: Option<&String>,
    compression: Option<&String>,
    log: Option<&String>,
) -> Option<&'static str> {
    [("--store", store), ("--compression", compression), ("--log", log)]
        .into_iter()
        .find(|(_, said)| said.is_some())
        .map(|(flag, _)| flag)
}

fn gather(cli: &Cli) -> Result<Said, SettingsError> {
    let mut flags =
        vec![("store", cli.store.clone()), ("log", cli.log.clone()), ("compression", cli.compression.clone())];
    if let Command::Proxy(proxy) = &cli.command {
        flags.extend([
            ("listen", proxy.listen.clone()),
            ("policy", proxy.policy.clone()),
            ("anthropic-upstream", proxy.anthropic_upstream.clone()),
            ("openai-upstream", proxy.openai_upstream.clone()),
            ("gemini-upstream", proxy.gemini_upstream.clone()),
            ("token", proxy.token.clone()),
            ("retrieval", proxy.retrieval.clone()),
            ("user-text", proxy.user_text.clone()),
            ("align", proxy.align.clone()),
        ]);
    }
    if let Command::Wrap(wrap) = &cli.command {
        flags.push(("policy", wrap.policy.clone()));
    }
    Said::gather(cli.config.as_deref(), env::config_file().as_deref(), env::variable, &flags)
}

/// Adds the user's own command filters to those of the program.
fn add_filters() -> Result<(), CliError> {
    let Some(folder) = env::filter_folder().filter(|folder| folder.is_dir()) else { return Ok(()) };
    let entries = std::fs::read_dir(&folder).map_err(CliError::while_doing(folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(CliError::while_doing(path.display()))?;
        files.push((path.display().to_string(), text));
    }
    headroom::add_filters(&files).map_err(|error| CliError::Usage(error.to_string()))
}

/// The configured policy with another mode, where the command line names one.
fn policy_for(settings: &Settings, mode: Option<&str>) -> Result<Policy, CliError> {
    let mut policy = settings.policy.clone();
    if let Some(mode) = mode {
        policy.mode = mode.parse().map_err(|error| CliError::Usage(format!("--policy: {error}")))?;
    }
    Ok(policy)
}

/// Opens the configured store.
fn open(settings: &Settings) -> Result<Store, StoreError> {
    let options = SqliteOptions { budget_bytes: settings.store_budget, ..SqliteOptions::DEFAULT };
    match settings.store.as_deref() {
        Some("memory") => Ok(Store::memory()),
        Some(url) if is_database(url) => open_database(url, settings.store_budget),
        Some(path) => Store::open_sqlite(Path::new(path), &options),
        // Without a home directory there is no user to keep anything for.
        None => env::store_file().map_or_else(|| Ok(Store::memory()), |path| Store::open_sqlite(&path, &options)),
    }
}

/// Whether a store's name is the address of a Postgres database.
fn is_database(store: &str) -> bool {
    store.starts_with("postgres://") || store.starts_with("postgresql://")
}

#[cfg(feature = "postgres")]
fn open_database(url: &str, budget_bytes: u64) -> Result<Store, StoreError> {
    let options = headroom_store::PostgresOptions { budget_bytes, ..headroom_store::PostgresOptions::DEFAULT };
    Store::open_postgres(url, &options)
}

#[cfg(not(feature = "postgres"))]
fn open_database(_url: &str, _budget_bytes: u64) -> Result<Store, StoreError> {
    Err(StoreError::Unavailable("this headroom was built without the feature postgres".to_owned()))
}

fn start_log(filter: &str) -> Result<(), CliError> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        CliError::Usage(format!("log = {filter:?}: {error}; expected warn, info or headroom=debug"))
    })?;
    let colour = std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    Ok(())
}
