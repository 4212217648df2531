//! One file per agent, one line here.

mod aider;
mod any;
pub(crate) mod claude;
mod cline;
mod codex;
mod continue_dev;
mod copilot;
mod cursor;
mod gemini;
mod goose;
mod opencode;
mod openhands;
mod qwen;

use super::recipe::Recipe;

/// Every agent we know.
pub(crate) const ALL: &[&Recipe] = &[
    &claude::RECIPE,
    &codex::RECIPE,
    &gemini::RECIPE,
    &opencode::RECIPE,
    &aider::RECIPE,
    &qwen::RECIPE,
    &goose::RECIPE,
    &openhands::RECIPE,
    &copilot::RECIPE,
    &cursor::RECIPE,
    &cline::RECIPE,
    &continue_dev::RECIPE,
];

/// Any command: `headroom wrap -- COMMAND`.
pub(crate) use any::RECIPE as ANY;
