//! The first bytes of a connection: enough of them to know what it speaks, put back before it is served.

use std::io::{Cursor, Result};
use tokio::io::{AsyncRead, AsyncReadExt, Chain, Join, join};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// What every HTTP/2 connection starts with.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a TLS handshake starts with: its type and the first half of its version.
const TLS: &[u8] = &[0x16, 0x03];

/// What a connection speaks.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// HTTP of either version, or nothing known; with the bytes read so far.
    Http(Vec<u8>),
    Tls,
    /// It was closed without a byte.
    Left,
}

/// A connection whose first bytes are read again.
pub type Rejoined = Join<Chain<Cursor<Vec<u8>>, OwnedReadHalf>, OwnedWriteHalf>;

/// Reads until it is clear what the connection speaks. The caller bounds the time: this is all that a sender can do to
/// keep a connection undecided.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Opening> {
    let mut first = Vec::with_capacity(HTTP_2.len());
    let undecided = |first: &[u8]| {
        first.len() < HTTP_2.len() && (HTTP_2.starts_with(first) || TLS.starts_with(first) && first != TLS)
    };
    while undecided(&first) {
        let missing = HTTP_2.len() - first.len();
        // No more than is missing is read, so that `first` never grows past the preface.
        let read = (&mut *stream).take(missing as u64).read_buf(&mut first).await?;
        if read == 0 {
            break;
        }
    }
    Ok(match first {
        first if first.is_empty() => Opening::Left,
        first if first.starts_with(TLS) => Opening::Tls,
        first => Opening::Http(first),
    })
}

/// The connection from its first byte on.
pub fn rejoin(first: Vec<u8>, stream: TcpStream) -> Rejoined {
    let (reader, writer) = stream.into_split();
    join(Cursor::new(first).chain(reader), writer)
}

#[cfg(test)]
mod tests {
    use super::{Opening, read};
    use tokio::io::{AsyncRead, AsyncReadExt};

    /// A stream that gives its bytes in the given pieces.
    fn stream(pieces: &'static [&'static [u8]]) -> Box<dyn AsyncRead + Unpin> {
        pieces.iter().fold(Box::new(tokio::io::empty()), |before, piece| Box::new(before.chain(*piece)))
    }

    #[tokio::test]
    async fn protocols_are_told_apart() {
        let check = async |pieces: &'static [&'static [u8]], expect: Opening| {
            assert_eq!(read(&mut stream(pieces)).await.unwrap(), expect, "{pieces:?}");
        };
        check(&[], Opening::Left).await;
        check(&[b"\x16", b"\x03\x01\x02\x00"], Opening::Tls).await;
        check(&[b"\x16", b"\x04"], Opening::Http(b"\x16\x04".to_vec())).await;
        check(&[b"P", b"OST / HTTP/1.1\r\n"], Opening::Http(b"POST / HTTP/1.1\r\n".to_vec())).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        check(&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\nmore"], Opening::Http(preface)).await;
    }
}
