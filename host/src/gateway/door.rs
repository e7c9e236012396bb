//! A request's body at the door: taken in within its limits and peeked at while it comes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::contract::types::ErrorKind;
use crate::dialect::faces::{Face, Head};
use crate::dialect::path::Holes;
use crate::dialect::reading::Reading;
use crate::fault::{Fault, Side};
use crate::serving::Serving;

/// Takes the body in and reads what the face declares.
pub(super) async fn read(
    serving: &Serving,
    face: &Face,
    holes: &Holes,
    head: &Parts,
    body: Incoming,
) -> Result<(Vec<Bytes>, Reading), Fault> {
    let server = &serving.config.server;
    let plan = serving.readings.get(face.index).ok_or_else(|| Fault::internal("this endpoint has no reading"))?;
    let patience = Patience { pause: server.body_timeout, total: server.body_total_timeout, until: None };
    let body = collect(body, server.max_body_bytes, patience).await?;
    let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
    let reading = plan.read(&body, holes, &about)?;
    Ok((body, reading))
}

/// How long a client may take to send a body.
struct Patience {
    pause: Duration,
    total: Duration,
    /// When all of it has to be there, once it was waited for.
    until: Option<Instant>,
}

impl Patience {
    /// How long the next piece may take.
    fn left(&mut self) -> Duration {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + self.total);
        self.pause.min(until.saturating_duration_since(now))
    }
}

async fn collect(mut body: Incoming, limit: usize, mut patience: Patience) -> Result<Vec<Bytes>, Fault> {
    let declared = body.size_hint().lower();
    if declared > limit as u64 {
        return Err(too_large(limit));
    }
    let mut chunks = Vec::new();
    let mut len = 0usize;
    while !body.is_end_stream() {
        let Some(frame) = next(&mut body, &mut patience).await? else { break };
        let Ok(data) = frame.into_data() else { continue };
        len += data.len();
        if len > limit {
            return Err(too_large(limit));
        }
        if !data.is_empty() {
            chunks.push(data);
        }
    }
    Ok(chunks)
}

/// The next frame. What is there already costs no timer.
async fn next(body: &mut Incoming, patience: &mut Patience) -> Result<Option<http_body::Frame<Bytes>>, Fault> {
    let mut frame = std::pin::pin!(body.frame());
    let ready = std::future::poll_fn(|cx| std::task::Poll::Ready(frame.as_mut().poll(cx))).await;
    let frame = match ready {
        std::task::Poll::Ready(frame) => frame,
        std::task::Poll::Pending => tokio::time::timeout(patience.left(), frame).await.map_err(|_| too_slow())?,
    };
    frame.transpose().map_err(|_| Fault::invalid("the request's body broke off"))
}

fn too_large(limit: usize) -> Fault {
    let message = format!("the request is larger than {limit} bytes; `server.max_body_bytes` sets the limit");
    Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413)
}

fn too_slow() -> Fault {
    Fault::new(Side::Client, ErrorKind::Timeout, "the request's body did not arrive in time").with_status(408)
}
