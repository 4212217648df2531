//! Addresses written down for good, and taken out again.

use std::io::{BufRead, IsTerminal};

use serde_json::Value;

use super::recipe::{Recipe, Surroundings, Wire};
use crate::config_file::journal::{self, Change, Edit, Undone};
use crate::error::CliError;
use crate::settings::Settings;
use crate::{env, out};

pub(super) fn run(
    recipe: &Recipe,
    settings: &Settings,
    surroundings: &Surroundings<'_>,
    yes: bool,
) -> Result<(), CliError> {
    let by_hand =
        || CliError::Usage(format!("there is no file that could be changed for {}. {}", recipe.name, recipe.note));
    let persist = recipe.persist.ok_or_else(by_hand)?;
    if settings.wants_tokens() {
        return Err(CliError::Usage(super::WANTS_TOKEN.to_owned()));
    }
    let listen = settings.listen.filter(|listen| listen.port() != 0);
    let listen = listen.ok_or_else(|| CliError::Usage("listen must be an address with a fixed port".to_owned()))?;
    refuse_other_upstreams(recipe, settings, surroundings)?;
    let edits = persist.keys.iter().map(|(path, tail, _)| Edit {
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        value: Value::String(format!("http://{listen}{tail}")),
        element: false,
    });
    let file = surroundings.file(&persist.file);
    let change = journal::plan(&file, persist.file.format, edits.collect());
    let change = change.map_err(|error| CliError::Failed(error.to_string()))?;
    make(change, &format!("{}.wrap", recipe.name), yes)?;
    out::say(&format!(
        "headroom: {0} needs a proxy on http://{listen} from now on: keep `headroom proxy` running.\n\
         headroom: `headroom unwrap {0}` takes it back; plain `headroom wrap {0}` needs no file and no standing proxy.",
        recipe.name
    ));
    Ok(())
}

/// The standing proxy sends on to what it is configured to: a user whose agent goes elsewhere has to say so there first.
fn refuse_other_upstreams(
    recipe: &Recipe,
    settings: &Settings,
    surroundings: &Surroundings<'_>,
) -> Result<(), CliError> {
    if let Some(why) = recipe.obstacle(surroundings) {
        return Err(CliError::Failed(format!("nothing was changed: {why}")));
    }
    for route in recipe.routes {
        if !route.when.as_ref().is_none_or(|when| surroundings.holds(when)) {
            continue;
        }
        let (option, upstream) = match route.wire {
            Wire::Anthropic => ("anthropic-upstream", &settings.anthropic_upstream),
            Wire::OpenAi => ("openai-upstream", &settings.openai_upstream),
            Wire::Gemini => ("gemini-upstream", &settings.gemini_upstream),
        };
        let own = route.own.iter().find_map(|own| surroundings.said(&own.place));
        let goes_to = own.or_else(|| route.usual.map(str::to_owned));
        let tail = if goes_to.is_some() { route.tail } else { "" };
        let proxy = settings.listen.map(|listen| format!("http://{listen}{}", route.tail));
        let fine = goes_to.as_deref().is_none_or(|url| {
            Some(url) == proxy.as_deref() || url.trim_end_matches('/') == format!("{upstream}{tail}") || url == upstream
        });
        if let (false, Some(url)) = (fine, goes_to) {
            return Err(CliError::Failed(format!(
                "nothing was changed: {} goes to {url}. Set {option} to it in headroom's configuration and take it out of {}'s, \
                 or use plain `headroom wrap {}`, which sends on to it by itself",
                recipe.name, recipe.name, recipe.name
            )));
        }
    }
    Ok(())
}

/// Shows a change, asks, makes it.
pub(crate) fn make(change: Option<Change>, key: &str, yes: bool) -> Result<(), CliError> {
    let Some(change) = change else {
        out::say("headroom: it says so already; nothing to change");
        return Ok(());
    };
    let folder = folder()?;
    if journal::is_recorded(&folder, key) {
        // A second entry would take the place of the first, and with it of the bytes to go back to.
        return Err(CliError::Failed(
            "an earlier change of ours is recorded for this; take it back first with unwrap or uninstall".to_owned(),
        ));
    }
    out::say(&change.shown());
    if !yes {
        ask()?;
    }
    change.make(&folder, key).map_err(|error| CliError::Failed(error.to_string()))?;
    out::say("headroom: done");
    Ok(())
}

fn ask() -> Result<(), CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage("nothing was changed: say --yes, or run it in a terminal".to_owned()));
    }
    out::say("headroom: change the file like this? [y/N]");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(CliError::while_doing("cannot read the answer"))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(CliError::Failed("nothing was changed".to_owned()))
    }
}

/// Takes back what is recorded for an agent.
pub(crate) fn undo(recipe: &Recipe, what: &str) -> Result<(), CliError> {
    undo_of(recipe.name, &format!("{}.{what}", recipe.name))
}

/// Takes back what is recorded under a key, which is for `whom`.
pub(crate) fn undo_of(whom: &str, key: &str) -> Result<(), CliError> {
    let undone = journal::undo(&folder()?, key);
    match undone.map_err(|error| CliError::Failed(error.to_string()))? {
        Undone::Nothing => out::say(&format!("headroom: nothing of ours is recorded for {whom}")),
        Undone::Restored(file) => out::say(&format!("headroom: {} is as it was before", file.display())),
        Undone::Removed(file) => {
            out::say(&format!("headroom: {} was changed since; only our entry was taken out", file.display()));
        }
        Undone::Left(file, keys) => out::say(&format!(
            "headroom: {} was changed since, also where our entry was: {} was left",
            file.display(),
            keys.join(", ")
        )),
    }
    Ok(())
}

fn folder() -> Result<std::path::PathBuf, CliError> {
    let data = env::data_folder().ok_or_else(|| CliError::Failed("there is no data directory".to_owned()))?;
    Ok(data.join("journal"))
}
