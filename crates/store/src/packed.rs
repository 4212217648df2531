//! How numbers and texts are stored: signed, and compressed where that makes them smaller.

use std::cell::RefCell;

use zstd::bulk::Compressor;

/// Texts from this many bytes on are compressed with zstd.
const ZSTD_FROM: usize = 256;

/// On tool results of 4 to 40 KB level 3 leaves 19.5 % and level 1 leaves 19.9 %, in three quarters of the time.
const ZSTD_LEVEL: i32 = 1;

/// Databases count with signed numbers; a clock beyond the year 292 million is not worth an error.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Bytes as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Whether they are compressed.
    pub(crate) zstd: bool,
    pub(crate) data: Vec<u8>,
}

impl Packed {
    /// Compresses when that makes it smaller.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        thread_local! {
            // To make a compressor takes as long as to compress a few kilobytes.
            static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
        }
        let compress =
            |compressor: &RefCell<Option<Compressor<'static>>>| compressor.borrow_mut().as_mut()?.compress(bytes).ok();
        let packed = if bytes.len() >= ZSTD_FROM { COMPRESSOR.with(compress) } else { None };
        match packed.filter(|packed| packed.len() < bytes.len()) {
            Some(data) => Self { zstd: true, data },
            None => Self { zstd: false, data: bytes.to_vec() },
        }
    }
}

/// Undoes [`Packed::of`]; `None` when the bytes are damaged or longer than `limit`.
pub(crate) fn unpack_bytes(data: &[u8], zstd: bool, limit: usize) -> Option<Vec<u8>> {
    if !zstd {
        return Some(data.to_vec());
    }
    let length = zstd::zstd_safe::get_frame_content_size(data).ok().flatten()?;
    let length = usize::try_from(length).ok().filter(|length| *length <= limit)?;
    zstd::bulk::decompress(data, length).ok()
}

pub(crate) fn unpack(data: &[u8], zstd: bool, length: usize) -> Option<String> {
    let bytes = unpack_bytes(data, zstd, length)?;
    String::from_utf8(bytes).ok().filter(|text| text.len() == length)
}
