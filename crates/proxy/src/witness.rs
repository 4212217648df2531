//! Which agent is asking, and in which source tree it works.
//!
//! Two ways to know. `headroom wrap` gives an agent an address that says both: `http://127.0.0.1:8787/for/claude/<workspace>/v1/messages`; the first
//! three parts are for the proxy alone. Otherwise agents name themselves in `User-Agent`, and state their working directory to the model,
//! which means something here only if they run on this machine: that is taken to be so while the proxy listens on loopback.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use headroom::memory::{Repository, Witness, agent_named, agent_of_client, stated_directory};
use headroom_store::Workspace;
use headroom_wire::Request;
use http::Uri;
use http::header::USER_AGENT;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::Config;

/// What the first part of such an address is.
const FOR: &str = "/for/";

/// Stands where the workspace would, if it is not known.
const NOWHERE: &str = "-";

/// Directories that are remembered.
const DIRECTORIES: usize = 256;

/// How long: a repository may be made, moved, or given another remote.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What an address says of its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    agent: Option<String>,
    workspace: Option<Workspace>,
}

/// Takes what an address says of its user out of a request's path, and keeps it with the request. A path that only begins alike stays as it is.
pub(crate) fn take_name(head: &mut Parts) {
    let Some((named, rest)) = split(head.uri.path_and_query().map_or("", PathAndQuery::as_str)) else { return };
    let mut parts = head.uri.clone().into_parts();
    let Ok(rest) = rest.parse::<PathAndQuery>() else { return };
    parts.path_and_query = Some(rest);
    let Ok(uri) = Uri::from_parts(parts) else { return };
    head.uri = uri;
    head.extensions.insert(named);
}

fn split(target: &str) -> Option<(Named, &str)> {
    let mut parts = target.strip_prefix(FOR)?.splitn(3, '/');
    let agent = agent_named(parts.next()?)?;
    let workspace = match parts.next()? {
        NOWHERE => None,
        written => Some(written.parse().ok()?),
    };
    let at = target.len() - parts.next()?.len() - 1;
    Some((Named { agent: Some(agent), workspace }, &target[at..]))
}

/// Who sent a request, as far as its head says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speaker {
    named: Named,
    client: String,
}

impl Speaker {
    pub(crate) fn of(head: &Parts) -> Self {
        let client = head.headers.get(USER_AGENT).and_then(|client| client.to_str().ok()).unwrap_or_default();
        Self { named: head.extensions.get().cloned().unwrap_or_default(), client: client.to_owned() }
    }
}

/// The source trees of the agents on this machine.
#[derive(Debug)]
pub(crate) struct Trees {
    /// Whether directories that agents state are directories here.
    local: bool,
    home: Option<PathBuf>,
    known: Mutex<HashMap<PathBuf, (Instant, Option<Repository>)>>,
}

impl Trees {
    pub(crate) fn new(config: &Config) -> Self {
        Self { local: config.listen.ip().is_loopback(), home: config.home.clone(), known: Mutex::default() }
    }

    /// The witness of a request; `None` where it is not known in which tree its agent works. May read a few small files.
    pub(crate) fn witness(&self, speaker: &Speaker, request: &Request) -> Option<Witness> {
        let stated = || stated_directory(request).filter(|_| self.local).and_then(|directory| self.at(&directory));
        let (workspace, top) = match speaker.named.workspace {
            Some(workspace) => {
                (workspace, stated().filter(|repository| repository.workspace == workspace).map(|stated| stated.top))
            }
            None => stated().map(|repository| (repository.workspace, Some(repository.top)))?,
        };
        let agent = speaker.named.agent.clone().unwrap_or_else(|| agent_of_client(&speaker.client));
        Some(Witness { workspace, top, agent, session: request.session().unwrap_or_default().to_owned() })
    }

    /// The repository that a directory of this machine lies in.
    pub(crate) fn at(&self, directory: &Path) -> Option<Repository> {
        if !self.local {
            return None;
        }
        let now = Instant::now();
        let recent = |(when, _): &(Instant, _)| now.duration_since(*when) < REMEMBERED;
        let known = |trees: &HashMap<_, (Instant, Option<Repository>)>| {
            trees.get(directory).filter(|known| recent(known)).map(|(_, repository)| repository.clone())
        };
        if let Some(repository) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return repository;
        }
        let repository = Repository::at(directory, self.home.as_deref());
        let mut trees = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if trees.len() >= DIRECTORIES {
            trees.clear();
        }
        trees.insert(directory.to_owned(), (now, repository.clone()));
        repository
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(target: &str) -> (String, Option<Named>) {
        let (mut head, ()) = http::Request::builder().uri(target).body(()).unwrap().into_parts();
        take_name(&mut head);
        (head.uri.to_string(), head.extensions.get().cloned())
    }

    #[test]
    fn an_address_says_who_and_where_and_the_rest_is_the_request() {
        let workspace = Workspace::of("x").unwrap();
        let (rest, named) = taken(&format!("/for/claude/{workspace}/v1/messages?beta=true"));
        assert_eq!(rest, "/v1/messages?beta=true");
        assert_eq!(named, Some(Named { agent: Some("claude".to_owned()), workspace: Some(workspace) }));
        let (rest, named) = taken("http://localhost:8787/for/codex/-/responses");
        assert_eq!(rest, "http://localhost:8787/responses");
        assert_eq!(named.map(|named| named.workspace), Some(None));
    }

    /// T104
    #[test]
    fn what_is_not_exactly_such_an_address_names_nobody_and_is_not_touched() {
        let zeros = "0".repeat(32);
        for target in [
            "/v1/messages",
            "/for/claude/v1/messages",
            "/for/Claude/-/v1/messages",
            "/for//-/v1/messages",
            "/for/claude//v1/messages",
            "/for/claude/0123/v1/messages",
            "/for/claude/-",
            "/x/for/claude/-/v1/messages",
            "/for/..%2fx/-/v1/messages",
            &format!("/for/claude/{zeros}/v1/messages"),
            &format!("/for/claude/{}/v1/messages", "A".repeat(32)),
        ] {
            assert_eq!(taken(target), (target.to_owned(), None), "{target}");
        }
    }
}
