//! What the sender of a request may do.
//!
//! Without a token and without grants everybody on this machine may do everything. With `token` its holder may; with grants also whoever
//! sends the secret of one, as far as it allows. What was read of a grant is believed for a few seconds, so that not every request asks
//! the store, and for longer while the store is away: those who were let in go on working, and nobody new comes in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headroom_store::{Grant, Right, SecretHash};
use http::request::Parts;

use crate::app::App;
use crate::headers::TOKEN;
use crate::refusal::Refusal;

/// How long what was read of a grant is believed. A revoked one is refused by every proxy after that.
const BELIEVED: Duration = Duration::from_secs(10);

/// Secrets remembered at most, wrong ones included; they are forgotten together.
const REMEMBERED: usize = 4096;

/// Whose request it is, as a receipt says it. Rides with a request's head.
#[derive(Clone, Debug, Default)]
pub(crate) struct User(pub(crate) Arc<str>);

impl User {
    /// The user of a request; nobody in particular where nobody had to say.
    pub(crate) fn of(head: &Parts) -> String {
        head.extensions.get::<Self>().map_or_else(String::new, |user| user.0.to_string())
    }
}

/// When a grant was read, and what it was; none for a secret that is nobody's.
type Reading = (Instant, Option<Arc<Grant>>);

/// What is known of secrets.
#[derive(Debug, Default)]
pub(crate) struct Known {
    secrets: Mutex<HashMap<SecretHash, Reading>>,
}

impl Known {
    fn of(&self, hash: &SecretHash) -> Option<Reading> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn learn(&self, hash: SecretHash, grant: Option<Arc<Grant>>) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.len() >= REMEMBERED {
            secrets.clear();
        }
        secrets.insert(hash, (Instant::now(), grant));
    }
}

/// Lets a request pass that does what takes `right`, if it takes one, and says whose it is.
pub(crate) async fn check(app: &Arc<App>, head: &Parts, right: Option<Right>) -> Result<User, Refusal> {
    let config = &app.config;
    if config.token.is_none() && !config.grants {
        return Ok(User::default());
    }
    let given = head.headers.get(TOKEN).ok_or(Refusal::Token)?.as_bytes();
    if config.token.as_ref().is_some_and(|token| token.matches(given)) {
        return Ok(User::default());
    }
    if !config.grants {
        return Err(Refusal::Token);
    }
    let grant = granted(app, SecretHash::of(given)).await?.filter(|grant| grant.holds_at(now_ms()));
    match grant {
        None => Err(Refusal::Token),
        Some(grant) if right.is_none_or(|right| grant.rights.allow(right)) => Ok(User(grant.user.as_str().into())),
        Some(_) => Err(Refusal::Right),
    }
}

async fn granted(app: &Arc<App>, hash: SecretHash) -> Result<Option<Arc<Grant>>, Refusal> {
    let known = app.known.of(&hash);
    if let Some((read, grant)) = &known
        && read.elapsed() < BELIEVED
    {
        return Ok(grant.clone());
    }
    let asked = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || asked.engine.store().granted(&asked.config.scope, hash)).await;
    match (read, known) {
        (Ok(Ok(grant)), _) => {
            let grant = grant.map(Arc::new);
            app.known.learn(hash, grant.clone());
            Ok(grant)
        }
        (Ok(Err(_)) | Err(_), Some((_, Some(grant)))) => Ok(Some(grant)),
        (Ok(Err(error)), _) => {
            tracing::warn!(%error, "a token cannot be checked");
            Err(Refusal::Unchecked)
        }
        (Err(_), _) => Err(Refusal::Unchecked),
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
