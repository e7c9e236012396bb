//! The record of one request's life: who it is, when it began, what it costs to tell others about it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};

/// The longest request id that a client may choose.
const MAX_ID: usize = 128;
/// Headers that follow a request along its way, as W3C's Trace Context and Baggage name them.
pub const TRACE_HEADERS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// What is known of a request from its first moment.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request's id: the client's own where it is usable.
    pub id: String,
    /// When it began.
    pub begun: Instant,
    /// The same for adapters: milliseconds since the Unix epoch.
    pub now_ms: f64,
}

impl Exchange {
    /// Begins with the headers of the request.
    pub fn begin(headers: &HeaderMap) -> Self {
        let chosen = headers.get(crate::headers::REQUEST_ID).and_then(usable_id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: chosen.map_or_else(new_id, str::to_owned),
            begun: Instant::now(),
            now_ms: now.as_secs_f64() * 1000.0,
        }
    }
}

fn usable_id(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let usable = !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then_some(text)
}

/// An id that no other process and no other request of this one has.
fn new_id() -> String {
    static SEED: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let seed = SEED.get_or_init(|| getrandom::u64().unwrap_or(0));
    format!("req_{seed:016x}{:08x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(value: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static(value));
        Exchange::begin(&headers).id
    }

    #[test]
    fn a_usable_id_of_the_clients_is_kept() {
        assert_eq!(id_for("abc-123"), "abc-123");
        assert!(id_for("has space").starts_with("req_"));
        assert!(id_for("").starts_with("req_"));
    }

    #[test]
    fn ids_differ() {
        assert_ne!(new_id(), new_id());
    }
}
