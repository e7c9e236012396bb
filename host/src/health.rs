//! Which targets and keys are well. Kept for as long as the program runs, over all reloads; nothing here does I/O.
//!
//! Faults are attributed to a side: failures of a target count in its [`breaker`]; a rate limit cools one key of one
//! target; a key that is refused benches that key wherever it is used; what a client did wrong counts nowhere.

pub mod breaker;
mod latency;
mod ticket;
mod vitals;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::config;

pub use ticket::{Blame, Ticket};
pub use vitals::{Rest, Standing, Vitals};

/// How long a refused key is left alone while there is another.
pub const BENCH: Duration = Duration::from_mins(1);

/// Until when keys are benched, by provider and the key's number.
type Benches = HashMap<(Arc<str>, usize), Instant>;

/// The health of all targets and keys.
#[derive(Debug, Default)]
pub struct Health {
    targets: RwLock<HashMap<Arc<str>, Arc<Vitals>>>,
    keys: Arc<Mutex<Benches>>,
}

/// What is asked about: one key of one target.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The target's name: provider and model.
    pub target: &'a Arc<str>,
    /// The provider's name.
    pub provider: &'a Arc<str>,
    /// The key's number.
    pub key: usize,
    /// When it is left alone.
    pub settings: config::Breaker,
}

impl Health {
    /// The vital signs of a target.
    pub fn of(&self, target: &Arc<str>) -> Arc<Vitals> {
        if let Some(known) = self.targets.read().unwrap_or_else(PoisonError::into_inner).get(target) {
            return Arc::clone(known);
        }
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(targets.entry(Arc::clone(target)).or_default())
    }

    /// Forgets all targets but these.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.targets.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| keep(name));
    }

    /// How a target stands for one key.
    pub fn standing(&self, subject: Subject<'_>, now: Instant) -> Standing {
        let standing = self.of(subject.target).standing(subject.key, now, &subject.settings);
        let benched = self.keys().get(&(Arc::clone(subject.provider), subject.key)).copied();
        match (standing, benched.filter(|until| *until > now)) {
            (Standing::Well, Some(until)) => Standing::Resting(until, Rest::Refused),
            (standing, _) => standing,
        }
    }

    /// Lets an exchange in, if one may pass; a benched key does not keep it out, since that is the last resort.
    pub fn admit(&self, subject: Subject<'_>, now: Instant) -> Result<Ticket, Standing> {
        let vitals = self.of(subject.target);
        vitals.admit(subject.key, now, &subject.settings)?;
        Ok(Ticket::new(vitals, Arc::clone(&self.keys), subject, now))
    }

    fn keys(&self) -> MutexGuard<'_, Benches> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_benched_and_not_its_provider() {
        let health = Health::default();
        let (target, provider) = (Arc::from("p/m"), Arc::from("p"));
        let subject = |key| Subject { target: &target, provider: &provider, key, settings: config::Breaker::default() };
        let now = Instant::now();
        let ticket = health.admit(subject(0), now).unwrap();
        ticket.failed(Blame::Key);
        assert!(matches!(health.standing(subject(0), now), Standing::Resting(_, Rest::Refused)));
        assert_eq!(health.standing(subject(1), now), Standing::Well);
        assert!(health.admit(subject(0), now).is_ok(), "as the last resort it is tried all the same");
        assert_eq!(health.of(&target).in_flight(), 0);
    }

    #[test]
    fn a_target_that_is_no_more_is_forgotten() {
        let health = Health::default();
        health.of(&Arc::from("a/m"));
        health.of(&Arc::from("b/m"));
        health.retain(|name| name.starts_with('a'));
        assert_eq!(health.targets.read().unwrap().len(), 1);
    }
}
