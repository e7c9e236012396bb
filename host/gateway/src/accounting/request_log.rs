//! The interface between requests and what records them: the gateway fills in a [`FinishedRequest`], and a
//! [`RequestLog`] takes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::captured::{CaptureRoom, CapturedExchange};
use super::trail::{AttemptTime, Step};
use super::unbooked::WorkName;
use crate::auth::Caller;
use crate::observe::log::clean::whole_words;
use crate::pricing::Tariff;
use weir_ledger::Nano;
use weir_sandbox::Digest;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::types::{ErrorKind, UnitCount};
use weir_types::fault::{Fault, Side};
use weir_types::tokens::Tokens;
use weir_types::uuid::Uuid7;

/// Takes the record of each request when the request has ended.
pub trait RequestLog: fmt::Debug + Send + Sync {
    /// Takes a record. It is called on the request's path, so it must not wait for anything.
    fn record(&self, finished: FinishedRequest);

    /// The memory for contents of requests; `None` if the log keeps none.
    fn room(&self) -> Option<Arc<CaptureRoom>> {
        None
    }

    /// Takes the content of a request. It must not wait for anything, either.
    fn keep(&self, _captured: CapturedExchange) {}
}

/// Everything that is known about a request at its end, except its content. A refused request has no provider, and one
/// that calls no endpoint has no format.
#[derive(Debug)]
pub struct FinishedRequest {
    /// Weir's own id of the request.
    pub id: Uuid7,
    /// The id that the client gave.
    pub client_id: Option<Arc<str>>,
    /// Who sent it; `None` if its key was refused.
    pub caller: Option<Caller>,
    /// The client's program, from `user-agent`.
    pub user_agent: Option<String>,
    /// The endpoint that it called.
    pub endpoint: Option<Arc<Endpoint>>,
    /// The model that it asked for, by the client's name.
    pub asked: Option<String>,
    /// The provider's name for the model that answered or failed last.
    pub model: Option<String>,
    /// Whether the configuration or the bundled file names that model, and not only the client.
    pub is_model_known: bool,
    /// The provider that answered or failed last.
    pub provider: Option<Arc<str>>,
    /// The target that answered.
    pub target: Option<Arc<str>>,
    /// The adapter that answered, with the digest of its file.
    pub adapter: Option<(Arc<str>, Digest)>,
    /// `relay` or `translate`.
    pub lane: Option<&'static str>,
    /// The answer's status; 499 if the client left before there was one.
    pub status: u16,
    /// How it ended.
    pub end: RequestOutcome,
    /// The error that it was answered with, if that is one of Weir's.
    pub error: Option<FinalError>,
    /// The number of attempts.
    pub attempts: u32,
    /// The targets that failed or were skipped.
    pub steps: Vec<Step>,
    /// Tokens and cost.
    pub used: Used,
    /// The units that are billed by the piece.
    pub units: Vec<UnitCount>,
    /// How many requests of a batch made any search, since some prices cover all searches of a request; `None` for a
    /// single request.
    pub searched: Option<u32>,
    /// The service tier that served the request, if the answer names one.
    pub service_tier: Option<String>,
    /// Whether it was served at the price of a batch.
    pub is_batch: bool,
    /// The finish reason of the answer's first candidate, in the words of OpenTelemetry's conventions; `None` if no
    /// adapter read it.
    pub finish: Option<&'static str>,
    /// From its head to the end of its answer.
    pub took: Duration,
    /// From its head to the first piece of a stream.
    pub first_token: Option<Duration>,
    /// The gateway's own time until the answer began.
    pub own: Option<Duration>,
    /// The time of the attempt that answered, until the head of its answer.
    pub answered_in: Option<AttemptTime>,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were handed over to the connection.
    pub bytes_out: u64,
    /// The fields that a translation lost: `field=kind`.
    pub losses: Vec<String>,
    /// What a kept answer cost when it was made; `None` if that is unknown, or a provider answered.
    pub saved: Option<Nano>,
    /// The cosine similarity between the request's question and that of the kept answer; `None` if they are the same.
    pub similarity: Option<f64>,
    /// The work that the request books; a store of work removes it.
    pub booked: Option<WorkName>,
    /// Whether the client asked that the request is not logged, and may.
    pub is_unlogged: bool,
}

/// How a request ended, for logs and sums of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The whole answer was sent.
    Ok,
    /// The gateway refused the request: it was wrong, or exceeded a limit or the client's rights.
    Refused,
    /// The answer was an error of the provider or of the gateway.
    Failed,
    /// The answer broke off.
    Cut,
    /// The client left before the end of the answer.
    Cancelled,
}

impl RequestOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Refused, Self::Failed, Self::Cut, Self::Cancelled];

    /// The outcome's name, the same in the access log and in the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The tokens that a request used, and their cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Used {
    /// Tokens by bucket.
    pub tokens: Tokens,
    /// Whether any of them are estimated.
    pub is_estimated: bool,
    /// The cost, if all prices are known.
    pub cost: Option<Nano>,
    /// The version of the prices.
    pub prices: Option<Arc<str>>,
    /// The region whose prices the last attempt was charged by.
    pub region: Option<Arc<str>>,
    /// The model that the last attempt's answer names, if it is not the one that it was asked for.
    pub named: Option<Arc<str>>,
    /// The use of attempts other than the last: those that were not answered, and those whose answer another target
    /// continued.
    pub parts: Vec<ChargedPart>,
}

/// What one of several attempts used, to be priced on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargedPart {
    /// The provider that charges for it.
    pub provider: Arc<str>,
    /// The name of the provider's adapter.
    pub adapter: Arc<str>,
    /// The provider's name for the model.
    pub model: Arc<str>,
    /// The model that its answer names, if it is not the one that it was asked for.
    pub named: Option<Arc<str>>,
    /// The region whose prices it was charged by.
    pub region: Option<Arc<str>>,
    /// The service tier that served it, if its answer names one.
    pub service_tier: Option<Arc<str>>,
    /// Tokens by bucket.
    pub tokens: Tokens,
    /// Whether any of them are estimated.
    pub is_estimated: bool,
    /// What it cost, if all prices were known.
    pub cost: Option<Nano>,
}

impl ChargedPart {
    /// The use of an attempt at these rates, whose cost is not known yet: reported tokens, and estimated input and
    /// output.
    pub(super) fn of(tariff: &Tariff, tokens: Tokens, estimated: [u32; 2]) -> Self {
        let [input, output] = estimated;
        let tokens = tokens.plus(input, output);
        let [provider, adapter, model] = [tariff.provider(), tariff.adapter(), tariff.model()].map(Arc::clone);
        let (named, region, service_tier) = (tariff.served().cloned(), tariff.region().cloned(), None);
        let is_estimated = estimated != [0; 2];
        Self { provider, adapter, model, named, region, service_tier, tokens, is_estimated, cost: None }
    }
}

/// An error that a request was answered with.
#[derive(Debug, Clone)]
pub struct FinalError {
    /// What kind it is.
    pub kind: ErrorKind,
    /// Whose fault it is.
    pub side: Side,
    /// Its text. It is bounded, but longer than what may be kept of it ([`FinalError::kept_of`]), and not cleaned.
    pub message: String,
}

/// The most bytes that a log keeps of an error's text.
const KEPT: usize = 2_048;
/// How many more bytes of a longer text are kept until it is cleaned: more than a secret has, such as a private key.
const MARGIN: usize = 8 << 10;

impl FinalError {
    /// The error for a request that failed with this fault.
    pub fn of(fault: &Fault) -> Self {
        let message = &fault.error.message;
        let end = message.floor_char_boundary(KEPT + MARGIN);
        let message = whole_words(message.get(..end).unwrap_or_default()).to_owned();
        Self { kind: fault.error.kind, side: fault.side, message }
    }

    /// The part of the cleaned text that may be kept. If the text was cut, the cleaned text is shortened by as much
    /// again, since its end may be the first half of a secret, which no rule recognises.
    pub fn kept_of<'a>(&self, clean: &'a str) -> &'a str {
        let more = self.message.len().saturating_sub(KEPT);
        let end = clean.len().saturating_sub(more).min(KEPT);
        clean.get(..clean.floor_char_boundary(end)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_without_the_end_that_may_be_half_a_secret() {
        let kept = |message: &str, clean: &str| FinalError::of(&Fault::invalid(message)).kept_of(clean).to_owned();
        assert_eq!(kept("short", "short"), "short");
        let [long, strange] = [" a", "\u{e9}"].map(|word| word.repeat(KEPT));
        assert_eq!([kept(&long, &long).len(), kept(&strange, &strange).len()], [KEPT; 2]);
        // Cleaning shortened the text a lot, and no rule recognised the half secret at the end.
        let message = "long ".repeat(500) + &"k ".repeat(MARGIN);
        let cut = FinalError::of(&Fault::invalid(message.as_str())).message;
        assert_eq!(cut.len(), KEPT + MARGIN);
        let clean = cut.replace("long ", "");
        assert!(clean.starts_with('k') && kept(&message, &clean).is_empty());
    }
}
