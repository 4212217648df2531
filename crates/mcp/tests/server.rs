//! The server, through a client that is not ours in anything but the language.
#![allow(deprecated, reason = "roots are what this client has to offer")]

use std::sync::Arc;

use headroom::Engine;
use headroom_mcp::Server;
use headroom_store::{Scope, Store};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock, Implementation,
    ListRootsResult, ReadResourceRequestParams, ResourceContents, Root,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt};
use serde_json::{Value, json};

/// A client with roots.
struct Client {
    roots: Vec<String>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_roots().build();
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(self.roots.iter().map(|uri| Root::new(uri.clone())).collect()))
    }
}

async fn start(server: Server, client: impl ClientHandler) -> RunningService<RoleClient, impl ClientHandler> {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let running = server.serve(ours).await.unwrap();
        running.waiting().await.unwrap();
    });
    client.serve(theirs).await.unwrap()
}

fn call(tool: &str, arguments: impl std::borrow::Borrow<Value>) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.borrow().as_object().unwrap().clone())
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn server(engine: &Engine, folder: &std::path::Path) -> Server {
    Server::new(engine.clone(), Scope::default(), vec![folder.to_owned()])
}

/// A log in which one line in 400 is no routine.
fn log() -> String {
    let line = |n: usize| {
        if n == 200 {
            "2026-01-05T10:03:20Z ERROR worker-3 disk /dev/sdb1 failed: I/O error 5\n".to_owned()
        } else {
            format!(
                "2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled request {} in {} ms\n",
                n / 60 % 60,
                n % 60,
                n % 7,
                n * 7919,
                n % 93
            )
        }
    };
    (0..400).map(line).collect()
}

#[tokio::test]
async fn the_tools_are_small_and_say_what_they_take() {
    let client = start(server(&Engine::new(Store::memory()), "/".as_ref()), ()).await;
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let wanted = [
        "compress_file",
        "compress_command_output",
        "compress_rag_chunks",
        "retrieve_original_content",
        "search_memory",
        "remember",
        "recall",
        "forget",
    ];
    assert_eq!(names, wanted);
    let mut tokens = 0;
    for tool in &tools {
        assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
        for required in tool.input_schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            assert!(tool.input_schema["properties"].get(required.as_str().unwrap()).is_some(), "{}", tool.name);
        }
        // What a client gives its model; titles and annotations are for the person.
        let read = json!({"name": tool.name, "description": tool.description, "input_schema": tool.input_schema});
        tokens += headroom_tokens::Tokenizer::O200k.count(&read.to_string());
    }
    assert!(tokens < 600, "{tokens} tokens of definitions");
    println!("{tokens} tokens of definitions");
}

#[tokio::test]
async fn what_a_file_left_out_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.log"), log()).unwrap();
    let client = start(server(&Engine::new(Store::memory()), folder.path()), ()).await;

    let short = client.call_tool(call("compress_file", json!({"path": "app.log"}))).await.unwrap();
    let shown = text(&short);
    assert!(shown.starts_with("[log: "), "{shown}");
    assert!(shown.contains("/dev/sdb1 failed: I/O error 5"), "{shown}");
    assert!(shown.len() * 4 < log().len(), "{} of {}", shown.len(), log().len());
    let handle = &shown[shown.find("hr_").unwrap()..];
    let handle = &handle[..handle.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap()];

    let back = client
        .call_tool(call("retrieve_original_content", json!({"content_id": handle, "line_range": "201"})))
        .await
        .unwrap();
    assert!(text(&back).contains("ERROR worker-3"), "{}", text(&back));

    let whole =
        client.read_resource(ReadResourceRequestParams::new(format!("headroom://original/{handle}"))).await.unwrap();
    let ResourceContents::TextResourceContents { text, .. } = &whole.contents[0] else { panic!("no text") };
    assert_eq!(*text, log());
}

#[tokio::test]
async fn passages_share_a_budget_and_are_read_back() {
    let client = start(server(&Engine::new(Store::memory()), "/".as_ref()), ()).await;
    let passage = |n: usize| {
        let filler: String =
            (0..20).map(|m| format!("Step {m} of chapter {n} is as dull as the one before it. ")).collect();
        if n == 3 { filler + "The spare key hangs behind the clock." } else { filler }
    };
    let chunks: Vec<_> = (0..6).map(|n| json!({"id": format!("book.md#{n}"), "text": passage(n)})).collect();
    let asked = json!({"chunks": chunks, "query": "where is the spare key?", "budget": 300});
    let result = client.call_tool(call("compress_rag_chunks", asked)).await.unwrap();
    let shown = text(&result);
    assert!(shown.starts_with("[6 passages: ") && shown.contains("The spare key hangs behind the clock."), "{shown}");
    assert!(headroom_tokens::Tokenizer::O200k.count(shown) < 330, "{shown}");
    let handle = &shown[shown.rfind("hr_").unwrap()..];
    let handle = &handle[..handle.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap()];
    let back = call("retrieve_original_content", json!({"content_id": handle, "pattern": "Step 7 of chapter 5"}));
    assert!(text(&client.call_tool(back).await.unwrap()).contains("Step 7 of chapter 5"));

    let twice =
        client.call_tool(call("compress_rag_chunks", json!({"chunks": [passage(1), passage(1)]}))).await.unwrap();
    assert!(text(&twice).contains("nothing is left out") && text(&twice).contains("[all of this stands in 1]"));
    let none = client.call_tool(call("compress_rag_chunks", json!({"chunks": []}))).await.unwrap();
    assert!(none.is_error == Some(true) && text(&none).contains("at least one"), "{none:?}");
}

#[tokio::test]
async fn what_is_looked_for_in_a_file_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let function = |name: &str| {
        format!(
            "def {name}(cart, limit):\n    total = sum(line.price for line in cart.lines)\n    return min(total, limit)  # {name}\n\n\n"
        )
    };
    let code: String = (0..60).map(|n| function(&format!("step_{n}"))).collect();
    std::fs::write(folder.path().join("cart.py"), code + &function("checkout")).unwrap();
    let client = start(server(&Engine::new(Store::memory()), folder.path()), ()).await;
    let asked = json!({"path": "cart.py", "method": "code:python", "focus": "checkout"});
    let result = client.call_tool(call("compress_file", asked)).await.unwrap();
    let shown = text(&result);
    assert!(shown.contains("return min(total, limit)  # checkout") && !shown.contains("# step_3"), "{shown}");
}

#[tokio::test]
async fn an_output_too_long_for_one_answer_goes_on_under_a_handle() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing here repeats, so that the output is as long as the input.
    let line =
        |n: u64| format!("{:x} {:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    let long: String = (1..6000).map(line).collect();
    std::fs::write(folder.path().join("noise.txt"), &long).unwrap();
    let client = start(server(&Engine::new(Store::memory()), folder.path()), ()).await;

    let first =
        client.call_tool(call("compress_file", json!({"path": "noise.txt", "method": "lossless"}))).await.unwrap();
    let ContentBlock::ResourceLink(link) = &first.content[1] else { panic!("no link") };
    let shown = text(&first).split_once('\n').unwrap().1;
    let (page, mark) = shown.trim_end().rsplit_once('\n').unwrap();
    let number = mark.rsplit("offset ").next().unwrap().trim_end_matches(']');
    let mut offset: usize = number.parse().unwrap();
    let mut read = format!("{page}\n");
    assert_eq!(read.chars().count(), offset);
    while offset < long.len() {
        let arguments = json!({"content_id": link.name, "offset": offset, "limit": 30_000});
        let answer = client.call_tool(call("retrieve_original_content", arguments)).await.unwrap();
        let page = text(&answer);
        let page = page.rfind("\n[characters ").map_or(page, |end| &page[..end]);
        offset += page.chars().count();
        read.push_str(page);
    }
    assert!(read == long, "{} of {}", read.len(), long.len());
}

#[tokio::test]
async fn the_roots_of_the_client_are_respected() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["shared", "private"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("f.txt"), "hello\n").unwrap();
    }
    let roots = vec![format!("file://{}", folder.path().join("shared").display())];
    let client = start(server(&Engine::new(Store::memory()), folder.path()), Client { roots }).await;
    let read = async |path: String| client.call_tool(call("compress_file", json!({"path": path}))).await.unwrap();
    let inside = read(folder.path().join("shared/f.txt").display().to_string()).await;
    assert!(text(&inside).ends_with("hello\n"), "{}", text(&inside));
    for path in ["private/f.txt", "shared/../private/f.txt"] {
        let outside = read(folder.path().join(path).display().to_string()).await;
        assert_eq!(outside.is_error, Some(true));
        assert!(text(&outside).contains("outside what may be read"), "{}", text(&outside));
    }
}

#[tokio::test]
async fn mistakes_are_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bytes"), [0xff, 0xfe, 0]).unwrap();
    let client = start(server(&Engine::new(Store::memory()), folder.path()), ()).await;
    for (tool, arguments, said) in [
        ("compress_file", json!({}), "missing field `path`"),
        ("compress_file", json!({"path": "bytes", "metod": "auto"}), "Did you mean method?"),
        ("compress_file", json!({"path": "bytes", "method": "zip"}), "use auto or lossless"),
        ("compress_file", json!({"path": "bytes"}), "is not UTF-8 text"),
        ("compress_file", json!({"path": "."}), "is not a file"),
        ("compress_file", json!({"path": 7}), "invalid type"),
        ("compress_command_output", json!({"output": 1}), "invalid type"),
        ("search_memory", json!({}), "query is missing"),
        ("remember", json!({"text": " "}), "text is empty"),
        ("remember", json!({"text": "x".repeat(2001)}), "say it shorter"),
        ("forget", json!({"note": "x"}), "invalid type"),
        ("retrieve_original_content", json!({}), "content_id is missing"),
        ("retrieve_original_content", json!({"content_id": "hr_0000000000"}), ""),
    ] {
        let answer = client.call_tool(call(tool, &arguments)).await.unwrap();
        assert_eq!(answer.is_error, Some(true), "{tool} {arguments}");
        assert!(text(&answer).contains(said), "{tool} {arguments}: {}", text(&answer));
    }
    let error = client.call_tool(call("compress", json!({}))).await.unwrap_err().to_string();
    assert!(error.contains("the tools are: compress_file"), "{error}");
}

#[tokio::test]
async fn it_serves_over_http_and_refuses_pages_of_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(Store::memory());
    let serving = |directories: Vec<std::path::PathBuf>| {
        let engine = engine.clone();
        move || Server::new(engine.clone(), Scope::default(), directories.clone())
    };
    let open = headroom_mcp::serve_http("0.0.0.0:0".parse().unwrap(), serving(vec![])).await;
    assert!(open.err().unwrap().to_string().contains("refusing to listen"));
    let (addr, serving) =
        headroom_mcp::serve_http("127.0.0.1:0".parse().unwrap(), serving(vec![folder.path().to_owned()]))
            .await
            .unwrap();
    let serving = tokio::spawn(serving);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}).to_string();
    for (headers, status) in [("", "200"), ("origin: https://evil.example\r\n", "403")] {
        let answer = post(addr, headers, &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    serving.abort();
}

async fn post(addr: std::net::SocketAddr, headers: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// A client with a name of its own, without roots.
struct Named(&'static str);

impl ClientHandler for Named {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new(self.0, "1"))
    }
}

fn repository(folder: &std::path::Path, remote: &str) {
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::write(folder.join(".git/config"), format!("[remote \"origin\"]\n\turl = {remote}\n")).unwrap();
}

/// What one agent reads in its clone another finds in its own, with who, when and whether the file still is the same.
#[tokio::test]
async fn what_one_agent_met_another_finds_and_notes_are_kept_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for clone in [&one, &two] {
        repository(clone, "git@github.com:acme/tool.git");
        std::fs::write(clone.join("app.log"), log()).unwrap();
    }
    let engine = Engine::new(Store::memory());
    let codex = start(server(&engine, &one), Named("codex-mcp-client")).await;
    let claude = start(server(&engine, &two), Named("claude-code")).await;
    codex.call_tool(call("compress_file", json!({"path": "app.log"}))).await.unwrap();
    let found = claude.call_tool(call("search_memory", json!({"query": "disk failed"}))).await.unwrap();
    let shown = text(&found);
    assert!(shown.starts_with(headroom::memory::shown::HEADING), "{shown}");
    assert!(
        shown.contains(" app.log, ") && shown.contains("seen by codex 2") && shown.contains("unchanged since"),
        "{shown}"
    );
    assert!(shown.contains("\n> 201: 2026-01-05T10:03:20Z ERROR worker-3"), "{shown}");
    claude.call_tool(call("compress_file", json!({"path": "app.log"}))).await.unwrap();
    std::fs::write(two.join("app.log"), "rotated\n").unwrap();
    let again = claude.call_tool(call("search_memory", json!({"query": "disk failed"}))).await.unwrap();
    assert!(text(&again).contains("by claude 2") && text(&again).contains("has changed since"), "{}", text(&again));

    let kept =
        codex.call_tool(call("remember", json!({"text": "CI needs make, not ninja", "topic": "build"}))).await.unwrap();
    assert_eq!(text(&kept), "Kept as note 1.");
    let known = claude
        .call_tool(call("remember", json!({"text": "CI needs  make, not ninja", "topic": "Build"})))
        .await
        .unwrap();
    assert_eq!(text(&known), "It was known: note 1, now said 2 times.");
    let notes = claude.call_tool(call("recall", json!({}))).await.unwrap();
    assert!(
        text(&notes).contains("note 1 about build, said by codex 2") && text(&notes).contains("\n> CI needs make"),
        "{}",
        text(&notes)
    );
    assert!(
        text(&claude.call_tool(call("search_memory", json!({"query": "ninja"}))).await.unwrap()).contains("> CI needs")
    );
    assert_eq!(text(&claude.call_tool(call("forget", json!({"note": 1}))).await.unwrap()), "Note 1 is gone.");
    let gone = claude.call_tool(call("forget", json!({"note": 1}))).await.unwrap();
    assert_eq!(gone.is_error, Some(true));
}

/// T104: every memory tool, from directories that belong to no workspace, or to several things.
#[tokio::test]
async fn without_a_workspace_no_memory_tool_reads_or_writes() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    repository(&home, "https://github.com/me/dotfiles");
    std::fs::create_dir_all(home.join("plain")).unwrap();
    std::fs::create_dir_all(folder.path().join("outside")).unwrap();
    let engine = Engine::new(Store::memory());
    let servers = [
        server(&engine, &folder.path().join("outside")),
        server(&engine, "/nonexistent".as_ref()),
        server(&engine, "/".as_ref()),
        server(&engine, &home.join("plain")).at_home(Some(home.clone())),
        Server::new(engine.clone(), Scope::default(), vec![]),
    ];
    for server in servers {
        let client = start(server, Named("codex-mcp-client")).await;
        for (tool, arguments) in [
            ("search_memory", json!({"query": "x"})),
            ("remember", json!({"text": "a fact"})),
            ("recall", json!({})),
            ("forget", json!({"note": 1})),
        ] {
            let answer = client.call_tool(call(tool, &arguments)).await.unwrap();
            assert!(answer.is_error == Some(true) && text(&answer).contains("Nothing was read or written"), "{tool}");
        }
        client.call_tool(call("compress_command_output", json!({"output": log()}))).await.unwrap();
    }
    assert_eq!(engine.store().holdings().unwrap().originals, 1, "it was kept, but met nowhere");
    let dotfiles = headroom_store::Workspace::of("github.com/me/dotfiles").unwrap();
    assert_eq!(engine.memory(&Scope::default(), dotfiles, None).list(9, 0).unwrap(), []);
}

/// Two clients of one engine share what is kept: a handle from one is redeemed by the other.
#[tokio::test]
async fn handles_are_shared_by_all_who_share_the_store() {
    let engine = Engine::new(Store::memory());
    let handle = engine.keep(&Scope::default(), "line one\nline two\n").unwrap();
    let client = start(Server::new(engine, Scope::default(), vec![]), ()).await;
    let back = client
        .call_tool(call("retrieve_original_content", json!({"content_id": handle.to_string(), "pattern": "two"})))
        .await
        .unwrap();
    assert!(text(&back).contains("line two"), "{}", text(&back));
    let _ = Arc::new(client);
}

/// T073: a mark that a model hands to a tool is refused, but for the tool that reads what marks stand for.
#[tokio::test]
async fn marks_are_no_content() {
    let engine = Engine::new(Store::memory());
    let handle = engine.keep(&Scope::default(), "line one\nline two\n").unwrap();
    let client = start(Server::new(engine, Scope::default(), vec![]), ()).await;
    let marked = |handle: &str| format!("{}[-1 of 2 lines; all in {handle}]", log());
    for (tool, arguments) in [
        ("compress_command_output", json!({"output": marked(&handle.to_string())})),
        ("compress_rag_chunks", json!({"chunks": ["a", {"id": 1, "text": marked(&handle.to_string())}]})),
        ("remember", json!({"text": format!("see [layout changed; original in {handle}]")})),
    ] {
        let answer = client.call_tool(call(tool, &arguments)).await.unwrap();
        assert!(
            answer.is_error == Some(true) && text(&answer).contains("must not be written"),
            "{tool}: {}",
            text(&answer)
        );
    }
    let foreign = json!({"output": marked("hr_4k2m9x7qw3")});
    assert_ne!(client.call_tool(call("compress_command_output", foreign)).await.unwrap().is_error, Some(true));
    let asked = json!({"content_id": format!("[-1 of 2 lines; all in {handle}]")});
    let answer = client.call_tool(call("retrieve_original_content", asked)).await.unwrap();
    assert!(!text(&answer).contains("must not be written"), "{}", text(&answer));
}

/// Settings by kind of text hold here as in the proxy.
#[tokio::test]
async fn settings_by_kind_are_kept() {
    let kinds = headroom::Kinds::from_json(&json!({"log": {"enabled": false}}), "compression").unwrap();
    let engine = Engine::new(Store::memory());
    let plain = start(Server::new(engine.clone(), Scope::default(), vec![]), ()).await;
    let set = start(Server::new(engine, Scope::default(), vec![]).with_kinds(kinds), ()).await;
    let arguments = json!({"output": log()});
    let shorter = plain.call_tool(call("compress_command_output", &arguments)).await.unwrap();
    let same = set.call_tool(call("compress_command_output", &arguments)).await.unwrap();
    assert!(text(&shorter).len() * 4 < log().len() && text(&same).ends_with(&log()), "{}", text(&same));
}
