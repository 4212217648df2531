//! A Postgres server for tests: Debian's own programs, a cluster in a temporary folder, gone with the process that asked for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Where Debian and others put the programs.
const PLACES: &[&str] = &["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt/postgresql"];

/// Set where tests may not be skipped for want of a server.
const REQUIRED: &str = "HEADROOM_TEST_POSTGRES";

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, which trusts everybody on this machine.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    running: Mutex<Option<u32>>,
}

/// The server that the tests of this process share; `None`, with a line that says so, on a machine without Postgres.
///
/// # Panics
///
/// When there is none, or it does not start, and `HEADROOM_TEST_POSTGRES` is set.
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref()
}

impl Server {
    /// Makes a cluster and starts it; `None` where that is not possible and not demanded.
    pub fn start() -> Option<Self> {
        let started = programs().ok_or_else(|| "Postgres is not installed".to_owned()).and_then(Self::start_with);
        match started {
            Ok(server) => Some(server),
            Err(why) if std::env::var_os(REQUIRED).is_some() => panic!("{REQUIRED} is set, but {why}"),
            Err(why) => {
                #[allow(clippy::print_stderr, reason = "a skipped test says so")]
                {
                    eprintln!("skipped on Postgres: {why}");
                }
                None
            }
        }
    }

    fn start_with(programs: PathBuf) -> Result<Self, String> {
        clear_away();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{FOLDER}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| owner(&about) == 0);
        if is_root {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let data = folder.join("data");
        run(unprivileged(&programs.join("initdb"), is_root)
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.map_err(|error| error.to_string())?.port();
        let server = Self { programs, folder, port, running: Mutex::new(None) };
        server.launch()?;
        Ok(server)
    }

    /// Starts the server process and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn launch(&self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        let mut id = self.spawn()?;
        while Instant::now() < end {
            if self.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
            // A server ends at once while helpers of one that was killed still hold its memory.
            if !Path::new("/proc").join(id.to_string()).exists() {
                id = self.spawn()?;
            }
        }
        Err(format!("the server did not answer; see {}", self.folder.join("log").display()))
    }

    /// Starts the server's program; gives its process.
    fn spawn(&self) -> Result<u32, String> {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| owner(&about) == 0);
        let mut command = unprivileged(&self.programs.join("postgres"), is_root);
        command.arg("-D").arg(self.folder.join("data")).arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.folder.display()),
            "fsync=off".to_owned(),
            "max_connections=200".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        let id = spawn(command, &self.folder.join("log"))?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        Ok(id)
    }

    /// Kills the server without a word, as a power failure would.
    pub fn kill(&self) {
        let Some(id) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Its helpers end by themselves when it is gone.
        let _ = Command::new("sh").args(["-c", &format!("kill -KILL {id}")]).status();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.sql("postgres", "SELECT 1").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
        // What it locks its cluster with names a process that is gone or another's.
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
    }

    /// A fresh database; gives its address.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("case{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        self.address("postgres", &name)
    }

    /// The address of a database for a user.
    pub fn address(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts PgBouncer before the server, giving each transaction whichever of three connections is free; gives its port. `None` where it is
    /// not installed and not demanded.
    ///
    /// # Panics
    ///
    /// When it is not there, or does not start, and `HEADROOM_TEST_POSTGRES` is set.
    pub fn pooler(&self) -> Option<u16> {
        let program = Path::new("/usr/sbin/pgbouncer");
        let started =
            if program.is_file() { self.start_pooler(program) } else { Err("PgBouncer is not installed".to_owned()) };
        match started {
            Ok(port) => Some(port),
            Err(why) if std::env::var_os(REQUIRED).is_some() => panic!("{REQUIRED} is set, but {why}"),
            Err(_) => None,
        }
    }

    fn start_pooler(&self, program: &Path) -> Result<u16, String> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.map_err(|error| error.to_string())?.port();
        let (users, settings) = (self.folder.join("users.txt"), self.folder.join("pgbouncer.ini"));
        let written = std::fs::write(&users, "\"postgres\" \"\"\n").and_then(|()| {
            let text = format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\n",
                self.port,
                users.display()
            );
            std::fs::write(&settings, text)
        });
        written.map_err(|error| error.to_string())?;
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| owner(&about) == 0);
        let mut command = unprivileged(program, is_root);
        command.arg(&settings);
        spawn(command, &self.folder.join("pooler.log"))?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(port);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("PgBouncer did not answer".to_owned())
    }

    /// Runs statements as the superuser and gives what `psql` prints of them.
    ///
    /// # Errors
    ///
    /// What it says when they fail.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, String> {
        run(Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-p"])
            .arg(self.port.to_string())
            .args(["-d", database, "-c", statements]))
    }
}

/// Starts a program in the background; gives its process id.
fn spawn(mut command: Command, log: &Path) -> Result<u32, String> {
    let log = std::fs::File::create(log).map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let (told, hear) = channel();
    // The program ends with the thread that started it; this one ends with the process.
    std::thread::spawn(move || {
        let mut child = command.spawn();
        let _ = told.send(child.as_ref().map(std::process::Child::id).map_err(ToString::to_string));
        if let Ok(child) = &mut child {
            let _ = child.wait();
        }
        loop {
            std::thread::park();
        }
    });
    hear.recv().map_err(|error| error.to_string())?
}

/// How the folders of clusters begin; the process that made one follows.
const FOLDER: &str = "headroom-postgres-";

/// Removes the clusters of processes that are gone.
fn clear_away() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let id = name.strip_prefix(FOLDER).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = PLACES.iter().flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten());
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.extend(PLACES.iter().map(|place| Path::new(place).join("bin")));
    folders.retain(|folder| folder.join("initdb").is_file());
    folders.sort();
    folders.pop()
}

/// A command that does not run as root, and not longer than the thread that starts it.
fn unprivileged(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new("setpriv");
    if is_root {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[cfg(unix)]
fn owner(about: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(about)
}

#[cfg(not(unix))]
fn owner(_about: &std::fs::Metadata) -> u32 {
    1
}
