//! The body of a relayed answer: the provider's pieces as they arrive, with a tap reading a copy.

mod end;
mod gather;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::meter::Meter;
use super::pipeline::stopping;
use super::reply::BodyError;
use super::stream_end::StreamEnd;
use crate::accounting::Account;
use crate::provenance::ProvenanceRecorder;
use weir_buffers::joined::Joined;
use weir_server::final_poll;
use weir_types::fault::Fault;
use weir_upstream::{Coding, DecodeBound, Decoder as Decompressor, UpstreamBody, UpstreamError};
use weir_wire::swap::StringSwap;

pub(super) use gather::GATHERING;

/// A relayed answer.
pub struct Relayed {
    upstream: Option<Box<UpstreamBody>>,
    meter: Option<Box<Meter>>,
    ends: Option<Box<StreamEnd>>,
    account: Option<Box<Account>>,
    recorder: Option<Box<ProvenanceRecorder>>,
    /// Decompresses the answer for the recorder, if there is no meter.
    decompressor: Option<Box<Decompressor>>,
    /// The answer's coding; `None` if it is unknown.
    coding: Option<Coding>,
    /// Replaces strings in a whole answer.
    swap: Option<Box<StringSwap>>,
    /// Pieces of a whole answer that were read before its head was sent.
    gathered: Joined,
    /// Until when the head may wait for the gathered pieces, if it has waited for the first one.
    until: Option<Instant>,
    /// Whether content must still come: an answer that ends without any counts as broken.
    needs_content: bool,
    /// Whether that content must be a frame, as in a stream.
    needs_frame: bool,
    /// How the answer broke off while it was gathered.
    failed: Option<UpstreamError>,
    /// Why Weir ends the stream early.
    over: Option<Fault>,
    /// Whether the account knows the answer's own id.
    is_named: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    /// The failure frame was sent if possible; the connection is cut after it has been written.
    FailureSent,
    Cut,
}

impl Relayed {
    pub(super) fn new(upstream: Box<UpstreamBody>, mut meter: Option<Box<Meter>>, ends: Option<StreamEnd>) -> Self {
        let ends = ends.map(Box::new);
        if let Some(meter) = &mut meter
            && ends.as_ref().is_some_and(|ends| ends.withhold.is_some())
        {
            meter.expect_frames();
        }
        Self {
            upstream: Some(upstream),
            meter,
            ends,
            account: None,
            recorder: None,
            decompressor: None,
            coding: None,
            swap: None,
            gathered: Joined::default(),
            until: None,
            needs_content: false,
            needs_frame: false,
            failed: None,
            over: None,
            is_named: false,
            state: State::Open,
        }
    }

    /// Notes the coding that these headers give, so that a recorder can read the answer.
    pub(super) fn coded(mut self, headers: &HeaderMap) -> Self {
        self.coding = Coding::of(headers).ok();
        self
    }

    /// Treats the answer as broken if it ends without content. If `until` is set, its head is sent by then.
    pub(super) fn has_content(&mut self, until: Option<Instant>) {
        (self.needs_content, self.until) = (true, until);
        self.needs_frame = self.ends.is_some();
    }

    /// Passes the answer's bytes to a recorder. Compressed ones are decompressed for it, if no meter does so: clients
    /// choose the coding, and an object in unread bytes would have no owner.
    pub(super) fn learn(&mut self, recorder: Box<ProvenanceRecorder>, is_plain: bool) {
        let is_coded = !is_plain && self.meter.is_none();
        let decompressor = |coding| Decompressor::new(coding, DecodeBound::default()).ok().map(Box::new);
        self.decompressor = self.coding.filter(|_| is_coded).and_then(decompressor);
        self.recorder = Some(recorder).filter(|_| !is_coded || self.decompressor.is_some());
    }

    /// Replaces strings in the answer, if it is whole. Returns whether it is.
    pub(super) fn swap_strings(&mut self, swap: StringSwap) -> bool {
        let is_whole = self.ends.is_none();
        self.swap = is_whole.then(|| Box::new(swap));
        is_whole
    }

    /// Closes this account when the body has been read.
    pub(super) fn attach(&mut self, account: Box<Account>) {
        self.account = Some(account);
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let _entered = self.account.as_ref().map(|account| account.enter());
        loop {
            match self.state {
                State::Open => {}
                State::Ended => return Poll::Ready(None),
                State::FailureSent => {
                    self.state = State::Cut;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Cut => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Err(BodyError)));
                }
            }
            if self.ends.is_some() && final_poll::is_now() {
                self.over = Some(stopping());
            }
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            if let Some(fault) = self.over.take() {
                match self.stop(fault.side, &fault.error) {
                    Some(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    None => continue,
                }
            }
            if let Some(mut piece) = self.gathered.pop() {
                if self.gathered.is_empty() && self.failed.is_none() && upstream.is_end_stream() {
                    piece = self.end_with(piece);
                }
                if piece.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let polled = match self.failed.take() {
                Some(error) => Some(Err(error)),
                None => ready!(Pin::new(&mut *upstream).poll_frame(cx)),
            };
            let out = match polled {
                Some(Ok(frame)) => {
                    let ended = upstream.is_end_stream();
                    let out = self.pass(frame.into_data().unwrap_or_default());
                    // A reader that knows the length does not poll past the last byte.
                    let is_whole = ended && self.ends.is_none() && !self.needs_content;
                    Some(if is_whole { self.end_with(out) } else { out })
                }
                Some(Err(error)) => self.broke(&error),
                None if self.needs_content || self.lacks_frames() => self.lacks_content(),
                None => self.end(),
            };
            if let Some(bytes) = out.filter(|bytes| !bytes.is_empty()) {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        // The account is closed when the end is polled. A cut must be polled too, since a body that ends here counts as
        // whole.
        let is_cut = matches!(self.state, State::FailureSent | State::Cut);
        !is_cut && self.account.is_none() && self.upstream.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        // The sum of the pieces is not the length of a broken answer, nor of one in which strings are replaced.
        let has_length = self.ends.is_none() && self.swap.is_none() && self.failed.is_none();
        let exact = has_length.then(|| self.upstream.as_ref()?.size_hint().exact()).flatten();
        exact.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(self.gathered.len() as u64 + rest))
    }

    /// Whether the stream has ended without the frame that it must have.
    fn lacks_frames(&self) -> bool {
        let withhold = self.ends.as_ref().and_then(|ends| ends.withhold.as_ref());
        let is_between = || withhold.is_none_or(|withhold| withhold.is_between() && !withhold.has_given_up());
        self.needs_frame && self.meter.as_ref().is_some_and(|meter| meter.lacks_frames()) && is_between()
    }

    fn pass(&mut self, bytes: Bytes) -> Bytes {
        self.needs_content &= bytes.is_empty() || self.ends.is_none() && bytes.trim_ascii().is_empty();
        match (&mut self.meter, &mut self.recorder) {
            (Some(meter), recorder) => meter.see(&bytes, recorder.as_deref_mut()),
            (None, Some(_)) => self.record_piece(&bytes),
            (None, None) => {}
        }
        if !self.is_named
            && let (Some(id), Some(account)) =
                (self.recorder.as_ref().and_then(|recorder| recorder.own_id()), &mut self.account)
        {
            account.note_stored_id(Some(id));
            self.is_named = true;
        }
        if self.ends.is_some()
            && let Some(account) = &mut self.account
        {
            account.note_chunk();
        }
        let out = match &mut self.ends {
            Some(ends) => ends.pass(bytes, self.meter.as_deref_mut()),
            None => match &mut self.swap {
                Some(swap) => Bytes::from(swap.push(&bytes)),
                None => bytes,
            },
        };
        if let Some(account) = &mut self.account {
            account.add_bytes_out(out.len());
            // The error frame can only be read if it is sent between two frames.
            if let (Some(meter), Some(ends)) = (&self.meter, &self.ends)
                && (!ends.is_plain || ends.is_between(&out, meter))
            {
                self.over = account.over_budget(meter.content_tokens());
            }
        }
        if let (Some(_), Some(meter), Some(upstream)) = (&self.ends, &self.meter, &mut self.upstream)
            && meter.is_over()
        {
            upstream.expect_end();
        }
        out
    }

    /// Passes a piece that no meter reads to the recorder.
    fn record_piece(&mut self, bytes: &[u8]) {
        let Some(recorder) = &mut self.recorder else { return };
        match self.decompressor.as_mut().map(|decompressor| decompressor.push(bytes)) {
            None => recorder.see(bytes),
            Some(Ok(plain)) => recorder.see(&plain),
            // A broken coding cannot be read further. What was found so far is kept.
            Some(Err(_)) => (self.recorder, self.decompressor) = (None, None),
        }
    }

    /// Counts bytes that are sent in addition to the provider's pieces.
    fn count_out(&mut self, bytes: Option<&Bytes>) {
        if let (Some(account), Some(bytes)) = (&mut self.account, bytes) {
            account.add_bytes_out(bytes.len());
        }
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed").field("state", &self.state).finish_non_exhaustive()
    }
}
