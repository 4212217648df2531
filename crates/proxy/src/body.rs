//! Request bodies: reading them within bounds, and undoing their content encodings.

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::passing::Passing;
use crate::prepare::Unread;
use crate::refusal::Refusal;
use crate::room::Room;

/// Encodings on top of each other that are undone. Nobody sends more than two.
const MAX_LAYERS: usize = 4;

/// A zstd window of 128 MiB, the largest a decoder has to support; a frame that asks for more counts as corrupt.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The body of a request, as far as it is worth reading.
pub(crate) enum Taken {
    /// All of it, and the room it takes.
    Whole(Bytes, Room),
    /// It is too long to be read, or there is no room for it now: the body is passed on as it comes.
    Unread(Passing, Unread),
}

/// Reads a whole body where it is within `limit` bytes and there is room for it; otherwise gives it back to be passed on. `pause` bounds
/// how long nothing may come.
pub(crate) async fn take(
    body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    pause: Duration,
    room: Room,
) -> Result<Taken, Refusal> {
    let mut gathered = Gathered { announced: announced(headers), ..Gathered::default() };
    if gathered.announced.is_some_and(|length| length > limit) {
        return Ok(Taken::Unread(Passing::new([], body, room), Unread::TooLarge));
    }
    let mut body = body;
    while let Some(data) = next(&mut body, pause).await? {
        let length = gathered.len() + data.len();
        let why = if length > limit {
            Unread::TooLarge
        } else if room.fits(length) {
            gathered.add(data);
            continue;
        } else {
            Unread::NoRoom
        };
        return Ok(Taken::Unread(Passing::new([gathered.into_bytes(), data], body, room), why));
    }
    Ok(Taken::Whole(gathered.into_bytes(), room))
}

/// Reads a whole body, within `limit` bytes and with no pause longer than `pause`.
pub(crate) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    pause: Duration,
) -> Result<Bytes, Refusal> {
    let mut gathered = Gathered { announced: announced(headers), ..Gathered::default() };
    if gathered.announced.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge);
    }
    while let Some(data) = next(&mut body, pause).await? {
        if gathered.len() + data.len() > limit {
            return Err(Refusal::TooLarge);
        }
        gathered.add(data);
    }
    Ok(gathered.into_bytes())
}

/// The length that the client has announced.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The next piece of a body; `None` at its end.
async fn next(body: &mut Incoming, pause: Duration) -> Result<Option<Bytes>, Refusal> {
    loop {
        match tokio::time::timeout(pause, body.frame()).await {
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Refusal::BadBody),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The pieces of a body. Most come in one, which is then not copied.
#[derive(Default)]
struct Gathered {
    announced: Option<usize>,
    first: Bytes,
    joined: BytesMut,
}

impl Gathered {
    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn add(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if !self.first.is_empty() {
            // What is announced is believed only up to a bound, so that a lie costs little memory.
            self.joined.reserve(self.announced.unwrap_or(0).min(1 << 20).max(self.first.len() + data.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&data);
    }

    fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}

/// A body that can be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Its bytes without any encoding.
    Plain(Bytes),
    /// Its encoding is unknown or broken: it is passed on as it came.
    Opaque,
}

/// Undoes the content encodings of a body. Errors only when it grows past `limit`.
pub(crate) fn decode(headers: &HeaderMap, body: &Bytes, limit: usize) -> Result<Decoded, Refusal> {
    let mut layers = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let Ok(value) = value.to_str() else { return Ok(Decoded::Opaque) };
        layers.extend(value.split(',').map(|layer| layer.trim().to_ascii_lowercase()));
    }
    layers.retain(|layer| !layer.is_empty() && layer != "identity");
    if layers.len() > MAX_LAYERS {
        return Ok(Decoded::Opaque);
    }
    let mut plain = body.clone();
    for layer in layers.iter().rev() {
        let read = match layer.as_str() {
            "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(plain.as_ref()), limit),
            // "deflate" is zlib by the standard and raw by some senders.
            "deflate" => match bounded(flate2::read::ZlibDecoder::new(plain.as_ref()), limit) {
                Ok(None) => bounded(flate2::read::DeflateDecoder::new(plain.as_ref()), limit),
                other => other,
            },
            "br" => bounded(brotli::Decompressor::new(plain.as_ref(), 64 << 10), limit),
            "zstd" => match zstd::stream::read::Decoder::with_buffer(plain.as_ref()) {
                Ok(mut decoder) => {
                    // Refused only for values outside what the library supports.
                    let _ = decoder.window_log_max(ZSTD_WINDOW_LOG);
                    bounded(decoder, limit)
                }
                Err(_) => Ok(None),
            },
            _ => Ok(None),
        };
        match read? {
            Some(bytes) => plain = bytes,
            None => return Ok(Decoded::Opaque),
        }
    }
    Ok(Decoded::Plain(plain))
}

/// Reads to the end. `None` when the encoding is broken; an error past `limit` bytes, of which no more are ever held.
fn bounded(mut reader: impl Read, limit: usize) -> Result<Option<Bytes>, Refusal> {
    let mut plain = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(Some(plain.into())),
            Ok(length) if plain.len() + length > limit => return Err(Refusal::TooLarge),
            Ok(length) => plain.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8], zlib: bool) -> Vec<u8> {
        let level = flate2::Compression::fast();
        if zlib {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        } else {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }

    fn br(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorWriter::new(&mut out, 4096, 1, 20).write_all(bytes).unwrap();
        out
    }

    fn zst(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn check(encoding: &str, body: Vec<u8>) -> Result<Decoded, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        decode(&headers, &body.into(), 1 << 20)
    }

    /// T047
    #[test]
    fn every_encoding_and_stacks_of_them_are_undone() {
        let text = br#"{"messages":[]}"#;
        let plain = Ok(Decoded::Plain(Bytes::from_static(text)));
        assert_eq!(check("identity", text.to_vec()), plain);
        assert_eq!(check("gzip", gzip(text)), plain);
        assert_eq!(check("x-gzip", gzip(text)), plain);
        assert_eq!(check("deflate", deflate(text, true)), plain);
        assert_eq!(check("deflate", deflate(text, false)), plain);
        assert_eq!(check("BR", br(text)), plain);
        assert_eq!(check("zstd", zst(text)), plain);
        assert_eq!(check("gzip, zstd", zst(&gzip(text))), plain);
        assert_eq!(check("br,gzip , identity", gzip(&br(text))), plain);
        assert_eq!(check("gzip, gzip, gzip, gzip, gzip", gzip(text)), Ok(Decoded::Opaque));
    }

    /// T047
    #[test]
    fn what_is_broken_or_unknown_is_opaque() {
        let mut cut = zst(&[7; 5000]);
        cut.truncate(cut.len() - 3);
        assert_eq!(check("zstd", cut), Ok(Decoded::Opaque));
        assert_eq!(check("zstd", b"no zstd at all".to_vec()), Ok(Decoded::Opaque));
        assert_eq!(check("gzip", b"no gzip".to_vec()), Ok(Decoded::Opaque));
        assert_eq!(check("snappy", b"x".to_vec()), Ok(Decoded::Opaque));
    }

    /// T047
    #[test]
    fn a_bomb_is_refused_without_being_held() {
        let zeros = vec![0; 64 << 20];
        for (encoding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zst(&zeros)), ("zstd, gzip", gzip(&zst(&zeros)))] {
            assert!(bomb.len() < 1 << 20);
            assert_eq!(check(encoding, bomb), Err(Refusal::TooLarge), "{encoding}");
        }
    }
}
