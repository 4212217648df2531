use crate::{args::JsonArgs, error::CliError};
pub(crate) fn run(_a: &JsonArgs) -> Result<(), CliError> {
    Ok(())
}
