//! Which source tree a directory belongs to.
//!
//! A repository's identity is the address of its remote `origin`, in one spelling: the same for every clone and every worktree on every
//! machine. Root commits would be the same for forks, which are other people's, and differ for shallow clones. A clone of a directory is the
//! repository that was cloned. A repository without a remote is itself: its folder on its device, with its worktrees and nothing else.
//!
//! A directory outside any repository has no identity, and neither has a repository that is somebody's whole home or the root of the file
//! system: what is in there belongs to many things.

use std::path::{Path, PathBuf};

use headroom_store::Workspace;

/// Remotes that are directories are followed this far.
const HOPS: usize = 4;

/// Bytes of a configuration that are read.
const CONFIG_BYTES: u64 = 1 << 20;

/// Hosts whose paths are the same in capitals.
const HOSTS_WITHOUT_CASE: &[&str] = &["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// A checked out source tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// What it is.
    pub workspace: Workspace,
    /// Where it is checked out here.
    pub top: PathBuf,
}

impl Repository {
    /// The repository that a directory lies in; `None` where it is not certain that there is one. Reads a few small files.
    ///
    /// `home` is the user's home directory: a repository that is all of it is none.
    pub fn at(directory: &Path, home: Option<&Path>) -> Option<Self> {
        let directory = directory.canonicalize().ok()?;
        let home = home.and_then(|home| home.canonicalize().ok());
        let (top, git) = find(&directory)?;
        if top.parent().is_none() || Some(&top) == home.as_ref() {
            return None;
        }
        let identity = identity(&git, HOPS)?;
        Some(Self { workspace: Workspace::of(&identity)?, top })
    }

    /// A path as it is written inside the tree, the same in every checkout; `None` for what lies outside.
    pub fn inside(&self, path: &Path) -> Option<String> {
        let rest = path.strip_prefix(&self.top).ok()?;
        let parts: Option<Vec<&str>> = rest.components().map(|part| part.as_os_str().to_str()).collect();
        parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
    }
}

/// The nearest tree above a directory, and the folder that its worktrees share.
fn find(directory: &Path) -> Option<(PathBuf, PathBuf)> {
    let top = directory.ancestors().find(|folder| folder.join(".git").exists())?;
    let dot_git = top.join(".git");
    let git = if dot_git.is_dir() {
        dot_git
    } else {
        // A worktree or a submodule: a file says where the folder is.
        let said = read(&dot_git)?;
        top.join(said.strip_prefix("gitdir:")?.trim())
    };
    let common = match read(&git.join("commondir")) {
        Some(said) => git.join(said.trim()),
        None => git,
    };
    let common = common.canonicalize().ok()?;
    // What is called .git need not be one.
    (common.join("HEAD").is_file() && common.join("config").is_file()).then(|| (top.to_owned(), common))
}

fn identity(git: &Path, hops: usize) -> Option<String> {
    let config = read(&git.join("config"))?;
    match remote(&config) {
        Some(url) => match normalised(&url) {
            Some(Remote::Elsewhere(address)) => Some(address),
            Some(Remote::Directory(path)) if hops > 0 => {
                let from = git.parent().unwrap_or(git).join(path).canonicalize().ok()?;
                // The directory itself may be the bare repository.
                let there = if from.join("HEAD").is_file() && from.join("config").is_file() {
                    from
                } else {
                    find(&from).filter(|(top, _)| *top == from)?.1
                };
                if there == git { itself(git) } else { identity(&there, hops - 1) }
            }
            _ => None,
        },
        None => itself(git),
    }
}

/// A folder on its device: nothing else on any machine is that.
fn itself(git: &Path) -> Option<String> {
    let about = std::fs::metadata(git).ok()?;
    #[cfg(unix)]
    let mark = {
        use std::os::unix::fs::MetadataExt;
        format!("{}:{}:{:?}", about.dev(), about.ino(), about.created().ok())
    };
    #[cfg(not(unix))]
    let mark = format!("{:?}", about.created().ok()?);
    Some(format!("directory {} {mark}", git.display()))
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(CONFIG_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The address of `origin`, or of the only remote if there is one only.
fn remote(config: &str) -> Option<String> {
    let mut remotes: Vec<(String, String)> = Vec::new();
    let mut section: Option<String> = None;
    for line in config.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix('[') {
            let name = head.split(']').next().unwrap_or_default();
            let quoted = name.strip_prefix("remote").and_then(|rest| rest.trim().strip_prefix('"')?.strip_suffix('"'));
            section = quoted.map(str::to_owned);
            continue;
        }
        if let Some(name) = &section
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case("url")
            && !remotes.iter().any(|(known, _)| known == name)
        {
            remotes.push((name.clone(), value.trim().trim_matches('"').to_owned()));
        }
    }
    let origin = remotes.iter().position(|(name, _)| name == "origin");
    match (origin, remotes.len()) {
        (Some(at), _) => Some(remotes.swap_remove(at).1),
        (None, 1) => remotes.pop().map(|(_, url)| url),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Remote {
    /// Host and path, in one spelling.
    Elsewhere(String),
    /// On this machine.
    Directory(PathBuf),
}

/// An address of a repository in one spelling: without scheme, user, password, usual port, `.git` and slashes at the ends.
fn normalised(url: &str) -> Option<Remote> {
    let url = url.trim();
    if url.is_empty() || url.contains(char::is_control) {
        return None;
    }
    let (host, path) = if let Some(rest) = url.strip_prefix("file://") {
        return Some(Remote::Directory(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest))));
    } else if let Some((scheme, rest)) = url.split_once("://") {
        if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
            return None;
        }
        rest.split_once('/')?
    } else {
        // `host:path` as ssh writes it; a slash before the colon, or one letter before it, is a path.
        match url.split_once(':') {
            Some((host, path)) if !host.contains('/') && host.len() > 1 => (host, path),
            _ => return Some(Remote::Directory(PathBuf::from(url))),
        }
    };
    let host = host.rsplit('@').next().unwrap_or_default().to_lowercase();
    let host = match host.rsplit_once(':') {
        Some((name, "22" | "80" | "443" | "9418" | "")) => name,
        _ => host.as_str(),
    };
    let host = host.trim_end_matches('.');
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if host.is_empty() || parts.is_empty() || parts.contains(&"..") {
        return None;
    }
    let path = parts.join("/");
    let path = if HOSTS_WITHOUT_CASE.contains(&host) { path.to_lowercase() } else { path };
    Some(Remote::Elsewhere(format!("{host}/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elsewhere(url: &str) -> String {
        match normalised(url) {
            Some(Remote::Elsewhere(address)) => address,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn one_repository_has_one_spelling() {
        for url in [
            "https://github.com/Acme/Tool.git",
            "https://github.com/acme/tool",
            "https://user:secret@github.com/acme/tool.git/",
            "git@github.com:acme/tool.git",
            "ssh://git@github.com:22/acme/tool",
            "git+ssh://git@github.com/acme/tool.git",
            "GIT@GitHub.com:/acme//tool",
            "http://github.com:80/acme/tool?x#y",
        ] {
            assert_eq!(elsewhere(url), "github.com/acme/tool", "{url}");
        }
        assert_eq!(elsewhere("ssh://git@git.corp:7999/ABC/x.git"), "git.corp:7999/ABC/x");
        assert_ne!(elsewhere("https://git.corp/ABC/x"), elsewhere("https://git.corp/abc/x"));
        for (url, path) in
            [("/srv/x.git", "/srv/x.git"), ("../x", "../x"), ("file:///srv/x", "/srv/x"), ("C:\\x", "C:\\x")]
        {
            assert_eq!(normalised(url), Some(Remote::Directory(path.into())), "{url}");
        }
        for nothing in [
            "",
            " ",
            "https://",
            "https://github.com",
            "https://github.com/",
            "https://x/../y",
            "a\nb:c",
            "@:x",
            "::",
            "https:///x",
        ] {
            let found = normalised(nothing);
            assert!(!matches!(found, Some(Remote::Elsewhere(_))), "{nothing:?}: {found:?}");
        }
    }

    #[test]
    fn the_remote_is_origin_or_the_only_one() {
        let config = "[core]\n\turl = no\n[remote \"up\"]\n url = a:b\n[remote \"origin\"]\n\tfetch = x\n\tURL = \"c:d\"\n\turl = e:f\n";
        assert_eq!(remote(config).as_deref(), Some("c:d"));
        assert_eq!(remote("[remote \"up\"]\nurl=a:b\n").as_deref(), Some("a:b"));
        assert_eq!(remote("[remote \"a\"]\nurl=a:b\n[remote \"b\"]\nurl=c:d\n"), None);
        assert_eq!(remote("[remote]\nurl=a:b\n[branch \"remote\"]\nurl=x\n"), None);
    }

    fn init(folder: &Path, remote: Option<&str>) {
        std::fs::create_dir_all(folder.join(".git")).unwrap();
        std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let remote = remote.map_or(String::new(), |url| format!("[remote \"origin\"]\n\turl = {url}\n"));
        std::fs::write(folder.join(".git/config"), format!("[core]\n\tbare = false\n{remote}")).unwrap();
    }

    fn worktree(of: &Path, at: &Path) {
        let git = of.join(".git/worktrees/w");
        std::fs::create_dir_all(&git).unwrap();
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(git.join("HEAD"), "ref: refs/heads/w\n").unwrap();
        std::fs::write(git.join("commondir"), "../..\n").unwrap();
        std::fs::write(at.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
    }

    #[test]
    fn clones_and_worktrees_are_one_workspace_and_forks_and_neighbours_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let of = |name: &str| Repository::at(&at(name), None).map(|repository| repository.workspace);
        init(&at("one"), Some("git@github.com:acme/tool.git"));
        init(&at("two"), Some("https://github.com/acme/tool"));
        init(&at("fork"), Some("https://github.com/someone/tool"));
        init(&at("local"), None);
        init(&at("other"), None);
        init(&at("copy"), Some(&at("local").display().to_string()));
        init(&at("relative"), Some("../one"));
        worktree(&at("one"), &at("tree"));
        worktree(&at("local"), &at("localtree"));
        std::fs::create_dir_all(at("one/src/deep")).unwrap();
        std::fs::create_dir_all(at("plain")).unwrap();

        let tool = of("one");
        assert!(tool.is_some());
        for same in ["two", "tree", "one/src/deep", "relative"] {
            assert_eq!(of(same), tool, "{same}");
        }
        let local = of("local");
        assert!(local.is_some());
        assert_eq!((of("copy"), of("localtree")), (local, local));
        let all = [tool, local, of("fork"), of("other")];
        for (at, one) in all.iter().enumerate() {
            assert!(one.is_some() && all.iter().skip(at + 1).all(|other| other != one));
        }
        let deep = Repository::at(&at("one/src/deep"), None).unwrap();
        assert_eq!(deep.inside(&deep.top.join("src/a.rs")).as_deref(), Some("src/a.rs"));
        assert_eq!(deep.inside(&at("two/src/a.rs")), None);
    }

    /// T104
    #[test]
    fn where_it_is_not_certain_there_is_no_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("plain/sub")).unwrap();
        init(&at("home"), Some("https://github.com/me/dotfiles"));
        std::fs::create_dir_all(at("home/documents")).unwrap();
        init(&at("broken"), None);
        std::fs::remove_file(at("broken/.git/config")).unwrap();
        std::fs::create_dir_all(at("lost")).unwrap();
        std::fs::write(at("lost/.git"), "gitdir: /nowhere/at/all\n").unwrap();
        init(&at("gone"), Some("/nowhere/at/all"));
        init(&at("round"), Some(&at("about").display().to_string()));
        init(&at("about"), Some(&at("round").display().to_string()));
        init(&at("odd"), Some("https://github.com/"));
        for name in ["plain/sub", "broken", "lost", "gone", "round", "odd", "missing"] {
            assert_eq!(Repository::at(&at(name), None), None, "{name}");
        }
        assert_eq!(Repository::at(&at("home/documents"), Some(&at("home"))), None);
        assert!(Repository::at(&at("home/documents"), Some(&at("elsewhere"))).is_some());
    }

    proptest! {
        /// T104: whatever stands in the files, resolving ends, and what is resolved is some repository's own.
        #[test]
        fn any_configuration_is_taken(config in "(\\[remote \"[a-z]{0,6}\"\\]\n|url ?= ?\\PC{0,30}\n|\\PC{0,30}\n){0,8}", link in "(gitdir: )?\\PC{0,30}") {
            let folder = tempfile::tempdir().unwrap();
            init(folder.path(), None);
            std::fs::write(folder.path().join(".git/config"), &config).unwrap();
            if let Some(repository) = Repository::at(folder.path(), None) {
                prop_assert_eq!(&repository.top, &folder.path().canonicalize().unwrap());
            }
            let other = folder.path().join("other");
            std::fs::create_dir(&other).unwrap();
            std::fs::write(other.join(".git"), &link).unwrap();
            prop_assert_eq!(Repository::at(&other, None), None);
        }

        #[test]
        fn two_addresses_are_one_only_if_host_and_path_are(
            a in ("[a-c]{1,2}\\.corp", "[a-c]{1,2}/[a-c]{1,2}"), b in ("[a-c]{1,2}\\.corp", "[a-c]{1,2}/[a-c]{1,2}"),
            spelling in 0_usize..4
        ) {
            let spell = |(host, path): &(String, String)| match spelling {
                0 => format!("https://{host}/{path}.git"),
                1 => format!("git@{host}:{path}"),
                2 => format!("ssh://x@{host}:22/{path}/"),
                _ => format!("git://{host}:9418//{path}.git"),
            };
            prop_assert_eq!(normalised(&spell(&a)) == normalised(&format!("https://{}/{}", b.0, b.1)), a == b);
        }
    }
}
