//! How numbers and texts are stored: signed, and compressed where that makes them smaller.

/// Texts from this many bytes on are compressed with zstd.
const ZSTD_FROM: usize = 256;

/// zstd's own default; higher levels cost more time than the disk they save is worth.
const ZSTD_LEVEL: i32 = 3;

/// Databases count with signed numbers; a clock beyond the year 292 million is not worth an error.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Compresses when that makes it smaller; says whether it did.
pub(crate) fn pack(bytes: &[u8]) -> (bool, Vec<u8>) {
    if bytes.len() >= ZSTD_FROM
        && let Ok(packed) = zstd::bulk::compress(bytes, ZSTD_LEVEL)
        && packed.len() < bytes.len()
    {
        return (true, packed);
    }
    (false, bytes.to_vec())
}

/// Undoes [`pack`]; `None` when the bytes are damaged or longer than `limit`.
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
