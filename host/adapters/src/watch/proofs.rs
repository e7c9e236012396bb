//! The proofs of adapters: before they serve, or beside it where the lock file pins them.

use std::path::Path;
use std::sync::Arc;

use super::Watch;
use weir_sandbox::adapter::Adapter;

impl Watch {
    /// Checks whether an adapter proves itself by the fixtures of this file; the error is the reason.
    pub(super) fn prove(&self, adapter: &Arc<Adapter>, file: &Path) -> Result<(), String> {
        self.folder.proof.as_ref().map_or(Ok(()), |proof| proof(adapter, file))
    }

    /// Whether an adapter of this name may serve before its proof, if the lock file pins it.
    pub(super) fn may_prove_beside(&self, name: &str) -> bool {
        self.folder.proves_beside.as_ref().is_some_and(|may| may(name))
    }

    /// Proves the adapters that serve already because the lock file pins them ([`super::Folder::proves_beside`]). What
    /// fails is refused and leaves service; nothing takes its place. [`Watch::follow`] begins with this, and the start is
    /// over then: what comes later is proved before it serves.
    pub fn prove_the_rest(&mut self) {
        self.folder.proves_beside = None;
        for adapter in std::mem::take(&mut self.unproved) {
            match self.prove(&adapter, &self.file(&adapter.name)) {
                Ok(()) => {
                    adapter.pool().set_awaits_proof(false);
                    adapter.warm();
                }
                Err(reason) => self.catalog.expel(&adapter, &reason),
            }
        }
    }
}

#[cfg(test)]
mod tests;
