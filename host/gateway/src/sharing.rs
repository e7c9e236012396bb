//! What limits and budgets need to know of the other nodes that share them: whether the server between the nodes
//! answers, how many nodes there are, and a signal for what should not wait for the next round of reports.
//!
//! The rounds themselves are made elsewhere: see [`Round`]. A request waits for one only if its node's share has no
//! room, and for [`Sharing::wait`] at most. If no answer arrives in this time, no further request waits until a round
//! was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, watch};
use weir_lease::{Link, NodeStatus, WhenLost};
use weir_ledger::Timestamp;

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Well,
    /// A request has waited without an answer. The round under way decides.
    Doubtful,
    Lost,
}

/// The state of this node among those that share its limits and budgets.
#[derive(Debug)]
pub struct Sharing {
    node: String,
    when_lost: WhenLost,
    wait: Duration,
    start: Instant,
    state: AtomicU8,
    nodes: AtomicU32,
    alike: AtomicU32,
    /// The server's clock less this node's, in milliseconds.
    ahead: AtomicI64,
    reports_due: Notify,
    begun: AtomicU64,
    ended: watch::Sender<u64>,
}

impl Sharing {
    /// A node with a name that no other process has, which has not reached the server yet.
    pub fn new(node: String, when_lost: WhenLost, wait: Duration) -> Arc<Self> {
        Arc::new(Self {
            node,
            when_lost,
            wait,
            start: Instant::now(),
            state: AtomicU8::new(State::Lost as u8),
            nodes: AtomicU32::new(1),
            alike: AtomicU32::new(1),
            ahead: AtomicI64::new(0),
            reports_due: Notify::new(),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
        })
    }

    /// This process's name in the entries of pools.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The nodes that share, as far as is known.
    pub fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed)
    }

    /// The number of nodes that serve with the same adapters as this one, itself included.
    pub fn alike(&self) -> u32 {
        self.alike.load(Ordering::Relaxed).min(self.nodes())
    }

    /// Notes how many nodes serve with the same adapters as this one.
    pub fn note_alike(&self, nodes: u32) {
        self.alike.store(nodes.max(1), Ordering::Relaxed);
    }

    /// Whether the server answers.
    pub fn is_well(&self) -> bool {
        self.state.load(Ordering::Acquire) == State::Well as u8
    }

    /// The time on this node's own clock, which is never set back.
    pub fn at(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time on the server's clock: so that all nodes are in the same window of a budget.
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(ahead)).unwrap_or(now)
    }

    /// The current state of this node among the others.
    pub(crate) fn status(&self) -> NodeStatus {
        let link = if self.is_well() { Link::Well } else { Link::Lost(self.when_lost) };
        NodeStatus { at: self.at(), link, nodes: self.nodes() }
    }

    /// Asks for a round soon, and does not wait for it.
    pub(crate) fn wake(&self) {
        self.reports_due.notify_one();
    }

    /// Asks for a round, and waits until one has ended that began after this call. Returns whether it was answered.
    pub(crate) async fn ask(&self) -> bool {
        if !self.is_well() {
            return false;
        }
        let mut ended = self.ended.subscribe();
        let wanted = self.begun.load(Ordering::Acquire) + 1;
        self.wake();
        let answered = tokio::time::timeout(self.wait, ended.wait_for(|ended| *ended >= wanted)).await;
        let _unless_lost = answered.is_err().then(|| self.change(State::Well, State::Doubtful));
        self.is_well()
    }

    fn change(&self, from: State, to: State) {
        let _is_other = self.state.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Waits until a round should not wait any longer.
    pub async fn woken(&self) {
        self.reports_due.notified().await;
    }

    /// Begins a round: before the reports for it are gathered.
    pub fn begin_round(self: &Arc<Self>) -> Round {
        self.begun.fetch_add(1, Ordering::AcqRel);
        Round { sharing: Arc::clone(self), sent: self.at() }
    }
}

/// A round of reports under way. Requests that wait for it go on when it is dropped.
#[derive(Debug)]
pub struct Round {
    sharing: Arc<Sharing>,
    /// When it began, on the node's clock.
    pub sent: Duration,
}

impl Round {
    /// The server has answered, with its time since 1970 and the number of nodes if it reports them.
    pub fn answered(&self, now: Option<Duration>, nodes: Option<u32>) {
        if let Some(nodes) = nodes {
            self.sharing.nodes.store(nodes.max(1), Ordering::Relaxed);
        }
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if let Some(now) = now {
            let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            self.sharing.ahead.store(millis(now) - millis(here), Ordering::Relaxed);
        }
        self.sharing.state.store(State::Well as u8, Ordering::Release);
    }

    /// The server has not answered.
    pub fn failed(&self) {
        self.sharing.state.store(State::Lost as u8, Ordering::Release);
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.sharing.ended.send_modify(|ended| *ended += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_a_round_that_begins_after_it_asked() {
        let sharing = Sharing::new("n".to_owned(), WhenLost::Closed, Duration::from_millis(10));
        assert!(!sharing.ask().await, "nothing was answered yet");
        sharing.begin_round().answered(None, Some(3));
        assert!(sharing.is_well() && sharing.nodes() == 3);
        let under_way = sharing.begin_round();
        let asking = tokio::spawn({
            let sharing = Arc::clone(&sharing);
            async move { sharing.ask().await }
        });
        sharing.woken().await;
        under_way.answered(None, None);
        drop(under_way);
        tokio::task::yield_now().await;
        assert!(!asking.is_finished(), "its need came too late for that round");
        sharing.begin_round().answered(None, None);
        assert!(asking.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn after_one_wait_in_vain_none_waits_until_a_round_is_answered() {
        let sharing = Sharing::new("n".to_owned(), WhenLost::Open, Duration::from_millis(10));
        sharing.begin_round().answered(None, None);
        let begun = tokio::time::Instant::now();
        assert!(!sharing.ask().await);
        assert_eq!(begun.elapsed(), Duration::from_millis(10));
        assert!(!sharing.ask().await && !sharing.ask().await);
        assert_eq!(begun.elapsed(), Duration::from_millis(10), "the others did not wait");
        assert_eq!(sharing.status().link, Link::Lost(WhenLost::Open));
        sharing.begin_round().answered(None, None);
        assert_eq!(sharing.status().link, Link::Well);
    }

    #[test]
    fn the_servers_clock_counts() {
        let sharing = Sharing::new("n".to_owned(), WhenLost::Open, Duration::ZERO);
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        sharing.begin_round().answered(here.checked_sub(Duration::from_mins(5)), None);
        let behind = Timestamp::now().duration_since(sharing.now()).as_secs();
        assert!((299..=301).contains(&behind), "{behind}");
    }
}
