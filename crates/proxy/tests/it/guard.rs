//! Who is let in.

use std::net::SocketAddr;

use headroom::{Engine, Mode, Policy};
use headroom_proxy::{Config, ServeError, Token, serve};
use headroom_store::{Grant, Scope, Secret, Store, StoreError};
use headroom_testkit::http::{Reply, Upstream};

use crate::common::{pair, pair_on, pair_with};

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

/// A token of the store lets its holder do what it allows, and nothing else; what it sends is accounted to its user.
#[tokio::test]
async fn a_grant_opens_what_it_allows_until_it_ends() {
    let upstream = Upstream::answering(|_| Reply::json(200, "{}")).await;
    let pair = pair_with(upstream, |config| {
        config.grants = true;
        config.token = Some(Token::new("open-sesame"));
    })
    .await;
    let (store, scope) = (pair.engine.store(), Scope::default());
    let issue = |name: &str, rights: &str, ends_ms| {
        let secret = Secret::fresh().unwrap();
        let (rights, user) = (rights.parse().unwrap(), format!("{name} of ours"));
        let grant = Grant { name: name.to_owned(), user, rights, created_ms: 1, ends_ms };
        store.grant(&scope, secret.hash(), &grant).unwrap();
        secret
    };
    let pages = [
        ("POST", "/v1/messages", "proxy", 200),
        ("GET", "/any/other/path", "proxy", 200),
        ("POST", "/v1/compress", "proxy", 400),
        ("GET", "/v1/retrieve/hr_0000000000", "retrieve", 404),
        ("GET", "/v1/memory?directory=/", "retrieve", 400),
        ("GET", "/v1/memory/notes?directory=/", "retrieve", 400),
        ("GET", "/v1/memory/stats?directory=/", "stats", 400),
        ("GET", "/metrics", "stats", 200),
        ("GET", "/stats", "stats", 200),
        ("GET", "/v1/why/hrq_0_0_0", "stats", 404),
        ("DELETE", "/v1/memory/hr_0000000000?directory=/", "admin", 400),
    ];
    for right in ["proxy", "retrieve", "stats", "admin"] {
        let secret = issue(right, right, None);
        for (method, target, needs, allowed) in pages {
            let expected = if right == needs || right == "admin" { allowed } else { 403 };
            let body = if method == "POST" { BODY } else { b"" };
            let answer = pair.send(method, target, &[("x-headroom-token", secret.expose())], body).await;
            assert_eq!(answer.status, expected, "{right} asks {method} {target}");
        }
        assert_eq!(pair.send("GET", "/readyz", &[("x-headroom-token", secret.expose())], b"").await.status, 200);
    }
    let ended = issue("former", "admin", Some(2));
    for given in [ended.expose(), "hrt_unknown", ""] {
        for (method, target, _, _) in pages {
            assert_eq!(
                pair.send(method, target, &[("x-headroom-token", given)], b"").await.status,
                401,
                "{given:?} {target}"
            );
        }
    }
    assert_eq!(pair.send("GET", "/stats", &[("x-headroom-token", "open-sesame")], b"").await.status, 200);
    let users: Vec<String> = pair.receipts(2).await.into_iter().map(|receipt| receipt.user).collect();
    assert_eq!(users, ["proxy of ours", "admin of ours"]);
}

/// Those whom the proxy knows go on while the store is away; others are told to come again.
#[tokio::test]
async fn a_store_that_is_away_lets_nobody_new_in() {
    let pair = pair_on(
        Upstream::answering(|_| Reply::json(200, "{}")).await,
        Store::unavailable(&StoreError::Stopped),
        |config| config.grants = true,
    )
    .await;
    let answer = pair.send("POST", "/v1/messages", &[("x-headroom-token", "hrt_x")], BODY).await;
    assert_eq!(answer.status, 503);
    assert!(pair.upstream.received().is_empty());
}
