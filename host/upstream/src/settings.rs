//! Settings of the connections to providers.

use std::time::Duration;

use super::outbound::OutboundProxy;

/// Settings of all connections.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an unused connection is kept. Shorter than the usual idle timeout of load balancers (60 s), so that few
    /// requests meet a connection that is just being closed.
    pub pool_idle: Duration,
    /// How many unused connections each worker keeps for one origin.
    pub pool_idle_per_host: usize,
    /// Maximum size of the head of an answer, in bytes.
    pub answer_head: usize,
    /// Silence before the first TCP keep-alive probe.
    pub tcp_keepalive: Option<Duration>,
    /// Interval of HTTP/2 pings, while an answer is awaited.
    pub http2_ping: Option<Duration>,
    /// The proxy on the way out, if there is one.
    pub proxy: Option<OutboundProxy>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pool_idle: Duration::from_secs(50),
            pool_idle_per_host: 256,
            answer_head: 64 << 10,
            tcp_keepalive: Some(Duration::from_mins(1)),
            http2_ping: Some(Duration::from_secs(30)),
            proxy: None,
        }
    }
}
