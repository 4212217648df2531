//! Memory over HTTP. Every page wants to be told which workspace: `workspace=` as `headroom memory stats` prints it, or on this machine
//! `directory=`. Without one that can be resolved nothing is read and nothing is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use headroom::Handle;
use headroom::memory::{Known, Memory, agent_named, shown};
use headroom_store::{Forget, Note, Right, StoreError};
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{json, parameters, text};
use crate::app::App;
use crate::refusal::Refusal;
use crate::relay::Body;

/// Texts on one page when the question sets no limit, and at most.
const LIMITS: (usize, usize) = (20, 200);

/// A page about memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemoryPage {
    /// What was met, the latest first: `GET /v1/memory`, with `limit` and `offset`.
    List,
    /// What has to do with `q`: `GET /v1/memory/search`; `format=text` gives it as a model reads it.
    Search,
    /// Figures: `GET /v1/memory/stats`.
    Stats,
    /// Notes, or those that have to do with `q`: `GET /v1/memory/notes`.
    Notes,
    /// Keeps a note: `POST /v1/memory/notes`.
    Remember,
    /// Forgets a note: `DELETE /v1/memory/notes/{number}`.
    ForgetNote(String),
    /// One text that was met: `GET /v1/memory/{handle}`.
    Show(String),
    /// Forgets a text: `DELETE /v1/memory/{handle}`.
    Forget(String),
}

impl MemoryPage {
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/memory")?;
        match (method, rest) {
            (&Method::GET, "") => Some(Self::List),
            (&Method::GET, "/search") => Some(Self::Search),
            (&Method::GET, "/stats") => Some(Self::Stats),
            (&Method::GET, "/notes") => Some(Self::Notes),
            (&Method::POST, "/notes") => Some(Self::Remember),
            (&Method::DELETE, rest) if rest.starts_with("/notes/") => Some(Self::ForgetNote(rest[7..].to_owned())),
            (&Method::GET, rest) if rest.starts_with("/hr_") => Some(Self::Show(rest[1..].to_owned())),
            (&Method::DELETE, rest) if rest.starts_with("/hr_") => Some(Self::Forget(rest[1..].to_owned())),
            _ => None,
        }
    }
}

impl MemoryPage {
    /// What it takes to see it.
    pub(crate) const fn right(&self) -> Right {
        match self {
            Self::List | Self::Search | Self::Notes | Self::Remember | Self::ForgetNote(_) | Self::Show(_) => {
                Right::Retrieve
            }
            Self::Stats => Right::Stats,
            Self::Forget(_) => Right::Admin,
        }
    }
}

/// What `POST /v1/memory/notes` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    session: String,
}

/// Answers a page; `body` is empty but for a note.
pub(crate) async fn answer(
    app: &Arc<App>,
    page: MemoryPage,
    query: &str,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    let asked: Vec<(String, String)> = parameters(query).collect();
    let app = Arc::clone(app);
    let answered = tokio::task::spawn_blocking(move || {
        let asks = |name: &str| asked.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let memory = memory_of(&app, &asks)?;
        given(&memory, page, &asks, &body)
    });
    match answered.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(Problem::Question(why))) => Ok(Refusal::BadQuestion.explained(&why)),
        Ok(Err(Problem::Missing(why))) => {
            Ok(text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", format!("{why}\n")))
        }
        Ok(Err(Problem::Store(error))) => {
            Ok(text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", format!("{error}\n")))
        }
        Err(_) => Err(Refusal::NotFound),
    }
}

/// Why a page has no answer.
enum Problem {
    Question(String),
    Missing(String),
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The memory that is asked; a question that does not say whose is not answered.
fn memory_of<'a>(app: &App, asks: &impl Fn(&str) -> Option<&'a str>) -> Result<Memory, Problem> {
    let question = |why: &str| Problem::Question(why.to_owned());
    let (workspace, top): (_, Option<PathBuf>) = match (asks("workspace"), asks("directory")) {
        (Some(written), None) => (written.parse().map_err(|error| question(&format!("workspace: {error}")))?, None),
        (None, Some(directory)) => {
            let repository = app.trees.at(Path::new(directory));
            let repository = repository.ok_or_else(|| {
                question("directory: it lies in no git repository that can be told apart; nothing was read")
            })?;
            (repository.workspace, Some(repository.top))
        }
        (Some(_), Some(_)) => return Err(question("say workspace or directory, not both")),
        (None, None) => return Err(question("say which workspace, or the directory of one; nothing was read")),
    };
    Ok(app.engine.memory(&app.config.scope, workspace, top))
}

fn given<'a>(
    memory: &Memory,
    page: MemoryPage,
    asks: &impl Fn(&str) -> Option<&'a str>,
    body: &Bytes,
) -> Result<Response<Body>, Problem> {
    let number = |name: &str, usual: usize| match asks(name) {
        None => Ok(usual),
        Some(written) => {
            written.parse().map_err(|_| Problem::Question(format!("{name} is {written:?}, not a whole number")))
        }
    };
    let limit = number("limit", LIMITS.0)?.min(LIMITS.1);
    let handle = |written: &str| written.parse::<Handle>().map_err(|error| Problem::Question(error.to_string()));
    let value = match page {
        MemoryPage::List => {
            let known = memory.list(limit, number("offset", 0)?)?;
            json!({"texts": known.iter().map(known_json).collect::<Vec<_>>()})
        }
        MemoryPage::Search => {
            let query = asks("q").ok_or_else(|| Problem::Question("q is missing: what to look for".to_owned()))?;
            let found = memory.search(query, limit)?;
            if asks("format") == Some("text") {
                return Ok(text(StatusCode::OK, "text/plain; charset=utf-8", shown::found(&found) + "\n"));
            }
            let hit = |hit: &headroom::memory::Hit| {
                let mut value = known_json(&hit.known);
                value["score"] = hit.score.into();
                value["lines"] = hit.lines.iter().map(|(number, line)| json!({"line": number, "text": line})).collect();
                value
            };
            let notes: Vec<Value> = found.notes.iter().map(note_json).collect();
            json!({"about": shown::HEADING, "texts": found.hits.iter().map(hit).collect::<Vec<_>>(), "notes": notes})
        }
        MemoryPage::Stats => figures(memory)?,
        MemoryPage::Notes => {
            let notes = memory.notes(asks("q"))?;
            json!({"about": shown::HEADING, "notes": notes.iter().map(note_json).collect::<Vec<_>>()})
        }
        MemoryPage::Remember => {
            let said: Said = serde_json::from_slice(body).map_err(|error| Problem::Question(error.to_string()))?;
            if said.text.trim().is_empty() {
                return Err(Problem::Question("text is empty".to_owned()));
            }
            let agent = agent_named(&said.agent).unwrap_or_default();
            note_json(&memory.remember(&said.topic, &said.text, &agent, &said.session)?)
        }
        MemoryPage::ForgetNote(written) => {
            let id = written.parse().map_err(|_| Problem::Question(format!("{written:?} is no number of a note")))?;
            if !memory.forget_note(id)? {
                return Err(Problem::Missing(format!("there is no note {id} in this workspace")));
            }
            json!({"notes": 1})
        }
        MemoryPage::Show(written) => match memory.show(handle(&written)?)? {
            Some(known) => known_json(&known),
            None => return Err(Problem::Missing(format!("{written} was not met in this workspace"))),
        },
        MemoryPage::Forget(written) => {
            let forgotten = memory.forget(Forget::Text(handle(&written)?))?;
            if forgotten.texts == 0 {
                return Err(Problem::Missing(format!("{written} was not met in this workspace")));
            }
            json!({"texts": forgotten.texts, "erased": forgotten.erased, "pages_remain": forgotten.pages_remain})
        }
    };
    Ok(json(StatusCode::OK, &value))
}

fn figures(memory: &Memory) -> Result<Value, StoreError> {
    let figures = memory.figures()?;
    let agents: Vec<Value> = figures
        .agents
        .iter()
        .map(|(agent, met, reused)| json!({"agent": agent, "texts": met, "reused": reused}))
        .collect();
    Ok(json!({
        "workspace": memory.workspace().to_string(),
        "texts": figures.texts,
        "bytes": figures.bytes,
        "notes": figures.notes,
        "reused": figures.reused(),
        "agents": agents,
    }))
}

fn known_json(known: &Known) -> Value {
    let seen = |seen: &headroom_store::Seen| {
        json!({
            "agent": seen.agent,
            "session": seen.session,
            "source": seen.source,
            "object": seen.object,
            "first_ms": seen.first_ms,
            "last_ms": seen.last_ms,
            "times": seen.times,
        })
    };
    json!({
        "handle": known.remembered.handle.to_string(),
        "bytes": known.remembered.bytes,
        "source": known.source(),
        "said": shown::line(known),
        "seen": known.remembered.seen.iter().map(seen).collect::<Vec<_>>(),
    })
}

fn note_json(note: &Note) -> Value {
    json!({
        "id": note.id,
        "topic": note.topic,
        "text": note.text,
        "agent": note.agent,
        "session": note.session,
        "first_ms": note.first_ms,
        "last_agent": note.last_agent,
        "last_ms": note.last_ms,
        "times": note.times,
    })
}
