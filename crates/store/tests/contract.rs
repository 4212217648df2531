//! What every back end promises. One suite; each case runs on each of them.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{each, keep, rendering, sqlite};
use headroom_core::Reason;
use headroom_store::{
    Batch, Grant, Lineage, RECEIPT_DAYS, Rendering, Scope, Secret, SqliteOptions, Store, StoreError, StoredReceipt,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[test]
fn what_was_kept_is_given_back_byte_for_byte() {
    each(|store| {
        let scope = Scope::default();
        for text in ["", "short", "nul \0 and \u{feff} bom\r\n", &"repetitive ".repeat(9999), &"日本語 👩‍👩‍👧‍👦 ".repeat(300)]
        {
            let handle = keep(store, &scope, text);
            assert_eq!(store.original(&scope, handle).unwrap().as_deref(), Some(text));
            assert!(store.contains(&scope, handle).unwrap());
        }
    });
}

/// T077
#[test]
fn another_scope_cannot_tell_a_foreign_handle_from_an_absent_one() {
    each(|store| {
        let handle = keep(store, &Scope::new("a", "p"), "secret");
        for other in [Scope::new("a", "q"), Scope::new("b", "p"), Scope::new("", "1:a/p"), Scope::new("a/p", "")] {
            assert_eq!(store.original(&other, handle).unwrap(), None);
            assert!(!store.contains(&other, handle).unwrap());
        }
    });
}

#[test]
fn the_first_rendering_of_a_lineage_stays() {
    each(|store| {
        let (scope, lineage) = (Scope::default(), Lineage::root(b"x"));
        let handle = keep(store, &scope, "original");
        for text in ["first", "second"] {
            let mut batch = Batch::at(1);
            batch.continues(lineage);
            batch.render(lineage, rendering(text, handle));
            store.write(&scope, batch).unwrap();
        }
        let found = store.renderings(&scope, &[lineage.then(b"other"), lineage]).unwrap();
        assert_eq!(found, [None, Some(rendering("first", handle))]);
        assert_eq!(store.renderings(&Scope::new("x", "y"), &[lineage]).unwrap(), [None]);
    });
}

#[test]
fn a_superseding_rendering_takes_the_place_and_what_the_earlier_one_named_stays_kept() {
    each(|store| {
        let (scope, lineage) = (Scope::default(), Lineage::root(b"x"));
        let mut batch = Batch::at(1);
        batch.continues(lineage);
        let handle = batch.keep(store.handle_key(), "original");
        batch.render(lineage, rendering("first", handle));
        store.write(&scope, batch).unwrap();
        for reason in [Reason::Refused, Reason::Deadline] {
            let mut step = Batch::at(2);
            step.continues(lineage);
            step.supersede(lineage, Rendering::kept(reason));
            store.write(&scope, step).unwrap();
            let found = store.renderings(&scope, &[lineage]).unwrap();
            assert_eq!(found[0].as_ref().map(|found| found.reason), Some(reason));
            assert!(found[0].as_ref().is_some_and(|found| found.replacements.is_empty()));
        }
        let mut late = Batch::at(3);
        late.render(lineage, rendering("late", handle));
        store.write(&scope, late).unwrap();
        assert_eq!(store.renderings(&scope, &[lineage]).unwrap()[0].as_ref().unwrap().reason, Reason::Deadline);
        assert!(store.contains(&scope, handle).unwrap());
    });
}

#[test]
fn exchanges_and_receipts_are_found_again() {
    each(|store| {
        let (scope, key) = (Scope::default(), Lineage::root(b"call"));
        let mut batch = Batch::at(1);
        batch.exchange(key, "{\"a\":1}".to_owned());
        for (id, at_ms) in [("r2", 20), ("r1", 10), ("r3", 30)] {
            batch.receipt(StoredReceipt { id: id.to_owned(), at_ms, document: format!("{{\"id\":\"{id}\"}}") });
        }
        store.write(&scope, batch).unwrap();
        assert_eq!(store.exchanges(&scope, &[key]).unwrap(), [Some("{\"a\":1}".to_owned())]);
        let ids: Vec<_> = store.receipts(&scope, 20).unwrap().into_iter().map(|receipt| receipt.id).collect();
        assert_eq!(ids, ["r2", "r3"]);
        assert_eq!(store.receipt(&scope, "r1").unwrap().unwrap().at_ms, 10);
        assert_eq!(store.receipt(&scope, "r9").unwrap(), None);
        assert_eq!(store.receipt_with(&scope, "{\"id\"").unwrap().unwrap().id, "r1", "the oldest");
        assert_eq!(store.receipt_with(&scope, "\"r2\"").unwrap().unwrap().id, "r2");
        assert_eq!(store.receipt_with(&scope, "%").unwrap(), None);
        assert_eq!(store.holdings().unwrap().receipts, 3);
    });
}

/// T079
#[test]
fn many_threads_storing_the_same_text_all_succeed_and_keep_it_once() {
    each(|store| {
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    (0..20).for_each(|round| {
                        keep(store, &Scope::default(), &format!("text {round}"));
                    });
                });
            }
        });
        assert_eq!(store.holdings().unwrap().originals, 20);
    });
}

/// T076, T079: two processes on one file are two stores opened on it.
#[test]
fn two_stores_on_one_file_share_key_and_content_and_a_restart_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/store.db");
    let (one, two) = (Arc::new(sqlite(&path)), Arc::new(sqlite(&path)));
    let writers: Vec<_> = [one.clone(), two.clone()]
        .into_iter()
        .map(|store| {
            std::thread::spawn(move || {
                (0..50).for_each(|round| {
                    keep(&store, &Scope::default(), &format!("text {round}"));
                });
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let handle = keep(&one, &Scope::default(), "text 7");
    assert_eq!(two.original(&Scope::default(), handle).unwrap().as_deref(), Some("text 7"));
    assert_eq!(one.holdings().unwrap().originals, 50);
    drop((one, two));
    let again = sqlite(&path);
    assert_eq!(again.original(&Scope::default(), handle).unwrap().as_deref(), Some("text 7"));
}

#[test]
fn a_closed_store_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = sqlite(&path);
    let handle = keep(&store, &Scope::default(), "text");
    assert!(store.contains(&Scope::default(), handle).unwrap());
    drop(store);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["store.db"]);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/store.db");
    let store = sqlite(&path);
    keep(&store, &Scope::default(), "x");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

/// T118
#[test]
fn at_the_budget_the_oldest_unreferenced_go_first_referenced_ones_stay_and_the_file_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Store::open_sqlite(&path, &SqliteOptions { budget_bytes: 400_000, ..SqliteOptions::DEFAULT }).unwrap();
    let scope = Scope::default();
    let noise = |seed: u64| -> String {
        let mut state = seed;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(33 + (state >> 58) as u8)
        };
        (0..40_000).map(|_| letter()).collect()
    };
    let mut referenced = Batch::at(1);
    referenced.continues(Lineage::root(b"c"));
    let kept = referenced.keep(store.handle_key(), noise(0));
    referenced.render(Lineage::root(b"c"), rendering("x", kept));
    store.write(&scope, referenced).unwrap();
    let mut handles = Vec::new();
    for round in 1..40 {
        let mut batch = Batch::at(round * 1000);
        handles.push(batch.keep(store.handle_key(), noise(round)));
        store.write(&scope, batch).unwrap();
    }
    assert!(store.holdings().unwrap().stored_bytes <= 400_000);
    assert!(store.contains(&scope, kept).unwrap(), "a conversation still names it");
    assert!(!store.contains(&scope, handles[0]).unwrap(), "the oldest went");
    assert!(store.contains(&scope, *handles.last().unwrap()).unwrap(), "the newest stayed");
    store.collect(40_000).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 900_000);
    // Once its conversation has been idle long enough, even the referenced one may go.
    let small = Store::open_sqlite(&path, &SqliteOptions { budget_bytes: 1, ..SqliteOptions::DEFAULT }).unwrap();
    small.collect(2 * DAY_MS).unwrap();
    assert!(small.contains(&scope, kept).unwrap());
    small.collect(31 * DAY_MS).unwrap();
    assert!(!small.contains(&scope, kept).unwrap());
}

#[test]
fn when_everything_is_referenced_a_full_store_refuses_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { budget_bytes: 10, ..SqliteOptions::DEFAULT };
    let store = Store::open_sqlite(&folder.path().join("store.db"), &options).unwrap();
    let mut batch = Batch::at(1);
    let handle = batch.keep(store.handle_key(), "more than ten bytes");
    assert!(matches!(store.write(&Scope::default(), batch), Err(StoreError::OverBudget { .. })));
    assert!(!store.contains(&Scope::default(), handle).unwrap());
}

/// T078
#[test]
fn a_corrupt_a_foreign_and_a_newer_file_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, "this is not a database, it is a letter to a friend".repeat(100)).unwrap();
    let error = Store::open_sqlite(&path, &SqliteOptions::DEFAULT).unwrap_err();
    assert!(error.to_string().contains("store.db"), "{error}");
    assert!(Store::unavailable(&error).write(&Scope::default(), filled()).is_err());

    let path = folder.path().join("newer.db");
    drop(sqlite(&path));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(Store::open_sqlite(&path, &SqliteOptions::DEFAULT), Err(StoreError::Newer { found: 999, .. })));
}

/// T078: a file that may only be read still gives back what it holds. (Root may write everything; then nothing is tested.)
#[test]
fn a_file_that_may_only_be_read_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let handle = keep(&sqlite(&path), &Scope::default(), "text");
    let mut rights = std::fs::metadata(&path).unwrap().permissions();
    rights.set_readonly(true);
    std::fs::set_permissions(&path, rights).unwrap();
    if std::fs::OpenOptions::new().append(true).open(&path).is_ok() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("this user may write a file without the right to");
        }
        return;
    }
    let store = sqlite(&path);
    assert_eq!(store.original(&Scope::default(), handle).unwrap().as_deref(), Some("text"));
    let error = store.write(&Scope::default(), filled()).unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
    assert!(store.check().is_err());
}

/// T078
#[test]
fn a_file_locked_by_another_process_is_an_error_after_the_timeout_not_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let options = SqliteOptions { busy_timeout: std::time::Duration::from_millis(50), ..SqliteOptions::DEFAULT };
    let store = Store::open_sqlite(&path, &options).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(store.write(&Scope::default(), filled()).is_err());
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.write(&Scope::default(), filled()).is_ok());
}

/// T078: a page of the file is overwritten behind our back.
#[test]
fn a_damaged_original_is_an_error_never_a_wrong_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = sqlite(&path);
    let handle = keep(&store, &Scope::default(), &"some text that compresses ".repeat(100));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE originals SET zstd = 0, data = x'6f74686572'", []).unwrap();
    assert!(
        matches!(store.original(&Scope::default(), handle), Err(StoreError::Damaged(damaged)) if damaged == handle)
    );
}

fn filled() -> Batch {
    let mut batch = Batch::at(1);
    batch.receipt(StoredReceipt { id: "r".to_owned(), at_ms: 1, document: "{}".to_owned() });
    batch
}

#[test]
fn a_grant_holds_for_its_secret_in_its_scope_until_it_ends() {
    each(|store| {
        let (scope, other) = (Scope::default(), Scope::new("other", "default"));
        let (old, new, stranger) = (Secret::fresh().unwrap(), Secret::fresh().unwrap(), Secret::fresh().unwrap());
        let grant = |created_ms| Grant {
            name: "laptop".to_owned(),
            user: "Käthe".to_owned(),
            rights: "proxy,stats".parse().unwrap(),
            created_ms,
            ends_ms: None,
        };
        store.grant(&scope, old.hash(), &grant(5)).unwrap();
        assert_eq!(store.granted(&scope, old.hash()).unwrap(), Some(grant(5)));
        assert_eq!(store.granted(&other, old.hash()).unwrap(), None, "it is good nowhere else");
        assert_eq!(store.granted(&scope, stranger.hash()).unwrap(), None);
        // Rotated: both hold for a while.
        assert_eq!(store.end_grants(&scope, "laptop", 100).unwrap(), 1);
        store.grant(&scope, new.hash(), &grant(50)).unwrap();
        let held = store.granted(&scope, old.hash()).unwrap().unwrap();
        assert!(held.holds_at(99) && !held.holds_at(100));
        assert!(store.granted(&scope, new.hash()).unwrap().unwrap().holds_at(u64::MAX >> 1));
        // Revoked: what ends earlier keeps its end.
        assert_eq!(store.end_grants(&other, "laptop", 60).unwrap(), 0);
        assert_eq!(store.end_grants(&scope, "laptop", 200).unwrap(), 1);
        let ends: Vec<_> =
            store.grants(&scope).unwrap().iter().map(|grant| (grant.created_ms, grant.ends_ms)).collect();
        assert_eq!(ends, [(5, Some(100)), (50, Some(200))]);
        assert!(store.grants(&other).unwrap().is_empty());
    });
}

/// T116: what is written for every request does not grow for ever.
#[test]
fn receipts_are_kept_for_their_time() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    each(|store| {
        let (scope, other) = (Scope::default(), Scope::new("other", "default"));
        let file = |scope: &Scope, id: &str, at_ms: u64| {
            let mut batch = Batch::at(at_ms);
            batch.receipt(StoredReceipt { id: id.to_owned(), at_ms, document: "{}".to_owned() });
            store.write(scope, batch).unwrap();
        };
        file(&scope, "old", 100 * DAY);
        file(&other, "theirs", 100 * DAY);
        file(&scope, "recent", 101 * DAY);
        file(&scope, "new", (100 + RECEIPT_DAYS) * DAY + 1);
        let ids: Vec<_> = store.receipts(&scope, 0).unwrap().into_iter().map(|receipt| receipt.id).collect();
        assert_eq!(ids, ["recent", "new"]);
        assert_eq!(store.receipts(&other, 0).unwrap().len(), 1, "another's are another's");
    });
}
