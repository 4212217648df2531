//! Who met which text, where and when; and the notes that agents chose to keep.

use headroom_core::Handle;

use crate::Workspace;

/// Characters kept of a name or a session.
const NAME_CHARS: usize = 80;

/// Characters kept of a path or a command line.
const SOURCE_CHARS: usize = 300;

/// Sightings kept of one text in one workspace: the first, and the latest of the others.
pub(crate) const SIGHTINGS_PER_TEXT: usize = 32;

/// Characters of one note at most.
pub const NOTE_CHARS: usize = 2_000;

/// Notes of one workspace at most.
pub const NOTES_PER_WORKSPACE: usize = 1_000;

/// That an agent met a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where: memory of this tree only.
    pub workspace: Workspace,
    /// The agent's name; empty when it did not say.
    pub agent: String,
    /// What the client says about the session; empty when it says nothing.
    pub session: String,
    /// The path or the command line that the text came from; empty when neither is known.
    pub source: String,
    /// The id that git gives a file with exactly this text, where the text is one.
    pub object: Option<String>,
}

impl Sighting {
    /// The same with every text cut to what is kept of it.
    pub(crate) fn bounded(&self) -> Self {
        let cut = |text: &str, most| text.chars().take(most).collect();
        Self {
            workspace: self.workspace,
            agent: cut(&self.agent, NAME_CHARS),
            session: cut(&self.session, NAME_CHARS),
            source: cut(&self.source, SOURCE_CHARS),
            object: self.object.clone(),
        }
    }
}

/// A sighting as it is remembered: the same agent in the same session meeting the same text again is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The agent.
    pub agent: String,
    /// The session.
    pub session: String,
    /// Path or command line.
    pub source: String,
    /// Git's id of a file with this text.
    pub object: Option<String>,
    /// First time: milliseconds since the Unix epoch.
    pub first_ms: u64,
    /// Last time.
    pub last_ms: u64,
    /// How many times.
    pub times: u64,
}

/// A text that memory knows in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its handle.
    pub handle: Handle,
    /// Bytes of it.
    pub bytes: u64,
    /// Who met it, earliest first; never empty.
    pub seen: Vec<Seen>,
}

impl Remembered {
    /// The last time that anybody met it.
    pub fn last_ms(&self) -> u64 {
        self.seen.iter().map(|seen| seen.last_ms).max().unwrap_or_default()
    }
}

/// Whether every word or any word has to occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Every one.
    All,
    /// At least one.
    Any,
}

/// Which texts are to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// This one.
    Text(Handle),
    /// Those that nobody has met since this time, and notes not said again since; milliseconds since the Unix epoch.
    Before(u64),
    /// Everything of the workspace.
    All,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Texts that the workspace no longer knows.
    pub texts: u64,
    /// Texts among them that were erased altogether, because no other workspace knows them.
    pub erased: u64,
    /// Notes.
    pub notes: u64,
    /// Whether another process was reading meanwhile, so that old pages stay in the log until it has finished.
    pub pages_remain: bool,
}

/// What became of the bytes of everything that was ever erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Where some may still be, and what to do about it; empty when no file of the store holds any. Copies (replicas, backups) are nobody's
    /// to know here.
    pub remains: Vec<String>,
}

/// What memory holds of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// Texts.
    pub texts: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Notes.
    pub notes: u64,
    /// For each agent, in the order of their names: texts that it met, and how many of those another agent had met before it.
    pub agents: Vec<(String, u64, u64)>,
}

impl MemoryFigures {
    /// First sights by a further agent: what one had met and another met again.
    pub fn reused(&self) -> u64 {
        self.agents.iter().map(|(_, _, reused)| reused).sum()
    }

    /// Adds up first sights, given by text and in the order of time: `(text, agent)`.
    pub(crate) fn count_agents<T: PartialEq>(&mut self, sights: impl IntoIterator<Item = (T, String)>) {
        let mut counts = std::collections::BTreeMap::<String, (u64, u64)>::new();
        let mut before: Option<T> = None;
        for (text, agent) in sights {
            let again = before.as_ref() == Some(&text);
            let (met, reused) = counts.entry(agent).or_default();
            *met += 1;
            *reused += u64::from(again);
            before = Some(text);
        }
        self.agents = counts.into_iter().map(|(agent, (met, reused))| (agent, met, reused)).collect();
    }
}

/// A short fact that an agent chose to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// What it is about, in a word or two; may be empty.
    pub topic: String,
    /// The fact.
    pub text: String,
    /// Who says so.
    pub agent: String,
    /// In which session.
    pub session: String,
    /// When: milliseconds since the Unix epoch.
    pub at_ms: u64,
}

impl NewNote {
    /// What makes two notes the same one: topic and words, whatever the spacing and the case.
    pub(crate) fn identity(&self) -> [u8; 16] {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let (topic, text) = (plain(&self.topic), plain(&self.text));
        let mut bytes = [0; 16];
        let hash = blake3::hash(format!("{}:{topic}{text}", topic.len()).as_bytes());
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        bytes
    }

    /// The same with names and topic cut to what is kept of them.
    pub(crate) fn bounded(&self) -> Self {
        let cut = |text: &str, most| text.chars().take(most).collect();
        Self {
            topic: cut(self.topic.trim(), NAME_CHARS),
            text: cut(self.text.trim(), NOTE_CHARS),
            agent: cut(&self.agent, NAME_CHARS),
            session: cut(&self.session, NAME_CHARS),
            at_ms: self.at_ms,
        }
    }
}

/// A note as it is kept. Notes are never overwritten: what is said differently stands beside what was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub id: u64,
    /// What it is about.
    pub topic: String,
    /// The fact.
    pub text: String,
    /// Who said so first.
    pub agent: String,
    /// In which session.
    pub session: String,
    /// When: milliseconds since the Unix epoch.
    pub first_ms: u64,
    /// Who said so last.
    pub last_agent: String,
    /// When that was.
    pub last_ms: u64,
    /// How many times it was said.
    pub times: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_the_same_however_it_is_spaced_and_another_when_words_move_to_the_topic() {
        let note = |topic: &str, text: &str| NewNote {
            topic: topic.to_owned(),
            text: text.to_owned(),
            agent: String::new(),
            session: String::new(),
            at_ms: 0,
        };
        assert_eq!(note("Build", "use  make\n").identity(), note("build", "Use make").identity());
        assert_ne!(note("build use", "make").identity(), note("build", "use make").identity());
        assert_ne!(note("", "use make").identity(), note("", "use cmake").identity());
    }
}
