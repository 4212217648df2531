//! `headroom run`: a command in the user's place, its output shortened.

use std::ffi::OsString;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use headroom::{Engine, Handle, ToolCall, compress_tool_result};
use serde_json::json;

use crate::args::RunArgs;
use crate::error::CliError;
use crate::out;
use crate::settings::Settings;

/// Output is held up to this size; from there on it passes as it comes.
const HELD_BYTES: usize = 64 << 20;

/// How often the last line is shown while a command runs.
const TICK: Duration = Duration::from_millis(100);

/// Columns of the line shown: what is longer would wrap on a narrow terminal, and could not be wiped away.
const COLUMNS: usize = 72;

pub(crate) fn run(
    args: &RunArgs,
    settings: &Settings,
    open: impl FnOnce() -> Result<Engine, CliError>,
) -> Result<(), CliError> {
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err(CliError::Usage("no command is named".to_owned()));
    };
    if !args.always && !io::stdout().is_terminal() {
        return become_command(program, arguments);
    }
    let line = line_of(&args.command);
    let (status, held) = capture(program, arguments)?;
    let code = out::exit_code(status);
    if let Some(held) = held {
        out::data(&shortened(&line, i32::from(code), held, settings, open))?;
    }
    match code {
        0 => Ok(()),
        code => Err(CliError::Command(code)),
    }
}

/// The command takes this process's place: nothing stands between it and whoever reads its output.
#[cfg(unix)]
fn become_command(program: &OsString, arguments: &[OsString]) -> Result<(), CliError> {
    use std::os::unix::process::CommandExt;
    Err(not_started(program, &std::process::Command::new(program).args(arguments).exec()))
}

#[cfg(not(unix))]
fn become_command(program: &OsString, arguments: &[OsString]) -> Result<(), CliError> {
    let status = std::process::Command::new(program).args(arguments).status();
    let status = status.map_err(|error| not_started(program, &error))?;
    std::process::exit(status.code().unwrap_or(1));
}

/// With the exit codes of a shell: 127 for a command that is not there, 126 for one that cannot be run.
fn not_started(program: &OsString, error: &io::Error) -> CliError {
    out::say(&format!("headroom: cannot run {}: {error}", program.display()));
    CliError::Command(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// Runs the command to its end. Gives its output, or `None` when there was too much to hold and it has been printed.
///
/// Stdout and stderr are taken together, in their order, where both go to the same place; else stderr is the command's own.
fn capture(program: &OsString, arguments: &[OsString]) -> Result<(ExitStatus, Option<Vec<u8>>), CliError> {
    let failed = CliError::while_doing("cannot run the command");
    let (reader, writer) = io::pipe().map_err(&failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(&failed)?;
    let status = runtime.block_on(async {
        let mut child = start(program, arguments, writer)?;
        let holding = thread::spawn(move || hold(reader));
        let status = wait(&mut child).await.map_err(CliError::while_doing("cannot wait for the command"))?;
        Ok::<_, CliError>((status, holding))
    });
    let (status, holding) = status?;
    // As with `command | cat`: what the command has left running and still writes is waited for.
    let held = holding.join().map_err(|_| CliError::Failed("reading the output failed".to_owned()))?;
    Ok((status, held.map_err(CliError::while_doing("cannot read the output"))?))
}

fn start(program: &OsString, arguments: &[OsString], writer: PipeWriter) -> Result<tokio::process::Child, CliError> {
    // The writing ends go with the command, so that the output ends when its last writer is gone.
    let mut command = tokio::process::Command::new(program);
    command.args(arguments);
    if one_place() {
        command.stderr(writer.try_clone().map_err(CliError::while_doing("cannot run the command"))?);
    }
    command.stdout(writer);
    command.spawn().map_err(|error| not_started(program, &error))
}

/// Whether stdout and stderr are the same terminal, pipe or file.
#[cfg(unix)]
fn one_place() -> bool {
    let place = |path: &str| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    };
    place("/dev/stdout").is_some_and(|stdout| Some(stdout) == place("/dev/stderr"))
}

#[cfg(not(unix))]
fn one_place() -> bool {
    io::stdout().is_terminal() == io::stderr().is_terminal()
}

/// Waits for the command to end. Signals that were meant for it reach it.
#[cfg(unix)]
async fn wait(child: &mut tokio::process::Child) -> io::Result<ExitStatus> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate, mut hang_up, mut quit) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::quit())?,
    );
    // A terminal sends these to the whole group, the command included.
    let by_terminal = io::stdin().is_terminal();
    loop {
        let (signal, from_terminal) = tokio::select! {
            status = child.wait() => return status,
            _ = interrupt.recv() => (rustix::process::Signal::INT, by_terminal),
            _ = quit.recv() => (rustix::process::Signal::QUIT, by_terminal),
            _ = terminate.recv() => (rustix::process::Signal::TERM, false),
            _ = hang_up.recv() => (rustix::process::Signal::HUP, false),
        };
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let (false, Some(pid)) = (from_terminal, pid) {
            // It may have ended meanwhile, which the next round sees.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

#[cfg(not(unix))]
async fn wait(child: &mut tokio::process::Child) -> io::Result<ExitStatus> {
    child.wait().await
}

/// Reads to the end. `None` when there was more than is held: it is printed as it comes then.
fn hold(mut reader: PipeReader) -> io::Result<Option<Vec<u8>>> {
    let mut held = Vec::new();
    let mut status = Status::new();
    let mut chunk = vec![0; 1 << 16];
    let mut stdout = io::stdout();
    let mut passing = false;
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if !passing && held.len() + read > HELD_BYTES {
            status.wipe();
            stdout.write_all(&held)?;
            held = Vec::new();
            passing = true;
        }
        if passing {
            stdout.write_all(&chunk[..read])?;
        } else {
            held.extend_from_slice(&chunk[..read]);
            status.show(&held);
        }
    }
    status.wipe();
    stdout.flush()?;
    Ok((!passing).then_some(held))
}

/// The last line of the output so far, for the person who waits.
struct Status {
    /// When it was shown; `None` where nobody looks.
    shown: Option<Instant>,
    visible: bool,
}

impl Status {
    fn new() -> Self {
        Self { shown: io::stderr().is_terminal().then(Instant::now), visible: false }
    }

    fn show(&mut self, held: &[u8]) {
        if self.shown.is_none_or(|shown| shown.elapsed() < TICK) {
            return;
        }
        let tail = String::from_utf8_lossy(&held[held.len().saturating_sub(1000)..]).into_owned();
        let last = tail.split(['\n', '\r']).rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let line: String = last.chars().filter(|c| !c.is_control()).take(COLUMNS).collect();
        say(&format!("\r\x1b[2K{line}"));
        (self.shown, self.visible) = (Some(Instant::now()), true);
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.visible) {
            say("\r\x1b[2K");
        }
    }
}

fn say(text: &str) {
    let mut stderr = io::stderr();
    // Nobody misses a line that could not be shown.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// The output as it is printed: shorter, or as it was where that cannot be done.
fn shortened(
    line: &str,
    code: i32,
    output: Vec<u8>,
    settings: &Settings,
    open: impl FnOnce() -> Result<Engine, CliError>,
) -> Vec<u8> {
    let text = match String::from_utf8(output) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let engine = match open() {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!(%error, "the output is left as it is");
            return text.into_bytes();
        }
    };
    let arguments = json!({"command": line}).to_string();
    let call = ToolCall { tool: "shell", arguments: Some(&arguments), exit_code: Some(code), is_error: false };
    let result = compress_tool_result(&settings.policy.kinds, &call, &text, Some((&engine, &settings.scope())));
    match result.handle {
        Some(handle) => format!("{}\n{}\n", result.text.trim_end_matches('\n'), how_to_read(handle)).into_bytes(),
        None => result.text.into_bytes(),
    }
}

/// One line for the reader: how to see what was left out.
pub(crate) fn how_to_read(handle: Handle) -> String {
    format!("[headroom get {handle} --lines A-B, or --pattern RE, prints it]")
}

/// The command as it would be typed.
fn line_of(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

/// A word as a POSIX shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them_otherwise() {
        let words = ["sh", "-c", "echo 'it is' $HOME", ""].map(OsString::from);
        assert_eq!(line_of(&words), r"sh -c 'echo '\''it is'\'' $HOME' ''");
    }
}
