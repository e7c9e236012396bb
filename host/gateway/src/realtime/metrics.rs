//! Metrics of sessions, and their number, which is bounded in all and by client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, IntGauge, Opts};

use crate::auth::Caller;
use crate::observe::metrics::Metrics;
use weir_config::Realtime;

/// The divisor of all sessions that gives the share of one client.
const CLIENT_PART: usize = 4;

/// All open sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: IntGauge,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    closed: IntCounterVec,
    /// How many each client has.
    by_client: Mutex<HashMap<u64, usize>>,
}

/// Whose session it is, and how many it may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionOwner {
    /// The caller's number.
    pub(crate) caller: u64,
    /// The most sessions that it may have at the same time.
    pub(crate) most: usize,
}

impl SessionOwner {
    /// A caller with its share of the sessions. A caller without a key has all of them.
    pub(crate) fn of(caller: &Caller, settings: &Realtime) -> Self {
        let share = settings.max_sessions_of_client.unwrap_or((settings.max_sessions / CLIENT_PART).max(1));
        Self { caller: caller.number(), most: if caller.is_anonymous() { usize::MAX } else { share } }
    }
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
            by_client: Mutex::default(),
        };
        metrics.registry().register(Box::new(inner.open.clone()))?;
        metrics.registry().register(Box::new(inner.messages.clone()))?;
        metrics.registry().register(Box::new(inner.bytes.clone()))?;
        metrics.registry().register(Box::new(inner.closed.clone()))?;
        Ok(Self(Arc::new(inner)))
    }

    /// A place for one more session; `None` if there are as many as there may be, or as this client may have.
    pub(crate) fn enter(&self, most: usize, owner: SessionOwner) -> Option<SessionPlace> {
        let mut by_client = self.0.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_client.get(&owner.caller).copied().unwrap_or_default();
        if self.open() >= most || own >= owner.most {
            return None;
        }
        by_client.insert(owner.caller, own + 1);
        self.0.open.inc();
        Some(SessionPlace { sessions: self.clone(), caller: owner.caller })
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
pub(crate) struct SessionPlace {
    sessions: Sessions,
    caller: u64,
}

impl SessionPlace {
    /// The metrics that the session is counted in.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let Inner { open, by_client, .. } = &*self.sessions.0;
        let mut by_client = by_client.lock().unwrap_or_else(PoisonError::into_inner);
        open.dec();
        if let Entry::Occupied(mut own) = by_client.entry(self.caller) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_sessions_than_there_may_be() {
        let sessions = Sessions::new(&Metrics::new().unwrap()).unwrap();
        let enter = |caller, own| sessions.enter(4, SessionOwner { caller, most: own });
        let (first, second) = (enter(1, 2), enter(1, 2));
        assert!(first.is_some() && second.is_some() && enter(1, 2).is_none());
        let others: Vec<_> = [2, 3].map(|caller| enter(caller, 2)).into_iter().flatten().collect();
        assert!(others.len() == 2 && enter(4, 2).is_none());
        drop(first);
        let again = enter(1, 2);
        assert!(again.is_some());
        drop((second, again, others));
        assert!(sessions.0.by_client.lock().unwrap().is_empty());
    }
}
