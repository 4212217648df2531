//! Who may talk to the proxy.
//!
//! It listens on this machine, where every web page's script can reach it too. Two checks keep pages out: the `Host` must be a
//! name of ours (a page's rebound DNS name is not), and there must be no `Origin` (every cross-site request that can do
//! harm carries one, and no CORS answer is ever given). What a sender may do is [`access`](crate::access)'s to say.

use http::header::{HOST, ORIGIN};
use http::request::Parts;

use crate::Config;
use crate::refusal::Refusal;

/// Lets a request pass or says why not.
pub(crate) fn check(head: &Parts, config: &Config) -> Result<(), Refusal> {
    if !host(head).is_some_and(|host| is_allowed(host, &config.allowed_hosts)) {
        return Err(Refusal::Host);
    }
    let from_a_page =
        head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
    if head.headers.contains_key(ORIGIN) || from_a_page {
        return Err(Refusal::Origin);
    }
    Ok(())
}

/// The name the client addressed: HTTP/2's authority, else the one `Host` header.
fn host(head: &Parts) -> Option<&str> {
    if let Some(authority) = head.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

fn is_allowed(host: &str, more: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || name.eq_ignore_ascii_case("localhost") || more.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_allowed() {
        let more = ["headroom.internal".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST:8787",
            "127.0.0.1:8787",
            "127.9.9.9",
            "[::1]:8787",
            "[::1]",
            "headroom.internal:80",
        ] {
            assert!(is_allowed(host, &more), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil", "127.0.0.1.evil:8787", "10.0.0.1", "", "[::2]:8787", "0.0.0.0:8787"]
        {
            assert!(!is_allowed(host, &more), "{host}");
        }
    }
}
