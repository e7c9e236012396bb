//! The end of a relayed answer, whole or broken, and what is booked then.

use bytes::Bytes;
use http_body::Body;

use super::super::meter::{Metered, Progress};
use super::super::pipeline::broken;
use super::super::withhold::Withhold;
use super::{Relayed, State};
use crate::accounting::Account;
use weir_types::contract::types::Error;
use weir_types::fault::Side;
use weir_upstream::UpstreamError;

impl Relayed {
    pub(super) fn end(&mut self) -> Option<Bytes> {
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

    /// Ends the answer after this piece. Returns the piece together with what was held back.
    pub(super) fn end_with(&mut self, piece: Bytes) -> Bytes {
        match self.end() {
            Some(rest) if !rest.is_empty() => [piece, rest].concat().into(),
            _ => piece,
        }
    }

    /// Ends an answer that the provider broke off.
    pub(super) fn broke(&mut self, error: &UpstreamError) -> Option<Bytes> {
        tracing::warn!(%error, "relayed answer broke");
        self.stop(Side::Upstream, &broken(error.kind.name()))
    }

    /// Ends an answer that the provider ended without content.
    pub(super) fn lacks_content(&mut self) -> Option<Bytes> {
        tracing::warn!("relayed answer has no content");
        self.stop(Side::Upstream, &broken("it has no content"))
    }

    /// Ends the stream with the format's error frame, if possible, and then cuts the connection, so that no client
    /// takes the answer for complete.
    pub(super) fn stop(&mut self, side: Side, error: &Error) -> Option<Bytes> {
        let ends = self.ends.as_ref().filter(|ends| ends.is_plain);
        let frame = ends.and_then(|ends| ends.failure_frame(self.meter.as_deref(), error));
        let can_cut = self.ends.as_ref().is_none_or(|ends| ends.can_cut);
        // Bytes received so far, or at least the head, are written before the cut.
        self.state = if frame.is_some() && !can_cut { State::Ended } else { State::FailureSent };
        self.count_out(frame.as_ref());
        self.close(Some(side));
        frame
    }

    /// What the meter read of the answer, which has ended; `is_all` means that it is complete.
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

    /// The answer's own id, if the recorder looked for it and found it.
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
    /// The client left: accounts for what was consumed so far. That is everything if nothing was left to read: an
    /// answer without content is never polled to its end.
    fn drop(&mut self) {
        let is_broken = self.needs_content || self.failed.is_some() || self.over.is_some();
        let is_read = self.gathered.is_empty() && !is_broken;
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

pub(super) fn record(account: &mut Account, metered: Option<Metered>) {
    let Some(metered) = metered else { return };
    if account.is_about_stored() {
        if let Some(used) = metered.into_stored_use() {
            account.stored_is_finished(used);
        }
        return;
    }
    let Metered { usage, service_tier, content, has_ended, model, progress, cost, is_partial, .. } = metered;
    if progress == Progress::UnderWay && account.note_under_way() {
        return;
    }
    account.content(content);
    account.served_by(model.as_deref().unwrap_or_default());
    match usage {
        Some(usage) => account.set_usage(usage),
        None => account.served_in(service_tier),
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
