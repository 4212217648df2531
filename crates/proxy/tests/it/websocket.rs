//! Connections that become WebSockets: responses asked for in messages, and everything else byte for byte.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use headroom::{Mode, Policy};
use headroom_proxy::{Config, Token};
use headroom_testkit::http::{Client, Reply, Upstream, request};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use crate::common::{Pair, handle_in, pair, pair_with, rows};

const TOOL: &str = headroom_wire::TOOL_NAME;

type Socket = WebSocketStream<TcpStream>;

/// Where a scripted provider listens, and the handshakes it was sent.
struct Provider {
    base: String,
    handshakes: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

/// A provider that agrees to every handshake and then does with the connection what the script says.
async fn provider<S, F>(script: S) -> Provider
where
    S: Fn(Socket) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let handshakes = Arc::<Mutex<Vec<_>>>::default();
    let known = Arc::clone(&handshakes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            #[allow(clippy::result_large_err)] // The library's own type.
            let note = |request: &Request<()>, response| {
                known.lock().unwrap().push((request.uri().to_string(), request.headers().clone()));
                Ok(response)
            };
            let socket = accept_hdr_async(stream, note).await.unwrap();
            tokio::spawn(script(socket));
        }
    });
    Provider { base, handshakes }
}

/// A proxy in front of it.
async fn before(base: &str, change: impl FnOnce(&mut Config)) -> Pair {
    pair_with(Upstream::start(vec![]).await, |config| {
        config.upstreams.openai = base.to_owned();
        change(config);
    })
    .await
}

/// A client's handshake.
fn handshake(pair: &Pair, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get(format!("ws://{}{path}", pair.addr()))
        .header("host", pair.addr().to_string())
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// A client's connection.
async fn connect(pair: &Pair, path: &str, headers: &[(&str, &str)]) -> Result<Socket, Error> {
    let stream = TcpStream::connect(pair.addr()).await.unwrap();
    Ok(client_async(handshake(pair, path, headers), stream).await?.0)
}

async fn open(pair: &Pair) -> Socket {
    connect(pair, "/v1/responses", &[("authorization", "Bearer key")]).await.unwrap()
}

/// A request with instructions long enough that the retrieval tool is worth offering.
fn create(input: &Value, extra: &Value) -> Value {
    let mut body = json!({
        "type": "response.create",
        "model": "gpt-5",
        "store": false,
        "instructions": "You are an operator. ".repeat(1500),
        "tools": [{"type": "function", "name": "shell", "parameters": {"type": "object"}}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body["input"] = input.clone();
    body
}

fn opening(result: &str) -> Value {
    json!([
        {"role": "user", "content": [{"type": "input_text", "text": "Which service has failed?"}]},
        {"type": "function_call", "call_id": "call_a", "name": "shell", "arguments": "{\"command\":[\"svc\",\"list\"]}"},
        {"type": "function_call_output", "call_id": "call_a", "output": result},
    ])
}

fn words(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
}

/// The messages of one response.
fn events(id: &str, items: &[Value]) -> Vec<Value> {
    let mut events = vec![json!({"type": "response.created", "response": {"id": id, "output": []}})];
    for (index, item) in items.iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    let usage = json!({"input_tokens": 9, "output_tokens": 4, "total_tokens": 13});
    let response = json!({"id": id, "status": "completed", "store": false, "output": items, "usage": usage});
    events.push(json!({"type": "response.completed", "response": response}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    events
}

async fn say(socket: &mut Socket, events: Vec<Value>) {
    for event in events {
        socket.send(Message::text(event.to_string())).await.unwrap();
    }
}

/// The next text as JSON. Fails when none comes in five seconds.
async fn hear(socket: &mut Socket) -> Value {
    loop {
        match timeout(Duration::from_secs(5), socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("not a text: {other:?}"),
        }
    }
}

/// The messages up to the end of a response.
async fn response(socket: &mut Socket) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        events.push(hear(socket).await);
        let kind = events.last().unwrap()["type"].as_str().unwrap();
        if matches!(kind, "response.completed" | "error") {
            return events;
        }
    }
}

/// How the other side takes leave.
async fn farewell(socket: &mut Socket) -> Option<CloseFrame> {
    loop {
        match timeout(Duration::from_secs(5), socket.next()).await.expect("an end in time") {
            Some(Ok(Message::Close(word))) => return word,
            Some(Ok(_)) => {}
            other => panic!("no word of leave: {other:?}"),
        }
    }
}

/// T051, T108: requests are shortened, a retrieval is answered inside the response, and the connection's own history has it.
#[tokio::test]
async fn responses_asked_for_in_messages_go_through_the_engine() {
    let seen = Arc::<Mutex<Vec<Value>>>::default();
    let asked = Arc::clone(&seen);
    let provider = provider(move |mut socket| {
        let asked = Arc::clone(&asked);
        async move {
            let first = hear(&mut socket).await;
            let handle = handle_in(&first.to_string()).expect("a handle");
            let arguments = json!({"content_id": handle, "pattern": "service-123"}).to_string();
            let call =
                json!({"type": "function_call", "id": "fc_r", "call_id": "call_r", "name": TOOL, "arguments": arguments});
            asked.lock().unwrap().push(first);
            // Not a part of any response.
            say(&mut socket, vec![json!({"type": "codex.rate_limits", "plan_type": "plus"})]).await;
            say(&mut socket, events("resp_1", &[words("Looking. "), call])).await;
            let continued = hear(&mut socket).await;
            asked.lock().unwrap().push(continued);
            say(&mut socket, events("resp_2", &[words("It runs.")])).await;
            let second = hear(&mut socket).await;
            asked.lock().unwrap().push(second);
            say(&mut socket, events("resp_3", &[words("You are welcome.")])).await;
            farewell(&mut socket).await;
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let headers = [
        ("authorization", "Bearer chatgpt-login"),
        ("chatgpt-account-id", "acc-1"),
        ("openai-beta", "responses_websockets=2026-02-06"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    let mut client = connect(&pair, "/backend-api/codex/responses", &headers).await.unwrap();
    client.send(Message::text(create(&opening(&rows(400)), &json!({})).to_string())).await.unwrap();
    let shown = response(&mut client).await;
    let said = json!(shown).to_string();
    assert!(!said.contains("call_r") && !said.contains(TOOL) && !said.contains("resp_2"), "{said}");
    let count = |kind: &str| shown.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((count("response.created"), count("response.completed"), count("codex.rate_limits")), (1, 1, 1));
    let last = &shown.last().unwrap()["response"];
    assert_eq!((&last["id"], &last["output"]), (&json!("resp_1"), &json!([words("Looking. "), words("It runs.")])));

    let thanks = json!([{"role": "user", "content": "thanks"}]);
    client.send(Message::text(create(&thanks, &json!({"previous_response_id": "resp_1"})).to_string())).await.unwrap();
    assert_eq!(response(&mut client).await.last().unwrap()["response"]["id"], "resp_3");
    client.close(None).await.unwrap();

    let asked = seen.lock().unwrap().clone();
    assert!(asked[0].to_string().len() < rows(400).len(), "the long result was shortened");
    assert_eq!(asked[0]["tools"][1]["name"], TOOL);
    assert_eq!((&asked[1]["previous_response_id"], &asked[1]["type"]), (&json!("resp_1"), &json!("response.create")));
    assert!(asked[1]["input"][0]["output"].as_str().unwrap().contains("service-123"));
    assert_eq!(asked[1]["input"].as_array().unwrap().len(), 1);
    assert_eq!((&asked[2]["previous_response_id"], &asked[2]["input"]), (&json!("resp_2"), &thanks));
    assert_eq!(asked[2]["tools"], asked[0]["tools"]);
    {
        let handshakes = provider.handshakes.lock().unwrap();
        let (path, sent) = &handshakes[0];
        assert_eq!(path, "/backend-api/codex/responses");
        for (name, value) in &headers[..3] {
            assert_eq!(sent[*name], *value);
        }
        assert!(!sent.contains_key("sec-websocket-extensions"), "compressed messages could not be read");
    }
    let receipts = pair.receipts(2).await;
    let first = receipts.iter().find(|receipt| receipt.retrievals == 1).expect("the retrieval is charged");
    assert_eq!(
        (first.dialect.as_str(), first.status, first.usage.unwrap().output_tokens),
        ("openai-responses", 200, 8)
    );
    assert!(receipts.iter().all(|receipt| !receipt.cut_off && receipt.unread.is_empty()));
}

/// T073: what a model copies from what it was shown reaches no tool as a mark.
#[tokio::test]
async fn a_mark_that_a_model_writes_on_a_connection_is_refused() {
    let provider = provider(|mut socket| async move {
        let first = hear(&mut socket).await;
        let shown = first["input"][2]["output"].as_str().unwrap().to_owned();
        let call = |arguments: &str| json!({"type": "function_call", "id": "fc_w", "call_id": "call_w", "name": "shell", "arguments": arguments});
        let arguments = json!({"command": shown}).to_string();
        let mut script = events("resp_1", &[call("")]);
        script[2]["item"] = call(&arguments);
        script[3]["response"]["output"][0] = call(&arguments);
        let middle = arguments.char_indices().map(|(at, _)| at).nth(arguments.chars().count() / 2).unwrap();
        for part in [&arguments[..middle], &arguments[middle..]] {
            let at = script.len() - 2;
            script.insert(at, json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_w", "delta": part}));
        }
        say(&mut socket, script).await;
        farewell(&mut socket).await;
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    client.send(Message::text(create(&opening(&rows(400)), &json!({})).to_string())).await.unwrap();
    let shown = response(&mut client).await;
    let streamed: String = shown.iter().filter_map(|event| event["delta"].as_str()).collect();
    let done = shown.iter().find(|event| event["type"] == "response.output_item.done").unwrap();
    for arguments in [streamed.as_str(), done["item"]["arguments"].as_str().unwrap()] {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert!(arguments["headroom_refused"].as_str().unwrap().contains("must not be written"), "{arguments}");
        assert!(arguments["command"].is_null(), "{arguments}");
    }
    client.close(None).await.unwrap();
}

/// T051
#[tokio::test]
async fn pieces_bytes_and_pings_arrive_as_they_were_meant() {
    let provider = provider(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                // What came in pieces, back in pieces.
                Message::Text(text) => {
                    let (a, b) = text.as_bytes().split_at(text.len() / 2);
                    let piece = |bytes: &[u8], code, last| {
                        Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(code), last))
                    };
                    socket.send(piece(a, Data::Text, false)).await.unwrap();
                    socket.send(Message::Ping(vec![1].into())).await.unwrap();
                    socket.send(piece(b, Data::Continue, true)).await.unwrap();
                }
                Message::Binary(bytes) => socket.send(Message::Binary(bytes)).await.unwrap(),
                Message::Close(_) => return,
                _ => {}
            }
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    // In the middle of a character.
    let text = "{\"type\":\"future.event\",\"é\":\"é and more\"}".as_bytes();
    for (at, byte) in text.iter().enumerate() {
        let code = if at == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![*byte], OpCode::Data(code), at + 1 == text.len());
        client.send(Message::Frame(frame)).await.unwrap();
        if at == 7 {
            client.send(Message::Ping(b"alive?".to_vec().into())).await.unwrap();
        }
    }
    assert!(matches!(client.next().await, Some(Ok(Message::Pong(payload))) if payload.as_ref() == b"alive?"));
    let back = loop {
        match client.next().await.unwrap().unwrap() {
            Message::Text(back) => break back,
            other => assert!(other.is_ping() || other.is_pong(), "{other:?}"),
        }
    };
    assert_eq!(back.as_bytes(), text);
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    client.send(Message::Binary(bytes.clone().into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Binary(bytes.into()));
}

/// T051: each side hears the other's last word.
#[tokio::test]
async fn the_reasons_for_an_end_are_passed_on() {
    let heard = Arc::<Mutex<Vec<_>>>::default();
    let known = Arc::clone(&heard);
    let provider = provider(move |mut socket| {
        let known = Arc::clone(&known);
        async move {
            if let Some(Ok(Message::Text(_))) = socket.next().await {
                let word = CloseFrame { code: CloseCode::Policy, reason: "no more".into() };
                socket.close(Some(word)).await.unwrap();
            } else {
                return;
            }
            while let Some(Ok(message)) = socket.next().await {
                known.lock().unwrap().push(message);
            }
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    client.send(Message::text("{}")).await.unwrap();
    let word = farewell(&mut client).await.unwrap();
    assert_eq!((word.code, word.reason.as_str()), (CloseCode::Policy, "no more"));

    let told = Arc::<Mutex<Option<CloseFrame>>>::default();
    let known = Arc::clone(&told);
    let provider = self::provider(move |mut socket| {
        let known = Arc::clone(&known);
        async move { *known.lock().unwrap() = farewell(&mut socket).await }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    client.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).await.unwrap();
    while let Some(Ok(_)) = client.next().await {}
    tokio::time::sleep(Duration::from_millis(100)).await;
    let word = told.lock().unwrap().clone().unwrap();
    assert_eq!((word.code, word.reason.as_str()), (CloseCode::Away, "bye"));
}

/// T051: what a provider says to a handshake is what the client hears; where there is no WebSocket it is told so in the way that makes it go
/// on without.
#[tokio::test]
async fn refused_handshakes_are_passed_on() {
    for (said, heard) in
        [(401, 401), (403, 403), (429, 429), (503, 503), (404, 426), (405, 426), (501, 426), (200, 426), (426, 426)]
    {
        let pair = pair(vec![Reply::json(said, "{\"error\":\"theirs\"}").with("retry-after", "7")]).await;
        let Err(Error::Http(answer)) = connect(&pair, "/v1/responses", &[]).await else {
            panic!("no refusal of {said}")
        };
        assert_eq!(answer.status().as_u16(), heard);
        assert_eq!(answer.headers().contains_key("retry-after"), said == heard && said != 426);
        let received = &pair.upstream.received()[0];
        assert_eq!((received.method.as_str(), received.header("upgrade")), ("GET", Some("websocket")));
        // Then the client asks the ordinary way.
        assert_eq!(pair.post("/v1/responses", "{}").await.status, 599);
    }
    // Elsewhere nothing is made of it.
    let pair = pair(vec![Reply::json(404, "theirs")]).await;
    let Err(Error::Http(answer)) = connect(&pair, "/v1/realtime?model=m", &[]).await else { panic!("no refusal") };
    assert_eq!(answer.status().as_u16(), 404);
}

/// T051
#[tokio::test]
async fn a_provider_that_does_not_answer_a_handshake_is_given_up() {
    let silent = Upstream::start(vec![Reply::json(200, "{}").after(Duration::from_secs(60))]).await;
    let pair = pair_with(silent, |config| config.connect_timeout = Duration::from_millis(200)).await;
    let begun = Instant::now();
    let Err(Error::Http(answer)) = connect(&pair, "/v1/responses", &[]).await else { panic!("no refusal") };
    assert_eq!(answer.status().as_u16(), 504);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let nobody = before("http://127.0.0.1:9", |_| {}).await;
    let Err(Error::Http(answer)) = connect(&nobody, "/v1/responses", &[]).await else { panic!("no refusal") };
    assert_eq!(answer.status().as_u16(), 502);
}

/// T051, T097, T099: the same gate as in front of everything else.
#[tokio::test]
async fn no_websocket_opens_without_the_token_or_for_a_page() {
    let provider = provider(|_| async {}).await;
    let pair = before(&provider.base, |config| config.token = Some(Token::new("open-sesame"))).await;
    for path in ["/v1/responses", "/backend-api/codex/responses", "/v1/realtime", "/v1/live", "/any"] {
        let Err(Error::Http(answer)) = connect(&pair, path, &[]).await else { panic!("{path} is open") };
        assert_eq!(answer.status().as_u16(), 401, "{path}");
        let page = [("x-headroom-token", "open-sesame"), ("origin", "https://evil.example")];
        let Err(Error::Http(answer)) = connect(&pair, path, &page).await else { panic!("{path} is open") };
        assert_eq!(answer.status().as_u16(), 403, "{path}");
    }
    assert!(provider.handshakes.lock().unwrap().is_empty());
    for path in ["/v1/responses", "/v1/live"] {
        connect(&pair, path, &[("x-headroom-token", "open-sesame")]).await.unwrap();
    }
    for (_, headers) in provider.handshakes.lock().unwrap().iter() {
        assert!(!headers.contains_key("x-headroom-token"));
    }
}

/// A provider that agrees and then sends back every byte, whatever it is.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let extensions = head.contains("sec-websocket-extensions: permessage-deflate");
                let answer = format!(
                    "HTTP/1.1 101 Fine\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-extensions: {extensions}\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    base
}

/// T051, invariant 7: voice, and whatever is to be left alone.
#[tokio::test]
async fn other_connections_pass_byte_for_byte() {
    let base = echo().await;
    let standard = before(&base, |_| {}).await;
    let off = before(&base, |config| config.policy = Policy::of(Mode::Off)).await;
    let bypass = [("x-headroom-bypass", "1")];
    // No frames of any WebSocket.
    let bytes: Vec<u8> = (0..=255).rev().cycle().take(300_000).collect();
    for (pair, path, more) in [
        (&standard, "/v1/live", &[][..]),
        (&standard, "/v1/realtime?model=m", &[]),
        (&standard, "/v1/responses", &bypass),
        (&off, "/v1/responses", &[]),
    ] {
        let mut headers = vec![
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        headers.extend(more);
        let mut stream = TcpStream::connect(pair.addr()).await.unwrap();
        stream.write_all(&request(pair.addr(), "GET", path, &headers, b"")).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("x-extensions: true"), "{path}: {head}");
        let (mut from, mut to) = stream.split();
        let sent = bytes.clone();
        let write = async move {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let mut back = Vec::new();
        let (_, read) = tokio::join!(write, timeout(Duration::from_secs(10), from.read_to_end(&mut back)));
        read.expect("an end in time").unwrap();
        assert!(back == bytes, "{path}: {} of {} bytes came back", back.len(), bytes.len());
    }
}

/// T051: the client's own bytes are what the provider judges in the end.
#[tokio::test]
async fn a_changed_request_that_is_refused_is_sent_as_it_came() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let asked = Arc::clone(&seen);
    let provider = provider(move |mut socket| {
        let asked = Arc::clone(&asked);
        async move {
            while let Some(Ok(Message::Text(text))) = socket.next().await {
                let refused = text.contains("hr_");
                asked.lock().unwrap().push(text.to_string());
                let events = match refused {
                    true => vec![json!({"type": "error", "status": 400, "error": {"message": "no"}})],
                    false => events("resp_1", &[words("Fine.")]),
                };
                say(&mut socket, events).await;
            }
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    let body = create(&opening(&rows(400)), &json!({})).to_string();
    for _ in 0..2 {
        client.send(Message::text(body.clone())).await.unwrap();
        assert_eq!(response(&mut client).await.last().unwrap()["type"], "response.completed");
    }
    let asked = seen.lock().unwrap().clone();
    assert_eq!(asked.len(), 3, "a refusal is remembered");
    assert!(asked[0].contains("hr_") && asked[1] == body);
    let receipts = pair.receipts(2).await;
    assert_eq!(receipts.iter().filter(|receipt| receipt.replayed_original).count(), 1);

    // A refusal of the client's own bytes is the client's to hear.
    let own = json!({"type": "response.create", "model": "m", "input": "hr_ is in it"}).to_string();
    client.send(Message::text(own)).await.unwrap();
    let heard = response(&mut client).await;
    assert_eq!((&heard[0]["type"], &heard[0]["status"]), (&json!("error"), &json!(400)));
    assert!(pair.receipts(3).await.iter().any(|receipt| receipt.status == 400));
}

/// T051: the drop of either side.
#[tokio::test]
async fn when_one_side_is_gone_the_other_learns_it_at_once() {
    let gone = Arc::<Mutex<Option<Instant>>>::default();
    let known = Arc::clone(&gone);
    let provider = provider(move |mut socket| {
        let known = Arc::clone(&known);
        async move {
            hear(&mut socket).await;
            say(&mut socket, vec![json!({"type": "response.created", "response": {"id": "resp_1"}})]).await;
            while let Some(Ok(_)) = socket.next().await {}
            *known.lock().unwrap() = Some(Instant::now());
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    client.send(Message::text(create(&opening(&rows(400)), &json!({})).to_string())).await.unwrap();
    hear(&mut client).await;
    let left = Instant::now();
    drop(client);
    let receipts = pair.receipts(1).await;
    assert!(receipts[0].cut_off);
    let known = gone.lock().unwrap().expect("the provider is told");
    assert!(known.duration_since(left) < Duration::from_millis(250), "{:?}", known.duration_since(left));

    let provider = self::provider(|mut socket| async move {
        hear(&mut socket).await;
        say(&mut socket, vec![json!({"type": "response.created", "response": {"id": "resp_1"}})]).await;
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    client.send(Message::text(create(&opening(&rows(400)), &json!({})).to_string())).await.unwrap();
    hear(&mut client).await;
    assert_eq!(farewell(&mut client).await.unwrap().code, CloseCode::Error);
    assert!(pair.receipts(1).await[0].cut_off);
}

/// T051
#[tokio::test]
async fn a_message_beyond_the_bound_ends_the_connection_with_the_reason() {
    let provider = provider(|mut socket| async move { while let Some(Ok(_)) = socket.next().await {} }).await;
    let pair = before(&provider.base, |config| config.max_body_bytes = 10_000).await;
    let mut client = open(&pair).await;
    client.send(Message::text("x".repeat(10_000))).await.unwrap();
    // As one frame, and in pieces that are each within it.
    client.send(Message::text("x".repeat(10_001))).await.unwrap();
    assert_eq!(farewell(&mut client).await.unwrap().code, CloseCode::Size);
    let mut client = open(&pair).await;
    let piece = |code, last| Message::Frame(Frame::message(vec![b'x'; 6_000], OpCode::Data(code), last));
    client.send(piece(Data::Text, false)).await.unwrap();
    client.send(piece(Data::Continue, true)).await.unwrap();
    assert_eq!(farewell(&mut client).await.unwrap().code, CloseCode::Size);
}

/// T051: a side that does not read is not read for, and one that writes all the time does not keep the other from being heard.
#[tokio::test]
async fn a_slow_client_slows_the_provider_and_nobody_waits_for_himself() {
    let sent = Arc::new(Mutex::new(0_usize));
    let known = Arc::clone(&sent);
    let provider = provider(move |socket| {
        let known = Arc::clone(&known);
        async move {
            let (mut to, mut from) = socket.split();
            let write = async {
                loop {
                    to.send(Message::Binary(vec![7; 64 << 10].into())).await.unwrap();
                    *known.lock().unwrap() += 64 << 10;
                }
            };
            let read = async { while let Some(Ok(_)) = from.next().await {} };
            tokio::select! { () = write => {}, () = read => {} }
        }
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut client = open(&pair).await;
    // Reads nothing while it writes 8 MB: they go through although nothing can come back.
    for _ in 0..128 {
        let message = Message::Binary(vec![8; 64 << 10].into());
        timeout(Duration::from_secs(5), client.send(message)).await.expect("the way up is free").unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stuck = *sent.lock().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let later = *sent.lock().unwrap();
    assert_eq!(stuck, later, "the provider waits for the client");
    assert!(stuck < 32 << 20, "{stuck} bytes are held in between");
    for _ in 0..200 {
        let message = timeout(Duration::from_secs(5), client.next()).await.expect("the way down is free");
        assert!(message.unwrap().unwrap().is_binary());
    }
}

/// Draining: what is under way is finished, what is idle is told to go.
#[tokio::test]
async fn a_proxy_that_stops_lets_a_response_finish() {
    let provider = provider(|mut socket| async move {
        hear(&mut socket).await;
        let mut events = events("resp_1", &[words("Fine.")]);
        let last = events.pop().unwrap();
        say(&mut socket, events).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        say(&mut socket, vec![last]).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let pair = before(&provider.base, |_| {}).await;
    let mut busy = open(&pair).await;
    let mut idle = open(&pair).await;
    busy.send(Message::text(create(&opening(&rows(400)), &json!({})).to_string())).await.unwrap();
    hear(&mut busy).await;
    let engine = pair.engine.clone();
    let stopping = tokio::spawn(pair.proxy.shutdown());
    assert_eq!(farewell(&mut idle).await.unwrap().code, CloseCode::Away);
    assert_eq!(response(&mut busy).await.last().unwrap()["type"], "response.completed");
    assert_eq!(farewell(&mut busy).await.unwrap().code, CloseCode::Away);
    timeout(Duration::from_secs(5), stopping).await.expect("it stops").unwrap();
    let receipts = engine.receipts(&headroom_store::Scope::default(), 0).unwrap();
    assert!(receipts.len() == 1 && !receipts[0].cut_off, "the receipt is filed before it stops");
}

/// A client that offers HTTP/2 gets its answer in HTTP/1.1, as before.
#[tokio::test]
async fn an_offer_of_another_http_is_ignored() {
    let pair = pair(vec![Reply::json(200, "1"), Reply::json(200, "2")]).await;
    let offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")];
    assert_eq!(pair.send("GET", "/v1/models", &offer, b"").await.text(), "1");
    assert_eq!(pair.send("POST", "/v1/responses", &offer, b"{\"model\":\"m\",\"input\":\"x\"}").await.text(), "2");
    let mut client = Client::connect(pair.addr()).await;
    client.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    assert_eq!(client.read(false).await.status, 200);
}
