//! What only a database for many has to promise: starting together, keeping tenants apart by itself, going away and coming back.
#![cfg(feature = "postgres")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{keep, meet, postgres, rendering, sighting, workspace};
use headroom_core::Handle;
use headroom_store::{
    Batch, Forget, Grant, Lineage, Match, Outcome, PostgresOptions, Rights, Scope, SecretHash, Store, StoreError,
    StoredReceipt,
};
use headroom_testkit::postgres::{Server, shared};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap().split('?').next().unwrap()
}

/// What the counters say and what the rows take.
fn counted(server: &Server, database: &str) -> String {
    let rows = "SELECT (SELECT sum(bytes) FROM headroom.counters), (SELECT coalesce(sum(octet_length(data)), 0) FROM headroom.originals)
        + (SELECT coalesce(sum(octet_length(document)), 0) FROM headroom.outcomes)";
    server.sql(database, rows).unwrap()
}

#[test]
fn many_that_start_at_once_on_an_empty_database_make_one_schema_and_one_key() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let stores: Vec<Store> = std::thread::scope(|threads| {
        let starting: Vec<_> = (0..8).map(|_| threads.spawn(|| postgres(&url))).collect();
        starting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(stores.windows(2).all(|pair| pair[0].handle_key() == pair[1].handle_key()));
    let handle = keep(&stores[0], &Scope::default(), "text");
    assert!(stores.iter().all(|store| store.original(&Scope::default(), handle).unwrap().as_deref() == Some("text")));
    assert_eq!(server.sql(name_of(&url), "SELECT count(*) FROM headroom.meta").unwrap().trim(), "3");
    drop(stores);
    assert_eq!(postgres(&url).original(&Scope::default(), handle).unwrap().as_deref(), Some("text"));
}

/// T077: not our statements but the database keeps tenants apart, also for whoever owns the tables.
#[test]
fn the_database_itself_shows_no_row_of_another_tenant_or_project() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let store = postgres(&url);
    let here = workspace("x");
    for (tenant, project) in [("a", "p"), ("a", "q"), ("b", "p")] {
        let scope = Scope::new(tenant, project);
        let handle = meet(&store, &scope, "the same text", sighting(here, "agent", "f"), 1);
        let mut batch = Batch::at(1);
        batch.continues(Lineage::root(b"c"));
        batch.render(Lineage::root(b"c"), rendering("x", handle));
        batch.exchange(Lineage::root(b"e"), "{}".to_owned());
        batch.outcome(Outcome { key: Lineage::root(b"o"), handle: Some(handle), document: "x".to_owned() });
        batch.receipt(StoredReceipt { id: "r".to_owned(), at_ms: 1, document: "{}".to_owned() });
        store.write(&scope, batch).unwrap();
        store.candidates(&scope, &here, "text", Match::All, 9).unwrap();
        let (name, user) = ("n".to_owned(), "u".to_owned());
        let grant = Grant { name, user, rights: Rights::default(), created_ms: 1, ends_ms: None };
        store.grant(&scope, SecretHash::of(b"the same secret"), &grant).unwrap();
    }
    let tables = [
        "originals",
        "conversations",
        "renderings",
        "links",
        "exchanges",
        "receipts",
        "outcomes",
        "sightings",
        "words",
        "grants",
    ];
    let count = |role: &str, settings: &str, table: &str| {
        let statements =
            format!("BEGIN; SET LOCAL ROLE {role}; {settings}; SELECT count(*) FROM headroom.{table}; COMMIT");
        server.sql(name_of(&url), &statements).unwrap().lines().last().unwrap_or_default().to_owned()
    };
    for table in tables {
        let of = |tenant: &str, project: &str| {
            count(
                "headroom_member",
                &format!("SET LOCAL headroom.tenant = '{tenant}'; SET LOCAL headroom.project = '{project}'"),
                table,
            )
        };
        assert_eq!(
            (of("a", "p"), of("b", "q"), of("", "")),
            ("1".to_owned(), "0".to_owned(), "0".to_owned()),
            "{table}"
        );
        assert_eq!(count("headroom_member", "SELECT", table), "0", "{table}: nobody said for whom");
        assert_eq!(
            server.sql(name_of(&url), &format!("SELECT count(*) FROM headroom.{table}")).unwrap().trim(),
            "3",
            "{table}"
        );
    }
    let foreign =
        "BEGIN; SET LOCAL ROLE headroom_member; SET LOCAL headroom.tenant = 'a'; SET LOCAL headroom.project = 'p';
        INSERT INTO headroom.exchanges VALUES ('b', 'p', 'x', 1, 'x'); COMMIT";
    assert!(server.sql(name_of(&url), foreign).unwrap_err().contains("row-level security"));
    for denied in
        ["UPDATE headroom.meta SET value = 'x'", "DROP TABLE headroom.links", "CREATE TABLE headroom.mine (x int)"]
    {
        let statements = format!("BEGIN; SET LOCAL ROLE headroom_member; {denied}; COMMIT");
        let said = server.sql(name_of(&url), &statements).unwrap_err();
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{said}");
    }
}

/// A login that owns nothing and may create nothing can do everything that a proxy does.
#[test]
fn a_login_without_rights_works_once_the_tables_are_there_and_says_what_is_missing_before() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let login = format!("login_{}", name_of(&url));
    server.sql("postgres", &format!("CREATE ROLE {login} LOGIN NOCREATEROLE")).unwrap();
    let theirs = server.address(&login, name_of(&url));
    let error = Store::open_postgres(&theirs, &PostgresOptions::DEFAULT).unwrap_err().to_string();
    // Roles belong to the whole cluster: another test may have made them meanwhile.
    let refused = error.contains("permission denied") || error.contains("must have admin option");
    assert!(refused && error.contains("GRANT headroom_member"), "{error}");
    drop(postgres(&url));
    let error = Store::open_postgres(&theirs, &PostgresOptions::DEFAULT).unwrap_err().to_string();
    assert!(error.contains("GRANT headroom_member"), "{error}");
    server.sql("postgres", &format!("GRANT headroom_member, headroom_keeper TO {login}")).unwrap();
    let store = postgres(&theirs);
    let handle = keep(&store, &Scope::default(), "text");
    assert!(store.contains(&Scope::default(), handle).unwrap());
    store.check().unwrap();
    store.collect(1).unwrap();
    assert_eq!(store.holdings().unwrap().originals, 1);
}

/// T118
#[test]
fn at_the_budget_the_oldest_unreferenced_go_first_and_a_full_store_refuses() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let store =
        Store::open_postgres(&url, &PostgresOptions { budget_bytes: 400_000, ..PostgresOptions::DEFAULT }).unwrap();
    let (scope, other, here) = (Scope::default(), Scope::new("another", "tenant"), workspace("x"));
    let noise = |seed: u64| -> String {
        (0..2500_u64).map(|n| format!("{:x}", (n + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
    };
    let mut referenced = Batch::at(1);
    referenced.continues(Lineage::root(b"c"));
    let kept = referenced.keep(store.handle_key(), noise(0));
    referenced.render(Lineage::root(b"c"), rendering("x", kept));
    store.write(&scope, referenced).unwrap();
    let mut handles = Vec::new();
    for round in 1..40 {
        let of = if round % 2 == 0 { &scope } else { &other };
        handles.push((of, meet(&store, of, &noise(round), sighting(here, "a", "f"), round * 1000)));
    }
    assert!(store.holdings().unwrap().stored_bytes <= 400_000);
    assert!(store.contains(&scope, kept).unwrap(), "a conversation still names it");
    assert!(!store.contains(handles[0].0, handles[0].1).unwrap(), "the oldest went");
    let (of, newest) = handles[handles.len() - 1];
    assert!(store.contains(of, newest).unwrap(), "the newest stayed");
    assert!(store.remembered(handles[0].0, &here, handles[0].1).unwrap().is_none());
    let small = Store::open_postgres(&url, &PostgresOptions { budget_bytes: 1, ..PostgresOptions::DEFAULT }).unwrap();
    small.collect(2 * DAY_MS).unwrap();
    assert!(small.contains(&scope, kept).unwrap());
    let mut batch = Batch::at(3);
    let refused = batch.keep(small.handle_key(), "more than one byte");
    assert!(matches!(small.write(&scope, batch), Err(StoreError::OverBudget { .. })));
    assert!(!small.contains(&scope, refused).unwrap());
    small.collect(31 * DAY_MS).unwrap();
    assert!(!small.contains(&scope, kept).unwrap());
    let sums = counted(server, name_of(&url));
    let (counters, rows) = sums.trim().split_once('|').unwrap();
    assert_eq!(counters, rows);
}

/// Many proxies on one database, some through a pooler that gives every transaction another connection: what they kept is there, once, and the
/// counters say what the rows take.
#[test]
fn many_proxies_and_a_pooler_leave_tables_that_add_up() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let Some(pooler) = server.pooler() else { return };
    let pooled = url.replace(&format!(":{}/", server.port()), &format!(":{pooler}/"));
    assert_ne!(url, pooled);
    let (proxies, rounds) = (6, 40);
    std::thread::scope(|threads| {
        for proxy in 0..proxies {
            let url = if proxy % 2 == 0 { &url } else { &pooled };
            threads.spawn(move || {
                let store = postgres(url);
                std::thread::scope(|sessions| {
                    for session in 0..4 {
                        let store = &store;
                        sessions.spawn(move || {
                            let scope = Scope::new(format!("t{}", session % 2), "p");
                            for round in 0..rounds {
                                let lineage = Lineage::root(format!("{proxy} {session} {round}").as_bytes());
                                let mut batch = Batch::at(round);
                                batch.continues(lineage);
                                let shared =
                                    batch.keep(store.handle_key(), format!("shared {round} {}", "x".repeat(400)));
                                let own = batch.keep(store.handle_key(), format!("own {proxy} {session} {round}"));
                                batch.render(lineage, rendering("r", own));
                                batch.sight(shared, sighting(workspace("w"), &format!("agent{proxy}"), "f"));
                                batch.receipt(StoredReceipt {
                                    id: format!("{proxy}-{session}-{round}"),
                                    at_ms: round,
                                    document: "{}".to_owned(),
                                });
                                store.write(&scope, batch).unwrap();
                                assert!(
                                    store.contains(&scope, own).unwrap() && store.contains(&scope, shared).unwrap()
                                );
                                assert!(store.renderings(&scope, &[lineage]).unwrap()[0].is_some());
                            }
                        });
                    }
                });
            });
        }
    });
    let store = postgres(&pooled);
    let holdings = store.holdings().unwrap();
    // Two tenants keep each shared text once; everything else is each session's own.
    assert_eq!(holdings.originals, 2 * rounds + proxies * 4 * rounds);
    assert_eq!((holdings.receipts, holdings.renderings), (proxies * 4 * rounds, proxies * 4 * rounds));
    let sums = counted(server, name_of(&url));
    let (counters, rows) = sums.trim().split_once('|').unwrap();
    assert_eq!(counters, rows);
    let figures = store.memory_figures(&Scope::new("t0", "p"), &workspace("w")).unwrap();
    assert_eq!((figures.texts, figures.reused()), (rounds, (proxies - 1) * rounds));
    assert_eq!(
        server
            .sql(
                name_of(&url),
                "SELECT count(*) FROM headroom.links AS l WHERE NOT EXISTS (SELECT 1 FROM headroom.originals AS o
        WHERE o.tenant = l.tenant AND o.project = l.project AND o.handle = l.handle)"
            )
            .unwrap()
            .trim(),
        "0"
    );
}

/// T078: the server is killed while everybody writes, and started again: calls fail in words, none hangs, and whatever was confirmed is there.
#[test]
fn a_server_that_is_killed_and_started_again_loses_nothing_that_was_confirmed() {
    // One of its own: the others must not notice.
    let Some(server) = Server::start() else { return };
    let url = server.database();
    let store = postgres(&url);
    let scope = Scope::default();
    let (stop, longest) = (AtomicBool::new(false), AtomicU64::new(0));
    let confirmed: Vec<(Handle, String)> = std::thread::scope(|threads| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (store, scope, stop, longest) = (&store, &scope, &stop, &longest);
                threads.spawn(move || {
                    let (mut kept, mut failed, mut round) = (Vec::new(), 0, 0_u64);
                    while !stop.load(Ordering::Relaxed) {
                        round += 1;
                        let text = format!("writer {writer} round {round}");
                        let mut batch = Batch::at(round);
                        let handle = batch.keep(store.handle_key(), text.as_str());
                        let begun = Instant::now();
                        let written = store.write(scope, batch);
                        longest.fetch_max(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
                        match written {
                            Ok(()) => kept.push((handle, text)),
                            Err(_) => {
                                failed += 1;
                                std::thread::sleep(Duration::from_millis(5));
                            }
                        }
                    }
                    assert!(failed > 0, "the server was away");
                    kept
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        server.kill();
        assert!(store.check().is_err());
        std::thread::sleep(Duration::from_millis(300));
        server.launch().unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while store.check().is_err() {
            assert!(Instant::now() < end, "the store did not find its database again");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert!(confirmed.len() > 20, "{}", confirmed.len());
    for (handle, text) in &confirmed {
        assert_eq!(store.original(&scope, *handle).unwrap().as_deref(), Some(text.as_str()));
    }
    assert!(longest.into_inner() < 8_000, "no call may hang");
    let sums = counted(&server, name_of(&url));
    let (counters, rows) = sums.trim().split_once('|').unwrap();
    assert_eq!(counters, rows);
}

/// T078: a proxy that starts before its database works without it, and with it as soon as it is there.
#[test]
fn a_store_opened_while_the_database_is_away_finds_it_when_it_comes() {
    let Some(server) = Server::start() else { return };
    let url = server.database();
    let key = postgres(&url).handle_key().clone();
    server.kill();
    let store = postgres(&url);
    let mut early = Batch::at(1);
    early.keep(store.handle_key(), "made before the key was known");
    assert!(store.check().is_err() && store.original(&Scope::default(), Handle::from_bits(7)).is_err());
    assert!(matches!(store.write(&Scope::default(), early.clone()), Err(StoreError::Unavailable(_))));
    server.launch().unwrap();
    std::thread::sleep(Duration::from_millis(600));
    store.check().unwrap();
    assert_eq!(*store.handle_key(), key);
    assert!(
        matches!(store.write(&Scope::default(), early), Err(StoreError::Unavailable(_))),
        "its handle is of no store"
    );
    let handle = keep(&store, &Scope::default(), "text");
    assert!(store.contains(&Scope::default(), handle).unwrap());
}

#[test]
fn a_newer_schema_is_refused_unless_it_says_that_this_version_can_live_with_it() {
    let Some(server) = shared() else { return };
    let url = server.database();
    drop(postgres(&url));
    let set = |name: &str, value: &str| {
        server
            .sql(
                name_of(&url),
                &format!("UPDATE headroom.meta SET value = convert_to('{value}', 'UTF8') WHERE name = '{name}'"),
            )
            .unwrap()
    };
    set("schema", "99");
    keep(&postgres(&url), &Scope::default(), "during a rollout both versions write");
    set("works_from", "99");
    let error = Store::open_postgres(&url, &PostgresOptions::DEFAULT).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn what_cannot_be_a_database_is_refused_in_words_without_the_password() {
    for url in ["postgres://u:secret@host:notaport/x", "postgres://u:secret@/x?sslmode=perhaps"] {
        let error = Store::open_postgres(url, &PostgresOptions::DEFAULT).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

/// Every file of the cluster, so that nothing is overlooked: tables, indexes, TOAST, statistics, the log.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes.extend(bytes_below(&entry.path())),
            // One that goes away meanwhile holds nothing any more.
            _ => bytes.extend(std::fs::read(entry.path()).unwrap_or_default()),
        }
    }
    bytes
}

/// T101: after forgetting and scrubbing, no file of the server holds a byte of it.
#[test]
fn what_is_forgotten_and_scrubbed_is_in_no_file_of_the_server() {
    if shared().is_none() {
        return;
    }
    // One of its own: what others do in its log would stand there as well.
    let server = Server::start().unwrap();
    server.sql("postgres", "ALTER SYSTEM SET wal_recycle = off").unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let url = server.database();
    let store = postgres(&url);
    let (scope, here, lineage) = (Scope::default(), workspace("x"), Lineage::root(b"c"));
    let other = meet(&store, &scope, "an innocent text", sighting(here, "a", "innocent.rs"), 5);
    // Short, so that it stands there as it is; and one that is taken out of its row.
    for (at, text) in
        ["zebrafish quokka".to_owned(), (0..900).map(|n| format!("wombat{n} {n}\n")).collect()].iter().enumerate()
    {
        let handle = meet(&store, &scope, text, sighting(here, "narwhal", &format!("platypus{at}.rs")), 10);
        let mut batch = Batch::at(10);
        batch.render(lineage.then(&[at as u8]), rendering("axolotl", handle));
        batch.exchange(lineage.then(&[at as u8]), format!("{{\"id\":\"{handle}\",\"text\":\"okapi\"}}"));
        batch.outcome(Outcome {
            key: lineage.then(&[at as u8]),
            handle: Some(handle),
            document: "capybara".to_owned(),
        });
        store.write(&scope, batch).unwrap();
    }
    assert_eq!(store.candidates(&scope, &here, "quokka", Match::All, 9).unwrap().len(), 1);
    server.sql(name_of(&url), "ANALYZE").unwrap();
    let words = ["zebrafish", "quokka", "wombat", "narwhal", "platypus", "axolotl", "okapi", "capybara"];
    let left = || -> Vec<&str> {
        let bytes = bytes_below(server.folder());
        words.iter().copied().filter(|word| memchr::memmem::find(&bytes, word.as_bytes()).is_some()).collect()
    };
    server.sql("postgres", "CHECKPOINT").unwrap();
    assert_eq!(left(), words, "the search itself finds what is there");
    let forgotten = store.forget(&scope, &here, Forget::Before(7)).unwrap();
    assert_eq!(forgotten.erased, 1, "the innocent one is older");
    let forgotten = store.forget(&scope, &here, Forget::All).unwrap();
    assert_eq!((forgotten.erased, forgotten.pages_remain), (2, true));
    assert!(!left().is_empty(), "deleted rows stay in their pages");
    assert_eq!(store.scrub().unwrap().remains, Vec::<String>::new());
    assert_eq!(left(), Vec::<&str>::new());
    assert!(!store.contains(&scope, other).unwrap());
    keep(&store, &scope, "and it goes on");

    // Who may not end the log is told what is left to do, and who does not own the tables cannot begin.
    let database = name_of(&url);
    server.sql(database, "CREATE ROLE guest LOGIN; GRANT headroom_member, headroom_keeper TO guest").unwrap();
    let guest = postgres(&server.address("guest", database));
    let error = guest.scrub().unwrap_err().to_string();
    assert!(error.contains("belongs to postgres") && error.contains("connect as that role"), "{error}");
    let owned = server.sql(
        "postgres",
        "CREATE ROLE owner LOGIN CREATEROLE; GRANT headroom_member, headroom_keeper TO owner WITH ADMIN OPTION",
    );
    owned.unwrap();
    server.sql("postgres", "CREATE DATABASE owned OWNER owner").unwrap();
    let remains = postgres(&server.address("owner", "owned")).scrub().unwrap().remains;
    assert!(
        matches!(remains.as_slice(), [end, checkpoint] if end.contains("pg_switch_wal") && checkpoint.contains("CHECKPOINT")),
        "{remains:?}"
    );
    server.sql("postgres", "ALTER SYSTEM RESET wal_recycle").unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let remains = store.scrub().unwrap().remains;
    assert!(matches!(remains.as_slice(), [one] if one.contains("wal_recycle")), "{remains:?}");
}

/// T101: what is forgotten is in no row, whatever table.
#[test]
fn what_is_forgotten_is_in_no_table() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let store = postgres(&url);
    let (scope, here, lineage) = (Scope::default(), workspace("x"), Lineage::root(b"c"));
    let handle = meet(&store, &scope, "zebrafish quokka", sighting(here, "narwhal", "platypus.rs"), 10);
    let mut batch = Batch::at(10);
    batch.render(lineage, rendering("axolotl", handle));
    batch.exchange(lineage, format!("{{\"id\":\"{handle}\",\"text\":\"okapi\"}}"));
    batch.outcome(Outcome { key: lineage, handle: Some(handle), document: "capybara".to_owned() });
    store.write(&scope, batch).unwrap();
    assert_eq!(store.candidates(&scope, &here, "quokka", Match::All, 9).unwrap(), [handle]);
    let forgotten = store.forget(&scope, &here, Forget::All).unwrap();
    assert_eq!((forgotten.texts, forgotten.erased, forgotten.pages_remain), (1, 1, true));
    for table in ["originals", "renderings", "links", "exchanges", "outcomes", "sightings", "words"] {
        assert_eq!(
            server.sql(name_of(&url), &format!("SELECT count(*) FROM headroom.{table}")).unwrap().trim(),
            "0",
            "{table}"
        );
    }
    let sums = counted(server, name_of(&url));
    assert_eq!(sums.trim(), "0|0");
}
