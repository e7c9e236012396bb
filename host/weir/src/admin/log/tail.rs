//! `GET /admin/v1/requests/tail`: requests as they end, as server-sent events.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{asked, store};
use crate::admin::{Operations, Problem, access};
use crate::store::shown::shown;
use weir_store::{Fact, Query};

/// A reader of new facts.
struct Tail {
    query: Query,
    operations: Operations,
    /// The request without its body, to be admitted again and again.
    request: Request,
    facts: Receiver<Arc<Fact>>,
    draining: watch::Receiver<bool>,
    share: Share,
}

/// What of a stream of requests a reader gets: so many each second, and the number of the others.
#[derive(Debug)]
struct Share {
    /// The most requests of a second; none for all.
    most: Option<NonZeroU32>,
    /// When the second ends that `sent` is of.
    ends: Instant,
    sent: u32,
    missed: u64,
}

impl Share {
    fn new(most: Option<NonZeroU32>) -> Self {
        Self { most, ends: Instant::now(), sent: 0, missed: 0 }
    }

    /// Whether a request is sent; otherwise it is counted.
    fn takes(&mut self, now: Instant) -> bool {
        if now >= self.ends {
            (self.ends, self.sent) = (now + Duration::from_secs(1), 0);
        }
        let has_room = self.most.is_none_or(|most| self.sent < most.get());
        self.sent += u32::from(has_room);
        self.missed += u64::from(!has_room);
        has_room
    }

    /// Waits until it is time to tell how many were not sent.
    async fn is_due(&self) {
        if self.missed == 0 {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.ends).await;
    }
}

/// Follows new requests that meet a search, until Weir stops or the reader's token or key is not valid any more.
pub(super) async fn follow(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let (query, most) = asked::followed(request.uri().query())?;
    let facts = store(&operations)?.recorder().tail();
    let request = Request::from_parts(request.into_parts().0, Body::empty());
    let draining = operations.draining.clone();
    let tail = Tail { query, operations, request, facts, draining, share: Share::new(most) };
    let events = stream::unfold(tail, |mut tail| async {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(event), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Tail {
    /// The next event: a request, or how many were missed because this reader is too slow. Whether the reader may still have
    /// it is asked for what is sent only: all others of a busy gateway cost a comparison.
    async fn next(&mut self) -> Option<Event> {
        let event = loop {
            let fact = tokio::select! {
                _ = self.draining.wait_for(|draining| *draining) => return None,
                () = self.share.is_due() => break missed(std::mem::take(&mut self.share.missed)),
                fact = self.facts.recv() => fact,
            };
            match fact {
                Ok(fact) if asked::holds(&self.query, &fact) && self.share.takes(Instant::now()) => {
                    let id = fact.id.to_string();
                    break Event::default().event("request").id(id).data(shown(&fact).to_string());
                }
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => break missed(count),
                Err(RecvError::Closed) => return None,
            }
        };
        access::is_admitted(&self.operations, &self.request).then_some(event)
    }
}

/// How many requests were not sent.
fn missed(count: u64) -> Event {
    Event::default().event("missed").data(count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_a_second_are_sent_and_the_others_counted() {
        let now = Instant::now();
        let mut share = Share::new(NonZeroU32::new(2));
        let taken = (0..5).filter(|_| share.takes(now)).count();
        assert_eq!((taken, share.missed), (2, 3));
        assert!(share.takes(now + Duration::from_secs(1)));
        let mut all = Share::new(None);
        assert!((0..100).all(|_| all.takes(now)) && all.missed == 0);
    }
}
