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
use tokio::time::{Interval, MissedTickBehavior};

use super::{asked, store};
use crate::admin::{Operations, Problem, access};
use crate::store::shown::shown;
use weir_store::{Fact, Query, Recorder};

/// How long a share is for.
const SECOND: Duration = Duration::from_secs(1);

/// A reader of new facts.
struct Tail {
    query: Query,
    operations: Operations,
    /// The request without its body, to be admitted again and again.
    request: Request,
    recorder: Recorder,
    facts: Receiver<Arc<Fact>>,
    draining: watch::Receiver<bool>,
    /// When the next second of the share begins.
    seconds: Interval,
    share: Share,
}

/// What of a stream of requests a reader gets: so many each second, and the number of the others.
#[derive(Debug)]
struct Share {
    /// The most requests of a second; none for all.
    most: Option<NonZeroU32>,
    sent: u32,
    missed: u64,
    /// How many requests had found no room in the log, when that was looked at last.
    dropped: u64,
}

impl Share {
    fn new(most: Option<NonZeroU32>, dropped: u64) -> Self {
        Self { most, sent: 0, missed: 0, dropped }
    }

    /// Whether a request is sent; otherwise it is counted.
    fn takes(&mut self) -> bool {
        let has_room = self.most.is_none_or(|most| self.sent < most.get());
        self.sent += u32::from(has_room);
        self.missed += u64::from(!has_room);
        has_room
    }

    /// Begins the next second. Returns how many were not sent in the last one: those beyond the share, and those that
    /// found no room in the log, of which now `dropped` are known. What these would have been is not known; they are
    /// counted for every search.
    fn begin(&mut self, dropped: u64) -> Option<u64> {
        self.sent = 0;
        let lost = dropped.saturating_sub(std::mem::replace(&mut self.dropped, dropped));
        let missed = std::mem::take(&mut self.missed).saturating_add(lost);
        (missed > 0).then_some(missed)
    }
}

/// Follows new requests that meet a search, until Weir stops or the reader's token or key is not valid any more.
pub(super) async fn follow(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let (query, most) = asked::followed(request.uri().query())?;
    let recorder = store(&operations)?.recorder().clone();
    let (facts, share) = (recorder.tail(), Share::new(most, recorder.dropped()));
    let request = Request::from_parts(request.into_parts().0, Body::empty());
    let draining = operations.draining.clone();
    let mut seconds = tokio::time::interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let tail = Tail { query, operations, request, recorder, facts, draining, seconds, share };
    let events = stream::unfold(tail, |mut tail| async {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(event), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Tail {
    /// The next event: a request, or how many were missed because this reader is too slow. Whether the reader may still
    /// have it is asked for what is sent only: all others of a busy gateway cost a comparison.
    async fn next(&mut self) -> Option<Event> {
        let event = loop {
            let fact = tokio::select! {
                _ = self.draining.wait_for(|draining| *draining) => return None,
                _ = self.seconds.tick() => match self.share.begin(self.recorder.dropped()) {
                    Some(count) => break missed(count),
                    None => continue,
                },
                fact = self.facts.recv() => fact,
            };
            match fact {
                Ok(fact) if asked::holds(&self.query, &fact) && self.share.takes() => {
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
        let mut share = Share::new(NonZeroU32::new(2), 0);
        let taken = (0..5).filter(|_| share.takes()).count();
        assert_eq!((taken, share.begin(0)), (2, Some(3)));
        assert!(share.takes() && share.begin(0).is_none());
        let mut all = Share::new(None, 0);
        assert!((0..100).all(|_| all.takes()) && all.begin(0).is_none());
    }

    #[test]
    fn requests_without_room_in_the_log_are_counted_once() {
        let mut share = Share::new(NonZeroU32::new(1), 40);
        assert_eq!(share.begin(40), None, "those before the reader came are not its own");
        assert!(share.takes() && !share.takes());
        assert_eq!(share.begin(1_040), Some(1_001));
        assert_eq!(share.begin(1_040), None);
    }
}
