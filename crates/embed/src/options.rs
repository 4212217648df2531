//! What a [`Headroom`](crate::Headroom) or a [`Proxy`](crate::Proxy) is opened with, as the caller wrote it, and what it means.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use headroom::{Kinds, Mode, Policy, Retrieval};
use headroom_store::{Scope, SqliteOptions, Store};

use crate::Error;

/// How the caller's language spells the names of settings in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `compression_config`
    #[default]
    Snake,
    /// `compressionConfig`
    Camel,
}

impl Spelling {
    /// A name that is written in snake case here, as the caller writes it.
    pub fn of(self, snake: &str) -> String {
        match self {
            Self::Snake => snake.to_owned(),
            Self::Camel => {
                let mut words = snake.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |name, word| {
                    let (initial, rest) = word.split_at(word.len().min(1));
                    name + &initial.to_ascii_uppercase() + rest
                })
            }
        }
    }
}

/// Settings as the caller wrote them; what is `None` has its default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `memory`, `sqlite:///absolute/path`, `sqlite:relative/path`, a path or `postgres://user:password@host/database`; by default the user's
    /// own store, which the proxy and the command line share.
    pub store: Option<String>,
    /// Whose the originals are, where several share a store; nobody by default.
    pub tenant: Option<String>,
    /// Which of the tenant's projects they belong to.
    pub project: Option<String>,
    /// Settings by kind of text, as a JSON object; see [`Kinds`].
    pub compression_config: Option<String>,
    /// `off`, `meter`, `lossless`, `standard`.
    pub policy: Option<String>,
    /// When the retrieval tool is offered: `auto`, `always`, `never`.
    pub retrieval: Option<String>,
    /// `false` is another way to say `never`, and `true` to say anything else.
    pub ccr_enabled: Option<bool>,
    /// How the caller spells these names.
    pub spelling: Spelling,
}

impl Options {
    /// The policy that they say.
    pub(crate) fn policy(&self) -> Result<Policy, Error> {
        let mode = self.parsed("policy", self.policy.as_deref(), &["off", "meter", "lossless", "standard"])?;
        let mut policy = Policy::of(mode.unwrap_or(Mode::Standard));
        policy.retrieval = self.retrieval()?;
        if let Some(said) = &self.compression_config {
            policy.kinds = kinds(said, &self.spelling.of("compression_config"))?;
        }
        Ok(policy)
    }

    fn retrieval(&self) -> Result<Retrieval, Error> {
        let said = self.parsed("retrieval", self.retrieval.as_deref(), &["auto", "always", "never"])?;
        match (self.ccr_enabled, said) {
            (Some(false), None | Some(Retrieval::Never)) => Ok(Retrieval::Never),
            (Some(true), Some(Retrieval::Never)) | (Some(false), Some(_)) => Err(Error::Config(format!(
                "{}: says the opposite of retrieval; leave one of them out",
                self.spelling.of("ccr_enabled")
            ))),
            (_, said) => Ok(said.unwrap_or(Retrieval::Auto)),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, said: Option<&str>, known: &[&str]) -> Result<Option<T>, Error> {
        said.map(|said| one_of(&self.spelling.of(name), said, known)).transpose()
    }

    /// Whose entries of the store are read and written.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.tenant.as_deref().unwrap_or_default(), self.project.as_deref().unwrap_or_default())
    }

    /// Opens the store that they name.
    pub(crate) fn open_store(&self) -> Result<Store, Error> {
        let sqlite = |path: PathBuf| Ok(Store::open_sqlite(&path, &SqliteOptions::DEFAULT)?);
        match self.store.as_deref() {
            None => sqlite(own_store()?),
            Some("memory") => Ok(Store::memory()),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => database(url),
            Some(named) => sqlite(path_of(named)?),
        }
    }
}

/// Settings by kind out of JSON; `at` is what the caller calls them.
pub(crate) fn kinds(said: &str, at: &str) -> Result<Kinds, Error> {
    let said = serde_json::from_str(said).map_err(|error| Error::Config(format!("{at}: not JSON: {error}")))?;
    Kinds::from_json(&said, at).map_err(|error| Error::Config(error.to_string()))
}

/// A value that is one of a few words.
pub(crate) fn one_of<T: std::str::FromStr>(name: &str, said: &str, known: &[&str]) -> Result<T, Error> {
    said.parse().map_err(|_| no_such(name, said, known))
}

/// The error for a word that is none of a few.
pub(crate) fn no_such(name: &str, said: &str, known: &[&str]) -> Error {
    let meant = headroom::nearest(said, known.iter().copied());
    let meant = meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
    Error::Config(format!("{name}: unknown value {said:?}; {meant}known: {}", known.join(", ")))
}

#[cfg(feature = "postgres")]
fn database(url: &str) -> Result<Store, Error> {
    Ok(Store::open_postgres(url, &headroom_store::PostgresOptions::DEFAULT)?)
}

#[cfg(not(feature = "postgres"))]
fn database(_: &str) -> Result<Store, Error> {
    Err(Error::Config("store: this was built without the feature postgres; name a file".to_owned()))
}

/// The file that a store's name stands for.
fn path_of(named: &str) -> Result<PathBuf, Error> {
    let path = match named.split_once(':') {
        // Three slashes: no host, and an absolute path. With two the path is relative, as everybody reads it.
        Some(("sqlite", rest)) => rest.strip_prefix("//").map_or(rest, |path| path),
        // One letter is a drive.
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            return Err(Error::Config(format!(
                "store: {scheme:?} is no kind of store; write \"memory\", \"sqlite:///absolute/path\", a path or \"postgres://...\""
            )));
        }
        _ => named,
    };
    if path.is_empty() {
        return Err(Error::Config(
            "store: the path is empty; write \"memory\", \"sqlite:///absolute/path\" or a path".to_owned(),
        ));
    }
    Ok(PathBuf::from(path))
}

/// The store that the proxy and the command line use when they are told of no other.
fn own_store() -> Result<PathBuf, Error> {
    let folders = etcetera::choose_base_strategy().map_err(|error| {
        Error::Store(format!("store: there is no home directory to keep it in ({error}); name a file"))
    })?;
    Ok(folders.data_dir().join("headroom").join("store.db"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_the_caller_does() {
        assert_eq!(Spelling::Camel.of("compression_config"), "compressionConfig");
        assert_eq!(Spelling::Snake.of("compression_config"), "compression_config");
    }

    #[test]
    fn a_store_is_named_by_a_url_or_a_path() {
        for (named, path) in [
            ("sqlite:///var/lib/h.db", "/var/lib/h.db"),
            ("sqlite://h.db", "h.db"),
            ("sqlite:data/h.db", "data/h.db"),
            ("data/h.db", "data/h.db"),
            ("C:\\data\\h.db", "C:\\data\\h.db"),
        ] {
            assert_eq!(path_of(named), Ok(PathBuf::from(path)), "{named}");
        }
        for named in ["", "sqlite:", "mysql://host/db"] {
            assert!(path_of(named).unwrap_err().to_string().contains("sqlite:///absolute/path"), "{named}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_was_probably_meant() {
        let camel =
            |options: Options| Options { spelling: Spelling::Camel, ..options }.policy().unwrap_err().to_string();
        let said = |text: &str| Some(text.to_owned());
        let refused = camel(Options { policy: said("losless"), ..Options::default() });
        assert_eq!(
            refused,
            r#"policy: unknown value "losless"; did you mean "lossless"? known: off, meter, lossless, standard"#
        );
        let refused = camel(Options { ccr_enabled: Some(true), retrieval: said("never"), ..Options::default() });
        assert!(refused.starts_with("ccrEnabled: says the opposite"), "{refused}");
        let refused = camel(Options { compression_config: said(r#"{"jsn": {}}"#), ..Options::default() });
        assert!(refused.starts_with("compressionConfig: unknown kind of text \"jsn\"; did you mean"), "{refused}");
        let never = Options { ccr_enabled: Some(false), ..Options::default() }.policy().unwrap();
        assert_eq!(never.retrieval, Retrieval::Never);
    }
}
