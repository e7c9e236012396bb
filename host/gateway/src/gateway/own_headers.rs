//! Headers that Weir adds to answers of either lane.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Response, header};

use crate::accounting::Account;
use crate::accounting::access::RequestRecord;
use crate::accounting::trail::{End, Trail};
use crate::admission::budgets;
use crate::attempt::{InboundRequest, ReplyBody};
use crate::dialect::limits;
use crate::dialect::limits::Figure;
use crate::guard;
use crate::observe::metrics::Metrics;
use crate::rate_limit::LimitStatus;
use crate::route::Target;
use crate::route::skipped::Skipped;
use weir_ledger::Notice;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::reply::{insert, insert_made};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers;
use weir_types::uuid::Uuid7;

/// Sets the rate-limit headers: the client's own limits or, if it has none, those of the provider that answered.
pub(super) fn put_limits(
    response: &mut Response<ReplyBody>,
    endpoint: &Endpoint,
    statuses: &[LimitStatus],
    answered: Option<(&Target, &Account)>,
) {
    let (errors, names, headers) = (endpoint.errors.as_deref(), &endpoint.limit_headers, response.headers_mut());
    match answered {
        // A relayed answer already has the provider's headers.
        Some((_, account)) if statuses.is_empty() => limits::put(errors, names, account.limits(), headers),
        answered => {
            if let Some((target, _)) = answered {
                target.limits.strip(headers);
            }
            limits::put(errors, names, &statuses.iter().map(Figure::from).collect::<Vec<_>>(), headers);
        }
    }
}

/// Lists the methods of a path for a client that used another one (RFC 9110, 15.5.6).
pub(super) fn set_allow(response: &mut Response<ReplyBody>, methods: &[Method]) {
    if !methods.is_empty() {
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        insert_made(response.headers_mut(), &header::ALLOW, names.join(", "));
    }
}

/// Sets Weir's own id of the request, which usually is the id that the answer has already.
pub(super) fn set_own_request_id(response: &mut Response<ReplyBody>, id: &Uuid7) {
    let (to, digits) = (response.headers_mut(), id.digits());
    let shown = to.get(&headers::REQUEST_ID).filter(|shown| shown.as_bytes() == digits).cloned();
    match shown {
        Some(shown) => _ = to.insert(&headers::OWN_REQUEST_ID, shown),
        None => insert_made(to, &headers::OWN_REQUEST_ID, id.to_string()),
    }
}

/// Sets the request's id, also under the header name of the client's format; the provider's own id moves to another
/// header.
pub(super) fn set_request_id(response: &mut Response<ReplyBody>, endpoint: Option<&Endpoint>, id: &str) {
    let own = endpoint.and_then(|endpoint| endpoint.id_header.as_ref()).filter(|own| **own != headers::REQUEST_ID);
    let to = response.headers_mut();
    let Ok(id) = HeaderValue::try_from(id) else { return };
    let names = [Some(&headers::REQUEST_ID), own];
    for header in names.into_iter().flatten() {
        if let Some(upstream) = to.insert(header, id.clone()) {
            to.insert(&headers::UPSTREAM_REQUEST_ID, upstream);
        }
    }
}

/// Sets the cost of a whole answer, as far as it is known before the answer is sent, and the warnings of budgets.
pub(super) fn set_cost(response: &mut Response<ReplyBody>, account: &mut Account, notices: &[Notice]) {
    let to = response.headers_mut();
    if let Some(cost) = account.cost_of_whole() {
        insert_made(to, &headers::COST_USD, cost.to_string());
    }
    if let Some(warnings) = budgets::warnings(notices) {
        insert(to, &headers::BUDGET_WARNING, &warnings);
    }
}

/// Sets what each guard did with the request.
pub(super) fn put_guards(response: &mut Response<ReplyBody>, inbound: &InboundRequest) {
    if let Some(judged) = inbound.judged() {
        insert(response.headers_mut(), &headers::GUARDS, &guard::header(&judged.notes().all()));
    }
}

/// Asks clients not to repeat a request that a budget refused: a repetition would be refused as well.
pub(super) fn forbid_retry(response: &mut Response<ReplyBody>, fault: &Fault) {
    if fault.error.kind == ErrorKind::Quota && fault.side == Side::Client {
        insert(response.headers_mut(), &headers::SHOULD_RETRY, "false");
    }
}

/// Sets the model and the adapter that answered in the request's record.
pub(super) fn note_answer(account: &mut Account, target: &Target, inbound: &InboundRequest) {
    let adapter = account.adapter_of(target);
    let adapter = (Arc::clone(&adapter.name), adapter.digest);
    let Some(record) = account.record() else { return };
    record.answered(target.model(inbound.model()), target.health_id(inbound.model()), adapter);
}

/// Sets the diagnostic headers; the target is the one that answered, or failed last.
pub(super) fn diagnose(
    response: &mut Response<ReplyBody>,
    target: Option<&Target>,
    is_answer: bool,
    inbound: &InboundRequest,
    account: &Account,
) {
    let to = response.headers_mut();
    if let Some(target) = target {
        target.shown.put(to, &headers::PROVIDER, &target.label);
        target.shown.put(to, &headers::MODEL, target.model(inbound.model()));
        target.shown.put(to, &headers::ADAPTER, &account.adapter_of(target).label);
    }
    if let Some(lane) = account.lane() {
        to.insert(&headers::LANE, HeaderValue::from_static(lane));
    }
    let answered = target.filter(|_| is_answer).map(|target| target.health_id(inbound.model()));
    match account.trail().text(account.tries(), answered.as_deref()) {
        Cow::Borrowed(text) => _ = to.insert(&headers::ATTEMPTS, HeaderValue::from_static(text)),
        Cow::Owned(text) => insert_made(to, &headers::ATTEMPTS, text),
    }
    insert_made(to, &headers::OVERHEAD_MS, milliseconds(account.overhead()));
}

/// A time in milliseconds, to the microsecond: `12.034`.
pub(super) fn milliseconds(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// Reports why each target of a request without candidates was skipped: in a header, the log and metrics.
pub(super) fn put_skipped(
    response: &mut Response<ReplyBody>,
    skipped: &[Skipped],
    shows_diagnostics: bool,
    metrics: &Metrics,
    id: &str,
    record: &mut Option<Box<RequestRecord>>,
) {
    let mut trail = Trail::default();
    for Skipped { candidate, why } in skipped {
        metrics.tries.skipped(&candidate.target.label, why.reason());
        tracing::info!(request_id = id, upstream = &*candidate.health, reason = why.reason(), "target skipped");
        trail.add(&candidate.health, End::Skipped(why.reason()), None);
    }
    if let Some(record) = record {
        record.tried(&trail);
    }
    if shows_diagnostics && !skipped.is_empty() {
        insert(response.headers_mut(), &headers::ATTEMPTS, &trail.text(0, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_with_three_digits_behind_the_point() {
        for (micros, text) in [(0, "0.000"), (7, "0.007"), (999, "0.999"), (1000, "1.000"), (1_234_567, "1234.567")] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
    }
}
