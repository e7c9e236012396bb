//! Endpoints of callers that use the unified model instead of a dialect: programs in this process, and clients of a
//! protocol that carries the model itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, Method};

use crate::attempt::{ClientSide, InboundRequest};
use crate::auth::Caller;
use crate::dialect::request_peek::{MAX_CANDIDATES, PeekPlan};
use crate::provenance::ReadRequests;
use crate::serving::{Serving, Stored};
use weir_buffers::Held;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_translate::dialect::path::PathParams;
use weir_translate::unified::Request;
use weir_types::contract::about::{CredentialPlace, Face, Operation};
use weir_types::contract::types::Framing;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;

/// The position of the next such endpoint. They count from the end, where no adapter's face is.
static NEXT: AtomicUsize = AtomicUsize::new(usize::MAX - 1);

/// A request in the unified model, with the headers beside it.
pub(super) struct UnifiedCall {
    pub(super) request: Request,
    pub(super) headers: HeaderMap,
    /// The number of bytes in which it arrived, if it did.
    pub(super) arrived: Option<usize>,
}

/// The endpoints of one kind of callers, one for each operation.
#[derive(Debug)]
pub struct UnifiedEndpoints {
    all: [(Arc<Endpoint>, Arc<PeekPlan>); 5],
    /// What lists the models, as these callers know it.
    list: &'static str,
}

impl UnifiedEndpoints {
    /// Endpoints of this format, as metrics and logs call it, with their paths and the places of clients' keys. `list`
    /// is what these callers call the list of models.
    pub fn new(
        format: &str,
        path: impl Fn(&Operation) -> String,
        credentials: &[CredentialPlace],
        list: &'static str,
    ) -> Self {
        let operations =
            [Operation::Chat, Operation::Embeddings, Operation::Models, Operation::CountTokens, Operation::Rerank];
        let all = operations.map(|operation| {
            let face = face_of(format, path(&operation), operation, credentials);
            let index = NEXT.fetch_sub(1, Ordering::Relaxed);
            let endpoint = Endpoint {
                adapter: Arc::from(format),
                face,
                errors: None,
                id_header: None,
                limit_headers: Vec::new(),
                index,
            };
            // Nothing is read of their bodies.
            let plan = PeekPlan::new(&endpoint, std::iter::empty(), false);
            (Arc::new(endpoint), Arc::new(plan))
        });
        Self { all, list }
    }

    /// The endpoint of an operation.
    pub fn of(&self, operation: &Operation) -> Option<&Arc<Endpoint>> {
        self.entry(operation).map(|(endpoint, _)| endpoint)
    }

    fn entry(&self, operation: &Operation) -> Option<&(Arc<Endpoint>, Arc<PeekPlan>)> {
        self.all.iter().find(|(endpoint, _)| endpoint.face.operation == *operation)
    }

    /// A request as attempts take it: without a body.
    pub(super) fn inbound(
        &self,
        serving: &Serving,
        exchange: Exchange,
        caller: Caller,
        held: Held,
        UnifiedCall { request, headers, arrived }: UnifiedCall,
    ) -> Result<InboundRequest, Fault> {
        let missing = || Fault::internal("there is no endpoint for this operation");
        let (endpoint, plan) = self.entry(&operation_of(&request)).ok_or_else(missing)?;
        let mut peek = plan.read(&[], &PathParams::default(), &Head { headers: &headers, query: "" })?;
        peek.model = model_of(&request).map(str::to_owned);
        peek.stream = request.streams();
        if let Request::Chat(chat) = &request {
            peek.output_limit = chat.max_output_tokens.map(u64::from);
            peek.candidates = chat.sampling.candidates.map_or(1, u64::from).clamp(1, MAX_CANDIDATES);
            peek.service_tier.clone_from(&chat.service_tier);
        }
        peek.strict |= serving.config.server.strict;
        Ok(InboundRequest {
            exchange,
            held,
            caller,
            endpoint: Arc::clone(endpoint),
            side: ClientSide::of_program(request, arrived, self.list),
            path_params: PathParams::default(),
            method: Method::POST,
            path: endpoint.face.path.clone(),
            query: String::new(),
            headers,
            body: Vec::new(),
            peek,
            framing: Framing::Sse,
            can_cut: false,
            stored: Stored::Nothing,
            own_url: None,
            further_models: OnceLock::new(),
            guarded_models: OnceLock::new(),
            recalled: None,
            judged: OnceLock::new(),
            earlier_input: 0,
            counted_len: OnceLock::new(),
            requests: ReadRequests::default(),
            work: OnceLock::new(),
        })
    }
}

fn operation_of(request: &Request) -> Operation {
    match request {
        Request::Chat(_) => Operation::Chat,
        Request::Embeddings(_) => Operation::Embeddings,
        Request::Models(_) => Operation::Models,
        Request::CountTokens(_) => Operation::CountTokens,
        Request::Rerank(_) => Operation::Rerank,
    }
}

fn model_of(request: &Request) -> Option<&str> {
    match request {
        Request::Chat(request) | Request::CountTokens(request) => Some(&request.model),
        Request::Embeddings(request) => Some(&request.model),
        Request::Rerank(request) => Some(&request.model),
        Request::Models(_) => None,
    }
}

/// The endpoint of one operation, in whose requests there is nothing to be looked for.
fn face_of(format: &str, path: String, operation: Operation, credentials: &[CredentialPlace]) -> Face {
    let face = Face::unread(format, operation, Method::POST.as_str(), path);
    Face { credentials: credentials.to_vec(), ..face }
}
