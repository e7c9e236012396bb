//! The end of an exchange, of which guards are notified when the client has its answer: nothing waits for them.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::{GuardMetrics, Note, Pending};
use weir_sandbox::PluginFault;
use weir_sandbox::guard::{Annotation, Outcome};
use weir_types::contract::types::{ErrorKind, Usage};

/// The guards that are notified of the end of one exchange, when this is dropped.
#[derive(Debug)]
pub struct Ends {
    pending: Vec<Pending>,
    tenant: Arc<str>,
    request_id: String,
    begun: Instant,
    metrics: GuardMetrics,
    failure: Option<ErrorKind>,
    usage: Option<Usage>,
    /// Whether a guard refused the answer, which then counts as failed however it ends.
    is_refused: bool,
}

impl Ends {
    /// The guards of an exchange that began at this time; `None` if there are none. If nothing reports how the exchange
    /// ended, it counts as failed within the gateway.
    pub fn new(
        pending: Vec<Pending>,
        tenant: &Arc<str>,
        request_id: &str,
        begun: Instant,
        metrics: &GuardMetrics,
    ) -> Option<Self> {
        let (tenant, request_id, metrics) = (Arc::clone(tenant), request_id.to_owned(), metrics.clone());
        let (failure, usage, is_refused) = (Some(ErrorKind::Internal), None, false);
        let ends = Self { pending, tenant, request_id, begun, metrics, failure, usage, is_refused };
        (!ends.pending.is_empty()).then_some(ends)
    }

    /// Adds the guards of a model that the request was passed on to.
    pub fn add(&mut self, mut other: Self) {
        self.pending.append(&mut other.pending);
    }

    /// Notes that a guard refused the request or its answer.
    pub fn refused(&mut self) {
        self.is_refused = true;
    }

    /// Sets how the exchange ended, and what it used.
    pub fn ended(&mut self, failure: Option<ErrorKind>, usage: Option<Usage>) {
        (self.failure, self.usage) = (failure, usage);
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        let (Ok(runtime), Some(place)) = (Handle::try_current(), self.metrics.place_for_end()) else {
            for pending in &pending {
                self.metrics.count_end(&pending.guard.name, "skipped");
            }
            return;
        };
        let outcome = Outcome {
            failure: if self.is_refused { Some(ErrorKind::ContentFiltered) } else { self.failure },
            usage: self.usage.take(),
            duration_ms: u32::try_from(self.begun.elapsed().as_millis()).unwrap_or(u32::MAX),
        };
        let (tenant, request_id) = (Arc::clone(&self.tenant), std::mem::take(&mut self.request_id));
        let _task = runtime.spawn(notify(pending, outcome, tenant, request_id, self.metrics.clone(), place));
    }
}

/// Notifies each guard. Its annotations are only logged, since the client has its answer already.
async fn notify(
    pending: Vec<Pending>,
    outcome: Outcome,
    tenant: Arc<str>,
    request_id: String,
    metrics: GuardMetrics,
    _place: OwnedSemaphorePermit,
) {
    for pending in pending {
        let (guard, name) = (&pending.guard, &*pending.guard.name);
        match call(&pending, &outcome, &tenant).await {
            Ok(annotations) => {
                let note = Note::new(&guard.name, "end", guard.enforces(), &annotations);
                if !note.annotations.is_empty() {
                    tracing::info!(request_id, guard = name, annotations = note.annotated(), "guard noted the end");
                }
                metrics.count_end(name, "notified");
            }
            Err(error) => {
                tracing::warn!(request_id, guard = name, %error, "guard failed at the end");
                metrics.count_end(name, "failed");
            }
        }
    }
}

async fn call(pending: &Pending, outcome: &Outcome, tenant: &Arc<str>) -> Result<Vec<Annotation>, PluginFault> {
    let Some(version) = &pending.version else { return Ok(Vec::new()) };
    let lease = version.lease(Arc::clone(tenant)).await?;
    let mut lease = lease.within(pending.guard.settings.deadline).about(pending.size);
    let annotations = lease.on_end(&pending.facts, outcome);
    lease.release();
    annotations
}
