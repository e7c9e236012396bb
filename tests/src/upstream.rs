//! A scripted provider: bytes, pauses, resets. It records every byte and every disconnect.

mod listener;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::soon;
use listener::Listener;

/// A gate that stays shut until the test opens it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets one waiting step pass.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Waits until the gate is opened.
    pub async fn pass(&self) {
        self.0.acquire().await.expect("gates are not closed").forget();
    }
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The head, with its first line, byte for byte.
    pub head: String,
    /// The body, with its chunks joined.
    pub body: Vec<u8>,
}

impl Received {
    /// Method and target: `POST /x?y`.
    pub fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line)
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = |line: &'_ str| line.split_once(':').map(|(name, _)| name.to_ascii_lowercase());
        let line = self.head.lines().skip(1).find(|line| header(line).as_deref() == Some(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Gate(Gate),
    /// Ends the connection in an orderly way.
    Close,
    /// The same, and opens the gate as soon as the other side's system knows.
    CloseAndTell(Gate),
    /// Resets the connection.
    Reset,
    /// Sends nothing more until the other side disconnects.
    Hang,
}

/// The upstream's steps for one request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    steps: Vec<Step>,
    chunked: bool,
}

impl Answer {
    /// An answer of these bytes, including the head.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { steps: vec![Step::Bytes(bytes.into())], chunked: false }
    }

    /// No answer at all, until the other side disconnects.
    pub fn silence() -> Self {
        Self { steps: vec![Step::Hang], chunked: false }
    }

    /// A whole answer of JSON.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::whole(status, &[("content-type", "application/json")], body)
    }

    /// A whole answer.
    pub fn whole(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = head(status, headers, &format!("content-length: {}\r\n", body.len()));
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// The head of a chunked answer, which [`Self::piece`] and [`Self::end`] continue.
    pub fn begin(status: u16, headers: &[(&str, &str)]) -> Self {
        Self { chunked: true, ..Self::raw(head(status, headers, "transfer-encoding: chunked\r\n")) }
    }

    /// The head of a stream of server-sent events.
    pub fn sse() -> Self {
        Self::begin(200, &[("content-type", "text/event-stream; charset=utf-8")])
    }

    /// The head of a stream of lines.
    pub fn lines() -> Self {
        Self::begin(200, &[("content-type", "application/x-ndjson")])
    }

    /// One chunk, in a separate write.
    #[must_use]
    pub fn piece(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = if self.chunked { format!("{:x}\r\n", bytes.len()).into_bytes() } else { Vec::new() };
        chunk.extend_from_slice(bytes);
        if self.chunked {
            chunk.extend_from_slice(b"\r\n");
        }
        self.steps.push(Step::Bytes(chunk));
        self
    }

    /// These bytes in chunks of this length.
    #[must_use]
    pub fn pieces(self, bytes: impl AsRef<[u8]>, len: usize) -> Self {
        bytes.as_ref().chunks(len).fold(self, Self::piece)
    }

    /// Waits here until the gate is opened.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// Ends the chunks.
    #[must_use]
    pub fn end(self) -> Self {
        self.step(Step::Bytes(b"0\r\n\r\n".to_vec()))
    }

    /// Closes the connection here.
    #[must_use]
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Closes the connection here, and opens the gate as soon as the other side's system knows it.
    #[must_use]
    pub fn close_and_tell(self, told: &Gate) -> Self {
        self.step(Step::CloseAndTell(told.clone()))
    }

    /// Resets the connection here. Bytes written before only arrive if the other side has read them: wait for that with
    /// a gate.
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Sends nothing more.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

fn head(status: u16, headers: &[(&str, &str)], framing: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    (head + framing + "\r\n").into_bytes()
}

type Script = dyn Fn(&Received) -> Answer + Send + Sync;

/// A provider that answers each request by its script.
pub struct Upstream {
    port: u16,
    listener: Listener,
    script: Arc<Mutex<Arc<Script>>>,
    requests: mpsc::UnboundedReceiver<Received>,
    departures: mpsc::UnboundedReceiver<()>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Upstream {
    /// A provider that always gives the same answer.
    pub async fn always(answer: Answer) -> Self {
        Self::scripted(move |_| answer.clone()).await
    }

    /// A provider whose answer depends on the request.
    #[expect(clippy::unused_async, reason = "it opens a socket, which needs a runtime")]
    pub async fn scripted(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(script)));
        let (seen, requests) = mpsc::unbounded_channel();
        let (left, departures) = mpsc::unbounded_channel();
        let follow = Arc::clone(&script);
        let serve = move |stream| {
            let wire = Wire { stream, buffer: BytesMut::new() };
            tokio::spawn(wire.serve(Arc::clone(&follow), seen.clone(), left.clone()));
        };
        let listener = Listener::new(serve);
        Self { port: listener.port(), listener, script, requests, departures }
    }

    /// Sets the answer from now on.
    pub fn now(&self, answer: Answer) {
        self.script(move |_| answer.clone());
    }

    /// Sets the script from now on.
    pub fn script(&self, script: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// Stops accepting connections: new ones are refused, existing ones stay.
    pub fn shut(&self) {
        self.listener.shut();
    }

    /// Accepts connections again.
    pub fn reopen(&self) {
        self.listener.open();
    }

    /// The API's base url.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/base/", self.port)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next request.
    pub async fn request(&mut self) -> Received {
        soon("a request upstream", self.requests.recv()).await.expect("the upstream listens")
    }

    /// A request that has arrived and was not returned yet.
    pub fn unseen(&mut self) -> Option<Received> {
        self.requests.try_recv().ok()
    }

    /// How many requests have arrived and were not returned yet; they count as returned then.
    pub fn count_unseen(&mut self) -> usize {
        std::iter::from_fn(|| self.unseen()).count()
    }

    /// Waits until the other side has disconnected before its answer was complete.
    pub async fn departure(&mut self) {
        soon("the gateway to leave the upstream", self.departures.recv()).await.expect("the upstream listens");
    }

    /// Whether the other side disconnected before an answer was complete.
    pub fn was_left(&mut self) -> bool {
        self.departures.try_recv().is_ok()
    }
}

/// A connection whose closing waits until the other side's system has confirmed it.
#[expect(deprecated, reason = "the thread is to be blocked, for as long as a segment and its confirmation take")]
fn lingering(stream: TcpStream) -> TcpStream {
    let _lingers = stream.set_linger(Some(Duration::from_secs(10)));
    stream
}

struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Wire {
    async fn serve(
        mut self,
        script: Arc<Mutex<Arc<Script>>>,
        seen: mpsc::UnboundedSender<Received>,
        left: mpsc::UnboundedSender<()>,
    ) {
        while let Some(request) = self.request().await {
            let script = Arc::clone(&script.lock().unwrap());
            let answer = script(&request);
            // A finished test does not receive it any more.
            let _over = seen.send(request);
            for step in answer.steps {
                if let Step::CloseAndTell(told) = step {
                    drop(lingering(self.stream));
                    return told.open();
                }
                if matches!(step, Step::Reset) {
                    // Closing without lingering is a reset.
                    return self.stream.set_zero_linger().unwrap_or_default();
                }
                if !self.act(step).await {
                    let _over = left.send(());
                    return;
                }
            }
        }
    }

    /// Performs a step; false if the other side has disconnected.
    async fn act(&mut self, step: Step) -> bool {
        match step {
            Step::Bytes(bytes) => self.stream.write_all(&bytes).await.is_ok(),
            Step::Reset | Step::CloseAndTell(_) => true,
            Step::Gate(gate) => tokio::select! {
                () = gate.pass() => true,
                gone = gone(&mut self.stream, &mut self.buffer) => !gone,
            },
            Step::Hang => {
                while !gone(&mut self.stream, &mut self.buffer).await {}
                false
            }
            Step::Close => self.stream.shutdown().await.is_ok(),
        }
    }

    async fn request(&mut self) -> Option<Received> {
        let end = loop {
            match self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.fill().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer.split_to(end)).into_owned();
        self.buffer.advance(4);
        let received = Received { head, body: Vec::new() };
        let body = if received.header("transfer-encoding").is_some() {
            self.chunks().await?
        } else {
            let len = received.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
            while self.buffer.len() < len {
                self.fill().await?;
            }
            self.buffer.split_to(len).to_vec()
        };
        Some(Received { body, ..received })
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.buffer.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None => self.fill().await?,
                }
            };
            let len = usize::from_str_radix(std::str::from_utf8(&self.buffer[..end]).ok()?.trim(), 16).ok()?;
            while self.buffer.len() < end + 2 + len + 2 {
                self.fill().await?;
            }
            self.buffer.advance(end + 2);
            body.extend_from_slice(&self.buffer.split_to(len));
            self.buffer.advance(2);
            if len == 0 {
                return Some(body);
            }
        }
    }

    async fn fill(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}

/// Waits until the other side sends bytes (false) or has disconnected (true).
async fn gone(stream: &mut TcpStream, buffer: &mut BytesMut) -> bool {
    !matches!(stream.read_buf(buffer).await, Ok(read) if read > 0)
}
