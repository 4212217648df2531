use serde_json::json;

use super::*;
use crate::parse_session;

fn jsonl(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn usage(input: u64, cached: u64, written: u64) -> Value {
    json!({"input_tokens": input, "cache_read_input_tokens": cached, "cache_creation_input_tokens": written, "output_tokens": 9})
}

#[test]
fn claude_code_writes_blocks_line_by_line() {
    let user = |content: Value| json!({"type": "user", "isSidechain": false, "cwd": "/w", "message": {"role": "user", "content": content}});
    let assistant = |id: &str, block: Value| {
        json!({"type": "assistant", "isSidechain": false, "cwd": "/w", "timestamp": "t",
            "message": {"id": id, "role": "assistant", "model": "claude-x", "content": [block], "usage": usage(3, 40, 57)}})
    };
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "ls"}});
    let result = |id: &str| json!([{"type": "tool_result", "tool_use_id": id, "content": "a\nb"}]);
    let side =
        json!({"type": "user", "isSidechain": true, "agentId": "s", "message": {"role": "user", "content": "go"}});
    let side_answer = json!({"type": "assistant", "isSidechain": true, "agentId": "s",
        "message": {"id": "z", "role": "assistant", "model": "claude-y", "content": [{"type": "text", "text": "gone"}], "usage": usage(1, 0, 0)}});
    let text = jsonl(&[
        json!({"type": "summary", "summary": "x"}),
        user(json!("hi")),
        side,
        assistant("m1", json!({"type": "text", "text": "I look."})),
        side_answer,
        assistant("m1", call("t1")),
        assistant("m1", call("t2")),
        user(result("t1")),
        user(result("t2")),
        assistant("m2", json!({"type": "text", "text": "Done."})),
    ]) + "not json\n";
    let transcripts = Agent::Claude.read(Path::new("x/abc.jsonl"), &text);
    let [main, side] = transcripts.as_slice() else { panic!("{transcripts:?}") };
    assert_eq!(
        (main.project.as_str(), main.model.as_str(), main.unread, main.session.id.as_str()),
        ("/w", "claude-x", 1, "abc#1")
    );
    assert_eq!(main.billed.len(), 2);
    assert_eq!(main.session.turns().collect::<Vec<_>>(), [1, 3]);
    let results = json!([result("t1")[0], result("t2")[0]]);
    assert_eq!(serde_json::from_str::<Value>(main.session.message(2)).unwrap()["content"], results);
    // 100 tokens were billed for one token of text.
    assert_eq!(main.prefix_tokens, 99);
    let repeated: Vec<_> =
        main.outputs.iter().map(|output| (output.tool.as_str(), output.carried, output.repeated)).collect();
    assert_eq!(repeated, [("Bash", 1, false), ("Bash", 1, true)]);
    assert_eq!((side.model.as_str(), side.session.turns().count()), ("claude-y", 1));
}

#[test]
fn a_compaction_begins_another_conversation() {
    let user = |text: &str| json!({"type": "user", "message": {"role": "user", "content": text}});
    let assistant = |id: &str| json!({"type": "assistant", "message": {"id": id, "role": "assistant", "model": "m", "content": [{"type": "text", "text": "a"}]}});
    let text = jsonl(&[
        user("one"),
        assistant("1"),
        json!({"type": "system", "subtype": "compact_boundary"}),
        user("summary"),
        assistant("2"),
    ]);
    let ids: Vec<_> =
        Agent::Claude.read(Path::new("s.jsonl"), &text).iter().map(|part| part.session.id.clone()).collect();
    assert_eq!(ids, ["s#1", "s#2"]);
}

#[test]
fn codex_writes_items() {
    let item = |payload: Value| json!({"type": "response_item", "payload": payload});
    let text = jsonl(&[
        json!({"type": "session_meta", "payload": {"cwd": "/w"}}),
        json!({"type": "turn_context", "payload": {"model": "gpt-x"}}),
        item(json!({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]})),
        item(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]})),
        item(json!({"type": "reasoning", "encrypted_content": "x"})),
        item(json!({"type": "function_call", "call_id": "a", "name": "shell", "arguments": "{}"})),
        item(json!({"type": "custom_tool_call", "call_id": "b", "name": "exec", "input": "text(1)"})),
        json!({"type": "event_msg", "payload": {"type": "token_count", "info": {"last_token_usage": {"input_tokens": 50, "cached_input_tokens": 20, "output_tokens": 3}}}}),
        item(json!({"type": "function_call_output", "call_id": "a", "output": "out"})),
        item(
            json!({"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "o"}, {"type": "input_text", "text": "ut"}]}),
        ),
        item(json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]})),
    ]);
    let transcripts = Agent::Codex.read(Path::new("rollout-1.jsonl"), &text);
    let [one] = transcripts.as_slice() else { panic!("{transcripts:?}") };
    assert_eq!((one.project.as_str(), one.model.as_str()), ("/w", "gpt-x"));
    assert_eq!(one.billed, [Billed { input: 30, cached: 20, output: 3, ..Billed::default() }]);
    let outputs: Vec<_> = one.outputs.iter().map(|output| (output.tool.as_str(), output.arguments.as_str())).collect();
    assert_eq!(outputs, [("shell", "{}"), ("exec", "text(1)")]);
    assert_eq!(one.session.turns().collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn gemini_says_more_of_a_message_later() {
    let call = json!({"id": "c", "name": "run_shell_command", "args": {"command": "ls"},
        "result": [{"functionResponse": {"id": "c", "response": {"output": "a b"}}}]});
    let gemini = |content: &str, more: Value| {
        let mut record = json!({"id": "g", "type": "gemini", "content": content, "model": "gemini-x", "tokens": {"input": 70, "cached": 20, "output": 4, "thoughts": 1}});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let text = jsonl(&[
        json!({"sessionId": "s", "kind": "main"}),
        json!({"$set": {"messages": [{"id": "0", "type": "user", "content": [{"text": "where you are"}]}]}}),
        json!({"id": "1", "type": "user", "content": [{"text": "hi"}]}),
        gemini("", json!({})),
        gemini("", json!({"toolCalls": [call]})),
        json!({"id": "2", "type": "user", "content": [{"functionResponse": {"id": "c"}}]}),
        json!({"id": "h", "type": "gemini", "content": "Done.", "model": "gemini-x"}),
    ]);
    let transcripts = Agent::Gemini.read(Path::new("tmp/proj/chats/session-1.jsonl"), &text);
    let [one] = transcripts.as_slice() else { panic!("{transcripts:?}") };
    assert_eq!((one.project.as_str(), one.outputs.len(), one.billed.len()), ("proj", 1, 1));
    assert_eq!(one.billed[0], Billed { input: 50, cached: 20, output: 5, ..Billed::default() });
    assert_eq!(one.session.turns().collect::<Vec<_>>(), [2, 4]);
}

/// A recorded conversation, written as Claude Code would, is played to the same figures.
#[test]
fn a_transcript_is_played_as_what_it_was_made_from() {
    use crate::{Prices, replay};
    use headroom::{Engine, Mode, Policy};
    use headroom_store::{Scope, Store};
    let log: String =
        (0..300).map(|n| format!("2026-01-05T10:00:{:02}Z INFO worker-{} did {n}\n", n % 60, n % 7)).collect();
    let tool = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "journalctl"}});
    let messages = [
        json!({"role": "user", "content": "hi"}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "I look."}, tool]}),
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": log}]}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "Fine."}]}),
    ];
    let recorded = json!({"id": "r", "dialect": "anthropic", "messages": messages,
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}], "system": "word ".repeat(9000)});
    let mut lines = Vec::new();
    let tokens = 9000 + Tokenizer::O200k.count("hi");
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap();
        let blocks = message["content"].as_array().filter(|_| role == "assistant");
        let contents = blocks.map_or_else(
            || vec![message["content"].clone()],
            |blocks| blocks.iter().map(|block| json!([block])).collect(),
        );
        lines.extend(contents.iter().map(|content| {
            json!({"type": role, "message": {"id": at.to_string(), "role": role, "model": "claude-sonnet-4-5", "content": content, "usage": usage(tokens as u64, 0, 0)}})
        }));
    }
    let played = |session: &Session| {
        let (engine, policy) = (Engine::new(Store::memory()), Policy::of(Mode::Standard));
        replay(session, &engine, &Scope::default(), &policy, &Prices::ANTHROPIC).report
    };
    let transcripts = Agent::Claude.read(Path::new("r.jsonl"), &jsonl(&lines));
    let (ours, theirs) = (played(&transcripts[0].session), played(&parse_session(&recorded.to_string()).unwrap()));
    assert_eq!(
        (ours.turns, ours.tokens_direct, ours.tokens_ours, ours.handles),
        (theirs.turns, theirs.tokens_direct, theirs.tokens_ours, theirs.handles)
    );
    assert!(ours.tokens_ours < ours.tokens_direct && ours.handles == 1);
}

#[test]
fn times_are_told_apart() {
    let seconds = |at: &str| seconds(&json!(at));
    assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(seconds("2026-03-01T00:00:00.5Z"), Some(1_772_323_200));
    let between = |a, b| seconds(b).unwrap() - seconds(a).unwrap();
    assert_eq!(between("2024-02-28T23:59:59Z", "2024-03-01T00:00:00Z"), 86_401);
    assert_eq!(seconds("yesterday"), None);
}

/// A database as OpenCode 1.18 makes it, without the columns that are not read.
struct OpenCode {
    folder: tempfile::TempDir,
    database: rusqlite::Connection,
    rows: i64,
}

impl OpenCode {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("a # and ? of").tempdir().unwrap();
        let database = rusqlite::Connection::open(folder.path().join("opencode.db")).unwrap();
        let tables = "PRAGMA journal_mode = WAL;
            CREATE TABLE session (id text PRIMARY KEY, directory text NOT NULL, time_created integer NOT NULL, time_updated integer NOT NULL);
            CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL, data text NOT NULL);
            CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, data text NOT NULL);";
        database.execute_batch(tables).unwrap();
        Self { folder, database, rows: 0 }
    }

    fn session(&self, id: &str, updated: i64) {
        let insert = "INSERT INTO session VALUES (?1, '/w', 1, ?2)";
        self.database.execute(insert, (id, updated)).unwrap();
    }

    fn message(&mut self, session: &str, data: &Value, parts: &[Value]) {
        self.rows += 1;
        let id = format!("msg_{:04}", self.rows);
        let insert = "INSERT INTO message VALUES (?1, ?2, ?3, ?4)";
        self.database.execute(insert, (&id, session, self.rows, data.to_string())).unwrap();
        for part in parts {
            self.rows += 1;
            let insert = "INSERT INTO part VALUES (?1, ?2, ?3)";
            self.database.execute(insert, (format!("prt_{:04}", self.rows), &id, part.to_string())).unwrap();
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("opencode.db")
    }

    fn names(&self) -> Vec<PathBuf> {
        let mut names = entries(self.folder.path()).1;
        names.sort();
        names
    }
}

#[test]
fn opencode_keeps_all_its_conversations_in_one_database() {
    let mut opencode = OpenCode::new();
    let user = json!({"role": "user"});
    let text = |text: &str| json!({"type": "text", "text": text});
    let answer = |model: &str, provider: &str| {
        json!({"role": "assistant", "modelID": model, "providerID": provider, "time": {"created": 1_795_434_521_492_i64},
            "tokens": {"input": 20, "output": 5, "reasoning": 2, "cache": {"read": 30, "write": 50}}})
    };
    let call = |id: &str, state: Value| json!({"type": "tool", "tool": "bash", "callID": id, "state": state});
    let done = json!({"status": "completed", "input": {"command": "ls"}, "output": "a\nb"});
    let failed = json!({"status": "error", "input": {"command": "cat x"}, "error": "no such file"});
    opencode.session("ses_a", 5000);
    let unseen = json!({"type": "text", "text": "for the user alone", "ignored": true});
    opencode.message("ses_a", &user, &[text("hi"), unseen]);
    let claude = answer("claude-sonnet-4-5", "anthropic");
    opencode.message(
        "ses_a",
        &claude,
        &[
            json!({"type": "step-start"}),
            text("I look."),
            call("c1", done.clone()),
            call("c2", failed),
            json!({"type": "step-finish"}),
        ],
    );
    opencode.message("ses_a", &claude, &[text("Done.")]);
    opencode.message("ses_a", &user, &[json!({"type": "compaction", "auto": true})]);
    let mut summary = claude.clone();
    summary["summary"] = json!(true);
    opencode.message("ses_a", &summary, &[text("There were a and b.")]);
    opencode.message("ses_a", &user, &[text("and now?")]);
    opencode.message("ses_a", &claude, &[text("Nothing.")]);
    opencode.session("ses_b", 6000);
    opencode.message("ses_b", &user, &[text("hi")]);
    opencode.message("ses_b", &answer("gpt-5", "openai"), &[call("c3", done)]);
    opencode.message("ses_b", &answer("gpt-5", "openai"), &[text("Done.")]);
    opencode.session("ses_old", 4999);
    opencode.message("ses_old", &user, &[text("hi")]);
    opencode.message("ses_old", &claude, &[text("Hello.")]);

    let since = UNIX_EPOCH + std::time::Duration::from_secs(5);
    let check = |opencode: &OpenCode| {
        let before = opencode.names();
        assert_eq!(Agent::OpenCode.files(opencode.folder.path()), [opencode.file()]);
        let transcripts = Agent::OpenCode.conversations(&opencode.file(), since).unwrap();
        assert_eq!(opencode.names(), before, "nothing is left beside the database");
        let [first, on, other] = transcripts.as_slice() else { panic!("{transcripts:?}") };
        let ids = [first, on, other].map(|transcript| transcript.session.id.as_str());
        assert_eq!(ids, ["ses_a#1", "ses_a#2", "ses_b"]);
        assert_eq!((first.project.as_str(), first.model.as_str(), first.unread), ("/w", "claude-sonnet-4-5", 0));
        assert_eq!(first.session.dialect, Dialect::AnthropicMessages);
        let said = |transcript: &Transcript, at| serde_json::from_str::<Value>(transcript.session.message(at)).unwrap();
        assert_eq!(said(first, 0), json!({"role": "user", "content": "hi"}));
        let results = json!([
            {"type": "tool_result", "tool_use_id": "c1", "content": "a\nb"},
            {"type": "tool_result", "tool_use_id": "c2", "content": "no such file", "is_error": true}
        ]);
        assert_eq!(said(first, 2)["content"], results);
        let billed = Billed { at: Some(1_795_434_521), input: 20, cached: 30, written: 50, output: 7 };
        assert_eq!(first.billed, [billed.clone(), billed.clone()]);
        assert_eq!(said(on, 0), json!({"role": "user", "content": "There were a and b."}));
        assert_eq!((on.session.turns().count(), on.billed.len()), (1, 1), "the summary is no turn of it");
        assert_eq!((other.session.dialect, other.model.as_str()), (Dialect::OpenAiChat, "gpt-5"));
        assert_eq!(said(other, 2), json!({"role": "tool", "tool_call_id": "c3", "content": "a\nb"}));
    };
    // While OpenCode runs, its log holds what is new; afterwards there is none.
    check(&opencode);
    opencode.database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    check(&opencode);
    let OpenCode { folder, database, rows } = opencode;
    database.close().unwrap();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let closed = OpenCode { folder, database, rows };
    assert_eq!(closed.names(), [closed.file()]);
    check(&closed);

    std::fs::write(closed.file(), "no database").unwrap();
    assert!(Agent::OpenCode.conversations(&closed.file(), since).is_err());
}
