//! Requests on connections beyond the limit.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;

use super::head::name;
use super::{Called, Gateway, Unrecognised, fault_response, recognise};
use crate::attempt::ReplyBody;
use crate::exchange::Exchange;
use crate::fault::Fault;

/// `Retry-After` of a full listener.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Gateway {
    /// Answers a request for which there is no connection left, in its client's format.
    pub fn refuse_beyond_limit(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (head, _) = request.into_parts();
        let id = Exchange::begin(&head.headers).id;
        let face = match recognise(&self.serving.load(), &head) {
            Ok(Called { face, .. }) => Some(face),
            Err(Unrecognised { nearest, .. }) => nearest,
        };
        let message = "all connections of this gateway are at work: try again later, or raise `server.max_connections`";
        let fault = Fault::overloaded(message, RETRY_AFTER).with_code("too_many_connections");
        let errors = face.as_ref().and_then(|face| face.errors.as_deref());
        self.metrics.rejected.with_label_values(&["overloaded"]).inc();
        let mut response = fault_response(errors, &fault, &id);
        name(&mut response, face.as_deref(), &id);
        response
    }
}
