//! `headroom healthcheck`

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::args::HealthcheckArgs;
use crate::error::CliError;
use crate::settings::Settings;

/// Time that the proxy gets to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the proxy on this machine whether it serves, or with `--ready` whether it can also keep what it leaves out. Says nothing when it does.
pub(crate) fn run(args: &HealthcheckArgs, settings: &Settings) -> Result<(), CliError> {
    let listen = settings.listen.ok_or_else(|| CliError::Usage("listen is not an address".to_owned()))?;
    let page = if args.ready { "/readyz" } else { "/livez" };
    let answer = ask(here(listen), page, settings.token.as_deref())
        .map_err(CliError::while_doing(format!("no answer from the proxy at {listen}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => {
            let status = head.lines().next().unwrap_or_default();
            Err(CliError::Failed(format!("{page} at {listen}: {status} {}", body.trim())))
        }
    }
}

/// Where to find on this machine what listens everywhere.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr, page: &str, token: Option<&str>) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let token = token.map_or(String::new(), |token| format!("x-headroom-token: {token}\r\n"));
    write!(stream, "GET {page} HTTP/1.1\r\nhost: localhost\r\n{token}connection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1 << 16).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_here() {
        for (listen, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "127.0.0.1:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(here(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
