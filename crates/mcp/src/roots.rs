//! Which files may be read: those below the directories that the client names as its roots, or that the server was started with.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Directories below which files may be read. Symbolic links are resolved on both sides, so none leads out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roots {
    directories: Vec<PathBuf>,
}

impl Roots {
    /// Those of these directories that exist.
    pub(crate) fn of(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { directories: directories.into_iter().filter_map(|path| path.canonicalize().ok()).collect() }
    }

    /// The directories that `file:` addresses name; others name nothing that can be read.
    pub(crate) fn of_uris<'u>(uris: impl IntoIterator<Item = &'u str>) -> Self {
        Self::of(uris.into_iter().filter_map(file_of_uri))
    }

    /// The directories, the client's first one first.
    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// The file itself, if it lies below a root. A relative path starts at a root that has it.
    ///
    /// # Errors
    ///
    /// A sentence that says why it may not or cannot be read.
    pub(crate) fn admit(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        if self.directories.is_empty() {
            return Err(format!("{shown} cannot be read: this client shares no directory with Headroom."));
        }
        let candidates = self.directories.iter().map(|root| root.join(path));
        let mut found = candidates.filter_map(|candidate| candidate.canonicalize().ok()).peekable();
        if found.peek().is_none() {
            return Err(format!("There is no file {shown} below {}.", self.shown()));
        }
        found
            .find(|file| self.directories.iter().any(|root| file.starts_with(root)))
            .ok_or_else(|| format!("{shown} lies outside what may be read: {}.", self.shown()))
    }

    fn shown(&self) -> String {
        self.directories.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// The path in `file:///path` or `file://localhost/path`.
fn file_of_uri(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    // `file:///C:/x` names `C:/x`.
    let path = if cfg!(windows) { path.strip_prefix('/').unwrap_or(path) } else { path };
    percent_decode_str(path).decode_utf8().ok().filter(|path| !path.is_empty()).map(|path| PathBuf::from(path.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_root_is_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in side"), folder.path().join("outside"));
        std::fs::create_dir_all(inside.join("a")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(inside.join("a/f"), "x").unwrap();
        std::fs::write(outside.join("g"), "x").unwrap();
        let uri = format!("file://{}", inside.display().to_string().replace(' ', "%20"));
        let roots = Roots::of_uris([uri.as_str(), "https://example.org/"]);
        let admitted = inside.join("a/f").canonicalize().unwrap();
        assert_eq!(roots.admit(Path::new("a/f")), Ok(admitted.clone()));
        assert_eq!(roots.admit(&inside.join("a/../a/f")), Ok(admitted));
        assert!(roots.admit(Path::new("../outside/g")).unwrap_err().contains("outside what may be read"));
        assert!(roots.admit(&outside.join("g")).unwrap_err().contains("outside what may be read"));
        assert!(roots.admit(Path::new("a/none")).unwrap_err().contains("no file"));
        assert!(Roots::default().admit(Path::new("a/f")).unwrap_err().contains("shares no directory"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        let roots = Roots::of([root]);
        assert!(roots.admit(Path::new("link")).unwrap_err().contains("outside what may be read"));
    }
}
