//! `compress_command_output`

use headroom::{Hints, Level};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Effect, Output, ToolSpec, Workplace, shown};
use crate::arguments;

pub(super) const SPEC: ToolSpec = ToolSpec {
    name: "compress_command_output",
    title: "Compress command output",
    description: "Shortens what a command printed: every failure, finding, name and code stays, noise and repeats go.",
    schema: r#"{"type":"object","properties":{"output":{"type":"string"},"command":{"type":"string","description":"The command line"},"exit_code":{"type":"integer"}},"required":["output"]}"#,
    effect: Effect::Reads,
    run,
};

#[derive(Deserialize)]
struct Arguments {
    output: String,
    command: Option<String>,
    exit_code: Option<i32>,
}

fn run(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Arguments { output, command, exit_code } = arguments::read(given, &["output", "command", "exit_code"])?;
    let hints = Hints { command: command.as_deref(), exit_code, ..Hints::NONE };
    shown::compressed(workplace, &output, hints, Level::Standard)
}
