//! Metrics of client connections.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::activity::Expiry;
use super::registry::Refusal;

/// Metric families shared by all listeners.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    open: IntGaugeVec,
    closed: IntCounterVec,
}

impl ConnectionMetrics {
    /// Creates and registers the families.
    ///
    /// # Errors
    ///
    /// Fails if metrics of these names are already registered.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = Opts::new("weir_connections", "Connections of clients that are open");
        let closed = Opts::new("weir_connections_closed_total", "Connections that the gateway ended, by reason");
        let made = Self {
            open: IntGaugeVec::new(open, &["listener"])?,
            closed: IntCounterVec::new(closed, &["listener", "reason"])?,
        };
        registry.register(Box::new(made.open.clone()))?;
        registry.register(Box::new(made.closed.clone()))?;
        Ok(made)
    }

    /// The series of one listener.
    pub fn of(&self, listener: &str) -> ListenerMetrics {
        let closed = |reason| self.closed.with_label_values(&[listener, reason]);
        ListenerMetrics(Some(Series {
            open: self.open.with_label_values(&[listener]),
            header_timeout: closed("header_timeout"),
            idle: closed("idle"),
            evicted: closed("evicted"),
            full: closed("full"),
            address: closed("address"),
        }))
    }
}

/// The metrics of one listener; the default counts nothing.
#[derive(Debug, Clone, Default)]
pub struct ListenerMetrics(Option<Series>);

#[derive(Debug, Clone)]
struct Series {
    open: IntGauge,
    header_timeout: IntCounter,
    idle: IntCounter,
    evicted: IntCounter,
    full: IntCounter,
    address: IntCounter,
}

impl ListenerMetrics {
    /// Counts a connection as open until the guard is dropped.
    pub(super) fn opened(&self) -> OpenConnection {
        let open = self.0.as_ref().map(|series| series.open.clone());
        open.iter().for_each(IntGauge::inc);
        OpenConnection(open)
    }

    pub(super) fn evicted(&self) {
        self.0.iter().for_each(|series| series.evicted.inc());
    }

    pub(super) fn expired(&self, expiry: Expiry) {
        match (&self.0, expiry) {
            (Some(series), Expiry::Head) => series.header_timeout.inc(),
            (Some(series), Expiry::Idle) => series.idle.inc(),
            (_, Expiry::Closed) | (None, _) => {}
        }
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        match (&self.0, refusal) {
            (Some(series), Refusal::Full) => series.full.inc(),
            (Some(series), Refusal::Address) => series.address.inc(),
            (None, _) => {}
        }
    }
}

/// Guard that counts a connection as open.
#[derive(Debug)]
pub(super) struct OpenConnection(Option<IntGauge>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.iter().for_each(IntGauge::dec);
    }
}
