//! `headroom wrap`, `unwrap` and `mcp install`, from outside: every recipe, with every kind of configuration its user may have.
//!
//! The agents are stand-ins: a script of the agent's name that records what it is given and becomes this test program, which finds the address
//! as the agent would and sends one request. Homes are temporary folders.

#![cfg(unix)]

mod bench;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bench::{Bench, snapshot};

/// How a stand-in is told where to go, and what a test has to prepare for it.
#[derive(Clone, Copy)]
struct Agent {
    name: &'static str,
    program: &'static str,
    /// Variables that name the address; arguments are looked at first.
    variables: &'static [&'static str],
    /// Path of its requests after that address.
    path: &'static str,
    /// What a user has to have set for it.
    needs: &'static [(&'static str, &'static str)],
    /// Variable in which users put an address of their own, and what follows the upstream's address in it.
    own: (&'static str, &'static str),
    /// Its file for `--persist`.
    persist: Option<(&'static str, Kind)>,
    /// Its file for `mcp install`.
    mcp: Option<(&'static str, Kind)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Json,
    Toml,
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Fresh,
    Comments,
    Crlf,
    Bom,
    Symlink,
    ReadOnly,
    Invalid,
}

const STATES: [State; 7] =
    [State::Fresh, State::Comments, State::Crlf, State::Bom, State::Symlink, State::ReadOnly, State::Invalid];

const PROXIED: &[Agent] = &[
    Agent {
        name: "claude",
        program: "claude",
        variables: &["ANTHROPIC_BASE_URL"],
        path: "/v1/messages",
        needs: &[],
        own: ("ANTHROPIC_BASE_URL", ""),
        persist: Some((".claude/settings.json", Kind::Json)),
        mcp: Some((".claude.json", Kind::Json)),
    },
    Agent {
        name: "codex",
        program: "codex",
        variables: &["OPENAI_BASE_URL"],
        path: "/chat/completions",
        needs: &[],
        own: ("OPENAI_BASE_URL", "/v1"),
        persist: Some((".codex/config.toml", Kind::Toml)),
        mcp: Some((".codex/config.toml", Kind::Toml)),
    },
    Agent {
        name: "gemini",
        program: "gemini",
        variables: &["GOOGLE_GEMINI_BASE_URL"],
        path: "/v1beta/models/gemini-2.5-pro:generateContent",
        needs: &[("GEMINI_API_KEY", "k")],
        own: ("GOOGLE_GEMINI_BASE_URL", ""),
        persist: None,
        mcp: Some((".gemini/settings.json", Kind::Json)),
    },
    Agent {
        name: "opencode",
        program: "opencode",
        variables: &["OPENCODE_CONFIG_CONTENT"],
        path: "/messages",
        needs: &[],
        own: ("", ""),
        persist: Some((".config/opencode/opencode.jsonc", Kind::Json)),
        mcp: Some((".config/opencode/opencode.jsonc", Kind::Json)),
    },
    Agent {
        name: "aider",
        program: "aider",
        variables: &["OPENAI_API_BASE"],
        path: "/chat/completions",
        needs: &[],
        own: ("OPENAI_API_BASE", "/v1"),
        persist: Some((".aider.conf.yml", Kind::Yaml)),
        mcp: None,
    },
    Agent {
        name: "qwen",
        program: "qwen",
        variables: &["OPENAI_BASE_URL"],
        path: "/chat/completions",
        needs: &[("OPENAI_API_KEY", "k")],
        own: ("OPENAI_BASE_URL", "/v1"),
        persist: None,
        mcp: Some((".qwen/settings.json", Kind::Json)),
    },
    Agent {
        name: "goose",
        program: "goose",
        variables: &["ANTHROPIC_HOST"],
        path: "/v1/messages",
        needs: &[],
        own: ("ANTHROPIC_HOST", ""),
        persist: Some((".config/goose/config.yaml", Kind::Yaml)),
        mcp: None,
    },
    Agent {
        name: "openhands",
        program: "openhands",
        variables: &["LLM_BASE_URL"],
        path: "/v1/messages",
        needs: &[("LLM_MODEL", "anthropic/claude-sonnet-4-5"), ("LLM_API_KEY", "k")],
        own: ("LLM_BASE_URL", ""),
        persist: None,
        mcp: Some((".openhands/mcp.json", Kind::Json)),
    },
    Agent {
        name: "copilot",
        program: "copilot",
        variables: &["COPILOT_PROVIDER_BASE_URL"],
        path: "/chat/completions",
        needs: &[("COPILOT_PROVIDER_BASE_URL", "{upstream}/v1")],
        own: ("COPILOT_PROVIDER_BASE_URL", "/v1"),
        persist: None,
        mcp: Some((".copilot/mcp-config.json", Kind::Json)),
    },
];

const MCP_ONLY: &[Agent] = &[
    Agent {
        name: "cursor",
        program: "cursor-agent",
        variables: &[],
        path: "",
        needs: &[],
        own: ("", ""),
        persist: None,
        mcp: Some((".cursor/mcp.json", Kind::Json)),
    },
    Agent {
        name: "cline",
        program: "cline",
        variables: &[],
        path: "",
        needs: &[],
        own: ("", ""),
        persist: None,
        mcp: Some((".cline/data/settings/cline_mcp_settings.json", Kind::Json)),
    },
    Agent {
        name: "continue",
        program: "cn",
        variables: &[],
        path: "",
        needs: &[],
        own: ("", ""),
        persist: None,
        mcp: None,
    },
];

fn content(kind: Kind, state: State) -> Option<String> {
    let plain = match kind {
        Kind::Json => "{\n  // mine\n  \"zeta\": {\"k\": [1, 2,]}, /* odd */\n  \"alpha\": 1.0,\n}\n",
        Kind::Toml => "# mine\nzeta = 1 # odd\n\n[alpha]\nk = [1, 2,]\n",
        Kind::Yaml => "# mine\nzeta: 1 # odd\nalpha:\n  - 1\n  - k: \"2\"\n",
    };
    match state {
        State::Fresh => None,
        State::Crlf => Some(plain.replace('\n', "\r\n")),
        State::Bom => Some(format!("\u{feff}{plain}")),
        State::Invalid if kind == Kind::Yaml => Some("{flow: [\n".to_owned()),
        State::Invalid => Some("{\"a\": \n".to_owned()),
        _ => Some(plain.to_owned()),
    }
}

/// Puts a file in a state; gives its bytes.
fn prepare(home: &Path, name: &str, kind: Kind, state: State) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let Some(text) = content(kind, state) else { return };
    if state == State::Symlink {
        let real = home.join("dotfiles").join(path.file_name().unwrap());
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::write(&real, text).unwrap();
        symlink(&real, &path).unwrap();
    } else {
        fs::write(&path, text).unwrap();
    }
    if state == State::ReadOnly {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    }
}

fn reached(bench: &Bench, agent: &Agent) {
    let seen = bench.upstream_paths();
    let path = agent.path.rsplit_once('?').map_or(agent.path, |(path, _)| path);
    assert!(seen.last().is_some_and(|last| last.ends_with(path)), "{}: {seen:?}", agent.name);
}

/// T087 T089 T090 T093
#[test]
fn every_recipe_leaves_every_configuration_as_it_was() {
    std::thread::scope(|scope| {
        for agent in PROXIED {
            scope.spawn(|| leaves_every_configuration_as_it_was(agent));
        }
    });
}

fn leaves_every_configuration_as_it_was(agent: &Agent) {
    {
        let bench = Bench::new(agent);
        for state in STATES {
            let home = bench.fresh_home();
            let (name, kind) = agent.persist.or(agent.mcp).unwrap();
            prepare(&home, name, kind, state);
            let before = snapshot(&home);
            let said = format!("{} {state:?}", agent.name);

            // The default: nothing is written, the request goes through us, the exit code is the agent's.
            let output =
                bench.wrap(&home, &[agent.name, "--", "hello world"]).env("STAND_IN_EXIT", "7").output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(7), "{said}: {stderr}");
            assert_eq!(stderr, "", "{said}");
            assert!(bench.recorded("arguments").ends_with("hello world\n"), "{said}");
            assert!(bench.recorded("answer").contains("x-headroom-id"), "{said}");
            reached(&bench, agent);
            assert_eq!(snapshot(&home), before, "{said}");

            // For good, then killed, then taken back.
            if agent.persist.is_some() {
                let refused = matches!(state, State::ReadOnly | State::Invalid);
                let done = bench.headroom(&home, &["wrap", agent.name, "--persist", "--yes"]).output().unwrap();
                assert_eq!(done.status.success(), !refused, "{said}: {}", String::from_utf8_lossy(&done.stderr));
                assert_eq!(snapshot(&home) == before, refused, "{said}");
                if state == State::Symlink {
                    assert!(home.join(name).is_symlink(), "{said}");
                }
                bench.kill_a_wrapped(&home, agent.name);
                let done = bench.headroom(&home, &["unwrap", agent.name]).output().unwrap();
                assert!(done.status.success(), "{said}: {}", String::from_utf8_lossy(&done.stderr));
                assert_eq!(snapshot(&home), before, "{said}");
                let again = bench.headroom(&home, &["unwrap", agent.name]).output().unwrap();
                assert!(again.status.success(), "{said}");
            } else {
                let done = bench.headroom(&home, &["wrap", agent.name, "--persist", "--yes"]).output().unwrap();
                assert_eq!(done.status.code(), Some(2), "{said}");
                bench.kill_a_wrapped(&home, agent.name);
            }
            assert_eq!(snapshot(&home), before, "{said}");

            // With nothing of ours in its environment the agent goes where it always went.
            bench.plain(&home);
            assert!(!bench.recorded("environment").contains("127.0.0.1:8787"), "{said}");
        }
    }
}

/// T087 T093
#[test]
fn every_list_of_mcp_servers_is_restored() {
    for agent in PROXIED.iter().chain(MCP_ONLY) {
        let Some((name, kind)) = agent.mcp else { continue };
        let bench = Bench::new(agent);
        for state in STATES {
            let home = bench.fresh_home();
            prepare(&home, name, kind, state);
            let before = snapshot(&home);
            let refused = matches!(state, State::ReadOnly | State::Invalid);
            let said = format!("{} {state:?}", agent.name);
            let done = bench.headroom(&home, &["mcp", "install", agent.name, "--yes"]).output().unwrap();
            assert_eq!(done.status.success(), !refused, "{said}: {}", String::from_utf8_lossy(&done.stderr));
            if !refused {
                let text = fs::read_to_string(home.join(name)).unwrap();
                assert!(text.contains("headroom") && text.contains("mcp"), "{said}: {text}");
                let again = bench.headroom(&home, &["mcp", "install", agent.name, "--yes"]).output().unwrap();
                assert!(again.status.success(), "{said}");
                assert_eq!(fs::read_to_string(home.join(name)).unwrap(), text, "{said}");
            }
            let done = bench.headroom(&home, &["mcp", "uninstall", agent.name]).output().unwrap();
            assert!(done.status.success(), "{said}: {}", String::from_utf8_lossy(&done.stderr));
            assert_eq!(snapshot(&home), before, "{said}");
        }
    }
}

/// T089
#[test]
fn an_address_of_the_users_own_becomes_the_upstream() {
    for agent in PROXIED.iter().filter(|agent| !agent.own.0.is_empty()) {
        let bench = Bench::new(agent);
        let home = bench.fresh_home();
        let (variable, tail) = agent.own;
        let own = format!("{}/gateway{tail}", bench.upstream());
        let output = bench.wrap(&home, &[agent.name]).env(variable, &own).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let seen = bench.upstream_paths();
        assert!(seen.last().unwrap().starts_with("/gateway/"), "{}: {seen:?}", agent.name);
    }
}

/// T089
#[test]
fn an_address_in_a_settings_file_that_beats_the_environment_is_chained_too() {
    let claude = &PROXIED[0];
    let bench = Bench::new(claude);
    let home = bench.fresh_home();
    fs::create_dir_all(home.join(".claude")).unwrap();
    let settings = format!("{{\"env\": {{\"ANTHROPIC_BASE_URL\": \"{}/gateway\"}}}}", bench.upstream());
    fs::write(home.join(".claude/settings.json"), &settings).unwrap();
    let output = bench.wrap(&home, &["claude"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(bench.recorded("arguments").starts_with("--settings\n"), "{}", bench.recorded("arguments"));
    assert!(bench.upstream_paths().last().unwrap().starts_with("/gateway/v1/messages"));
    // The flag is taken: the agent runs as it is.
    let output = bench.wrap(&home, &["claude", "--", "--settings", "mine.json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("runs without Headroom"));
    // And for good it is refused.
    let output = bench.headroom(&home, &["wrap", "claude", "--persist", "--yes"]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(fs::read_to_string(home.join(".claude/settings.json")).unwrap(), settings);
}

#[test]
fn agents_that_cannot_be_led_run_as_they_are_and_say_so() {
    for agent in MCP_ONLY {
        let bench = Bench::new(agent);
        let home = bench.fresh_home();
        let output = bench.wrap(&home, &[agent.name]).env("STAND_IN_EXIT", "3").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{}", agent.name);
        assert!(stderr.contains("runs without Headroom") && stderr.contains("MCP"), "{stderr}");
    }
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let output = bench.wrap(&home, &["claude"]).env("CLAUDE_CODE_USE_BEDROCK", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("Bedrock"));
    let output = bench.headroom(&home, &["wrap", "nobody"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_proxy_that_cannot_start_costs_the_savings_not_the_agent() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    fs::create_dir_all(home.join("data")).unwrap();
    fs::write(home.join("data/headroom"), "a file where a folder should be").unwrap();
    let output = bench
        .wrap(&home, &["claude"])
        .env("XDG_DATA_HOME", home.join("data"))
        .env("HEADROOM_STORE", "memory")
        .env("STAND_IN_EXIT", "5")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("claude runs without Headroom"), "{stderr}");
    assert!(!bench.recorded("environment").contains("ANTHROPIC_BASE_URL=http://127.0.0.1"));
}

/// T099: an agent sends no token of ours, so it is not led to a proxy that would turn it away.
#[test]
fn a_proxy_that_wants_tokens_is_not_put_before_an_agent() {
    for (variable, value) in [("HEADROOM_TOKEN", "open-sesame"), ("HEADROOM_GRANTS", "on")] {
        let bench = Bench::new(&PROXIED[0]);
        let home = bench.fresh_home();
        let output = bench.wrap(&home, &["claude"]).env(variable, value).env("STAND_IN_EXIT", "5").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{variable}: {stderr}");
        assert!(stderr.contains("runs without Headroom") && stderr.contains("wants a token"), "{variable}: {stderr}");
        assert!(!bench.recorded("environment").contains("ANTHROPIC_BASE_URL=http://127.0.0.1"), "{variable}");
        let persisted =
            bench.headroom(&home, &["wrap", "claude", "--persist", "--yes"]).env(variable, value).output().unwrap();
        assert_eq!(persisted.status.code(), Some(2), "{variable}");
        assert!(!home.join(".claude/settings.json").exists(), "{variable}");
    }
}

/// T091 T092
#[test]
fn two_share_a_proxy_a_third_with_another_policy_has_its_own_and_the_last_one_out_stops_it() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let start = |arguments: &[&str]| {
        let mut child = bench.wrap(&home, arguments).env("STAND_IN_SLEEP", "1").stderr(Stdio::null()).spawn().unwrap();
        let address = bench.wait_for_address(&mut child);
        (child, address)
    };
    let (mut first, one) = start(&["claude"]);
    let (mut second, two) = start(&["claude"]);
    let (mut third, three) = start(&["claude", "--policy", "off"]);
    assert_eq!(one, two);
    assert_ne!(one, three);
    let answers = |address: &str| std::net::TcpStream::connect(address).is_ok();
    first.kill().unwrap();
    first.wait().unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(answers(&two), "the second still needs it");
    for child in [&mut second, &mut third] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let end = Instant::now() + Duration::from_secs(20);
    while (answers(&one) || answers(&three)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!answers(&one) && !answers(&three), "nobody is left");
    // The next one starts as if nothing had been.
    let output = bench.wrap(&home, &["claude"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
}

/// T092
#[test]
fn a_standing_proxy_is_used_only_if_it_is_the_right_one_and_never_chained_to_itself() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let (mut proxy, address) = bench.standing(&home);
    let output = bench.wrap(&home, &["claude"]).env("HEADROOM_LISTEN", &address).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(bench.recorded("environment").contains(&format!("ANTHROPIC_BASE_URL=http://{address}\n")));
    // Another policy: another proxy.
    let output = bench.wrap(&home, &["claude", "--policy", "meter"]).env("HEADROOM_LISTEN", &address).output().unwrap();
    assert!(output.status.success());
    assert!(!bench.recorded("environment").contains(&format!("ANTHROPIC_BASE_URL=http://{address}\n")));
    // Wrapped twice: once is enough.
    let inner = bench.wrap(&home, &["claude"]).env("ANTHROPIC_BASE_URL", format!("http://{address}")).output().unwrap();
    assert!(String::from_utf8_lossy(&inner.stderr).contains("already"));
    proxy.kill().unwrap();
    proxy.wait().unwrap();
}

#[test]
fn any_command_can_be_wrapped_and_signals_are_its_own() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let output =
        bench.wrap(&home, &["--", "sh", "-c", "echo $OPENAI_BASE_URL $ANTHROPIC_BASE_URL; cat; kill -TERM $$"]);
    let output = { output }.stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.starts_with("http://127.0.0.1:") && stdout.contains("/v1 http://127.0.0.1:"), "{stdout}");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
}

/// T088
#[test]
fn the_file_that_the_agent_reads_is_the_one_that_is_changed() {
    for (agent, variable, file) in
        [("claude", "CLAUDE_CONFIG_DIR", "settings.json"), ("codex", "CODEX_HOME", "config.toml")]
    {
        let agent = PROXIED.iter().find(|known| known.name == agent).unwrap();
        let bench = Bench::new(agent);
        let home = bench.fresh_home();
        let elsewhere = home.join("elsewhere");
        let mut command = bench.headroom(&home, &["wrap", agent.name, "--persist", "--yes"]);
        assert!(command.env(variable, &elsewhere).output().unwrap().status.success());
        assert!(fs::read_to_string(elsewhere.join(file)).unwrap().contains("http://127.0.0.1:9"));
        // Taken back without the variable: the journal knows where.
        assert!(bench.headroom(&home, &["unwrap", agent.name]).output().unwrap().status.success());
        assert!(!elsewhere.join(file).exists());
    }
}

#[test]
fn a_chatgpt_login_keeps_its_own_upstream_and_a_login_of_unknown_kind_is_left_alone() {
    let codex = PROXIED.iter().find(|known| known.name == "codex").unwrap();
    let bench = Bench::new(codex);
    let home = bench.fresh_home();
    fs::create_dir(home.join(".codex")).unwrap();
    let login = home.join(".codex/auth.json");
    fs::write(&login, r#"{"tokens": {"access_token": "t"}}"#).unwrap();
    let output = bench.wrap(&home, &["codex"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("runs without Headroom"));
    // Its own address is still stronger; without a version in it, none is added.
    fs::write(&login, r#"{"auth_mode": "chatgpt", "tokens": {"access_token": "t"}}"#).unwrap();
    let own = format!("{}/backend", bench.upstream());
    let output = bench.wrap(&home, &["codex"]).env("OPENAI_BASE_URL", own).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(bench.upstream_paths().last().unwrap(), "/backend/chat/completions");
}

/// T093
#[test]
fn another_headroom_takes_back_what_this_one_wrote() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let moved = home.join("old version");
    fs::copy(env!("CARGO_BIN_EXE_headroom"), &moved).unwrap();
    let before = snapshot(&home);
    let mut command = bench.headroom(&home, &[]);
    let old = std::process::Command::new(&moved)
        .args(["mcp", "install", "claude", "--yes"])
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    assert!(old.status.success(), "{}", String::from_utf8_lossy(&old.stderr));
    assert!(fs::read_to_string(home.join(".claude.json")).unwrap().contains("old version"));
    fs::rename(&moved, home.join("away")).unwrap();
    assert!(command.args(["mcp", "uninstall", "claude"]).output().unwrap().status.success());
    fs::rename(home.join("away"), &moved).unwrap();
    assert_eq!(snapshot(&home), before);
}

#[test]
fn nothing_is_written_without_a_yes() {
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let before = snapshot(&home);
    let mut command = bench.headroom(&home, &["wrap", "claude", "--persist"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("+    \"ANTHROPIC_BASE_URL\""));
    assert_eq!(snapshot(&home), before);
}

/// What a stand-in becomes when its script runs this test in the agent's place; by itself, whether a stand-in asks where it is told to.
#[test]
fn stand_in() {
    if std::env::var_os("STAND_IN_OUT").is_some() {
        return bench::stand_in();
    }
    let bench = Bench::new(&PROXIED[0]);
    let home = bench.fresh_home();
    let (mut proxy, address) = bench.standing(&home);
    bench.plain_at(&home, &format!("http://{address}"));
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    assert!(bench.recorded("answer").contains("hello"), "{}", bench.recorded("answer"));
    assert_eq!(bench.upstream_paths(), [PROXIED[0].path]);
}
