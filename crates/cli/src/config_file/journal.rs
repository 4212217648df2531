//! What was changed in whose file, so that it can be taken back byte for byte.
//!
//! The entry is on disk before the file changes. So after a crash there is either no entry and no change, or an entry whose hashes say
//! which of the two states the file is in.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format::{self, Format, Refusal};

/// One value at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Edit {
    /// Names from the first level inwards.
    pub(crate) path: Vec<String>,
    /// What is put there.
    pub(crate) value: Value,
    /// It is one element of the list at that place, beside those of others.
    #[serde(default)]
    pub(crate) element: bool,
}

impl Edit {
    /// The file with the edit made; `None` when it says so already.
    fn make(&self, format: Format, bytes: &[u8], path: &[&str]) -> Result<Option<Vec<u8>>, EditError> {
        if self.element {
            let held = format::holds(format, bytes, path, &self.value)?;
            return Ok(if held { None } else { Some(format::push(format, bytes, path, &self.value)?) });
        }
        match format::get(format, bytes, path)? {
            Some(found) if found == self.value => Ok(None),
            Some(found) => Err(EditError::Taken(found)),
            None => Ok(Some(format::set(format, bytes, path, &self.value)?)),
        }
    }

    /// The file without what the edit put there; `None` when it is not there as it was put.
    fn take_back(&self, format: Format, bytes: &[u8], path: &[&str]) -> Result<Option<Vec<u8>>, Refusal> {
        if self.element {
            format::take(format, bytes, path, &self.value)
        } else {
            format::unset(format, bytes, path, &self.value)
        }
    }
}

/// Why an edit cannot be made.
enum EditError {
    /// Something else stands there.
    Taken(Value),
    Refused(Refusal),
}

impl From<Refusal> for EditError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A change that has not been made yet.
#[derive(Debug)]
pub(crate) struct Change {
    entry: Entry,
    after: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The file as it was named.
    file: PathBuf,
    /// The file that holds the bytes, behind all links.
    target: PathBuf,
    format: String,
    /// The bytes from before; `None` when there was no file.
    before: Option<String>,
    before_hash: Option<String>,
    after_hash: String,
    edits: Vec<Edit>,
}

/// Why a change was not made or not taken back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file may not be written; it is someone's decision and is respected.
    #[error("{} is read-only; it was left as it is", .0.display())]
    ReadOnly(PathBuf),
    /// A link that leads nowhere.
    #[error("{} is a link to a file that is not there; it was left as it is", .0.display())]
    Dangling(PathBuf),
    /// The file was left as it is for its content.
    #[error("{}: {refusal}; it was left as it is", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// Something else stands where ours would.
    #[error("{} has {key} = {found} already; it was left as it is", path.display())]
    Taken {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What it says.
        found: String,
    },
}

/// What taking back came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// Nothing of ours is recorded.
    Nothing,
    /// The file is as it was before, byte for byte.
    Restored(PathBuf),
    /// The file had been changed since; our keys are out, the rest is as it was found.
    Removed(PathBuf),
    /// The file had been changed since, and these keys are not as we wrote them: they stay.
    Left(PathBuf, Vec<String>),
}

/// Works out a change; touches nothing. `None` when the file says all of it already.
pub(crate) fn plan(file: &Path, format: Format, edits: Vec<Edit>) -> Result<Option<Change>, JournalError> {
    let target = resolve(file)?;
    let before = read(&target)?;
    if before.is_some() && std::fs::metadata(&target).is_ok_and(|metadata| metadata.permissions().readonly()) {
        return Err(JournalError::ReadOnly(file.to_owned()));
    }
    let refused = |refusal| JournalError::Refused { path: file.to_owned(), refusal };
    let mut after = before.clone().unwrap_or_default();
    for edit in &edits {
        let path: Vec<&str> = edit.path.iter().map(String::as_str).collect();
        match edit.make(format, &after, &path) {
            Ok(Some(made)) => after = made,
            Ok(None) => {}
            Err(EditError::Refused(refusal)) => return Err(refused(refusal)),
            Err(EditError::Taken(found)) => {
                let key = edit.path.join(".");
                return Err(JournalError::Taken { path: file.to_owned(), key, found: found.to_string() });
            }
        }
    }
    if before.as_deref() == Some(&after) {
        return Ok(None);
    }
    let entry = Entry {
        file: file.to_owned(),
        target,
        format: format!("{format:?}"),
        before_hash: before.as_deref().map(hash),
        // Formats are text: what could not be read as such was refused above.
        before: before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        after_hash: hash(&after),
        edits,
    };
    Ok(Some(Change { entry, after }))
}

/// Works out a file of our own: all of it is ours. `None` when it is there already.
pub(crate) fn plan_whole(file: &Path, text: &str) -> Result<Option<Change>, JournalError> {
    let target = resolve(file)?;
    let before = read(&target)?;
    if before.as_deref() == Some(text.as_bytes()) {
        return Ok(None);
    }
    let entry = Entry {
        file: file.to_owned(),
        target,
        format: WHOLE.to_owned(),
        before_hash: before.as_deref().map(hash),
        before: before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        after_hash: hash(text.as_bytes()),
        edits: Vec::new(),
    };
    Ok(Some(Change { entry, after: text.as_bytes().to_vec() }))
}

/// The files that hold something of ours, by what is recorded.
pub(crate) fn recorded(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let read = |path: PathBuf| serde_json::from_slice::<Entry>(&std::fs::read(path).ok()?).ok();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| read(entry.path())).map(|entry| entry.file).collect();
    files.sort();
    files.dedup();
    files
}

/// The format of a file that is ours as a whole.
const WHOLE: &str = "Whole";

impl Change {
    /// The change as a person reads it.
    pub(crate) fn shown(&self) -> String {
        let before = self.entry.before.as_deref().unwrap_or_default();
        super::diff::diff(&self.entry.file.display().to_string(), before, &String::from_utf8_lossy(&self.after))
    }

    /// Writes the entry, then the file.
    pub(crate) fn make(self, folder: &Path, key: &str) -> Result<(), JournalError> {
        let at = folder.join(format!("{key}.json"));
        let entry = serde_json::to_vec(&self.entry).map_err(|error| io(&at, error.into()))?;
        // Configuration files may hold keys: so does the entry, and only its owner reads it.
        write(&at, &entry, None)?;
        let permissions = std::fs::metadata(&self.entry.target).ok().map(|metadata| metadata.permissions());
        write(&self.entry.target, &self.after, permissions)
    }
}

/// Whether something is recorded under a key.
pub(crate) fn is_recorded(folder: &Path, key: &str) -> bool {
    folder.join(format!("{key}.json")).exists()
}

/// Takes back what is recorded under a key. Done twice it does nothing the second time.
pub(crate) fn undo(folder: &Path, key: &str) -> Result<Undone, JournalError> {
    let at = folder.join(format!("{key}.json"));
    let Some(bytes) = read(&at)? else { return Ok(Undone::Nothing) };
    let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| io(&at, error.into()))?;
    let undone = entry.undo()?;
    std::fs::remove_file(&at).map_err(|source| io(&at, source))?;
    Ok(undone)
}

impl Entry {
    fn undo(&self) -> Result<Undone, JournalError> {
        let now = read(&self.target)?;
        let now_hash = now.as_deref().map(hash);
        if now_hash == self.before_hash {
            return Ok(Undone::Restored(self.file.clone()));
        }
        let Some(now) = now else { return Ok(Undone::Removed(self.file.clone())) };
        if now_hash.as_deref() == Some(&self.after_hash) {
            match &self.before {
                Some(before) => write(&self.target, before.as_bytes(), permissions(&self.target))?,
                None => std::fs::remove_file(&self.target).map_err(|source| io(&self.target, source))?,
            }
            return Ok(Undone::Restored(self.file.clone()));
        }
        if self.format == WHOLE {
            return Ok(Undone::Left(self.file.clone(), vec!["all of it".to_owned()]));
        }
        let refused = |refusal| JournalError::Refused { path: self.file.clone(), refusal };
        let format = match self.format.as_str() {
            "Json" => Format::Json,
            "Toml" => Format::Toml,
            _ => Format::Yaml,
        };
        let (mut after, mut left) = (now.clone(), Vec::new());
        for edit in &self.edits {
            let path: Vec<&str> = edit.path.iter().map(String::as_str).collect();
            match edit.take_back(format, &after, &path).map_err(refused)? {
                Some(without) => after = self.pruned(format, without, &path).map_err(refused)?,
                // A list without our element is as it should be, whatever else it holds.
                None if edit.element || format::get(format, &after, &path).map_err(refused)?.is_none() => {}
                None => left.push(edit.path.join(".")),
            }
        }
        if after != now {
            write(&self.target, &after, permissions(&self.target))?;
        }
        let file = self.file.clone();
        Ok(if left.is_empty() { Undone::Removed(file) } else { Undone::Left(file, left) })
    }
}

impl Entry {
    /// Takes out a list and the parents of a path that were made for it and hold nothing any more.
    fn pruned(&self, format: Format, mut bytes: Vec<u8>, path: &[&str]) -> Result<Vec<u8>, Refusal> {
        let before = self.before.as_deref().unwrap_or_default().as_bytes();
        for length in (1..=path.len()).rev() {
            let parent = &path[..length];
            if format::get(format, before, parent)?.is_some() {
                break;
            }
            let nothing = match length == path.len() {
                true => Value::Array(Vec::new()),
                false => Value::Object(serde_json::Map::new()),
            };
            match format::unset(format, &bytes, parent, &nothing)? {
                Some(without) => bytes = without,
                // A value that was no list is gone already.
                None if length == path.len() => {}
                None => break,
            }
        }
        Ok(bytes)
    }
}

fn permissions(path: &Path) -> Option<std::fs::Permissions> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions())
}

fn io(path: &Path, source: std::io::Error) -> JournalError {
    JournalError::Io { path: path.to_owned(), source }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The file behind all links.
fn resolve(file: &Path) -> Result<PathBuf, JournalError> {
    match std::fs::canonicalize(file) {
        Ok(target) => Ok(target),
        Err(_) if file.is_symlink() => Err(JournalError::Dangling(file.to_owned())),
        Err(_) => Ok(file.to_owned()),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io(path, source)),
    }
}

/// Writes beside the file and renames over it, so that a reader sees all or nothing.
fn write(path: &Path, bytes: &[u8], permissions: Option<std::fs::Permissions>) -> Result<(), JournalError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    let mut file =
        tempfile::Builder::new().prefix(".headroom-").tempfile_in(folder).map_err(|source| io(folder, source))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|source| io(path, source))?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions).map_err(|source| io(path, source))?;
    }
    file.persist(path).map_err(|error| io(path, error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edits() -> Vec<Edit> {
        vec![Edit { path: vec!["env".to_owned(), "URL".to_owned()], value: json!("http://x"), element: false }]
    }

    /// An element of a list that others have elements in, or not.
    #[test]
    fn elements_of_lists_come_and_go_alone() {
        let ours = json!({"matcher": "Bash", "hooks": [{"type": "command", "command": "x"}]});
        let edits =
            || vec![Edit { path: vec!["hooks".to_owned(), "After".to_owned()], value: ours.clone(), element: true }];
        for before in [
            "",
            "{\n  \"a\": 1\n}\n",
            "{\"hooks\": {\"After\": []}}",
            "{\r\n  \"hooks\": {\r\n    \"After\": [ // mine\r\n      {\"matcher\": \"Edit\"},\r\n    ]\r\n  }\r\n}\r\n",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("settings.json");
            if !before.is_empty() {
                std::fs::write(&file, before).unwrap();
            }
            plan(&file, Format::Json, edits()).unwrap().unwrap().make(folder.path(), "k").unwrap();
            assert!(
                plan(&file, Format::Json, edits()).unwrap().is_none(),
                "twice is once: {}",
                std::fs::read_to_string(&file).unwrap()
            );
            let made = std::fs::read_to_string(&file).unwrap();
            let get = |text: &str| format::get(Format::Json, text.as_bytes(), &["hooks", "After"]).unwrap();
            assert!(get(&made).unwrap().to_string().contains("command"), "{made}");
            assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Restored(file.clone()));
            assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), before);

            // The user adds something of their own in between.
            plan(&file, Format::Json, edits()).unwrap().unwrap().make(folder.path(), "k").unwrap();
            let changed = format!("{}// later\n", std::fs::read_to_string(&file).unwrap());
            std::fs::write(&file, changed).unwrap();
            assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Removed(file.clone()));
            let left = std::fs::read_to_string(&file).unwrap();
            assert!(left.ends_with("// later\n") && !left.contains("command"), "{left}");
            assert_eq!(get(&left), get(before), "{left}");
            assert_eq!(left.contains("mine"), before.contains("mine"));
        }
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        std::fs::write(&file, "{\"hooks\": 3}").unwrap();
        let edit = Edit { path: vec!["hooks".to_owned()], value: json!(1), element: true };
        assert!(matches!(plan(&file, Format::Json, vec![edit]), Err(JournalError::Refused { .. })));
    }

    #[test]
    fn a_crash_between_entry_and_file_is_harmless() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        std::fs::write(&file, "{\"a\": 1}").unwrap();
        let change = plan(&file, Format::Json, edits()).unwrap().unwrap();
        // The entry is written, the file is not.
        let entry = serde_json::to_vec(&change.entry).unwrap();
        std::fs::write(folder.path().join("k.json"), entry).unwrap();
        assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Restored(file.clone()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"a\": 1}");
        assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Nothing);
    }

    #[test]
    fn what_others_wrote_since_stays_and_only_our_keys_go() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        std::fs::write(&file, "{\n  \"a\": 1\n}\n").unwrap();
        plan(&file, Format::Json, edits()).unwrap().unwrap().make(folder.path(), "k").unwrap();
        let changed = std::fs::read_to_string(&file).unwrap().replace("\"a\": 1", "\"a\": 2 /* mine */");
        std::fs::write(&file, changed).unwrap();
        assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Removed(file.clone()));
        let left = std::fs::read_to_string(&file).unwrap();
        assert!(left.contains("\"a\": 2") && left.contains("/* mine */") && !left.contains("URL"), "{left}");
    }

    #[test]
    fn a_key_that_someone_has_changed_is_left_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        plan(&file, Format::Json, edits()).unwrap().unwrap().make(folder.path(), "k").unwrap();
        std::fs::write(&file, "{\"env\": {\"URL\": \"http://theirs\"}}").unwrap();
        assert_eq!(undo(folder.path(), "k").unwrap(), Undone::Left(file, vec!["env.URL".to_owned()]));
    }

    #[test]
    fn a_value_of_someone_else_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        std::fs::write(&file, "{\"env\": {\"URL\": \"http://theirs\"}}").unwrap();
        assert!(matches!(plan(&file, Format::Json, edits()), Err(JournalError::Taken { .. })));
    }
}
