//! Another target continues a stream that broke.

use super::super::follow_up::CancelOnDrop;
use super::super::resume::ResumedStream;
use super::Translated;
use super::end::record_facts;
use weir_types::fault::Fault;

impl Translated {
    /// Starts the search for a target that continues, if the stream can be resumed.
    pub(super) fn resume(&mut self, fault: &Fault) -> bool {
        let (Some(onward), Some(pipeline), Some(account)) = (&mut self.onward, &mut self.pipeline, &mut self.account)
        else {
            return false;
        };
        if pipeline.partial().is_none() || pipeline.had_finish() {
            return false;
        }
        let Some(resuming) =
            pipeline.partial().and_then(|partial| onward.begin(fault, partial, &pipeline.target, account))
        else {
            return false;
        };
        record_facts(account, &mut pipeline.seen);
        account.interrupted();
        self.resuming = Some(resuming);
        self.upstream = None;
        self.cancel_on_drop.take().into_iter().for_each(CancelOnDrop::disarm);
        true
    }

    pub(super) fn resumed(&mut self, found: Result<ResumedStream, Fault>) {
        let (Some(pipeline), Some(account)) = (&mut self.pipeline, &mut self.account) else { return };
        let taken = found.and_then(|found| {
            account.served_by(pipeline.seen.model.as_deref().unwrap_or_default());
            self.may_be_kept &= !found.stands_in && !found.account.has_trial();
            account.served_in(pipeline.seen.service_tier.clone());
            account.resumed(found.account, pipeline.seen.usage.as_ref(), pipeline.unreported());
            let target = &found.stream.successor.target;
            account.answered_on_by(target);
            let issuer = || target.issuer();
            self.recorder.iter_mut().for_each(|recorder| recorder.goes_on(issuer()));
            self.upstream = Some(found.stream.upstream);
            self.cancel_on_drop = found.stream.cancel_on_drop;
            pipeline.resume(found.stream.successor, &mut self.out)
        });
        if let Err(fault) = taken {
            self.give_up(&fault);
        }
    }
}
