//! `headroom service`: the proxy in the background, from when its user logs in.
//!
//! The unit is a file of the user's own, so no other rights are needed. It names this program by its whole path, because services have another `PATH`
//! than shells.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::wrap::persist;
use crate::args::ServiceAction;
use crate::config_file::journal;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{env, out, share};

/// Name of the unit of systemd.
const UNIT: &str = "headroom.service";

/// Label of the agent of launchd.
const LABEL: &str = "dev.headroom.proxy";

/// Under which the journal keeps the unit.
const KEY: &str = "service.unit";

/// Who runs services here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Systemd,
    Launchd,
}

/// The manager of this system; `None` where we know of none.
const fn manager() -> Option<Manager> {
    if cfg!(target_os = "linux") {
        Some(Manager::Systemd)
    } else if cfg!(target_os = "macos") {
        Some(Manager::Launchd)
    } else {
        None
    }
}

/// Where the unit is, or would be.
pub(crate) fn unit_file() -> Option<PathBuf> {
    match manager()? {
        Manager::Systemd => Some(env::config_file()?.parent()?.parent()?.join("systemd/user").join(UNIT)),
        Manager::Launchd => Some(env::home()?.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))),
    }
}

pub(crate) fn run(action: ServiceAction, settings: &Settings, config: Option<&Path>) -> Result<(), CliError> {
    let manager = manager().ok_or_else(|| {
        CliError::Usage(
            "services are known here for systemd (Linux) and launchd (macOS); elsewhere run `headroom proxy` at login"
                .to_owned(),
        )
    })?;
    match action {
        ServiceAction::Install { dry_run, yes } => install(manager, config, dry_run, yes),
        ServiceAction::Status => status(manager, settings),
        ServiceAction::Remove => remove(manager),
    }
}

fn install(manager: Manager, config: Option<&Path>, dry_run: bool, yes: bool) -> Result<(), CliError> {
    let program = std::env::current_exe().map_err(CliError::while_doing("cannot find this program"))?;
    let config = config.map(std::path::absolute).transpose().map_err(CliError::while_doing("--config"))?;
    let text = unit(manager, &program, config.as_deref())?;
    let file = file()?;
    if dry_run {
        out::say(&format!("headroom: {} would hold:", file.display()));
        out::data(text.as_bytes())?;
        for command in manager.start(&file) {
            out::say(&format!("headroom: then: {}", command.join(" ")));
        }
        return Ok(());
    }
    manager.is_there()?;
    let change = journal::plan_whole(&file, &text).map_err(|error| CliError::Failed(error.to_string()))?;
    persist::make(change, KEY, yes)?;
    for command in manager.start(&file) {
        called(&command).map_err(|said| {
            CliError::Failed(format!(
                "the unit is written, but `{}` said: {said}; `headroom service remove` takes it back",
                command.join(" ")
            ))
        })?;
    }
    out::say("headroom: it runs, and will from when you log in; `headroom service status` says how it is");
    if manager == Manager::Systemd {
        out::say("headroom: to keep it when you are not logged in: loginctl enable-linger");
    }
    Ok(())
}

fn status(manager: Manager, settings: &Settings) -> Result<(), CliError> {
    let file = file()?;
    if !file.exists() {
        return Err(CliError::NotFound(format!("no service is installed ({})", file.display())));
    }
    out::line(&format!("unit     {}", file.display()))?;
    let state = match manager.is_there() {
        Ok(()) => match call(&manager.state()) {
            Ok(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    out::line(&format!("manager  {}", if state.is_empty() { "does not know it" } else { &state }))?;
    let listen = settings.listen.ok_or_else(|| CliError::Usage("listen is not an address".to_owned()))?;
    match share::configuration_at(listen, settings.token.as_deref()) {
        Some(_) => out::line(&format!("proxy    answers on http://{listen}")),
        None => Err(CliError::Failed(format!("no Headroom answers on {listen}; look with `{}`", manager.log()))),
    }
}

fn remove(manager: Manager) -> Result<(), CliError> {
    let file = file()?;
    match manager.is_there() {
        // Not running, or not known: what is to be stopped is stopped.
        Ok(()) if file.exists() => drop(call(&manager.stop(&file))),
        Ok(()) => {}
        Err(error) => out::say(&format!("headroom: {error}; only the unit is taken back")),
    }
    persist::undo_of("the service", KEY)?;
    if let (Manager::Systemd, Ok(())) = (manager, manager.is_there()) {
        drop(call(&systemctl(&["daemon-reload"])));
    }
    Ok(())
}

fn file() -> Result<PathBuf, CliError> {
    unit_file().ok_or_else(|| CliError::Failed("there is no home directory".to_owned()))
}

// === impl Manager ===

impl Manager {
    const fn program(self) -> &'static str {
        match self {
            Self::Systemd => "systemctl",
            Self::Launchd => "launchctl",
        }
    }

    /// Whether its program can be found.
    fn is_there(self) -> Result<(), CliError> {
        let found = env::search_path().iter().any(|folder| folder.join(self.program()).is_file());
        let absent = || {
            CliError::Failed(format!(
                "{} is not in PATH, so nothing here runs services; `headroom service install --dry-run` prints the unit",
                self.program()
            ))
        };
        if found { Ok(()) } else { Err(absent()) }
    }

    fn start(self, file: &Path) -> Vec<Vec<String>> {
        match self {
            Self::Systemd => vec![systemctl(&["daemon-reload"]), systemctl(&["enable", "--now", UNIT])],
            Self::Launchd => vec![owned(&["launchctl", "load", "-w", &file.to_string_lossy()])],
        }
    }

    fn stop(self, file: &Path) -> Vec<String> {
        match self {
            Self::Systemd => systemctl(&["disable", "--now", UNIT]),
            Self::Launchd => owned(&["launchctl", "unload", "-w", &file.to_string_lossy()]),
        }
    }

    fn state(self) -> Vec<String> {
        match self {
            Self::Systemd => systemctl(&["is-active", UNIT]),
            Self::Launchd => owned(&["launchctl", "list", LABEL]),
        }
    }

    const fn log(self) -> &'static str {
        match self {
            Self::Systemd => "journalctl --user -u headroom.service",
            Self::Launchd => "launchctl list dev.headroom.proxy",
        }
    }
}

fn systemctl(arguments: &[&str]) -> Vec<String> {
    owned(&[&["systemctl", "--user"], arguments].concat())
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn call(command: &[String]) -> std::io::Result<Output> {
    Command::new(&command[0]).args(&command[1..]).output()
}

/// Calls a command that has to succeed, or gives back what it said.
fn called(command: &[String]) -> Result<(), String> {
    let output = call(command).map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if said.is_empty() { output.status.to_string() } else { said })
}

/// The text of the unit.
fn unit(manager: Manager, program: &Path, config: Option<&Path>) -> Result<String, CliError> {
    let mut words = vec![text_of(program)?];
    if let Some(config) = config {
        words.extend(["--config", text_of(config)?]);
    }
    words.push("proxy");
    Ok(match manager {
        Manager::Systemd => {
            let command: Vec<String> = words.iter().map(|word| systemd_word(word)).collect();
            format!(
                "# Written by `headroom service install`; `headroom service remove` takes it back.\n\
                 [Unit]\nDescription=Headroom proxy\nDocumentation=man:headroom(1)\n\n\
                 [Service]\nExecStart={}\nRestart=on-failure\n\
                 # Requests under way get half a minute to finish.\nTimeoutStopSec=40\nNoNewPrivileges=yes\n\n\
                 [Install]\nWantedBy=default.target\n",
                command.join(" ")
            )
        }
        Manager::Launchd => {
            let words: String = words.iter().map(|word| format!("    <string>{}</string>\n", xml(word))).collect();
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
                 <!-- Written by `headroom service install`; `headroom service remove` takes it back. -->\n\
                 <plist version=\"1.0\">\n<dict>\n  <key>Label</key>\n  <string>{LABEL}</string>\n\
                 \x20 <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n\
                 \x20 <key>RunAtLoad</key>\n  <true/>\n\
                 \x20 <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>\n</dict>\n</plist>\n"
            )
        }
    })
}

fn text_of(path: &Path) -> Result<&str, CliError> {
    path.to_str()
        .ok_or_else(|| CliError::Usage(format!("{} cannot stand in a unit: it is not Unicode", path.display())))
}

/// A word of a command line in a unit of systemd: quoted, with what means something there doubled or escaped.
fn systemd_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T094, T095: whole paths, whatever is in them.
    #[test]
    fn units_name_programs_by_whole_paths_with_any_name() {
        let program = Path::new("/home/j.m\u{fc}ller x/bin/head\"r$%oom");
        let text = unit(Manager::Systemd, program, Some(Path::new("/a b.toml"))).unwrap();
        assert!(
            text.contains(
                "ExecStart=\"/home/j.m\u{fc}ller x/bin/head\\\"r$$%%oom\" \"--config\" \"/a b.toml\" \"proxy\"\n"
            ),
            "{text}"
        );
        let text = unit(Manager::Launchd, Path::new("/Users/a & b/headroom"), None).unwrap();
        assert!(text.contains("<string>/Users/a &amp; b/headroom</string>\n    <string>proxy</string>\n"), "{text}");
    }
}
