//! The record of a request, which its path fills in. At the request's end it becomes a line of the access log, with
//! caller, model, provider, outcome and cost, and is passed to the request log.

mod finish;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::Method;

use super::capture::Capture;
use super::request_log::{FinalError, RequestLog};
pub use super::request_log::{RequestOutcome, Used};
use super::session_use::SessionUse;
use super::trail::{AttemptTime, Step, Trail};
use super::unbooked::WorkName;
use crate::auth::Caller;
use crate::guard::Notes;
use crate::observe::log::ACCESS;
use weir_ledger::Nano;
use weir_sandbox::Digest;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::types::UnitCount;
use weir_types::fault::{Fault, Side};
use weir_types::uuid::Uuid7;

/// The log target of these lines.
pub const TARGET: &str = ACCESS;
/// The most characters shown of a path, a model's name or an error, in the access log.
const SHOWN: usize = 200;
/// The most lost fields shown.
const LOSSES: usize = 16;

/// What the account reports of an exchange when it ends.
#[derive(Debug, Default)]
pub struct ExchangeSummary {
    /// The answer's status; 0 if there was no answer.
    pub status: u16,
    /// The outcome; `None` if the client left.
    pub end: Option<RequestOutcome>,
    /// The provider that was tried last.
    pub provider: Option<Arc<str>>,
    /// The number of attempts.
    pub attempts: u32,
    /// The tokens used, and their cost.
    pub used: Used,
    /// The units that are billed by the piece.
    pub units: Vec<UnitCount>,
    /// How many requests of a batch made any search.
    pub searched: Option<u32>,
    /// The service tier that served the request, if the answer names one.
    pub service_tier: Option<String>,
    /// Whether the request was served at the price of a batch, if the answer reports that.
    pub batch: Option<bool>,
    /// The finish reason of the answer's first candidate, if an adapter read it.
    pub finish: Option<&'static str>,
    /// The time to the first piece of a stream.
    pub first_token: Option<Duration>,
    /// The gateway's own time until the answer began.
    pub own: Option<Duration>,
    /// The time of the attempt that answered, until the head of its answer.
    pub answered_in: Option<AttemptTime>,
    /// Bytes of the answer's body that were handed over.
    pub bytes_out: u64,
}

/// The facts with which a record begins.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The id in logs and headers.
    pub id: Arc<str>,
    /// Weir's own id.
    pub own_id: Uuid7,
    /// When the request arrived.
    pub begun: Instant,
    /// The request's method.
    pub method: &'a Method,
    /// The request's path.
    pub path: &'a str,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's program.
    pub user_agent: Option<&'a str>,
}

/// The record of one request, written when this is dropped.
#[derive(Debug)]
pub struct RequestRecord {
    id: Arc<str>,
    own_id: Uuid7,
    begun: Instant,
    method: Method,
    path: String,
    address: Option<IpAddr>,
    user_agent: Option<String>,
    endpoint: Option<Arc<Endpoint>>,
    caller: Option<Caller>,
    alias: Option<String>,
    model: Option<String>,
    /// Whether the configuration or the bundled file names this model.
    is_model_known: bool,
    target: Option<Arc<str>>,
    adapter: Option<(Arc<str>, Digest)>,
    lane: Option<&'static str>,
    /// The targets that failed or were skipped, with their reasons.
    tried: Option<String>,
    /// The same targets as steps, for the request log.
    steps: Vec<Step>,
    losses: Vec<String>,
    /// The guards' notes.
    guards: Option<Notes>,
    error: Option<FinalError>,
    bytes_in: u64,
    /// The bytes of a body that arrives while it is sent on.
    arriving: Option<Arc<AtomicU64>>,
    ended: ExchangeSummary,
    /// Whether the access log gets a line.
    has_line: bool,
    /// The request log, which also takes the record.
    log: Option<Arc<dyn RequestLog>>,
    saved: Option<Nano>,
    similarity: Option<f64>,
    /// What the responses of a session used.
    session: Option<SessionUse>,
    /// The work that the request books.
    booked: Option<WorkName>,
    is_unlogged: bool,
    capture: Option<Arc<Capture>>,
}

impl RequestRecord {
    /// Begins the record of a request that has just arrived; `None` if neither log takes it.
    pub fn begin(arrival: Arrival<'_>, writes: bool, log: Option<Arc<dyn RequestLog>>) -> Option<Box<Self>> {
        let has_line = writes && tracing::enabled!(target: TARGET, tracing::Level::INFO);
        let Arrival { id, own_id, begun, method, path, address, user_agent } = arrival;
        (has_line || log.is_some()).then(|| {
            Box::new(Self {
                id,
                own_id,
                begun,
                method: method.clone(),
                path: shown(path),
                address,
                user_agent: user_agent.filter(|_| log.is_some()).map(shown),
                endpoint: None,
                caller: None,
                alias: None,
                model: None,
                is_model_known: false,
                target: None,
                adapter: None,
                lane: None,
                tried: None,
                steps: Vec::new(),
                losses: Vec::new(),
                guards: None,
                error: None,
                bytes_in: 0,
                arriving: None,
                ended: ExchangeSummary::default(),
                has_line,
                log,
                saved: None,
                similarity: None,
                session: None,
                booked: None,
                is_unlogged: false,
                capture: None,
            })
        })
    }

    /// Sets the face that the request calls.
    pub(crate) fn set_endpoint(&mut self, endpoint: &Arc<Endpoint>) {
        self.endpoint = Some(Arc::clone(endpoint));
    }

    /// Sets the caller to which the record counts: a client, a stored key, or none.
    pub(crate) fn set_caller(&mut self, caller: &Caller) {
        self.caller = Some(caller.clone());
    }

    /// Keeps the request out of the request log.
    pub(crate) fn exclude_from_log(&mut self) {
        self.is_unlogged = true;
    }

    /// Sets what the kept answer that serves the request cost when it was made.
    pub(crate) fn set_saved_cost(&mut self, cost: Option<Nano>) {
        self.saved = cost;
    }

    /// Sets how similar the request's question is to that of the kept answer.
    pub(crate) fn set_similarity(&mut self, cosine: f64) {
        self.similarity = Some(cosine);
    }

    /// Sets what the responses of the session used.
    pub(crate) fn session_used(&mut self, used: SessionUse) {
        self.session = Some(used);
    }

    /// Sets the capture of the request's content, which gets the outcome.
    pub(crate) fn captured_by(&mut self, capture: Arc<Capture>) {
        self.capture = Some(capture);
    }

    /// The capture of the request's content.
    pub fn capture(&self) -> Option<&Arc<Capture>> {
        self.capture.as_ref()
    }

    /// Sets the model, as the client names it.
    pub(crate) fn set_model(&mut self, model: Option<&str>) {
        self.alias = model.map(shown);
    }

    /// Sets the size of the request's body.
    pub(crate) fn set_request_bytes(&mut self, bytes: u64) {
        self.bytes_in = bytes;
    }

    /// Counts the request's body while it arrives.
    pub(crate) fn count_request_bytes(&mut self, arriving: Arc<AtomicU64>) {
        self.arriving = Some(arriving);
    }

    /// Sets the model, the target and the adapter that answered.
    pub fn answered(&mut self, model: &str, target: Arc<str>, adapter: (Arc<str>, Digest)) {
        (self.model, self.target, self.adapter) = (Some(shown(model)), Some(target), Some(adapter));
    }

    /// Begins an attempt, with the provider's name for the model.
    pub(crate) fn start_attempt(&mut self, model: &str) {
        (self.model, self.is_model_known) = (Some(shown(model)), false);
    }

    /// Notes that the configuration or the bundled file names the attempt's model.
    pub(crate) fn note_model_known(&mut self) {
        self.is_model_known = true;
    }

    /// Names the stored answer or work that the request books: its model by the client's and the provider's name, its
    /// target and, for work, its own name.
    pub(super) fn books_for(&mut self, alias: &str, model: &str, target: &Arc<str>, work: Option<WorkName>) {
        (self.alias, self.model, self.target) = (Some(shown(alias)), Some(shown(model)), Some(Arc::clone(target)));
        self.booked = work;
    }

    /// Sets the lane of the last attempt: `relay` or `translate`.
    pub(crate) fn set_lane(&mut self, lane: Option<&'static str>) {
        self.lane = lane;
    }

    /// Sets the targets that did not answer, with their reasons.
    pub fn tried(&mut self, trail: &Trail) {
        if self.has_line {
            self.tried = trail.others();
        }
        if self.log.is_some() {
            self.steps = trail.steps().to_vec();
        }
    }

    /// Adds fields that the translation lost.
    pub fn lost<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        let room = LOSSES.saturating_sub(self.losses.len());
        self.losses.extend(fields.take(room).map(shown));
    }

    /// Sets the guards' notes. Guards may add to them until the end.
    pub(crate) fn judged_by(&mut self, notes: &Notes) {
        self.guards = Some(notes.clone());
    }

    /// Sets the error that the request is answered with.
    pub fn failed(&mut self, fault: &Fault) {
        self.error = Some(FinalError::of(fault));
    }

    /// Sets the outcome.
    pub fn finish(&mut self, ended: ExchangeSummary) {
        self.ended = ended;
    }

    /// Sets the outcome of a whole answer that the gateway gave itself.
    pub(crate) fn finish_own_answer(&mut self, status: u16, bytes_out: u64) {
        self.ended = ExchangeSummary { status, end: Some(RequestOutcome::Ok), bytes_out, ..ExchangeSummary::default() };
    }

    /// The outcome. A whole answer with an error status was refused or failed.
    fn end(&self) -> RequestOutcome {
        match (self.ended.end, self.ended.status) {
            (None, _) => RequestOutcome::Cancelled,
            (Some(RequestOutcome::Ok), 400..) => {
                let is_ours =
                    self.error.as_ref().is_some_and(|error| matches!(error.side, Side::Client | Side::Gateway));
                if is_ours && self.ended.status < 500 { RequestOutcome::Refused } else { RequestOutcome::Failed }
            }
            (Some(end), _) => end,
        }
    }
}

fn shown(text: &str) -> String {
    // A text of at most this many bytes has no more characters.
    if text.len() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).collect() }
}

#[cfg(test)]
mod tests;
