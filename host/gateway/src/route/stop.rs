//! A target as one request goes to it: with any of its keys, and with the health of the model that it asks for.

use std::sync::Arc;
use std::time::Instant;

use super::{Route, Target, keys};
use crate::health::{Health, Rest, Standing, Subject, Ticket};
use crate::origin::Carried;

/// A place to go to.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The route that it is a target of: the one that was asked for, or a fallback.
    pub route: Arc<Route>,
    /// The target; with any of its keys.
    pub target: Arc<Target>,
    /// By which its health is known: provider and model, where the target is a pattern's the model that is asked for.
    pub health: Arc<str>,
}

impl Stop {
    /// A target, by this name of its health.
    pub(super) fn new(route: &Arc<Route>, target: Arc<Target>, health: Arc<str>) -> Self {
        Self { route: Arc::clone(route), target, health }
    }

    /// A target as a whole.
    pub(super) fn at(route: &Arc<Route>, target: &Arc<Target>) -> Self {
        Self::new(route, Arc::clone(target), Arc::clone(&target.id))
    }

    /// What its health is asked by, for the target with one of its keys.
    fn subject<'s>(&'s self, target: &'s Target) -> Subject<'s> {
        let is_model = !Arc::ptr_eq(&self.health, &self.target.id);
        Subject { target: &self.health, pattern: is_model.then_some(&self.target.id), ..target.subject() }
    }

    /// How it stands, by the best of its keys.
    pub fn standing(&self, health: &Health, now: Instant) -> Standing {
        let all = keys(&self.target).map(|one| health.standing(self.subject(one), now));
        all.reduce(Standing::sooner).unwrap_or(Standing::Well)
    }

    /// Lets an exchange in with one of its keys: that with which something was made that the request carries, else the
    /// next that is well, else one that was asked for fewer requests or refused of late.
    pub fn admit(&self, health: &Health, now: Instant, carried: &Carried) -> Option<(Arc<Target>, Ticket)> {
        let all: Vec<&Arc<Target>> = keys(&self.target).collect();
        let first = match carried.key(&self.target.label) {
            Some(key) => key,
            None if all.len() > 1 => self.route.next_key() % all.len(),
            None => 0,
        };
        let in_turn = || all.iter().cycle().skip(first % all.len()).take(all.len());
        let that =
            |is: fn(Standing) -> bool| in_turn().filter(move |target| is(health.standing(self.subject(target), now)));
        let well = that(|standing| standing == Standing::Well);
        let untold = that(|standing| matches!(standing, Standing::Resting(_, Rest::Untold)));
        let refused = that(|standing| matches!(standing, Standing::Resting(_, Rest::Refused)));
        let mut usable = well.chain(untold).chain(refused);
        usable.find_map(|target| Some((Arc::clone(target), health.admit(self.subject(target), now).ok()?)))
    }
}
