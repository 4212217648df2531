//! `headroom request`

use std::path::Path;

use headroom::{Engine, Policy};
use headroom_store::Scope;
use headroom_wire::{Dialect, parse};

use crate::args::RequestArgs;
use crate::error::CliError;
use crate::out;

pub(crate) fn run(args: &RequestArgs, engine: &Engine, scope: &Scope, policy: &Policy) -> Result<(), CliError> {
    let dialect: Dialect = args.dialect.parse().map_err(|error| CliError::Usage(format!("--dialect: {error}")))?;
    let body = super::compress::read(Path::new("-"))?;
    let request = parse(dialect, body);
    let outbound = engine.prepare(scope, &request, policy);
    out::data(outbound.body.as_deref().unwrap_or(request.body()))
}
