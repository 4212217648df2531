//! `headroom config`

use serde::Serialize;

use crate::error::CliError;
use crate::out;
use crate::settings::{Said, SettingsError};

#[derive(Serialize)]
struct Shown<'a> {
    key: &'static str,
    value: &'a str,
    origin: String,
    variable: &'static str,
    about: &'static str,
}

/// What is wrong with the configuration.
#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    problems: &'a [String],
}

/// Says whether the configuration means something, in the file as in the environment; with problems, all of them.
pub(crate) fn check(json: bool, said: Result<Said, SettingsError>) -> Result<(), CliError> {
    let read = said.and_then(|said| said.read());
    let problems = read.as_ref().err().map(SettingsError::problems).unwrap_or_default();
    if json {
        out::json(&Checked { ok: problems.is_empty(), problems })?;
        return read.map(drop).map_err(|error| CliError::Usage(format!("{} problems", error.problems().len())));
    }
    read.map_err(CliError::from)?;
    out::line("ok")
}

pub(crate) fn show(json: bool, said: &Said) -> Result<(), CliError> {
    let shown = said.iter().map(|(option, value, origin)| Shown {
        key: option.key,
        value: match option.key {
            "token" if !value.is_empty() => "(set)",
            // A database's address has its password in it.
            "store" if value.contains("://") => "(set)",
            _ => value,
        },
        origin: origin.to_string(),
        variable: option.variable,
        about: option.about,
    });
    let shown: Vec<_> = shown.collect();
    if json {
        out::json(&shown)?;
    } else {
        for option in &shown {
            out::line(&format!(
                "{:20} {:28} # {}; ${}: {}",
                option.key,
                format!("{:?}", option.value),
                option.origin,
                option.variable,
                option.about
            ))?;
        }
    }
    said.read().map(drop).map_err(CliError::from)
}
