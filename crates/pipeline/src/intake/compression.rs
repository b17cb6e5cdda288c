//! Decompression that stops at a limit, whatever the compressed bytes promise.

use super::room::{Buffer, Room};
use super::{Reason, Refusal, too_large};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// The largest window that zstd may ask for, as a power of two: 8 MiB, what decoders must support.
const ZSTD_WINDOW: u32 = 23;

/// Bytes decompressed at a time.
const CHUNK: usize = 32 << 10;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

impl Compression {
    /// Reads a `Content-Encoding` or `grpc-encoding`.
    ///
    /// # Errors
    /// When it is none that we know.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" | "zlib" => Ok(Self::Deflate),
            "zstd" => Ok(Self::Zstd),
            other => {
                let shown: String = other.chars().take(40).collect();
                let message = format!(
                    "the content encoding {shown:?} is not known; use gzip, deflate, zstd or identity"
                );
                Err(Refusal::new(Reason::UnknownCompression, message))
            }
        }
    }

    /// The plain bytes, at most `limit` of them, and no more than there is room for.
    ///
    /// # Errors
    /// When there are more, or the bytes are not compressed in this way.
    pub fn decompress(self, bytes: Bytes, limit: usize, room: &mut Room) -> Result<Bytes, Refusal> {
        let input = &bytes[..];
        match self {
            Self::Identity if input.len() > limit => Err(too_large(limit)),
            Self::Identity => Ok(bytes),
            Self::Gzip => read(MultiGzDecoder::new(input), "gzip", limit, room),
            Self::Deflate if has_zlib_header(input) => read(ZlibDecoder::new(input), "deflate", limit, room),
            Self::Deflate => read(DeflateDecoder::new(input), "deflate", limit, room),
            Self::Zstd => {
                let unreadable = |error: std::io::Error| broken("zstd", &error);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(unreadable)?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(unreadable)?;
                read(decoder, "zstd", limit, room)
            }
        }
    }
}

/// "deflate" should have zlib's header (method 8, and a check that makes it a multiple of 31); some senders leave it out.
fn has_zlib_header(input: &[u8]) -> bool {
    let [method, flags, ..] = input else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
}

fn broken(name: &str, error: &std::io::Error) -> Refusal {
    let message = format!("the body is not {name}, though its content encoding says so: {error}");
    Refusal::new(Reason::Invalid, message)
}

fn read(mut decoder: impl Read, name: &str, limit: usize, room: &mut Room) -> Result<Bytes, Refusal> {
    let mut plain = Buffer::new(room, limit, 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => return Ok(plain.finish()),
            Ok(length) => plain.extend(chunk.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(name, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::{Room, pool};
    use super::{Compression, Reason, Refusal};
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::{any, proptest};
    use std::io::Write;

    const ALL: [Compression; 4] =
        [Compression::Identity, Compression::Gzip, Compression::Deflate, Compression::Zstd];

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decompress(compression: Compression, data: Vec<u8>, limit: usize) -> Result<Vec<u8>, Refusal> {
        let mut room = Room::of(&pool(4 << 20));
        compression.decompress(data.into(), limit, &mut room).map(|plain| plain.to_vec())
    }

    #[test]
    fn each_way_is_undone() {
        let data = b"clew ".repeat(1_000);
        let mut zlib = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&data).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&data).unwrap();
        let twice = [gzip(&data[..2_000]), gzip(&data[2_000..])].concat();
        for (compression, compressed) in [
            (Compression::Gzip, gzip(&data)),
            (Compression::Gzip, twice),
            (Compression::Deflate, zlib.finish().unwrap()),
            (Compression::Deflate, raw.finish().unwrap()),
            (Compression::Zstd, zstd::encode_all(&data[..], 3).unwrap()),
            (Compression::Identity, data.clone()),
        ] {
            assert_eq!(decompress(compression, compressed, 10_000).unwrap(), data, "{compression:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let data = b"clew ".repeat(1_000);
        for (compression, compressed) in
            [(Compression::Gzip, gzip(&data)), (Compression::Zstd, zstd::encode_all(&data[..], 3).unwrap())]
        {
            let half = compressed[..compressed.len() / 2].to_vec();
            let refusal = decompress(compression, half, 10_000).unwrap_err();
            assert_eq!(refusal.reason, Reason::Invalid, "{compression:?}: {}", refusal.message);
        }
    }

    #[test]
    fn bombs_stop_at_the_limit_and_at_the_room() {
        let zeros = vec![0; 64 << 20];
        for (compression, bomb) in
            [(Compression::Gzip, gzip(&zeros)), (Compression::Zstd, zstd::encode_all(&zeros[..], 3).unwrap())]
        {
            assert!(bomb.len() < 1 << 20);
            assert_eq!(decompress(compression, bomb.clone(), 1 << 20).unwrap_err().reason, Reason::TooLarge);
            assert_eq!(decompress(compression, bomb, 64 << 20).unwrap_err().reason, Reason::Busy);
        }
    }

    #[test]
    fn a_window_larger_than_decoders_must_support_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[1; 1_000]).unwrap();
        let refusal = decompress(Compression::Zstd, encoder.finish().unwrap(), 10_000).unwrap_err();
        assert_eq!(refusal.reason, Reason::Invalid);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for compression in ALL {
                let plain = decompress(compression, bytes.clone(), 1_000);
                assert!(plain.map_or(0, |plain| plain.len()) <= 1_000);
            }
        }
    }
}
