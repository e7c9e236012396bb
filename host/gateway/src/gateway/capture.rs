//! Begins to capture requests whose content is logged.

use std::sync::Arc;

use http::HeaderMap;

use super::Gateway;
use crate::accounting::access::RequestRecord;
use crate::accounting::capture::{Capture, CapturedRequest, Logging};
use crate::attempt::InboundRequest;
use crate::auth::Caller;
use crate::observe::trace::Span;
use crate::serving::Serving;
use weir_config::Secret;
use weir_types::exchange::Exchange;
use weir_types::headers;

/// A request's head before its credentials are removed.
pub(super) struct WholeHead {
    headers: HeaderMap,
    query: String,
}

/// What is logged of a request.
pub(super) struct ToLog {
    logging: Logging,
    /// Its head as it came, if its content may be logged.
    whole: Option<WholeHead>,
}

impl ToLog {
    /// Whether its content may be logged.
    pub(super) fn may_be_content(&self) -> bool {
        self.whole.is_some()
    }
}

/// Decides what is logged of a request for a model.
pub(super) fn choose(
    serving: &Serving,
    exchange: &Exchange,
    caller: &Caller,
    model: Option<&str>,
    headers: &HeaderMap,
    query: &str,
) -> ToLog {
    let wish = headers.get(&headers::LOG).and_then(|value| value.to_str().ok());
    let logging = Logging::of(&serving.config, caller, model, wish, exchange.own_id);
    let whole = || WholeHead { headers: headers.clone(), query: query.to_owned() };
    ToLog { logging, whole: logging.needs_content().then(whole) }
}

impl WholeHead {
    /// The credentials that were removed from the request.
    fn secrets(&self, headers: &HeaderMap, query: &str) -> Vec<Secret> {
        let removed = self.headers.iter().filter(|(name, _)| !headers.contains_key(*name));
        let values = removed.filter_map(|(_, value)| value.to_str().ok());
        let left: Vec<&str> = query.split('&').collect();
        let pairs = self.query.split('&').filter(|pair| !left.contains(pair));
        values.chain(pairs.filter_map(|pair| Some(pair.split_once('=')?.1))).map(Secret::new).collect()
    }
}

impl Gateway {
    /// Begins to capture a request, and marks its record.
    pub(super) fn capture(
        &self,
        serving: &Serving,
        inbound: &InboundRequest,
        ToLog { logging, whole }: ToLog,
        span: &Span,
        record: &mut RequestRecord,
    ) -> Option<Arc<Capture>> {
        if logging == Logging::Nothing {
            record.exclude_from_log();
        }
        let (log, whole) = self.log.get().zip(whole)?;
        let query = if inbound.query.is_empty() { String::new() } else { format!("?{}", inbound.query) };
        let request = CapturedRequest {
            id: inbound.exchange.own_id,
            method: &inbound.method,
            path_and_query: format!("{}{query}", inbound.path),
            headers: &inbound.headers,
            body: &inbound.body,
            unified: inbound.side.program().map(|_| inbound.operation().clone()),
            secrets: whole.secrets(&inbound.headers, &inbound.query),
            span,
        };
        let capture = Capture::begin(logging, log, &serving.config, request)?;
        record.captured_by(Arc::clone(&capture));
        Some(capture)
    }
}
