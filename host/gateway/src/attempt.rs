//! Carries out a plan, in one of two lanes: relay (bytes through) or translate (through two components).

mod backoff;
mod failure;
mod follow;
mod head;
mod hedge;
mod list;
mod media;
mod meter;
mod ping;
mod pipeline;
mod policy;
mod relay;
mod relayed;
mod reply;
mod resume;
mod said;
mod send;
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
pub use list::{ask_models, find_out};
pub use ping::ping;
pub use reply::{BodyError, ReplyBody};
pub use resume::Onward;
pub use suit::{Written, suit};
pub use tries::{Journey, Tried};

/// A request that has been recognised, identified and peeked at.
#[derive(Debug)]
pub struct Asked {
    /// What is known of it from its first moment.
    pub exchange: Exchange,
    /// Who asks.
    pub caller: Caller,
    /// The face that was called.
    pub face: Arc<Face>,
    /// The adapter that speaks the face.
    pub dialect: Arc<Adapter>,
    /// The values of the path's holes.
    pub holes: Holes,
    /// The method.
    pub method: Method,
    /// The path, as it came.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Vec<Bytes>,
    /// The memory that it takes.
    pub held: Held,
    /// What the peek saw.
    pub reading: Reading,
    /// How a streamed answer is framed.
    pub framing: Framing,
    /// Whether the client can be told that a stream broke by cutting the connection (HTTP/1).
    pub can_cut: bool,
}

impl Asked {
    /// The operation.
    pub fn operation(&self) -> &Operation {
        &self.face.claim.operation
    }

    /// What it asks for, as far as limits care.
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            model: self.reading.model.as_deref(),
            output_limit: self.reading.output_limit,
            body_len: self.body.iter().map(Bytes::len).sum(),
            stream: self.reading.stream,
        }
    }

    /// The model as the client named it; empty where the operation has none.
    pub fn model(&self) -> &str {
        self.reading.model.as_deref().unwrap_or_default()
    }
}

/// The version of an adapter that spoke to the provider, among an answer's extensions.
#[derive(Debug, Clone)]
pub struct SpokenBy(pub Arc<Adapter>);

/// What attempts need of the house.
#[derive(Debug, Clone, Copy)]
pub struct House<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The way out.
    pub upstreams: &'a Upstreams,
    /// What clients' formats have no place for.
    pub recall: &'a Arc<Recall>,
    /// When the whole request has to be answered, whatever is tried for it.
    pub deadline: Option<Instant>,
}

impl House<'_> {
    /// Time limits of one attempt that keep within what is left of the whole.
    fn within(&self, mut timeouts: Timeouts) -> Timeouts {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            timeouts.total = Some(timeouts.total.map_or(left, |total| total.min(left)));
        }
        timeouts
    }
}

/// Which of a request's opaque values go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// All, as the client sent them.
    All,
    /// Those that the target is known to have issued itself.
    Own,
}

/// Sends a request to a target and answers with what comes back.
///
/// # Errors
///
/// A failure means that no byte of an answer has left.
async fn attempt(
    house: House<'_>,
    asked: &Asked,
    target: &Arc<Target>,
    values: Values,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let wishes = Wishes { translate: target.translate, resume: target.resume, strip: values == Values::Own };
    let accepted = target.accepts(asked.face.format(), asked.operation());
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
