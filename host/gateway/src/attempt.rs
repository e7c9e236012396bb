//! Attempts: carries out a plan, each attempt in one of two lanes: relay (bytes unchanged) or translate (through two
//! components).

mod adapter_headers;
mod backoff;
mod candidates;
mod capabilities;
mod captured_reply;
mod chat_probe;
mod client_request;
mod covered;
mod failure;
mod follow_up;
mod frame_room;
mod further_guards;
mod gathered;
mod hedge;
mod idempotency;
mod judged_request;
mod keepable;
mod kept_events;
mod kept_reply;
mod media;
mod meter;
mod model_list;
mod outflow;
mod partial_answer;
mod pass;
mod pipeline;
mod plan_runner;
mod policy;
mod put_back;
mod relay;
mod relay_body;
mod reply;
mod resume;
mod send;
mod side;
mod stored_read;
mod stream_end;
mod translate;
mod translated_body;
mod translated_headers;
mod unified_reply;
mod usage_cost;
mod versions;
mod withhold;

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use crate::accounting::{Account, UnmeteredRequest};
use crate::admission::{Demand, ModelWork, Uses, bytes_of};
use crate::auth::Caller;
use crate::dialect::request_peek::{ObjectIds, RequestPeek};
use crate::provenance::ReadRequests;
use crate::reasoning_cache::ReasoningCache;
use crate::route::Target;
use crate::route::lane::{Lane, LaneSettings};
use crate::serving::Stored;
use weir_buffers::Held;
use weir_config::Config;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::path::PathParams;
use weir_types::contract::about::Operation;
use weir_types::contract::types::Framing;
use weir_types::exchange::Exchange;
use weir_upstream::{Timeouts, Upstreams};
use weir_wire::media::counted_length;

pub(crate) use adapter_headers::set_adapter_headers;
pub use capabilities::ClientFields;
pub(crate) use capabilities::adapt_to_model;
pub use captured_reply::{CapturedReply, captured};
pub use chat_probe::ping;
pub use failure::Failure;
pub(crate) use failure::{by_status, wait_for_limits};
pub use further_guards::FallbackGuards;
pub(crate) use idempotency::keep_apart;
pub use judged_request::{Judged, judge};
pub(crate) use keepable::{Meaning, Portable, is_comparable, keepable, plain_chat, rewritten};
pub(crate) use kept_events::CallKeeping;
pub use kept_events::KeptEvents;
pub use kept_reply::KeptReply;
pub(crate) use kept_reply::{Keeping, kept};
pub(crate) use model_list::{ask_list, ask_models, find_out};
pub(crate) use pass::{PassedRequest, pass};
pub use plan_runner::{AttemptResponse, PlanRunner};
pub(crate) use policy::{blame, is_overload};
pub use reply::{BodyError, ReplyBody};
pub(crate) use reply::{with_cost, with_work};
pub use resume::ResumeContext;
pub use send::REFUSED_CODE;
pub(crate) use send::{fault_of, refused_credential};
pub use side::ClientSide;
pub(crate) use stored_read::{StoredAnswerId, StoredState, read_stored};
pub use translated_headers::loss_list;
pub use unified_reply::{Closing, HandedBody, UnifiedReply};

/// A request whose face, caller and peeked facts are known.
#[derive(Debug)]
pub struct InboundRequest {
    /// The request's id and start time.
    pub exchange: Exchange,
    /// The key, user or address that the request comes from.
    pub caller: Caller,
    /// The face that the client called.
    pub endpoint: Arc<Endpoint>,
    /// What reads the request and writes the answer: the adapter of the face, or a program itself.
    pub side: ClientSide,
    /// The values of the path's parameters.
    pub path_params: PathParams,
    /// The HTTP method.
    pub method: Method,
    /// The path, as received.
    pub path: String,
    /// The query string, as received.
    pub query: String,
    /// The headers, without the client's credentials.
    pub headers: HeaderMap,
    /// The body's chunks, as received.
    pub body: Vec<Bytes>,
    /// The body's share of the byte budget.
    pub held: Held,
    /// What the peek read of the body.
    pub peek: RequestPeek,
    /// The framing of a streamed answer.
    pub framing: Framing,
    /// Whether cutting the connection shows the client that a stream broke (HTTP/1).
    pub can_cut: bool,
    /// How the request deals with objects that providers store.
    pub stored: Stored,
    /// Scheme, host and port by which the client reached this gateway, if the answer must name them in place of the
    /// provider's.
    pub own_url: Option<String>,
    /// The models that the request names besides its own. Looked up only where there are budgets.
    pub further_models: OnceLock<Vec<String>>,
    /// The names of the models whose guards judge the request: its own and those that it names besides. Empty if the
    /// request may be for any model, or if guards do not differ by model.
    pub guarded_models: OnceLock<Vec<String>>,
    /// The body with earlier answers' items in place of the ids that name them, if it names any that Weir has kept.
    pub recalled: Option<Bytes>,
    /// The guards' judgement of the request, once they have judged it.
    pub judged: OnceLock<Box<Judged>>,
    /// The tokens of stored content that the provider reads again for this request, as far as they are known.
    pub earlier_input: u32,
    /// The length of the body as limits count it, in bytes; set when it is first needed.
    pub counted_len: OnceLock<usize>,
    /// The models and objects that the requests in an uploaded file name, once the file was read.
    pub(crate) requests: ReadRequests,
    /// The models and tokens that the requests of a batch ask for, or why these are not known. Looked up only where
    /// there are budgets.
    pub(crate) work: OnceLock<Result<Vec<ModelWork>, String>>,
}

impl InboundRequest {
    /// The operation of the face.
    pub fn operation(&self) -> &Operation {
        &self.endpoint.face.operation
    }

    /// The length of the request in bytes, as the client sent it.
    pub(crate) fn size(&self) -> usize {
        self.side.size().unwrap_or_else(|| self.body.iter().map(Bytes::len).sum())
    }

    /// The ids of objects of earlier answers that the path and the body name.
    pub(crate) fn named_objects(&self) -> ObjectIds {
        self.peek.object_ids(&self.body, &self.path_params)
    }

    /// The properties that the limits depend on.
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            model: self.peek.model.as_deref(),
            same_models: &[],
            further_models: self.further_models.get().map(Vec::as_slice).unwrap_or_default(),
            output_limit: self.peek.output_limit,
            candidates: self.peek.candidates,
            service_tier: self.peek.service_tier.as_deref(),
            body_len: self.side.size().unwrap_or_else(|| self.pieces().iter().map(Bytes::len).sum()),
            counted_len: bytes_of(self.earlier_input).saturating_add(self.counted_len()),
            stream: self.peek.stream,
            uses: self.uses(),
            work: self.work.get().and_then(|work| work.as_deref().ok()).unwrap_or_default(),
        }
    }

    /// The length of the body as limits count it, in bytes: four are a token.
    fn counted_len(&self) -> usize {
        let count =
            || self.side.counted_len().unwrap_or_else(|| counted_length(self.pieces().iter().map(|piece| &**piece)));
        *self.counted_len.get_or_init(count)
    }

    /// The body's chunks, with earlier answers' items in place of the ids that name them.
    pub(crate) fn pieces(&self) -> &[Bytes] {
        self.recalled.as_ref().map_or(&self.body, std::slice::from_ref)
    }

    /// What the request will use, as far as that can be foreseen. An operation that only one format has makes tokens if
    /// the request limits their number, or if it may name a service tier, which is a price of tokens.
    pub(crate) fn uses(&self) -> Uses {
        match self.operation() {
            _ if self.stored.is_old() => Uses::Free,
            Operation::Chat => Uses::Both,
            Operation::Embeddings | Operation::Rerank => Uses::Input,
            _ if self.peek.output_limit.is_some() || !self.endpoint.face.service_tier.is_empty() => Uses::Both,
            _ => Uses::Nothing,
        }
    }

    /// The request's size, if it is for a model whose answer may not report its usage.
    pub(crate) fn unmetered(&self) -> Option<UnmeteredRequest> {
        let demand = self.demand();
        demand.model.filter(|_| demand.uses == Uses::Nothing)?;
        UnmeteredRequest::of(self.operation(), self.endpoint.face.body, demand.body_len)
    }

    /// The features that the request asks for, by the names that manifests use.
    pub fn features(&self) -> Vec<String> {
        self.side.features().unwrap_or_else(|| self.peek.features())
    }

    /// The names of the models whose guards have judged it.
    fn guarded_models(&self) -> &[String] {
        self.guarded_models.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The guards' judgement of the request; `None` if they have not judged it.
    pub(crate) fn judged(&self) -> Option<&Judged> {
        self.judged.get().map(|judged| &**judged)
    }

    /// The model as the client names it; empty for operations without one.
    pub fn model(&self) -> &str {
        self.peek.model.as_deref().unwrap_or_default()
    }
}

/// The services and settings that the attempts of one request use.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The client for requests to providers.
    pub upstreams: &'a Upstreams,
    /// The cache of values that clients' formats cannot carry.
    pub reasoning_cache: &'a Arc<ReasoningCache>,
    /// The deadline of the whole request, over all attempts.
    pub deadline: Option<Instant>,
    /// The guards' judgement of the request, including that of the target's model.
    pub judged: Option<&'a Judged>,
}

impl RequestContext<'_> {
    /// The time limits of one attempt, shortened to the time left until the deadline.
    fn within(&self, mut timeouts: Timeouts) -> Timeouts {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            timeouts.total = Some(timeouts.total.map_or(left, |total| total.min(left)));
        }
        timeouts
    }
}

/// Which of a request's opaque values are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// All values, as the client sent them.
    All,
    /// Only values that the target is known to have issued.
    Own,
}

/// Sends a request to a target and returns the answer.
///
/// # Errors
///
/// A failure means that no byte of an answer has been sent.
async fn attempt(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    values: Values,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let judges_answer = context.judged.is_some_and(Judged::judges_answer);
    let wishes = LaneSettings {
        // The client's bytes cannot be sent if a guard changed the request, or if it names items that no provider
        // knows. If the answer cannot be read beside its bytes, guards judge it in a translation.
        translate: target.translate
            || inbound.recalled.is_some()
            || context.judged.is_some_and(Judged::needs_translation)
            || judges_answer && !translate::can_read(inbound, target),
        resume: target.resume,
        strip: values == Values::Own,
    };
    let accepted = inbound.side.dialect().and_then(|_| target.accepts(inbound.endpoint.format(), inbound.operation()));
    let lane = Lane::of(&inbound.peek, inbound.operation(), accepted, wishes);
    account.set_lane(lane.as_str());
    account.set_trial(None);
    match lane {
        // The lanes that call components are boxed: otherwise the future of a request that is only relayed would have
        // room for them.
        Lane::Relay(acceptance) if judges_answer => {
            Box::pin(translate::relay_judged(context, inbound, target, acceptance, account)).await
        }
        Lane::Relay(acceptance) => pin!(relay::relay(context, inbound, target, acceptance, account)).await,
        Lane::Translate(cause) => {
            tracing::debug!(request_id = &*inbound.exchange.id, ?cause, "translated");
            Ok(Box::pin(translate::translate(context, inbound, target, values, account)).await?)
        }
    }
}
