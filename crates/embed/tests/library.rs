//! What a program in another language can do, and what it is told when it does it wrong.

use headroom_embed::{Call, Conversation, Error, Headroom, Options, Proxy, ProxyOptions, Selection, Targets, compress};
use headroom_testkit::http::{Reply, Upstream, send};
use serde_json::{Value, json};

fn in_memory() -> Headroom {
    Headroom::open(&Options { store: Some("memory".to_owned()), ..Options::default() }).unwrap()
}

fn rows(count: usize) -> String {
    let row = |n: usize| json!({"id": n, "name": format!("service-{n}"), "zone": "eu-central-1", "load": n * 37 % 100});
    Value::Array((0..count).map(row).collect()).to_string()
}

fn lines(count: usize) -> String {
    (1..=count).map(|n| format!("2024-05-01T10:00:{:02}Z INFO worker took {n} ms\n", n % 60)).collect()
}

#[test]
fn what_is_left_out_is_given_back() {
    let headroom = in_memory();
    let text = lines(300);
    let result = headroom.compress(&text, &Call { kind: Some("log"), ..Call::default() }).unwrap();
    let handle = result.handle.unwrap().to_string();
    assert_eq!(headroom.retrieve(&handle, &Selection::default()).unwrap(), text);
    let some = Selection { lines: Some((7, 8)), ..Selection::default() };
    assert_eq!(
        headroom.retrieve(&handle, &some).unwrap(),
        text.split_inclusive('\n').skip(6).take(2).collect::<String>()
    );
    let found = Selection { pattern: Some("took 299 ".to_owned()), ..Selection::default() };
    assert!(headroom.retrieve(&handle, &found).unwrap().starts_with("299:2024"));
    let answer = headroom.answer(&json!({"content_id": handle, "line_range": "1-1"}).to_string()).unwrap();
    assert_eq!(answer, text.lines().next().unwrap().to_owned() + "\n");
    let explained: Value = serde_json::from_str(&headroom.explain(&handle).unwrap()).unwrap();
    assert_eq!(explained, json!({"original": {"handle": handle, "bytes": text.len(), "lines": 300}, "request": null}));
}

/// Several programs on one store, in a file or a database: each reads its own tenant's project.
#[test]
fn tenants_share_a_store_and_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db").display().to_string();
    let database = headroom_testkit::postgres::shared().map(|server| server.database());
    for store in [Some(file), database].into_iter().flatten() {
        let open = |tenant: &str, project: &str| {
            let (tenant, project) = (Some(tenant.to_owned()), Some(project.to_owned()));
            Headroom::open(&Options { store: Some(store.clone()), tenant, project, ..Options::default() }).unwrap()
        };
        let (text, own) = (lines(300), open("a", "p"));
        let handle = own.compress(&text, &Call::default()).unwrap().handle.unwrap().to_string();
        drop(own);
        assert_eq!(open("a", "p").retrieve(&handle, &Selection::default()).unwrap(), text);
        for (tenant, project) in [("a", "q"), ("b", "p"), ("", "")] {
            let refused = open(tenant, project).retrieve(&handle, &Selection::default()).unwrap_err();
            assert!(matches!(refused, Error::Handle(_)), "{refused:?}");
        }
    }
}

#[test]
fn a_conversation_is_prepared_the_same_way_on_every_turn() {
    let settings = r#"{"log": {"enabled": false}}"#.to_owned();
    let options = Options {
        store: Some("memory".to_owned()),
        retrieval: Some("always".to_owned()),
        compression_config: Some(settings),
        ..Options::default()
    };
    let headroom = Headroom::open(&options).unwrap();
    let result = |n: usize, text: &str| {
        let id = format!("t{n}");
        [
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "list", "input": {}}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}),
        ]
    };
    let mut messages = vec![json!({"role": "user", "content": "Which service has failed?"})];
    let (system, tools) = (json!("Be careful. ".repeat(800)).to_string(), json!([{"name": "list"}]).to_string());
    let prepare = |messages: &[Value]| {
        let messages = json!(messages).to_string();
        let conversation = Conversation {
            dialect: "anthropic",
            messages: &messages,
            system: Some(&system),
            tools: Some(&tools),
            model: Some("claude-sonnet-4-5"),
        };
        headroom.prepare(&conversation).unwrap()
    };
    messages.extend(result(0, &rows(200)));
    let first = prepare(&messages);
    assert!(first.tool_offered && first.tokens_after * 2 < first.tokens_before, "{first:?}");
    assert!(first.tools.unwrap().contains("retrieve_original_content"));
    messages.extend(result(1, &lines(300)));
    let second = prepare(&messages);
    assert!(second.messages.starts_with(first.messages.strip_suffix(']').unwrap()));
    assert!(second.messages.contains("took 150 ms"), "the settings leave logs alone");
    let explained: Value = serde_json::from_str(&headroom.explain(&second.id).unwrap()).unwrap();
    assert_eq!(explained["request"]["slots"][2]["reason"], "policy");
}

#[test]
fn every_mistake_has_its_error() {
    let headroom = in_memory();
    let handle = |id: &str| headroom.retrieve(id, &Selection::default()).unwrap_err();
    assert!(matches!(handle("hr_nope"), Error::Handle(said) if said.contains("looks like hr_")));
    assert!(matches!(handle("hr_4k2m9x7qw3"), Error::Handle(said) if said.contains("not kept in this store")));
    assert!(matches!(headroom.explain("hrq_1"), Err(Error::Handle(said)) if said.contains("hrq_1")));
    let call = |call: Call<'_>| compress("text", &call).unwrap_err().to_string();
    assert!(call(Call { kind: Some("jsn"), ..Call::default() }).contains("kind: unknown kind \"jsn\""));
    assert!(call(Call { level: Some("standrad"), ..Call::default() }).contains("did you mean \"standard\""));
    let body = |dialect, messages, system| {
        let conversation = Conversation { dialect, messages, system, tools: None, model: None };
        headroom.prepare(&conversation).unwrap_err().to_string()
    };
    assert!(body("antropic", "[]", None).contains("did you mean \"anthropic\""));
    assert!(body("anthropic", "{}", None).contains("messages: expected a list"));
    assert!(body("openai", "[]", Some("\"s\"")).contains("first of the messages"));
    let open = |store: &str| Headroom::open(&Options { store: Some(store.to_owned()), ..Options::default() });
    assert!(matches!(open("/proc/nowhere/h.db"), Err(Error::Store(said)) if said.contains("/proc/nowhere/h.db")));
    assert!(matches!(open("redis://h"), Err(Error::Config(_))));
    headroom.close();
    headroom.close();
    assert!(matches!(headroom.compress("text", &Call::default()), Err(Error::Closed(_))));
    assert!(matches!(headroom.loopback("http://127.0.0.1:1"), Err(Error::Closed(_))));
}

/// Whoever knows neither token nor store cannot use the address that a wrapped client has.
#[test]
fn a_loopback_passes_requests_of_those_who_know_its_token() {
    let world = tokio_runtime();
    let upstream = world.block_on(Upstream::answering(|_| Reply::json(200, r#"{"ok":true}"#)));
    let headroom = in_memory();
    let address = headroom.loopback(&format!("{}/base/", upstream.base())).unwrap();
    assert_eq!(headroom.loopback(&format!("{}/base", upstream.base())).unwrap(), address);
    let listens = address.url.strip_prefix("http://").unwrap().parse().unwrap();
    let body = br#"{"model":"m","messages":[]}"#;
    let post = |token: &str| {
        let headers = [("content-type", "application/json"), ("x-headroom-token", token)];
        world.block_on(send(listens, "POST", "/v1/messages", &headers, body))
    };
    assert_eq!((post("").status, upstream.received().len()), (401, 0));
    assert_eq!(post(&address.token).status, 200);
    let received = upstream.received();
    assert_eq!((received.len(), received[0].header("x-headroom-token")), (1, None));
    headroom.close();
}

#[test]
fn a_proxy_starts_stops_and_says_what_it_did() {
    let world = tokio_runtime();
    let upstream = world.block_on(Upstream::answering(|_| Reply::json(200, r#"{"ok":true}"#)));
    let options = ProxyOptions {
        options: Options { store: Some("memory".to_owned()), ..Options::default() },
        targets: Targets::all(&upstream.base()),
        port: Some(0),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::new(&options).unwrap();
    assert!(matches!(proxy.url(), Err(Error::Closed(_))));
    proxy.start().unwrap();
    proxy.start().unwrap();
    let url = proxy.url().unwrap();
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let listens = url.strip_prefix("http://").unwrap().parse().unwrap();
    let body = br#"{"model":"m","messages":[]}"#;
    world.block_on(send(listens, "POST", "/v1/chat/completions", &[("content-type", "application/json")], body));
    // A request is counted when its answer has gone out, which may be after its client has read it.
    let mut counted = None;
    for _ in 0..200 {
        let stats: Value = serde_json::from_str(&proxy.stats(None).unwrap()).unwrap();
        assert_eq!(stats["policy"], "standard");
        counted = stats["counters"]["exchanges"].as_u64();
        if counted == Some(1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(counted, Some(1));
    let taken = Proxy::new(&ProxyOptions { port: Some(port), ..options.clone() }).unwrap();
    assert!(matches!(taken.start(), Err(Error::Proxy(said)) if said.contains("choose another port")));
    proxy.stop();
    proxy.stop();
    assert!(matches!(proxy.stats(None), Err(Error::Closed(_))));
    taken.start().unwrap();
}

#[test]
fn keys_of_one_provider_do_not_go_to_another() {
    let only = Targets::all("https://api.anthropic.com");
    assert_eq!((only.anthropic.is_some(), only.openai, only.gemini), (true, None, None));
    let all = Targets::all("http://gateway.internal:4000/llm");
    assert!(all.anthropic.is_some() && all.openai.is_some() && all.gemini.is_some());
    let bad = ProxyOptions { targets: Targets::all("api.anthropic.com"), ..ProxyOptions::default() };
    assert!(Proxy::new(&bad).unwrap_err().to_string().contains("write https://"));
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
