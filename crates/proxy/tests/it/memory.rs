//! Memory through the proxy: who met what, where, and that nobody else learns of it.

use std::path::Path;

use headroom_store::{Scope, Workspace};
use headroom_testkit::http::{Reply, Upstream};
use serde_json::{Value, json};

use crate::common::{Pair, claude, opening, pair_with, rows};

const DONE: &str = r#"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":30,"output_tokens":7}}"#;

fn repository(folder: &Path, remote: &str) {
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::write(folder.join(".git/config"), format!("[remote \"origin\"]\n\turl = {remote}\n")).unwrap();
}

/// A request of an agent that states this directory.
fn request(directory: &str, result: &str) -> String {
    let mut messages = opening(result);
    // Another conversation in each place: the same one would not be decided again.
    messages[0]["content"] = format!("Which service has failed in {directory}?").into();
    let mut body = claude(&json!(messages), false);
    body["system"] =
        format!("{}\n<env>\nWorking directory: {directory}\n</env>", "You are an operator. ".repeat(1500)).into();
    body.to_string()
}

async fn ask(pair: &Pair, client: &str, target: &str, body: &str) {
    let headers = [("user-agent", client), ("content-type", "application/json")];
    assert_eq!(pair.send("POST", target, &headers, body.as_bytes()).await.status, 200);
}

async fn get(pair: &Pair, target: &str) -> Value {
    let answer = pair.send("GET", target, &[], b"").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn what_one_agent_met_is_known_to_the_next_by_its_directory_or_by_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("clone"));
    repository(&one, "git@github.com:acme/tool.git");
    repository(&two, "https://github.com/acme/tool");
    let replies = (0..3).map(|_| Reply::json(200, DONE)).collect();
    let pair = pair_with(Upstream::start(replies).await, |_| {}).await;
    let result = rows(400);
    ask(&pair, "codex_cli_rs/0.46.0 (x)", "/v1/messages", &request(&one.display().to_string(), &result)).await;
    ask(&pair, "claude-cli/2.0 (external, cli)", "/v1/messages", &request(&two.display().to_string(), &result)).await;
    let workspace = Workspace::of("github.com/acme/tool").unwrap();
    // A wrapped agent need not say where it works; what it says of itself is not asked.
    let body = claude(&json!(opening(&result)), true).to_string().replace("\"stream\":true", "\"stream\":false");
    ask(&pair, "python-requests/2", &format!("/for/aider/{workspace}/v1/messages"), &body).await;
    assert_eq!(pair.upstream.received().last().unwrap().target, "/v1/messages");

    let stats = get(&pair, &format!("/v1/memory/stats?directory={}", one.display())).await;
    assert_eq!(
        (&stats["texts"], &stats["reused"], &stats["workspace"]),
        (&json!(1), &json!(2), &json!(workspace.to_string()))
    );
    let agents: Vec<&str> =
        stats["agents"].as_array().unwrap().iter().map(|agent| agent["agent"].as_str().unwrap()).collect();
    assert_eq!(agents, ["aider", "claude", "codex"]);
    let found = get(&pair, &format!("/v1/memory/search?workspace={workspace}&q=service-77+FAILED")).await;
    let hit = &found["texts"][0];
    assert_eq!(hit["source"], "svc list --json");
    assert!(hit["said"].as_str().unwrap().contains("seen by codex "), "{hit}");
    assert!(hit["lines"][0]["text"].as_str().unwrap().contains("FAILED"), "{hit}");
    let handle = hit["handle"].as_str().unwrap();
    let text = pair
        .send("GET", &format!("/v1/memory/search?workspace={workspace}&q=failed&format=text"), &[], b"")
        .await
        .text();
    assert!(text.starts_with(headroom::memory::shown::HEADING) && text.contains("\n> "), "{text}");
    assert_eq!(get(&pair, &format!("/v1/memory?workspace={workspace}")).await["texts"].as_array().unwrap().len(), 1);
    assert_eq!(
        get(&pair, &format!("/v1/memory/{handle}?workspace={workspace}")).await["seen"].as_array().unwrap().len(),
        3
    );

    let forgotten = pair.send("DELETE", &format!("/v1/memory/{handle}?workspace={workspace}"), &[], b"").await;
    assert_eq!(forgotten.json()["erased"], 1);
    assert_eq!(pair.send("GET", &format!("/v1/retrieve/{handle}"), &[], b"").await.status, 404);
    assert_eq!(pair.send("DELETE", &format!("/v1/memory/{handle}?workspace={workspace}"), &[], b"").await.status, 404);
}

/// T078, T114: receipts that the store cannot take while it is away are filed when it is back, so that figures add up.
#[tokio::test]
async fn receipts_wait_for_a_store_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let options = headroom_store::SqliteOptions {
        busy_timeout: std::time::Duration::from_millis(50),
        ..headroom_store::SqliteOptions::DEFAULT
    };
    let store = headroom_store::Store::open_sqlite(&path, &options).unwrap();
    let replies = (0..3).map(|_| Reply::json(200, DONE)).collect();
    let pair = crate::common::pair_on(Upstream::start(replies).await, store, |_| {}).await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for n in 0..3 {
        ask(&pair, "claude-cli/2", "/v1/messages", &claude(&json!(opening(&rows(300 + n))), false).to_string()).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert!(pair.engine.receipts(&Scope::default(), 0).unwrap_or_default().is_empty());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(pair.receipts(3).await.len(), 3);
}

#[tokio::test]
async fn notes_are_kept_found_and_forgotten_and_put_before_nobody() {
    let pair = pair_with(Upstream::start(vec![Reply::json(200, DONE)]).await, |_| {}).await;
    let workspace = Workspace::of("x").unwrap();
    let notes = format!("/v1/memory/notes?workspace={workspace}");
    let note = json!({"topic": "build", "text": "use make, not ninja", "agent": "codex"});
    let kept = pair.post(&notes, &note.to_string()).await.json();
    assert_eq!((&kept["topic"], &kept["times"], &kept["agent"]), (&json!("build"), &json!(1), &json!("codex")));
    assert_eq!(pair.post(&notes, &note.to_string()).await.json()["times"], 2);
    let found = get(&pair, &format!("{notes}&q=ninja")).await;
    assert_eq!(found["notes"][0]["text"], "use make, not ninja");
    assert_eq!(get(&pair, &format!("{notes}&q=bazel")).await["notes"], json!([]));
    let body = claude(&json!(opening(&rows(400))), false).to_string();
    ask(&pair, "claude-cli/2", &format!("/for/claude/{workspace}/v1/messages"), &body).await;
    assert!(!pair.last_sent().contains("ninja"));
    for wrong in ["{}", r#"{"text":" "}"#, r#"{"text":"x","txet":1}"#, "no json"] {
        assert_eq!(pair.post(&notes, wrong).await.status, 400, "{wrong}");
    }
    let id = kept["id"].as_u64().unwrap();
    let gone = format!("/v1/memory/notes/{id}?workspace={workspace}");
    assert_eq!(pair.send("DELETE", &gone, &[], b"").await.status, 200);
    assert_eq!(pair.send("DELETE", &gone, &[], b"").await.status, 404);
}

/// T104: at every door of the proxy, a workspace that is not certain is none: nothing is recorded, nothing read, nothing kept.
#[tokio::test]
async fn without_a_workspace_nothing_is_read_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let replies = (0..6).map(|_| Reply::json(200, DONE)).collect();
    let pair = pair_with(Upstream::start(replies).await, |config| config.home = Some(folder.path().to_owned())).await;
    // The whole home directory is a repository: no workspace.
    repository(folder.path(), "https://github.com/me/dotfiles");
    let home = folder.path().display().to_string();
    for (n, (target, directory)) in [
        ("/v1/messages", home.as_str()),
        ("/v1/messages", "/"),
        ("/v1/messages", "/nonexistent/place"),
        ("/v1/messages", "relative"),
        ("/for/claude/-/v1/messages", "/"),
        ("/v1/messages", ""),
    ]
    .into_iter()
    .enumerate()
    {
        ask(&pair, "claude-cli/2", target, &request(directory, &rows(400 + n))).await;
    }
    assert_eq!(pair.engine.store().holdings().unwrap().originals, 6, "they were kept, but met in no workspace");
    for identity in ["github.com/me/dotfiles", "-", "/", &home] {
        if let Some(workspace) = Workspace::of(identity) {
            assert_eq!(pair.engine.store().recent(&Scope::default(), &workspace, 9, 0).unwrap(), []);
        }
    }
    let unresolved =
        ["", "workspace=", "workspace=-", "workspace=default", "directory=/", "directory=", "directory=relative"];
    let both = format!("workspace={}&directory=/", Workspace::of("x").unwrap());
    let of_home = format!("directory={home}");
    for query in unresolved.into_iter().chain([both.as_str(), of_home.as_str()]) {
        for (method, target) in [
            ("GET", "/v1/memory"),
            ("GET", "/v1/memory/stats"),
            ("GET", "/v1/memory/search"),
            ("GET", "/v1/memory/notes"),
            ("POST", "/v1/memory/notes"),
            ("GET", "/v1/memory/hr_0000000000"),
            ("DELETE", "/v1/memory/hr_0000000000"),
            ("DELETE", "/v1/memory/notes/1"),
        ] {
            let answer = pair.send(method, &format!("{target}?q=x&{query}"), &[], br#"{"text":"x"}"#).await;
            assert_eq!(answer.status, 400, "{method} {target}?{query}: {}", answer.text());
        }
    }
}
