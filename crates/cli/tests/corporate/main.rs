//! T052: in a company's network, behind a proxy that opens TLS with an authority of its own.
//!
//! The proxy and its settings come from the environment, which is a process's own: the tests start the real command.
//! Elsewhere than on Linux trusted authorities come from the system alone.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const REQUEST: &str = r#"{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":3,"output_tokens":2}}"#;

/// `headroom proxy`, running.
struct Headroom {
    child: Child,
    addr: String,
}

impl Headroom {
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
        command.args(["proxy", "--listen", "127.0.0.1:0", "--store", "memory"]).args(arguments);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.envs(environment.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let addr = said.find_map(|line| Some(line.split_once("listening on http://")?.1.split(' ').next()?.to_owned()));
        // What it says from then on is read, so that it never waits for a reader.
        thread::spawn(move || said.for_each(drop));
        Self { child, addr: addr.expect("an address") }
    }

    /// Asks for a completion; gives status line and body.
    fn ask(&self) -> (String, String) {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!("POST /v1/messages HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.addr);
        write!(stream, "{head}content-length: {}\r\n\r\n{REQUEST}", REQUEST.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }
}

impl Drop for Headroom {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one request and gives the answer.
fn serve(stream: &mut (impl Read + Write)) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&request).ends_with(REQUEST) {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        request.push(byte[0]);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    let _ = stream.flush();
    String::from_utf8_lossy(&request).into_owned()
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corporate").join(name);
    path.to_str().unwrap().to_owned()
}

/// A company's proxy: opens the TLS of whoever connects through it, with a certificate of its own authority. Says which tunnels were asked
/// for, and what came through them.
fn inspecting_proxy() -> (SocketAddr, Receiver<String>) {
    let chain = vec![CertificateDer::from_pem_file(fixture("leaf.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(fixture("leaf.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let (listener, addr) = listen();
    let (say, said) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut byte = [0];
            while !head.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(char::from(byte[0]));
            }
            let _ = say.send(head.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            let mut inside = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let _ = say.send(serve(&mut inside));
        }
    });
    (addr, said)
}

/// T052
#[test]
fn a_proxy_that_opens_tls_is_used_where_its_authority_is_trusted() {
    let (company, said) = inspecting_proxy();
    let proxy = format!("http://{company}");
    let authority = fixture("authority.pem");
    let trusted = [("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", authority.as_str())];
    let (status, body) = Headroom::start(&[], &trusted).ask();
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ANSWER));
    assert_eq!(said.recv().unwrap(), "CONNECT api.anthropic.com:443 HTTP/1.1");
    let inside = said.recv().unwrap();
    assert!(inside.starts_with("POST /v1/messages HTTP/1.1\r\n") && inside.ends_with(REQUEST), "{inside}");
    // Without that authority the same proxy is an impostor, and nothing is sent through it.
    let (status, body) = Headroom::start(&[], &trusted[..1]).ask();
    assert!(status.contains("502") && body.contains("cannot be reached"), "{status} {body}");
    assert!(said.recv().unwrap().starts_with("CONNECT"));
    assert_eq!(said.recv().unwrap(), "", "not a byte of the request");
}

/// T052
#[test]
fn no_proxy_keeps_local_addresses_out_of_the_proxy() {
    let (listener, upstream) = listen();
    thread::spawn(move || listener.incoming().for_each(|stream| drop(serve(&mut stream.unwrap()))));
    let (closed, nobody) = listen();
    drop(closed);
    let (upstream, nobody) = (format!("http://{upstream}"), format!("http://{nobody}"));
    let arguments = ["--anthropic-upstream", upstream.as_str()];
    let around = [("HTTP_PROXY", nobody.as_str()), ("NO_PROXY", "localhost,127.0.0.1")];
    assert_eq!(Headroom::start(&arguments, &around).ask().1, ANSWER);
    let (status, _) = Headroom::start(&arguments, &around[..1]).ask();
    assert!(status.contains("502"), "without it the proxy is asked: {status}");
}
