//! `headroom compress`

use std::io::Read;
use std::path::Path;

use headroom::{Engine, Hints, Kinds, TextOptions, compress_text_with};
use headroom_store::Scope;
use serde::Serialize;

use crate::args::{CompressArgs, Level};
use crate::error::CliError;
use crate::out;

#[derive(Serialize)]
struct Output<'a> {
    text: &'a str,
    kind: String,
    compressor: Option<&'static str>,
    exact: bool,
    tokens_before: usize,
    tokens_after: usize,
    handle: Option<String>,
    omissions: Vec<OmissionOutput>,
    reason: &'static str,
}

#[derive(Serialize)]
struct OmissionOutput {
    unit: &'static str,
    first: usize,
    last: usize,
    count: usize,
    total: usize,
}

pub(crate) fn run(
    args: &CompressArgs,
    kinds: &Kinds,
    scope: &Scope,
    open: impl FnOnce() -> Result<Engine, CliError>,
) -> Result<(), CliError> {
    let bytes = read(&args.file)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return not_text(args, &bytes);
    };
    let name = args.file.to_str().filter(|name| *name != "-");
    let hints = Hints {
        tool: args.tool.as_deref(),
        command: args.command.as_deref(),
        path: name,
        exit_code: args.exit,
        kind: args.kind,
        query: args.query.as_deref(),
        ..Hints::NONE
    };
    let options = TextOptions { kinds, ..TextOptions::DEFAULT };
    let compress = |level, keep| compress_text_with(&options, text, hints, level, keep);
    let result = match args.level {
        Level::Lossless => compress(headroom::Level::Lossless, None),
        Level::Light => compress(headroom::Level::Light, Some((&open()?, scope))),
        Level::Standard => compress(headroom::Level::Standard, Some((&open()?, scope))),
    };
    if !args.json {
        return out::data(result.text.as_bytes());
    }
    let omissions = result.omissions.iter().map(|omission| OmissionOutput {
        unit: omission.unit().name(1),
        first: *omission.range().start(),
        last: *omission.range().end(),
        count: omission.count(),
        total: omission.total(),
    });
    out::json(&Output {
        text: &result.text,
        kind: result.kind.to_string(),
        compressor: result.compressor,
        exact: result.exact,
        tokens_before: result.tokens_before,
        tokens_after: result.tokens_after,
        handle: result.handle.map(|handle| handle.to_string()),
        omissions: omissions.collect(),
        reason: result.reason.code(),
    })
}

/// Bytes that are no text pass as they are; JSON cannot carry them.
fn not_text(args: &CompressArgs, bytes: &[u8]) -> Result<(), CliError> {
    if args.json {
        let name = args.file.display();
        return Err(CliError::Failed(format!(
            "{name} is not UTF-8 text; without --json it is passed through unchanged"
        )));
    }
    out::data(bytes)
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(CliError::while_doing("cannot read stdin"))?;
        return Ok(bytes);
    }
    std::fs::read(file).map_err(CliError::while_doing(format!("cannot read {}", file.display())))
}
