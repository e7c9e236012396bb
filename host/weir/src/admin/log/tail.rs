//! `GET /admin/v1/requests/tail`: requests as they end, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::{asked, requests, store};
use crate::admin::{Operations, Problem, access};
use weir_store::{Fact, Query};

/// A reader of new facts.
struct Tail {
    query: Query,
    operations: Operations,
    /// The request without its body, to be admitted again and again.
    request: Request,
    facts: Receiver<Arc<Fact>>,
    draining: watch::Receiver<bool>,
}

/// Follows new requests that meet a search, until Weir stops or the reader's token or key is not valid any more.
pub(super) async fn follow(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let query = asked::query(request.uri().query())?;
    let facts = store(&operations)?.recorder().tail();
    let request = Request::from_parts(request.into_parts().0, Body::empty());
    let draining = operations.draining.clone();
    let tail = Tail { query, operations, request, facts, draining };
    let events = stream::unfold(tail, |mut tail| async {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(event), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Tail {
    /// The next event: a request, or how many were missed because this reader is too slow.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let fact = tokio::select! {
                _ = self.draining.wait_for(|draining| *draining) => return None,
                fact = self.facts.recv() => fact,
            };
            match fact {
                Ok(_) | Err(RecvError::Lagged(_)) if !access::is_admitted(&self.operations, &self.request) => {
                    return None;
                }
                Ok(fact) if asked::holds(&self.query, &fact) => {
                    let id = fact.id.to_string();
                    return Some(Event::default().event("request").id(id).data(requests::shown(&fact).to_string()));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    return Some(Event::default().event("missed").data(missed.to_string()));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
