//! Metrics of sessions, and their number, which is bounded.

use std::sync::Arc;

use prometheus::{IntCounterVec, IntGauge, Opts};

use crate::observe::metrics::Metrics;

/// All open sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: IntGauge,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    closed: IntCounterVec,
}

impl Sessions {
    /// Registers the metrics.
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let messages = Opts::new("weir_realtime_messages_total", "Messages of sessions, by the side that sent them");
        let bytes = Opts::new("weir_realtime_bytes_total", "Bytes of such messages");
        let closed =
            Opts::new("weir_realtime_closed_total", "Sessions that ended, by who ended them and the close code");
        let inner = Inner {
            open: IntGauge::new("weir_realtime_sessions", "Sessions under way")?,
            messages: IntCounterVec::new(messages, &["from"])?,
            bytes: IntCounterVec::new(bytes, &["from"])?,
            closed: IntCounterVec::new(closed, &["by", "code"])?,
        };
        metrics.registry().register(Box::new(inner.open.clone()))?;
        metrics.registry().register(Box::new(inner.messages.clone()))?;
        metrics.registry().register(Box::new(inner.bytes.clone()))?;
        metrics.registry().register(Box::new(inner.closed.clone()))?;
        Ok(Self(Arc::new(inner)))
    }

    /// A place for one more session; `None` if there are as many as there may be.
    pub(crate) fn enter(&self, most: usize) -> Option<SessionPlace> {
        self.0.open.inc();
        // Counted first, so that two at the same time do not both take the last place.
        let place = SessionPlace(self.clone());
        (self.open() <= most).then_some(place)
    }

    /// The sessions under way.
    pub(crate) fn open(&self) -> usize {
        usize::try_from(self.0.open.get()).unwrap_or_default()
    }

    /// Counts a message, or a part of it: `messages` is 0 for all parts but the last.
    pub(super) fn passed(&self, from: &str, messages: u64, bytes: usize) {
        self.0.messages.with_label_values(&[from]).inc_by(messages);
        self.0.bytes.with_label_values(&[from]).inc_by(bytes as u64);
    }

    /// Counts the end of a session. Codes that applications make up are counted by their thousand.
    pub(super) fn closed(&self, by: &str, code: Option<u16>) {
        let code = match code {
            None => "none".to_owned(),
            Some(code @ 1000..=1015) => code.to_string(),
            Some(code) => format!("{}xxx", code / 1000),
        };
        self.0.closed.with_label_values(&[by, &code]).inc();
    }
}

/// One session's place, given back on drop.
#[derive(Debug)]
pub(crate) struct SessionPlace(Sessions);

impl SessionPlace {
    /// The metrics that the session is counted in.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.0
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.0.0.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_sessions_than_there_may_be() {
        let sessions = Sessions::new(&Metrics::new().unwrap()).unwrap();
        let (first, second) = (sessions.enter(2), sessions.enter(2));
        assert!(first.is_some() && second.is_some() && sessions.enter(2).is_none());
        drop(first);
        assert!(sessions.enter(2).is_some());
    }
}
