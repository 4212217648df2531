//! One background proxy for all who want the same configuration, for as long as one of them lives.
//!
//! Each configuration has a folder, named by its fingerprint: `lock`, `proxy.json` (who serves, where), `leases/` (one file for each
//! wrapped process, named by its id and start time) and `proxy.log`. Whoever changes the folder holds the lock. A lease is good while its process
//! lives; nobody has to return it, so `kill -9` and a reboot leave nothing behind. The proxy itself looks after the leases and goes with
//! the last one.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// Time in which a started proxy has to listen. It takes a few hundredths of a second; a busy machine gets more.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Time that a question to a proxy on this machine gets.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// How often a leased proxy looks whether it is still wanted.
pub(crate) const LEASE_CHECK: Duration = Duration::from_secs(1);

/// What `GET /readyz` says of a proxy.
#[derive(Debug, Deserialize)]
struct Identity {
    service: String,
    configuration: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Announcement {
    address: SocketAddr,
}

/// A name for everything that shapes what a proxy does, other than where it listens. Secrets are in it as a hash.
pub(crate) fn fingerprint(settings: &Settings) -> String {
    let store = settings.store.as_deref().map(|store| match store {
        "memory" => PathBuf::from(store),
        url if crate::is_database(url) => PathBuf::from(url),
        path => std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)),
    });
    let shape = format!(
        "{} {:?} {} {} {} {store:?} {:?} {} {:?} {}",
        env!("CARGO_PKG_VERSION"),
        settings.policy,
        settings.anthropic_upstream,
        settings.openai_upstream,
        settings.gemini_upstream,
        settings.scope(),
        settings.store_budget,
        settings.token,
        settings.grants
    );
    blake3::hash(shape.as_bytes()).to_hex()[..16].to_owned()
}

/// The configuration of the Headroom that answers at an address; `None` when nobody or something else does.
pub(crate) fn configuration_at(address: SocketAddr, token: Option<&str>) -> Option<String> {
    canary(address, token, "")
}

/// A canary to an address under a path that says who asks, as agents are told it: the configuration of the Headroom that answers.
pub(crate) fn canary(address: SocketAddr, token: Option<&str>, name: &str) -> Option<String> {
    let identity: Identity = serde_json::from_str(&ask(address, token, &format!("{name}/readyz"), 1 << 16)?).ok()?;
    (identity.service == "headroom").then_some(identity.configuration)
}

/// The body of what an address answers to a question, up to `most` bytes; `None` when nobody answers there.
pub(crate) fn ask(address: SocketAddr, token: Option<&str>, path: &str, most: u64) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_PATIENCE).ok()?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE)).ok()?;
    let token = token.map_or(String::new(), |token| format!("x-headroom-token: {token}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n{token}connection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(most).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// A proxy for this process: the one on the configured address if it is of the same configuration, else a shared one, started if need be.
///
/// A lease is taken for this process's id; it holds when the process becomes another program.
pub(crate) fn find_or_start(settings: &Settings, config: Option<&Path>, data: &Path) -> Result<SocketAddr, String> {
    let wanted = fingerprint(settings);
    let is_ours = |address| configuration_at(address, settings.token.as_deref()).as_ref() == Some(&wanted);
    if let Some(listen) = settings.listen.filter(|listen| listen.ip().is_loopback() && is_ours(*listen)) {
        return Ok(listen);
    }
    let folder = data.join("shared").join(&wanted);
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what} in {}: {error}", folder.display());
    std::fs::create_dir_all(folder.join("leases")).map_err(|error| failed("no folder", &error))?;
    let lock = lock_of(&folder).map_err(|error| failed("no lock", &error))?;
    lock.lock().map_err(|error| failed("no lock", &error))?;
    let lease = lease_of(std::process::id()).ok_or_else(|| "the start time of a process cannot be read".to_owned())?;
    let lease = folder.join("leases").join(lease);
    std::fs::write(&lease, "").map_err(|error| failed("no lease", &error))?;
    if let Some(address) = announced(&folder).filter(|address| is_ours(*address)) {
        return Ok(address);
    }
    let started = start(settings, config, &folder).map_err(|error| failed("no proxy", &error));
    let address = started.and_then(|()| {
        let end = Instant::now() + START_PATIENCE;
        while Instant::now() < end {
            if let Some(address) = announced(&folder).filter(|address| is_ours(*address)) {
                return Ok(address);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("the proxy did not start; see {}", folder.join("proxy.log").display()))
    });
    if address.is_err() {
        let _ = std::fs::remove_file(&lease); // It would only keep a late proxy alive for nobody.
    }
    address
}

fn announced(folder: &Path) -> Option<SocketAddr> {
    let bytes = std::fs::read(folder.join("proxy.json")).ok()?;
    Some(serde_json::from_slice::<Announcement>(&bytes).ok()?.address)
}

fn lock_of(folder: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join("lock"))
}

/// Starts a proxy that belongs to nobody: through a process in between that ends at once. As a child of the agent it could be waited for by it,
/// for ever.
fn start(settings: &Settings, config: Option<&Path>, folder: &Path) -> std::io::Result<()> {
    let _ = std::fs::remove_file(folder.join("proxy.json")); // Of one that died; usually there is none.
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    if let Some(store) = &settings.store {
        // Not as an argument, which everybody on the machine could read: a database's address has its password in it.
        command.env("HEADROOM_STORE", store);
    }
    if let Some(compression) = &settings.compression {
        command.args(["--compression", compression]);
    }
    command.env("HEADROOM_TENANT", &settings.tenant).env("HEADROOM_PROJECT", &settings.project);
    command.args(["--log", &settings.log, "proxy", "--listen", "127.0.0.1:0"]);
    command.args(["--policy", &settings.policy.mode.to_string()]);
    command.args(["--anthropic-upstream", &settings.anthropic_upstream]);
    command.args(["--openai-upstream", &settings.openai_upstream]);
    command.args(["--gemini-upstream", &settings.gemini_upstream]);
    command.arg("--while-leased").arg(folder).arg("--detach");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.join("proxy.log"))?);
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("it ended with {status}"))) }
}

/// Runs this same command again without `--detach`, in a process group of its own: what the terminal sends to the agent is not for the
/// proxy.
pub(crate) fn detach() -> std::io::Result<()> {
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--detach");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map(drop)
}

/// Says where this proxy serves.
pub(crate) fn announce(folder: &Path, address: SocketAddr) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(&Announcement { address })?)?;
    file.persist(folder.join("proxy.json"))?;
    Ok(())
}

/// Whether the proxy of a folder may stop: no lease is good any more. If so its announcement is gone when this returns, and nobody can have
/// taken a lease in between.
pub(crate) fn may_stop(folder: &Path) -> bool {
    if any_lease(folder) {
        return false;
    }
    // Someone else holds it: they are about to take a lease.
    let Ok(lock) = lock_of(folder) else { return true };
    if lock.try_lock().is_err() || any_lease(folder) {
        return false;
    }
    let _ = std::fs::remove_file(folder.join("proxy.json")); // The folder may be gone altogether.
    true
}

/// Whether a lease is good. Others are cleared away.
fn any_lease(folder: &Path) -> bool {
    let Ok(leases) = std::fs::read_dir(folder.join("leases")) else { return false };
    let mut any = false;
    for lease in leases.flatten() {
        let name = lease.file_name().to_string_lossy().into_owned();
        let id = name.split('-').next().and_then(|id| id.parse().ok());
        if id.and_then(lease_of).is_some_and(|now| now == name) {
            any = true;
        } else {
            let _ = std::fs::remove_file(lease.path()); // Another proxy may have been quicker.
        }
    }
    any
}

/// The name of a process's lease: its id and when it started, so that another process with the same id is not taken for it.
fn lease_of(id: u32) -> Option<String> {
    Some(format!("{id}-{}", start_time(id)?))
}

/// Ticks since boot, and which boot: ids and ticks come again after a restart.
#[cfg(target_os = "linux")]
fn start_time(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; state is the first field after it, the start time the twentieth.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.split('-').next().unwrap_or_default();
    (state != "Z" && state != "X").then(|| format!("{ticks}-{boot}"))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn start_time(id: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &id.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join("_").replace(':', "."))
}

/// Only whether it runs: Windows gives start times through an interface that this project does not use.
#[cfg(not(unix))]
fn start_time(id: u32) -> Option<String> {
    let filter = format!("PID eq {id}");
    let output = Command::new("tasklist").args(["/NH", "/FO", "CSV", "/FI", &filter]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).contains(&format!("\"{id}\"")).then(|| "running".to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_good_while_its_process_lives_and_only_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let leases = folder.path().join("leases");
        std::fs::create_dir(&leases).unwrap();
        assert!(may_stop(folder.path()));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let lease = leases.join(lease_of(child.id()).unwrap());
        std::fs::write(&lease, "").unwrap();
        assert!(!may_stop(folder.path()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(may_stop(folder.path()) && !lease.exists());
        let other = leases.join(format!("{}-1-aaaa", std::process::id()));
        std::fs::write(&other, "").unwrap();
        assert!(may_stop(folder.path()), "another process had this id");
        std::fs::write(leases.join(lease_of(std::process::id()).unwrap()), "").unwrap();
        let lock = lock_of(folder.path()).unwrap();
        assert!(!may_stop(folder.path()));
        std::fs::remove_dir_all(&leases).unwrap();
        lock.lock().unwrap();
        assert!(!may_stop(folder.path()), "someone is about to take a lease");
    }
}
