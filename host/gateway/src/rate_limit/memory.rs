//! Buckets in this process's memory.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;

use super::bucket::{Bucket, Rate};
use super::{InUse, Key, Level, LimitStore, Short, Take};

/// The most buckets kept. A full bucket need not be kept, since an unknown key has a full one.
const MAX_BUCKETS: usize = 65_536;

/// Buckets with their rates. Who chooses an address chooses a key, but there are never more than [`MAX_BUCKETS`].
type Buckets = HashMap<Key, (Bucket, Rate), RandomState>;

/// The buckets behind one lock, since taking from several must be atomic.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Buckets>);

impl Memory {
    /// Takes all amounts, or none of them.
    pub(super) fn take(&self, takes: &[Take], now: Instant) -> Result<Vec<Level>, Short> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut buckets, takes.len(), now);
        for (at, take) in takes.iter().enumerate() {
            let (bucket, rate) =
                buckets.entry(take.key.clone()).or_insert_with(|| (Bucket::full(take.rate, now), take.rate));
            if *rate != take.rate {
                bucket.change(*rate, take.rate);
                *rate = take.rate;
            }
            bucket.fill(take.rate, now);
            if bucket.level() < take.amount {
                return Err(Short { at, wait: bucket.wait_for(take.amount, take.rate) });
            }
        }
        let take = |take: &Take| {
            let (bucket, _) = buckets.get_mut(&take.key)?;
            bucket.take(take.amount, take.rate);
            Some(Level { remaining: bucket.level(), full_in: bucket.full_in(take.rate) })
        };
        Ok(takes.iter().filter_map(take).collect())
    }
}

impl LimitStore for Memory {
    fn reserve<'a>(
        &'a self,
        takes: &'a [Take],
        now: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Level>, Short>> + Send + 'a>> {
        Box::pin(std::future::ready(self.take(takes, now)))
    }

    fn settle(&self, key: &Key, rate: Rate, amount: f64, now: Instant) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The rate may have changed since the amount was taken.
        let (bucket, rate) = match buckets.get_mut(key) {
            Some(known) => known,
            // A bucket that was removed was full, so an amount returned to it would overflow.
            None if amount > 0.0 => return,
            None => buckets.entry(key.clone()).or_insert((Bucket::full(rate, now), rate)),
        };
        bucket.fill(*rate, now);
        bucket.take(-amount, *rate);
    }

    fn in_use(&self, now: Instant) -> Vec<InUse> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = buckets.iter_mut().filter_map(|(key, (bucket, rate))| {
            bucket.fill(*rate, now);
            InUse::of(key, *rate, bucket.level())
        });
        found.collect()
    }
}

/// Removes full buckets and, if those are too few, the least recently used quarter, but none with places that are in
/// use: there are never more of those than open streams. Only runs when there are too many, and then frees enough room
/// to run rarely.
fn make_room(buckets: &mut Buckets, wanted: usize, now: Instant) {
    if buckets.len() + wanted <= MAX_BUCKETS {
        return;
    }
    buckets.retain(|_, (bucket, rate)| {
        bucket.fill(*rate, now);
        bucket.level() < rate.limit() as f64
    });
    if buckets.len() + wanted <= MAX_BUCKETS * 3 / 4 {
        return;
    }
    let mut times: Vec<Instant> =
        buckets.values().filter(|(_, rate)| !rate.is_returned()).map(|(bucket, _)| bucket.at()).collect();
    times.sort_unstable();
    let Some(oldest) = times.get(times.len() / 4).copied() else { return };
    let mut spare = times.len() / 4 + 1;
    buckets.retain(|_, (bucket, rate)| {
        let goes = !rate.is_returned() && bucket.at() <= oldest && spare > 0;
        spare -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Resource, Scope};
    use super::*;

    #[test]
    fn many_addresses_do_not_fill_the_memory() {
        let memory = Memory::default();
        let now = Instant::now();
        for n in 0..MAX_BUCKETS + 10 {
            let key = Key { scope: Scope::Address, name: Arc::from(n.to_string()), resource: Resource::Requests };
            memory.take(&[Take { key, rate: Rate::a_minute(60), amount: 1.0 }], now).unwrap();
        }
        assert!(memory.0.lock().unwrap().len() <= MAX_BUCKETS);
    }

    #[test]
    fn places_in_use_are_counted_through_changes_and_are_not_forgotten() {
        let (memory, now) = (Memory::default(), Instant::now());
        let key = Key { scope: Scope::Client, name: Arc::from("a"), resource: Resource::Streams };
        let stream = |limit: u64| Take { key: key.clone(), rate: Rate::at_once(limit), amount: 1.0 };
        let take = |limit: u64| memory.take(&[stream(limit)], now).is_ok();
        assert!((0..5).all(|_| take(5)) && !take(5));
        assert!(take(7) && take(7) && !take(7), "two more places");
        assert!(!take(3), "seven are open");
        (0..5).for_each(|_| memory.settle(&key, Rate::at_once(5), 1.0, now));
        assert!(take(3) && !take(3), "two were open");
        for n in 0..MAX_BUCKETS * 2 {
            let key = Key { scope: Scope::Address, name: Arc::from(n.to_string()), resource: Resource::Requests };
            memory.take(&[Take { key, rate: Rate::a_minute(60), amount: 1.0 }], now).unwrap();
        }
        assert!(!take(3), "the oldest bucket is in use");
    }
}
