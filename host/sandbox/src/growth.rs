//! How much memory the instances of all adapters have taken together beyond what each began with. The limit of one
//! instance bounds one call's damage; this one bounds that of many at once, so that they cannot use up the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The setting of the bound.
pub(super) const SETTING: &str = "plugins.total_memory";

/// Error: the instances of all adapters, or those of this one, have taken all that they may.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no memory is left for {wanted} bytes more: instances have grown by as much as `{SETTING}` allows")]
pub(super) struct GrowthExceeded {
    pub(super) wanted: usize,
}

/// What all adapters may take, and have taken, in bytes.
#[derive(Debug)]
pub(super) struct Growth {
    most: usize,
    taken: AtomicUsize,
}

impl Growth {
    pub(super) const fn up_to(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// What they have taken, in bytes.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Whether so much is taken that instances which only wait should give back theirs.
    pub(super) fn is_scarce(&self) -> bool {
        self.taken() > self.most / 2
    }
}

impl Default for Growth {
    fn default() -> Self {
        Self::up_to(usize::MAX)
    }
}

/// What the instances of one adapter have taken of it: three quarters at most, so that the others can go on.
#[derive(Debug, Default)]
pub(super) struct GrowthShare {
    all: Arc<Growth>,
    taken: AtomicUsize,
}

impl GrowthShare {
    pub(super) fn of(all: Arc<Growth>) -> Self {
        Self { all, taken: AtomicUsize::new(0) }
    }

    /// The most that the adapter's instances may take together, and so any of them.
    pub(super) fn most(&self) -> usize {
        self.all.most / 4 * 3
    }

    /// Takes this many bytes, or none of them.
    pub(super) fn take(&self, bytes: usize) -> Result<(), GrowthExceeded> {
        let exceeded = GrowthExceeded { wanted: bytes };
        if !add(&self.taken, bytes, self.most()) {
            return Err(exceeded);
        }
        if !add(&self.all.taken, bytes, self.all.most) {
            self.taken.fetch_sub(bytes, Relaxed);
            return Err(exceeded);
        }
        Ok(())
    }

    /// Gives back what an instance has taken.
    pub(super) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.taken.fetch_sub(bytes, Relaxed);
            self.all.taken.fetch_sub(bytes, Relaxed);
        }
    }
}

/// Adds to a sum, unless that would exceed `most`. Whether it was added.
fn add(sum: &AtomicUsize, bytes: usize, most: usize) -> bool {
    sum.fetch_update(Relaxed, Relaxed, |sum| sum.checked_add(bytes).filter(|sum| *sum <= most)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_adapter_leaves_a_quarter_to_the_others_and_what_is_refused_takes_nothing() {
        let all = Arc::new(Growth::up_to(100));
        let (first, second) = (GrowthShare::of(Arc::clone(&all)), GrowthShare::of(Arc::clone(&all)));
        assert!(first.take(75).is_ok() && first.take(1).is_err());
        assert!(second.take(26).is_err(), "the sum is bounded too");
        assert!(second.take(25).is_ok());
        assert_eq!((all.taken(), all.is_scarce()), (100, true));
        first.give_back(75);
        second.give_back(25);
        assert_eq!((all.taken(), all.is_scarce()), (0, false));
        assert!(first.take(75).is_ok(), "a refusal took nothing");
    }

    #[test]
    fn without_a_bound_everything_fits() {
        let share = GrowthShare::default();
        assert!(share.take(1 << 40).is_ok());
    }
}
