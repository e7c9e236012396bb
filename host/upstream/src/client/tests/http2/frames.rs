//! A provider that speaks HTTP/2 frame by frame.

use super::*;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The provider's side of a connection.
pub(super) struct Frames {
    pub(super) stream: TcpStream,
    /// How many settings the client has confirmed.
    confirmed: usize,
}

impl Frames {
    pub(super) async fn begin(mut stream: TcpStream) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut frames = Self { stream, confirmed: 0 };
        frames.write(SETTINGS, 0, 0, &[]).await;
        frames
    }

    pub(super) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The kind, the flags and the stream of the next frame.
    pub(super) async fn read(&mut self) -> (u8, u8, u32) {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload).await.unwrap();
        self.confirmed += usize::from(head[3] == SETTINGS && head[4] == ACK);
        (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]))
    }

    /// Reads up to the end of the next request, and returns its stream.
    pub(super) async fn request(&mut self) -> u32 {
        in_time(async {
            loop {
                if let (DATA | HEADERS, flags, stream) = self.read().await
                    && flags & END_STREAM != 0
                {
                    return stream;
                }
            }
        })
        .await
    }

    /// Allows this many streams at the same time, and waits until the client knows.
    pub(super) async fn allow(&mut self, streams: u32) {
        let [a, b, c, d] = streams.to_be_bytes();
        self.write(SETTINGS, 0, 0, &[0, 3, a, b, c, d]).await;
        // It confirms those of the beginning, too.
        while self.confirmed < 2 {
            in_time(self.read()).await;
        }
    }

    pub(super) async fn begin_answer(&mut self, stream: u32) {
        // `:status: 200`
        self.write(HEADERS, END_HEADERS, stream, &[0x88]).await;
    }

    pub(super) async fn piece(&mut self, stream: u32, bytes: &str, is_last: bool) {
        self.write(DATA, if is_last { END_STREAM } else { 0 }, stream, bytes.as_bytes()).await;
    }

    pub(super) async fn answer(&mut self, stream: u32) {
        self.begin_answer(stream).await;
        self.piece(stream, "ok", true).await;
    }

    pub(super) async fn leave(&mut self, last: u32, reason: u32) {
        self.write(GOAWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat()).await;
    }
}

pub(super) struct Bench {
    scripted: Scripted,
    base: Base,
    upstreams: Upstreams,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let scripted = Scripted::new().await;
        let url = format!("http://{}/v1/", scripted.listener.local_addr().unwrap());
        Self { base: Base::open(&url, &[], true).unwrap(), scripted, upstreams: upstreams() }
    }

    pub(super) fn send(&self) -> JoinHandle<Result<UpstreamResponse, UpstreamError>> {
        sending(&self.upstreams, request(&self.base))
    }

    pub(super) async fn accept(&self) -> Frames {
        in_time(async { Frames::begin(self.scripted.accept().await).await }).await
    }

    /// A new connection whose first request has arrived.
    pub(super) async fn taken(&self) -> Frames {
        let mut frames = self.accept().await;
        assert_eq!(frames.request().await, 1);
        frames
    }

    /// A request, and the new connection that it has arrived on.
    pub(super) async fn begin(&self) -> (JoinHandle<Result<UpstreamResponse, UpstreamError>>, Frames) {
        let sent = self.send();
        (sent, self.taken().await)
    }
}
