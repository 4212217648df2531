//! `headroom wrap` and `headroom unwrap`
//!
//! By default only the child's environment says where requests go, so nothing can be left behind. On Unix this process *becomes* the agent:
//! exit code, signals, terminal and job control are the agent's own because nothing stands in between.

pub(crate) mod agents;
pub(crate) mod persist;
mod plan;
pub(crate) mod recipe;
pub(crate) mod routes;
mod table;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::WrapArgs;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{env, out, share};
use plan::{Child, Plan, Through};
use recipe::{Address, Recipe, Surroundings};

pub(crate) fn run(args: &WrapArgs, settings: &Settings, config: Option<&Path>) -> Result<(), CliError> {
    if args.list {
        return out::data(table::table().as_bytes());
    }
    let surroundings = surroundings()?;
    let (recipe, mut command) = match args.agent.as_deref() {
        // A name that we know is that agent, however it is given: what is right for any command may be wrong for it.
        None => {
            let recipe = args.command.first().and_then(|program| recipe::of_program(program));
            (recipe.unwrap_or(&agents::ANY), args.command.clone())
        }
        Some(name) => (known(name)?, Vec::new()),
    };
    if args.persist {
        return persist::run(recipe, settings, &surroundings, args.yes);
    }
    if args.agent.is_some() {
        command = std::iter::once(program(recipe)?.into()).chain(args.command.clone()).collect();
    }
    let Some((program, arguments)) = command.split_first() else {
        return Err(CliError::Usage("name an agent, or a command after --".to_owned()));
    };
    let texts: Vec<String> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let child = match plan::plan(recipe, &texts, &surroundings, settings.listen) {
        Plan::Direct(why) => Err(why),
        Plan::Through(through) => lead(&through, &name_of(recipe, &surroundings), settings, config, &mut None),
    };
    let child = child.unwrap_or_else(|why| {
        out::say(&format!("headroom: {} runs without Headroom: {why}", program.to_string_lossy()));
        Child::default()
    });
    become_agent(program, arguments, &child)
}

pub(crate) fn unwrap(agent: &str) -> Result<(), CliError> {
    persist::undo(known(agent)?, "wrap")
}

/// The recipe of that name.
pub(crate) fn known(name: &str) -> Result<&'static Recipe, CliError> {
    recipe::named(name).ok_or_else(|| {
        let names: Vec<&str> = agents::ALL.iter().map(|recipe| recipe.name).collect();
        let names = names.join(", ");
        CliError::Usage(format!("unknown agent {name:?}; known: {names}; for anything else: headroom wrap -- COMMAND"))
    })
}

/// What this process's environment says.
pub(crate) fn surroundings() -> Result<Surroundings<'static>, CliError> {
    let home = env::home().ok_or_else(|| CliError::Failed("there is no home directory".to_owned()))?;
    let here = std::env::current_dir().map_err(CliError::while_doing("cannot find the working directory"))?;
    Ok(Surroundings { variable: &env::variable, home, here })
}

/// The agent's executable.
fn program(recipe: &Recipe) -> Result<PathBuf, CliError> {
    let folders = env::search_path();
    let found = recipe.binaries.iter().find_map(|name| {
        let names = [(*name).to_owned(), format!("{name}.cmd"), format!("{name}.exe")];
        let names = if cfg!(windows) { &names[1..] } else { &names[..1] };
        folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).find(|path| path.is_file())
    });
    found.ok_or_else(|| CliError::NotFound(format!("{} is not in PATH. {}", recipe.binaries.join(", "), recipe.note)))
}

/// Why an agent is not led to a proxy.
const WANTS_TOKEN: &str = "the proxy wants a token (x-headroom-token), which agents do not send";

/// Finds or starts the proxy, and says what the child needs to reach it. `led` is where it listens.
fn lead(
    through: &Through,
    name: &str,
    settings: &Settings,
    config: Option<&Path>,
    led: &mut Option<SocketAddr>,
) -> Result<Child, String> {
    if settings.wants_tokens() {
        return Err(WANTS_TOKEN.to_owned());
    }
    let mut settings = settings.clone();
    let own = [
        (&through.anthropic, &mut settings.anthropic_upstream),
        (&through.openai, &mut settings.openai_upstream),
        (&through.gemini, &mut settings.gemini_upstream),
    ];
    for (wanted, upstream) in own {
        if let Some(wanted) = wanted {
            if address_of(wanted).is_some_and(|address| share::configuration_at(address, None).is_some()) {
                return Err(format!("its requests go through the Headroom at {wanted} already"));
            }
            upstream.clone_from(wanted);
        }
    }
    let data = env::data_folder().ok_or_else(|| "there is no data directory".to_owned())?;
    let proxy = share::find_or_start(&settings, config, &data)?;
    *led = Some(proxy);
    Ok(through.child(proxy, name, &env::variable))
}

/// The path by which an agent's address says who it is and in which source tree it works, so that what it meets is remembered there;
/// nothing for agents that do not keep a path, and outside any source tree.
fn name_of(recipe: &Recipe, surroundings: &Surroundings<'_>) -> String {
    match super::memory::workspace(&surroundings.here) {
        Some(repository) if recipe.address == Address::Extended => {
            format!("/for/{}/{}", recipe.name, repository.workspace)
        }
        _ => String::new(),
    }
}

/// The address of an upstream on this machine, where a second Headroom would be.
fn address_of(url: &str) -> Option<SocketAddr> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    authority.replace("localhost", "127.0.0.1").parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())
}

#[cfg(unix)]
fn become_agent(program: &OsString, arguments: &[OsString], child: &Child) -> Result<(), CliError> {
    use std::os::unix::process::CommandExt;
    let error = command(program, arguments, child).exec();
    Err(not_started(program, &error))
}

#[cfg(not(unix))]
fn become_agent(program: &OsString, arguments: &[OsString], child: &Child) -> Result<(), CliError> {
    // Ctrl-C goes to both processes of the console: this one only waits.
    let status = command(program, arguments, child).status().map_err(|error| not_started(program, &error))?;
    std::process::exit(status.code().unwrap_or(1));
}

fn command(program: &OsString, arguments: &[OsString], child: &Child) -> Command {
    let mut command = Command::new(program);
    command.args(&child.arguments).args(arguments).envs(child.variables.iter().map(|(name, value)| (name, value)));
    command
}

fn not_started(program: &OsString, error: &std::io::Error) -> CliError {
    CliError::NotFound(format!("cannot run {}: {error}", program.to_string_lossy()))
}
