//! A map that snapshots share: short sorted lists of entries below two levels of pointers. A change copies one list and
//! the pointers on the way to it, some four hundred words with a million entries.

use std::cmp::Ordering;
use std::sync::Arc;

/// Entries by a number, which is evenly distributed. Several entries may have the same number.
#[derive(Debug)]
pub(super) struct Shards<T> {
    branches: Arc<[Branch<T>]>,
    /// The number of bits that choose a branch, and of those that choose a shard in it: the highest of the number.
    bits: u32,
    entries: usize,
}

type Branch<T> = Arc<[Arc<Shard<T>>]>;

#[derive(Debug)]
struct Shard<T>(Vec<Entry<T>>);

#[derive(Debug)]
struct Entry<T> {
    slot: u64,
    item: Arc<T>,
}

impl<T> Shards<T> {
    /// A map with `4^bits` shards.
    pub(super) fn new(bits: u32) -> Self {
        let empty = Arc::new(Shard(Vec::new()));
        let branch: Branch<T> = (0..1usize << bits).map(|_| Arc::clone(&empty)).collect();
        Self { branches: (0..1usize << bits).map(|_| Arc::clone(&branch)).collect(), bits, entries: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.branches.iter().flat_map(|branch| branch.iter()).flat_map(|shard| &shard.0).map(|entry| &entry.item)
    }

    /// The first entry with this number that fits.
    pub(super) fn find(&self, slot: u64, fits: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
        let shard = self.shard(slot)?;
        let same = shard.0.get(shard.start(slot, 2 * self.bits)..)?.iter().take_while(|entry| entry.slot == slot);
        same.map(|entry| &entry.item).find(|item| fits(item))
    }

    /// Adds an entry at the end of its list. Entries are found again after [`Shards::sort`].
    pub(super) fn append(&mut self, slot: u64, item: Arc<T>) {
        let Some(shard) = self.shard_mut(slot) else { return };
        shard.reserve();
        shard.0.push(Entry { slot, item });
        self.entries += 1;
    }

    /// Sorts entries that were appended. Those with the same number are in this order.
    pub(super) fn sort(&mut self, order: impl Fn(&T, &T) -> Ordering) {
        for branch in Arc::make_mut(&mut self.branches) {
            // Shards without entries are one until something is added to them.
            if branch.iter().all(|shard| shard.0.is_empty()) {
                continue;
            }
            for shard in Arc::make_mut(branch).iter_mut().filter(|shard| !shard.0.is_empty()) {
                let by_item = |one: &Entry<T>, other: &Entry<T>| order(&one.item, &other.item);
                let entries = &mut Arc::make_mut(shard).0;
                entries.sort_unstable_by(|one, other| one.slot.cmp(&other.slot).then_with(|| by_item(one, other)));
            }
        }
    }

    /// Entries that follow another one with the same number for which `is_same` holds.
    pub(super) fn repeated(&self, is_same: impl Fn(&T, &T) -> bool) -> Vec<Arc<T>> {
        let mut found = Vec::new();
        for shard in self.branches.iter().flat_map(|branch| branch.iter()) {
            let pairs = shard.0.iter().zip(shard.0.iter().skip(1));
            let is_repeated =
                |(one, other): &(&Entry<T>, &Entry<T>)| one.slot == other.slot && is_same(&one.item, &other.item);
            found.extend(pairs.filter(is_repeated).map(|(_, other)| Arc::clone(&other.item)));
        }
        found
    }

    /// Adds an entry, after those with the same number for which `comes_first` holds. So the order of entries does not
    /// depend on the order in which they were added.
    pub(super) fn insert(&mut self, slot: u64, item: Arc<T>, comes_first: impl Fn(&T) -> bool) {
        let Some(shard) = self.shard_mut(slot) else { return };
        let is_before = |entry: &Entry<T>| entry.slot < slot || (entry.slot == slot && comes_first(&entry.item));
        let at = shard.0.partition_point(is_before);
        shard.reserve();
        shard.0.insert(at, Entry { slot, item });
        self.entries += 1;
    }

    /// Removes the first entry with this number that fits.
    pub(super) fn remove(&mut self, slot: u64, fits: impl Fn(&T) -> bool) {
        let is_it = |entry: &Entry<T>| entry.slot == slot && fits(&entry.item);
        // Looked for first, so that nothing is copied in vain.
        let Some(at) = self.shard(slot).and_then(|shard| shard.0.iter().position(is_it)) else { return };
        if let Some(Shard(entries)) = self.shard_mut(slot) {
            entries.remove(at);
            self.entries -= 1;
        }
    }

    fn shard(&self, slot: u64) -> Option<&Shard<T>> {
        let (branch, shard) = self.places(slot);
        self.branches.get(branch)?.get(shard).map(|shard| &**shard)
    }

    /// The shard, copied if a snapshot has it too.
    fn shard_mut(&mut self, slot: u64) -> Option<&mut Shard<T>> {
        let (branch, shard) = self.places(slot);
        let branch = Arc::make_mut(Arc::make_mut(&mut self.branches).get_mut(branch)?);
        branch.get_mut(shard).map(Arc::make_mut)
    }

    fn places(&self, slot: u64) -> (usize, usize) {
        let shard = (slot >> (u64::BITS - 2 * self.bits)) as usize;
        (shard >> self.bits, shard & ((1 << self.bits) - 1))
    }
}

impl<T> Shard<T> {
    /// Makes room for one more. Grows by an eighth: doubling would waste a third of the index.
    fn reserve(&mut self) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(self.0.len() / 8 + 4);
        }
    }

    /// Where entries with this number begin. As numbers are evenly distributed, the place is guessed, and its
    /// neighbours are mostly in the same line of the processor's cache. `bits` of the number chose the shard.
    fn start(&self, slot: u64, bits: u32) -> usize {
        let Self(entries) = self;
        let guess = ((u128::from(slot << bits) * entries.len() as u128) >> 64) as usize;
        let is_before = |at: usize| entries.get(at).is_some_and(|entry| entry.slot < slot);
        // The answer is in `low..=high`, whose ends move away from the guess in growing steps.
        let (mut low, mut high, mut step) = (guess, guess, 4);
        while low > 0 && !is_before(low - 1) {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 4;
        while high < entries.len() && is_before(high) {
            high = (high + step).min(entries.len());
            step *= 2;
        }
        let between = entries.get(low..high).unwrap_or_default();
        low + between.partition_point(|entry| entry.slot < slot)
    }
}

impl<T> Clone for Shards<T> {
    fn clone(&self) -> Self {
        Self { branches: Arc::clone(&self.branches), bits: self.bits, entries: self.entries }
    }
}

impl<T> Clone for Shard<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { slot: self.slot, item: Arc::clone(&self.item) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Also with numbers that are not evenly distributed.
        #[test]
        fn every_entry_is_found(slots in proptest::collection::vec(prop_oneof![any::<u64>(), 0u64..50], 0..300)) {
            let mut map = Shards::new(1);
            for (at, slot) in slots.iter().enumerate() {
                map.insert(*slot, Arc::new((*slot, at)), |other: &(u64, usize)| other.1 < at);
            }
            for (at, slot) in slots.iter().enumerate() {
                prop_assert_eq!(map.find(*slot, |item| item.1 == at).map(|item| **item), Some((*slot, at)));
                prop_assert_eq!(map.iter().count(), slots.len());
                let first = slots.iter().position(|other| other == slot);
                prop_assert_eq!(map.find(*slot, |_| true).map(|item| item.1), first);
                let other = slot.wrapping_add(1);
                prop_assert_eq!(map.find(other, |_| true).is_some(), slots.contains(&other));
            }
            let before = map.clone();
            for (at, slot) in slots.iter().enumerate() {
                map.remove(*slot, |item| item.1 == at);
            }
            prop_assert_eq!((map.len(), before.len()), (0, slots.len()));
        }
    }
}
