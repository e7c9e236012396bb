//! Answers of requests that Weir refuses.

use http::Response;

use super::Gateway;
use super::own_headers::{forbid_retry, put_limits};
use crate::accounting::Account;
use crate::accounting::access::RequestRecord;
use crate::admission::Refused;
use crate::attempt::ReplyBody;
use crate::observe::log::clean::cleaned;
use crate::observe::metrics::Metrics;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::reply::{error_response, insert};
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;

impl Gateway {
    /// Answers a request that a limit refused, with the state of that limit in the headers.
    pub(super) fn refuse_limited(
        &self,
        endpoint: &Endpoint,
        refused: &Refused,
        id: &str,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        let mut response = self.refuse(endpoint.errors.as_deref(), &refused.fault, id, record);
        put_limits(&mut response, endpoint, &refused.limits, None);
        response
    }

    /// Answers with a fault in the client's format, and counts it.
    pub(super) fn refuse(
        &self,
        errors: Option<&ErrorFormat>,
        fault: &Fault,
        id: &str,
        record: &mut Option<Box<RequestRecord>>,
    ) -> Response<ReplyBody> {
        self.note_refusal(fault, record);
        fault_response(errors, fault, id)
    }

    /// Counts a request that Weir refuses, and notes why in its record.
    pub(super) fn note_refusal(&self, fault: &Fault, record: &mut Option<Box<RequestRecord>>) {
        note_refusal(&self.metrics, fault, record);
    }
}

/// Counts a request that Weir refuses, and notes why in its record.
pub(super) fn note_refusal(metrics: &Metrics, fault: &Fault, record: &mut Option<Box<RequestRecord>>) {
    if let Some(record) = record.as_mut() {
        record.failed(fault);
    }
    let reason = match fault.error.kind {
        ErrorKind::NotFound => "not_found",
        ErrorKind::Permission => "permission",
        ErrorKind::Authentication => "authentication",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::RateLimited | ErrorKind::Overloaded => "overloaded",
        ErrorKind::ContentFiltered => "filtered",
        _ => "invalid",
    };
    metrics.rejected.with_label_values(&[reason]).inc();
}

/// The answer of a request that failed.
pub(super) fn fault_response(errors: Option<&ErrorFormat>, fault: &Fault, id: &str) -> Response<ReplyBody> {
    note_fault(fault, id);
    let mut response = error_response(errors, fault, id).map(ReplyBody::from);
    insert(response.headers_mut(), &headers::ERROR_SOURCE, fault.side.as_str());
    response
}

/// The answer of a request that failed after its account was opened, which notes the failure.
pub(super) fn failed_response(
    errors: Option<&ErrorFormat>,
    fault: &Fault,
    id: &str,
    account: &mut Account,
) -> Response<ReplyBody> {
    account.record().into_iter().for_each(|record| record.failed(fault));
    let mut response = fault_response(errors, fault, id);
    forbid_retry(&mut response, fault);
    account.answering(response.status().as_u16(), false, false);
    response
}

/// Logs a failure that is not the client's.
pub(super) fn note_fault(fault: &Fault, id: &str) {
    if fault.side != Side::Client {
        tracing::warn!(request_id = id, side = fault.side.as_str(), error = cleaned(fault), "request failed");
    }
}
