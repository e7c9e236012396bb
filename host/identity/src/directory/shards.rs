//! A map that snapshots share: sorted lists of entries, of which a change copies one.

use std::sync::Arc;

/// Entries by a number, which is evenly distributed. Several entries may have the same number.
#[derive(Debug)]
pub(super) struct Shards<T> {
    shards: Arc<[Arc<Vec<Entry<T>>>]>,
    /// The highest bits of the number choose the shard.
    bits: u32,
    entries: usize,
}

#[derive(Debug)]
struct Entry<T> {
    slot: u64,
    item: Arc<T>,
}

impl<T> Shards<T> {
    pub(super) fn new(bits: u32) -> Self {
        let empty = Arc::new(Vec::new());
        Self { shards: (0..1usize << bits).map(|_| Arc::clone(&empty)).collect(), bits, entries: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// The first entry with this number that fits.
    pub(super) fn find(&self, slot: u64, fits: impl Fn(&T) -> bool) -> Option<&Arc<T>> {
        let shard = self.shards.get(self.shard_of(slot))?;
        let start = shard.partition_point(|entry| entry.slot < slot);
        let same = shard.get(start..)?.iter().take_while(|entry| entry.slot == slot);
        same.map(|entry| &entry.item).find(|item| fits(item))
    }

    /// Adds an entry, before those with the same number that `comes_first` does not hold for. So the order of entries
    /// does not depend on the order in which they were added.
    pub(super) fn insert(&mut self, slot: u64, item: Arc<T>, comes_first: impl Fn(&T) -> bool) {
        let at = self.shard_of(slot);
        let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(at) else { return };
        let shard = Arc::make_mut(shard);
        let after =
            shard.partition_point(|entry| entry.slot < slot || (entry.slot == slot && comes_first(&entry.item)));
        if shard.len() == shard.capacity() {
            // Grows by an eighth: doubling would waste a third of the index.
            shard.reserve_exact(shard.len() / 8 + 4);
        }
        shard.insert(after, Entry { slot, item });
        self.entries += 1;
    }

    /// Removes the first entry with this number that fits.
    pub(super) fn remove(&mut self, slot: u64, fits: impl Fn(&T) -> bool) {
        let at = self.shard_of(slot);
        let Some(shard) = self.shards.get(at) else { return };
        let start = shard.partition_point(|entry| entry.slot < slot);
        let mut same = shard.iter().enumerate().skip(start).take_while(|(_, entry)| entry.slot == slot);
        let Some((found, _)) = same.find(|(_, entry)| fits(&entry.item)) else { return };
        if let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(at) {
            Arc::make_mut(shard).remove(found);
            self.entries -= 1;
        }
    }

    fn shard_of(&self, slot: u64) -> usize {
        (slot >> (u64::BITS - self.bits)) as usize
    }
}

impl<T> Clone for Shards<T> {
    fn clone(&self) -> Self {
        Self { shards: Arc::clone(&self.shards), bits: self.bits, entries: self.entries }
    }
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { slot: self.slot, item: Arc::clone(&self.item) }
    }
}
