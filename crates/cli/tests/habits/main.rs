//! What people expect of any command line: codes, help, completions, pages, paths, services, and a look at what happened. Everything runs in a home
//! whose name has a dot, a space and an umlaut in it.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use headroom_testkit::http::{Reply, Upstream};
use serde_json::{Value, json};

/// A user's machine: a home, a program of ours in it, and a provider.
struct Machine {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    upstream: Upstream,
}

/// A standing proxy, ended with the test.
struct Standing(Child, String);

impl Drop for Standing {
    fn drop(&mut self) {
        let _ = self.0.kill(); // It may have ended by itself.
        let _ = self.0.wait();
    }
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let answer = r#"{"content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;
        let upstream = runtime.block_on(Upstream::answering(move |_| Reply::json(200, answer)));
        let machine = Self { folder, runtime, upstream };
        fs::create_dir_all(machine.home().join("my bin")).unwrap();
        // A copy: a program knows itself by its own path, not by that of a link to it. Made by another process, since one that is started by a
        // test beside this one would hold a copy of ours open for writing.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_headroom")).arg(machine.program()).status().unwrap();
        assert!(copied.success());
        machine
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("j.m\u{fc}ller x")
    }

    fn program(&self) -> PathBuf {
        self.home().join("my bin/headroom")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.args(arguments).env_clear().env("HOME", self.home()).current_dir(self.home());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.home().join("tools").display()));
        for provider in ["ANTHROPIC", "OPENAI", "GEMINI"] {
            command.env(format!("HEADROOM_{provider}_UPSTREAM"), self.upstream.base());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; gives its stdout.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    /// A program of somebody else's, as a script.
    fn tool(&self, name: &str, script: &str) {
        let path = self.home().join("tools").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn standing(&self) -> Standing {
        self.standing_with(&[])
    }

    fn standing_with(&self, variables: &[(&str, &str)]) -> Standing {
        let mut command = self.command(&["proxy", "--listen", "127.0.0.1:0"]);
        let mut child = command.envs(variables.iter().copied()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address =
            said.find_map(|line| Some(line.split_once("listening on http://")?.1.split(' ').next()?.to_owned()));
        std::thread::spawn(move || said.for_each(drop));
        Standing(child, address.unwrap())
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a build printed.
fn build() -> String {
    let line = |n: usize| match n {
        200 => "error[E0308]: mismatched types\n --> src/main.rs:3:5\n".to_owned(),
        n => format!("   Compiling alpha-{} v{}.{}.{}\n", n * 7919 % 1000, n % 9, n % 7, n % 5),
    };
    let lines: String = (0..400).map(line).collect();
    format!("{lines}error: could not compile `x` (lib) due to 1 previous error\n")
}

/// Sends a request with a long result through a proxy; gives its id.
fn request(address: &str) -> String {
    let body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 10, "system": "You are an operator. ".repeat(1500),
        "tools": [{"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
        "messages": [
            {"role": "user", "content": "Does it build?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "cargo build"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": build()}]},
        ],
    })
    .to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let id = answer.lines().find_map(|line| line.strip_prefix("x-headroom-id: ")).unwrap();
    id.to_owned()
}

#[test]
fn every_failure_has_its_code_as_words_and_as_json() {
    let machine = Machine::new();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["get", "hr_4k2m9x7qw3"], 3, "not-found"),
        (&["get", "nonsense"], 2, "usage"),
        (&["no-such-command"], 2, "usage"),
        (&["explain", "no-such-request"], 3, "not-found"),
        (&["diff", "no-such-request"], 3, "not-found"),
        (&["--store", "/dev/null/nowhere.db", "stats"], 1, "failed"),
        (&["service", "status"], 3, "not-found"),
    ];
    for (arguments, exit, code) in cases {
        let words = machine.run(arguments);
        assert_eq!(words.status.code(), Some(exit), "{arguments:?}: {}", text(&words.stderr));
        assert!(!words.stderr.is_empty() && words.stdout.is_empty());
        let json = machine.run(&[&["--errors", "json"], arguments].concat());
        let said: Value = serde_json::from_slice(&json.stderr).unwrap();
        assert_eq!((json.status.code(), &said["code"], &said["exit"]), (Some(exit), &json!(code), &json!(exit)));
        assert!(said["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(machine.run(&["run", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(machine.run(&["run", "--", "no-such-program"]).status.code(), Some(127));
    assert_eq!(machine.run(&["wrap", "--", "no-such-program"]).status.code(), Some(3));
}

#[test]
fn configuration_is_checked_as_a_whole() {
    let machine = Machine::new();
    assert_eq!(machine.good(&["config", "check"]), "ok\n");
    let file = machine.home().join(".config/headroom/config.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "polcy = \"off\"\n").unwrap();
    let wrong = machine.run(&["config", "check"]);
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("did you mean \"policy\""));
    fs::write(&file, "policy = \"offf\"\nlisten = \"here\"\n").unwrap();
    let wrong = machine.run(&["config", "check", "--json"]);
    let said: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!((wrong.status.code(), &said["ok"]), (Some(2), &json!(false)));
    assert_eq!(said["problems"].as_array().unwrap().len(), 2, "{said}");
    // What needs no settings works all the same.
    assert!(machine.good(&["completions", "bash"]).contains("headroom"));
}

#[test]
fn shells_complete_and_pages_are_written() {
    let machine = Machine::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = machine.good(&["completions", shell]);
        for word in ["compress", "anthropic-upstream", "healthcheck"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    // The shell itself reads it and completes with it.
    let script = "source <(\"$0\" completions bash); COMP_WORDS=(headroom comp); COMP_CWORD=1; _headroom headroom comp headroom; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    let completed = bash.args(["-c", script]).arg(machine.program()).output().unwrap();
    assert_eq!(text(&completed.stdout).trim(), "compress completions", "{}", text(&completed.stderr));
    let pages = machine.home().join("man 1");
    machine.good(&["man", pages.to_str().unwrap()]);
    for page in ["headroom.1", "headroom-mcp-install.1", "headroom-service-install.1"] {
        assert!(fs::read_to_string(pages.join(page)).unwrap().contains(".SH NAME"), "{page}");
    }
    assert!(machine.good(&["man"]).contains(".TH headroom 1"));
    for command in ["diff", "top", "service", "paths", "completions", "man", "mcp", "hook"] {
        let (short, long) = (machine.good(&[command, "-h"]), machine.good(&[command, "--help"]));
        assert!(short.contains("Usage:") && long.len() > short.len(), "{command}");
    }
}

/// T094
#[test]
fn every_path_is_named_and_inside_the_home() {
    let machine = Machine::new();
    let before: Value = serde_json::from_str(&machine.good(&["paths", "--json"])).unwrap();
    let home = machine.home();
    for path in before.as_array().unwrap() {
        assert!(Path::new(path["path"].as_str().unwrap()).starts_with(&home), "{path}");
        assert_eq!(path["exists"], false, "{path}");
    }
    machine.good(&["stats"]);
    machine.good(&["mcp", "install", "claude", "--yes"]);
    let after = machine.good(&["paths"]);
    assert!(after.contains("+ ") && after.contains("store.db") && after.contains("changed"), "{after}");
    let changed = home.join(".claude.json");
    assert!(after.contains(changed.to_str().unwrap()));
}

#[test]
fn what_was_sent_is_shown_against_what_came() {
    let machine = Machine::new();
    let proxy = machine.standing();
    let id = request(&proxy.1);
    // The receipt is filed a moment after the answer.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let diff = loop {
        let output = machine.run(&["diff", &id]);
        if output.status.success() {
            break text(&output.stdout).to_owned();
        }
        assert!(std::time::Instant::now() < end, "{}", text(&output.stderr));
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let gap = diff.lines().find(|line| line.starts_with("+[-")).unwrap_or_else(|| panic!("{diff}"));
    assert!(gap.contains(" lines "), "{gap}");
    assert_eq!(
        diff.lines().filter(|line| line.starts_with("-   Compiling")).count(),
        399,
        "every line that was left out"
    );
    assert!(
        diff.contains("\n error[E0308]: mismatched types\n") && !diff.contains("-error"),
        "what stayed is not marked"
    );
    let parts: Value = serde_json::from_str(&machine.good(&["diff", &id, "--json"])).unwrap();
    assert_eq!(parts[0]["parts"][0]["came"], build());
    let as_it_came = machine.run(&["diff", &id, "--slot", "9"]);
    assert!(as_it_came.status.code() == Some(3) && text(&as_it_came.stderr).contains("counted from 0"));

    let explained = machine.good(&["explain", &id]);
    assert!(explained.contains("lines became ") && explained.contains("[cut: "), "{explained}");

    let mut top = machine.command(&["top"]);
    let top = top.env("HEADROOM_LISTEN", &proxy.1).output().unwrap();
    let page = text(&top.stdout);
    assert!(top.status.success() && page.contains("1 requests") && page.contains("last 24 hours"), "{page}");
    assert!(!page.contains('\x1b'), "no terminal, no drawing: {page}");

    // What was forgotten is said to be.
    drop(proxy);
    machine.good(&["--store", "other.db", "stats"]);
    assert_eq!(machine.run(&["--store", "other.db", "diff", &id]).status.code(), Some(3));
}

/// T094 T095: the unit names the program by its whole path, in quotes; nothing asks for other rights.
#[test]
fn a_service_is_written_started_and_taken_back() {
    let machine = Machine::new();
    let unit = machine.home().join(".config/systemd/user/headroom.service");
    let dry = machine.good(&["service", "install", "--dry-run"]);
    assert!(dry.contains(&format!("ExecStart=\"{}\" \"proxy\"", machine.program().display())), "{dry}");
    assert!(!unit.exists());
    // A machine without a manager: said, and nothing written.
    let mut bare = machine.command(&["service", "install", "--yes"]);
    let bare = bare.env("PATH", machine.home()).output().unwrap();
    assert!(bare.status.code() == Some(1) && text(&bare.stderr).contains("systemctl is not in PATH") && !unit.exists());

    machine.tool("systemctl", "echo \"$@\" >> \"$HOME/called\"; [ \"$2\" = is-active ] && echo active; exit 0");
    let unasked = machine.run(&["service", "install"]);
    assert!(unasked.status.code() == Some(2) && !unit.exists());
    assert_eq!(machine.run(&["service", "install", "--yes", "--store", "x.db"]).status.code(), Some(2));
    machine.good(&["service", "install", "--yes"]);
    assert_eq!(fs::read_to_string(&unit).unwrap(), dry);
    assert_eq!(
        fs::read_to_string(machine.home().join("called")).unwrap(),
        "--user daemon-reload\n--user enable --now headroom.service\n"
    );
    let proxy = machine.standing();
    let mut status = machine.command(&["service", "status"]);
    let status = status.env("HEADROOM_LISTEN", &proxy.1).output().unwrap();
    assert!(status.status.success() && text(&status.stdout).contains("active"), "{}", text(&status.stderr));
    machine.good(&["service", "remove"]);
    machine.good(&["service", "remove"]);
    assert!(!unit.exists());

    // A unit that its user has changed since stays.
    machine.good(&["service", "install", "--yes"]);
    fs::write(&unit, format!("{dry}# mine\n")).unwrap();
    let left = machine.run(&["service", "remove"]);
    assert!(text(&left.stderr).contains("was left") && unit.exists(), "{}", text(&left.stderr));
}

/// T095: what is written down is followed as the agent follows it; what `wrap` would say is said, and proved.
#[test]
fn doctor_proves_each_agents_way() {
    let machine = Machine::new();
    machine.tool("claude", "exit 0");
    machine.tool("cursor-agent", "exit 0");
    let proxy = machine.standing();
    let doctor = |listen: &str| -> Vec<Value> {
        let mut command = machine.command(&["doctor", "--json"]);
        let output = command.env("HEADROOM_LISTEN", listen).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
    };
    let about = |findings: &[Value], agent: &str| -> Value {
        findings.iter().find(|finding| finding["check"].as_str().unwrap().starts_with(agent)).unwrap().clone()
    };
    let before = machine.runtime.block_on(async { machine.upstream.received().len() });
    let wrapped = about(&doctor(&proxy.1), "claude");
    assert_eq!((&wrapped["check"], &wrapped["ok"]), (&json!("claude, wrapped"), &json!(true)), "{wrapped}");
    assert!(wrapped["found"].as_str().unwrap().contains("by ANTHROPIC_BASE_URL"), "{wrapped}");

    let mut persist = machine.command(&["wrap", "claude", "--persist", "--yes"]);
    assert!(persist.env("HEADROOM_LISTEN", &proxy.1).output().unwrap().status.success());
    let written = about(&doctor(&proxy.1), "claude");
    assert_eq!((&written["check"], &written["ok"]), (&json!("claude, written down"), &json!(true)), "{written}");
    let address = proxy.1.clone();
    drop(proxy);
    let written = about(&doctor(&address), "claude");
    assert_eq!(written["ok"], false, "{written}");
    assert!(written["next"].as_str().unwrap().contains("headroom unwrap claude"), "{written}");
    let after = machine.runtime.block_on(async { machine.upstream.received().len() });
    assert_eq!(before, after, "no provider sees a canary");
}

/// Where tokens with rights are asked for, those who look after the proxy show theirs, and are told what is wrong with it.
#[test]
fn doctor_and_healthcheck_have_a_token_to_show() {
    let machine = Machine::new();
    let created = machine.good(&["token", "create", "probe", "--rights", "stats"]);
    let secret = created.split_whitespace().find(|word| word.starts_with("hrt_")).unwrap().to_owned();
    let file = machine.home().join("secret");
    fs::write(&file, format!("{secret}\n")).unwrap();
    let proxy = machine.standing_with(&[("HEADROOM_GRANTS", "on")]);
    let asked = |arguments: &[&str], token: Option<&str>| {
        let mut command = machine.command(arguments);
        command.env("HEADROOM_LISTEN", &proxy.1).env("HEADROOM_GRANTS", "on");
        token.inspect(|token| {
            command.env("HEADROOM_TOKEN", token);
        });
        let output = command.output().unwrap();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let path = file.to_str().unwrap();
    let ready = ["healthcheck", "--ready"];
    assert!(asked(&["healthcheck"], None).0, "whether it lives is said to everybody");
    let (well, said) = asked(&ready, None);
    assert!(!well && said.contains("wants a token") && said.contains("--token-file"), "{said}");
    let (well, said) = asked(&ready, Some("hrt_unknown"));
    assert!(!well && said.contains("does not know the token") && said.contains("headroom token list"), "{said}");
    for (arguments, token) in [
        ([&ready[..], &["--token-file", path]].concat(), Some("hrt_unknown")),
        ([&ready[..], &["--token", &secret]].concat(), None),
        (ready.to_vec(), Some(secret.as_str())),
    ] {
        let (well, said) = asked(&arguments, token);
        assert!(well && said.is_empty(), "{arguments:?}: {said}");
    }
    let (_, said) = asked(&["doctor"], None);
    assert!(said.contains("FAIL proxy") && said.contains("wants a token") && said.contains("token create"), "{said}");
    let (_, said) = asked(&["doctor", "--token-file", path], None);
    assert!(said.contains("ok   proxy") && !said.contains(&secret), "{said}");
    let (_, said) = asked(&["doctor", "--token-file", "/nowhere"], None);
    assert!(said.contains("cannot read the token from /nowhere"), "{said}");
}

/// T095: entries in other programs' files name ours by its whole path, and work in an environment with no PATH and no HOME but the user's.
#[test]
fn hooks_and_servers_work_without_a_path() {
    let machine = Machine::new();
    machine.good(&["hook", "install", "claude", "--guard", "--yes"]);
    machine.good(&["mcp", "install", "claude", "--yes"]);
    let home = machine.home();
    let settings: Value = serde_json::from_slice(&fs::read(home.join(".claude/settings.json")).unwrap()).unwrap();
    let bare = |program: &str, arguments: &[&str], stdin: &str| -> String {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("HOME", &home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        text(&child.wait_with_output().unwrap().stdout).to_owned()
    };
    let hook = |event: &str| settings["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap().to_owned();
    let event = json!({"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": "cargo build"},
        "tool_response": {"stdout": build(), "stderr": "", "interrupted": false, "isImage": false}});
    let answer = bare("/bin/sh", &["-c", &hook("PostToolUse")], &event.to_string());
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let shown = answer["hookSpecificOutput"]["updatedToolOutput"]["stdout"].as_str().unwrap();
    assert!(shown.len() * 4 < build().len(), "{shown}");
    // T073: what the hook has left out is not written back as a mark.
    let event = json!({"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": "a", "content": shown}});
    let answer = bare("/bin/sh", &["-c", &hook("PreToolUse")], &event.to_string());
    assert!(answer.contains("\"permissionDecision\":\"deny\"") && answer.contains("headroom get hr_"), "{answer}");

    let servers: Value = serde_json::from_slice(&fs::read(home.join(".claude.json")).unwrap()).unwrap();
    let server = &servers["mcpServers"]["headroom"];
    let arguments: Vec<&str> = server["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let answer = bare(server["command"].as_str().unwrap(), &arguments, &format!("{hello}\n"));
    assert!(answer.contains("\"serverInfo\""), "{answer}");
}
