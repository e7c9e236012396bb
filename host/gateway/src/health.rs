//! Health of targets and keys. Kept while the program runs, over all reloads; nothing here does I/O.
//!
//! Failures are attributed: a target's failure counts in its [`breaker`], a rate limit cools one key of one target
//! down, a refused key is benched wherever it is used, and a client's mistake counts nowhere.

pub mod breaker;
mod latency;
mod target_health;
mod ticket;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

pub use target_health::{Rest, TargetHealth, TargetStatus};
pub use ticket::{Blame, Ticket};

/// How long a refused key is avoided while there is another.
pub const BENCH: Duration = Duration::from_mins(1);

/// The most models of patterns that have a health of their own; further ones share that of their pattern.
const MAX_MODELS: usize = 1024;

/// The least time between two sweeps.
const SWEEP: Duration = Duration::from_secs(1);

/// Until when keys are benched, by provider and the key's number.
type Benches = HashMap<(Arc<str>, usize), Instant>;

/// The health of all targets and keys.
#[derive(Debug, Default)]
pub struct Health {
    targets: RwLock<Table>,
    keys: Arc<Mutex<Benches>>,
}

/// The health records of targets, by name.
#[derive(Debug, Default)]
struct Table {
    known: HashMap<Arc<str>, KnownTarget, RandomState>,
    /// The number of records that are models of patterns.
    models: usize,
    /// The time of the last sweep. A sweep is slow, so a flood of names must not trigger one each time.
    swept: Option<Instant>,
}

#[derive(Debug)]
struct KnownTarget {
    health: Arc<TargetHealth>,
    /// The name of the pattern's target, if this is one of its models.
    pattern: Option<Arc<str>>,
}

/// One key of one target.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The target's name: provider and model.
    pub target: &'a Arc<str>,
    /// The name of the pattern's target, if the target is one of a pattern's models.
    pub pattern: Option<&'a Arc<str>>,
    /// The provider's name.
    pub provider: &'a Arc<str>,
    /// The key's number.
    pub key: usize,
    /// The breaker's settings.
    pub settings: weir_config::Breaker,
}

impl Health {
    /// A target's health record, created if necessary.
    pub fn of(&self, target: &Arc<str>) -> Arc<TargetHealth> {
        self.known(target).unwrap_or_else(|| self.table().take_in(target, None))
    }

    /// A target's health record, if there is one.
    pub fn known(&self, target: &str) -> Option<Arc<TargetHealth>> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        targets.known.get(target).map(|known| Arc::clone(&known.health))
    }

    /// The health records of all models of a pattern's target.
    pub(crate) fn of_pattern(&self, pattern: &str) -> Vec<Arc<TargetHealth>> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let of_it = targets.known.values().filter(|known| known.pattern.as_deref() == Some(pattern));
        of_it.map(|known| Arc::clone(&known.health)).collect()
    }

    /// Removes the records of all other targets, and of models whose pattern is removed.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.table().retain(|name, known| keep(name) || known.pattern.as_deref().is_some_and(&keep));
    }

    /// Forgets the cool-downs of a provider's keys, since others have taken their numbers. `is_of` says which targets
    /// are the provider's.
    pub(crate) fn forget_keys(&self, provider: &str, is_of: impl Fn(&str) -> bool) {
        self.keys().retain(|(name, _), _| **name != *provider);
        let table = self.table();
        let of_it =
            table.known.iter().filter(|(name, known)| is_of(name) || known.pattern.as_deref().is_some_and(&is_of));
        of_it.for_each(|(_, known)| known.health.forget_limits());
    }

    /// The status of a target for one key: the worse of its own and its pattern's.
    pub fn status(&self, subject: Subject<'_>, now: Instant) -> TargetStatus {
        let of = |name: &Arc<str>| self.known(name).map(|known| known.status(subject.key, now, &subject.settings));
        let status = of(subject.target).unwrap_or(TargetStatus::Well);
        let status = status.later(subject.pattern.and_then(of).unwrap_or(TargetStatus::Well));
        let benched = {
            let keys = self.keys();
            // Nearly always there are none.
            (!keys.is_empty()).then(|| keys.get(&(Arc::clone(subject.provider), subject.key)).copied()).flatten()
        };
        match (status, benched.filter(|until| *until > now)) {
            (TargetStatus::Well, Some(until)) => TargetStatus::Resting(until, Rest::Refused),
            (status, _) => status,
        }
    }

    /// Admits an exchange if the breaker and the limits allow it. A benched key is no obstacle, since it is used only
    /// as a last resort.
    pub fn admit(&self, subject: Subject<'_>, now: Instant) -> Result<Ticket, TargetStatus> {
        let health = self.of_subject(subject, now);
        health.admit(subject.key, now, &subject.settings)?;
        Ok(Ticket::new(health, Arc::clone(&self.keys), subject, now))
    }

    /// The record of a subject, created if necessary: its own or, if there are too many, its pattern's.
    fn of_subject(&self, subject: Subject<'_>, now: Instant) -> Arc<TargetHealth> {
        let Some(pattern) = subject.pattern else { return self.of(subject.target) };
        if let Some(known) = self.known(subject.target) {
            return known;
        }
        let mut table = self.table();
        if table.models >= MAX_MODELS {
            table.forget_models(now);
        }
        let is_full = table.models >= MAX_MODELS;
        if is_full { table.take_in(pattern, None) } else { table.take_in(subject.target, Some(pattern)) }
    }

    fn table(&self) -> RwLockWriteGuard<'_, Table> {
        self.targets.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Benches> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn take_in(&mut self, target: &Arc<str>, pattern: Option<&Arc<str>>) -> Arc<TargetHealth> {
        if let Some(known) = self.known.get(target) {
            return Arc::clone(&known.health);
        }
        let health = Arc::<TargetHealth>::default();
        let known = KnownTarget { health: Arc::clone(&health), pattern: pattern.cloned() };
        self.models += usize::from(known.pattern.is_some());
        self.known.insert(Arc::clone(target), known);
        health
    }

    /// Removes records to make room: healthy models that are not in use and, if those are too few, all unused models
    /// that are not resting.
    fn forget_models(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| swept + SWEEP > now) {
            return;
        }
        self.swept = Some(now);
        for may_have_failed in [false, true] {
            let is_used = |known: &KnownTarget| Arc::strong_count(&known.health) > 1;
            self.retain(|_, known| {
                known.pattern.is_none() || is_used(known) || known.health.is_troubled(now, may_have_failed)
            });
            if self.models < MAX_MODELS / 2 {
                return;
            }
        }
    }

    fn retain(&mut self, keep: impl Fn(&str, &KnownTarget) -> bool) {
        self.known.retain(|name, known| keep(name, known));
        self.models = self.known.values().filter(|known| known.pattern.is_some()).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_benched_and_not_its_provider() {
        let health = Health::default();
        let (target, provider) = (Arc::from("p/m"), Arc::from("p"));
        let settings = weir_config::Breaker::default();
        let subject = |key| Subject { target: &target, pattern: None, provider: &provider, key, settings };
        let now = Instant::now();
        let ticket = health.admit(subject(0), now).unwrap();
        ticket.failed(Blame::Key);
        assert!(matches!(health.status(subject(0), now), TargetStatus::Resting(_, Rest::Refused)));
        assert_eq!(health.status(subject(1), now), TargetStatus::Well);
        assert!(health.admit(subject(0), now).is_ok(), "as the last resort it is tried all the same");
        assert_eq!(health.of(&target).in_flight(), 0);
    }

    #[test]
    fn a_key_that_takes_anothers_number_inherits_no_pause() {
        let (health, now) = (Health::default(), Instant::now());
        let [target, other, refused] = ["p/m", "q/m", "p/n"].map(Arc::<str>::from);
        let provider = Arc::from("p");
        let settings = weir_config::Breaker::default();
        let subject = |target| Subject { target, pattern: None, provider: &provider, key: 0, settings };
        for target in [&target, &other] {
            health.admit(subject(target), now).unwrap().failed(Blame::Limit(Some(Duration::from_mins(5))));
        }
        health.admit(subject(&refused), now).unwrap().failed(Blame::Key);
        health.forget_keys("p", |name| name.starts_with("p/"));
        assert_eq!(health.status(subject(&target), now), TargetStatus::Well);
        assert!(matches!(health.status(subject(&other), now), TargetStatus::Resting(..)));
    }

    #[test]
    fn a_removed_target_is_forgotten() {
        let health = Health::default();
        health.of(&Arc::from("a/m"));
        health.of(&Arc::from("b/m"));
        health.retain(|name| name.starts_with('a'));
        assert_eq!(health.table().known.len(), 1);
    }

    /// Fails exchanges of a pattern's model, so that it rests if `failures` are enough.
    fn fail(health: &Health, [target, pattern]: [&Arc<str>; 2], failures: u32) {
        let settings = weir_config::Breaker { min_attempts: 2, ..weir_config::Breaker::default() };
        let provider = Arc::from("p");
        let subject = Subject { target, pattern: Some(pattern), provider: &provider, key: 0, settings };
        for _ in 0..failures {
            if let Ok(ticket) = health.admit(subject, Instant::now()) {
                ticket.failed(Blame::Target(None));
            }
        }
    }

    fn stands(health: &Health, [target, pattern]: [&Arc<str>; 2]) -> TargetStatus {
        let settings = weir_config::Breaker { min_attempts: 2, ..weir_config::Breaker::default() };
        let subject = Subject { target, pattern: Some(pattern), provider: &Arc::from("p"), key: 0, settings };
        health.status(subject, Instant::now())
    }

    #[test]
    fn a_broken_model_of_a_pattern_closes_none_of_its_neighbours() {
        let (health, pattern) = (Health::default(), Arc::from("p/*"));
        let (broken, other) = (Arc::from("p/broken"), Arc::from("p/other"));
        fail(&health, [&broken, &pattern], 2);
        assert!(matches!(stands(&health, [&broken, &pattern]), TargetStatus::Resting(_, Rest::Failing)));
        assert_eq!(stands(&health, [&other, &pattern]), TargetStatus::Well);
        assert_eq!(health.of_pattern("p/*").len(), 1);
        // A failed check of the provider concerns all its models.
        health.of(&pattern).found_failing(Duration::from_mins(1), Instant::now());
        assert!(matches!(stands(&health, [&other, &pattern]), TargetStatus::Resting(_, Rest::Failing)));
        health.retain(|name| name == "p/*");
        assert!(matches!(stands(&health, [&broken, &pattern]), TargetStatus::Resting(..)), "kept with its pattern");
        health.retain(|_| false);
        assert_eq!(health.table().models, 0);
    }

    #[test]
    fn models_of_patterns_are_bounded_and_resting_ones_stay() {
        let (health, pattern) = (Health::default(), Arc::from("p/*"));
        let broken = Arc::from("p/broken");
        fail(&health, [&broken, &pattern], 2);
        for number in 0..3 * MAX_MODELS {
            // The other models are never used again.
            fail(&health, [&Arc::from(format!("p/{number}")), &pattern], 1);
        }
        assert!(health.table().known.len() <= MAX_MODELS + 1);
        assert!(matches!(stands(&health, [&broken, &pattern]), TargetStatus::Resting(..)));
        for number in 0..2 * MAX_MODELS {
            fail(&health, [&Arc::from(format!("p/rests-{number}")), &pattern], 2);
        }
        assert!(health.table().known.len() <= MAX_MODELS + 1);
    }
}
