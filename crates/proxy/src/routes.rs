//! Where a request goes.

use std::sync::Arc;

use headroom::Mode;
use headroom_store::Right;
use headroom_wire::Dialect;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use crate::admin::Page;
use crate::app::App;
use crate::exchange::exchange;
use crate::headers::{self, Sent};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::relay::{Body, passing};
use crate::timing::Timing;
use crate::witness::take_name;
use crate::{access, admin, guard, upgrade};

/// Answers one request, whatever it is.
pub(crate) async fn route(app: Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    take_name(&mut head);
    let metrics = Arc::clone(&app.metrics);
    dispatch(app, &mut head, body).await.unwrap_or_else(|refusal| {
        Metrics::count(&metrics.refused);
        tracing::debug!(?refusal, path = head.uri.path(), "refused");
        refusal.response()
    })
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    /// `/livez`.
    Alive,
    /// A page of ours.
    Page(Page),
    /// On a connection that becomes something else.
    Upgrade(HeaderValue),
    /// Through the engine.
    Exchange(Dialect),
    /// To the provider as it is.
    Tunnel,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Whoever finds the port.
    Anybody,
    /// Whoever [`guard::check`] lets pass, with a token that is good, where one is needed.
    Known,
    /// The same, with a token that allows this.
    Allowed(Right),
}

impl Route {
    /// The route of a request; `untouched` requests go to their provider as they are.
    fn of(head: &Parts, untouched: bool) -> Self {
        let path = head.uri.path();
        if path == "/livez" {
            return Self::Alive;
        }
        if let Some(page) = Page::of(&head.method, path) {
            return Self::Page(page);
        }
        if let Some(protocol) = upgrade::wanted(head) {
            return Self::Upgrade(protocol.clone());
        }
        match Dialect::of_path(path) {
            Some(dialect) if head.method == Method::POST && !untouched => Self::Exchange(dialect),
            _ => Self::Tunnel,
        }
    }

    const fn access(&self) -> Access {
        match self {
            // Says nothing that an open port does not say; probes need no token and no name.
            Self::Alive => Access::Anybody,
            Self::Page(page) => match page.right() {
                Some(right) => Access::Allowed(right),
                None => Access::Known,
            },
            Self::Upgrade(_) | Self::Exchange(_) | Self::Tunnel => Access::Allowed(Right::Proxy),
        }
    }
}

/// Lets a request in that does what takes `right`, if it takes one, and notes whose it is.
async fn admit(app: &Arc<App>, head: &mut Parts, right: Option<Right>) -> Result<(), Refusal> {
    guard::check(head, &app.config)?;
    let user = access::check(app, head, right).await?;
    head.extensions.insert(user);
    Ok(())
}

async fn dispatch(app: Arc<App>, head: &mut Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    let untouched = app.config.policy.mode == Mode::Off || headers::bypasses(&head.headers);
    let route = Route::of(head, untouched);
    match route.access() {
        Access::Anybody => {}
        Access::Known => admit(&app, head, None).await?,
        Access::Allowed(right) => admit(&app, head, Some(right)).await?,
    }
    match route {
        Route::Alive => Ok(admin::alive()),
        Route::Page(page) => admin::answer(&app, page, head, body).await,
        Route::Upgrade(protocol) => upgrade::upgrade(&app, head, protocol, !untouched).await,
        Route::Exchange(dialect) => exchange(app, dialect, head, body).await,
        Route::Tunnel => tunnel(&app, head, body).await,
    }
}

/// Passes a request on and its answer back, byte for byte.
async fn tunnel(app: &App, head: &Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    Metrics::count(&app.metrics.tunnelled);
    let mut timing = Timing::asked(&head.headers);
    let url = app.upstream.url(dialect_of(head.uri.path(), &head.headers), target(head))?;
    let headers = headers::upstream(&head.headers, Sent::AsItCame);
    let response = app.upstream.send(head.method.clone(), url, headers, reqwest::Body::wrap(body)).await;
    let (head, body) = response.inspect_err(|_| Metrics::count(&app.metrics.upstream_failures))?.into_parts();
    let mut answer = Response::new(passing(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = headers::downstream(&head.headers);
    if let Some(timing) = &mut timing {
        timing.end("upstream");
        timing.tell(answer.headers_mut());
    }
    Ok(answer)
}

/// Path and query as they are sent on.
pub(crate) fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Whose a request is that is not one of the known endpoints: by its path if that says it, else by the headers that only one
/// provider's clients send.
pub(crate) fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    let messages = Dialect::AnthropicMessages.path();
    let below = path.strip_prefix(messages).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let googles =
        path.starts_with("/v1beta") || path.starts_with("/ws/google.") || path.contains("/publishers/google/");
    if Dialect::of_path(path) == Some(Dialect::Gemini) || googles || headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else if below || headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenAiChat
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use headroom::{Engine, Policy};
    use headroom_store::Store;
    use headroom_testkit::http::{Reply, Upstream, send};

    use crate::memory_pages::MemoryPage;
    use crate::{Config, Token, serve};

    /// Every route, one after the other. One that is missing here does not compile.
    fn after(route: Option<&Route>) -> Option<Route> {
        let page = |page| Some(Route::Page(page));
        let memory = |memory| Some(Route::Page(Page::Memory(memory)));
        let named = || "hr_0000000000".to_owned();
        match route {
            None => Some(Route::Alive),
            Some(Route::Alive) => page(Page::Ready),
            Some(Route::Page(shown)) => match shown {
                Page::Ready => page(Page::Metrics),
                Page::Metrics => page(Page::Stats),
                Page::Stats => page(Page::Compress),
                Page::Compress => page(Page::Why("hrq_0_0_0".to_owned())),
                Page::Why(_) => page(Page::Retrieve(named())),
                Page::Retrieve(_) => memory(MemoryPage::List),
                Page::Memory(shown) => match shown {
                    MemoryPage::List => memory(MemoryPage::Search),
                    MemoryPage::Search => memory(MemoryPage::Stats),
                    MemoryPage::Stats => memory(MemoryPage::Notes),
                    MemoryPage::Notes => memory(MemoryPage::Remember),
                    MemoryPage::Remember => memory(MemoryPage::ForgetNote("1".to_owned())),
                    MemoryPage::ForgetNote(_) => memory(MemoryPage::Show(named())),
                    MemoryPage::Show(_) => memory(MemoryPage::Forget(named())),
                    MemoryPage::Forget(_) => Some(Route::Upgrade(HeaderValue::from_static("websocket"))),
                },
            },
            Some(Route::Upgrade(_)) => Some(Route::Exchange(Dialect::ALL[0])),
            Some(Route::Exchange(dialect)) => {
                let next = Dialect::ALL.iter().position(|known| known == dialect).map_or(0, |at| at + 1);
                Dialect::ALL.get(next).copied().map_or(Some(Route::Tunnel), |next| Some(Route::Exchange(next)))
            }
            Some(Route::Tunnel) => None,
        }
    }

    /// A request that takes a route.
    fn request(route: &Route) -> (&'static str, String) {
        match route {
            Route::Alive => ("GET", "/livez".to_owned()),
            Route::Page(page) => match page {
                Page::Ready => ("GET", "/readyz".to_owned()),
                Page::Metrics => ("GET", "/metrics".to_owned()),
                Page::Stats => ("GET", "/stats".to_owned()),
                Page::Compress => ("POST", "/v1/compress".to_owned()),
                Page::Why(id) => ("GET", format!("/v1/why/{id}")),
                Page::Retrieve(handle) => ("GET", format!("/v1/retrieve/{handle}")),
                Page::Memory(page) => match page {
                    MemoryPage::List => ("GET", "/v1/memory".to_owned()),
                    MemoryPage::Search => ("GET", "/v1/memory/search".to_owned()),
                    MemoryPage::Stats => ("GET", "/v1/memory/stats".to_owned()),
                    MemoryPage::Notes => ("GET", "/v1/memory/notes".to_owned()),
                    MemoryPage::Remember => ("POST", "/v1/memory/notes".to_owned()),
                    MemoryPage::ForgetNote(number) => ("DELETE", format!("/v1/memory/notes/{number}")),
                    MemoryPage::Show(handle) => ("GET", format!("/v1/memory/{handle}")),
                    MemoryPage::Forget(handle) => ("DELETE", format!("/v1/memory/{handle}")),
                },
            },
            Route::Upgrade(_) => ("GET", "/v1/responses".to_owned()),
            Route::Exchange(Dialect::Gemini) => ("POST", "/v1beta/models/gemini-2.5-pro:generateContent".to_owned()),
            Route::Exchange(dialect) => ("POST", dialect.path().to_owned()),
            Route::Tunnel => ("PUT", "/whatever".to_owned()),
        }
    }

    /// T051, T097, T099: nothing but the probe is open to whoever finds the port, whatever routes there are.
    #[tokio::test]
    async fn every_route_has_a_policy_and_keeps_it() {
        let upstream = Upstream::answering(|_| Reply::json(200, "{}")).await;
        let mut config = Config::local(Policy::of(Mode::Standard));
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.token = Some(Token::new("open-sesame"));
        config.upstreams.anthropic = upstream.base();
        config.upstreams.openai = upstream.base();
        config.upstreams.gemini = upstream.base();
        let running = serve(config, Engine::new(Store::memory())).await.unwrap();
        let (mut route, mut open) = (after(None), Vec::new());
        while let Some(here) = route {
            let (method, target) = request(&here);
            let upgrade: &[(&str, &str)] = match here {
                Route::Upgrade(_) => &[("connection", "Upgrade"), ("upgrade", "websocket")],
                _ => &[],
            };
            let builder = upgrade.iter().fold(Request::builder(), |head, (name, value)| head.header(*name, *value));
            let head = builder.method(method).uri(&target).body(()).unwrap().into_parts().0;
            assert_eq!(Route::of(&head, false), here, "{method} {target}");
            let ask = async |more: &[(&str, &str)]| {
                send(running.addr(), method, &target, &[upgrade, more].concat(), b"").await.status
            };
            match here.access() {
                Access::Anybody => open.push(target.clone()),
                Access::Known | Access::Allowed(_) => {
                    assert_eq!(ask(&[]).await, 401, "{method} {target} without the token");
                    let token = ("x-headroom-token", "open-sesame");
                    assert_eq!(ask(&[token, ("origin", "https://evil.example")]).await, 403, "{method} {target}");
                    assert_eq!(ask(&[token, ("host", "evil.example")]).await, 403, "{method} {target}");
                }
            }
            assert!(upstream.received().is_empty(), "{method} {target} reached the provider");
            route = after(Some(&here));
        }
        assert_eq!(open, ["/livez"]);
    }
}
