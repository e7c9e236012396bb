//! Buckets that several nodes share: each node has a lease of every bucket that it uses, and takes from that.
//!
//! The limits of addresses stay with each node. There are too many addresses, and they are a defence of the node
//! itself.

mod taken_tokens;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_lease::{Answer, Kind, Link, NodeStatus, Report, Share, WhenLost};

use super::bucket::Rate;
use super::{InUse, Key, Level, LimitStore, Memory, Scope, Short, Take};
use crate::sharing::Sharing;
use taken_tokens::TakenTokens;

/// The most buckets that a node has leases of. The least recently used end first.
const MAX_LEASED_BUCKETS: usize = 65_536;

/// The limits of a node that shares them.
#[derive(Debug)]
pub(crate) struct Shared {
    sharing: Arc<Sharing>,
    pools: Mutex<Pools>,
    /// The limits of addresses, and all others at this node's part of them while it is on its own.
    alone: Memory,
    /// Whether it ever was on its own.
    was_alone: AtomicBool,
    is_urgent: AtomicBool,
}

#[derive(Debug, Default)]
struct Pools {
    by_key: HashMap<Key, Pool>,
    urgent: Vec<Key>,
    /// The number of the newest pool: entries of a pool that was forgotten are none of a new one's.
    newest: u64,
}

/// This node's share of one bucket.
#[derive(Debug)]
struct Pool {
    number: u64,
    rate: Rate,
    share: Share,
    /// What was taken since the share began, less what was returned.
    used: u64,
    last_use: Duration,
}

/// What there is to report about the share of one bucket.
#[derive(Debug)]
pub struct BucketReport {
    /// The bucket.
    pub key: Key,
    /// How its amounts come back.
    pub kind: Kind,
    /// Its size.
    pub limit: u64,
    /// The name of this node's entry.
    pub entry: String,
    /// What this node drew and lacks.
    pub report: Report,
    number: u64,
}

impl Shared {
    /// Limits that are shared from now on.
    pub(crate) fn new(sharing: Arc<Sharing>) -> Self {
        let (was_alone, is_urgent) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { sharing, pools: Mutex::default(), alone: Memory::default(), was_alone, is_urgent }
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes from this node's shares, all or nothing. What lacks is noted if a request that has asked so often may ask
    /// for all of it again; then the second part of an error is true. Where one bucket has nothing more to give, the
    /// request is refused, and more of the others would be of no use.
    fn take(&self, takes: &[Take], status: &NodeStatus, asked: usize) -> Result<Vec<Level>, (Short, bool)> {
        let mut pools = self.lock();
        let Pools { by_key, urgent, newest } = &mut *pools;
        make_room(by_key, takes.len());
        let (mut lacking, mut refused) = (Vec::new(), None);
        for (at, take) in takes.iter().enumerate() {
            let pool = by_key.entry(take.key.clone()).or_insert_with(|| Pool::new(newest, take.rate, status.at));
            (pool.rate, pool.last_use) = (take.rate, status.at);
            let amount = take.amount as u64;
            if pool.room(status) < amount {
                let short = Short { at, wait: pool.wait_for(amount) };
                if pool.share.may_ask(asked, status) {
                    lacking.push((take, short));
                } else {
                    refused = refused.or(Some(short));
                }
            }
        }
        if let Some(short) = refused {
            return Err((short, false));
        }
        if let Some((_, short)) = lacking.first() {
            for take in takes {
                let Some(pool) = by_key.get_mut(&take.key) else { continue };
                if lacking.iter().any(|(lacks, _)| lacks.key == take.key) {
                    pool.share.lacks(take.amount as u64);
                    urgent.push(take.key.clone());
                } else {
                    pool.share.wants(take.amount as u64);
                }
            }
            self.is_urgent.store(true, Ordering::Release);
            return Err((*short, true));
        }
        let mut levels = Vec::with_capacity(takes.len());
        for take in takes {
            let Some(pool) = by_key.get_mut(&take.key) else { continue };
            let (amount, limit) = (take.amount as u64, take.rate.limit());
            pool.used = pool.used.saturating_add(amount);
            if pool.share.took(amount, pool.used, limit, status.at) {
                urgent.push(take.key.clone());
                self.is_urgent.store(true, Ordering::Release);
            }
            levels.push(pool.level(status));
        }
        Ok(levels)
    }

    /// Takes from what a policy allows while the server cannot be reached. The amount counts for the shares as well.
    /// Places are taken from the shares only, which know the streams that began before.
    fn take_alone(&self, takes: &[Take], status: &NodeStatus, now: Instant) -> Result<Vec<Level>, Short> {
        let from_shares = || self.take(takes, status, usize::MAX).map_err(|(short, _)| short);
        let Link::Lost(WhenLost::Share) = status.link else { return from_shares() };
        self.was_alone.store(true, Ordering::Relaxed);
        let parts: Vec<Take> = takes.iter().filter(|take| fills(take)).map(|take| part(take, status)).collect();
        let of_parts = self
            .alone
            .take(&parts, now)
            .map_err(|Short { at, wait }| Short { at: place_of(takes, at, fills), wait })?;
        match from_shares() {
            Ok(levels) => {
                let mut of_parts = of_parts.into_iter();
                let level = |(take, level)| if fills(take) { of_parts.next() } else { Some(level) };
                Ok(takes.iter().zip(levels).filter_map(level).collect())
            }
            Err(short) => {
                for part in &parts {
                    self.alone.settle(&part.key, part.rate, part.amount, now);
                }
                Err(short)
            }
        }
    }

    async fn take_or_ask(&self, takes: &[Take], now: Instant) -> Result<Vec<Level>, Short> {
        for asked in 0.. {
            let status = self.sharing.status();
            if status.link != Link::Well {
                return self.take_alone(takes, &status, now);
            }
            match self.take(takes, &status, asked) {
                Ok(levels) => {
                    if self.is_urgent.load(Ordering::Acquire) {
                        self.sharing.wake();
                    }
                    return Ok(levels);
                }
                Err((short, false)) => return Err(short),
                Err((_, true)) => {
                    // The node's status then shows whether the report was answered.
                    self.sharing.ask().await;
                }
            }
        }
        Ok(Vec::new())
    }

    /// Settles what this node used of its part of a bucket that fills.
    fn settle_alone(&self, key: &Key, rate: Rate, amount: f64, now: Instant) {
        let is_alone = self.sharing.status().link == Link::Lost(WhenLost::Share);
        // What returns may have been taken while the node was on its own, also if it no longer is. What was used beyond
        // a reservation counts while it is: the shares, which know of it as well, do not bind then.
        if is_alone || (amount > 0.0 && self.was_alone.load(Ordering::Relaxed)) {
            self.alone.settle(key, rate.part(self.sharing.nodes()), amount, now);
        }
    }

    /// The reports for other nodes: about all buckets in use, or only about those whose share is short.
    pub(crate) fn reports(&self, only_urgent: bool, at: Duration) -> Vec<BucketReport> {
        self.is_urgent.store(false, Ordering::Release);
        let mut pools = self.lock();
        let urgent = std::mem::take(&mut pools.urgent);
        let node = self.sharing.node();
        if only_urgent {
            let of = |key: Key| pools.by_key.get_mut(&key)?.report(&key, node, at);
            return urgent.into_iter().filter_map(of).collect();
        }
        let reports = pools.by_key.iter_mut().filter_map(|(key, pool)| pool.report(key, node, at)).collect();
        pools.by_key.retain(|_, pool| !pool.share.is_idle(pool.used, at) || pool.is_occupied());
        reports
    }

    /// Takes the answer to a report; none came if it is `None`.
    pub(crate) fn answered(&self, report: &BucketReport, answer: Option<Answer>, sent: Duration) {
        let mut pools = self.lock();
        let Some(pool) = pools.by_key.get_mut(&report.key).filter(|pool| pool.number == report.number) else { return };
        match answer {
            Some(answer) => pool.share.answered(answer, sent),
            None => pool.share.unanswered(),
        }
    }

    /// Returns the unused part of all shares with the next reports.
    pub(crate) fn leave(&self) {
        self.lock().by_key.values_mut().for_each(|pool| pool.share.leave());
    }
}

impl LimitStore for Shared {
    fn reserve<'a>(
        &'a self,
        takes: &'a [Take],
        now: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Level>, Short>> + Send + 'a>> {
        Box::pin(async move {
            if !takes.iter().any(is_own) {
                return self.take_or_ask(takes, now).await;
            }
            let (own, shared): (Vec<Take>, Vec<Take>) = takes.iter().cloned().partition(is_own);
            let levels_of_own = self
                .alone
                .take(&own, now)
                .map_err(|Short { at, wait }| Short { at: place_of(takes, at, is_own), wait })?;
            // The request may be given up while it waits for the server.
            let taken = TakenTokens::new(&self.alone, &own, now);
            match self.take_or_ask(&shared, now).await {
                Ok(levels) => {
                    taken.keep();
                    let (mut of_own, mut of_shared) = (levels_of_own.into_iter(), levels.into_iter());
                    let next = |take| if is_own(take) { of_own.next() } else { of_shared.next() };
                    Ok(takes.iter().filter_map(next).collect())
                }
                Err(Short { at, wait }) => {
                    taken.give_back();
                    Err(Short { at: place_of(takes, at, |take| !is_own(take)), wait })
                }
            }
        })
    }

    fn settle(&self, key: &Key, rate: Rate, amount: f64, now: Instant) {
        if key.scope == Scope::Address {
            return self.alone.settle(key, rate, amount, now);
        }
        if !rate.is_returned() {
            self.settle_alone(key, rate, amount, now);
        }
        // Whole numbers, since what is taken and used is counted.
        let change = amount.abs().round() as u64;
        let mut pools = self.lock();
        let Pools { by_key, newest, .. } = &mut *pools;
        match by_key.get_mut(key) {
            Some(pool) if amount > 0.0 => pool.used = pool.used.saturating_sub(change),
            Some(pool) => pool.used = pool.used.saturating_add(change),
            // What was idle while a long answer ran was forgotten. What returns to it would overflow; what the answer
            // used beyond its reservation counts.
            None if amount > 0.0 || change == 0 => {}
            None => {
                make_room(by_key, 1);
                let mut pool = Pool::new(newest, rate, self.sharing.status().at);
                pool.used = change;
                by_key.insert(key.clone(), pool);
            }
        }
    }

    /// The use by all nodes, as far as this one knows; for a node that is cut off, the use of its own part.
    fn in_use(&self, now: Instant) -> Vec<InUse> {
        let status = self.sharing.status();
        let mut found = self.alone.in_use(now);
        let pools = self.lock();
        if status.link == Link::Lost(WhenLost::Share) {
            let places = pools.by_key.iter().filter(|(_, pool)| pool.rate.is_returned());
            let of_part = |(key, pool): (&Key, &Pool)| {
                let rate = pool.rate.part(status.nodes);
                InUse::of(key, rate, rate.limit() as f64 - pool.used as f64)
            };
            found.extend(places.filter_map(of_part));
            return found;
        }
        found.retain(|bucket| bucket.key.scope == Scope::Address);
        let known = pools.by_key.iter().filter(|(_, pool)| pool.share.left().is_some());
        found.extend(known.filter_map(|(key, pool)| InUse::of(key, pool.rate, pool.level(&status).remaining)));
        found
    }
}

impl Pool {
    /// A pool of which nothing is used, with the number after the newest one's.
    fn new(newest: &mut u64, rate: Rate, at: Duration) -> Self {
        *newest += 1;
        Self { number: *newest, rate, share: Share::default(), used: 0, last_use: at }
    }

    fn is_occupied(&self) -> bool {
        self.rate.is_returned() && self.used > 0
    }

    fn report(&mut self, key: &Key, node: &str, at: Duration) -> Option<BucketReport> {
        let limit = self.rate.limit();
        let kind = if self.rate.is_returned() { Kind::Places } else { Kind::Bucket };
        let report = self.share.report(self.used, limit, kind, at)?;
        let entry = format!("{node}.{}", self.number);
        Some(BucketReport { key: key.clone(), kind, limit, entry, report, number: self.number })
    }

    /// The amount that this node may take without asking. A node that is cut off has other buckets for limits that
    /// refill, and only counts here.
    fn room(&self, status: &NodeStatus) -> u64 {
        if status.link == Link::Lost(WhenLost::Share) && !self.rate.is_returned() {
            return u64::MAX;
        }
        self.share.room(self.used, 0, self.rate.limit(), status)
    }

    /// The amount left for all nodes, as far as this one knows; for a node that is cut off, the rest of its own part.
    fn left(&self, status: &NodeStatus) -> f64 {
        let own = self.room(status).min(self.rate.limit()) as f64;
        if status.link == Link::Lost(WhenLost::Share) {
            return own;
        }
        own + self.share.left().unwrap_or_default().max(0) as f64
    }

    fn level(&self, status: &NodeStatus) -> Level {
        let remaining = self.left(status).min(self.rate.limit() as f64);
        Level { remaining, full_in: self.rate.time_for(self.rate.limit() as f64 - remaining) }
    }

    /// Time until an amount may have come back.
    fn wait_for(&self, amount: u64) -> Duration {
        let left = self.share.left().unwrap_or_default() as f64;
        self.rate.time_for((amount as f64 - left).max(1.0))
    }
}

/// The position in the list of the take that is `at` behind the first of its sort.
fn place_of(takes: &[Take], at: usize, is_one: impl Fn(&Take) -> bool) -> usize {
    takes.iter().enumerate().filter(|(_, take)| is_one(take)).nth(at).map_or(0, |(place, _)| place)
}

/// Whether the taken amount comes back by itself.
fn fills(take: &Take) -> bool {
    !take.rate.is_returned()
}

/// Whether a limit stays with each node.
fn is_own(take: &Take) -> bool {
    take.key.scope == Scope::Address
}

/// A node's part of an amount's bucket. A request that is larger than the part takes all of it.
fn part(take: &Take, status: &NodeStatus) -> Take {
    let rate = take.rate.part(status.nodes);
    Take { key: take.key.clone(), rate, amount: take.amount.min(rate.limit() as f64) }
}

/// Forgets the least recently used quarter of the shares if there are too many. Their amounts are lost for some seconds
/// at most.
fn make_room(pools: &mut HashMap<Key, Pool>, wanted: usize) {
    if pools.len() + wanted <= MAX_LEASED_BUCKETS {
        return;
    }
    let mut times: Vec<Duration> =
        pools.values().filter(|pool| !pool.is_occupied()).map(|pool| pool.last_use).collect();
    times.sort_unstable();
    let Some(oldest) = times.get(times.len() / 4).copied() else { return };
    let mut spare = times.len() / 4 + 1;
    pools.retain(|_, pool| {
        let goes = !pool.is_occupied() && pool.last_use <= oldest && spare > 0;
        spare -= usize::from(goes);
        !goes
    });
}
