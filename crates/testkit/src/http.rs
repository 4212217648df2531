//! HTTP/1.1 by hand, for tests that must control every byte: a scripted upstream and a client that reports when each byte came.
//!
//! Everything panics on trouble of its own, as test tools should; what the peer does is reported, not judged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// `POST`.
    pub method: String,
    /// Path and query as written.
    pub target: String,
    /// Names (in lower case) and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

impl Received {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to send, in order.
#[derive(Clone, Debug)]
pub enum Piece {
    /// These bytes, in one write.
    Bytes(Vec<u8>),
    /// Nothing, for this long.
    Pause(Duration),
    /// The connection ends here, in the middle of the body.
    Cut,
}

/// One scripted answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers besides the framing.
    pub headers: Vec<(String, String)>,
    /// Nothing is sent, not even the head, for this long.
    pub delay: Duration,
    /// The body.
    pub pieces: Vec<Piece>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::of(status, "application/json", vec![Piece::Bytes(body.into().into_bytes())])
    }

    /// A stream, each event in a write of its own.
    pub fn sse(stream: &str) -> Self {
        let pieces = stream.split_inclusive("\n\n").map(|event| Piece::Bytes(event.as_bytes().to_vec()));
        Self::of(200, "text/event-stream", pieces.collect())
    }

    /// An answer of pieces.
    pub fn of(status: u16, content_type: &str, pieces: Vec<Piece>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, delay: Duration::ZERO, pieces }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same after a silence.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

type Script = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// A server that answers by script and remembers what it was sent.
pub struct Upstream {
    addr: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    received: Mutex<Vec<Received>>,
    written: Mutex<Vec<Instant>>,
    hung_up: Mutex<Vec<Instant>>,
}

impl Upstream {
    /// Gives these answers, one a request; after the last, status 599.
    pub async fn start(replies: Vec<Reply>) -> Self {
        let replies = Mutex::new(VecDeque::from(replies));
        Self::answering(move |_| lock(&replies).pop_front().unwrap_or_else(|| Reply::json(599, "no reply is left")))
            .await
    }

    /// Answers by a function of the request.
    pub async fn answering(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let log = Arc::new(Log::default());
        let (script, shared): (Script, _) = (Arc::new(script), Arc::clone(&log));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&script), Arc::clone(&shared)));
            }
        });
        Self { addr, log }
    }

    /// Base address for a client's configuration.
    pub fn base(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.log.received).clone()
    }

    /// When each piece of a body was written.
    pub fn written(&self) -> Vec<Instant> {
        lock(&self.log.written).clone()
    }

    /// When clients went away in the middle of an answer.
    pub fn hung_up(&self) -> Vec<Instant> {
        lock(&self.log.hung_up).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn converse(mut stream: TcpStream, script: Script, log: Arc<Log>) {
    stream.set_nodelay(true).expect("a TCP option");
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        lock(&log.received).push(request.clone());
        let reply = script(&request);
        if !wait(&mut stream, reply.delay, &log).await {
            return;
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
        reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        let bodiless = request.method == "HEAD" || reply.status == 204;
        head += if bodiless { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" };
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        if bodiless {
            continue;
        }
        for piece in reply.pieces {
            match piece {
                Piece::Pause(pause) => {
                    if !wait(&mut stream, pause, &log).await {
                        return;
                    }
                }
                Piece::Cut => return,
                Piece::Bytes(bytes) => {
                    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                    lock(&log.written).push(Instant::now());
                    if stream.write_all(&chunk).await.is_err() {
                        lock(&log.hung_up).push(Instant::now());
                        return;
                    }
                }
            }
        }
        if stream.write_all(b"0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

/// Waits, and notices when the client goes away meanwhile.
async fn wait(stream: &mut TcpStream, pause: Duration, log: &Log) -> bool {
    if pause.is_zero() {
        return true; // The timer's own step would be a millisecond.
    }
    let mut byte = [0];
    match tokio::time::timeout(pause, stream.peek(&mut byte)).await {
        Ok(Ok(0) | Err(_)) => {
            lock(&log.hung_up).push(Instant::now());
            false
        }
        // A pipelined request, or the pause is over.
        _ => true,
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let head = read_head(stream, buffer).await?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let mut request = Received {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers: headers(lines),
        body: Vec::new(),
    };
    request.body = read_body(stream, buffer, &request.headers, false).await?;
    Some(request)
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            return Some(head);
        }
        more(stream, buffer).await?;
    }
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    lines.filter_map(header).collect()
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let length = stream.read_buf(buffer).await.ok()?;
    (length > 0).then_some(())
}

/// Reads a body by its framing; without any it is empty, or with `to_end` everything up to the end of the connection.
async fn read_body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    headers: &[(String, String)],
    to_end: bool,
) -> Option<Vec<u8>> {
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        let mut body = Vec::new();
        loop {
            let line = read_line(stream, buffer).await?;
            let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            while buffer.len() < length + 2 {
                more(stream, buffer).await?;
            }
            body.extend(buffer.drain(..length));
            buffer.drain(..2);
            if length == 0 {
                return Some(body);
            }
        }
    }
    if let Some(length) = header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        return Some(buffer.drain(..length).collect());
    }
    if to_end {
        while more(stream, buffer).await.is_some() {}
        return Some(std::mem::take(buffer));
    }
    Some(Vec::new())
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Some(line);
        }
        more(stream, buffer).await?;
    }
}

/// An answer as a client saw it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Names (in lower case) and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding, as far as it came.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub complete: bool,
    /// When each read brought something of the body, and how much of the body was there then.
    pub arrivals: Vec<(Instant, usize)>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A client's connection.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("a listening server");
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream }
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("an open connection");
    }

    /// Reads what is there now, at most `time` long.
    pub async fn peek(&mut self, time: Duration) -> String {
        let mut buffer = Vec::new();
        let _ = tokio::time::timeout(time, self.stream.read_buf(&mut buffer)).await;
        String::from_utf8_lossy(&buffer).into_owned()
    }

    /// Reads one answer. An interim answer (100) is skipped.
    pub async fn read(&mut self, head_only: bool) -> Answer {
        let mut buffer = Vec::new();
        let mut answer = Answer::default();
        loop {
            let Some(head) = read_head(&mut self.stream, &mut buffer).await else { return answer };
            let mut lines = head.split("\r\n");
            let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
            answer.status = status.unwrap_or(0);
            answer.headers = headers(lines);
            if answer.status != 100 {
                break;
            }
        }
        answer.complete = true;
        if head_only || answer.status == 204 {
            return answer;
        }
        if answer.header("transfer-encoding").is_none() {
            let body = read_body(&mut self.stream, &mut buffer, &answer.headers, true).await;
            answer.complete = body.is_some();
            answer.body = body.unwrap_or(buffer);
            return answer;
        }
        loop {
            let Some(line) = read_line(&mut self.stream, &mut buffer).await else { break };
            let Ok(length) = usize::from_str_radix(line.trim(), 16) else { break };
            while buffer.len() < length + 2 {
                if more(&mut self.stream, &mut buffer).await.is_none() {
                    answer.complete = false;
                    return answer;
                }
            }
            if length == 0 {
                return answer;
            }
            answer.body.extend(buffer.drain(..length));
            buffer.drain(..2);
            answer.arrivals.push((Instant::now(), answer.body.len()));
        }
        answer.complete = false;
        answer
    }
}

/// Sends one request on a connection of its own and reads the answer. `Host` and `Content-Length` are added unless given.
pub async fn send(addr: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut client = Client::connect(addr).await;
    client.write(&request(addr, method, target, headers, body)).await;
    client.read(method == "HEAD").await
}

/// The bytes of a request.
pub fn request(addr: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let given = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !given("host") {
        head += &format!("host: {addr}\r\n");
    }
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    if !given("content-length") && !given("transfer-encoding") && (!body.is_empty() || method == "POST") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
