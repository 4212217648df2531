//! Chores of this repository: `cargo xtask CHORE`.

mod corpus;
mod edges;
mod scoreboard;
mod situations;

use std::process::ExitCode;

/// A chore: its arguments, and the problem it ended with.
type Chore = fn(&[String]) -> Result<(), String>;

/// Every chore with what it does.
const CHORES: &[(&str, &str, Chore)] = &[
    ("corpus", "make search results, listings and diffs to measure on, in target/corpus", corpus::run),
    ("edges", "check that crates depend only on what ARCHITECTURE.md allows", edges::run),
    ("situations", "write which test covers which row of docs/situations.md; --check only compares", situations::run),
    (
        "scoreboard",
        "what each kind of text saves and keeps; --kind K, --dir D, --as-files, --losses, --json, --write",
        scoreboard::run,
    ),
];

#[allow(clippy::print_stderr, reason = "a chore talks to the person who runs it")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = arguments.first().and_then(|name| CHORES.iter().find(|(chore, ..)| chore == name));
    let Some((.., chore)) = named else {
        eprintln!("usage: cargo xtask CHORE");
        CHORES.iter().for_each(|(name, about, _)| eprintln!("  {name:12} {about}"));
        return ExitCode::from(2);
    };
    match chore(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
