//! Answers to requests on connections beyond the limit.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;

use super::Gateway;
use super::exact_len;
use super::own_headers::{set_own_request_id, set_request_id};
use super::recognise::{EndpointCall, recognise};
use super::unknown::Unrecognised;
use crate::attempt::ReplyBody;
use weir_types::exchange::Exchange;
use weir_types::fault::Fault;

/// `Retry-After` of a full listener.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Gateway {
    /// Refuses a request beyond the limit of connections, in its client's format.
    pub fn refuse_beyond_limit(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, _) = request.into_parts();
        let (serving, exchange) = (self.serving.load(), Exchange::begin(&head.headers));
        let id = Arc::clone(&exchange.id);
        let mut record = self.begin_record(&serving, &id, &exchange, &head);
        let endpoint = match recognise(&serving, &head) {
            Ok(EndpointCall { endpoint, .. }) => Some(endpoint),
            Err(Unrecognised { nearest, .. }) => nearest,
        };
        let message = "all connections of this gateway are at work: try again later, or raise `server.max_connections`";
        let fault = Fault::overloaded(message, RETRY_AFTER).with_code("too_many_connections");
        let errors = endpoint.as_ref().and_then(|endpoint| endpoint.errors.as_deref());
        let mut response = self.refuse(errors, &fault, &id, &mut record);
        set_request_id(&mut response, endpoint.as_deref(), &id);
        if serving.config.server.diagnostic_headers {
            set_own_request_id(&mut response, &exchange.own_id);
        }
        if let Some(record) = record.as_mut() {
            if let Some(endpoint) = &endpoint {
                record.set_endpoint(endpoint);
            }
            record.finish_own_answer(response.status().as_u16(), exact_len(&response));
        }
        response
    }
}
