//! The bodies of requests to `/admin`. They count as those of clients do, and of one whose sender is not known, not
//! more is read than a token takes.

use std::pin::pin;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http_body::Body as _;
use serde::Deserialize;

use super::identity::AdminCaller;
use super::{Operations, Problem, plugins};
use weir_buffers::{BodyReader, Full, Held};
use weir_server::Peer;
use weir_types::fault::Fault;

/// The most bytes of a body.
pub(super) const MAX_BODY_BYTES: usize = 2 << 20;
/// The largest body of a request whose sender is not known.
const MAX_UNIDENTIFIED_BYTES: usize = 8 << 10;

/// Reads a request's body, within the timeout for bodies. A component that is uploaded is read where there is room for
/// it.
pub(super) async fn take(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    if plugins::is_upload(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    let body_timeout = operations.reload.current().config.server.body_timeout;
    let (head, body) = request.into_parts();
    let most = if head.extensions.get::<AdminCaller>().is_some() { MAX_BODY_BYTES } else { MAX_UNIDENTIFIED_BYTES };
    let connection = head.extensions.get::<Peer>().map(|peer| peer.buffers.clone());
    let reader = BodyReader::new(operations.gateway.buffers().begin(0, connection));
    match tokio::time::timeout(body_timeout, pin!(collect(body, most, reader))).await {
        Ok(Ok((bytes, held))) => {
            let response = next.run(Request::from_parts(head, Body::from(bytes))).await;
            drop(held);
            response
        }
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => {
            let message = "the body did not arrive within `server.body_timeout`";
            Problem::of_status(StatusCode::REQUEST_TIMEOUT, message).into_response()
        }
    }
}

async fn collect(body: Body, most: usize, mut reader: BodyReader) -> Result<(Bytes, Held), Problem> {
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let (mut pieces, mut whole) = (body.into_data_stream(), Vec::new());
    while let Some(piece) = reader.wait(pieces.next()).await? {
        let piece = piece.map_err(|_| too_large(most))?;
        if whole.len() + piece.len() > most {
            return Err(too_large(most));
        }
        reader.hold(piece.len()).await?;
        whole.extend_from_slice(&piece);
    }
    Ok((whole.into(), reader.done()))
}

/// Reads a body that is an object of plain members. `serde` alone takes a list for the members, one after the other.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, serde_json::Error> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(serde::de::Error::custom("a list, where an object belongs"));
    }
    serde_json::from_slice(body)
}

fn too_large(most: usize) -> Problem {
    let message = format!("the body broke off or is larger than {} KiB", most >> 10);
    Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, message)
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", Fault::from(full).error.message)
    }
}
