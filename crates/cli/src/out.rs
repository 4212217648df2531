//! stdout is data, stderr is talk.

use std::io::Write;

use serde::Serialize;

use crate::args::Errors;
use crate::error::CliError;

/// Writes bytes to stdout.
pub(crate) fn data(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => CliError::Closed,
        _ => CliError::Failed(format!("cannot write to stdout: {error}")),
    })
}

/// Writes a text and a line end.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    data(format!("{text}\n").as_bytes())
}

/// Writes a value as JSON, one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(CliError::while_doing("cannot write the result as JSON"))?;
    line(&text)
}

/// Says something to the person at the terminal.
#[allow(clippy::print_stderr, reason = "the one place that talks")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Says why a command failed.
pub(crate) fn fail(form: Errors, error: &CliError) {
    let (code, exit) = error.code();
    match form {
        Errors::Text => say(&format!("headroom: {error}")),
        Errors::Json => {
            say(&serde_json::json!({"code": code, "exit": exit, "message": error.to_string()}).to_string());
        }
    }
}

/// Says something that the next word to the person writes over.
#[allow(clippy::print_stderr, reason = "the one place that talks")]
pub(crate) fn say_on_this_line(text: &str) {
    eprint!("{text}");
}

/// What a command ended with, as shells count: 128 and the signal's number where a signal ended it.
pub(crate) fn exit_code(status: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or_else(|| signal.map(|signal: i32| 128 + signal));
    code.map_or(1, |code| u8::try_from(code).unwrap_or(1))
}
