//! Doors that need no proxy, with the real command: `run`, `hook`, `mcp wrap` and `token`.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A home directory of a user's, and the command in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn headroom(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
        command.args(arguments).env_clear().env("HOME", self.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.headroom(arguments).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A log of 400 lines, one of which is no routine, as a shell prints it.
const LOG: &str = r#"n=0; while [ $n -lt 400 ]; do echo "2026-01-05T10:00:00Z INFO worker-$((n % 7)) handled request $((n * 7919)) in $((n % 93)) ms"; [ $n -eq 200 ] && echo "2026-01-05T10:00:00Z ERROR disk /dev/sdb1 failed: I/O error 5"; n=$((n + 1)); done"#;

fn handle(text: &str) -> &str {
    let handle = &text[text.rfind("hr_").unwrap()..];
    &handle[..handle.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap()]
}

#[test]
fn output_is_shorter_and_read_back_and_the_exit_code_is_the_commands() {
    let home = Home::new();
    let script = format!("{LOG}; echo done >&2; exit 3");
    let plain = Command::new("sh").args(["-c", &script]).output().unwrap();
    let short = home.run(&["run", "--always", "--", "sh", "-c", &script]);
    assert_eq!(short.status.code(), Some(3));
    let shown = text(&short.stdout);
    assert!(shown.len() * 4 < plain.stdout.len() && shown.contains("/dev/sdb1 failed: I/O error 5"), "{shown}");
    // Its own pipe, so the command's own.
    assert_eq!(text(&short.stderr), "done\n");
    assert!(shown.ends_with("--lines A-B, or --pattern RE, prints it]\n"), "{shown}");
    assert_eq!(home.run(&["get", handle(shown)]).stdout, plain.stdout);
}

/// T074
#[test]
fn what_goes_into_a_pipe_or_a_file_passes_byte_for_byte() {
    let home = Home::new();
    let script = format!("{LOG}; printf '\\377\\000'; exit 4");
    let plain = Command::new("sh").args(["-c", &script]).output().unwrap();
    let piped = home.run(&["run", "--", "sh", "-c", &script]);
    assert!(piped.status.code() == Some(4) && piped.stdout == plain.stdout);
    // Bytes that are no text pass in any case.
    let always = home.run(&["run", "--always", "--", "sh", "-c", &script]);
    assert!(always.status.code() == Some(4) && always.stdout == plain.stdout);
}

/// T075
#[test]
fn whatever_fails_the_output_is_there() {
    let home = Home::new();
    // The store cannot be opened.
    let mut command = home.headroom(&["run", "--always", "--", "sh", "-c", LOG]);
    let output = command.env("HEADROOM_STORE", "/dev/null/nowhere.db").output().unwrap();
    let plain = Command::new("sh").args(["-c", LOG]).output().unwrap();
    assert!(output.status.success() && output.stdout == plain.stdout, "{}", text(&output.stderr));
    let missing = home.run(&["run", "--always", "--", "no-such-command-anywhere"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stderr).contains("cannot run no-such-command-anywhere"));
    let silent = home.run(&["run", "--always", "--", "true"]);
    assert!(silent.status.success() && silent.stdout.is_empty());
}

#[test]
fn signals_reach_the_command_and_tell_how_it_ended() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "--always", "--", "sh", "-c", "kill -TERM $$"]).status.code(), Some(128 + 15));
    let script = "trap 'echo got it; exit 7' TERM; echo ready >&2; while :; do sleep 0.05; done";
    let mut child = home.headroom(&["run", "--always", "--", "sh", "-c", script]).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    // The shell's own `kill`: not every machine has the program.
    Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(7), "got it\n"));
}

/// T096: the hook stands behind the command, so that no rule about commands ever sees it.
#[test]
fn the_hook_is_entered_answers_and_is_taken_back() {
    let home = Home::new();
    let settings = home.path().join(".claude/settings.json");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    let before = "{\n  // mine\n  \"permissions\": {\"deny\": [\"Bash(git push --force:*)\"]},\n  \"hooks\": {\n    \"PostToolUse\": [{\"matcher\": \"Edit\", \"hooks\": []}]\n  }\n}\n";
    std::fs::write(&settings, before).unwrap();
    let installed = home.run(&["hook", "install", "claude", "--yes"]);
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    let after = std::fs::read_to_string(&settings).unwrap();
    assert!(after.contains("// mine") && !after.contains("PreToolUse") && !after.contains("permissionDecision"));
    let after: Value = serde_json::from_str(&after.replace("// mine", "")).unwrap();
    assert_eq!(after["permissions"]["deny"][0], "Bash(git push --force:*)");
    assert_eq!(after["hooks"]["PostToolUse"][0]["matcher"], "Edit");
    let entry = &after["hooks"]["PostToolUse"][1];
    assert_eq!(entry["matcher"], "Bash|Grep|mcp__.*");

    let output = Command::new("sh").args(["-c", LOG]).output().unwrap();
    let event = json!({
        "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": "journalctl"},
        "tool_response": {"stdout": text(&output.stdout), "stderr": "", "interrupted": false, "isImage": false},
    });
    // As the agent runs it: through a shell.
    let mut hook = Command::new("sh");
    hook.args(["-c", entry["hooks"][0]["command"].as_str().unwrap()]).env("HOME", home.path());
    let mut hook = hook.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    hook.stdin.take().unwrap().write_all(event.to_string().as_bytes()).unwrap();
    let answer = hook.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let shown = answer["hookSpecificOutput"]["updatedToolOutput"]["stdout"].as_str().unwrap();
    assert!(shown.len() * 4 < output.stdout.len() && shown.contains("/dev/sdb1 failed"), "{shown}");
    assert_eq!(home.run(&["get", handle(shown)]).stdout, output.stdout);

    assert!(home.run(&["hook", "uninstall", "claude"]).status.success());
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), before);
    let none = home.run(&["hook", "install", "codex", "--yes"]);
    assert!(none.status.code() == Some(2) && text(&none.stderr).contains("headroom wrap codex"));
}

#[test]
fn a_store_is_written_anew_and_keeps_what_it_holds() {
    let home = Home::new();
    let short = home.run(&["run", "--always", "--", "sh", "-c", LOG]);
    // No repository is needed, because it is about all of the store.
    let scrubbed = home.run(&["memory", "scrub"]);
    assert!(scrubbed.status.success(), "{}", text(&scrubbed.stderr));
    assert_eq!(text(&scrubbed.stdout), "the store's files were written anew; nothing that was erased is in them\n");
    assert!(text(&home.run(&["get", handle(text(&short.stdout))]).stdout).contains("/dev/sdb1 failed"));
}

/// What an agent kept is played to the figures of the conversation that it was written from.
#[test]
fn an_audit_agrees_with_a_replay_and_changes_nothing() {
    let home = Home::new();
    let log = Command::new("sh").args(["-c", LOG]).output().unwrap();
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "journalctl"}});
    let result = |id: &str| json!([{"type": "tool_result", "tool_use_id": id, "content": text(&log.stdout)}]);
    let messages = [
        json!({"role": "user", "content": "What failed?"}),
        json!({"role": "assistant", "content": [call("a")]}),
        json!({"role": "user", "content": result("a")}),
        json!({"role": "assistant", "content": [call("b")]}),
        json!({"role": "user", "content": result("b")}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "The disk."}]}),
    ];
    let line = |(at, message): (usize, &Value)| {
        let mut message = message.clone();
        message["id"] = json!(at.to_string());
        message["model"] = json!("claude-sonnet-4-5");
        format!("{}\n", json!({"type": message["role"], "cwd": "/repo", "message": message}))
    };
    let transcript: String = messages.iter().enumerate().map(line).collect();
    let file = home.path().join(".claude/projects/repo/one.jsonl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &transcript).unwrap();
    let tools = json!([{"name": "Bash", "input_schema": {"type": "object"}}]);
    let session = json!({"id": "one", "dialect": "anthropic", "tools": tools, "messages": messages});
    std::fs::write(home.path().join("one.jsonl"), session.to_string()).unwrap();

    let audit: Value = serde_json::from_slice(&home.run(&["audit", "--json"]).stdout).unwrap();
    let played = home.run(&["replay", "--json", home.path().join("one.jsonl").to_str().unwrap()]);
    let played: Value = serde_json::from_slice(&played.stdout).unwrap();
    let project = &audit["projects"][0];
    assert_eq!((&project["agent"], &project["project"]), (&json!("claude"), &json!("/repo")));
    for key in ["tokens_direct", "tokens_ours", "turns", "net", "dearer"] {
        assert_eq!(project[key], played["total"][key], "{key}");
    }
    assert!(project["tokens_ours"].as_u64() < project["tokens_direct"].as_u64());
    assert_eq!(project["waste"]["repeated"], 1);
    assert!(text(&home.run(&["audit", "claude"]).stdout).contains("were the same as before"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), transcript);
    let unknown = home.run(&["audit", "cursor"]);
    assert!(unknown.status.code() == Some(2) && text(&unknown.stderr).contains("known: claude, codex, gemini"));
}

/// A conversation with a wrapped server that is a shell script.
struct Client {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Client {
    fn ask(&mut self, request: &Value) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{request}").unwrap();
        self.lines.next().unwrap().unwrap()
    }
}

#[test]
fn a_wrapped_server_says_less_and_ends_as_it_does() {
    let home = Home::new();
    let rows: Vec<_> =
        (0..300).map(|n| json!({"id": n, "state": "running", "zone": "eu-1", "load": n * 7 % 13})).collect();
    let rows = Value::Array(rows).to_string();
    let answers = [
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "list", "inputSchema": {"type": "object"}}]}}),
        json!({"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": rows}]}}),
    ];
    let file = home.path().join("answers");
    std::fs::write(&file, format!("{}\n{}\n", answers[0], answers[1])).unwrap();
    let script = format!(
        "exec 3<{}; while read -r asked; do read -r line <&3 && printf '%s\\n' \"$line\"; done; exit 5",
        file.display()
    );
    let mut child = home.headroom(&["mcp", "wrap", "--", "sh", "-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut client = Client { child, lines };
    let tools = client.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    assert!(tools.contains("\"name\":\"list\"") && tools.contains("\"name\":\"retrieve_original_content\""), "{tools}");
    let list = client.ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list"}}));
    let list: Value = serde_json::from_str(&list).unwrap();
    let shown = list["result"]["content"][0]["text"].as_str().unwrap();
    assert!(shown.len() * 2 < rows.len(), "{shown}");
    if shown.contains("hr_") {
        let call = json!({"name": "retrieve_original_content", "arguments": {"content_id": handle(shown), "pattern": "\"id\":123"}});
        let read = client.ask(&json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call}));
        assert!(read.contains("123") && read.contains("\"id\":3"), "{read}");
    }
    drop(client.child.stdin.take());
    let start = Instant::now();
    assert_eq!(client.child.wait().unwrap().code(), Some(5));
    assert!(start.elapsed() < Duration::from_secs(10));
    let missing = home.run(&["mcp", "wrap", "--", "no-such-server-anywhere"]);
    assert!(!missing.status.success() && text(&missing.stderr).contains("cannot start no-such-server-anywhere"));
}

/// A line of `/proc/PID/status`, if the process is there.
#[cfg(target_os = "linux")]
fn status_of(pid: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim().to_owned())
}

/// The most memory a process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak_kib(pid: u32) -> Option<u64> {
    status_of(pid, "VmHWM")?.split(' ').next()?.parse().ok()
}

/// T111: nothing of what a client would have cut anyway is claimed as saved, and it is not held.
#[test]
#[cfg(target_os = "linux")]
fn a_command_that_prints_without_end_passes_in_bounded_memory_and_counts_for_nothing() {
    use std::io::Read;
    const BYTES: u64 = 1_600_000_000;
    let home = Home::new();
    let script = format!("yes 'worker took 12 ms, which nobody asked for' | head -c {BYTES}; exit 7");
    let mut child = home.headroom(&["run", "--always", "--", "sh", "-c", &script]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut chunk, mut passed, mut peak) = (vec![0; 1 << 20], 0_u64, 0);
    loop {
        let read = stdout.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        passed += read as u64;
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
    }
    assert_eq!((child.wait().unwrap().code(), passed), (Some(7), BYTES));
    assert!((1..256 << 10).contains(&peak), "{peak} KiB");
    let stats: Value = serde_json::from_slice(&home.run(&["stats", "--json"]).stdout).unwrap();
    assert_eq!((&stats["total"]["requests"], &stats["total"]["tokens_saved"]), (&json!(0), &json!(0)), "{stats}");
}

/// T117: two hundred calls are answered by one process, which ends when its client does.
#[test]
#[cfg(target_os = "linux")]
fn many_calls_leave_no_process_behind() {
    let children = |of: u32| -> Vec<u32> {
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| status_of(*pid, "PPid").is_some_and(|parent| parent == of.to_string())).collect()
    };
    let home = Home::new();
    let log = Command::new("sh").args(["-c", LOG]).output().unwrap();
    let mut child = home.headroom(&["mcp"]).stdin(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut client = Client { child, lines };
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    client.ask(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    writeln!(client.child.stdin.as_mut().unwrap(), "{ready}").unwrap();
    let mut peaks = Vec::new();
    for call in 1..=200 {
        let output = format!("{}call {call}\n", text(&log.stdout));
        let call = json!({"name": "compress_command_output", "arguments": {"output": output}});
        let answer = client.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}));
        assert!(answer.contains("/dev/sdb1 failed"), "{answer}");
        peaks.push(peak_kib(client.child.id()).unwrap());
    }
    assert_eq!(children(client.child.id()), Vec::<u32>::new());
    // A machine with 2 GiB has more to do than this.
    assert!(peaks[199] < 256 << 10, "{} KiB", peaks[199]);
    assert!(
        peaks[199] < peaks[49] + (32 << 10),
        "it grows: {} KiB after 50 calls, {} after 200",
        peaks[49],
        peaks[199]
    );
    drop(client.child.stdin.take());
    let start = Instant::now();
    assert!(client.child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(10));

    // A server that is wrapped and does not heed the end of its input goes with the client that goes.
    let script = "echo $$ >&2; trap '' TERM; while :; do sleep 0.1; done";
    let mut child = home.headroom(&["mcp", "wrap", "--", "sh", "-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let server: u32 = stderr.next().unwrap().unwrap().parse().unwrap();
    drop(child.stdin.take());
    let start = Instant::now();
    child.wait().unwrap();
    // Official clients kill what they have started four seconds after they closed its stdin.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(status_of(server, "State"), None, "the server is still there");

    // One that is told to end takes its server with it; what a server has said before it ended arrives, whoever holds its stdout.
    let script = "echo $$ >&2; sleep 0.2; while :; do sleep 0.1; done";
    let mut child = home.headroom(&["mcp", "wrap", "--", "sh", "-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let server: u32 = stderr.next().unwrap().unwrap().parse().unwrap();
    assert!(Command::new("sh").args(["-c", &format!("kill {}", child.id())]).status().unwrap().success());
    child.wait().unwrap();
    assert_eq!(status_of(server, "State"), None, "the server is still there");
    let script =
        "sleep 20 2>/dev/null & n=0; while [ $n -lt 5000 ]; do echo \"{\\\"n\\\":$n}\"; n=$((n + 1)); done; exit 3";
    let start = Instant::now();
    let said = home.run(&["mcp", "wrap", "--", "sh", "-c", script]);
    assert_eq!((said.status.code(), text(&said.stdout).lines().last()), (Some(3), Some("{\"n\":4999}")));
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// T099: secrets are printed once and kept nowhere.
#[test]
fn tokens_are_made_changed_and_ended_and_the_store_has_none_of_them() {
    let home = Home::new();
    let secret = |arguments: &[&str]| {
        let made = home.run(arguments);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let secret = text(&made.stdout).trim_end().to_owned();
        assert!(secret.starts_with("hrt_") && secret.len() == 68 && !text(&made.stderr).contains(&secret), "{made:?}");
        secret
    };
    let list = || -> Vec<Value> {
        let listed = home.run(&["token", "list", "--json"]);
        text(&listed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let first = secret(&["token", "create", "laptop", "--user", "alice", "--rights", "proxy,stats", "--days", "90"]);
    assert_eq!(home.run(&["token", "create", "laptop"]).status.code(), Some(2), "it is there");
    let second = secret(&["token", "rotate", "laptop", "--keep-hours", "2"]);
    assert_ne!(first, second);
    let both = list();
    assert_eq!(both.len(), 2);
    for grant in &both {
        assert_eq!(
            (&grant["user"], &grant["rights"], &grant["holds"]),
            (&json!("alice"), &json!("proxy,stats"), &json!(true))
        );
    }
    let days =
        |grant: &Value| (grant["ends_ms"].as_u64().unwrap() - both[0]["created_ms"].as_u64().unwrap()) as f64 / 864e5;
    let mut ends: Vec<f64> = both.iter().map(days).collect();
    ends.sort_by(f64::total_cmp);
    assert!(ends[0] < 0.1 && (89.9..90.1).contains(&ends[1]), "{ends:?}");
    assert!(home.run(&["token", "revoke", "laptop"]).status.success());
    assert!(list().iter().all(|grant| grant["holds"] == json!(false)));
    for (wrong, code) in [
        (&["token", "revoke", "laptop"][..], 3),
        (&["token", "rotate", "nobody"], 3),
        (&["token", "create", "x", "--rights", "root"], 2),
        (&["token", "create", " "], 2),
    ] {
        let refused = home.run(wrong);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(code), ""), "{wrong:?}");
    }
    let folder = home.path().join(".local/share/headroom");
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [&first, &second] {
            assert!(!bytes.windows(16).any(|window| window == &secret.as_bytes()[4..20]), "a secret is in the store");
        }
    }
}
