//! The body of a translated stream: reads the provider's pieces, passes them through the pipeline, and sends the
//! output at once.

mod end;
mod first;
mod pieces;
mod resume;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::follow_up::CancelOnDrop;
use super::gathered::Gathered;
use super::outflow::Outflow;
use super::pipeline::{Pipeline, stopping};
use super::reply::BodyError;
use super::resume::{ResumeContext, Resuming};
use super::send::fault_of;
use super::unified_reply::{Closing, see_events};
use crate::accounting::Account;
use crate::provenance::ProvenanceRecorder;
use weir_server::final_poll;
use weir_types::contract::types::{ChatEvent, Loss};
use weir_upstream::Decoded;

pub(super) use self::first::{First, prime};

/// A stream that is being translated.
pub struct Translated {
    upstream: Option<Decoded>,
    pipeline: Option<Pipeline>,
    out: Outflow,
    account: Option<Box<Account>>,
    /// Records the values in the sent bytes that later requests may carry.
    recorder: Option<Box<ProvenanceRecorder>>,
    can_cut: bool,
    ending: Ending,
    keep_alive: Option<KeepAlive>,
    /// The cancellation to send to the provider if the client leaves before the end.
    cancel_on_drop: Option<CancelOnDrop>,
    /// The data for resuming the stream if it breaks.
    onward: Option<Box<ResumeContext>>,
    /// The running search for a target that continues.
    resuming: Option<Resuming>,
    /// The pieces that wait to be judged together, if guards hold text back.
    gathered: Option<Gathered>,
    /// For a program: the losses, the usage and the cost at the end.
    closing: Closing,
    /// Whether anything was lost after the answer's head was sent.
    has_late_losses: bool,
    /// Whether the stream may be kept for equal requests: the model asked for made all of it, and it has an end of its
    /// own.
    may_be_kept: bool,
}

/// The progress of the stream's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The stream is running.
    None,
    /// The output is complete: the rest is sent, and the body ends.
    Clean,
    /// The stream broke: the rest is sent and flushed, and the connection is cut.
    Cut,
    /// The rest has been flushed; the connection is cut next.
    Flushed,
}

/// The keep-alive frame, sent while there is no output yet.
struct KeepAlive {
    every: Duration,
    frame: Bytes,
    sleep: Pin<Box<Sleep>>,
}

impl Translated {
    /// A stream's body; `first` is what [`prime`] read.
    pub(super) fn new(upstream: Decoded, pipeline: Pipeline, first: First, can_cut: bool) -> Self {
        Self {
            gathered: pipeline.judge_every().map(Gathered::new),
            upstream: Some(upstream),
            pipeline: Some(pipeline),
            out: first.out,
            account: None,
            recorder: None,
            can_cut,
            ending: if first.ended { Ending::Clean } else { Ending::None },
            keep_alive: None,
            cancel_on_drop: None,
            onward: None,
            resuming: None,
            closing: Closing::default(),
            has_late_losses: false,
            may_be_kept: true,
        }
    }

    /// Keeps the request's losses, for a program.
    pub(super) fn lost(&mut self, losses: &[Loss]) {
        if self.pipeline.as_ref().is_some_and(Pipeline::is_for_program) {
            self.closing.losses = losses.to_vec();
        }
    }

    /// The losses, the usage and the cost for a program, as far as they are known.
    pub(super) fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Whether an ended stream lost anything after the answer's head was sent.
    pub(super) fn has_late_losses(&self) -> bool {
        self.has_late_losses
    }

    /// Whether an ended stream may be kept for equal requests: the model asked for made all of it, and the provider
    /// sent its end.
    pub(super) fn may_be_kept(&self) -> bool {
        self.may_be_kept
    }

    /// Sets the cancellation to send to the provider if the client leaves before the end.
    pub(super) fn cancel_on_drop(&mut self, cancel_on_drop: Option<CancelOnDrop>) {
        self.cancel_on_drop = cancel_on_drop;
    }

    /// Whether another target could continue the stream from here.
    pub(super) fn can_be_resumed(&self) -> bool {
        self.ending == Ending::None && self.pipeline.as_ref().is_some_and(|pipeline| pipeline.partial().is_some())
    }

    /// Sets the data for resuming the stream if it breaks.
    pub(super) fn resumable(&mut self, onward: Box<ResumeContext>) {
        self.onward = Some(onward);
    }

    /// Passes the bytes that are sent to a recorder.
    pub(super) fn learn(&mut self, recorder: Box<ProvenanceRecorder>) {
        self.recorder = Some(recorder);
    }

    /// Closes this account when the stream has ended.
    pub(super) fn attach(&mut self, account: Box<Account>) {
        self.account = Some(account);
    }

    /// Sends this frame at each interval until the first output.
    pub(super) fn keep_alive(&mut self, every: Duration, frame: Bytes) {
        self.keep_alive = Some(KeepAlive { every, frame, sleep: Box::pin(tokio::time::sleep(every)) });
    }

    /// Polls for the next bytes, for a client with a dialect.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let out = ready!(self.poll_out(cx));
        Poll::Ready(out.map(|out| out.map(|out| Frame::data(Bytes::from(out.bytes)))))
    }

    /// Polls for the next events, for a program. A stream that broke ends with the event of its failure.
    pub(super) fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<ChatEvent>>> {
        let out = ready!(self.poll_out(cx));
        Poll::Ready(out.and_then(Result::ok).map(|out| out.events))
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Outflow, BodyError>>> {
        let _entered = self.account.as_ref().map(|account| account.enter());
        loop {
            if !self.out.is_empty() {
                return Poll::Ready(Some(Ok(self.take_out())));
            }
            match self.ending {
                Ending::None if final_poll::is_now() => {
                    self.resuming = None;
                    self.read_gathered();
                    if self.is_running() {
                        self.give_up(&stopping());
                    }
                    continue;
                }
                Ending::None => {}
                Ending::Clean => {
                    self.close(None);
                    return Poll::Ready(None);
                }
                Ending::Cut => {
                    // The server flushes its buffer when the body is pending, so the cut follows the output.
                    self.ending = Ending::Flushed;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ending::Flushed => {
                    self.ending = Ending::Clean;
                    return Poll::Ready(Some(Err(BodyError)));
                }
            }
            if let Some(resuming) = &mut self.resuming {
                match resuming.poll(cx) {
                    Poll::Pending => return self.poll_keep_alive(cx),
                    Poll::Ready(found) => {
                        self.resuming = None;
                        self.resumed(found);
                        continue;
                    }
                }
            }
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Pending => match self.gathered.as_mut().map(|gathered| gathered.poll_due(cx)) {
                    Some(Poll::Ready(())) => self.read_gathered(),
                    _ => return self.poll_keep_alive(cx),
                },
                Poll::Ready(piece) => self.take(piece.transpose().map_err(|error| fault_of(&error))),
            }
        }
    }

    /// Takes the output for the client, and counts it.
    fn take_out(&mut self) -> Outflow {
        if let Some(account) = &mut self.account {
            account.note_chunk();
            account.add_bytes_out(self.out.bytes.len());
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.see(&self.out.bytes);
            see_events(recorder, &self.out.events);
        }
        self.keep_alive = None;
        std::mem::take(&mut self.out)
    }

    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Outflow, BodyError>>> {
        let Some(alive) = &mut self.keep_alive else { return Poll::Pending };
        ready!(alive.sleep.as_mut().poll(cx));
        let next = Instant::now() + alive.every;
        alive.sleep.as_mut().reset(next);
        cx.waker().wake_by_ref();
        if let Some(account) = &mut self.account {
            account.add_bytes_out(alive.frame.len());
        }
        Poll::Ready(Some(Ok(Outflow { bytes: alive.frame.to_vec(), events: Vec::new() })))
    }
}

impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translated").field("ending", &self.ending).finish_non_exhaustive()
    }
}
