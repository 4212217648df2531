//! What the user said (file, environment, flags), and what it means.
//!
//! Every option stands once, in [`OPTIONS`]: its key in the file, its variable, its default and what it does. Values are gathered
//! as text with their origin, then read all together, so that every mistake is reported at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use headroom::{Kinds, Mode, Policy};
use headroom_store::Scope;

/// One option.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    /// Key in the configuration file, and the name of its flag after `--` with dots as hyphens.
    pub(crate) key: &'static str,
    /// Environment variable.
    pub(crate) variable: &'static str,
    /// Value when nothing is said; empty means "none".
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
}

/// Every option there is.
pub(crate) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        key: "listen",
        variable: "HEADROOM_LISTEN",
        default: "127.0.0.1:8787",
        about: "Address the proxy listens on; anything but loopback needs a token",
    },
    OptionSpec {
        key: "store",
        variable: "HEADROOM_STORE",
        default: "",
        about: "SQLite file that keeps originals, `postgres://USER:PASSWORD@HOST/DATABASE`, or `memory`; default: headroom/store.db in the user's data directory",
    },
    OptionSpec {
        key: "tenant",
        variable: "HEADROOM_TENANT",
        default: "local",
        about: "Whose the originals are: nobody reads those of another tenant in the same store",
    },
    OptionSpec {
        key: "project",
        variable: "HEADROOM_PROJECT",
        default: "default",
        about: "Project of the tenant: the same, one step further down",
    },
    OptionSpec {
        key: "store-budget",
        variable: "HEADROOM_STORE_BUDGET",
        default: "2147483648",
        about: "Bytes that originals may take in the store",
    },
    OptionSpec {
        key: "policy",
        variable: "HEADROOM_POLICY",
        default: "standard",
        about: "How much may be done: off, meter, lossless, standard",
    },
    OptionSpec {
        key: "user-text",
        variable: "HEADROOM_USER_TEXT",
        default: "on",
        about: "Whether large payloads pasted into user text are compressed: on, off",
    },
    OptionSpec {
        key: "retrieval",
        variable: "HEADROOM_RETRIEVAL",
        default: "auto",
        about: "When the retrieval tool is added to a conversation's tools; without it nothing is left out: auto, always, never",
    },
    OptionSpec {
        key: "align",
        variable: "HEADROOM_ALIGN",
        default: "off",
        about: "Whether values that change on every request (times, ids, the order of tools) are kept from moving the part of a request that caches hold, by sending instructions as first seen and saying in the newest turn what has changed: auto (where it was seen to happen), off",
    },
    OptionSpec {
        key: "compression",
        variable: "HEADROOM_COMPRESSION",
        default: "",
        about: "Settings by kind of text as a JSON object, such as {\"json\": {\"threshold\": 1000}}; in the file a table, [compression.json]",
    },
    OptionSpec {
        key: "deadline-ms",
        variable: "HEADROOM_DEADLINE_MS",
        default: "2000",
        about: "Milliseconds that planning one request may take",
    },
    OptionSpec {
        key: "anthropic-upstream",
        variable: "HEADROOM_ANTHROPIC_UPSTREAM",
        default: "https://api.anthropic.com",
        about: "Where Anthropic requests are sent",
    },
    OptionSpec {
        key: "openai-upstream",
        variable: "HEADROOM_OPENAI_UPSTREAM",
        default: "https://api.openai.com",
        about: "Where OpenAI requests are sent",
    },
    OptionSpec {
        key: "gemini-upstream",
        variable: "HEADROOM_GEMINI_UPSTREAM",
        default: "https://generativelanguage.googleapis.com",
        about: "Where Gemini requests are sent",
    },
    OptionSpec {
        key: "token",
        variable: "HEADROOM_TOKEN",
        default: "",
        about: "Secret that clients must send in x-headroom-token; required when listening beyond loopback",
    },
    OptionSpec {
        key: "grants",
        variable: "HEADROOM_GRANTS",
        default: "off",
        about: "Whether every request needs a token made with `headroom token create`: on, off; `token` opens everything besides",
    },
    OptionSpec {
        key: "allowed-hosts",
        variable: "HEADROOM_ALLOWED_HOSTS",
        default: "",
        about: "Names beside localhost under which clients may address the proxy, without port, separated by commas",
    },
    OptionSpec {
        key: "prices",
        variable: "HEADROOM_PRICES",
        default: "",
        about: "TOML file with own prices, which take the place of the listed ones",
    },
    OptionSpec {
        key: "log",
        variable: "HEADROOM_LOG",
        default: "warn",
        about: "What is logged to stderr: error, warn, info, debug, trace, or a filter such as headroom=debug",
    },
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    Variable(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// What the user said: for each option its value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    values: BTreeMap<&'static str, (String, Origin)>,
}

/// Everything wrong with the configuration, together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub(crate) struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    /// What is wrong, one sentence each.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Said {
    /// Gathers values: defaults, then the file, then the environment, then flags; the last one said wins.
    ///
    /// `named_file` was asked for and must exist; `usual_file` is read when it is there.
    pub(crate) fn gather(
        named_file: Option<&Path>,
        usual_file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
        flags: &[(&'static str, Option<String>)],
    ) -> Result<Self, SettingsError> {
        let mut values: BTreeMap<_, _> =
            OPTIONS.iter().map(|option| (option.key, (option.default.to_owned(), Origin::Default))).collect();
        let mut problems = Vec::new();
        let file = named_file.or(usual_file.filter(|path| path.exists()));
        if let Some(path) = file {
            match read_file(path) {
                Ok(said) => {
                    values.extend(said.into_iter().map(|(key, value)| (key, (value, Origin::File(path.to_owned())))));
                }
                Err(found) => problems.extend(found),
            }
        }
        for option in OPTIONS {
            if let Some(value) = variable(option.variable) {
                values.insert(option.key, (value, Origin::Variable(option.variable)));
            }
        }
        for (key, value) in flags {
            if let Some(value) = value {
                values.insert(key, (value.clone(), Origin::Flag(key)));
            }
        }
        if problems.is_empty() { Ok(Self { values }) } else { Err(SettingsError { problems }) }
    }

    /// Each option with its value and origin, in the order of [`OPTIONS`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static OptionSpec, &str, &Origin)> {
        OPTIONS.iter().filter_map(|option| {
            let (value, origin) = self.values.get(option.key)?;
            Some((option, value.as_str(), origin))
        })
    }

    /// What it means.
    pub(crate) fn read(&self) -> Result<Settings, SettingsError> {
        let mut reader = Reader { said: self, problems: Vec::new() };
        let mut policy = Policy::of(reader.parsed::<Mode>("policy").unwrap_or(Mode::Standard));
        policy.user_text = reader.switch("user-text");
        policy.retrieval = reader.parsed("retrieval").unwrap_or(policy.retrieval);
        policy.align = reader.parsed("align").unwrap_or(policy.align);
        policy.kinds = reader.kinds("compression");
        policy.deadline = std::time::Duration::from_millis(reader.parsed("deadline-ms").unwrap_or_default());
        let settings = Settings {
            listen: reader.parsed("listen"),
            store: reader.text("store"),
            tenant: reader.text("tenant").unwrap_or_default(),
            project: reader.text("project").unwrap_or_default(),
            store_budget: reader.parsed("store-budget").unwrap_or_default(),
            policy,
            compression: reader.text("compression"),
            anthropic_upstream: reader.url("anthropic-upstream"),
            openai_upstream: reader.url("openai-upstream"),
            gemini_upstream: reader.url("gemini-upstream"),
            token: reader.text("token"),
            grants: reader.switch("grants"),
            allowed_hosts: reader.list("allowed-hosts"),
            prices: reader.text("prices"),
            log: reader.text("log").unwrap_or_default(),
        };
        if reader.problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems: reader.problems }) }
    }
}

/// What the options mean.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `None` only while the problem with it is being reported.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) store: Option<String>,
    pub(crate) tenant: String,
    pub(crate) project: String,
    pub(crate) store_budget: u64,
    pub(crate) allowed_hosts: Vec<String>,
    /// File with own prices.
    pub(crate) prices: Option<String>,
    pub(crate) policy: Policy,
    /// What was said of each kind of text, as JSON; the policy has its meaning.
    pub(crate) compression: Option<String>,
    pub(crate) anthropic_upstream: String,
    pub(crate) openai_upstream: String,
    pub(crate) gemini_upstream: String,
    pub(crate) token: Option<String>,
    pub(crate) grants: bool,
    pub(crate) log: String,
}

impl Settings {
    /// Whether the proxy turns away whoever sends no token of ours, as agents do.
    pub(crate) const fn wants_tokens(&self) -> bool {
        self.token.is_some() || self.grants
    }

    /// Whose entries of the store are meant.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.tenant.as_str(), self.project.as_str())
    }
}

struct Reader<'a> {
    said: &'a Said,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let (value, _) = self.said.values.get(key)?;
        (!value.is_empty()).then(|| value.clone())
    }

    fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let (value, origin) = self.said.values.get(key)?;
        value.parse().map_err(|error| self.problems.push(format!("{key} = {value:?} ({origin}): {error}"))).ok()
    }

    fn switch(&mut self, key: &str) -> bool {
        let Some((value, origin)) = self.said.values.get(key) else { return false };
        match value.as_str() {
            "on" | "true" | "1" => true,
            "off" | "false" | "0" => false,
            other => {
                self.problems.push(format!("{key} = {other:?} ({origin}): expected on or off"));
                false
            }
        }
    }

    /// Settings by kind of text, written as JSON.
    fn kinds(&mut self, key: &'static str) -> Kinds {
        let Some(text) = self.text(key) else { return Kinds::DEFAULT };
        let read = serde_json::from_str(&text)
            .map_err(|error| format!("{key} is not JSON: {error}"))
            .and_then(|said| Kinds::from_json(&said, key).map_err(|error| error.to_string()));
        read.unwrap_or_else(|problem| {
            let origin = self.said.values.get(key).map(|(_, origin)| format!(" ({origin})")).unwrap_or_default();
            self.problems.push(format!("{problem}{origin}"));
            Kinds::DEFAULT
        })
    }

    fn url(&mut self, key: &str) -> String {
        let Some((value, origin)) = self.said.values.get(key) else { return String::new() };
        if !value.starts_with("http://") && !value.starts_with("https://") {
            self.problems.push(format!("{key} = {value:?} ({origin}): expected http://... or https://..."));
        }
        value.trim_end_matches('/').to_owned()
    }
}

/// The options a file sets; every unknown key and wrong type is a problem of its own.
fn read_file(path: &Path) -> Result<Vec<(&'static str, String)>, Vec<String>> {
    let text =
        std::fs::read_to_string(path).map_err(|error| vec![format!("cannot read {}: {error}", path.display())])?;
    let table: toml::Table = text.parse().map_err(|error| vec![format!("{} is not TOML: {error}", path.display())])?;
    let mut said = Vec::new();
    let mut problems = Vec::new();
    for (key, value) in table {
        let Some(option) = OPTIONS.iter().find(|option| option.key == key) else {
            problems.push(unknown_key(path, &key));
            continue;
        };
        match value {
            toml::Value::String(text) => said.push((option.key, text)),
            toml::Value::Integer(number) => said.push((option.key, number.to_string())),
            toml::Value::Boolean(switch) => said.push((option.key, if switch { "on" } else { "off" }.to_owned())),
            // The one option with structure; from here on it is the JSON that the variable and the flag take.
            toml::Value::Table(table) if key == "compression" => match serde_json::to_string(&table) {
                Ok(json) => said.push((option.key, json)),
                Err(error) => problems.push(format!("{}: {key}: {error}", path.display())),
            },
            other => problems.push(format!("{}: {key} is a {}, expected one value", path.display(), other.type_str())),
        }
    }
    if problems.is_empty() { Ok(said) } else { Err(problems) }
}

fn unknown_key(path: &Path, key: &str) -> String {
    let nearest = OPTIONS.iter().map(|option| (strsim::jaro_winkler(option.key, key), option.key));
    let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.75);
    match nearest {
        Some((_, meant)) => format!("{}: unknown key {key:?}; did you mean {meant:?}?", path.display()),
        None => format!("{}: unknown key {key:?}; `headroom config show` lists all keys", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn flags_beat_variables_beat_the_file_beat_defaults() {
        let (_folder, path) = file("policy = \"off\"\nlog = \"info\"\ntoken = \"t\"\n");
        let variable = |name: &str| (name == "HEADROOM_LOG" || name == "HEADROOM_TOKEN").then(|| name.to_lowercase());
        let said =
            Said::gather(None, Some(&path), variable, &[("token", Some("flag".into())), ("store", None)]).unwrap();
        let values: Vec<_> = said.iter().map(|(option, value, origin)| (option.key, value, origin.clone())).collect();
        assert!(values.contains(&("policy", "off", Origin::File(path))));
        assert!(values.contains(&("log", "headroom_log", Origin::Variable("HEADROOM_LOG"))));
        assert!(values.contains(&("token", "flag", Origin::Flag("token"))));
        assert!(values.contains(&("store", "", Origin::Default)));
    }

    #[test]
    fn every_problem_is_reported_at_once_with_where_it_was_said() {
        let none = |_: &str| None;
        let flags = [
            ("policy", Some("fast".into())),
            ("listen", Some("nowhere".into())),
            ("openai-upstream", Some("api".into())),
        ];
        let error = Said::gather(None, None, none, &flags).unwrap().read().unwrap_err().to_string();
        for word in ["--policy", "known: off, meter", "--listen", "--openai-upstream", "https://"] {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let (_folder, path) = file("polcy = \"off\"\nzzz = 1\n");
        let error = Said::gather(Some(&path), None, |_| None, &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean \"policy\"") && error.contains("unknown key \"zzz\""), "{error}");
        assert!(Said::gather(Some(Path::new("/nonexistent/c.toml")), None, |_| None, &[]).is_err());
    }

    #[test]
    fn settings_by_kind_are_read_from_a_table_and_from_json() {
        let (_folder, path) = file("[compression.json]\nthreshold = 1000\n[compression.prose]\nratio = 0.4\n");
        let from_file = Said::gather(Some(&path), None, |_| None, &[]).unwrap().read().unwrap().policy.kinds;
        let json = r#"{"json": {"threshold": 1000}, "prose": {"ratio": 0.4}}"#;
        let flags = [("compression", Some(json.to_owned()))];
        let from_flag = Said::gather(None, None, |_| None, &flags).unwrap().read().unwrap().policy.kinds;
        assert!(from_file == from_flag && !from_flag.is_default());

        let (_folder, path) = file("[compression.jsn]\n");
        let refused = Said::gather(Some(&path), None, |_| None, &[]).unwrap().read().unwrap_err().to_string();
        assert!(refused.contains("did you mean \"json\"") && refused.contains("config.toml"), "{refused}");
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = Said::gather(None, None, |_| None, &[]).unwrap().read().unwrap();
        assert_eq!(settings.policy.mode, Mode::Standard);
        assert!(settings.listen.unwrap().ip().is_loopback() && settings.store.is_none());
    }
}
