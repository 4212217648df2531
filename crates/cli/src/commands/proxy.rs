use crate::{error::CliError, settings::Settings};
pub(crate) fn run(_s: &Settings) -> Result<(), CliError> {
    Ok(())
}
