//! `headroom config`

use serde::Serialize;

use crate::args::ConfigAction;
use crate::error::CliError;
use crate::out;
use crate::settings::Said;

#[derive(Serialize)]
struct Shown<'a> {
    key: &'static str,
    value: &'a str,
    origin: String,
    variable: &'static str,
    about: &'static str,
}

pub(crate) fn run(action: ConfigAction, said: &Said) -> Result<(), CliError> {
    let ConfigAction::Show { json } = action;
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
