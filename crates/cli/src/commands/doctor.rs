//! `headroom doctor`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::healthcheck;
use super::wrap::routes;
use crate::args::DoctorArgs;
use crate::error::CliError;
use crate::out;
use crate::settings::Settings;

/// Time that each connection attempt gets.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Serialize)]
struct Finding {
    check: String,
    ok: bool,
    found: String,
    /// What to do next; empty when there is nothing to do.
    next: String,
}

impl Finding {
    fn new(check: impl Into<String>, result: Result<String, (String, String)>) -> Self {
        let check = check.into();
        match result {
            Ok(found) => Self { check, ok: true, found, next: String::new() },
            Err((found, next)) => Self { check, ok: false, found, next },
        }
    }
}

pub(crate) fn run(args: &DoctorArgs, settings: &Settings, config: Option<&Path>) -> Result<(), CliError> {
    let settings = &Settings { token: healthcheck::secret(&args.secret, settings)?, ..settings.clone() };
    let mut findings = vec![
        Finding::new("store", store(settings)),
        Finding::new("proxy", proxy(settings)),
        Finding::new("anthropic upstream", upstream(&settings.anthropic_upstream, "anthropic-upstream")),
        Finding::new("openai upstream", upstream(&settings.openai_upstream, "openai-upstream")),
        Finding::new("gemini upstream", upstream(&settings.gemini_upstream, "gemini-upstream")),
    ];
    findings.extend(routes::check(settings, config).into_iter().map(|(agent, result)| Finding::new(agent, result)));
    if args.json {
        out::json(&findings)?;
    } else {
        for Finding { check, ok, found, next } in &findings {
            out::line(&format!("{:4} {check:20} {found}", if *ok { "ok" } else { "FAIL" }))?;
            if !next.is_empty() {
                out::line(&format!("     {:20} -> {next}", ""))?;
            }
        }
    }
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    if failed == 0 { Ok(()) } else { Err(CliError::Failed(format!("{failed} of {} checks failed", findings.len()))) }
}

fn store(settings: &Settings) -> Result<String, (String, String)> {
    let next = || "name another place with --store, or mend the file's permissions".to_owned();
    let store = crate::open(settings).map_err(|error| (error.to_string(), next()))?;
    store.check().map_err(|error| (error.to_string(), next()))?;
    let holdings = store.holdings().map_err(|error| (error.to_string(), next()))?;
    Ok(format!("writable; {} originals, {} bytes stored", holdings.originals, holdings.stored_bytes))
}

/// Asks whatever listens on the configured address whether it is a ready Headroom.
fn proxy(settings: &Settings) -> Result<String, (String, String)> {
    let start = || "start it with `headroom proxy`".to_owned();
    let Some(address) = settings.listen else { return Err(("no address".to_owned(), start())) };
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .map_err(|error| (format!("nothing answers on {address} ({error})"), start()))?;
    let token = settings.token.as_deref();
    let head =
        ask(&mut stream, &address, token).map_err(|error| (format!("{address} did not answer: {error}"), start()))?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(format!("ready on http://{address}")),
        status => {
            let said = format!("{address} answered {} to /readyz", status.unwrap_or("no status"));
            Err(match healthcheck::turned_away(status, token.is_some()) {
                Some((why, next)) => (format!("{said}: {why}"), next.to_owned()),
                None => (said, "look at the proxy's log; another program may hold the port".to_owned()),
            })
        }
    }
}

/// The status line of `GET /readyz`.
fn ask(stream: &mut TcpStream, address: &SocketAddr, token: Option<&str>) -> std::io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let token = token.map_or(String::new(), |token| format!("x-headroom-token: {token}\r\n"));
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\n{token}connection: close\r\n\r\n")?;
    let mut head = Vec::new();
    stream.take(200).read_to_end(&mut head)?;
    Ok(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned())
}

/// Whether a connection to the provider can be opened. Says nothing about keys: those are the client's.
fn upstream(url: &str, option: &str) -> Result<String, (String, String)> {
    let next = || format!("check the network, or set {option} to an address that can be reached");
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let port = if scheme == "http" { 80 } else { 443 };
    let named = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
    let mut addresses = named.to_socket_addrs().map_err(|error| (format!("{named}: {error}"), next()))?;
    let address = addresses.next().ok_or_else(|| (format!("{named} has no address"), next()))?;
    TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| (format!("{named}: {error}"), next()))?;
    Ok(format!("{named} can be reached"))
}
