//! Which headers cross the proxy.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The proxy's own token.
pub(crate) const TOKEN: &str = "x-headroom-token";

/// `1`: this request passes untouched.
pub(crate) const BYPASS: &str = "x-headroom-bypass";

/// The name of a request's receipt, in our answer.
pub(crate) const ID: &str = "x-headroom-id";

/// A client's own name for its request. It goes to the provider like any header, and back to the client unless the provider's answer
/// has one.
pub(crate) const CLIENT_ID: &str = "x-request-id";

/// Headers that concern one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// How a request body goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Byte for byte as the client sent it, its content encoding included.
    AsItCame,
    /// Decoded, and perhaps changed.
    Decoded,
}

/// The headers of a request as they go upstream: all but those of the connection, and ours. Values and duplicates stay as they are.
pub(crate) fn upstream(client: &HeaderMap, sent: Sent) -> HeaderMap {
    let mut headers = end_to_end(client);
    for name in [HOST, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    for name in [TOKEN, BYPASS, crate::timing::ASK] {
        headers.remove(name);
    }
    if sent == Sent::Decoded {
        headers.remove(CONTENT_ENCODING);
    }
    headers
}

/// Asks for an answer that can be read on the way. Every client can read what has no encoding.
pub(crate) fn unencoded(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// The headers of an answer as they go to the client.
pub(crate) fn downstream(provider: &HeaderMap) -> HeaderMap {
    end_to_end(provider)
}

/// Whether the client asked to be left alone.
pub(crate) fn bypasses(client: &HeaderMap) -> bool {
    client.get(BYPASS).is_some_and(|value| !matches!(value.as_bytes(), b"" | b"0" | b"false"))
}

/// Whether a request is paid by the token with a key of its own, rather than out of somebody's subscription.
pub(crate) fn has_a_key(client: &HeaderMap) -> bool {
    client.contains_key("x-api-key") && !client.contains_key(AUTHORIZATION)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        kept.remove(name);
    }
    kept.remove("keep-alive");
    kept.remove("proxy-connection");
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_provider_goes_on() {
        let mut client = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("host", "localhost"),
            ("content-length", "7"),
            ("content-encoding", "gzip"),
            ("x-headroom-token", "secret"),
            ("x-headroom-bypass", "1"),
            ("x-headroom-timing", "1"),
        ] {
            client.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
        }
        let names = |headers: &HeaderMap| headers.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        assert_eq!(
            names(&upstream(&client, Sent::AsItCame)),
            ["authorization", "anthropic-beta", "anthropic-beta", "content-encoding"]
        );
        assert_eq!(names(&upstream(&client, Sent::Decoded)), ["authorization", "anthropic-beta", "anthropic-beta"]);
        assert!(bypasses(&client));
    }
}
