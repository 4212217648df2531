//! `headroom man`: the manual pages, and `docs/commands.md`.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::args::{Cli, ManArgs};
use crate::error::{CODES, CliError};
use crate::out;

pub(crate) fn run(args: &ManArgs) -> Result<(), CliError> {
    let command = Cli::command();
    if args.markdown {
        return out::data(markdown(command).as_bytes());
    }
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(CliError::while_doing(folder.display()))?;
            clap_mangen::generate_to(command, folder).map_err(CliError::while_doing(folder.display()))
        }
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.map_err(CliError::while_doing("cannot write the page"))?;
            out::data(&page)
        }
    }
}

/// The documentation of all commands: what `--help` says, and what they end with.
fn markdown(command: Command) -> String {
    let mut page = "# Commands\n\n\
        Written by `headroom man --markdown`. `headroom man FOLDER` writes manual pages, `headroom completions SHELL` what completes arguments in bash, elvish, \
        fish, powershell and zsh. Every command has a short `-h` and a long `--help`. With `--errors json` a failure is one JSON object on stderr.\n\n\
        ## What they end with\n\n| code | exit code | when |\n|---|---|---|\n"
        .to_owned();
    for (code, exit, when) in CODES {
        let _ = writeln!(page, "| `{code}` | {exit} | {when} |"); // Writing to a string cannot fail.
    }
    let mut command = command.term_width(100).disable_help_subcommand(true);
    command.build();
    describe(&command, "", &mut page);
    page
}

fn describe(command: &Command, before: &str, page: &mut String) {
    let name = format!("{before}{}", command.get_name());
    let mut shown = command.clone().bin_name(&name);
    if !before.is_empty() {
        // What every command takes is said once.
        let globals: Vec<_> = command.get_arguments().filter(|argument| argument.is_global_set()).collect();
        for global in globals {
            shown = shown.mut_arg(global.get_id(), |argument| argument.hide(true));
        }
    }
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        describe(inner, &format!("{name} "), page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_commands_are_these() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        assert!(
            std::fs::read_to_string(path).unwrap() == markdown(Cli::command()),
            "write it anew: headroom man --markdown > docs/commands.md"
        );
    }

    #[test]
    fn every_command_says_what_it_and_its_arguments_do() {
        fn check(command: &Command) {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{} {} says nothing", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        command.get_subcommands().for_each(check);
    }
}
