//! `grpc.health.v1`: whether the gateway serves, which it does until it drains.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::Incoming;
use prost::Message;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::watchers::Watchers;
use crate::{answer, framing};
use weir_gateway::attempt::{BodyError, ReplyBody};

/// The service's name.
pub(crate) const NAME: &str = "grpc.health.v1.Health";
/// The most bytes of a request, and how long it may take to arrive.
const MAX_REQUEST_BYTES: usize = 1_024;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a watch goes on at most.
const WATCHED: Duration = Duration::from_mins(5);

/// A question about a service.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

/// What is known of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
}

/// Answers a call of this service about one of the known services, or about the gateway.
pub(crate) async fn handle(
    method: &str,
    body: Incoming,
    draining: watch::Receiver<bool>,
    (watchers, address): (&Watchers, &Arc<str>),
    known: &[&str],
) -> Response<ReplyBody> {
    let refuse = |code, message: &str| answer::refused(&Status::new(code, message));
    let Some(asked) = read(body).await else {
        return refuse(Code::InvalidArgument, "the request is not a HealthCheckRequest");
    };
    if !asked.service.is_empty() && !known.contains(&asked.service.as_str()) {
        return refuse(Code::NotFound, "there is no such service here");
    }
    match method {
        "Check" => answer::unary(ReplyBody::from(Bytes::new()), &health(*draining.borrow()), &Status::ok("")),
        "Watch" => watched(draining, watchers, address),
        _ => refuse(Code::Unimplemented, "this service has the methods Check and Watch"),
    }
}

async fn read(body: Incoming) -> Option<HealthCheckRequest> {
    let collected = tokio::time::timeout(TIMEOUT, Limited::new(body, MAX_REQUEST_BYTES).collect()).await.ok()?.ok()?;
    framing::read(&[collected.to_bytes()]).ok()
}

fn health(is_draining: bool) -> HealthCheckResponse {
    let status = if is_draining { ServingStatus::NotServing } else { ServingStatus::Serving };
    HealthCheckResponse { status: status as i32 }
}

/// What comes next in the answer to a watcher.
enum Next {
    State,
    Change,
    End,
    Over,
}

/// The state now, and its change. The answer ends with that, so that no watcher keeps a draining connection open.
fn watched(draining: watch::Receiver<bool>, watchers: &Watchers, address: &Arc<str>) -> Response<ReplyBody> {
    let Some(place) = watchers.take(address) else {
        return answer::refused(&Status::new(Code::ResourceExhausted, "too many callers watch already: use Check"));
    };
    let frames = stream::unfold((Next::State, draining, place), |(next, mut draining, place)| async move {
        let (frame, next) = match next {
            Next::State => {
                let is_draining = *draining.borrow();
                (message(is_draining), if is_draining { Next::End } else { Next::Change })
            }
            Next::Change => {
                // A closed channel means that the program ends, too.
                let change = draining.wait_for(|is_draining| *is_draining);
                match tokio::time::timeout(WATCHED, change).await {
                    Ok(_drains) => (message(true), Next::End),
                    // The caller asks again: health needs no key, so a watch must not hold a connection for ever.
                    Err(_) => (Frame::trailers(answer::trailers(&Status::ok(""))), Next::Over),
                }
            }
            Next::End => (Frame::trailers(answer::trailers(&Status::ok(""))), Next::Over),
            Next::Over => return None,
        };
        Some((Ok::<_, BodyError>(frame), (next, draining, place)))
    });
    answer::response(StreamBody::new(Box::pin(frames)))
}

fn message(is_draining: bool) -> Frame<Bytes> {
    let mut out = Vec::new();
    framing::put(&mut out, &health(is_draining));
    Frame::data(out.into())
}
