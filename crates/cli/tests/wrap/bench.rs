//! The stand-ins' workshop: temporary homes, a scripted provider, and what was recorded.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headroom_testkit::http::{Reply, Upstream};

use crate::Agent;

const ANSWER: &str = r#"{"content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":3,"output_tokens":2}}"#;

pub(crate) struct Bench {
    agent: Agent,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    upstream: Upstream,
    homes: Cell<u32>,
}

impl Bench {
    pub(crate) fn new(agent: &Agent) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let upstream = runtime.block_on(Upstream::answering(|_| Reply::json(200, ANSWER)));
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        let program = programs.join(agent.program);
        let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$STAND_IN_OUT/arguments\"\nenv > \"$STAND_IN_OUT/environment\"\n\
                      exec \"$STAND_IN\" --exact stand_in --nocapture > /dev/null\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { agent: *agent, folder, runtime, upstream, homes: Cell::new(0) }
    }

    pub(crate) fn upstream(&self) -> String {
        self.upstream.base()
    }

    pub(crate) fn upstream_paths(&self) -> Vec<String> {
        self.runtime.block_on(async { self.upstream.received().into_iter().map(|request| request.target).collect() })
    }

    pub(crate) fn fresh_home(&self) -> PathBuf {
        self.homes.set(self.homes.get() + 1);
        let home = self.folder.path().join(format!("home{}", self.homes.get()));
        fs::create_dir(&home).unwrap();
        home
    }

    /// `headroom` with nothing of the real user's.
    pub(crate) fn headroom(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_headroom")), home);
        command.args(arguments);
        command
    }

    pub(crate) fn wrap(&self, home: &Path, arguments: &[&str]) -> Command {
        for name in ["arguments", "environment", "answer"] {
            let _ = fs::remove_file(self.folder.path().join(name));
        }
        let mut command = self.headroom(home, &["wrap"]);
        command.args(arguments);
        command
            .envs(self.agent.needs.iter().map(|(name, value)| (name, value.replace("{upstream}", &self.upstream()))));
        command
    }

    fn command(&self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        command.env_clear().current_dir(home).env("HOME", home).env("PATH", path);
        // One data folder for all homes of a bench: its proxy is started once.
        command.env("XDG_DATA_HOME", self.folder.path().join("data"));
        command
            .env("HEADROOM_ANTHROPIC_UPSTREAM", self.upstream())
            .env("HEADROOM_OPENAI_UPSTREAM", self.upstream())
            .env("HEADROOM_GEMINI_UPSTREAM", self.upstream());
        command.env("HEADROOM_STORE", "memory").env("STAND_IN", std::env::current_exe().unwrap());
        // Nobody may hold the usual port, or everybody.
        command.env("HEADROOM_LISTEN", "127.0.0.1:9");
        command.env("STAND_IN_OUT", self.folder.path()).env("STAND_IN_PATH", self.agent.path);
        command.env("STAND_IN_VARIABLES", self.agent.variables.join(","));
        command
    }

    /// What a stand-in was given, or got.
    pub(crate) fn recorded(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The agent as its user starts it without us.
    pub(crate) fn plain(&self, home: &Path) {
        let mut command = self.command(&self.folder.path().join("bin").join(self.agent.program), home);
        assert!(command.status().unwrap().success());
    }

    /// The same with an address that its user has set.
    pub(crate) fn plain_at(&self, home: &Path, url: &str) {
        let mut command = self.command(&self.folder.path().join("bin").join(self.agent.program), home);
        assert!(command.env(self.agent.variables[0], url).status().unwrap().success());
    }

    pub(crate) fn kill_a_wrapped(&self, home: &Path, agent: &str) {
        let mut command = self.wrap(home, &[agent]);
        let mut child = command.env("STAND_IN_SLEEP", "1").stderr(Stdio::null()).spawn().unwrap();
        self.wait_for_address(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the stand-in has its answer; gives the address it was told.
    pub(crate) fn wait_for_address(&self, child: &mut Child) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        while self.recorded("answer").is_empty() && Instant::now() < end {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.recorded("answer").lines().next().unwrap_or_default().to_owned()
    }

    /// `headroom proxy`, running.
    pub(crate) fn standing(&self, home: &Path) -> (Child, String) {
        let mut command = self.headroom(home, &["proxy", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address =
            said.find_map(|line| Some(line.split_once("listening on http://")?.1.split(' ').next()?.to_owned()));
        std::thread::spawn(move || said.for_each(drop));
        (child, address.unwrap())
    }
}

/// Every file and link below a folder, with what it holds and its permissions.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            found.insert(path.clone(), (fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(), 0));
        } else if path.is_dir() {
            found.extend(snapshot(&path));
        } else {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            found.insert(path.clone(), (fs::read(&path).unwrap(), mode));
        }
    }
    found
}

/// Finds the address as the agent would, sends a request, records the answer after the address.
pub(crate) fn stand_in() {
    let out = PathBuf::from(std::env::var("STAND_IN_OUT").unwrap());
    let variables = std::env::var("STAND_IN_VARIABLES").unwrap();
    let arguments = fs::read_to_string(out.join("arguments")).unwrap();
    let said = variables.split(',').filter_map(|name| std::env::var(name).ok());
    let url = std::iter::once(arguments).chain(said).find_map(|text| {
        let from = text.find("http://127.0.0.1:")?;
        Some(text[from..].chars().take_while(|c| c.is_ascii_alphanumeric() || ":/._".contains(*c)).collect::<String>())
    });
    let mut record = String::new();
    if let Some(url) = url {
        let rest = url.strip_prefix("http://").unwrap();
        let (address, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let path = std::env::var("STAND_IN_PATH").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {base}{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        record = format!("{address}\n{answer}");
    }
    // Whoever waits for it reads it whole.
    fs::write(out.join("answer.part"), record).unwrap();
    fs::rename(out.join("answer.part"), out.join("answer")).unwrap();
    if std::env::var_os("STAND_IN_SLEEP").is_some() {
        std::thread::sleep(Duration::from_secs(60));
    }
    let code = std::env::var("STAND_IN_EXIT").ok().and_then(|code| code.parse().ok());
    std::process::exit(code.unwrap_or(0));
}
