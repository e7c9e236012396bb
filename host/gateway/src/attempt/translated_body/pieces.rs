//! Reads the pieces of a stream as they arrive. If guards hold text back, pieces that follow each other closely are
//! read together.

use bytes::Bytes;
use http_body::Frame;

use super::super::gathered::Gathered;
use super::super::outflow::Outflow;
use super::{Ending, Translated};
use crate::observe::log::clean::cleaned;
use weir_types::fault::Fault;

impl Translated {
    /// Handles what the provider sent: a piece, the end, or a failure.
    pub(super) fn take(&mut self, piece: Result<Option<Frame<Bytes>>, Fault>) {
        match piece {
            Ok(Some(frame)) => {
                let Ok(bytes) = frame.into_data() else { return };
                match &mut self.gathered {
                    Some(gathered) => {
                        if gathered.add(bytes) {
                            self.read_gathered();
                        }
                    }
                    None => self.read(&[bytes]),
                }
            }
            Ok(None) => {
                self.read_gathered();
                if self.is_running()
                    && let Some(pipeline) = &mut self.pipeline
                {
                    let ended = pipeline.end(&mut self.out);
                    self.follow(ended.map(|()| true));
                }
            }
            Err(fault) => {
                self.read_gathered();
                if self.is_running() {
                    self.follow(Err(fault));
                }
            }
        }
    }

    /// Whether the stream is running and still comes from its first target.
    pub(super) fn is_running(&self) -> bool {
        self.ending == Ending::None && self.resuming.is_none()
    }

    /// Reads the pieces that wait to be judged.
    pub(super) fn read_gathered(&mut self) {
        let pieces = self.gathered.as_mut().map(Gathered::take).unwrap_or_default();
        if !pieces.is_empty() {
            self.read(&pieces);
        }
    }

    fn read(&mut self, pieces: &[Bytes]) {
        let Some(pipeline) = &mut self.pipeline else { return };
        let read = pipeline.push(pieces, &mut self.out);
        self.follow(read.map(|()| false));
    }

    /// Ends or resumes the stream if its last read requires that. Returns whether the stream has ended.
    fn follow(&mut self, read: Result<bool, Fault>) {
        let Some(pipeline) = &self.pipeline else { return };
        match read {
            Ok(_) if pipeline.failure().is_some() => self.broken("upstream", true),
            Ok(_) if pipeline.is_refused() => self.ending = Ending::Clean,
            Ok(false) => {
                self.expect_end();
                self.check_budget();
            }
            Ok(true) => self.ending = Ending::Clean,
            Err(fault) => {
                tracing::warn!(fault = cleaned(&fault), "stream broke");
                if !self.resume(&fault) {
                    self.give_up(&fault);
                }
            }
        }
    }

    /// Limits the wait for the end of the provider's stream, if the frame that ends it has come.
    fn expect_end(&mut self) {
        if let (Some(pipeline), Some(upstream)) = (&self.pipeline, &mut self.upstream)
            && pipeline.is_over()
        {
            upstream.expect_end();
        }
    }

    /// Ends the stream if it has used up a budget that ends streams.
    fn check_budget(&mut self) {
        let (Some(pipeline), Some(account)) = (&self.pipeline, &mut self.account) else { return };
        if let Some(fault) = account.over_budget(pipeline.seen.weight.tokens()) {
            self.give_up(&fault);
        }
    }

    /// Reads the waiting pieces only for their usage: no client gets their events.
    pub(super) fn read_for_usage(&mut self) {
        let pieces = self.gathered.as_mut().map(Gathered::take).unwrap_or_default();
        if let Some(pipeline) = self.pipeline.as_mut().filter(|_| !pieces.is_empty()) {
            let _read = pipeline.push(&pieces, &mut Outflow::default());
        }
    }
}
