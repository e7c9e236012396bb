//! Work that outlives the process that began it: a store keeps it until it is booked, and another process reads it from
//! there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Gateway;
use super::unread::way_to;
use crate::accounting::{KeptWork, OldDebt, Unbooked, WorkName, WorkStore, WorkTerms};
use crate::admission::AdmissionPermit;
use crate::provenance::{Issuer, Kind, ObjectKind, is_object};
use crate::route::Target;
use crate::serving::{Serving, Stored};

/// The target with the prices of the work's model. Passed-through work has those of the configured model of its name,
/// if there is one.
fn priced<'a>(serving: &'a Serving, target: &'a Arc<Target>, model: &str) -> &'a Arc<Target> {
    let has_passed = serving.passages.iter().any(|passage| passage.target().id == target.id);
    let configured = serving.routes.of_provider(&target.label, model).filter(|_| has_passed);
    configured.map_or(target, |(_, configured)| configured)
}

impl Gateway {
    /// Keeps work in a store from now on. A store that is set later is ignored.
    pub fn keep_work_in(&self, store: Arc<dyn WorkStore>) {
        self.unbooked.keep_work_in(store);
    }

    /// Sets which of the store's work this process holds until `until`, and therefore books. It books no other work of
    /// the store. If `until` is `None`, no other process can take the work over.
    pub fn hold_work(&self, names: &HashSet<WorkName>, until: Option<Instant>) {
        self.unbooked.hold(names, until);
    }

    /// How much more work this process can hold.
    pub fn room_for_work(&self) -> usize {
        self.unbooked.room_for_work()
    }

    /// Takes over kept work that this process holds. Returns the work if it cannot be read yet: its provider is not
    /// configured, its caller is unknown now, or other nodes have not yet reported their use of its budgets. Work that
    /// is older than Weir asks for it is given up. `now` is the time since 1970 by the clock that all nodes of the
    /// store share; this node's own may be ahead.
    pub fn restore_work(&self, work: KeptWork, now: Duration) -> Option<KeptWork> {
        let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = here.min(now).saturating_sub(Duration::from_millis(work.made_ms));
        let serving = self.serving.load_full();
        if self.owe_again(&serving, &work, age).is_some() {
            return None;
        }
        if Unbooked::is_over(age) {
            self.unbooked.give_up_kept(&work);
            return None;
        }
        Some(work)
    }

    /// Makes the caller owe for the work again; `None` if that is not possible now.
    fn owe_again(&self, serving: &Serving, KeptWork { name, terms, .. }: &KeptWork, age: Duration) -> Option<()> {
        let WorkTerms { provider, issuer, key, format, operation, alias, .. } = terms;
        let issuer = Issuer { target: Arc::from(&**issuer), provider: Arc::from(&**provider), key: *key };
        let way = way_to(serving, &issuer, Stored::Work)?;
        let caller = terms.caller.restore(&name.tenant, &serving.config, &self.stored_keys)?;
        let is_making = |one: &&crate::accept::Acceptance| one.format == *format && one.operation.name() == operation;
        let tap = way.target.accepts.iter().find(is_making).and_then(|one| one.tap.clone())?;
        if !self.admission.budgets.can_resume(&terms.budgets) {
            return None;
        }
        let series = way.route.series(&self.metrics, way.endpoint, caller.label());
        let book = self.metrics.book(&series, Some(&way.target.label));
        self.note_issuer(&caller.tenant, &name.id, &issuer);
        let priced = priced(serving, way.target, alias);
        let (tariff, pricing) = (priced.tariff(alias), priced.pricing.clone());
        let (alias, target) = (Arc::from(&**alias), Arc::from(&*terms.target));
        let permit = AdmissionPermit::resumed(self.admission.budgets.resume(&terms.budgets));
        let debt = OldDebt { caller, issuer, tariff, pricing, book, alias, target, permit };
        self.unbooked.owe_again(&name.id, tap, debt, age);
        Some(())
    }

    /// Records the work's provider for its client, so that the client's requests are routed there and no other client's
    /// are.
    pub(super) fn note_issuer(&self, tenant: &Arc<str>, id: &str, issuer: &Issuer) {
        if is_object(id.as_bytes()) {
            self.reasoning_cache.provenance().learn(Kind::Object, tenant, id.as_bytes(), issuer);
        }
        if !tenant.is_empty() {
            self.reasoning_cache.owners().keep(ObjectKind::Object, id.as_bytes(), tenant);
        }
    }
}
