//! The two ends of a session's connections: one reads messages, the other writes frames. An idle session holds no
//! buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::Clock;
use weir_buffers::{Full, Held};
use weir_realtime::message::Bounds;
use weir_realtime::{Close, Event, FrameError, Kind, MessageReader, Opcode, Side, frame};
use weir_types::fault::Fault;
use weir_upstream::SessionIo;

/// Up to so many bytes a message is held until it is whole, so that it can be read before it goes on.
pub(super) const HELD_BYTES: usize = 256 << 10;
/// The most bytes that are read at once.
const READ_BYTES: usize = 16 << 10;
/// How long a side has to answer a close frame.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many times as long as it may take nothing a side may take for a whole frame.
const SLOWEST: u32 = 4;
/// The reason for a client whose message takes too long.
pub(super) const LATE: &str = "a message was not whole within `server.body_timeout`";

thread_local! {
    /// Where all sessions of a thread read to, so that a session that waits needs no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why nothing more can be read of a side, or written to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// What arrived is no session's.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection is gone.
    #[error("the connection is gone: {0}")]
    Gone(#[from] io::Error),
    /// The side takes nothing, or too little.
    #[error("the side reads nothing")]
    Stalled,
    /// A message that is held was not whole in time.
    #[error("a message was not whole in time")]
    Late,
    /// There is no room for the bytes of a message.
    #[error("too many bytes are held")]
    Full(Full),
}

/// The bounds within which a side's messages are read.
#[derive(Debug)]
pub(crate) struct ReadBounds {
    /// The most bytes of a message.
    pub(crate) most: usize,
    /// How long a message may take to be whole while it is held.
    pub(crate) whole: Duration,
    /// What holds bytes of messages, in the memory of all requests.
    pub(crate) held: Held,
}

/// Reads a side's messages.
#[derive(Debug)]
pub(super) struct Inlet {
    read: ReadHalf<SessionIo>,
    input: BytesMut,
    reader: MessageReader,
    side: Side,
    whole: Duration,
    held: Held,
    /// When the message began that is not whole.
    since: Option<Instant>,
    /// What arrived behind a ping, which is answered first.
    next: Option<Event>,
}

impl Inlet {
    /// Reads what `side` sends, within these bounds.
    pub(super) fn new(read: ReadHalf<SessionIo>, side: Side, reading: ReadBounds) -> Self {
        let ReadBounds { most, whole, held } = reading;
        let bounds = Bounds { held: HELD_BYTES.min(most), most: most as u64 };
        let (input, reader) = (BytesMut::new(), MessageReader::new(side, bounds));
        Self { read, input, reader, side, whole, held, since: None, next: None }
    }

    /// The next event. If the future is dropped, nothing is lost.
    pub(super) async fn next(&mut self, clock: &Clock) -> Result<Event, Broken> {
        loop {
            let event = self.arrived()?;
            if self.input.is_empty() {
                // Gives the buffer back.
                self.input = BytesMut::new();
            }
            if let Some(event) = event {
                if matches!(event, Event::Message(..) | Event::Piece { .. }) {
                    self.since = None;
                }
                return Ok(event);
            }
            self.hold().await?;
            match self.until_whole() {
                Some(until) => timeout_at(until, self.fill()).await.map_err(|_| Broken::Late)??,
                None => self.fill().await?,
            }
            clock.received(self.side);
        }
    }

    /// The next event of what has arrived. Of pings without a message between them only the last one is an event (RFC
    /// 6455, 5.5.3 allows that): thousands of them come with one read, and each answer is a write.
    fn arrived(&mut self) -> Result<Option<Event>, FrameError> {
        if let Some(event) = self.next.take() {
            return Ok(Some(event));
        }
        let mut ping = None;
        loop {
            match self.reader.next(&mut self.input)? {
                Some(newer @ Event::Ping(_)) => ping = Some(newer),
                Some(Event::Pong) => {}
                event if ping.is_some() => {
                    self.next = event;
                    return Ok(ping);
                }
                event => return Ok(event),
            }
        }
    }

    /// Counts the bytes that wait for more. Each is there twice while its message is written to the other side.
    async fn hold(&mut self) -> Result<(), Broken> {
        let needed = 2 * (self.reader.held() + self.input.len());
        let now = self.held.bytes();
        if needed <= now {
            self.held.shrink(now - needed);
            return Ok(());
        }
        self.held.grow(needed - now).await.map_err(Broken::Full)
    }

    /// Until when a message that is held has to be whole; `None` if there is none.
    fn until_whole(&mut self) -> Option<Instant> {
        if self.reader.held() == 0 && self.input.is_empty() {
            self.since = None;
            return None;
        }
        Some(*self.since.get_or_insert_with(Instant::now) + self.whole)
    }

    async fn fill(&mut self) -> io::Result<()> {
        let Self { read, input, .. } = self;
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *read).poll_read(cx, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into()).into();
                }
                input.extend_from_slice(buffer.filled());
                Ok(()).into()
            })
        })
        .await
    }
}

/// Writes frames to a side.
#[derive(Debug)]
pub(super) struct Outlet {
    write: WriteHalf<SessionIo>,
    /// What is left to be written of the last frames.
    out: BytesMut,
    /// Whether frames are masked, since this side granted the session.
    masks: bool,
    /// How long the side may take nothing.
    send_timeout: Duration,
    /// Whether a message is being sent in parts.
    is_within: bool,
}

impl Outlet {
    /// Writes to `side`.
    pub(super) fn new(write: WriteHalf<SessionIo>, side: Side, send_timeout: Duration) -> Self {
        Self { write, out: BytesMut::new(), masks: side == Side::Server, send_timeout, is_within: false }
    }

    /// Writes a frame. If the future is dropped, the rest of the frame goes out before the next one.
    pub(super) async fn send(&mut self, opcode: Opcode, is_last: bool, payload: &[u8]) -> Result<(), Broken> {
        let mask = if self.masks { Some(mask()?) } else { None };
        frame::write(&mut self.out, opcode, is_last, payload, mask);
        if !opcode.is_control() {
            self.is_within = !is_last;
        }
        let most = self.send_timeout.saturating_mul(SLOWEST);
        timeout(most, self.write_out()).await.map_err(|_| Broken::Stalled)?
    }

    async fn write_out(&mut self) -> Result<(), Broken> {
        while !self.out.is_empty() {
            let written = timeout(self.send_timeout, self.write.write(&self.out)).await;
            match written.map_err(|_| Broken::Stalled)?? {
                0 => return Err(Broken::Gone(io::ErrorKind::WriteZero.into())),
                written => self.out.advance(written),
            }
        }
        self.out = BytesMut::new();
        timeout(self.send_timeout, self.write.flush()).await.map_err(|_| Broken::Stalled)??;
        Ok(())
    }

    /// Sends a message of the gateway's own, unless another one is being sent in parts.
    pub(super) async fn send_text(&mut self, text: &str) -> Result<(), Broken> {
        if self.is_within { Ok(()) } else { self.send(Opcode::Text, true, text.as_bytes()).await }
    }

    /// Says that nothing more follows.
    pub(super) async fn shut(&mut self) {
        // A connection that is gone is shut.
        let _gone = timeout(self.send_timeout, self.write.shutdown()).await;
    }
}

/// The client's end of a session.
#[derive(Debug)]
pub(crate) struct ClientEnd {
    pub(super) inlet: Inlet,
    pub(super) outlet: Outlet,
}

impl ClientEnd {
    /// Takes over the client's connection, once the answer to its handshake is sent; `None` if the client left before.
    pub(crate) async fn take(upgrade: OnUpgrade, reading: ReadBounds, send_timeout: Duration) -> Option<Self> {
        let left = |error: &hyper::Error| tracing::debug!(%error, "the client left before its session began");
        let client = upgrade.await.inspect_err(left).ok()?;
        let (read, write) = tokio::io::split(SessionIo::new(client));
        let (inlet, outlet) = (Inlet::new(read, Side::Client, reading), Outlet::new(write, Side::Client, send_timeout));
        Some(Self { inlet, outlet })
    }

    /// The first message, or why the session ends instead.
    pub(crate) async fn first(&mut self) -> Result<(Kind, Bytes), Close> {
        let clock = Clock::start();
        loop {
            let event = self.inlet.next(&clock).await.map_err(|broken| match broken {
                Broken::Frame(error) => Close::new(error.code(), error.to_string()),
                Broken::Gone(_) | Broken::Stalled => Close::new(Close::GOING_AWAY, ""),
                Broken::Late => Close::new(Close::POLICY, LATE),
                Broken::Full(full) => Close::new(Close::TRY_AGAIN, Fault::from(full).error.message),
            })?;
            match event {
                Event::Message(kind, message) => return Ok((kind, message)),
                Event::Piece { .. } => {
                    return Err(Close::new(FrameError::TooLarge.code(), "the first message is too large"));
                }
                Event::Ping(payload) => {
                    let gone = |_| Close::new(Close::GOING_AWAY, "");
                    self.outlet.send(Opcode::Pong, true, &payload).await.map_err(gone)?;
                }
                Event::Pong => {}
                Event::Close(close) => return Err(close),
            }
        }
    }

    /// Ends a session that no provider takes part in.
    pub(crate) async fn leave(mut self, close: &Close) {
        let closing = async {
            let _gone = self.outlet.send(Opcode::Close, true, &close.payload()).await;
            let clock = Clock::start();
            while let Ok(event) = self.inlet.next(&clock).await {
                if matches!(event, Event::Close(_)) {
                    break;
                }
            }
            self.outlet.shut().await;
        };
        let _late = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// A mask that nothing predicts.
fn mask() -> io::Result<[u8; 4]> {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(mask)
}
