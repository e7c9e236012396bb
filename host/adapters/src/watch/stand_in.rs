//! Replacements, after a start, for a version that is held back: the version that served before, from the compile
//! cache; otherwise nothing runs, but the manifest of the file's own version still counts.

use std::sync::Arc;

use super::super::load::Admission;
use super::super::policy::Evidence;
use super::{Watch, grants};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;

impl Watch {
    /// Finds a replacement for a name that nothing serves, because `reason` holds these bytes back.
    pub(super) fn stand_in(&self, name: &str, bytes: &[u8], signature: Option<&str>, reason: &str) {
        let snapshot = self.catalog.snapshot();
        let digest = Digest::of(bytes);
        if snapshot.adapters.get(name).is_some_and(|placed| self.is_right(placed, digest)) {
            return;
        }
        let is_served = self.return_to_the_former(name, reason);
        let is_quarantined = snapshot.quarantined.contains_key(&digest);
        if is_served && is_quarantined {
            return;
        }
        let Some(own) = self.load_held(name, digest, bytes, signature) else { return };
        if is_served {
            // The operator may want to activate it again.
            return self.catalog.remember(&own);
        }
        let reason = if is_quarantined {
            reason.strip_prefix("quarantined: ").unwrap_or(reason).to_owned()
        } else {
            format!("{reason}; the version before it is not at hand")
        };
        if let Err(error) = self.catalog.suspend(&own, &reason) {
            tracing::error!(adapter = name, %error, "the suspended adapter is not listed: it conflicts with the others");
        }
    }

    /// Whether an adapter may keep serving its name while these bytes are held back: it is not suspended, or it is
    /// these bytes with the grants in force.
    fn is_right(&self, placed: &Adapter, digest: Digest) -> bool {
        let is_granted = grants::has(placed, &self.limits_of(&placed.name).grants);
        placed.state.suspended().is_none() || (placed.digest == digest && is_granted)
    }

    /// Puts the version that served before in service; returns whether that succeeded.
    fn return_to_the_former(&self, name: &str, reason: &str) -> bool {
        let snapshot = self.catalog.snapshot();
        let Some(instead) = snapshot.instead.get(name) else { return false };
        let digest = instead.digest;
        let vouched = Evidence { pinned: instead.trusted, signer: instead.signer.as_deref().map(Arc::from) };
        if !self.folder.policy.stands_by(name, &vouched) {
            tracing::warn!(adapter = name, %digest, "the version that served before is not vouched for any more");
            return false;
        }
        let admission =
            Admission { adapter_limits: self.limits_of(name), trusted: vouched.pinned, signer: vouched.signer };
        // It proved itself when it was loaded, with fixtures that may have changed since.
        let returned = match self.loader.recall(name, digest, &admission) {
            None => Err("its compiled code is not in the cache, or of another version of Weir".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(former)) => self.catalog.return_to(&former, reason).map_err(|conflict| conflict.to_string()),
        };
        if let Err(error) = &returned {
            tracing::error!(adapter = name, %digest, error, "the version that served before cannot return");
        }
        returned.is_ok()
    }

    /// Loads the held version itself, if only the decision keeps it from serving.
    fn load_held(&self, name: &str, digest: Digest, bytes: &[u8], signature: Option<&str>) -> Option<Arc<Adapter>> {
        let vouched = self.folder.policy.check(name, digest, &self.lock, signature).ok()?;
        let admission =
            Admission { adapter_limits: self.limits_of(name), trusted: vouched.pinned, signer: vouched.signer };
        match self.load(&self.file(name), bytes, &admission, name, self.folder.truncated_for) {
            Ok(adapter) => Some(adapter),
            Err(error) => {
                tracing::warn!(adapter = name, %error, "the version that is held back could not serve anyway");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
