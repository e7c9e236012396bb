//! Resource use of an adapter's instances: how many exist, and the size of their linear memories. Counted when memories
//! grow and instances are created or dropped, so no scan is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::growth::{Growth, GrowthShare};

/// The figures of one version of an adapter, summed over its instances. Pages of a memory's initial size are allocated
/// when they are touched, so these figures are upper bounds.
#[derive(Debug, Default)]
pub struct Footprint {
    instances: AtomicU64,
    bytes: AtomicU64,
    highest: AtomicU64,
    growth: GrowthShare,
}

impl Footprint {
    /// The figures of an adapter whose instances grow within this bound.
    pub(super) fn within(growth: Arc<Growth>) -> Self {
        Self { growth: GrowthShare::of(growth), ..Self::default() }
    }

    /// What its instances have taken beyond what they began with.
    pub(super) fn growth(&self) -> &GrowthShare {
        &self.growth
    }

    /// Number of existing instances: leased, ready or idle.
    pub fn instances(&self) -> u64 {
        self.instances.load(Relaxed)
    }

    /// Size of their linear memories, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Largest size of a single instance's memory since the adapter was loaded, in bytes.
    pub fn highest(&self) -> u64 {
        self.highest.load(Relaxed)
    }

    pub(super) fn born(&self) {
        self.instances.fetch_add(1, Relaxed);
    }

    /// Records that an instance's memory has grown.
    pub(super) fn grown(&self, from: usize, to: usize) {
        self.bytes.fetch_add(to.saturating_sub(from) as u64, Relaxed);
        // Most instances do not exceed the maximum so far, and a load is cheaper than an atomic write.
        if self.highest.load(Relaxed) < to as u64 {
            self.highest.fetch_max(to as u64, Relaxed);
        }
    }

    pub(super) fn gone(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Relaxed);
        self.instances.fetch_sub(1, Relaxed);
    }
}
