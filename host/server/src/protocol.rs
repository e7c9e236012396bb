//! The versions of HTTP that a connection may use, and how each is served. The first bytes show which one it is.

use std::io::Result;

use bytes::BytesMut;
use http::Version;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::watch;

use super::Allowance;
use super::stall::Streams;

/// How a client begins that uses HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that the first read may take.
const FIRST_READ: usize = 8 << 10;
/// The most bytes of a body that one read takes, and that wait to be written. A connection begins with much less, and
/// gets here if its reads fill what they have.
const BODY_READ: usize = 128 << 10;

/// Serves connections.
pub(super) struct Protocols {
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<Streams>,
}

impl Protocols {
    pub(super) fn new(allowance: &Allowance, final_poll: watch::Receiver<bool>) -> Self {
        let mut http1 = http1::Builder::new();
        // `Activity` keeps the timeouts of heads and idle connections, for every version of HTTP.
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(allowance.header_bytes)
            .max_buf_size(allowance.header_bytes.max(BODY_READ));
        let mut http2 = http2::Builder::new(Streams { send_timeout: allowance.send_timeout, final_poll });
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(allowance.ping.0)
            .keep_alive_timeout(allowance.ping.1)
            .max_header_list_size(u32::try_from(allowance.header_bytes).unwrap_or(u32::MAX));
        Self { http1, http2 }
    }
}

/// Reads as much of a connection as shows its version. Also returns the bytes read, which belong to the first request.
pub(super) async fn version(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Version, BytesMut)> {
    let mut read = BytesMut::with_capacity(FIRST_READ);
    loop {
        let ended = stream.read_buf(&mut read).await? == 0;
        let seen = read.len().min(PREFACE.len());
        if ended || read[..seen] != PREFACE[..seen] {
            return Ok((Version::HTTP_11, read));
        }
        if seen == PREFACE.len() {
            return Ok((Version::HTTP_2, read));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn detected(piece: &[u8]) -> (Version, BytesMut) {
        let (mut client, mut stream) = tokio::io::duplex(4);
        let piece = piece.to_vec();
        // What is left of it waits until the stream is dropped.
        tokio::spawn(async move { client.write_all(&piece).await });
        version(&mut stream).await.unwrap()
    }

    #[tokio::test]
    async fn a_version_shows_in_as_little_as_differs_and_what_was_read_is_returned() {
        assert_eq!(detected(b"GET / HTTP/1.1\r\n").await, (Version::HTTP_11, BytesMut::from("GET ")));
        assert_eq!(detected(PREFACE).await, (Version::HTTP_2, BytesMut::from(PREFACE)));
        assert_eq!(detected(b"PRI * HTTP/1.1").await.0, Version::HTTP_11);
        for nothing_more in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n"] {
            assert_eq!(detected(nothing_more).await, (Version::HTTP_11, BytesMut::from(nothing_more)));
        }
    }
}
