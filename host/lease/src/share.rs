//! The side that uses: a node's share of one pool.

use std::time::Duration;

use super::TERM;
use super::node_status::{Link, NodeStatus, WhenLost};
use super::pool::{Answer, Before, Kind, Report};

/// How often a share that holds something is reported, used or not.
const RENEW: Duration = Duration::from_secs(2);
/// How often the share of a window that is in use is reported, so that the node learns what others have used.
const REFRESH: Duration = Duration::from_secs(5);
/// How long after its last use a share keeps something for the next one.
const IDLE: Duration = Duration::from_secs(10);
/// How soon one use must follow another for the share to hold something ahead: of most keys, a node sees few requests.
const OFTEN: Duration = Duration::from_secs(5);
/// The least time over which the pace is measured.
const MEASURED: Duration = Duration::from_millis(500);
/// The most that is held ahead of need, as a part of the limit.
const AHEAD: u64 = 100;

/// How often one request asks for more of a share at most. What is granted may be taken by others that came meanwhile,
/// many times if many come at once.
const MAX_ASKED: usize = 32;

/// A node's share. What the node has used is counted by its owner, and passed to each call: the sum since the share
/// began of what is used and reserved.
#[derive(Debug, Clone, Default)]
pub struct Share {
    ceiling: u64,
    until: Duration,
    seq: u64,
    /// What waiting requests lack, since the last report.
    short: u64,
    /// Whether a report was asked for and is not answered yet.
    is_asked: bool,
    /// What requests that wait for another share need of this one, since the last report.
    wanted: u64,
    /// What the last reports gave back, until one is answered.
    given_back: u64,
    /// What was used by the last report, and when.
    reported: Option<(u64, Duration)>,
    /// Whether a report is under way.
    is_under_way: bool,
    pace: Pace,
    last: Option<Answer>,
    before: Option<Before>,
    /// What was given back of the use of processes that are gone.
    returned: u64,
}

/// How fast a share is used.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// What one request took last.
    usual: u64,
    taken: u64,
    since: Duration,
    a_second: u64,
    last_use: Option<Duration>,
    is_frequent: bool,
}

impl Share {
    /// A share that goes on for an earlier process, whose use counts as well.
    pub fn after(before: Option<Before>) -> Self {
        Self { before, ..Self::default() }
    }

    /// What may be taken now without asking. What earlier processes of this node used counts while it is on its own.
    pub fn room(&self, used: u64, earlier: u64, limit: u64, status: &NodeStatus) -> u64 {
        let leased = if status.at < self.until { self.ceiling.saturating_sub(used) } else { 0 };
        match status.link {
            Link::Well | Link::Lost(WhenLost::Closed) => leased,
            Link::Lost(WhenLost::Open) => u64::MAX,
            Link::Lost(WhenLost::Share) => leased.max(status.part(limit).saturating_sub(used.saturating_add(earlier))),
        }
    }

    /// Notes that a request took an amount. Returns whether to ask for more before it is needed: once until the answer.
    pub fn took(&mut self, amount: u64, used: u64, limit: u64, at: Duration) -> bool {
        self.pace.take(amount, at);
        let target = self.pace.target(limit, at);
        let is_low = self.ceiling.saturating_sub(used) < target / 2;
        is_low && !std::mem::replace(&mut self.is_asked, true)
    }

    /// Whether a request that has asked so often may ask for more: once in any case, and again while something is left,
    /// since another request may have taken what was granted, or a report may have given it back before this request
    /// took it.
    pub fn may_ask(&self, asked: usize, status: &NodeStatus) -> bool {
        let is_left = self.given_back > 0 || self.left().is_none_or(|left| left > 0);
        let is_worth_it = asked == 0 || (asked < MAX_ASKED && is_left);
        status.link == Link::Well && is_worth_it
    }

    /// Notes that a request waits for an amount.
    pub fn lacks(&mut self, amount: u64) {
        self.short = self.short.saturating_add(amount);
    }

    /// Notes that a request which waits for another share needs this amount of this one: the next report does not give
    /// it back.
    pub fn wants(&mut self, amount: u64) {
        self.wanted = self.wanted.saturating_add(amount);
    }

    /// What there is to report; `None` if nothing is. Places that are in use are reported all the time, since those of
    /// silent nodes return to the pool.
    pub fn report(&mut self, used: u64, limit: u64, kind: Kind, at: Duration) -> Option<Report> {
        self.pace.measure(at);
        let target = self.pace.target(limit, at);
        let held = if at < self.until { self.ceiling.saturating_sub(used) } else { 0 };
        let short = std::mem::take(&mut self.short);
        let wanted = std::mem::take(&mut self.wanted);
        let kept = if short == 0 && held > target.saturating_mul(2) { target.max(wanted).min(held) } else { held };
        let ahead = if kept < target / 2 { target - kept } else { 0 };
        // A bucket has given away what was leased, used or not.
        let is_reported = if kind == Kind::Bucket && self.reported.is_some() {
            used <= self.ceiling
        } else {
            self.reported.is_some_and(|(reported, _)| reported == used)
        };
        let is_new = !is_reported || kept != held || self.before.is_some();
        let is_held = kept > 0 || (kind == Kind::Places && used > 0);
        let is_watched = kind == Kind::Window && self.pace.is_used(at);
        let since = self.reported.map_or(Duration::ZERO, |(_, then)| at.saturating_sub(then));
        let is_due = (is_held && since >= RENEW) || (is_watched && since >= REFRESH);
        if short == 0 && ahead == 0 && !is_new && !is_due {
            return None;
        }
        self.ceiling = used.saturating_add(kept);
        self.given_back = self.given_back.saturating_add(held - kept);
        self.reported = Some((used, at));
        self.is_under_way = true;
        self.seq += 1;
        let (generation, gone) = self.last.map_or((0, 0), |last| (last.generation, last.gone));
        Some(Report {
            seq: self.seq,
            used,
            ceiling: self.ceiling,
            short,
            ahead,
            is_known: self.last.is_some(),
            generation,
            gone,
            before: self.before.clone(),
            returned: self.returned,
        })
    }

    /// Returns a part of what ended processes had used, with the next report.
    pub fn give_back(&mut self, amount: u64) {
        self.returned = self.returned.saturating_add(amount);
        self.reported = None;
    }

    /// Lets the next report say all of it again, since the server may not know it: what was used here, by an earlier
    /// process, and by nodes that are gone, and what was given back. False if all that is nothing.
    pub fn repeat(&mut self, used: u64) -> bool {
        let is_behind = self.before.as_ref().is_some_and(|before| before.used > 0);
        let knows = used > 0 || self.returned > 0 || is_behind || self.last.is_some_and(|last| last.gone > 0);
        if knows {
            self.reported = None;
        }
        knows
    }

    /// Gives back everything that is not used, and holds nothing from now on.
    pub fn leave(&mut self) {
        self.until = Duration::ZERO;
        self.pace = Pace::default();
        self.reported = None;
    }

    /// Takes the answer to a report that was sent at this time.
    pub fn answered(&mut self, answer: Answer, sent: Duration) {
        self.ceiling = answer.ceiling;
        self.until = sent + TERM;
        self.last = Some(answer);
        self.given_back = 0;
        (self.is_asked, self.is_under_way) = (false, false);
        self.before = None;
    }

    /// Notes that no answer came. The next report says all of it again.
    pub fn unanswered(&mut self) {
        self.reported = None;
        (self.is_asked, self.is_under_way) = (false, false);
    }

    /// What the other nodes have used or reserved, as far as this one knows.
    pub fn others(&self) -> u64 {
        self.last.map_or(0, |last| last.others)
    }

    /// What was left for all nodes at the last answer; `None` before it.
    pub fn left(&self) -> Option<i64> {
        self.last.map(|last| last.left)
    }

    /// Whether nothing is held, used since the last report or waited for, so that there is nothing to report for a
    /// while. A share whose report is under way is not: its answer may be what a request waits for.
    pub fn is_idle(&self, used: u64, at: Duration) -> bool {
        let is_quiet = self.reported.is_some() && !self.is_under_way && self.short == 0;
        is_quiet && self.ceiling == used && !self.pace.is_used(at)
    }
}

impl Pace {
    fn take(&mut self, amount: u64, at: Duration) {
        self.is_frequent = self.last_use.is_some_and(|last| at.saturating_sub(last) <= OFTEN);
        self.taken = self.taken.saturating_add(amount);
        (self.usual, self.last_use) = (amount, Some(at));
    }

    fn measure(&mut self, at: Duration) {
        let over = at.saturating_sub(self.since);
        if over < MEASURED {
            return;
        }
        self.a_second = (self.taken as f64 / over.as_secs_f64()) as u64;
        (self.taken, self.since) = (0, at);
    }

    /// Whether it was used lately.
    fn is_used(&self, at: Duration) -> bool {
        self.last_use.is_some_and(|last| at.saturating_sub(last) <= IDLE)
    }

    /// What is to be held: a second's use, and enough for two requests, but only a small part of the limit. Nothing if
    /// not even one request fits into that.
    fn target(&self, limit: u64, at: Duration) -> u64 {
        let most = limit / AHEAD;
        if self.is_frequent && self.is_used(at) && most >= self.usual {
            most.min(self.a_second.max(self.taken).max(self.usual.saturating_mul(2)))
        } else {
            0
        }
    }
}
