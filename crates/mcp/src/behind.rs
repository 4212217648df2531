//! Running a server behind this process: its input and output, and its end.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use headroom::{Engine, Kinds};
use headroom_store::Scope;

use crate::ServeError;
use crate::relay::Relay;

/// How long a server may take to end when its client is gone, and again when it was told to. Together less than the four seconds after which
/// the official clients kill what they started, which is this process and not the server.
const GRACE: Duration = Duration::from_millis(1500);

/// The same while the client waits for an answer: its input may have come from a file, and its output be read to the end.
const GRACE_ASKED: Duration = Duration::from_secs(30);

/// How often is looked whether it has ended, when it should, and otherwise.
const TICK: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(1);

/// What happens to a server.
enum Event {
    /// The client says nothing more.
    ClientGone,
    /// The server says nothing more, or the client hears nothing more.
    Said(io::Result<()>),
    /// This process was told to end.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no signals"))]
    Told,
}

/// Runs an MCP server with this process's stdin and stdout, with its tools' results shortened. Returns when the server has ended.
///
/// The server's tools get one more, which reads back what was left out. When the client is gone, or this process is told to end, the server is: its
/// input ends, then it is told to end, then it is killed. Blocks; threads that wait for the client are left behind.
///
/// # Errors
///
/// When the server cannot be started, or the client is gone.
pub fn wrap(command: &[OsString], engine: Engine, scope: Scope, kinds: Kinds) -> Result<ExitStatus, ServeError> {
    let [program, arguments @ ..] = command else { return Err(ServeError::Behind("no server is named".to_owned())) };
    let (events, happens) = channel();
    // First, so that no signal finds the server without somebody who ends it.
    heed_signals(&events);
    let mut server = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| ServeError::Behind(format!("cannot start {}: {error}", program.display())))?;
    let (Some(to_server), Some(from_server)) = (server.stdin.take(), server.stdout.take()) else {
        return Err(ServeError::Behind("the server has no stdin or no stdout".to_owned()));
    };
    let relay = Arc::new(Relay::new(engine, scope, kinds));
    let (clients, gone) = (Arc::clone(&relay), events.clone());
    thread::spawn(move || {
        let heard = |line: &_| match clients.hear_client(line) {
            None => Ok(None),
            Some(answer) => write(&answer).map(|()| Some(Vec::new())),
        };
        // However it ends, the server's stdin is closed with it, which tells the server to end.
        let _ = lead_on(io::stdin(), to_server, |line| Ok(heard(line)?.map_or(Cow::Borrowed(line), Cow::Owned)));
        let _ = gone.send(Event::ClientGone);
    });
    let servers = Arc::clone(&relay);
    thread::spawn(move || {
        let said = lead_on(from_server, Stdout, |line| Ok(servers.hear_server(line)));
        let _ = events.send(Event::Said(said));
    });
    let ended = see_to_its_end(&mut server, &happens, || relay.is_asked());
    if !matches!(ended, Ok(Ok(_))) {
        // It may have ended by itself.
        let _ = server.kill();
        let _ = server.wait();
    }
    match ended.map_err(|error| ServeError::Behind(error.to_string()))? {
        Ok(status) => Ok(status),
        Err(broken) => Err(ServeError::Broken(broken.to_string())),
    }
}

/// Waits until the server has ended and what it said has passed, and sees to it that it ends. The inner error is that of a client that hears
/// nothing more.
fn see_to_its_end(
    server: &mut Child,
    happens: &Receiver<Event>,
    is_asked: impl Fn() -> bool,
) -> io::Result<io::Result<ExitStatus>> {
    // Since when it should be ending, and whether it was told.
    let mut ending: Option<(Instant, bool)> = None;
    let mut ended: Option<(Instant, ExitStatus)> = None;
    let mut all_said = false;
    loop {
        let tick = if ending.is_some() || ended.is_some() { TICK } else { IDLE };
        match happens.recv_timeout(tick) {
            Ok(Event::Said(Err(broken))) => return Ok(Err(broken)),
            Ok(Event::Said(Ok(()))) => {
                all_said = true;
                ending.get_or_insert((Instant::now(), false));
            }
            Ok(Event::ClientGone) => {
                ending.get_or_insert((Instant::now(), false));
            }
            Ok(Event::Told) => ending = Some((Instant::now(), tell(server))),
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody is left who could say anything.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(tick),
        }
        if ended.is_none() {
            ended = server.try_wait()?.map(|status| (Instant::now(), status));
        }
        if let Some((since, status)) = ended {
            // What it has started may hold its stdout for ever; what it said itself is read in no time.
            if all_said || since.elapsed() >= GRACE {
                return Ok(Ok(status));
            }
        } else if let Some((since, told)) = ending {
            let grace = if told || !is_asked() { GRACE } else { GRACE_ASKED };
            if since.elapsed() >= grace {
                match told {
                    false => ending = Some((Instant::now(), tell(server))),
                    true => server.kill()?,
                }
            }
        }
    }
}

/// Tells the server to end, in the way that it may heed; the next step is to kill it.
#[cfg(unix)]
fn tell(server: &Child) -> bool {
    let pid = i32::try_from(server.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended meanwhile, which the next look sees: until it was waited for, nobody else has its number.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    true
}

#[cfg(not(unix))]
fn tell(_: &Child) -> bool {
    true
}

/// Has signals that end a process end the server first.
#[cfg(unix)]
fn heed_signals(events: &Sender<Event>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let signals = runtime.block_on(async {
        let of = |kind| signal(kind);
        Ok::<_, io::Error>((of(SignalKind::terminate())?, of(SignalKind::interrupt())?, of(SignalKind::hangup())?))
    });
    let Ok((mut terminate, mut interrupt, mut hang_up)) = signals else { return };
    let events = events.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hang_up.recv() => {}
                }
                if events.send(Event::Told).is_err() {
                    return;
                }
            }
        });
    });
}

#[cfg(not(unix))]
fn heed_signals(_: &Sender<Event>) {}

/// Leads lines from one side to the other until the one ends.
fn lead_on(
    from: impl Read,
    mut to: impl Write,
    mut change: impl for<'l> FnMut(&'l [u8]) -> io::Result<Cow<'l, [u8]>>,
) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&change(&line)?)?;
        to.flush()?;
        line.clear();
        // One long message does not stay in memory.
        line.shrink_to(1 << 20);
    }
    Ok(())
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Stdout, locked for a whole message at a time.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
