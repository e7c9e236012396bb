//! Calls of a program in this process: the unified model in, the unified model out. They are admitted, routed, tried
//! and accounted for as the requests of clients are; only the two ends differ, since there is no dialect.

use std::sync::{Arc, LazyLock};

use http::HeaderMap;

use super::finish::Routing;
use super::routing::{RoutedExchange, resolve_route};
use super::unified::{UnifiedCall, UnifiedEndpoints};
use super::{Admitted, Gateway, own_time};
use crate::accounting::Account;
use crate::accounting::trail::{End, Step};
use crate::admission::AdmissionPermit;
use crate::attempt::{AttemptResponse, InboundRequest, ReplyBody};
use crate::auth::Caller;
use crate::model_list;
use crate::observe::log::current;
use crate::route::{NoTarget, Target};
use crate::serving::Serving;
use weir_translate::dialect::reply::usual_status;
use weir_translate::unified::Request;
use weir_types::contract::types::{ModelInfo, ModelsRequest};
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;
use weir_types::headers;

/// What the metrics call the format of a program's calls.
const FORMAT: &str = "unified";

/// The endpoints of programs.
static ENDPOINTS: LazyLock<UnifiedEndpoints> =
    LazyLock::new(|| UnifiedEndpoints::new(FORMAT, |operation| format!("/{}", operation.name()), &[], "`list_models`"));

/// A request of a program in this process.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation with its request, and the model's alias.
    pub request: Request,
    /// What a client would send as headers: a request's id, session, time limit, strictness, the context of a trace.
    pub headers: HeaderMap,
}

/// The id and the attempts of a call.
#[derive(Debug, Clone)]
pub struct CallTrace {
    /// The id that the log lines of the call have.
    pub request_id: String,
    /// The target that answered or failed last, as `provider/model`; `None` if none was tried.
    pub target: Option<Arc<str>>,
    /// The number of requests to providers.
    pub attempts: u32,
    /// The targets that did not answer, in order, and why.
    pub steps: Vec<Step>,
}

impl CallTrace {
    /// The trace of a call for which no target was asked yet.
    pub(super) fn of(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), target: None, attempts: 0, steps: Vec::new() }
    }
}

/// The answer to a call. A stream's body still runs: dropping it cancels the request upstream.
#[derive(Debug)]
pub struct CallAnswer {
    /// What is known of the call.
    pub trace: CallTrace,
    /// The answer, for [`ReplyBody::take_answer`] or [`ReplyBody::poll_events`].
    pub body: ReplyBody,
    /// Whether a count of tokens is the host's estimate.
    pub is_estimate: bool,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct CallError {
    /// The failure.
    pub fault: Fault,
    /// What is known of the call.
    pub trace: CallTrace,
}

impl Gateway {
    /// Carries out one call.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn call(&self, call: Call) -> Result<CallAnswer, Box<CallError>> {
        let exchange = Exchange::begin(&call.headers);
        let id: Arc<str> = Arc::clone(&exchange.id);
        Box::pin(current::within(Arc::clone(&id), self.answer_call(exchange, call))).await.map_err(Box::new)
    }

    /// The models that may be asked for: aliases, and what providers list for patterns. A provider that gives no list
    /// in time is left out.
    pub async fn list_models(&self) -> Result<Vec<ModelInfo>, Fault> {
        let serving = self.serving.load_full();
        let request = Request::Models(ModelsRequest { id: None, cursor: None, limit: None });
        let call = Call { request, headers: HeaderMap::new() };
        let inbound = self.inbound_call(&serving, Exchange::begin(&call.headers), call).await?;
        Ok(model_list::known(self.context(&serving), &serving, &self.lists, &inbound).await)
    }

    async fn answer_call(&self, exchange: Exchange, call: Call) -> Result<CallAnswer, CallError> {
        let serving = self.serving.load_full();
        let trace = CallTrace::of(&exchange.id);
        let failed = |fault| CallError { fault, trace: trace.clone() };
        let span = self.tracer.request(&call.headers, || FORMAT.to_owned());
        let inbound = self.inbound_call(&serving, exchange, call).await.map_err(failed)?;
        let permit = self.leave(&serving, &inbound).await.map_err(failed)?;
        self.judge(self.context(&serving), &serving, &inbound).await.map_err(failed)?;
        let admitted = Admitted { span: &span, permit, record: &mut None };
        let routed = Box::pin(self.route(self.context(&serving), &serving, &inbound, admitted)).await;
        let routed = routed.map_err(|NoTarget { fault, skipped }| {
            let steps = skipped.into_iter().map(|one| {
                self.metrics.tries.skipped(&one.candidate.target.label, one.why.reason());
                Step { target: one.candidate.health, end: End::Skipped(one.why.reason()), time: None }
            });
            CallError { fault, trace: CallTrace { steps: steps.collect(), ..trace.clone() } }
        })?;
        let RoutedExchange { tried: AttemptResponse { answer, target, .. }, plan, mut account, deadline, notices } =
            routed;
        account.note_overhead();
        let trace = trace_of(&trace, &inbound, target.as_deref(), &account);
        let mut response = match answer {
            Ok(response) => response,
            Err(fault) => {
                account.answering(fault.error.status.unwrap_or(usual_status(fault.error.kind)), false, false);
                account.complete();
                return Err(CallError { fault, trace });
            }
        };
        let routing = Routing { target: target.as_deref(), plan, deadline, notices: &notices };
        self.finish(&mut response, &serving, &inbound, &mut account, routing);
        let is_estimate = response.headers().contains_key(&headers::TOKEN_COUNT);
        Ok(CallAnswer { trace, body: response.into_body().attach(account), is_estimate })
    }

    /// Admits a call within the limits of the configuration.
    async fn leave(&self, serving: &Serving, inbound: &InboundRequest) -> Result<AdmissionPermit, Fault> {
        let permit =
            self.admission.admit_caller(&serving.config, &inbound.caller).await.map_err(|refused| refused.fault)?;
        let admitted = self.admission.admit(&serving.config, &inbound.caller, &inbound.demand(), permit).await;
        admitted.map_err(|refused| refused.fault)
    }

    /// The inbound request of a call without a caller: it has an endpoint of its own, and no body.
    async fn inbound_call(
        &self,
        serving: &Serving,
        exchange: Exchange,
        call: Call,
    ) -> Result<Arc<InboundRequest>, Fault> {
        Ok(Arc::new(self.inbound_call_of(serving, exchange, Caller::anonymous(None), call).await?))
    }

    /// The inbound request of a call on behalf of a caller.
    pub(super) async fn inbound_call_of(
        &self,
        serving: &Serving,
        exchange: Exchange,
        caller: Caller,
        Call { request, headers }: Call,
    ) -> Result<InboundRequest, Fault> {
        own_time::check(&headers)?;
        let held = self.buffers.begin(caller.number(), None);
        let call = UnifiedCall { request, headers, arrived: None };
        let mut inbound = ENDPOINTS.inbound(serving, exchange, caller, held, call)?;
        resolve_route(serving, &mut inbound.peek);
        let size = inbound.demand().body_len;
        inbound.held.grow(size).await?;
        Ok(inbound)
    }
}

pub(super) fn trace_of(
    known: &CallTrace,
    inbound: &InboundRequest,
    target: Option<&Target>,
    account: &Account,
) -> CallTrace {
    CallTrace {
        target: target.map(|target| target.health_id(inbound.model())),
        attempts: account.tries(),
        steps: account.trail().steps().to_vec(),
        ..known.clone()
    }
}
