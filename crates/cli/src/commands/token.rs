//! `headroom token`

use std::time::{SystemTime, UNIX_EPOCH};

use headroom::Engine;
use headroom::memory::shown;
use headroom_store::{Grant, Rights, Scope, Secret, Store};
use serde_json::json;

use crate::args::{TokenAction, TokenArgs};
use crate::error::CliError;
use crate::out;

const HOUR_MS: u64 = 60 * 60 * 1000;

pub(crate) fn run(args: &TokenArgs, engine: &Engine, scope: &Scope) -> Result<(), CliError> {
    let store = engine.store();
    let now = now_ms();
    match &args.action {
        TokenAction::Create { name, user, rights, days } => {
            let rights: Rights = rights.parse().map_err(|error| CliError::Usage(format!("--rights: {error}")))?;
            if name.trim().is_empty() {
                return Err(CliError::Usage("a token needs a name to manage it by".to_owned()));
            }
            if holding(store, scope, name, now)?.is_some() {
                return Err(CliError::Usage(format!(
                    "{name:?} has a token; `headroom token rotate {name}` makes a new one"
                )));
            }
            let ends_ms = days.map(|days| now.saturating_add(u64::from(days) * 24 * HOUR_MS));
            let user = user.clone().unwrap_or_else(|| name.clone());
            issue(store, scope, &Grant { name: name.clone(), user, rights, created_ms: now, ends_ms })
        }
        TokenAction::Rotate { name, keep_hours } => {
            let held = holding(store, scope, name, now)?.ok_or_else(|| missing(name))?;
            let until = now.saturating_add(u64::from(*keep_hours) * HOUR_MS);
            store.end_grants(scope, name, until).map_err(failed)?;
            // The new one keeps the end that the old one had.
            issue(store, scope, &Grant { created_ms: now, ..held })?;
            out::say(&format!("headroom: the token before it holds until {}", shown::time(until)));
            Ok(())
        }
        TokenAction::Revoke { name } => match store.end_grants(scope, name, now).map_err(failed)? {
            0 => Err(missing(name)),
            ended => {
                out::say(&format!("headroom: {ended} revoked; proxies refuse it within ten seconds"));
                Ok(())
            }
        },
        TokenAction::List { json: as_json } => list(store, scope, now, *as_json),
    }
}

/// Makes a secret and prints it, once what it allows is kept.
fn issue(store: &Store, scope: &Scope, grant: &Grant) -> Result<(), CliError> {
    let secret = Secret::fresh().map_err(CliError::while_doing("cannot make a token"))?;
    store.grant(scope, secret.hash(), grant).map_err(failed)?;
    out::line(secret.expose())?;
    out::say(&format!(
        "headroom: {} may {}{}; send it in the header x-headroom-token to a proxy that runs with grants = on",
        grant.user,
        grant.rights,
        grant.ends_ms.map_or(String::new(), |end| format!(" until {}", shown::time(end))),
    ));
    Ok(())
}

/// The newest token of a name that holds.
fn holding(store: &Store, scope: &Scope, name: &str, now: u64) -> Result<Option<Grant>, CliError> {
    let all = store.grants(scope).map_err(failed)?;
    Ok(all.into_iter().rfind(|grant| grant.name == name && grant.holds_at(now)))
}

fn list(store: &Store, scope: &Scope, now: u64, as_json: bool) -> Result<(), CliError> {
    for grant in store.grants(scope).map_err(failed)? {
        let Grant { name, user, rights, created_ms, ends_ms } = &grant;
        let holds = grant.holds_at(now);
        if as_json {
            out::json(&json!({
                "name": name, "user": user, "rights": rights.to_string(), "created_ms": created_ms, "ends_ms": ends_ms, "holds": holds,
            }))?;
            continue;
        }
        let end = match ends_ms {
            None => "holds".to_owned(),
            Some(end) if holds => format!("until {}", shown::time(*end)),
            Some(end) => format!("ended {}", shown::time(*end)),
        };
        out::line(&format!("{name:20} {user:20} {:24} since {}  {end}", rights.to_string(), shown::time(*created_ms)))?;
    }
    Ok(())
}

fn missing(name: &str) -> CliError {
    CliError::NotFound(format!("{name:?} has no token that holds; `headroom token list` shows all"))
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
