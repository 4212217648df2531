//! Who is let in.

use std::net::SocketAddr;

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, ServeError, Token, serve};
use headroom_store::Store;
use headroom_testkit::http::{Reply, Upstream};

use crate::common::{pair, pair_with};

const BODY: &[u8] = br#"{"model":"m","messages":[]}"#;

/// T097
#[tokio::test]
async fn web_pages_are_turned_away() {
    let pair = pair(vec![]).await;
    for headers in [
        vec![("host", "evil.example")],
        vec![("host", "localhost.evil")],
        vec![("host", "127.0.0.1.evil.example:8787")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", "http://localhost:3000"), ("content-type", "text/plain")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("origin", "https://evil.example"), ("connection", "upgrade"), ("upgrade", "websocket")],
    ] {
        for (method, target) in [
            ("POST", "/v1/messages"),
            ("GET", "/stats"),
            ("GET", "/v1/retrieve/hr_0000000000"),
            ("OPTIONS", "/v1/messages"),
            ("GET", "/any"),
        ] {
            let answer = pair.send(method, target, &headers, if method == "POST" { BODY } else { b"" }).await;
            assert_eq!(answer.status, 403, "{method} {target} {headers:?}");
            assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
        }
    }
    assert!(pair.upstream.received().is_empty());
}

/// T098
#[tokio::test]
async fn listening_beyond_this_machine_needs_a_token() {
    let mut config = Config::local(Policy::of(Mode::Standard));
    config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = serve(config.clone(), Engine::new(Store::memory())).await.unwrap_err();
    assert!(matches!(refused, ServeError::OpenWithoutToken { .. }) && refused.to_string().contains("token"));
    config.token = Some(Token::new("t"));
    serve(config, Engine::new(Store::memory())).await.unwrap().shutdown().await;
}

/// T099
#[tokio::test]
async fn the_proxys_token_stands_beside_the_clients_own_and_goes_no_further() {
    let upstream = Upstream::answering(|_| Reply::json(200, "{}")).await;
    let pair = pair_with(upstream, |config| config.token = Some(Token::new("open-sesame"))).await;
    for headers in [vec![], vec![("x-headroom-token", "open-sesam")], vec![("authorization", "Bearer open-sesame")]] {
        for target in ["/v1/messages", "/v1/compress"] {
            assert_eq!(pair.send("POST", target, &headers, BODY).await.status, 401);
        }
        // Every page of ours, and whatever is passed on.
        for target in
            ["/metrics", "/stats", "/readyz", "/v1/why/hrq_0_0_0", "/v1/retrieve/hr_0000000000", "/v1/models", "/any"]
        {
            assert_eq!(pair.send("GET", target, &headers, b"").await.status, 401, "{target}");
        }
        let upgrade: Vec<_> = [headers.clone(), vec![("connection", "upgrade"), ("upgrade", "websocket")]].concat();
        assert_eq!(pair.send("GET", "/v1/responses", &upgrade, b"").await.status, 401);
    }
    assert_eq!(pair.send("GET", "/livez", &[], b"").await.status, 200);
    assert!(pair.upstream.received().is_empty());
    let headers = [("x-headroom-token", "open-sesame"), ("authorization", "Bearer oauth")];
    for target in ["/v1/messages", "/v1/models"] {
        assert_eq!(pair.send("POST", target, &headers, BODY).await.status, 200);
        let received = pair.upstream.received().pop().unwrap();
        assert_eq!(
            (received.header("authorization"), received.header("x-headroom-token")),
            (Some("Bearer oauth"), None)
        );
    }
    assert!(!format!("{:?}", Token::new("open-sesame")).contains("sesame"));
}
