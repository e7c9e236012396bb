//! HTTP/2 written by hand, as both sides have it: every frame can be sent, right or wrong.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::soon;

/// How a client begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub const DATA: u8 = 0;
/// The head of a message, or its trailers.
pub const HEADERS: u8 = 1;
/// Takes a stream back.
pub const RESET: u8 = 3;
/// What a side is able to do.
pub const SETTINGS: u8 = 4;
/// Asks whether the other side is there.
pub const PING: u8 = 6;
/// Ends the connection.
pub const GO_AWAY: u8 = 7;
/// Gives the other side room to write.
pub const WINDOW: u8 = 8;
/// The rest of a head.
pub const CONTINUATION: u8 = 9;

/// The stream's last frame of this side; also marks an answer to settings or a ping.
pub const END_STREAM: u8 = 1;
/// The head's last frame.
pub const END_HEADERS: u8 = 4;
/// The frame has padding.
pub const PADDED: u8 = 8;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header whose name is this number of the table; neither side keeps it.
pub fn header(name: u8, value: &str) -> Vec<u8> {
    // Four bits of the first byte are for the number.
    let name: &[u8] = if name < 15 { &[name] } else { &[15, name - 15] };
    [name, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

/// A header of this name; neither side keeps it.
pub fn named(name: &str, value: &str) -> Vec<u8> {
    [&[0, u8::try_from(name.len()).unwrap()], name.as_bytes(), &header(0, value)[1..]].concat()
}

/// The number of the header `content-type` in the table.
pub const CONTENT_TYPE: u8 = 31;

/// The head of a request to this path, with a content type.
pub fn post(path: &str, content_type: &str) -> Vec<u8> {
    [vec![0x83, 0x86], header(4, path), header(1, "localhost"), header(CONTENT_TYPE, content_type)].concat()
}

/// The head of an answer with status 200 and a content type.
pub fn answer(content_type: &str) -> Vec<u8> {
    [vec![0x88], header(CONTENT_TYPE, content_type)].concat()
}

/// A client's connection.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Takes a client's connection over: reads its preface, and sends settings.
///
/// # Errors
///
/// The client has left.
pub async fn accept(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    assert_eq!(preface, PREFACE, "the client speaks HTTP/2");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await
}

/// The kind, flags, stream and payload of the next frame; `None` at the end of the connection.
pub async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], u32::from_be_bytes(head[5..].try_into().unwrap()), payload))
}
