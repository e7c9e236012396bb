//! A connection's bytes: plain TCP or TLS, closed if the client stops reading, with its traffic recorded in `Activity`.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use weir_buffers::{spare_memory, turn};
use weir_types::deferred_write::DeferredWrite;

/// The most bytes of several buffers that are put into one before they are written, as those of a stream's piece are.
/// To copy them takes the system longer than it takes here.
const SMALL: usize = 1 << 10;
/// TCP keep-alive: silence before the first probe, and the interval between probes.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(15));

/// Sets the socket options of an accepted connection.
pub(super) fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE.0).with_interval(KEEP_ALIVE.1);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keep_alive) {
        tracing::debug!(%error, "TCP keep-alive cannot be set");
    }
}

/// The byte stream of a client.
#[derive(Debug)]
pub(super) enum Socket {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Plain($stream) => $call,
            Self::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

/// A connection's bytes as HTTP reads and writes them. It fails if its client reads nothing for too long, so that no
/// client can hold a provider's answer, an adapter's instance and a slot by not reading.
#[derive(Debug)]
pub(super) struct Observed {
    stream: Pin<Box<TimeoutStream<Socket>>>,
    activity: Arc<Activity>,
    /// What was read already and comes first.
    ahead: BytesMut,
    deferred: DeferredWrite,
    /// Where the buffer begins that a stream's client has sent nothing into, once its memory was given back.
    unread: usize,
}

impl Observed {
    pub(super) fn new(socket: Socket, send_timeout: Duration, activity: Arc<Activity>) -> Self {
        let mut stream = TimeoutStream::new(socket);
        stream.set_write_timeout(Some(send_timeout));
        let (ahead, deferred) = (BytesMut::new(), DeferredWrite::default());
        Self { stream: Box::pin(stream), activity, ahead, deferred, unread: 0 }
    }

    /// Lets these bytes be read again, before all others.
    pub(super) fn reread(&mut self, ahead: BytesMut) {
        self.ahead = ahead;
    }

    /// Writes now, or together with other connections.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        write: impl FnOnce(Pin<&mut TimeoutStream<Socket>>, &mut Context<'_>) -> Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        let stream = self.stream.as_mut();
        let polled = if self.activity.is_upgrading() {
            write(stream, cx)
        } else {
            self.deferred.poll(cx, offered, |cx| write(stream, cx))
        };
        self.note(polled)
    }

    /// A stream's client sends nothing for long: the memory of the buffer for what it sends is given back, once.
    fn wait(&mut self, buf: &mut ReadBuf<'_>) {
        let place = buf.filled().as_ptr().addr();
        if std::mem::replace(&mut self.unread, place) != place {
            spare_memory::give_back_unread(buf);
        }
    }

    /// A write that waits, for the client or for other tasks, keeps the connection from being taken for an idle one.
    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.activity.blocked(polled.is_pending());
        polled
    }
}

impl AsyncRead for Observed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if !self.ahead.is_empty() {
            let length = buf.remaining().min(self.ahead.len());
            let piece = self.ahead.split_to(length);
            buf.put_slice(&piece);
            if self.ahead.is_empty() {
                self.ahead = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = self.stream.as_mut().poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if read > 0 {
            turn::count_read(cx, read);
            self.activity.received();
            self.unread = 0;
        } else if polled.is_pending() && self.activity.is_streaming() {
            self.wait(buf);
        }
        polled
    }
}

impl AsyncWrite for Observed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.get_mut().write(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let polled = self.stream.as_mut().poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let mut one = [0; SMALL];
        if let Some(joined) = join(bufs, &mut one) {
            return self.poll_write(cx, joined);
        }
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        self.get_mut().write(cx, offered, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Several buffers in one, if they fit into it.
fn join<'a>(bufs: &[IoSlice<'_>], one: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
    let mut length = 0;
    for buf in bufs {
        let end = length + buf.len();
        one.get_mut(length..end)?.copy_from_slice(buf);
        length = end;
    }
    one.get(..length)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::mem::MaybeUninit;

    use tokio::io::AsyncReadExt as _;

    use super::super::address_key::AddressKey;
    use super::*;

    #[tokio::test]
    async fn the_system_probes_silent_clients() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare(&stream);
        assert!(SockRef::from(&stream).keepalive().unwrap() && stream.nodelay().unwrap());
    }

    /// A pair of connected sockets, with the server's side as one that has served a request.
    async fn served() -> (Observed, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let activity = Arc::new(Activity::new(AddressKey::of(peer.ip()), tokio::time::Instant::now(), false));
        drop(activity.begin(http::Version::HTTP_11));
        (Observed::new(Socket::Plain(stream), Duration::from_hours(1), activity), client)
    }

    #[tokio::test]
    async fn a_connection_is_not_idle_while_a_busy_worker_puts_its_write_off() {
        let (mut observed, mut client) = served().await;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // The runtime of a test does not say when it waits, so that all writes count.
        while Pin::new(&mut observed).poll_write(&mut cx, b"x").is_ready() {}
        assert!(!observed.activity.is_idle(), "it would be evicted, and the bytes with it");
        assert!(Pin::new(&mut observed).poll_write(&mut cx, b"y").is_ready(), "it has waited");
        assert!(observed.activity.is_idle());
        drop(observed);
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert!(read.ends_with("xy"), "{read}");
    }

    #[tokio::test]
    async fn buffers_are_written_in_order_few_bytes_as_many() {
        for middle in [0, 1, SMALL - 3, SMALL - 2, SMALL - 1, 3 * SMALL] {
            let (mut observed, mut client) = served().await;
            let middle = vec![b'm'; middle];
            let mut bufs = [IoSlice::new(b"a"), IoSlice::new(&middle), IoSlice::new(b"z")];
            let mut left = &mut bufs[..];
            while !left.is_empty() {
                let written = std::future::poll_fn(|cx| Pin::new(&mut observed).poll_write_vectored(cx, left)).await;
                IoSlice::advance_slices(&mut left, written.unwrap());
            }
            drop(observed);
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, [b"a", &middle[..], b"z"].concat(), "{}", middle.len());
        }
    }

    /// How many bytes of a buffer are zero after a read that waits, of 64 KB that were not.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "every byte was written, by the test or by the system")]
    fn emptied(observed: &mut Observed, memory: &mut [MaybeUninit<u8>]) -> usize {
        memory.fill(MaybeUninit::new(7));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(observed).poll_read(&mut cx, &mut ReadBuf::uninit(memory)).is_pending());
        // SAFETY: as above.
        memory.iter().filter(|byte| unsafe { byte.assume_init() } == 0).count()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_streams_client_is_read_into_holds_no_memory() {
        let (mut observed, _client) = served().await;
        let mut memory = vec![MaybeUninit::new(7); 64 << 10];
        assert_eq!(emptied(&mut observed, &mut memory), 0, "no stream runs");
        let exchange = observed.activity.begin(http::Version::HTTP_11);
        assert_eq!(emptied(&mut observed, &mut memory), 0, "nor is it known to be one");
        exchange.streams();
        assert!(emptied(&mut observed, &mut memory) > 48 << 10);
        assert_eq!(emptied(&mut observed, &mut memory), 0, "once is enough");
        drop(exchange);
        assert_eq!(emptied(&mut observed, &mut memory[1..]), 0, "it has ended");
    }

    #[tokio::test]
    async fn a_connection_that_is_given_away_writes_at_once() {
        let (mut observed, _client) = served().await;
        observed.activity.upgrading();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..100 {
            assert!(Pin::new(&mut observed).poll_write(&mut cx, b"x").is_ready());
        }
    }
}
