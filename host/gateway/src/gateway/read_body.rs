//! Reads a request's body within its limits, decodes it if the client has compressed it, and peeks at it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::unconstrained;

use super::coded_body;
use crate::dialect::request_peek::{PeekPlan, RequestPeek};
use crate::passthrough::client_body::too_slow;
use crate::serving::Serving;
use weir_buffers::Held;
use weir_buffers::joined::Joined;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_translate::dialect::path::PathParams;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::turn;
use weir_upstream::Coding;
use weir_wire::peek::Peek;

/// A request's body after reading.
pub(super) struct ReadBody {
    /// The body's pieces.
    pub(super) body: Vec<Bytes>,
    /// The facts that the peek read.
    pub(super) peek: RequestPeek,
    /// The body's share of the byte budget.
    pub(super) held: Held,
    /// The body with earlier answers' items in place of the ids that name them, if it names any.
    pub(super) recalled: Option<Bytes>,
}

/// Reads the body. Peeks at what the face declares as each piece arrives, since the piece is in the processor's caches
/// then.
pub(super) async fn read(
    serving: &Serving,
    endpoint: &Endpoint,
    path_params: &PathParams,
    head: &mut Parts,
    body: Incoming,
    held: Held,
) -> Result<ReadBody, Fault> {
    let plan = plan(serving, endpoint)?;
    if let Some(coding) = coded_body::coding(&head.headers)? {
        let (body, held) = Box::pin(decoded(serving, coding, body, held)).await?;
        head.headers.remove(header::CONTENT_ENCODING);
        let peek = plan.read(&body, path_params, &about(head))?;
        return Ok(ReadBody { body, peek, held, recalled: None });
    }
    let mut scan = plan.scan();
    let (body, held) = pin!(scanned(serving, body, held, scan.as_mut())).await?;
    let peek = plan.read_scanned(scan, &body, path_params, &about(head))?;
    Ok(ReadBody { body, peek, held, recalled: None })
}

/// Reads and decodes a compressed body.
async fn decoded(serving: &Serving, coding: Coding, body: Incoming, held: Held) -> Result<(Vec<Bytes>, Held), Fault> {
    let (body, held) = whole(serving, body, held).await?;
    coded_body::decode(coding, body, held, serving.config.server.max_body_bytes).await
}

/// Reads the whole body into memory.
pub(super) async fn whole(serving: &Serving, body: Incoming, held: Held) -> Result<(Vec<Bytes>, Held), Fault> {
    pin!(scanned(serving, body, held, None)).await
}

async fn scanned(
    serving: &Serving,
    body: Incoming,
    held: Held,
    scan: Option<&mut Peek>,
) -> Result<(Vec<Bytes>, Held), Fault> {
    let server = &serving.config.server;
    let timeouts = BodyTimeouts { pause: server.body_timeout, total: server.body_total_timeout, until: None };
    pin!(collect(body, scan, server.max_body_bytes, timeouts, weir_buffers::BodyReader::new(held))).await
}

/// Peeks at what the face declares in a body that has been read.
pub(super) fn peek(
    serving: &Serving,
    endpoint: &Endpoint,
    path_params: &PathParams,
    head: &Parts,
    body: &[Bytes],
) -> Result<RequestPeek, Fault> {
    plan(serving, endpoint)?.read(body, path_params, &about(head))
}

/// What to search for in a face's requests.
pub(super) fn plan<'a>(serving: &'a Serving, endpoint: &Endpoint) -> Result<&'a Arc<PeekPlan>, Fault> {
    serving.peek_plan(endpoint.index).ok_or_else(|| Fault::internal("this endpoint has no peek plan"))
}

fn about(head: &Parts) -> Head<'_> {
    Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() }
}

/// How long a client may take to send a body.
struct BodyTimeouts {
    pause: Duration,
    total: Duration,
    /// When the whole body must have arrived, set by the first wait.
    until: Option<Instant>,
}

impl BodyTimeouts {
    /// How long the next piece may take.
    fn left(&mut self) -> Duration {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + self.total);
        self.pause.min(until.saturating_duration_since(now))
    }
}

async fn collect(
    mut body: Incoming,
    mut scan: Option<&mut Peek>,
    limit: usize,
    mut timeouts: BodyTimeouts,
    mut room: weir_buffers::BodyReader,
) -> Result<(Vec<Bytes>, Held), Fault> {
    let declared = body.size_hint().lower();
    if declared > limit as u64 {
        return Err(too_large(limit));
    }
    let mut pieces = Joined::default();
    let mut len = 0usize;
    while !body.is_end_stream() {
        let frame = pin!(next(&mut body, &mut timeouts, &mut room)).await?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        len += data.len();
        if len > limit {
            return Err(too_large(limit));
        }
        pin!(room.hold(data.len())).await?;
        if let Some(scan) = &mut scan {
            scan.push(&data);
        }
        pieces.push(data);
    }
    Ok((pieces.finish().into(), room.done()))
}

/// The next frame. A frame that has already arrived needs no timer.
async fn next(
    body: &mut Incoming,
    timeouts: &mut BodyTimeouts,
    room: &mut weir_buffers::BodyReader,
) -> Result<Option<http_body::Frame<Bytes>>, Fault> {
    let is_first = timeouts.until.is_none();
    let ready = poll_fn(|cx| Poll::Ready(take(body, is_first, cx))).await;
    let frame = match ready {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            let frame = tokio::time::timeout(timeouts.left(), body.frame());
            // The connection may have used up the task's turn with bytes that make no frame; the timer would then never
            // be polled.
            Box::pin(unconstrained(room.wait(frame))).await?.map_err(|_| too_slow())?
        }
    };
    frame.transpose().map_err(|_| Fault::invalid("the request's body broke off"))
}

/// Takes a frame that has already arrived. The connection is polled only if there is more to read, and at the first
/// wait, since a client may send its body only after a 100 Continue.
fn take(
    body: &mut Incoming,
    is_first: bool,
    cx: &mut Context<'_>,
) -> Poll<Option<hyper::Result<http_body::Frame<Bytes>>>> {
    let taken = turn::quietly(|| Pin::new(&mut *body).poll_frame(cx));
    let notifies = if taken.is_ready() { !body.is_end_stream() } else { is_first };
    if notifies {
        cx.waker().wake_by_ref();
    }
    taken
}

pub(super) fn too_large(limit: usize) -> Fault {
    let message = format!("the request is larger than {limit} bytes; `server.max_body_bytes` sets the limit");
    Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413)
}
