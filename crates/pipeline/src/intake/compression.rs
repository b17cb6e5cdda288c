//! Decompression that stops at a limit, whatever the compressed bytes promise.

use super::{Reason, Refusal};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// The largest window that zstd may ask for, as a power of two: 8 MiB, what decoders must support.
const ZSTD_WINDOW: u32 = 23;

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
                Err(Refusal::new(Reason::Invalid, message))
            }
        }
    }

    /// The plain bytes, at most `limit` of them.
    ///
    /// # Errors
    /// When there are more, or the bytes are not compressed in this way.
    pub fn decompress(self, bytes: Bytes, limit: usize) -> Result<Bytes, Refusal> {
        let input = &bytes[..];
        match self {
            Self::Identity if input.len() > limit => Err(too_large(limit)),
            Self::Identity => Ok(bytes),
            Self::Gzip => read(MultiGzDecoder::new(input), limit, "gzip"),
            // "deflate" should have zlib's header (its first byte's low half is 8); some send none.
            Self::Deflate if input.first().is_some_and(|first| first & 0x0f == 8) => {
                read(ZlibDecoder::new(input), limit, "deflate")
            }
            Self::Deflate => read(DeflateDecoder::new(input), limit, "deflate"),
            Self::Zstd => {
                let unreadable = |error: std::io::Error| broken("zstd", &error);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(unreadable)?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(unreadable)?;
                read(decoder, limit, "zstd")
            }
        }
    }
}

/// The refusal of a body over the limit.
pub fn too_large(limit: usize) -> Refusal {
    let message = format!(
        "the request has more than {limit} bytes uncompressed; send smaller batches or raise limits.request-bytes"
    );
    Refusal::new(Reason::TooLarge, message)
}

fn broken(name: &str, error: &std::io::Error) -> Refusal {
    let message = format!("the body is not {name}, though its content encoding says so: {error}");
    Refusal::new(Reason::Invalid, message)
}

fn read(decoder: impl Read, limit: usize, name: &str) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let ceiling = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(ceiling).read_to_end(&mut plain).map_err(|error| broken(name, &error))?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(plain.into()) }
}

#[cfg(test)]
mod tests {
    use super::{Compression, Reason};
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

    #[test]
    fn each_way_is_undone() {
        let data = b"clew ".repeat(1_000);
        let mut zlib = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&data).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&data).unwrap();
        for (compression, compressed) in [
            (Compression::Gzip, gzip(&data)),
            (Compression::Deflate, zlib.finish().unwrap()),
            (Compression::Deflate, raw.finish().unwrap()),
            (Compression::Zstd, zstd::encode_all(&data[..], 3).unwrap()),
            (Compression::Identity, data.clone()),
        ] {
            assert_eq!(compression.decompress(compressed.into(), 10_000).unwrap(), data);
        }
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for (compression, bomb) in
            [(Compression::Gzip, gzip(&zeros)), (Compression::Zstd, zstd::encode_all(&zeros[..], 3).unwrap())]
        {
            assert!(bomb.len() < 1 << 20);
            assert_eq!(compression.decompress(bomb.into(), 1 << 20).unwrap_err().reason, Reason::TooLarge);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for compression in ALL {
                drop(compression.decompress(bytes.clone().into(), 1_000));
            }
        }
    }
}
