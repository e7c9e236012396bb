//! The body of a relayed answer: the provider's pieces as they arrive, with a tap reading a copy.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::meter::{Meter, Metered, Progress};
use super::pipeline::{broken, stopping};
use super::reply::BodyError;
use super::stream_end::StreamEnd;
use super::withhold::Withhold;
use crate::accounting::Account;
use crate::provenance::ProvenanceRecorder;
use weir_ledger::Nano;
use weir_server::final_poll;
use weir_types::contract::types::Error;
use weir_types::fault::{Fault, Side};
use weir_upstream::{Coding, DecodeBound, Decoder as Decompressor, UpstreamBody, UpstreamError};
use weir_wire::swap::StringSwap;

/// The most bytes of a whole answer that are read before its head goes out.
const GATHERED: usize = 256 << 10;
/// How long they may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A relayed answer.
pub struct Relayed {
    upstream: Option<Box<UpstreamBody>>,
    meter: Option<Box<Meter>>,
    ends: Option<Box<StreamEnd>>,
    account: Option<Box<Account>>,
    recorder: Option<Box<ProvenanceRecorder>>,
    /// Decompresses the answer for the recorder, where no meter does.
    decompressor: Option<Box<Decompressor>>,
    /// The answer's coding; none if it is unknown.
    coding: Option<Coding>,
    /// Replaces strings in a whole answer.
    swap: Option<Box<StringSwap>>,
    /// Pieces of a whole answer that were read before its head went out.
    gathered: VecDeque<Bytes>,
    /// How the answer broke off while it was gathered.
    failed: Option<UpstreamError>,
    /// Why the stream is ended before its end.
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
            gathered: VecDeque::new(),
            failed: None,
            over: None,
            is_named: false,
            state: State::Open,
        }
    }

    /// Notes the coding that the answer has by these headers, so that a recorder can read it.
    pub(super) fn coded(mut self, headers: &HeaderMap) -> Self {
        self.coding = Coding::of(headers).ok();
        self
    }

    /// Passes the answer's bytes to a recorder. Compressed ones are decompressed for it, if no meter does that: clients choose the
    /// coding, and an object that goes unread would have no owner.
    pub(super) fn learn(&mut self, recorder: Box<ProvenanceRecorder>, is_plain: bool) {
        let is_coded = !is_plain && self.meter.is_none();
        let decompressor = |coding| Decompressor::new(coding, DecodeBound::default()).ok().map(Box::new);
        self.decompressor = self.coding.filter(|_| is_coded).and_then(decompressor);
        self.recorder = Some(recorder).filter(|_| !is_coded || self.decompressor.is_some());
    }

    /// Has strings replaced in the answer, if it is whole. Returns whether it is.
    pub(super) fn swap_strings(&mut self, swap: StringSwap) -> bool {
        let is_whole = self.ends.is_none();
        self.swap = is_whole.then(|| Box::new(swap));
        is_whole
    }

    /// Closes this account when the body has been read.
    pub(super) fn attach(&mut self, account: Box<Account>) {
        self.account = Some(account);
    }

    /// Whether it is a whole answer whose cost is known once it was read.
    pub(super) fn can_gather(&self) -> bool {
        self.ends.is_none() && self.meter.is_some() && self.account.as_ref().is_some_and(|account| account.is_priced())
    }

    /// Whether it tells of work that its provider has begun.
    pub(super) fn begins_work(&self) -> bool {
        self.ends.is_none() && self.account.as_ref().is_some_and(|account| account.begins_work())
    }

    /// Reads a whole answer before its head goes out, and returns what it costs, for a header. `None` if it is long or
    /// slow, breaks off, or has no known cost: then it goes on as it arrives.
    pub(super) async fn gather(&mut self) -> Option<Nano> {
        let is_read = {
            let mut reading = pin!(self.read_gathered());
            // An answer that is there already costs no timer.
            match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
                Poll::Ready(is_read) => is_read,
                Poll::Pending => tokio::time::timeout(TIMEOUT, reading).await.unwrap_or(false),
            }
        };
        if !is_read {
            return None;
        }
        let metered = self.meter.take().map(|meter| meter.finish(true));
        let account = self.account.as_mut()?;
        record(account, metered);
        account.cost_of_whole()
    }

    /// Reads up to the end; `false` if that is too far away, or the provider broke off, which is found again later.
    async fn read_gathered(&mut self) -> bool {
        let mut bytes = 0;
        loop {
            let Some(upstream) = &mut self.upstream else { return false };
            let next = if upstream.is_end_stream() {
                None
            } else {
                poll_fn(|cx| Pin::new(&mut *upstream).poll_frame(cx)).await
            };
            match next {
                Some(Ok(frame)) => {
                    let piece = self.pass(frame.into_data().unwrap_or_default());
                    bytes += piece.len();
                    self.gathered.push_back(piece);
                }
                Some(Err(error)) => {
                    self.failed = Some(error);
                    return false;
                }
                None => {
                    // The last piece must not be empty: a reader that knows the length does not ask for it.
                    let rest = self.swap.take().map(|mut swap| swap.finish()).filter(|rest| !rest.is_empty());
                    let rest = rest.map(Bytes::from);
                    self.count_out(rest.as_ref());
                    self.gathered.extend(rest);
                    return true;
                }
            }
            if bytes > GATHERED {
                return false;
            }
        }
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
            if let Some(mut piece) = self.gathered.pop_front() {
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
                    Some(if ended && self.ends.is_none() { self.end_with(out) } else { out })
                }
                Some(Err(error)) => self.broke(&error),
                None => self.end(),
            };
            if let Some(bytes) = out.filter(|bytes| !bytes.is_empty()) {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        // The account is closed at the end, so the end must be polled. So must a cut, since a body that ends here
        // counts as whole.
        let is_cut = matches!(self.state, State::FailureSent | State::Cut);
        !is_cut && self.account.is_none() && self.upstream.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        // The length of an answer that broke off is not that of its pieces, nor is that of one in which strings are replaced.
        let has_length = self.ends.is_none() && self.swap.is_none() && self.failed.is_none();
        let exact = has_length.then(|| self.upstream.as_ref()?.size_hint().exact()).flatten();
        let gathered: u64 = self.gathered.iter().map(|piece| piece.len() as u64).sum();
        exact.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(gathered + rest))
    }

    fn pass(&mut self, bytes: Bytes) -> Bytes {
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
            // Between two frames, so that the one with the error can be read.
            if let (Some(meter), Some(ends)) = (&self.meter, &self.ends)
                && (!ends.is_plain || ends.is_between(&out, meter))
            {
                self.over = account.over_budget(meter.content_tokens());
            }
        }
        out
    }

    /// Shows the recorder a piece that no meter reads.
    fn record_piece(&mut self, bytes: &[u8]) {
        let Some(recorder) = &mut self.recorder else { return };
        match self.decompressor.as_mut().map(|decompressor| decompressor.push(bytes)) {
            None => recorder.see(bytes),
            Some(Ok(plain)) => recorder.see(&plain),
            // What is broken cannot be read further. What was found so far is kept.
            Some(Err(_)) => (self.recorder, self.decompressor) = (None, None),
        }
    }

    fn end(&mut self) -> Option<Bytes> {
        self.state = State::Ended;
        if let (Some(recorder), Some(Ok(rest))) =
            (&mut self.recorder, self.decompressor.take().map(|mut decompressor| decompressor.finish()))
        {
            recorder.see(&rest);
        }
        let withheld = self.ends.as_mut().and_then(|ends| ends.withhold.as_mut()).map(Withhold::end);
        let last = withheld.or_else(|| self.swap.take().map(|mut swap| Bytes::from(swap.finish())));
        self.count_out(last.as_ref());
        self.close(None);
        last
    }

    /// Ends the answer behind this piece, and returns that with what was held back.
    fn end_with(&mut self, piece: Bytes) -> Bytes {
        match self.end() {
            Some(rest) if !rest.is_empty() => [piece, rest].concat().into(),
            _ => piece,
        }
    }

    /// The provider broke off.
    fn broke(&mut self, error: &UpstreamError) -> Option<Bytes> {
        tracing::warn!(%error, "relayed answer broke");
        self.stop(Side::Upstream, &broken(error.kind.name()))
    }

    /// Ends the stream with the format's error frame, if possible, and then cuts the connection, so that no client takes
    /// the answer for complete.
    fn stop(&mut self, side: Side, error: &Error) -> Option<Bytes> {
        let ends = self.ends.as_ref().filter(|ends| ends.is_plain);
        let frame = ends.and_then(|ends| ends.failure_frame(self.meter.as_deref(), error));
        let can_cut = self.ends.as_ref().is_none_or(|ends| ends.can_cut);
        // Bytes received so far, or at least the head, are written before the cut.
        self.state = if frame.is_some() && !can_cut { State::Ended } else { State::FailureSent };
        self.count_out(frame.as_ref());
        self.close(Some(side));
        frame
    }

    /// Counts what is sent beside the provider's pieces.
    fn count_out(&mut self, bytes: Option<&Bytes>) {
        if let (Some(account), Some(bytes)) = (&mut self.account, bytes) {
            account.add_bytes_out(bytes.len());
        }
    }

    /// What was read of the answer, which goes on no more; `is_all` means that it came to its end.
    fn finish_meter(&mut self, is_all: bool) -> Option<Metered> {
        let mut meter = self.meter.take()?;
        if let Some(withhold) = self.ends.as_mut().and_then(|ends| ends.withhold.as_mut()) {
            withhold.last_frame(&mut |frame| meter.frame(frame));
            if withhold.has_given_up() {
                meter.give_up();
            }
        }
        Some(meter.finish(is_all))
    }

    /// The answer's own id, if that was looked for and found.
    fn own_id(&self) -> Option<&[u8]> {
        self.recorder.as_ref().and_then(|recorder| recorder.own_id())
    }

    fn close(&mut self, broken_by: Option<Side>) {
        self.upstream = None;
        let metered = self.finish_meter(broken_by.is_none());
        let Some(mut account) = self.account.take() else { return };
        record(&mut account, metered);
        account.note_stored_id(self.own_id());
        account.note_results_id(self.recorder.as_ref().and_then(|recorder| recorder.results_id()));
        match broken_by {
            Some(side) => account.fail_stream(side.as_str()),
            None => account.complete(),
        }
    }
}

impl Drop for Relayed {
    /// The client left: accounts for what has been consumed so far. All of it, if nothing was left to read: an answer without
    /// content is not asked for its end.
    fn drop(&mut self) {
        let is_read = self.gathered.is_empty() && self.failed.is_none() && self.over.is_none();
        if is_read && self.state == State::Open && self.upstream.as_ref().is_some_and(Body::is_end_stream) {
            return self.close(None);
        }
        let metered = self.finish_meter(false);
        let id = self.own_id().map(<[u8]>::to_vec);
        if let Some(account) = &mut self.account {
            record(account, metered);
            account.note_stored_id(id.as_deref());
        }
    }
}

fn record(account: &mut Account, metered: Option<Metered>) {
    let Some(metered) = metered else { return };
    if account.is_about_stored() {
        if let Some(used) = metered.into_stored_use() {
            account.stored_is_finished(used);
        }
        return;
    }
    let Metered { usage, content, has_ended, model, progress, cost, is_partial, .. } = metered;
    if progress == Progress::UnderWay && account.note_under_way() {
        return;
    }
    account.content(content);
    account.served_by(model.as_deref().unwrap_or_default());
    if let Some(usage) = usage {
        account.set_usage(usage);
    }
    if let Some(cost) = cost {
        account.cost_is_told(&cost);
    }
    if has_ended {
        account.usage_is_final();
    }
    if is_partial {
        account.usage_is_partial();
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed").field("state", &self.state).finish_non_exhaustive()
    }
}
