//! `headroom hook`: what an agent's own tools return, shorter, without a proxy.
//!
//! The hook stands behind the tool, not before it. A hook that rewrites the command changes what the user's permission rules see: Claude Code
//! matches them against the rewritten command, so that allowed commands ask and denied ones only ask
//! (github.com/anthropics/claude-code, issue 65393). Behind the tool there is nothing to decide any more: the command has run as
//! it was written, with its pipes, redirections and exit code, and only what the model reads changes.

use std::io::Read;

use headroom::{Engine, Kinds, ToolCall, compress_tool_result};
use headroom_store::Scope;
use serde_json::{Map, Value, json};

use super::wrap::agents::claude::SETTINGS;
use super::wrap::{known, persist, surroundings};
use crate::args::{AgentArgs, HookAction, HookInstallArgs, InstallArgs};
use crate::config_file::journal::{self, Edit};
use crate::error::CliError;
use crate::out;
use crate::settings::Settings;

/// The tools whose results are looked at, as Claude Code matches their names.
const MATCHER: &str = "Bash|Grep|mcp__.*";

/// The tools before which the write-guard stands: those that write, and those that run what they are given.
const WRITERS: &str = "Write|Edit|MultiEdit|NotebookEdit|Bash";

/// Seconds after which the agent goes on without an answer.
const PATIENCE: u32 = 10;

/// An event of more bytes is left alone: no agent shows that much.
const LONGEST_BYTES: u64 = 64 << 20;

pub(crate) fn run(
    action: HookAction,
    settings: &Settings,
    open: impl FnOnce() -> Result<Engine, CliError>,
) -> Result<(), CliError> {
    let scope = &settings.scope();
    match action {
        HookAction::Install(args) => install(&args),
        HookAction::Uninstall(AgentArgs { agent }) => {
            has_hooks(&agent)?;
            persist::undo(known(&agent)?, "hook")
        }
        HookAction::PostToolUse => {
            answer(scope, open, |event, engine, scope| replacement(event, &settings.policy.kinds, engine, scope))
        }
        HookAction::PreToolUse => answer(scope, open, guarded),
    }
}

/// Whether an agent has a hook that may replace what a tool returned.
fn has_hooks(agent: &str) -> Result<(), CliError> {
    let recipe = known(agent)?;
    if recipe.name == "claude" {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{0} has no hook that may replace what a tool returned; use `headroom wrap {0}`, or see `headroom wrap --list`",
        recipe.name
    )))
}

fn install(args: &HookInstallArgs) -> Result<(), CliError> {
    let HookInstallArgs { into: InstallArgs { agent, yes }, guard } = args;
    has_hooks(agent)?;
    let recipe = known(agent)?;
    // The whole path: agents started by an editor or a service have another PATH.
    let program = std::env::current_exe().map_err(CliError::while_doing("cannot find this program"))?;
    let program = super::run::quoted(&program.to_string_lossy());
    let edit = |event: &str, matcher: &str, action: &str| {
        let hook = json!({"type": "command", "command": format!("{program} hook {action}"), "timeout": PATIENCE});
        Edit {
            path: vec!["hooks".to_owned(), event.to_owned()],
            value: json!({"matcher": matcher, "hooks": [hook]}),
            element: true,
        }
    };
    let mut edits = vec![edit("PostToolUse", MATCHER, "post-tool-use")];
    if *guard {
        edits.push(edit("PreToolUse", WRITERS, "pre-tool-use"));
    }
    let change = journal::plan(&surroundings()?.file(&SETTINGS), SETTINGS.format, edits);
    let change = change.map_err(|error| CliError::Failed(error.to_string()))?;
    persist::make(change, &format!("{}.hook", recipe.name), *yes)
}

/// Reads an event and answers it. Whatever is wrong, the answer is none and the agent goes on with what the tool returned.
fn answer(
    scope: &Scope,
    open: impl FnOnce() -> Result<Engine, CliError>,
    to: impl Fn(&[u8], &Engine, &Scope) -> Option<Value>,
) -> Result<(), CliError> {
    let mut event = Vec::new();
    if std::io::stdin().lock().take(LONGEST_BYTES).read_to_end(&mut event).is_err() {
        return Ok(());
    }
    let engine = match open() {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!(%error, "the output is left as it is");
            return Ok(());
        }
    };
    match to(&event, &engine, scope) {
        Some(answer) => out::json(&answer),
        None => Ok(()),
    }
}

/// The answer to an event; `None` leaves the tool's result as it is.
fn replacement(event: &[u8], kinds: &Kinds, engine: &Engine, scope: &Scope) -> Option<Value> {
    let event: Map<String, Value> = serde_json::from_slice(event).ok()?;
    if event.get("hook_event_name")?.as_str()? != "PostToolUse" {
        return None;
    }
    let tool = event.get("tool_name")?.as_str()?;
    let arguments = event.get("tool_input").map(Value::to_string);
    let call = ToolCall { tool, arguments: arguments.as_deref(), ..ToolCall::default() };
    let mut response = event.get("tool_response")?.clone();
    let mut changed = false;
    for text in texts(tool, &mut response) {
        let shorter = compress_tool_result(kinds, &call, text, Some((engine, scope)));
        if shorter.tokens_after >= shorter.tokens_before {
            continue;
        }
        *text = match shorter.handle {
            Some(handle) => format!("{}\n{}", shorter.text.trim_end_matches('\n'), super::run::how_to_read(handle)),
            None => shorter.text,
        };
        changed = true;
    }
    // The replacement has the shape that the tool gave, or Claude Code refuses it.
    changed.then(|| json!({"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": response}}))
}

/// The refusal of a call that holds a mark which names an original of ours; `None` says nothing, and the user's rules decide alone.
fn guarded(event: &[u8], engine: &Engine, scope: &Scope) -> Option<Value> {
    let event: Map<String, Value> = serde_json::from_slice(event).ok()?;
    if event.get("hook_event_name")?.as_str()? != "PreToolUse" {
        return None;
    }
    let input = event.get("tool_input")?.to_string();
    let (handle, reason) = engine.marked(scope, &input)?;
    let reason = format!("{reason} `headroom get {handle}` prints it.");
    Some(json!({"hookSpecificOutput": {
        "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason,
    }}))
}

/// The texts of a tool's result that the model reads.
fn texts<'r>(tool: &str, response: &'r mut Value) -> Vec<&'r mut String> {
    match response {
        // What is kept in a file of the agent's is shown from there, in part, whatever this says.
        Value::Object(fields) if fields.get("persistedOutputPath").is_some_and(|path| !path.is_null()) => Vec::new(),
        Value::Object(fields) => {
            let names: &[&str] = match tool {
                "Bash" => &["stdout", "stderr"],
                "Grep" => &["content"],
                _ => &[],
            };
            let is_ours = |name: &str| names.contains(&name);
            let strings = fields.iter_mut().filter(|(name, _)| is_ours(name));
            strings.filter_map(|(_, value)| string(value)).collect()
        }
        // What MCP servers return is a list of blocks.
        Value::Array(blocks) => {
            let texts = blocks.iter_mut().filter(|block| block["type"] == "text");
            texts.filter_map(|block| string(block.get_mut("text")?)).collect()
        }
        _ => Vec::new(),
    }
}

fn string(value: &mut Value) -> Option<&mut String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use headroom_store::Store;

    use super::*;

    fn log() -> String {
        (0..400)
            .map(|n| {
                format!(
                    "2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled request {n} in {} ms\n",
                    n / 60 % 60,
                    n % 60,
                    n % 7,
                    n % 93
                )
            })
            .collect()
    }

    fn event(tool: &str, input: &Value, response: &Value) -> Vec<u8> {
        let event = json!({"session_id": "s", "hook_event_name": "PostToolUse", "tool_name": tool, "tool_input": input, "tool_response": response});
        event.to_string().into_bytes()
    }

    fn updated(tool: &str, input: &Value, response: &Value) -> Option<Value> {
        let engine = Engine::new(Store::memory());
        let answer = replacement(&event(tool, input, response), &Kinds::DEFAULT, &engine, &Scope::default())?;
        assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "PostToolUse");
        // Nothing but the output is spoken of: no decision, no message.
        assert_eq!(answer.as_object().unwrap().len(), 1);
        assert_eq!(answer["hookSpecificOutput"].as_object().unwrap().len(), 2);
        Some(answer["hookSpecificOutput"]["updatedToolOutput"].clone())
    }

    /// T074, T096: a command has run as it was written before the hook sees anything, under whatever rules; its result keeps its shape.
    #[test]
    fn the_output_of_a_command_is_shorter_in_the_same_shape() {
        let response =
            json!({"stdout": log(), "stderr": "", "interrupted": false, "isImage": false, "noOutputExpected": false});
        for command in ["journalctl -u x", "git push --force && journalctl | head -825", "diff a b && deploy"] {
            let updated = updated("Bash", &json!({"command": command}), &response).unwrap();
            let stdout = updated["stdout"].as_str().unwrap();
            assert!(stdout.len() * 4 < log().len() && stdout.contains("headroom get hr_"), "{stdout}");
            let mut same = updated.clone();
            same["stdout"] = response["stdout"].clone();
            assert_eq!(same, response);
        }
    }

    #[test]
    fn blocks_of_mcp_servers_are_shortened_one_by_one() {
        let response = json!([{"type": "text", "text": log()}, {"type": "image", "data": "AA=="}, {"type": "text", "text": "short"}]);
        let updated = updated("mcp__logs__read_latest", &json!({}), &response).unwrap();
        assert!(updated[0]["text"].as_str().unwrap().len() * 4 < log().len());
        assert_eq!((&updated[1], &updated[2]), (&response[1], &response[2]));
    }

    /// T073: what names an original of ours is not written; anything else is none of our business.
    #[test]
    fn a_mark_is_not_written() {
        let engine = Engine::new(Store::memory());
        let scope = Scope::default();
        let handle = engine.keep(&scope, "text").unwrap();
        let ask = |content: &str| {
            let event = json!({"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": "a", "content": content}});
            guarded(event.to_string().as_bytes(), &engine, &scope)
        };
        let refused = ask(&format!("a\n[-1 of 2 lines; all in {handle}]\n")).unwrap();
        assert_eq!(refused["hookSpecificOutput"]["permissionDecision"], "deny");
        assert!(
            refused["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap().contains(&handle.to_string())
        );
        for fine in
            ["a", "[-14 lines 38-51]", "[-1 of 2 lines; all in hr_4k2m9x7qw3]", &format!("headroom get {handle} > a")]
        {
            assert_eq!(ask(fine), None, "{fine}");
        }
    }

    /// T075: where anything is odd, nothing is said, and the agent keeps what the tool returned.
    #[test]
    fn what_is_not_understood_stays() {
        let engine = Engine::new(Store::memory());
        for odd in ["", "{", "[]", "{\"hook_event_name\":\"PreToolUse\"}", "{\"hook_event_name\":7}"] {
            assert_eq!(replacement(odd.as_bytes(), &Kinds::DEFAULT, &engine, &Scope::default()), None, "{odd}");
        }
        let bash = json!({"command": "x"});
        for response in [
            json!(null),
            json!("text"),
            json!({"stdout": 7}),
            json!({"stdout": "short"}),
            json!({"stdout": log(), "persistedOutputPath": "/tmp/x"}),
        ] {
            assert_eq!(updated("Bash", &bash, &response), None, "{response}");
        }
        // A file that is read may be edited.
        let code: String = (0..200).map(|n| format!("    value_{n} = compute({n})\n")).collect();
        assert_eq!(updated("Bash", &json!({"command": "cat a.py"}), &json!({"stdout": code, "stderr": ""})), None);
        assert_eq!(updated("Read", &json!({"file_path": "a.log"}), &json!({"stdout": log()})), None);
    }
}
