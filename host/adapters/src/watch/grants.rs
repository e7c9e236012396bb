//! Applies changed grants while adapters serve: an adapter whose grants change is loaded and proved again, and then
//! replaces the one with the former grants. No version with other grants is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use super::super::load::Admission;
use super::{ScanTrigger, State, Watch};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::grants::Grants;
use weir_sandbox::limits::AdapterLimits;

/// The reason of a suspension: the adapter needs a grant that was withdrawn.
const WITHDRAWN: &str = "its grants were withdrawn, and it cannot serve without them";

/// Whether an adapter may run and has exactly these grants.
pub(super) fn has(adapter: &Adapter, grants: &Grants) -> bool {
    adapter.grants == *grants && !adapter.state.is_barred()
}

/// Grants by the adapter's name.
pub(crate) type ByName = BTreeMap<String, Grants>;

/// The grants in force. The reload and the watch share them.
#[derive(Debug, Default)]
pub struct Granted {
    now: ArcSwap<ByName>,
    trigger: OnceLock<ScanTrigger>,
}

impl Granted {
    /// Starts with these grants.
    pub fn new(grants: ByName) -> Self {
        Self { now: ArcSwap::from_pointee(grants), trigger: OnceLock::new() }
    }

    /// Replaces all grants. Adapters whose grants change are loaded again soon.
    pub fn replace(&self, grants: ByName) {
        self.now.store(Arc::new(grants));
        if let Some(trigger) = self.trigger.get() {
            trigger.fire();
        }
    }

    /// Returns all grants.
    pub fn all(&self) -> Arc<ByName> {
        self.now.load_full()
    }

    /// Makes each change ring this trigger.
    pub(super) fn attach(&self, trigger: ScanTrigger) {
        let _is_first = self.trigger.set(trigger);
    }
}

impl Watch {
    /// Returns the limits of an adapter, with its grants.
    pub(super) fn limits_of(&self, name: &str) -> AdapterLimits {
        let adapter_limits = self.folder.adapter_limits.get(name).unwrap_or(&self.folder.default_limits).clone();
        AdapterLimits { grants: self.granted.get(name).cloned().unwrap_or_default(), ..adapter_limits }
    }

    /// Takes over the grants in force. Marks the files of adapters whose grants changed to be read again, and returns
    /// the names of these adapters.
    pub(super) fn notice_grants(&mut self) -> Vec<String> {
        let before = std::mem::replace(&mut self.granted, self.folder.grants.all());
        let now = Arc::clone(&self.granted);
        let is_other = |name: &String| before.get(name) != now.get(name);
        let changed: Vec<String> = self.files.keys().filter(|name| is_other(name)).cloned().collect();
        for name in &changed {
            tracing::info!(adapter = name, "the grants changed, so the adapter is loaded again");
            self.catalog.forget_grants_but(name, &self.limits_of(name).grants);
            if let Some(file) = self.files.get_mut(name) {
                file.state = State::New;
            }
        }
        changed
    }

    /// Withdraws the grants that are no longer in force from these adapters.
    pub(super) fn withdraw_grants(&self, names: &[String]) {
        for name in names {
            self.withdraw(name);
        }
    }

    /// Handles an adapter whose file did not go into service with the new grants: loads the version that replaces it
    /// again without the former grants, or suspends the adapter.
    fn withdraw(&self, name: &str) {
        let snapshot = self.catalog.snapshot();
        let adapter_limits = self.limits_of(name);
        let Some(serving) = snapshot.adapters.get(name).filter(|serving| serving.grants.exceed(&adapter_limits.grants))
        else {
            return;
        };
        let is_held = |digest| snapshot.held(name, digest).is_some();
        let in_the_file = snapshot.refused.get(name).and_then(|refused| refused.digest);
        let stands_in = in_the_file.is_some_and(is_held) && !is_held(serving.digest);
        let again = if stands_in { self.recalled(serving, adapter_limits) } else { None };
        let done = if let Some(again) = again {
            self.catalog.return_to(&again, "held back")
        } else {
            // The end of a suspension must not restore the grants.
            serving.state.bar(WITHDRAWN);
            self.catalog.suspend(serving, WITHDRAWN)
        };
        if let Err(error) = done {
            tracing::error!(adapter = name, %error, "the adapter cannot be taken out of service without its grants");
        }
    }

    fn recalled(&self, serving: &Adapter, adapter_limits: AdapterLimits) -> Option<Arc<Adapter>> {
        let admission = Admission { adapter_limits, trusted: serving.trusted, signer: serving.signer.clone() };
        self.loader.recall(&serving.name, serving.digest, &admission)?.ok()
    }
}

#[cfg(test)]
mod tests;
