//! A connection's bytes, which a busy worker writes together with those of other connections.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use weir_buffers::turn;
use weir_types::deferred_write::DeferredWrite;

/// TCP, or TLS on it.
pub(super) type Transport = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The byte stream of a provider.
pub(super) struct Stream {
    transport: Transport,
    deferred: DeferredWrite,
}

impl Stream {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, deferred: DeferredWrite::default() }
    }

    /// Whether TLS agreed on HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.transport.connected().is_negotiated_h2()
    }

    fn transport(self: Pin<&mut Self>) -> Pin<&mut Transport> {
        Pin::new(&mut self.get_mut().transport)
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<Result<()>> {
        // hyper offers more room as long as all of it is filled.
        let room = buf.remaining();
        let polled = self.transport().poll_read(cx, buf);
        if polled.is_ready() {
            turn::count_read(cx, room);
        }
        polled
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let Self { transport, deferred } = self.get_mut();
        deferred.poll(cx, buf.len(), |cx| Pin::new(transport).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.transport().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.transport().poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let Self { transport, deferred } = self.get_mut();
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        deferred.poll(cx, offered, |cx| Pin::new(transport).poll_write_vectored(cx, bufs))
    }
}
