//! What an adapter's instances take: how many live, and how far their linear memories have grown. Counted where memories
//! grow and instances come and go, so that nobody walks through them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The figures of one version of an adapter, all of its instances together. What an instance writes before its first
/// growth lies in pages that are made when they are touched, so what is told is the most that they may take.
#[derive(Debug, Default)]
pub struct Footprint {
    instances: AtomicU64,
    bytes: AtomicU64,
    highest: AtomicU64,
}

impl Footprint {
    /// Instances that live: at work, ready, or idle.
    pub fn instances(&self) -> u64 {
        self.instances.load(Relaxed)
    }

    /// Bytes of the linear memories of those, as large as they have grown.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The most that a single instance has grown to since the adapter was loaded.
    pub fn highest(&self) -> u64 {
        self.highest.load(Relaxed)
    }

    pub(super) fn born(&self) {
        self.instances.fetch_add(1, Relaxed);
    }

    /// An instance's memory has grown from one size to another.
    pub(super) fn grown(&self, from: usize, to: usize) {
        self.bytes.fetch_add(to.saturating_sub(from) as u64, Relaxed);
        // Most instances grow no further than others have: reading is cheaper than claiming the line to write it.
        if self.highest.load(Relaxed) < to as u64 {
            self.highest.fetch_max(to as u64, Relaxed);
        }
    }

    pub(super) fn gone(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Relaxed);
        self.instances.fetch_sub(1, Relaxed);
    }
}
