//! A client's request as the adapter of its dialect reads it.

use bytes::{Bytes, BytesMut};

use super::InboundRequest;
use super::send::body_of;
use weir_types::contract::types::{ErrorKind, Header, HttpRequest};
use weir_types::fault::{Fault, Side};
use weir_types::query;
use weir_wire::blob;
use weir_wire::blob::Lifted;

/// The least length of a base64 value that is lifted out of a body, in bytes, and how often an adapter may use it.
pub(super) const BLOB_MIN: usize = 8 * 1024;
const BLOB_USES: usize = 8;

/// A request with its body in one piece.
pub(super) struct ClientRequest {
    pub(super) http: HttpRequest,
    /// The large base64 values that were lifted out of the body.
    pub(super) lifted: Lifted,
}

impl ClientRequest {
    /// Joins the body, which may have `limit` bytes, and lifts large base64 values out of it if the adapters take that.
    pub(super) fn new(inbound: &InboundRequest, limit: usize, lifts: bool) -> Result<Self, Fault> {
        let body = whole(inbound.pieces());
        if body.len() > limit {
            let message = "the request is too large to be translated; raise `server.translate_body_limit`";
            return Err(Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413));
        }
        let (body, lifted) = if lifts {
            blob::lift(&body, &blob_limits(limit)).map_err(|error| Fault::internal(error.to_string()))?
        } else {
            (body, Lifted::default())
        };
        let header = |name: &String| {
            let value = inbound.headers.get(name.as_str())?.to_str().ok()?;
            Some(Header { name: name.clone(), value: value.to_owned() })
        };
        let http = HttpRequest {
            method: inbound.method.as_str().to_owned(),
            path: inbound.path.clone(),
            query: query::pairs(&inbound.query).map(|(name, value)| Header { name, value }).collect(),
            headers: inbound.endpoint.face.request_headers.iter().filter_map(header).collect(),
            body: body_of(&body),
        };
        Ok(Self { http, lifted })
    }
}

/// Limits for lifted values of a body of at most `limit` bytes.
pub(super) fn blob_limits(limit: usize) -> blob::Limits {
    blob::Limits { min_len: BLOB_MIN, max_uses: BLOB_USES, max_len: limit.saturating_mul(2) }
}

/// The bytes that a copy of the body in one piece takes.
pub(super) fn joined_len(chunks: &[Bytes]) -> usize {
    match chunks {
        [] | [_] => 0,
        many => many.iter().map(Bytes::len).sum(),
    }
}

/// A body in one piece, copied only if it has several chunks.
pub(super) fn whole(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => {
            let mut whole = BytesMut::with_capacity(many.iter().map(Bytes::len).sum());
            for chunk in many {
                whole.extend_from_slice(chunk);
            }
            whole.freeze()
        }
    }
}
