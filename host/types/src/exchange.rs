//! Identity and clock of one request: its id and the time it began.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};

/// The longest request id that Weir accepts from a client, in bytes.
const MAX_ID: usize = 128;
/// Headers that propagate a trace from hop to hop: W3C Trace Context and Baggage.
pub const TRACE_HEADERS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// A request's id and start time, fixed when its headers arrive.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request's id: the client's own if it is usable, else a new one.
    pub id: String,
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

/// A new id, unique within this process and, by its random prefix, across processes.
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
