//! Follow-up requests, for providers whose answer takes several steps: each after a delay, bounded, with a last
//! request if the client leaves in between.

use std::time::{Duration, Instant};

use super::send::rendered;
use super::{InboundRequest, RequestContext};
use crate::route::Target;
use weir_types::contract::types::ErrorKind;
use weir_types::contract::types::{FollowUp, HttpRequest};
use weir_types::fault::{Fault, Side};
use weir_upstream::{UpstreamRequest, Upstreams};

/// The most follow-ups of one exchange.
const MAX_FOLLOW_UPS: u32 = 60;
/// The time limit of all follow-ups if the target has no total limit.
const MAX_TIME: Duration = Duration::from_mins(15);

/// Counts the follow-ups of one exchange.
#[derive(Debug)]
pub(super) struct Steps {
    left: u32,
    until: Instant,
}

impl Steps {
    pub(super) fn new(target: &Target) -> Self {
        let time = target.timeouts.total.unwrap_or(MAX_TIME);
        let now = Instant::now();
        Self { left: MAX_FOLLOW_UPS, until: now.checked_add(time).unwrap_or(now + MAX_TIME) }
    }

    /// Builds the next request and waits until it is due. Also returns the request to send if the client leaves
    /// before the answer; it is sent too if this future is dropped while waiting.
    pub(super) async fn next<'a>(
        &mut self,
        context: RequestContext<'_>,
        inbound: &'a InboundRequest,
        target: &'a Target,
        step: FollowUp,
    ) -> Result<(UpstreamRequest<'a>, Option<CancelOnDrop>), Fault> {
        self.left = self.left.checked_sub(1).ok_or_else(|| too_long("needs too many steps"))?;
        let due = Instant::now() + Duration::from_millis(u64::from(step.after_ms));
        if due > self.until {
            return Err(too_long("takes too long"));
        }
        let origin = step.origin.as_deref();
        let request = rendered(inbound, target, step.request, None, origin, step.stream)?;
        let cancel_on_drop =
            step.on_cancel.map(|request| CancelOnDrop::new(context.upstreams, inbound, target, request));
        let cancel_on_drop = cancel_on_drop.transpose()?;
        tokio::time::sleep_until(due.into()).await;
        Ok((request, cancel_on_drop))
    }
}

fn too_long(what: &str) -> Fault {
    Fault::new(Side::Upstream, ErrorKind::Timeout, format!("the provider's answer {what}")).with_status(504)
}

/// A cancellation request, sent when this is dropped unless it has been disarmed.
pub(super) struct CancelOnDrop {
    send: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl CancelOnDrop {
    fn new(
        upstreams: &Upstreams,
        inbound: &InboundRequest,
        target: &Target,
        request: HttpRequest,
    ) -> Result<Self, Fault> {
        let (method, address, headers, body, grpc) = {
            // The cancellation goes to the provider's own url, even if the step goes elsewhere.
            let made = rendered(inbound, target, request, None, None, false)?;
            (made.method, made.address, made.headers, made.body, made.grpc)
        };
        let (upstreams, credential, timeouts) = (upstreams.clone(), target.credential.clone(), target.timeouts);
        let send = move || {
            tokio::spawn(async move {
                let credential = credential.as_ref();
                let (stream, model, hand_over) = (false, "", None);
                let request = UpstreamRequest {
                    method,
                    address,
                    headers,
                    body,
                    timeouts,
                    credential,
                    stream,
                    model,
                    grpc,
                    hand_over,
                };
                if let Err(error) = upstreams.send(request).await {
                    tracing::debug!(%error, "the provider's work could not be cancelled after the client left");
                }
            });
        };
        Ok(Self { send: Some(Box::new(send)) })
    }

    /// Cancels the sending: the client did not leave.
    pub(super) fn disarm(mut self) {
        self.send = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(send) = self.send.take()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            send();
        }
    }
}
