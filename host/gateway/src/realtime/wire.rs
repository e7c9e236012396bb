//! The two ends of a session's connections: one reads messages, the other writes frames. An idle session holds no buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::clock::Clock;
use weir_realtime::message::Bounds;
use weir_realtime::{Close, Event, FrameError, Kind, MessageReader, Opcode, Side, frame};
use weir_upstream::SessionIo;

/// Up to so many bytes a message is held until it is whole, so that it can be read before it goes on.
pub(super) const HELD_BYTES: usize = 256 << 10;
/// The most bytes that are read at once.
const READ_BYTES: usize = 16 << 10;
/// How long a side has to answer a close frame.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

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
    /// The side takes nothing.
    #[error("the side reads nothing")]
    Stalled,
}

/// Reads a side's messages.
#[derive(Debug)]
pub(super) struct Inlet {
    read: ReadHalf<SessionIo>,
    input: BytesMut,
    reader: MessageReader,
    side: Side,
}

impl Inlet {
    /// Reads what `side` sends, in messages of `most` bytes.
    pub(super) fn new(read: ReadHalf<SessionIo>, side: Side, most: usize) -> Self {
        let bounds = Bounds { held: HELD_BYTES.min(most), most: most as u64 };
        Self { read, input: BytesMut::new(), reader: MessageReader::new(side, bounds), side }
    }

    /// The next event. If the future is dropped, nothing is lost.
    pub(super) async fn next(&mut self, clock: &Clock) -> Result<Event, Broken> {
        loop {
            let event = self.reader.next(&mut self.input)?;
            if self.input.is_empty() {
                // Gives the buffer back.
                self.input = BytesMut::new();
            }
            if let Some(event) = event {
                return Ok(event);
            }
            self.fill().await?;
            clock.received(self.side);
        }
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
    patience: Duration,
    /// Whether a message is being sent in parts.
    is_within: bool,
}

impl Outlet {
    /// Writes to `side`.
    pub(super) fn new(write: WriteHalf<SessionIo>, side: Side, patience: Duration) -> Self {
        Self { write, out: BytesMut::new(), masks: side == Side::Server, patience, is_within: false }
    }

    /// Writes a frame. If the future is dropped, the rest of the frame goes out before the next one.
    pub(super) async fn send(&mut self, opcode: Opcode, is_last: bool, payload: &[u8]) -> Result<(), Broken> {
        let mask = if self.masks { Some(mask()?) } else { None };
        frame::write(&mut self.out, (opcode, is_last), payload, mask);
        if !opcode.is_control() {
            self.is_within = !is_last;
        }
        while !self.out.is_empty() {
            let written = timeout(self.patience, self.write.write(&self.out)).await;
            match written.map_err(|_| Broken::Stalled)?? {
                0 => return Err(Broken::Gone(io::ErrorKind::WriteZero.into())),
                written => self.out.advance(written),
            }
        }
        self.out = BytesMut::new();
        timeout(self.patience, self.write.flush()).await.map_err(|_| Broken::Stalled)??;
        Ok(())
    }

    /// Sends a message of the gateway's own, unless another one is being sent in parts.
    pub(super) async fn send_text(&mut self, text: &str) -> Result<(), Broken> {
        if self.is_within { Ok(()) } else { self.send(Opcode::Text, true, text.as_bytes()).await }
    }

    /// Says that nothing more follows.
    pub(super) async fn shut(&mut self) {
        // A connection that is gone is shut.
        let _gone = timeout(self.patience, self.write.shutdown()).await;
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
    pub(crate) async fn take(upgrade: OnUpgrade, most: usize, patience: Duration) -> Option<Self> {
        let left = |error: &hyper::Error| tracing::debug!(%error, "the client left before its session began");
        let client = upgrade.await.inspect_err(left).ok()?;
        let (read, write) = tokio::io::split(SessionIo::new(client));
        let (inlet, outlet) = (Inlet::new(read, Side::Client, most), Outlet::new(write, Side::Client, patience));
        Some(Self { inlet, outlet })
    }

    /// The first message, or why the session ends instead.
    pub(crate) async fn first(&mut self) -> Result<(Kind, Bytes), Close> {
        let clock = Clock::start();
        loop {
            let event = self.inlet.next(&clock).await.map_err(|broken| match broken {
                Broken::Frame(error) => Close::new(error.code(), error.to_string()),
                Broken::Gone(_) | Broken::Stalled => Close::new(Close::GOING_AWAY, ""),
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
        let farewell = async {
            let _gone = self.outlet.send(Opcode::Close, true, &close.payload()).await;
            let clock = Clock::start();
            while let Ok(event) = self.inlet.next(&clock).await {
                if matches!(event, Event::Close(_)) {
                    break;
                }
            }
            self.outlet.shut().await;
        };
        let _late = timeout(FAREWELL, farewell).await;
    }
}

/// A mask that nothing predicts.
fn mask() -> io::Result<[u8; 4]> {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(mask)
}
