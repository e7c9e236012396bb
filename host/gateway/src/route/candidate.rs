//! A candidate: a target for one request, with any of its keys and the health of the requested model.

use std::sync::Arc;
use std::time::Instant;

use super::{Route, Target, keys};
use crate::health::{Health, Rest, Subject, TargetStatus, Ticket};
use crate::model_catalog;
use crate::provenance::Carried;

/// A candidate of one request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The route that the target belongs to: the requested model's or a fallback's.
    pub route: Arc<Route>,
    /// The target with its first key; its other keys are in `spares`.
    pub target: Arc<Target>,
    /// The name of the health record: provider and model, which for a pattern's target is the requested model.
    pub health: Arc<str>,
    /// The model's alias in place of the one that the client asked for: a fallback's, or a budget's cheaper one.
    pub name: Option<Arc<str>>,
}

impl Candidate {
    /// Whether the configuration or the bundled file names the model that it is asked for, for a request for this name.
    /// Otherwise only the client does, whose name a pattern matches.
    pub(crate) fn names_model(&self, asked: &str) -> bool {
        let Target { model, adapter, .. } = &*self.target;
        model.is_some()
            || self.name.is_some()
            || self.route.alias == asked
            || model_catalog::has(&adapter.name, self.target.model(asked))
    }

    /// A target with the name of its health record.
    pub(super) fn new(route: &Arc<Route>, target: Arc<Target>, health: Arc<str>) -> Self {
        Self { route: Arc::clone(route), target, health, name: None }
    }

    /// A target with its own health record.
    pub(super) fn at(route: &Arc<Route>, target: &Arc<Target>) -> Self {
        Self::new(route, Arc::clone(target), Arc::clone(&target.id))
    }

    /// The subject of health queries for the target with one of its keys.
    fn subject<'s>(&'s self, target: &'s Target) -> Subject<'s> {
        let is_model = !Arc::ptr_eq(&self.health, &self.target.id);
        Subject { target: &self.health, pattern: is_model.then_some(&self.target.id), ..target.subject() }
    }

    /// The status with the best of the keys.
    pub fn status(&self, health: &Health, now: Instant) -> TargetStatus {
        let all = keys(&self.target).map(|one| health.status(self.subject(one), now));
        all.reduce(TargetStatus::sooner).unwrap_or(TargetStatus::Well)
    }

    /// Admits an exchange with one of the keys. Prefers the key that issued what the request carries, else the next
    /// healthy one, else one that was limited without a known end or was refused.
    pub fn admit(&self, health: &Health, now: Instant, carried: &Carried) -> Option<(Arc<Target>, Ticket)> {
        if self.target.spares.is_empty() {
            return self.admit_with_only_key(health, now);
        }
        let all: Vec<&Arc<Target>> = keys(&self.target).collect();
        let first = match carried.key(&self.target.label) {
            Some(key) => key,
            None if all.len() > 1 => self.route.next_key() % all.len(),
            None => 0,
        };
        let in_turn = || all.iter().cycle().skip(first % all.len()).take(all.len());
        let that =
            |is: fn(TargetStatus) -> bool| in_turn().filter(move |target| is(health.status(self.subject(target), now)));
        let well = that(|status| status == TargetStatus::Well);
        let unstated = that(|status| matches!(status, TargetStatus::Resting(_, Rest::Unstated)));
        let refused = that(|status| matches!(status, TargetStatus::Resting(_, Rest::Refused)));
        let mut usable = well.chain(unstated).chain(refused);
        usable.find_map(|target| Some((Arc::clone(target), health.admit(self.subject(target), now).ok()?)))
    }

    /// Whether another key than this one may be tried now.
    pub(crate) fn has_other_key(&self, health: &Health, key: usize, now: Instant) -> bool {
        let mut others = keys(&self.target).filter(|one| one.key != key);
        others.any(|one| health.status(self.subject(one), now).may_be_tried())
    }

    /// Like [`Self::admit`] for a target with one key, where there is nothing to choose: most targets.
    fn admit_with_only_key(&self, health: &Health, now: Instant) -> Option<(Arc<Target>, Ticket)> {
        let subject = self.subject(&self.target);
        let may_be_tried = health.status(subject, now).may_be_tried();
        let ticket = may_be_tried.then(|| health.admit(subject, now).ok()).flatten()?;
        Some((Arc::clone(&self.target), ticket))
    }
}
