//! A client's request in the form that attempts take, without the client's credentials.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::Version;
use http::request::Parts;

use super::media_type;
use super::own_url;
use super::read_body::ReadBody;
use super::recognise::EndpointCall;
use crate::attempt::{ClientSide, InboundRequest};
use crate::auth::Caller;
use crate::provenance::ReadRequests;
use crate::serving::{Serving, Stored};
use weir_buffers::spare_memory;
use weir_translate::dialect::endpoints::Head;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;

/// Makes the request from its head, its body and what is known about both.
///
/// # Errors
///
/// The adapter of its endpoint is gone.
pub(super) fn request(
    serving: &Serving,
    exchange: Exchange,
    caller: Caller,
    EndpointCall { endpoint, path_params }: EndpointCall,
    head: Parts,
    ReadBody { body, peek, held, recalled }: ReadBody,
    earlier_input: u32,
) -> Result<Arc<InboundRequest>, Fault> {
    let dialect = serving.adapter(&endpoint.adapter).cloned();
    let query = head.uri.query().unwrap_or_default();
    let tells_of_work = serving.tells_of_work(endpoint.index);
    let own_url = tells_of_work.then(|| own_url::of(&serving.config.server, &head)).flatten();
    let framing = endpoint.framing(&Head { headers: &head.headers, query });
    let named = &serving.config.server.key_headers;
    let (mut headers, query) = serving.endpoints.without_credentials(&endpoint.adapter, named, head.headers, query);
    media_type::mend(&mut headers, &endpoint, &peek, &body);
    let dialect = dialect.ok_or_else(|| Fault::internal("the adapter of this endpoint is gone"))?;
    let stored = stored(serving.stored(endpoint.index), body.iter().all(Bytes::is_empty));
    Ok(Arc::new(InboundRequest {
        exchange,
        caller,
        side: ClientSide::Dialect(dialect),
        path_params,
        method: head.method,
        path: head.uri.path().to_owned(),
        query,
        headers,
        body,
        held,
        peek,
        framing,
        can_cut: head.version < Version::HTTP_2,
        stored,
        own_url,
        endpoint,
        further_models: OnceLock::new(),
        guarded_models: OnceLock::new(),
        recalled,
        judged: OnceLock::new(),
        earlier_input,
        counted_len: OnceLock::new(),
        requests: ReadRequests::default(),
        work: OnceLock::new(),
    }))
}

/// Ends a request whose answer has begun. A stream may last for minutes, so the request's memory is returned now.
pub(super) fn end(inbound: Arc<InboundRequest>) {
    let is_stream = inbound.peek.stream;
    if let Some(mut inbound) = Arc::into_inner(inbound).filter(|_| is_stream) {
        let body = std::mem::take(&mut inbound.body);
        // The headers share a buffer with the part of the body that arrived with them.
        drop(inbound);
        spare_memory::give_back(body);
    }
}

/// How a request deals with stored objects: as its face declares. But a request about an object that has a body of its
/// own may ask for something new, such as a search in the object.
pub(super) fn stored(of_endpoint: Stored, is_bare: bool) -> Stored {
    if of_endpoint == Stored::Object && !is_bare { Stored::Nothing } else { of_endpoint }
}
