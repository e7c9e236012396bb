//! The side that grants: one pool with the shares of all nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::TERM;

/// How long the entry of a silent node is kept by itself; then its use is added to that of nodes that are gone, until
/// it reports again.
const KEPT: Duration = Duration::from_hours(24);
/// The time in which a bucket fills.
const FILLS_IN: Duration = Duration::from_mins(1);

/// How the amounts of a pool come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Never: what is used in a window stays used.
    Window,
    /// Evenly: the whole limit within a minute.
    Bucket,
    /// When their user returns them. Those of a node that is gone return by themselves.
    Places,
}

/// What a node says about its share of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Greater in later reports of the same share.
    pub seq: u64,
    /// What the node has used or reserved since the share began.
    pub used: u64,
    /// Up to which sum it may go.
    pub ceiling: u64,
    /// What waiting requests lack.
    pub short: u64,
    /// What it would like to have besides, ahead of its need.
    pub ahead: u64,
    /// Whether the pool has answered this share before.
    pub is_known: bool,
    /// The generation of the pool that answered.
    pub generation: u64,
    /// What that pool reported of the use of nodes that are gone.
    pub gone: u64,
    /// What an earlier process of this node had used, and may not have reported.
    pub before: Option<Before>,
    /// What the node has given back, since the share began, of the use of processes that are gone: they had reserved
    /// more than was used in the end.
    pub returned: u64,
}

/// The use of an earlier process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The name of its share's entry.
    pub entry: String,
    /// What it had used or reserved.
    pub used: u64,
}

/// What the pool answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Up to which sum the node may go now.
    pub ceiling: u64,
    /// What all others have used or reserved, without what was given back of it.
    pub others: u64,
    /// What of it belongs to nodes that are gone, with what was given back.
    pub gone: u64,
    /// What is left for all nodes; negative if more was used than the limit.
    pub left: i64,
    /// The nodes whose shares of this pool are in force. Buckets do not know: 0.
    pub nodes: u32,
    /// Which pool this is: a server that has lost its data begins another.
    pub generation: u64,
}

/// The share of one node as the pool knows it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    seq: u64,
    used: u64,
    ceiling: u64,
    until: Duration,
}

/// A limit that nodes share.
#[derive(Debug, Clone)]
pub struct Pool {
    kind: Kind,
    generation: u64,
    entries: BTreeMap<String, Entry>,
    /// Use that no entry has any more.
    lost: u64,
    /// The parts of it by the entries that they were added up from: a node that was silent may report again.
    added: BTreeMap<String, u64>,
    /// What was given back of others' use, by the entries whose nodes did.
    returned: BTreeMap<String, u64>,
    /// What a bucket holds, and when it was filled.
    level: f64,
    at: Option<Duration>,
}

impl Pool {
    /// A pool of which nothing is used. Its generation distinguishes it from an earlier one of the same name.
    pub fn new(kind: Kind, generation: u64) -> Self {
        let (added, returned) = (BTreeMap::new(), BTreeMap::new());
        Self { kind, generation, entries: BTreeMap::new(), lost: 0, added, returned, level: 0.0, at: None }
    }

    /// Takes a node's report and answers it; `None` if a later one was here before. The time is the pool's; `nodes` is
    /// how many share, as far as the reporting node knows.
    pub fn exchange(&mut self, limit: u64, entry: &str, report: &Report, nodes: u32, now: Duration) -> Option<Answer> {
        if self.entries.get(entry).is_some_and(|known| known.seq >= report.seq) {
            return None;
        }
        if self.kind == Kind::Bucket {
            return Some(self.draw(limit, entry, report, nodes, now));
        }
        self.remember(entry, report, now);
        let (mut used, mut held, mut gone, mut nodes) = (self.lost, 0, self.lost, 1);
        for (_, other) in self.entries.iter().filter(|(name, _)| name.as_str() != entry) {
            if other.until > now {
                nodes += 1;
                used += other.used;
                held += other.ceiling.saturating_sub(other.used);
            } else if self.kind == Kind::Window {
                used += other.used;
                gone += other.used;
            }
        }
        used -= self.returned.values().fold(0, |sum: u64, one| sum.saturating_add(*one)).min(used);
        let left = i128::from(limit) - i128::from(used) - i128::from(held) - i128::from(report.used);
        let (ceiling, left) = grant(report, left, nodes);
        self.keep(entry, report, ceiling, now);
        let left = saturating(left);
        Some(Answer { ceiling, others: used, gone, left, nodes, generation: self.generation })
    }

    /// Adds the use of processes and nodes that are gone, and forgets entries that are too old.
    fn remember(&mut self, own: &str, report: &Report, now: Duration) {
        if self.kind == Kind::Places {
            self.entries.retain(|name, entry| name == own || entry.until > now);
            return;
        }
        if report.returned > 0 {
            let known = self.returned.entry(own.to_owned()).or_default();
            *known = report.returned.max(*known);
        }
        if report.is_known && report.generation != self.generation {
            self.lost = self.lost.max(report.gone);
        }
        if !self.entries.contains_key(own) {
            self.take_back(own);
        }
        if let Some(Before { entry, used }) = &report.before {
            if !self.entries.contains_key(entry) {
                let known = self.take_back(entry);
                self.entries.insert(entry.clone(), Entry { seq: 0, used: known, ceiling: 0, until: now });
            }
            self.entries.entry(entry.clone()).and_modify(|known| known.used = known.used.max(*used));
        }
        for (name, entry) in self.entries.extract_if(.., |name, entry| name != own && entry.until + KEPT <= now) {
            self.lost += entry.used;
            self.added.insert(name, entry.used);
        }
    }

    /// Takes back what was added up for an entry, so that its use counts once when its node reports again.
    fn take_back(&mut self, entry: &str) -> u64 {
        let used = self.added.remove(entry).unwrap_or_default();
        self.lost = self.lost.saturating_sub(used);
        used
    }

    /// Answers a report about a bucket, which knows only what was drawn.
    fn draw(&mut self, limit: u64, entry: &str, report: &Report, nodes: u32, now: Duration) -> Answer {
        let most = limit as f64;
        let since = self.at.map(|at| now.saturating_sub(at));
        self.level = since.map_or(most, |since| {
            let filled = self.level + most * since.as_millis() as f64 / FILLS_IN.as_millis() as f64;
            filled.min(most)
        });
        self.at = Some(now);
        let unknown = if report.is_known { report.used } else { 0 };
        let drawn = self.entries.get(entry).map_or(unknown, |known| known.used.max(known.ceiling));
        let own = report.used.max(report.ceiling);
        self.level = (self.level + drawn as f64 - own as f64).clamp(-most, most);
        // What is held was drawn already: unlike in a window, nothing of it is left in the pool.
        let held = own - report.used;
        let (ceiling, left) = grant(report, self.level.floor() as i128 + i128::from(held), nodes);
        self.level += own as f64 - ceiling as f64;
        self.keep(entry, report, ceiling, now);
        let left = saturating(left);
        Answer { ceiling, others: 0, gone: 0, left, nodes: 0, generation: self.generation }
    }

    fn keep(&mut self, entry: &str, report: &Report, ceiling: u64, now: Duration) {
        let known = Entry { seq: report.seq, used: report.used, ceiling, until: now + TERM };
        self.entries.insert(entry.to_owned(), known);
    }
}

fn saturating(left: i128) -> i64 {
    i64::try_from(left).unwrap_or(if left < 0 { i64::MIN } else { i64::MAX })
}

/// The new ceiling, and what is left then. `left` is what no other node has used or holds. The node keeps what it holds
/// as far as that is left; it is less only if the node's term had ended meanwhile. Then waiting requests are granted.
/// What is asked ahead of need gets at most half of an equal part, so that the last of a limit goes where it is needed.
fn grant(report: &Report, left: i128, nodes: u32) -> (u64, i128) {
    let within = |wish: u64, left: i128| u64::try_from(left.max(0)).unwrap_or(u64::MAX).min(wish);
    let held = within(report.ceiling.saturating_sub(report.used), left);
    let left = left - i128::from(held);
    let short = within(report.short, left);
    let left = left - i128::from(short);
    let ahead = within(report.ahead, left / (2 * i128::from(nodes.max(1))));
    (report.used + held + short + ahead, left - i128::from(ahead))
}
