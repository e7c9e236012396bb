//! The body of a provider's answer: from the network or from a recording, under the timers of its exchange.

mod content;
mod overtime;

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout_at};

use super::answer_body::AnswerBody;
use super::deadline::{Timeouts, Watch};
use super::error::{UpstreamError, UpstreamErrorKind};
use super::observer::BodyObserver;
use super::replay::Playback;
use super::stream_redactor::{Refused, StreamRedactor};
use content::Start;
use overtime::Overtime;
use weir_buffers::joined::Joined;

/// The body of a provider's answer. Dropping it cancels the exchange.
pub struct UpstreamBody {
    source: Source,
    watch: Watch,
    /// What follows an end that the answer itself has announced.
    overtime: Overtime,
    origin: Arc<str>,
    /// The piece that was read to see whether there is any; empty if there is none such.
    first: Bytes,
    /// Pieces behind it that were read ahead and will be returned again.
    held: VecDeque<Bytes>,
    /// The beginning of a body, until there is content in it.
    start: Option<Box<Start>>,
    /// Whether the first piece must be looked at for that.
    may_be_blank: bool,
    /// Hides the credential in the arriving bytes.
    redactor: Option<Box<StreamRedactor>>,
    observer: Option<Arc<dyn BodyObserver>>,
    /// What followed the body, as it came.
    trailers: Option<Box<HeaderMap>>,
}

/// The pieces of a body that is made from another one.
pub(super) trait Pieces: Send + Sync {
    /// Polls for the next piece; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>>;
    /// Whether nothing more will come.
    fn is_finished(&self) -> bool;
    /// What is known of the length that is left.
    fn left(&self) -> SizeHint;
}

enum Source {
    Network(AnswerBody),
    Replay(Box<Playback>),
    /// Made from another body, whose timers hold.
    Made(Box<dyn Pieces>),
    /// Ended or failed: connection and timer are released at once, however long the body itself is kept.
    Done,
}

impl UpstreamBody {
    pub(super) fn network(body: AnswerBody, watch: Watch, origin: Arc<str>) -> Self {
        Self::new(Source::Network(body), watch, origin)
    }

    pub(super) fn replay(body: Playback, watch: Watch, origin: Arc<str>) -> Self {
        Self::new(Source::Replay(Box::new(body)), watch, origin)
    }

    /// A body that is made from another one.
    pub(super) fn of(pieces: Box<dyn Pieces>, origin: Arc<str>) -> Self {
        Self::new(Source::Made(pieces), Watch::start(&Timeouts::default()), origin)
    }

    /// A body that was read already, in one piece.
    pub fn read(whole: Bytes, origin: &Arc<str>) -> Self {
        let mut body = Self::new(Source::Done, Watch::start(&Timeouts::default()), Arc::clone(origin));
        body.held.push_back(whole);
        body
    }

    fn new(source: Source, watch: Watch, origin: Arc<str>) -> Self {
        let (overtime, held) = (Overtime::default(), VecDeque::new());
        let (first, start, redactor, observer, trailers) = (Bytes::new(), None, None, None, None);
        let may_be_blank = false;
        Self { source, watch, overtime, origin, first, held, start, may_be_blank, redactor, observer, trailers }
    }

    /// Takes out what followed the body, which may hold the credential.
    pub(super) fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        self.trailers.take()
    }

    /// Makes `redactor` hide the credential in the arriving bytes.
    pub(super) fn redact_with(&mut self, redactor: StreamRedactor) {
        self.redactor = Some(Box::new(redactor));
    }

    /// Takes the redactor out, for a caller that decodes the body and redacts the decoded bytes instead.
    pub(super) fn take_redactor(&mut self) -> Option<Box<StreamRedactor>> {
        self.redactor.take()
    }

    /// Shows every piece that is read from now on to an observer.
    pub fn observe(&mut self, observer: Arc<dyn BodyObserver>) {
        self.observer = Some(observer);
    }

    fn show(&self, piece: &Bytes) {
        let Some(observer) = &self.observer else { return };
        observer.piece(piece);
        // A reader that knows the length does not read past the last byte.
        if self.is_read() {
            observer.ended(true);
        }
    }

    /// The provider has said in the answer that it is complete. Some keep the connection open nevertheless, or break it
    /// off: from now on the body ends in a moment at the latest, and however it ends, nothing is missing.
    pub fn expect_end(&mut self) {
        // A recording ends at its own pace.
        if matches!(self.source, Source::Network(_)) {
            self.overtime.begin();
        }
    }

    /// Whether the answer is known to be complete, whatever follows.
    pub(super) fn is_complete(&self) -> bool {
        self.overtime.has_begun()
    }

    /// The provider's origin, for messages.
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// Reads the whole body, up to `limit` bytes. Copies only if it arrives in several pieces.
    pub async fn collect(self, limit: usize) -> Result<Bytes, UpstreamError> {
        let origin = self.origin.clone();
        collect(self, limit, &origin).await
    }

    /// Reads the next piece of the body; `None` at its end.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        next_piece(self).await
    }

    /// Reads until `enough` bytes are buffered, the body ends, or `until` is reached. Later reads return these bytes
    /// again.
    pub async fn read_ahead(&mut self, enough: usize, until: Instant) -> Result<Bytes, UpstreamError> {
        if !self.first.is_empty() {
            self.held.push_front(std::mem::take(&mut self.first));
        }
        let mut read = Joined::from(std::mem::take(&mut self.held));
        let reading = async {
            while read.len() < enough
                && let Some(piece) = self.next_piece().await?
            {
                read.push(piece);
                // Pieces that are all there would never let the deadline be seen, nor other tasks have a turn.
                consume_budget().await;
            }
            Ok(())
        };
        match timeout_at(until, reading).await {
            Ok(Err(failed)) => return Err(failed),
            Ok(Ok(())) | Err(_) => self.held = read.finish(),
        }
        if let [only] = self.held.make_contiguous() {
            return Ok(only.clone());
        }
        Ok(self.held.make_contiguous().concat().into())
    }

    /// Ends the exchange.
    pub(super) fn close(&mut self) {
        self.source = Source::Done;
        self.watch.stop();
    }

    /// Screens a piece; the last piece is followed by the bytes that the redactor held back.
    fn screened(&mut self, piece: Bytes) -> Result<Bytes, UpstreamError> {
        let Some(redactor) = &mut self.redactor else { return Ok(piece) };
        let passed = match redactor.pass(piece) {
            Ok(passed) => passed,
            Err(Refused::Shown) => return Err(self.failure(UpstreamErrorKind::KeyShown)),
            Err(Refused::Unsearched) => return Err(self.failure(UpstreamErrorKind::Encoding)),
        };
        if redactor.held() == 0 || !self.source.is_ended() {
            return Ok(passed);
        }
        let rest = redactor.end();
        Ok(if passed.is_empty() { rest } else { Bytes::from([passed, rest].concat()) })
    }

    /// Takes the bytes that the redactor held back until the end.
    fn rest(&mut self) -> Option<Bytes> {
        self.redactor.as_mut().map(|redactor| redactor.end()).filter(|rest| !rest.is_empty())
    }

    /// Whether nothing more will be read.
    fn is_read(&self) -> bool {
        self.screened_len() == 0 && self.source.is_ended()
    }

    fn screened_len(&self) -> usize {
        self.redactor.as_ref().map_or(0, |redactor| redactor.held())
    }

    fn failure(&self, kind: UpstreamErrorKind) -> UpstreamError {
        UpstreamError::new(kind, &self.origin)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        match &mut self.source {
            Source::Done => Poll::Ready(None),
            Source::Replay(playback) => playback.poll_piece(cx).map(|piece| piece.map(Ok)),
            Source::Made(body) => body.poll_piece(cx),
            Source::Network(body) => loop {
                match ready!(body.poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(UpstreamError::of_body(&error, &self.origin)))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                        Err(frame) => self.trailers = frame.into_trailers().ok().map(Box::new),
                    },
                }
            },
        }
    }

    /// Polls for the next piece, screened and shown.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        let result = loop {
            match self.poll_source(cx) {
                Poll::Ready(Some(Ok(_))) if self.watch.is_over() => {
                    break Some(Err(self.failure(UpstreamErrorKind::TotalTimeout)));
                }
                Poll::Ready(Some(Ok(piece))) => {
                    self.watch.piece_came();
                    match self.screened(piece) {
                        Ok(piece) if piece.is_empty() && self.redactor.is_some() => {}
                        Ok(piece) => {
                            self.show(&piece);
                            return Poll::Ready(Some(Ok(piece)));
                        }
                        Err(error) => break Some(Err(error)),
                    }
                }
                Poll::Ready(None) => break self.rest().map(Ok),
                Poll::Ready(Some(Err(error))) if self.is_complete() => {
                    tracing::debug!(%error, "the provider broke off behind the end of its answer");
                    break self.rest().map(Ok);
                }
                Poll::Ready(Some(Err(error))) => break Some(Err(error)),
                Poll::Pending if matches!(self.source, Source::Made(_)) => return Poll::Pending,
                Poll::Pending => {
                    if self.overtime.poll_over(cx).is_ready() {
                        tracing::debug!(origin = %self.origin, "the provider does not end an answer that is complete");
                        break self.rest().map(Ok);
                    }
                    let expired = ready!(self.watch.poll_expiry(cx));
                    break Some(Err(self.failure(expired)));
                }
            }
        };
        self.close();
        if let Some(observer) = &self.observer {
            if let Some(Ok(rest)) = &result {
                observer.piece(rest);
            }
            observer.ended(!matches!(result, Some(Err(_))));
        }
        Poll::Ready(result)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            if !this.first.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
            }
            if let Some(held) = this.held.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(held))));
            }
            let piece = ready!(this.poll_piece(cx));
            this.hold_blank(piece.as_ref());
            let Some(start) = this.start.take() else {
                return Poll::Ready(piece.map(|piece| piece.map(Frame::data)));
            };
            if let ControlFlow::Break(end) = this.begin(start, piece) {
                return Poll::Ready(end.map(Err));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.first.is_empty() && self.start_len() == 0 && self.is_read()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.held.iter().chain([&self.first]).map(Bytes::len).sum::<usize>();
        let held = read + self.start_len() + self.screened_len();
        let left = self.source.left();
        let mut hint = SizeHint::new();
        hint.set_lower(left.lower().saturating_add(held as u64));
        if let Some(upper) = left.upper() {
            hint.set_upper(upper.saturating_add(held as u64));
        }
        hint
    }
}

impl Source {
    fn is_ended(&self) -> bool {
        match self {
            Source::Network(body) => body.is_end_stream(),
            Source::Replay(playback) => playback.is_finished(),
            Source::Made(body) => body.is_finished(),
            Source::Done => true,
        }
    }

    fn left(&self) -> SizeHint {
        match self {
            Source::Network(body) => body.size_hint(),
            Source::Replay(playback) => playback.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Source::Made(body) => body.left(),
            Source::Done => SizeHint::with_exact(0),
        }
    }
}

/// Reads the next piece of a body; `None` at its end.
pub(super) async fn next_piece<B>(body: &mut B) -> Result<Option<Bytes>, UpstreamError>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    // Many small pieces may be there at once, and others wait.
    consume_budget().await;
    match body.frame().await {
        Some(frame) => Ok(Some(frame?.into_data().unwrap_or_default())),
        None => Ok(None),
    }
}

/// Reads a whole body, up to `limit` bytes.
pub(super) async fn collect<B>(mut body: B, limit: usize, origin: &Arc<str>) -> Result<Bytes, UpstreamError>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    let too_large = || UpstreamError::new(UpstreamErrorKind::BodyTooLarge, origin);
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let first = next_piece(&mut body).await?.unwrap_or_default();
    let Some(second) = next_piece(&mut body).await? else {
        return if first.len() > limit { Err(too_large()) } else { Ok(first) };
    };
    let rest = body.size_hint().lower() as usize;
    let mut whole = BytesMut::with_capacity(first.len().saturating_add(second.len()).saturating_add(rest).min(limit));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(more) = piece {
        if whole.len().saturating_add(more.len()) > limit {
            return Err(too_large());
        }
        whole.extend_from_slice(&more);
        piece = next_piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
