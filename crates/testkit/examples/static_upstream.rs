//! A provider that costs nothing, for measurements: it reads each request whole and writes a fixed answer.
//!
//! `static_upstream ADDRESS` says on stdout where it listens. A body with `"stream":true` near its beginning or its end gets an event
//! stream of 14 events in 14 chunks, any other a small JSON message.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    let (json, stream) = (json_answer(), stream_answer());
    for connection in listener.incoming() {
        let (connection, json, stream) = (connection?, json.clone(), stream.clone());
        // A client that goes away ends its thread with an error that is nobody's.
        std::thread::spawn(move || drop(serve(connection, &json, &stream)));
    }
    Ok(())
}

fn serve(mut connection: TcpStream, json: &[u8], stream: &[u8]) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, connection.try_clone()?);
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                _ => {}
            }
        }
        let mut start = vec![0; NEAR.min(length)];
        reader.read_exact(&mut start)?;
        let mut end = vec![0; NEAR.min(length - start.len())];
        std::io::copy(&mut reader.by_ref().take((length - start.len() - end.len()) as u64), &mut std::io::sink())?;
        reader.read_exact(&mut end)?;
        connection.write_all(if asks_for_a_stream(&[start, end].concat()) { stream } else { json })?;
    }
}

/// How far from either end a body is read.
const NEAR: usize = 200;

fn asks_for_a_stream(body: &[u8]) -> bool {
    [&b"\"stream\":true"[..], b"\"stream\": true"]
        .iter()
        .any(|member| body.windows(member.len()).any(|at| at == *member))
}

fn json_answer() -> Vec<u8> {
    let body = r#"{"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn stream_answer() -> Vec<u8> {
    let begun = r#"{"type":"message_start","message":{"id":"msg","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a few words of text "}}"#;
    let closed = r#"{"type":"content_block_stop","index":0}"#;
    let stopped = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20}}"#;
    let events = [("message_start", begun), ("content_block_start", block)]
        .into_iter()
        .chain([("content_block_delta", delta); 9])
        .chain([
            ("content_block_stop", closed),
            ("message_delta", stopped),
            ("message_stop", r#"{"type":"message_stop"}"#),
        ]);
    let mut answer =
        String::from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    for (name, data) in events {
        let event = format!("event: {name}\ndata: {data}\n\n");
        answer.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
    answer.push_str("0\r\n\r\n");
    answer.into_bytes()
}
