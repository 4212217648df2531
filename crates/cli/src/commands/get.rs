//! `headroom get`

use headroom::{Engine, Handle, Query, parse_line_range};
use headroom_store::Scope;

use crate::args::GetArgs;
use crate::error::CliError;
use crate::out;

pub(crate) fn run(args: &GetArgs, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let handle: Handle = args.handle.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
    let line_range = match &args.lines {
        None => None,
        Some(lines) => {
            let range = parse_line_range(lines);
            Some(range.ok_or_else(|| {
                CliError::Usage(format!("--lines {lines:?}: expected FIRST-LAST, for example 120-180"))
            })?)
        }
    };
    if line_range.is_none() && args.pattern.is_none() && args.json_path.is_none() {
        let original = engine.original(scope, handle).map_err(|error| CliError::Failed(error.to_string()))?;
        let original = original.ok_or_else(|| CliError::NotFound(format!("{handle} is not kept in this store")))?;
        return out::data(original.as_bytes());
    }
    let query =
        Query { line_range, pattern: args.pattern.clone(), json_path: args.json_path.clone(), ..Query::whole(handle) };
    // A person at a terminal has a pager; pages are for models.
    match engine.answer_in_full(scope, &query) {
        headroom::Answer::Found { text, .. } => out::data(text.as_bytes()),
        headroom::Answer::Miss { text } => Err(CliError::NotFound(text)),
    }
}
