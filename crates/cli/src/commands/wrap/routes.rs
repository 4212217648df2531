//! Whether each agent on this machine reaches the proxy: for `headroom doctor`.
//!
//! Two ways are proved. Where `wrap --persist` has written an address down, the file is read as the agent reads it, and a canary is sent to that address.
//! For agents that are installed, what `headroom wrap` would tell them is worked out, its proxy is found or started, and the canary goes to the
//! address with the agent's name in it. The canary is a question that no provider sees: only a Headroom answers it, and says which
//! configuration it runs.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::plan::{self, Plan};
use super::recipe::{Persist, Recipe, Surroundings};
use super::{agents, lead, name_of, program, surroundings};
use crate::config_file::format;
use crate::settings::Settings;
use crate::share;

/// What was found of one agent: what it is, or what is wrong and what to do.
type Found = (String, Result<String, (String, String)>);

/// Looks at every agent that is here, or that something of ours is written down for.
pub(crate) fn check(settings: &Settings, config: Option<&Path>) -> Vec<Found> {
    let Ok(surroundings) = surroundings() else { return Vec::new() };
    let mut found = Vec::new();
    for recipe in agents::ALL {
        let written = recipe.persist.and_then(|persist| written(&persist, &surroundings));
        if let Some((file, address)) = written {
            let name = format!("{}, written down", recipe.name);
            found.push((name, reaches(recipe, &file, address, settings)));
        } else if program(recipe).is_ok() {
            found.push((format!("{}, wrapped", recipe.name), would_reach(recipe, &surroundings, settings, config)));
        }
    }
    found
}

/// The address on this machine that an agent's file sends it to, if that is how `--persist` writes one.
fn written(persist: &Persist, surroundings: &Surroundings<'_>) -> Option<(String, SocketAddr)> {
    let file = surroundings.file(&persist.file);
    let bytes = std::fs::read(&file).ok()?;
    let (path, tail, _) = persist.keys.first()?;
    let Value::String(url) = format::get(persist.file.format, &bytes, path).ok()?? else { return None };
    let address = url.strip_prefix("http://")?.strip_suffix(tail)?.replace("localhost", "127.0.0.1");
    let address: SocketAddr = address.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())?;
    Some((file.display().to_string(), address))
}

fn reaches(recipe: &Recipe, file: &str, address: SocketAddr, settings: &Settings) -> Result<String, (String, String)> {
    let agent = recipe.name;
    match share::canary(address, settings.token.as_deref(), "") {
        Some(_) => Ok(format!("{file} leads to the Headroom on {address}")),
        None => Err((
            format!("{file} leads to {address}, where no Headroom answers: {agent} cannot work"),
            format!(
                "`headroom proxy` or `headroom service install` starts one; `headroom unwrap {agent}` takes the address back"
            ),
        )),
    }
}

fn would_reach(
    recipe: &'static Recipe,
    surroundings: &Surroundings<'_>,
    settings: &Settings,
    config: Option<&Path>,
) -> Result<String, (String, String)> {
    let agent = recipe.name;
    let through = match plan::plan(recipe, &[], surroundings, settings.listen) {
        // Nothing is wrong with an agent that cannot be led, or that its user has led elsewhere.
        Plan::Direct(why) => return Ok(format!("runs without the proxy: {why}")),
        Plan::Through(through) => through,
    };
    let name = name_of(recipe, surroundings);
    let mut led = None;
    let child = lead(&through, &name, settings, config, &mut led);
    let next = || format!("`headroom wrap {agent}` runs it without the proxy until then");
    let child = child.map_err(|why| (why, next()))?;
    let told: Vec<String> = child.variables.iter().map(|(name, _)| name.clone()).chain(child.arguments).collect();
    match led.and_then(|address| share::canary(address, settings.token.as_deref(), &name).map(|_| address)) {
        Some(address) => Ok(format!("`headroom wrap {agent}` leads it to {address} by {}", told.join(", "))),
        None => Err(("its proxy was started and does not answer".to_owned(), next())),
    }
}
