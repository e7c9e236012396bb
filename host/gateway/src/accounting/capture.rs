//! Captures the content of an exchange while it passes, for a log that keeps it. Bodies are not delayed. The copies
//! take from a bounded memory; without room there, an exchange is not kept.

mod choice;
mod copies;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::captured::{CapturedExchange, RoomShare};
use super::request_log::{RequestLog, RequestOutcome};
use crate::observe::trace::Span;
pub use choice::Logging;
pub use copies::SentCopy;
use copies::{AnswerCopy, RequestCopy};
use weir_config::{Config, Secret};
use weir_types::contract::about::Operation;
use weir_types::contract::types::ChatResponse;
use weir_types::uuid::Uuid7;
use weir_upstream::{BodyObserver as _, UpstreamRequest};

/// A client's request whose content is captured.
#[derive(Debug)]
pub struct CapturedRequest<'a> {
    /// Weir's own id of the request.
    pub id: Uuid7,
    /// The method that the client sent.
    pub method: &'a Method,
    /// The path with its query, without credentials.
    pub path_and_query: String,
    /// The headers, without credentials.
    pub headers: &'a HeaderMap,
    /// The body in the pieces in which it was read.
    pub body: &'a [Bytes],
    /// The operation, if the body is a request in the unified model.
    pub unified: Option<Operation>,
    /// The credentials that the client presented.
    pub secrets: Vec<Secret>,
    /// The request's own span, which may get the messages.
    pub span: &'a Span,
}

/// An exchange that is being captured. The log gets it when the last part of it is dropped.
#[derive(Debug)]
pub struct Capture {
    id: Uuid7,
    logging: Logging,
    log: Arc<dyn RequestLog>,
    config: Arc<Config>,
    secrets: Vec<Secret>,
    share: Arc<RoomShare>,
    unified: Option<Operation>,
    request: RequestCopy,
    answer: AnswerCopy,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The span that gets the messages: the answering attempt's, or the request's own.
    span: Span,
    upstream: Option<Arc<SentCopy>>,
    provider: Option<Arc<str>>,
    end: Option<RequestOutcome>,
}

impl Capture {
    /// Begins to capture an exchange; `None` if nothing of it is to be kept, or there is no memory for it.
    pub fn begin(
        logging: Logging,
        log: &Arc<dyn RequestLog>,
        config: &Arc<Config>,
        request: CapturedRequest<'_>,
    ) -> Option<Arc<Self>> {
        let room = log.room().filter(|_| logging.needs_content())?;
        let share = Arc::new(RoomShare::new(room, config.store.max_exchange_bytes));
        if !share.grow(request.body.iter().map(Bytes::len).sum()) {
            return None;
        }
        Some(Arc::new(Self {
            id: request.id,
            logging,
            log: Arc::clone(log),
            config: Arc::clone(config),
            secrets: request.secrets,
            answer: AnswerCopy::new(Arc::clone(&share)),
            share,
            unified: request.unified,
            request: RequestCopy {
                method: request.method.clone(),
                path_and_query: request.path_and_query,
                headers: request.headers.clone(),
                body: request.body.to_vec(),
            },
            state: Mutex::new(State { span: held(request.span), ..State::default() }),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies a request that is about to be sent to a provider.
    pub fn sends(&self, request: &UpstreamRequest<'_>) -> Option<Arc<SentCopy>> {
        SentCopy::new(request, &self.request.body, &self.share).map(Arc::new)
    }

    /// Sets the exchange with the provider, and its span.
    pub(crate) fn came_from(&self, sent: Arc<SentCopy>, span: &Span) {
        let mut state = self.state();
        state.upstream = Some(sent);
        if span.takes_messages() {
            state.span = span.clone();
        }
    }

    /// Sets the outcome and the provider of the request.
    pub fn ends(&self, end: RequestOutcome, provider: Option<Arc<str>>) {
        let mut state = self.state();
        (state.end, state.provider) = (Some(end), provider);
    }

    /// Begins the answer to the client.
    pub fn answers(&self, status: u16, headers: &HeaderMap) {
        self.answer.begins(status, headers);
    }

    /// Copies a piece that the client gets.
    pub fn piece(&self, bytes: &Bytes) {
        self.answer.piece(bytes);
    }

    /// Copies an answer over a protocol that carries the unified model, if no provider gave it.
    pub(crate) fn answers_by_itself(&self, answer: &ChatResponse) {
        let Ok(json) = serde_json::to_vec(answer) else { return };
        let json_type = HeaderValue::from_static("application/json");
        self.answers(200, &HeaderMap::from_iter([(header::CONTENT_TYPE, json_type)]));
        self.piece(&json.into());
        self.answered(true);
    }

    /// Ends the answer to the client. `is_whole` means that it did not break off.
    pub fn answered(&self, is_whole: bool) {
        self.answer.ended(is_whole);
    }

    fn is_wanted(&self, end: Option<RequestOutcome>) -> bool {
        let has_failed = matches!(end, Some(RequestOutcome::Refused | RequestOutcome::Failed | RequestOutcome::Cut));
        !self.share.is_given_up() && (self.logging == Logging::Everything || has_failed)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let State { span, upstream, provider, end } = std::mem::take(&mut *self.state());
        span.end();
        if !self.is_wanted(end) {
            return;
        }
        self.log.keep(CapturedExchange {
            id: self.id,
            config: Arc::clone(&self.config),
            secrets: std::mem::take(&mut self.secrets),
            client: self.answer.take_with(&self.request),
            unified: self.unified.take(),
            upstream: upstream.map(|sent| sent.take()),
            provider,
            span,
            _share: Arc::clone(&self.share),
        });
    }
}

/// The span, if it may get messages: only then it is held until they are known.
fn held(span: &Span) -> Span {
    if span.takes_messages() { span.clone() } else { Span::default() }
}

/// The copies that belong to an account: of the exchange, and of the last request that it sent to a provider.
#[derive(Debug, Default)]
pub(super) struct Copies {
    capture: Option<Arc<Capture>>,
    sent: Option<Arc<SentCopy>>,
}

impl Copies {
    /// Copies for a captured exchange.
    pub(super) fn of(capture: Option<Arc<Capture>>) -> Self {
        Self { capture, sent: None }
    }

    /// The copies of one of several concurrent attempts.
    pub(super) fn branch(&self) -> Self {
        Self::of(self.capture.clone())
    }

    /// Adopts the copies of the attempt that counts.
    pub(super) fn adopt(&mut self, branch: &mut Self) {
        self.sent = branch.sent.take().or(self.sent.take());
    }

    /// Copies a request that is about to be sent.
    pub(super) fn sends(&mut self, request: &UpstreamRequest<'_>) -> Option<Arc<SentCopy>> {
        let sent = self.capture.as_ref()?.sends(request);
        self.sent.clone_from(&sent);
        sent
    }

    /// Closes the copies with the account: the last request, of the attempt with this span, belongs to the exchange.
    pub(super) fn close(&mut self, attempt: &Span) {
        if let (Some(capture), Some(sent)) = (&self.capture, self.sent.take()) {
            capture.came_from(sent, attempt);
        }
    }
}
