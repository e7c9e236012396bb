//! Reads the pieces of a stream as they come or, where guards hold text back, those that follow each other closely
//! together.

use bytes::Bytes;
use http_body::Frame;

use super::super::gathered::Gathered;
use super::super::outflow::Outflow;
use super::{Ending, Translated};
use crate::observe::log::clean::cleaned;
use weir_types::fault::Fault;

impl Translated {
    /// Takes what the provider sent: a piece, its end or a failure.
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

    /// Whether the stream goes on, and comes from the target that it came from.
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

    /// What follows from what was read; true at the stream's end.
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

    /// Waits a moment only for the end of the provider's stream, if it has said that nothing follows.
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

    /// Reads the pieces that wait for what they cost: no client gets their events.
    pub(super) fn read_for_nobody(&mut self) {
        let pieces = self.gathered.as_mut().map(Gathered::take).unwrap_or_default();
        if let Some(pipeline) = self.pipeline.as_mut().filter(|_| !pieces.is_empty()) {
            let _read = pipeline.push(&pieces, &mut Outflow::default());
        }
    }
}
