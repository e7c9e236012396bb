//! The objects made by the answer to a passed-through request, which belong to the client.

use std::sync::Arc;

use http::Response;

use super::super::{Gateway, rights};
use super::PermittedPass;
use crate::attempt::{PassedRequest, ReplyBody};
use crate::dialect::request_peek::RequestPeek;
use crate::passthrough::path;
use crate::provenance::{Claim, Making};
use crate::serving::Serving;
use weir_translate::dialect::endpoints::Endpoint;

/// What is kept of a sent request in order to read its answer.
pub(super) struct SentPass<'a> {
    /// The endpoint, if it is one that an adapter describes.
    endpoint: Option<&'a Endpoint>,
    /// The path without its escapes.
    path: String,
    /// The query as it was sent.
    query: String,
    /// Whether the method only reads.
    is_read: bool,
}

impl<'a> SentPass<'a> {
    pub(super) fn of(request: &PassedRequest<'a>) -> Self {
        Self {
            endpoint: request.known.as_ref().map(|(known, _)| &**known.endpoint),
            path: path::decoded(&request.path).unwrap_or_default(),
            query: request.query.clone(),
            is_read: request.method.is_safe(),
        }
    }
}

impl Gateway {
    /// The client's claim to the object that an answer is about, and to those that the answer makes besides.
    pub(super) fn made_by_answer(
        &self,
        serving: &Serving,
        permitted: &PermittedPass<'_>,
        peek: Option<&RequestPeek>,
        sent: &SentPass<'_>,
        response: &Response<ReplyBody>,
    ) -> (Option<Claim>, Option<Making>) {
        if !response.status().is_success() {
            return (None, None);
        }
        let (tenant, owners) = (&permitted.caller.tenant, self.reasoning_cache.owners());
        let named = || permitted.named.clone();
        let claim = match (sent.endpoint, &permitted.sent) {
            (Some(endpoint), _) => self.claim(serving, endpoint, tenant, named, response),
            // Reading an object does not make the client its owner.
            (None, Some(words)) if !sent.is_read => {
                Some(rights::claim_to_unknown(owners, serving, &sent.path, &sent.query, words))
            }
            (None, _) => None,
        };
        let claim = claim.map(|claim| Claim { requests: Arc::clone(&permitted.requests), ..claim });
        let known = sent.endpoint.zip(peek);
        (claim, known.and_then(|(endpoint, peek)| self.making(serving, endpoint, peek, false, named)))
    }
}
