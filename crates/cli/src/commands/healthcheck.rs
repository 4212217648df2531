//! `headroom healthcheck`

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::args::{HealthcheckArgs, SecretArgs};
use crate::error::CliError;
use crate::settings::Settings;

/// Time that the proxy gets to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the proxy on this machine whether it serves, or with `--ready` whether it can also keep what it leaves out. Says nothing when it does.
pub(crate) fn run(args: &HealthcheckArgs, settings: &Settings) -> Result<(), CliError> {
    let token = secret(&args.secret, settings)?;
    let listen = settings.listen.ok_or_else(|| CliError::Usage("listen is not an address".to_owned()))?;
    let page = if args.ready { "/readyz" } else { "/livez" };
    let answer = ask(here(listen), page, token.as_deref())
        .map_err(CliError::while_doing(format!("no answer from the proxy at {listen}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        status => {
            let next = turned_away(status, token.is_some()).map(|(why, next)| format!("; {why}: {next}"));
            let status = head.lines().next().unwrap_or_default();
            Err(CliError::Failed(format!("{page} at {listen}: {status} {}{}", body.trim(), next.unwrap_or_default())))
        }
    }
}

/// What the proxy is to be shown: what the command line says, else what is configured.
pub(crate) fn secret(args: &SecretArgs, settings: &Settings) -> Result<Option<String>, CliError> {
    let given = match (&args.token, &args.token_file) {
        (Some(token), _) => Some(("--token".to_owned(), token.clone())),
        (None, Some(path)) => {
            let doing = format!("cannot read the token from {}", path.display());
            Some((path.display().to_string(), std::fs::read_to_string(path).map_err(CliError::while_doing(doing))?))
        }
        (None, None) => return Ok(settings.token.clone()),
    };
    // It becomes a header.
    let Some((origin, token)) = given.map(|(origin, token)| (origin, token.trim().to_owned())) else { return Ok(None) };
    match token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Err(CliError::Usage(format!("{origin} holds no token: one line of letters, digits and signs"))),
        false => Ok(Some(token)),
    }
}

/// Why a proxy that answers with this status does not let us in, and what to do; `None` where that is not what the status says.
pub(crate) fn turned_away(status: Option<&str>, shown: bool) -> Option<(&'static str, &'static str)> {
    match (status, shown) {
        (Some("401"), false) => Some((
            "the proxy wants a token",
            "give one with --token-file or HEADROOM_TOKEN; `headroom token create NAME --rights stats` makes one",
        )),
        (Some("401"), true) => Some((
            "the proxy does not know the token it was shown",
            "it may have ended, or belong to another store: see `headroom token list`",
        )),
        _ => None,
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
    use crate::settings::Said;

    #[test]
    fn a_token_is_what_the_command_line_says_before_what_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let said = |token: Option<&str>, file: Option<&str>| {
            if let Some(text) = file {
                std::fs::write(&path, text).unwrap();
            }
            let args = SecretArgs { token: token.map(str::to_owned), token_file: file.map(|_| path.clone()) };
            let settings = Settings { token: Some("configured".to_owned()), ..settings() };
            secret(&args, &settings)
        };
        assert_eq!(said(None, None).unwrap().as_deref(), Some("configured"));
        assert_eq!(said(Some("hrt_a"), None).unwrap().as_deref(), Some("hrt_a"));
        assert_eq!(said(None, Some("hrt_b\r\n")).unwrap().as_deref(), Some("hrt_b"));
        for broken in ["", " \n", "hrt_b\nx-other: 1", "h\u{e9}"] {
            assert!(said(None, Some(broken)).unwrap_err().to_string().contains("holds no token"), "{broken:?}");
        }
        let missing = SecretArgs { token: None, token_file: Some(folder.path().join("none")) };
        assert!(secret(&missing, &settings()).unwrap_err().to_string().contains("cannot read the token"));
    }

    fn settings() -> Settings {
        Said::gather(None, None, |_| None, &[]).unwrap().read().unwrap()
    }

    #[test]
    fn what_listens_everywhere_is_asked_here() {
        for (listen, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "127.0.0.1:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(here(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
