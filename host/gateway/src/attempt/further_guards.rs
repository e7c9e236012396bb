//! Guards of the models that a request is passed on to, by a fallback or a budget. Those of the model that the client
//! asked for have judged the request before it was routed.

use std::sync::{Arc, Mutex, PoisonError};

use super::judged_request::{Judged, judged_by};
use super::{InboundRequest, RequestContext};
use crate::guard::{Guard, GuardMetrics, Guards};
use crate::route::Candidate;
use weir_types::fault::Fault;

/// What the guards of one model made of the request.
type Verdict = Result<Arc<Judged>, Fault>;

/// The guards that may have to judge a request while its plan is carried out, with what they made of it.
#[derive(Debug)]
pub struct FallbackGuards<'a> {
    guards: &'a Guards,
    metrics: &'a GuardMetrics,
    /// By the name of the model. A plan has few of them.
    verdicts: Mutex<Vec<(Arc<str>, Verdict)>>,
}

impl<'a> FallbackGuards<'a> {
    /// The guards of a configuration.
    pub fn new(guards: &'a Guards, metrics: &'a GuardMetrics) -> Self {
        Self { guards, metrics, verdicts: Mutex::default() }
    }

    /// The guards of a candidate's model that are not those of the model that the client asked for.
    pub fn of(&self, inbound: &InboundRequest, candidate: &Candidate) -> Vec<&'a Arc<Guard>> {
        let Some(name) = candidate.name.as_deref() else { return Vec::new() };
        let first = self.guards.of(&inbound.caller, inbound.guarded_models());
        let mut of_model = self.guards.of(&inbound.caller, &[name]);
        of_model.retain(|guard| !first.iter().any(|other| Arc::ptr_eq(other, guard)));
        of_model
    }

    /// Has the guards of a candidate's model judge the request, once for each model. `None` if there are none besides
    /// those that have judged it.
    ///
    /// # Errors
    ///
    /// A guard refused the request for this model, or failed to judge it.
    pub(super) async fn judge(
        &self,
        context: RequestContext<'_>,
        inbound: &InboundRequest,
        candidate: &Candidate,
    ) -> Result<Option<Arc<Judged>>, Fault> {
        let guards = self.of(inbound, candidate);
        let Some(name) = candidate.name.as_ref().filter(|_| !guards.is_empty()) else { return Ok(None) };
        if let Some(verdict) = self.known(name) {
            return verdict.map(Some);
        }
        let (judged, refused) = Box::pin(judged_by(context, inbound, &guards, self.metrics)).await;
        let first = inbound.judged.get_or_init(|| Box::new(Judged::nothing(self.metrics)));
        first.adopt(&judged);
        let verdict = refused.map_or_else(|| Ok(Arc::new(judged)), Err);
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(name), verdict.clone()));
        verdict.map(Some)
    }

    fn known(&self, name: &str) -> Option<Verdict> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.iter().find(|(model, _)| **model == *name).map(|(_, verdict)| verdict.clone())
    }
}
