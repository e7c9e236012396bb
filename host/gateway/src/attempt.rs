//! Attempts: carries out a plan, each attempt in one of two lanes: relay (bytes unchanged) or translate (through two
//! components).

mod backoff;
mod failure;
mod follow;
mod handed;
mod head;
mod hedge;
mod list;
mod media;
mod meter;
mod outflow;
mod ping;
mod pipeline;
mod policy;
mod relay;
mod relayed;
mod reply;
mod resume;
mod said;
mod send;
mod side;
mod suit;
mod translate;
mod translated;
mod tries;
mod versions;
mod way;
mod withhold;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use crate::account::Account;
use crate::admit::Demand;
use crate::dialect::reading::Reading;
use crate::identify::Caller;
use crate::recall::Recall;
use crate::route::Target;
use crate::route::lane::{Lane, Wishes};
use weir_budget::Held;
use weir_config::Config;
use weir_sandbox::Adapter;
use weir_translate::dialect::faces::Face;
use weir_translate::dialect::path::Holes;
use weir_types::contract::about::Operation;
use weir_types::contract::types::Framing;
use weir_types::exchange::Exchange;
use weir_upstream::{Timeouts, Upstreams};

pub use failure::Failure;
pub use handed::{Closing, Handed, HandedBody};
pub use list::{ask_list, ask_models, find_out};
pub use ping::ping;
pub use reply::{BodyError, ReplyBody};
pub use resume::Onward;
pub use send::REFUSED_CODE;
pub use side::ClientSide;
pub use suit::{Written, suit};
pub use tries::{Journey, Tried};

/// A request whose face, caller and peeked facts are known.
#[derive(Debug)]
pub struct Asked {
    /// The request's id and start time.
    pub exchange: Exchange,
    /// The caller.
    pub caller: Caller,
    /// The face that the client called.
    pub face: Arc<Face>,
    /// What reads the request and writes the answer: the adapter of the face, or a program itself.
    pub side: ClientSide,
    /// The values of the path's holes.
    pub holes: Holes,
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
    pub reading: Reading,
    /// The framing of a streamed answer.
    pub framing: Framing,
    /// Whether cutting the connection shows the client that a stream broke (HTTP/1).
    pub can_cut: bool,
}

impl Asked {
    /// The operation of the face.
    pub fn operation(&self) -> &Operation {
        &self.face.claim.operation
    }

    /// The properties that the limits depend on.
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            model: self.reading.model.as_deref(),
            output_limit: self.reading.output_limit,
            body_len: self.side.size().unwrap_or_else(|| self.body.iter().map(Bytes::len).sum()),
            stream: self.reading.stream,
        }
    }

    /// Features that it asks for, by the names that manifests use.
    pub fn features(&self) -> Vec<String> {
        self.side.features().unwrap_or_else(|| self.reading.features())
    }

    /// The model as the client names it; empty for operations without one.
    pub fn model(&self) -> &str {
        self.reading.model.as_deref().unwrap_or_default()
    }
}

/// The version of the adapter that made the exchange with the provider, among an answer's extensions.
#[derive(Debug, Clone)]
pub struct SpokenBy(pub Arc<Adapter>);

/// The services and settings that the attempts of one request use.
#[derive(Debug, Clone, Copy)]
pub struct House<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The client for requests to providers.
    pub upstreams: &'a Upstreams,
    /// The cache of values that clients' formats cannot carry.
    pub recall: &'a Arc<Recall>,
    /// The deadline of the whole request, over all attempts.
    pub deadline: Option<Instant>,
}

impl House<'_> {
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
    house: House<'_>,
    asked: &Asked,
    target: &Arc<Target>,
    values: Values,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let wishes = Wishes { translate: target.translate, resume: target.resume, strip: values == Values::Own };
    let accepted = asked.side.dialect().and_then(|_| target.accepts(asked.face.format(), asked.operation()));
    let lane = Lane::of(&asked.reading, asked.operation(), accepted, wishes);
    account.goes(lane.as_str());
    match lane {
        Lane::Relay(acceptance) => relay::relay(house, asked, target, acceptance, account).await,
        Lane::Translate(cause) => {
            tracing::debug!(request_id = asked.exchange.id, ?cause, "translated");
            Ok(translate::translate(house, asked, target, values, account).await?)
        }
    }
}
