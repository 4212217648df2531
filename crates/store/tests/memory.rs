//! What every back end promises of sightings, search, notes and forgetting.

mod common;

use common::{each, keep, meet, rendering, sighting, sqlite, workspace};
use headroom_core::Handle;
use headroom_store::{
    Batch, Forget, Lineage, Match, NOTES_PER_WORKSPACE, NewNote, Outcome, Scope, Scrubbed, SqliteOptions, Store,
    StoreError,
};

fn note(topic: &str, text: &str, agent: &str, at_ms: u64) -> NewNote {
    NewNote { topic: topic.to_owned(), text: text.to_owned(), agent: agent.to_owned(), session: "s".to_owned(), at_ms }
}

#[test]
fn a_text_is_remembered_with_who_met_it_and_what_another_meets_again_is_counted() {
    each(|store| {
        let (scope, here) = (Scope::default(), workspace("github.com/a/b"));
        let log = meet(store, &scope, "a long log", sighting(here, "codex", "cargo test"), 10);
        assert_eq!(meet(store, &scope, "a long log", sighting(here, "codex", "cargo test"), 20), log);
        meet(store, &scope, "a long log", sighting(here, "claude", "cargo test"), 30);
        let other = meet(store, &scope, "another", sighting(here, "claude", "src/a.rs"), 40);

        let known = store.remembered(&scope, &here, log).unwrap().unwrap();
        assert_eq!((known.handle, known.bytes, known.last_ms()), (log, 10, 30));
        let who: Vec<_> = known.seen.iter().map(|s| (s.agent.as_str(), s.first_ms, s.last_ms, s.times)).collect();
        assert_eq!(who, [("codex", 10, 20, 2), ("claude", 30, 30, 1)]);
        assert_eq!(store.recent(&scope, &here, 9, 0).unwrap(), [other, log]);
        assert_eq!(store.recent(&scope, &here, 9, 1).unwrap(), [log]);
        assert_eq!(store.latest_from(&scope, &here, "src/a.rs").unwrap(), Some(other));
        assert_eq!(store.latest_from(&scope, &here, "src/b.rs").unwrap(), None);

        let figures = store.memory_figures(&scope, &here).unwrap();
        assert_eq!((figures.texts, figures.bytes, figures.reused()), (2, 17, 1));
        assert_eq!(figures.agents, [("claude".to_owned(), 2, 1), ("codex".to_owned(), 1, 0)]);
    });
}

#[test]
fn a_sighting_of_what_is_not_kept_is_no_memory() {
    each(|store| {
        let (scope, here) = (Scope::default(), workspace("x"));
        let mut batch = Batch::at(1);
        batch.sight(Handle::of(store.handle_key(), "never kept"), sighting(here, "a", "b"));
        store.write(&scope, batch).unwrap();
        assert_eq!(store.recent(&scope, &here, 9, 0).unwrap(), []);
    });
}

#[test]
fn texts_are_found_by_all_or_any_of_their_words_and_by_where_they_came_from() {
    each(|store| {
        let (scope, here) = (Scope::default(), workspace("x"));
        let one = meet(store, &scope, "connection refused by parseRequest at 10.0.0.1", sighting(here, "a", "make"), 1);
        let two =
            meet(store, &scope, "接続が拒否されました; connection lost", sighting(here, "a", "src/net/Socket.rs"), 2);
        let find = |query: &str, which| {
            let mut found = store.candidates(&scope, &here, query, which, 9).unwrap();
            found.sort();
            found
        };
        let both = || {
            let mut both = [one, two];
            both.sort();
            both.to_vec()
        };
        assert_eq!(find("connection", Match::All), both());
        assert_eq!(find("CONNECTION, refused!", Match::All), [one]);
        assert_eq!(find("refused lost", Match::All), []);
        assert_eq!(find("refused lost", Match::Any), both());
        assert_eq!(find("request", Match::All), [one], "a part of a compound");
        assert_eq!(find("拒否", Match::All), [two]);
        assert_eq!(find("socket", Match::All), [two], "by its path");
        for nothing in ["", "  ", "\"", "* OR )", "'; DROP TABLE texts; --"] {
            assert_eq!(find(nothing, Match::All), [], "{nothing}");
        }
        assert_eq!(store.candidates(&scope, &here, "connection", Match::All, 1).unwrap(), [two], "the newest first");
    });
}

/// T077, T103: eight tenants with two projects each, and two workspaces in each of those, keep the same texts and notes.
#[test]
fn memory_of_the_same_content_never_crosses_a_scope_or_a_workspace() {
    each(|store| {
        let places: Vec<_> = (0..8)
            .flat_map(|tenant| (0..2).map(move |project| Scope::new(format!("t{tenant}"), format!("p{project}"))))
            .flat_map(|scope| ["x", "y"].map(|name| (scope.clone(), workspace(name))))
            .collect();
        for (at, (scope, here)) in places.iter().enumerate() {
            meet(store, scope, "the same words for all", sighting(*here, &format!("agent{at}"), "same.rs"), 5);
            meet(
                store,
                scope,
                &format!("secret{at} words"),
                sighting(*here, &format!("agent{at}"), &format!("own{at}.rs")),
                6,
            );
            store.remember(scope, here, note("topic", "the same fact", &format!("agent{at}"), 7)).unwrap();
        }
        for (at, (scope, here)) in places.iter().enumerate() {
            let own = format!("agent{at}");
            let found = store.candidates(scope, here, "words", Match::All, 99).unwrap();
            assert_eq!(found.len(), 2);
            for handle in found.iter().chain(&store.recent(scope, here, 99, 0).unwrap()) {
                let known = store.remembered(scope, here, *handle).unwrap().unwrap();
                assert!(known.seen.iter().all(|seen| seen.agent == own), "{known:?}");
            }
            for other in (0..places.len()).filter(|other| *other != at) {
                assert_eq!(store.candidates(scope, here, &format!("secret{other}"), Match::Any, 9).unwrap(), []);
                assert_eq!(store.latest_from(scope, here, &format!("own{other}.rs")).unwrap(), None);
            }
            let notes = store.notes(scope, here).unwrap();
            assert_eq!((notes.len(), notes[0].agent.as_str(), notes[0].times), (1, own.as_str(), 1));
            assert_eq!(store.memory_figures(scope, here).unwrap().reused(), 0);
        }
        // Forgetting in one place forgets nothing in another, whatever number or handle is named.
        let (scope, here) = &places[0];
        let foreign = store.notes(&places[5].0, &places[5].1).unwrap()[0].id;
        assert!(!store.forget_note(scope, here, foreign).unwrap());
        let forgotten = store.forget(scope, here, Forget::All).unwrap();
        assert_eq!(
            (forgotten.texts, forgotten.erased, forgotten.notes),
            (2, 1, 1),
            "the other workspace keeps the shared text"
        );
        for (scope, here) in &places[1..] {
            assert_eq!(store.recent(scope, here, 9, 0).unwrap().len(), 2);
            assert_eq!(store.notes(scope, here).unwrap().len(), 1);
        }
    });
}

#[test]
fn a_note_said_again_is_counted_and_one_said_differently_stands_beside_it() {
    each(|store| {
        let (scope, here) = (Scope::default(), workspace("x"));
        let first = store.remember(&scope, &here, note("build", "use make", "codex", 10)).unwrap();
        let again = store.remember(&scope, &here, note("Build", "use  make", "claude", 20)).unwrap();
        assert_eq!((again.id, again.times, again.agent.as_str()), (first.id, 2, "codex"));
        assert_eq!((again.last_agent.as_str(), again.last_ms), ("claude", 20));
        let other = store.remember(&scope, &here, note("build", "use ninja", "claude", 30)).unwrap();
        let texts: Vec<_> = store.notes(&scope, &here).unwrap().into_iter().map(|note| note.text).collect();
        assert_eq!(texts, ["use ninja", "use make"]);
        assert!(
            store.forget_note(&scope, &here, other.id).unwrap() && !store.forget_note(&scope, &here, other.id).unwrap()
        );
        for n in 1..NOTES_PER_WORKSPACE {
            store.remember(&scope, &here, note("n", &n.to_string(), "a", 40)).unwrap();
        }
        let full = store.remember(&scope, &here, note("n", "one more", "a", 50));
        assert!(matches!(full, Err(StoreError::TooManyNotes { .. })), "{full:?}");
        assert_eq!(store.notes(&scope, &here).unwrap().len(), NOTES_PER_WORKSPACE);
    });
}

#[test]
fn sightings_of_one_text_stay_few_and_the_first_stays() {
    each(|store| {
        let (scope, here) = (Scope::default(), workspace("x"));
        let mut handle = None;
        for n in 0..100_u64 {
            let mut met = sighting(here, "a", "f");
            met.session = format!("session {n}");
            handle = Some(meet(store, &scope, "text", met, n));
        }
        let known = store.remembered(&scope, &here, handle.unwrap()).unwrap().unwrap();
        assert!(known.seen.len() <= 32, "{}", known.seen.len());
        assert_eq!((known.seen[0].first_ms, known.last_ms()), (0, 99));
    });
}

/// T101
#[test]
fn what_is_forgotten_before_a_time_redeems_to_nothing_and_neither_does_what_quotes_it() {
    each(|store| {
        let (scope, here, lineage) = (Scope::default(), workspace("x"), Lineage::root(b"c"));
        let old = meet(store, &scope, "old text", sighting(here, "a", "f"), 10);
        let new = meet(store, &scope, "new text", sighting(here, "a", "f"), 20);
        let unseen = keep(store, &scope, "nobody met this in a workspace");
        let mut batch = Batch::at(10);
        batch.continues(lineage);
        batch.render(lineage, rendering("quoting the old text", old));
        batch.exchange(lineage, format!("{{\"content_id\":\"{old}\",\"text\":\"old text\"}}"));
        batch.outcome(Outcome { key: lineage, handle: Some(old), document: "old text, shorter".to_owned() });
        store.write(&scope, batch).unwrap();
        assert_eq!(store.outcome(&scope, lineage).unwrap().as_deref(), Some("old text, shorter"));

        let forgotten = store.forget(&scope, &here, Forget::Before(15)).unwrap();
        assert_eq!((forgotten.texts, forgotten.erased), (1, 1));
        assert_eq!(store.original(&scope, old).unwrap(), None);
        assert_eq!(store.renderings(&scope, &[lineage]).unwrap(), [None]);
        assert_eq!(store.exchanges(&scope, &[lineage]).unwrap(), [None]);
        assert_eq!(store.outcome(&scope, lineage).unwrap(), None);
        assert_eq!(store.recent(&scope, &here, 9, 0).unwrap(), [new]);
        assert_eq!(store.candidates(&scope, &here, "old", Match::Any, 9).unwrap(), []);
        assert!(store.contains(&scope, new).unwrap() && store.contains(&scope, unseen).unwrap());
        assert_eq!(store.forget(&scope, &here, Forget::Text(unseen)).unwrap().texts, 0, "never met here");
        assert!(store.contains(&scope, unseen).unwrap());
    });
}

/// T101: after forgetting, no file of the store holds a byte of it: not the text, not its words, not what was made of it.
#[test]
fn what_is_forgotten_is_on_no_page_of_the_file_and_not_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder.path().join("store.db"));
    let (scope, here, lineage) = (Scope::default(), workspace("x"), Lineage::root(b"c"));
    let other = meet(&store, &scope, "an innocent text of many words", sighting(here, "a", "innocent.rs"), 5);
    // Short, so that it stands in the file as it is; and one so long that it takes pages of its own.
    let texts = ["zebrafish quokka".to_owned(), (0..900).map(|n| format!("wombat{n} {n}\n")).collect()];
    let mut handles = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let handle = meet(&store, &scope, text, sighting(here, "narwhal", &format!("platypus{at}.rs")), 10);
        let mut batch = Batch::at(10);
        batch.render(lineage.then(&[at as u8]), rendering("axolotl", handle));
        batch.outcome(Outcome { key: lineage.then(&[at as u8]), handle: Some(handle), document: "okapi".to_owned() });
        store.write(&scope, batch).unwrap();
        handles.push(handle);
    }
    store.remember(&scope, &here, note("t", "capybara", "a", 11)).unwrap();
    assert_eq!(store.candidates(&scope, &here, "quokka", Match::All, 9).unwrap(), [handles[0]]);
    assert_eq!(store.candidates(&scope, &here, "wombat77", Match::All, 9).unwrap(), [handles[1]]);
    let words = ["zebrafish", "quokka", "wombat", "narwhal", "platypus", "axolotl", "okapi", "capybara"];
    let left = || -> Vec<&str> {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        let stands = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().filter(stands).copied().collect()
    };
    assert_eq!(left(), words, "the search itself finds what is there");
    for handle in handles {
        assert!(!store.forget(&scope, &here, Forget::Text(handle)).unwrap().pages_remain);
    }
    let id = store.notes(&scope, &here).unwrap()[0].id;
    assert!(store.forget_note(&scope, &here, id).unwrap());
    assert_eq!(left(), Vec::<&str>::new());
    assert_eq!(store.scrub().unwrap(), Scrubbed::default());
    assert_eq!(left(), Vec::<&str>::new());
    assert_eq!(store.candidates(&scope, &here, "innocent", Match::All, 9).unwrap(), [other]);
    let file = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    file.execute("INSERT INTO words (words) VALUES ('integrity-check')", []).unwrap();
}

/// T118
#[test]
fn memory_goes_with_its_originals_and_outcomes_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { budget_bytes: 100_000, ..SqliteOptions::DEFAULT };
    let store = Store::open_sqlite(&folder.path().join("store.db"), &options).unwrap();
    let (scope, here) = (Scope::default(), workspace("x"));
    let noise = |seed: u64| -> String {
        (0..1000_u64).map(|n| format!("{:x}", (n + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
    };
    let mut handles = Vec::new();
    for n in 1..40 {
        let mut batch = Batch::at(n);
        let handle = batch.keep(store.handle_key(), noise(n));
        batch.sight(handle, sighting(here, "a", "f"));
        batch.outcome(Outcome { key: Lineage::root(&n.to_le_bytes()), handle: Some(handle), document: noise(n + 99) });
        store.write(&scope, batch).unwrap();
        handles.push(handle);
    }
    assert!(store.holdings().unwrap().stored_bytes <= 100_000);
    assert!(!store.contains(&scope, handles[0]).unwrap(), "the oldest went");
    let known = store.recent(&scope, &here, 99, 0).unwrap();
    assert!(!known.is_empty() && known.iter().all(|handle| store.contains(&scope, *handle).unwrap()));
    let figures = store.memory_figures(&scope, &here).unwrap();
    assert_eq!(figures.texts, known.len() as u64);
    assert_eq!(store.outcome(&scope, Lineage::root(&1_u64.to_le_bytes())).unwrap(), None);
}

/// What another version indexed is indexed again, and can be forgotten whole.
#[test]
fn an_index_of_another_version_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (scope, here) = (Scope::default(), workspace("x"));
    let store = sqlite(&path);
    let handle = meet(&store, &scope, "zebrafish", sighting(here, "a", "f"), 1);
    assert_eq!(store.candidates(&scope, &here, "zebrafish", Match::All, 9).unwrap(), [handle]);
    drop(store);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE texts SET indexed = 77", []).unwrap();
    drop(file);
    let store = sqlite(&path);
    assert_eq!(store.candidates(&scope, &here, "zebrafish", Match::All, 9).unwrap(), [handle]);
    store.forget(&scope, &here, Forget::All).unwrap();
    assert_eq!(store.candidates(&scope, &here, "zebrafish", Match::All, 9).unwrap(), []);
}

/// A file that an earlier version made is brought up to date with what it holds.
#[test]
fn a_file_of_the_first_schema_gets_a_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(include_str!("../src/sqlite/schema.sql")).unwrap();
    file.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(file);
    let store = sqlite(&path);
    let (scope, here) = (Scope::default(), workspace("x"));
    let handle = meet(&store, &scope, "words", sighting(here, "a", "f"), 1);
    assert_eq!(store.candidates(&scope, &here, "words", Match::All, 9).unwrap(), [handle]);
}
