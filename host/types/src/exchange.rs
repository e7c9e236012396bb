//! Identity and clock of one request: its id and the time it began.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::uuid::Uuid7;

/// The longest request id that Weir accepts from a client, in bytes.
const MAX_ID: usize = 128;
/// Headers that propagate a trace from hop to hop: W3C Trace Context and Baggage.
pub static TRACE_HEADERS: [HeaderName; 3] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate"), HeaderName::from_static("baggage")];

/// A request's id and start time, fixed when its headers arrive.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request's id: the client's own if it is usable, else Weir's own.
    pub id: Arc<str>,
    /// The id that Weir gives the request, whatever the client calls it.
    pub own_id: Uuid7,
    /// When the request began, on the monotonic clock.
    pub begun: Instant,
    /// When the request began, in milliseconds since the Unix epoch; adapters get this as their clock.
    pub now_ms: f64,
}

impl Exchange {
    /// Begins an exchange for a request with these headers.
    pub fn begin(headers: &HeaderMap) -> Self {
        let chosen = headers.get(&crate::headers::REQUEST_ID).and_then(usable_id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let own_id = Uuid7::new(now.as_millis() as u64);
        Self {
            id: chosen.map_or_else(|| own_id.text(), Arc::from),
            own_id,
            begun: Instant::now(),
            now_ms: now.as_secs_f64() * 1000.0,
        }
    }
}

fn usable_id(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let usable = !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|byte| byte.is_ascii_graphic());
    // Logs and answers show it.
    (usable && !is_key(text)).then_some(text)
}

/// Whether a text has an API key in it, such as `sk-…`, that was sent in the place of an id.
fn is_key(text: &str) -> bool {
    const BEGIN: &str = "sk-";
    const LEAST: usize = 16;
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.match_indices(BEGIN).any(|(at, _)| {
        let (before, after) = text.as_bytes().split_at(at);
        // Not the end of a word, as in `task-1`.
        let is_begin = before.last().is_none_or(|byte| !byte.is_ascii_alphanumeric());
        is_begin && after.iter().skip(BEGIN.len()).take_while(|byte| is_inner(byte)).count() >= LEAST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(value: &'static str) -> Exchange {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static(value));
        Exchange::begin(&headers)
    }

    #[test]
    fn a_usable_id_of_the_clients_is_kept_beside_our_own() {
        let exchange = begun("abc-123");
        assert_eq!(&*exchange.id, "abc-123");
        assert_eq!(exchange.own_id.to_string().len(), 36);
        for usable in ["task-0123456789abcdef0123", "sk-1", "trace/ask-me-again-later-today"] {
            assert_eq!(&*begun(usable).id, usable);
        }
        let keys = ["sk-proj-Zx81hVq0Kd72MsPw93TnYb64Lc", "my:sk-weir-0123456789ab-cdef"];
        for unusable in ["has space", ""].into_iter().chain(keys) {
            let exchange = begun(unusable);
            assert_eq!(&*exchange.id, exchange.own_id.to_string());
        }
    }

    #[test]
    fn ids_differ() {
        assert_ne!(begun("").id, begun("").id);
    }
}
