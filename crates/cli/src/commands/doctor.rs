use crate::{args::JsonArgs, error::CliError, settings::Settings};
pub(crate) fn run(_a: &JsonArgs, _s: &Settings) -> Result<(), CliError> {
    Ok(())
}
