//! Recorded conversations.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use headroom_wire::Dialect;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::dialects::Interpreter;

/// A recorded conversation that can be played turn by turn.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: String,
    /// Where it was recorded.
    pub source: String,
    /// Format of its messages.
    pub dialect: Dialect,
    system: Option<String>,
    tools: Option<Box<RawValue>>,
    messages: Vec<(String, Box<RawValue>)>,
    /// What stands for each message in a request, where that is not the message as it was recorded.
    items: Option<Vec<String>>,
    model: String,
    clock: Option<fn(usize) -> String>,
}

/// A file of sessions that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line is not a session.
    #[error("{} line {line}: {what}; a session is one JSON object with id, dialect (or format) and messages", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What was wrong.
        what: String,
    },
}

#[derive(Deserialize)]
struct Recorded {
    id: String,
    #[serde(default)]
    source: String,
    #[serde(alias = "format")]
    dialect: String,
    system: Option<Value>,
    tools: Option<Box<RawValue>>,
    messages: Box<RawValue>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Spoken {
    role: String,
}

/// Reads a file with one session a line; `.gz` files are decompressed.
///
/// # Errors
///
/// When the file cannot be read or a line is not a session.
pub fn load(path: &Path) -> Result<Vec<Session>, SessionError> {
    let read_error = |source| SessionError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(read_error)?;
    let gzip = path.extension().is_some_and(|ending| ending == "gz");
    let reader: Box<dyn Read> = if gzip { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut sessions = Vec::new();
    for (at, line) in BufReader::new(reader).lines().enumerate() {
        let line = line.map_err(read_error)?;
        if line.trim().is_empty() {
            continue;
        }
        let refuse = |what: String| SessionError::Line { path: path.to_owned(), line: at + 1, what };
        sessions.push(parse_session(&line).map_err(refuse)?);
    }
    Ok(sessions)
}

/// Reads one session from its JSON line.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub fn parse_session(line: &str) -> Result<Session, String> {
    let recorded: Recorded = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let dialect = match recorded.dialect.as_str() {
        "anthropic" => Dialect::AnthropicMessages,
        "openai" => Dialect::OpenAiChat,
        other => return Err(format!("unknown dialect {other:?}")),
    };
    let raw: Vec<Box<RawValue>> = serde_json::from_str(recorded.messages.get()).map_err(|error| error.to_string())?;
    let messages = raw
        .into_iter()
        .map(|raw| serde_json::from_str::<Spoken>(raw.get()).map(|spoken| (spoken.role, raw)))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let model = match (&recorded.model, dialect) {
        (Some(model), _) => model.clone(),
        (None, Dialect::AnthropicMessages) => "claude-sonnet-4-5".to_owned(),
        (None, _) => "gpt-4o".to_owned(),
    };
    Ok(Session {
        id: recorded.id,
        source: recorded.source,
        dialect,
        system: recorded.system.filter(|system| *system != Value::Null).map(|system| system.to_string()),
        tools: recorded.tools.filter(|tools| tools.get().starts_with('[')),
        messages,
        items: None,
        model,
        clock: None,
    })
}

impl Session {
    /// A session from its parts; `messages` and `tools` are in the dialect's format.
    pub(crate) fn assembled(
        id: String,
        source: &str,
        dialect: Dialect,
        model: &str,
        system: Option<String>,
        tools: &[Value],
        messages: &[Value],
    ) -> Self {
        // What serde has parsed it writes again.
        let raw = |value: &Value| RawValue::from_string(value.to_string()).ok();
        let spoken = |message: &Value| Some((message["role"].as_str()?.to_owned(), raw(message)?));
        Self {
            id,
            source: source.to_owned(),
            dialect,
            system: system.map(|system| Value::from(system).to_string()),
            tools: (!tools.is_empty()).then(|| raw(&Value::from(tools))).flatten(),
            messages: messages.iter().filter_map(spoken).collect(),
            items: None,
            model: model.to_owned(),
            clock: None,
        }
    }

    /// The same conversation as an agent of another provider would have had it: OpenAI Responses or Gemini. `None` for the
    /// dialects that sessions are recorded in, unless it is its own.
    #[must_use]
    pub fn spoken_in(mut self, dialect: Dialect) -> Option<Self> {
        if dialect == self.dialect {
            return Some(self);
        }
        let mut interpreter = Interpreter::to(dialect).filter(|_| self.items.is_none())?;
        let value = |raw: &str| serde_json::from_str::<Value>(raw).unwrap_or_default();
        let messages = self.messages.iter().map(|(_, raw)| {
            let items: Vec<String> = interpreter.message(&value(raw.get())).iter().map(Value::to_string).collect();
            items.join(",")
        });
        self.items = Some(messages.collect());
        let tools = self.tools.as_ref().map(|tools| interpreter.tools(&value(tools.get())).to_string());
        self.tools = tools.and_then(|tools| RawValue::from_string(tools).ok());
        self.model = if dialect == Dialect::Gemini { "gemini-2.5-pro" } else { "gpt-5" }.to_owned();
        self.dialect = dialect;
        Some(self)
    }

    /// The path that a request goes to; it names the model where the dialect says it there.
    pub fn path(&self) -> String {
        match self.dialect {
            Dialect::Gemini => format!("{}/{}:streamGenerateContent", self.dialect.path(), self.model),
            dialect => dialect.path().to_owned(),
        }
    }

    /// Indices of the assistant messages that a request was made for.
    pub fn turns(&self) -> impl Iterator<Item = usize> + '_ {
        let role = |at: usize| self.messages[at].0.as_str();
        (1..self.messages.len()).filter(move |at| role(*at) == "assistant" && role(*at - 1) != "assistant")
    }

    /// A recorded message, as JSON.
    pub fn message(&self, at: usize) -> &str {
        self.messages[at].1.get()
    }

    /// The same session of an agent whose instructions begin with what `clock` says for each turn: something that changes.
    #[must_use]
    pub fn with_clock(mut self, clock: fn(usize) -> String) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The instructions of a request, as JSON.
    fn instructions(&self, turn: usize) -> Option<String> {
        let Some(clock) = self.clock else { return self.system.clone() };
        let part = |text: String| serde_json::json!({"type": "text", "text": text});
        let mut parts = vec![part(clock(turn))];
        match self.system.as_deref().and_then(|system| serde_json::from_str(system).ok()) {
            Some(Value::Array(others)) => parts.extend(others),
            Some(Value::String(text)) => parts[0] = part(format!("{}{text}", clock(turn))),
            _ => {}
        }
        // Agents that speak this dialect say where it may be cached; most others need not.
        if self.dialect == Dialect::AnthropicMessages
            && let Some(last) = parts.last_mut()
        {
            last["cache_control"] = serde_json::json!({"type": "ephemeral"});
        }
        Some(Value::Array(parts).to_string())
    }

    /// The request an agent would have sent to get message `turn`: everything before it.
    pub fn request(&self, turn: usize) -> String {
        if let Some(items) = &self.items {
            return self.interpreted(turn, items);
        }
        let mut body = format!("{{\"model\":{}", Value::from(self.model.as_str()));
        let mut messages: Vec<&str> = self.messages[..turn].iter().map(|(_, raw)| raw.get()).collect();
        let instructions;
        match (self.instructions(turn), self.dialect) {
            (Some(system), Dialect::AnthropicMessages) => {
                body.push_str(&format!(",\"max_tokens\":8192,\"system\":{system}"));
            }
            (Some(system), _) => {
                instructions = format!("{{\"role\":\"system\",\"content\":{system}}}");
                messages.insert(0, &instructions);
            }
            (None, _) => {}
        }
        if let Some(tools) = &self.tools {
            body.push_str(",\"tools\":");
            body.push_str(tools.get());
        }
        body.push_str(",\"messages\":[");
        body.push_str(&messages.join(","));
        body.push_str("],\"stream\":true}");
        body
    }
    /// The same in a dialect that it was not recorded in.
    fn interpreted(&self, turn: usize, items: &[String]) -> String {
        let mut members = Vec::new();
        let gemini = self.dialect == Dialect::Gemini;
        if !gemini {
            members.push(format!("\"model\":{},\"store\":false,\"stream\":true", Value::from(self.model.as_str())));
        }
        let system = self.instructions(turn).and_then(|system| serde_json::from_str(&system).ok());
        if let (Some(system), Some(interpreter)) = (system, Interpreter::to(self.dialect)) {
            let said = interpreter.instructions(&system).into_iter();
            members.extend(said.map(|(name, value)| format!("\"{name}\":{value}")));
        }
        members.extend(self.tools.as_ref().map(|tools| format!("\"tools\":{}", tools.get())));
        let items: Vec<&str> = items[..turn].iter().map(String::as_str).filter(|items| !items.is_empty()).collect();
        let name = if gemini { "contents" } else { "input" };
        members.push(format!("\"{name}\":[{}]", items.join(",")));
        format!("{{{}}}", members.join(","))
    }
}
