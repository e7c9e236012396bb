//! WebSockets written by hand, as both sides have them: every frame can be sent, right or wrong.

use std::fmt::Write as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::soon;

/// What a client's handshake proves itself with, and the value that answers it (RFC 6455, section 1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame as it arrived, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is its message's last.
    pub fin: bool,
    /// Its opcode.
    pub opcode: u8,
    /// Whether it was masked.
    pub masked: bool,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Its payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// Its payload as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code and the reason of a close frame.
    ///
    /// # Panics
    ///
    /// If it is another frame.
    #[track_caller]
    pub fn close(&self) -> (u16, String) {
        assert_eq!(self.opcode, 8, "{self:?}: {}", self.text());
        match self.payload.as_slice() {
            [first, second, reason @ ..] => {
                (u16::from_be_bytes([*first, *second]), String::from_utf8(reason.to_vec()).expect("a reason is UTF-8"))
            }
            _ => (0, String::new()),
        }
    }
}

/// One side of a session.
#[derive(Debug)]
pub struct WebSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Whether its frames are masked.
    is_client: bool,
    /// The head with which the session began: the answer to a client, the request to a provider.
    pub head: String,
}

impl WebSocket {
    /// Asks for a session. Returns it, or the status and the body of another answer.
    ///
    /// # Errors
    ///
    /// The answer is not 101.
    ///
    /// # Panics
    ///
    /// If there is no whole answer.
    pub async fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, String)> {
        let stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n"
        );
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let mut socket = Self { stream, buffer: Vec::new(), is_client: true, head: String::new() };
        socket.raw((head + "\r\n").as_bytes()).await;
        socket.read_head().await;
        if socket.header("sec-websocket-accept") == Some(ACCEPT) && socket.head.starts_with("HTTP/1.1 101 ") {
            return Ok(socket);
        }
        let status = socket.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let len = socket.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
        while socket.buffer.len() < len {
            assert!(socket.fill().await, "the answer is whole");
        }
        Err((status, String::from_utf8_lossy(&socket.buffer[..len]).into_owned()))
    }

    /// A header of the head with which the session began.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Method and target of the request.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &[u8]) {
        let _gone = self.stream.write_all(bytes).await;
    }

    /// Sends a frame.
    pub async fn frame(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        let mut bytes = vec![opcode | if fin { 0x80 } else { 0 }];
        let masked = if self.is_client { 0x80 } else { 0 };
        match payload.len() {
            len @ 0..126 => bytes.push(masked | len as u8),
            len @ 126..=0xffff => {
                bytes.push(masked | 0x7e);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                bytes.push(masked | 0x7f);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        if self.is_client {
            let mask = [0x37, 0xfa, 0x21, 0x3d];
            bytes.extend_from_slice(&mask);
            bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        } else {
            bytes.extend_from_slice(payload);
        }
        self.raw(&bytes).await;
    }

    /// Sends a message of JSON.
    pub async fn say(&mut self, message: &Value) {
        self.frame(true, 1, message.to_string().as_bytes()).await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: u16, reason: &str) {
        self.frame(true, 8, &[&code.to_be_bytes(), reason.as_bytes()].concat()).await;
    }

    /// The next frame; `None` if the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, len)) = parsed(&self.buffer) {
                self.buffer.drain(..len);
                return Some(frame);
            }
            if !soon("a frame", self.fill()).await {
                return None;
            }
        }
    }

    /// The next frame that is neither a ping nor a pong.
    ///
    /// # Panics
    ///
    /// If the connection ends before it.
    pub async fn hear(&mut self) -> Frame {
        loop {
            let frame = self.next().await.expect("the session goes on");
            match frame.opcode {
                9 => self.frame(true, 10, &frame.payload).await,
                10 => {}
                _ => return frame,
            }
        }
    }

    /// The next message, with its frames joined.
    ///
    /// # Panics
    ///
    /// If the session is closed before it.
    pub async fn message(&mut self) -> Vec<u8> {
        let message = self.message_or_close().await;
        message.unwrap_or_else(|close| panic!("closed before the message was whole: {close:?}"))
    }

    /// The next message, with its frames joined.
    ///
    /// # Errors
    ///
    /// The session is closed before the message is whole: with this code and reason.
    ///
    /// # Panics
    ///
    /// If the connection ends before either.
    pub async fn message_or_close(&mut self) -> Result<Vec<u8>, (u16, String)> {
        let mut whole = Vec::new();
        loop {
            let frame = self.hear().await;
            if frame.opcode >= 8 {
                return Err(frame.close());
            }
            whole.extend_from_slice(&frame.payload);
            if frame.fin {
                return Ok(whole);
            }
        }
    }

    /// Reads until the close frame, which has this code: before it come at most parts of one message, which never ends.
    ///
    /// # Panics
    ///
    /// If a message ends before, or the code is another one.
    pub async fn until_closed_within_a_message(&mut self, code: u16) {
        loop {
            let frame = self.hear().await;
            if frame.opcode == 8 {
                return assert_eq!(frame.close().0, code, "{frame:?}");
            }
            assert!(!frame.fin, "a message has ended: {}", frame.text().len());
        }
    }

    /// Ends the connection without a close frame.
    pub fn cut(self) {
        drop(self);
    }

    async fn read_head(&mut self) {
        let end = loop {
            match self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => assert!(soon("a head", self.fill()).await, "the head is whole"),
            }
        };
        self.head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }
}

/// A provider of sessions.
#[derive(Debug)]
pub struct SessionProvider(TcpListener);

impl SessionProvider {
    /// Listens on a free port.
    pub async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The API's base url.
    pub fn url(&self) -> String {
        format!("http://{}/base/", self.0.local_addr().unwrap())
    }

    /// The next request for a session, not yet answered.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub async fn asked(&self) -> WebSocket {
        let (stream, _) = soon("a connection to the provider", self.0.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut socket = WebSocket { stream, buffer: Vec::new(), is_client: false, head: String::new() };
        socket.read_head().await;
        socket
    }

    /// The next session, granted with these further headers.
    ///
    /// # Panics
    ///
    /// If the request has no key.
    pub async fn grant_with(&self, headers: &str) -> WebSocket {
        let mut socket = self.asked().await;
        let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", socket.header("sec-websocket-key").unwrap());
        let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {accept}\r\n{headers}\r\n"
        );
        socket.raw(head.as_bytes()).await;
        socket
    }

    /// The next session.
    pub async fn grant(&self) -> WebSocket {
        self.grant_with("").await
    }
}

/// The first frame of these bytes, and its length there.
fn parsed(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (len, at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        len => (usize::from(len), 2),
    };
    let masked = second & 0x80 != 0;
    let begin = if masked { at + 4 } else { at };
    let mut payload = bytes.get(begin..begin + len)?.to_vec();
    if masked {
        let mask = bytes.get(at..at + 4)?;
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
    }
    Some((Frame { fin: first & 0x80 != 0, opcode: first & 0x7f, masked, payload }, begin + len))
}
