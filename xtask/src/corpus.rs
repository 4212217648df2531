//! `cargo xtask corpus`: source files, search results, listings and diffs, taken from sources that a developer's machine has anyway, so that nobody's
//! source is copied around. They go to `target/corpus`, in the layout of the shared corpus.
//!
//! The sources are the unpacked crates of the lock file, the Python standard libraries that are installed, C headers, and this project's own
//! history. Crate versions are pinned by the lock file; the rest is what the machine has, so figures over it compare on one machine only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Texts are cut to this size, at a line, as an agent's tools would.
const BYTES: usize = 120_000;

/// What is searched for, in folders of sources.
const SEARCHES: &[(&str, &[&str])] = &[
    ("fn-new", &["-rn", "fn new(", "--include=*.rs"]),
    ("unsafe", &["-rnw", "unsafe", "--include=*.rs"]),
    ("impl-context", &["-rn", "-C2", "^impl.* for ", "--include=*.rs"]),
    ("error", &["-rn", "raise ValueError", "--include=*.py"]),
    ("def-context", &["-rn", "-A3", "def __init__", "--include=*.py"]),
    ("import", &["-rnE", "^(import|from) ", "--include=*.py"]),
    ("define", &["-rn", "#define .*_MAX", "--include=*.h"]),
    ("todo", &["-rniE", "todo|fixme", "--include=*.rs", "--include=*.py", "--include=*.h"]),
];

/// What lists a folder.
const LISTINGS: &[(&str, &str, &[&str])] = &[
    ("find", "find", &[".", "-type", "f"]),
    ("ls-R", "ls", &["-R"]),
    ("ls-lR", "ls", &["-lR", "--time-style=long-iso"]),
];

/// Crates whose sources are searched and listed; each must be in the lock file.
const CRATES: &[&str] = &["regex", "tokio", "hyper", "serde_json", "rustls", "clap_builder", "rusqlite"];

/// More crates, which carry C, Go and JavaScript with them.
const CODE_CRATES: &[&str] =
    &["zstd-sys", "ring", "tree-sitter", "tree-sitter-go", "tree-sitter-javascript", "tree-sitter-python"];

/// Packages of the Python standard library whose versions are compared.
const PACKAGES: &[&str] = &["asyncio", "email", "http", "json", "logging", "unittest", "importlib", "multiprocessing"];

/// Endings of source files, each with how many are taken. Of TypeScript and C++ the machine has what the crates of grammars and the packages of
/// the tests bring.
const CODE: &[(&str, usize)] = &[("rs", 24), ("py", 24), ("c", 12), ("h", 8), ("js", 16), ("ts", 12), ("go", 8)];

/// Scripts are few in any one place, so they are taken from every unpacked crate and from what git's package brings.
const SCRIPTS: &[(&str, usize)] = &[("sh", 8)];

/// Source files of other sizes are too short to say anything, or are generated.
const SOURCE_BYTES: std::ops::Range<u64> = 3_000..150_000;

/// Where the texts go.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join("target/corpus")
}

/// Makes all texts anew.
///
/// # Errors
///
/// A folder that cannot be written.
#[allow(clippy::print_stderr, reason = "a chore talks to the person who runs it")]
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask corpus".to_owned());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no folder above it")?;
    let mut made = Made { folder: folder(root), sets: Vec::new() };
    let crates = crate_folders();
    let pythons =
        children(Path::new(&std::env::var("PYENV_ROOT").unwrap_or_else(|_| home(".pyenv"))).join("versions").as_path())
            .into_iter()
            .flat_map(|version| children(&version.join("lib")))
            .filter(|library| name(library).starts_with("python3"))
            .collect::<Vec<_>>();
    let mut sources: Vec<PathBuf> = CRATES.iter().filter_map(|wanted| newest(&crates, wanted)).collect();
    sources.extend(pythons.last().map(|python| python.join("asyncio")));
    sources.extend(pythons.last().map(|python| python.join("email")));
    sources.push(PathBuf::from("/usr/include/linux"));
    for source in &sources {
        // The parent's name says the version; results then start with a folder, as they do in a project.
        let (Some(parent), folder) = (source.parent(), name(source)) else { continue };
        for (title, pattern) in SEARCHES {
            let arguments: Vec<&str> = pattern.iter().copied().chain([folder.as_str()]).collect();
            made.keep("search", &format!("{folder}-{title}.txt"), "grep", &arguments, parent)?;
        }
        for (title, program, arguments) in LISTINGS {
            made.keep("listings", &format!("{folder}-{title}.txt"), program, arguments, source)?;
        }
    }
    let versions = crates.windows(2).filter(|pair| crate_name(&pair[0]) == crate_name(&pair[1]));
    for pair in versions {
        made.changes(&format!("{}-to-{}", name(&pair[0]), name(&pair[1])), &pair[0], &pair[1])?;
    }
    for pair in pythons.windows(2) {
        for package in PACKAGES {
            let title = format!("{}-to-{}-{package}", name(&pair[0]), name(&pair[1]));
            made.changes(&title, &pair[0].join(package), &pair[1].join(package))?;
        }
    }
    let log = output("git", &["log", "--format=%h", "--no-merges", "-n", "60"], root);
    for commit in log.lines().step_by(2) {
        made.keep("diffs", &format!("show-{commit}.diff"), "git", &["show", "--diff-filter=M", commit], root)?;
    }
    let mut trees: Vec<PathBuf> =
        CRATES.iter().chain(CODE_CRATES).filter_map(|wanted| newest(&crates, wanted)).collect();
    trees.extend(pythons.last().cloned());
    trees.push(root.join("target/node-project/node_modules"));
    made.sources(&trees, CODE)?;
    let mut trees = crates;
    trees.push(PathBuf::from("/usr/share/doc/git/contrib"));
    made.sources(&trees, SCRIPTS)?;
    made.index()?;
    eprintln!("{} texts in {}", made.sets.len(), made.folder.display());
    Ok(())
}

/// Texts made so far: set, file, command.
struct Made {
    folder: PathBuf,
    sets: Vec<(&'static str, String, String)>,
}

impl Made {
    /// Runs a program and keeps what it printed, unless that is too little to be of interest.
    fn keep(
        &mut self,
        set: &'static str,
        file: &str,
        program: &str,
        arguments: &[&str],
        at: &Path,
    ) -> Result<(), String> {
        const LEAST: usize = 600;
        let mut text = output(program, arguments, at);
        if text.len() > BYTES {
            let mut end = BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(text[..end].rfind('\n').map_or(0, |at| at + 1));
        }
        if text.len() < LEAST {
            return Ok(());
        }
        let folder = self.folder.join(set);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))?;
        self.sets.push((set, file.to_owned(), format!("{program} {}", arguments.join(" "))));
        Ok(())
    }

    /// Keeps source files out of these folders, a few of each language, spread evenly over all that there are.
    fn sources(&mut self, trees: &[PathBuf], endings: &[(&str, usize)]) -> Result<(), String> {
        let mut found = Vec::new();
        trees.iter().for_each(|tree| files_below(tree, tree.parent().unwrap_or(tree), &mut found));
        found.sort();
        for (ending, most) in endings {
            let of: Vec<&(PathBuf, PathBuf)> =
                found.iter().filter(|(_, file)| file.extension().is_some_and(|of| of == *ending)).collect();
            let step = of.len().div_ceil(*most).max(1);
            for (base, file) in of.into_iter().step_by(step) {
                let title = file.strip_prefix(base).unwrap_or(file).display().to_string().replace('/', "-");
                self.keep("code", &title, "cat", &[&file.display().to_string()], base)?;
            }
        }
        Ok(())
    }

    /// Keeps what `git diff` says of a repository in which one version of a folder was replaced by the next. Files that are new or gone
    /// are left out: they are no changes.
    fn changes(&mut self, title: &str, old: &Path, new: &Path) -> Result<(), String> {
        let work = self.folder.join("work");
        let _ = fs::remove_dir_all(&work);
        let package = work.join(crate_name(new));
        copy(old, &package)?;
        let author = ["-c", "user.name=corpus", "-c", "user.email=corpus@example.com"];
        for step in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "old"]] {
            output("git", &[&author, step].concat(), &work);
        }
        fs::remove_dir_all(&package).map_err(|error| format!("{}: {error}", package.display()))?;
        copy(new, &package)?;
        let kept = self.keep("diffs", &format!("{title}.diff"), "git", &["diff", "--diff-filter=M"], &work);
        fs::remove_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
        kept
    }

    /// Writes which command printed each file.
    fn index(&self) -> Result<(), String> {
        for set in ["search", "listings", "diffs"] {
            let rows = self.sets.iter().filter(|(of, ..)| *of == set);
            let rows: String = rows
                .map(|(_, file, command)| serde_json::json!({ "file": file, "command": command }).to_string() + "\n")
                .collect();
            let path = self.folder.join(set).join("index.jsonl");
            fs::write(&path, rows).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Copies the sources of a folder.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "__pycache__" {
            copy(&path, &to.join(name))?;
        } else if matches!(ending.as_str(), "rs" | "py" | "toml" | "md" | "c" | "h") {
            fs::copy(&path, to.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// What a program prints; nothing if it is not there. `grep` and `diff` end with 1 where all is well.
fn output(program: &str, arguments: &[&str], at: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(at).env("LC_ALL", "C").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The unpacked sources that cargo keeps, in order of name.
fn crate_folders() -> Vec<PathBuf> {
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| home(".cargo"));
    children(&Path::new(&cargo).join("registry/src")).iter().flat_map(|registry| children(registry)).collect()
}

fn home(folder: &str) -> String {
    format!("{}/{folder}", std::env::var("HOME").unwrap_or_default())
}

/// The folders in a folder, in order of name.
fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_by_key(|path| version(&name(path)));
    folders
}

/// A name with its numbers as numbers, so that 3.9 comes before 3.10.
fn version(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].bytes().take_while(u8::is_ascii_digit).count();
        parts.push((rest[..text].to_owned(), rest[text..text + digits].parse().unwrap_or(0)));
        rest = &rest[text + digits..];
    }
    parts
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `serde_json` of `serde_json-1.0.154`.
fn crate_name(path: &Path) -> String {
    let name = name(path);
    name.rsplit_once('-').map_or(name.clone(), |(name, _)| name.to_owned())
}

fn newest(crates: &[PathBuf], wanted: &str) -> Option<PathBuf> {
    crates.iter().rev().find(|folder| crate_name(folder) == wanted).cloned()
}

/// Source files below a folder, each with what its name is cut off at. Tests that hold broken programs on purpose, and what was made for machines, are none.
fn files_below(folder: &Path, base: &Path, found: &mut Vec<(PathBuf, PathBuf)>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = name(&path);
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_dir() && !["test", "tests", "site-packages", "lib2to3", "dist", "build"].contains(&name.as_str()) {
            files_below(&path, base, found);
        } else if about.is_file()
            && SOURCE_BYTES.contains(&about.len())
            && !name.contains(".min.")
            && !name.ends_with(".d.ts")
        {
            found.push((base.to_owned(), path));
        }
    }
}
