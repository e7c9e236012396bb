//! An HTTP/1.1 client written by hand, which sees every byte.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::{Buf as _, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::soon;

/// Method, path, headers and body, as a test builds them.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A GET request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST request with JSON.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a key or a token in the header `authorization`.
    #[must_use]
    pub fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The body as it is sent.
    pub fn sent(&self) -> Vec<u8> {
        self.body.clone()
    }

    /// The head as it is sent; an explicit `host`, `content-length` or `transfer-encoding` replaces the computed one.
    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let framed = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        };
        if !self.headers.iter().any(framed) && (self.method != "GET" || !self.body.is_empty()) {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head + "\r\n"
    }
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// The HTTP status of the answer's head.
    pub status: u16,
    /// The headers in order, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Self { status: status.expect("an answer begins with a status"), headers: lines.filter_map(header).collect() }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status and headers.
    pub head: Head,
    /// The body, or its received part.
    pub body: Vec<u8>,
    /// Whether the connection was cut before the body's end.
    pub cut: bool,
}

impl Reply {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The number of attempts, from `x-weir-attempts`.
    pub fn attempts(&self) -> Option<&str> {
        self.header("x-weir-attempts")?.split(';').next()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, the code and the message of an error in JSON; texts that it does not have are empty.
    #[track_caller]
    pub fn problem(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status(), text("code"), text("message"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status(), self.text()))
    }
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(usize),
    Chunks,
    UntilClose,
    Nothing,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    left: Left,
}

/// The error of a connection that was cut before the body's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

impl Client {
    /// Opens a connection.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: BytesMut::new(), left: Left::Nothing }
    }

    /// Opens a connection from this address of the machine.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        let stream = soon("a connection", socket.connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: BytesMut::new(), left: Left::Nothing }
    }

    /// Sends bytes unchanged. Errors are ignored: the other side may have stopped reading.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _closed = self.stream.write_all(bytes).await;
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) {
        let mut bytes = request.head().into_bytes();
        bytes.extend_from_slice(&request.body);
        self.write(&bytes).await;
    }

    /// Reads the head of an answer, skipping interim ones.
    ///
    /// # Panics
    ///
    /// If the connection ends before it.
    pub async fn head(&mut self) -> Head {
        loop {
            while let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = String::from_utf8(self.buffer.split_to(end).to_vec()).unwrap();
                self.buffer.advance(4);
                let head = Head::parse(&text);
                if head.status >= 200 {
                    self.left = left(&head);
                    return head;
                }
            }
            assert!(self.fill().await, "the connection ended before an answer came");
        }
    }

    /// The next piece of the body: a chunk, or the bytes of one read; `None` at its end.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        match self.left {
            Left::Nothing | Left::Bytes(0) => Ok(None),
            Left::Bytes(left) => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Err(Cut);
                }
                let piece = self.buffer.split_to(left.min(self.buffer.len())).to_vec();
                self.left = Left::Bytes(left - piece.len());
                Ok(Some(piece))
            }
            Left::UntilClose => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Ok(None);
                }
                Ok(Some(self.buffer.split().to_vec()))
            }
            Left::Chunks => self.chunk().await,
        }
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        let end = loop {
            match self.buffer.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None if self.fill().await => {}
                None => return Err(Cut),
            }
        };
        let text = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        let len = usize::from_str_radix(text.split(';').next().unwrap_or_default().trim(), 16).unwrap();
        while self.buffer.len() < end + 2 + len + 2 {
            if !self.fill().await {
                return Err(Cut);
            }
        }
        self.buffer.advance(end + 2);
        let piece = self.buffer.split_to(len).to_vec();
        self.buffer.advance(2);
        if len == 0 {
            self.left = Left::Nothing;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    /// Reads pieces until this text has arrived; returns everything that was read.
    ///
    /// # Panics
    ///
    /// If the body ends before it.
    pub async fn until(&mut self, expected: &str) -> Vec<u8> {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(expected) {
            match self.piece().await {
                Ok(Some(piece)) => all.extend(piece),
                end => panic!("{expected:?} did not come ({end:?}), but {:?}", String::from_utf8_lossy(&all)),
            }
        }
        all
    }

    /// The rest of the body, and whether it was cut.
    pub async fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        loop {
            match self.piece().await {
                Ok(Some(piece)) => all.extend(piece),
                Ok(None) => return (all, false),
                Err(Cut) => return (all, true),
            }
        }
    }

    /// The whole answer.
    pub async fn reply(&mut self) -> Reply {
        let head = self.head().await;
        let (body, cut) = self.rest().await;
        Reply { head, body, cut }
    }

    /// Whether the other side has closed the connection without sending more.
    pub async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await
    }

    /// Disconnects: unread bytes are discarded, and the connection is reset.
    pub fn leave(self) {
        drop(self);
    }

    async fn fill(&mut self) -> bool {
        let read = soon("the gateway to say something", self.stream.read_buf(&mut self.buffer)).await;
        read.is_ok_and(|read| read > 0)
    }
}

fn left(head: &Head) -> Left {
    if matches!(head.status, 204 | 304) {
        return Left::Nothing;
    }
    if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Left::Chunks;
    }
    match head.header("content-length") {
        Some(len) => Left::Bytes(len.parse().unwrap()),
        None => Left::UntilClose,
    }
}
