//! Puts bytes through the checks for a file of the directory before they are in it, so that nothing is put there that
//! would be refused.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::catalog::{Catalog, Conflict};
use super::super::load::{Admission, LoadError, Loader};
use super::super::policy::UnmetPolicy;
use super::look::Unloaded;
use super::{Folder, Watch, exposed};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;

/// Why bytes would be refused as a file of the directory.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// Every user of this machine could put files into the directory.
    #[error("{0}")]
    Exposed(String),
    /// It breaks a rule of components or adapters, or fails its proof.
    #[error("{0}")]
    Unsound(String),
    /// The operator or the judge keeps these bytes from serving.
    #[error("{0}")]
    Held(String),
    /// Nothing vouches for it as the policy demands.
    #[error(transparent)]
    UnmetPolicy(#[from] UnmetPolicy),
    /// It is older than the version that is pinned.
    #[error("{0}")]
    Downgrade(String),
    /// The fixtures to prove it by cannot be had.
    #[error("{0}")]
    Fixtures(#[source] Box<dyn Error + Send + Sync>),
    /// It cannot serve beside the others.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

impl From<LoadError> for RehearsalError {
    fn from(error: LoadError) -> Self {
        Self::Unsound(error.to_string())
    }
}

impl From<Unloaded> for RehearsalError {
    fn from(error: Unloaded) -> Self {
        Self::Unsound(error.to_string())
    }
}

impl Watch {
    /// Puts bytes through all checks for a file of the directory, beside the adapters that are there, as if the lock
    /// file pinned them. `proved_by` returns the file whose fixtures prove the adapter of that name. Afterwards the
    /// compiled code is in the cache.
    pub fn rehearse(
        &mut self,
        bytes: &[u8],
        signature: Option<&str>,
        proved_by: impl Fn(&str) -> Result<PathBuf, Box<dyn Error + Send + Sync>>,
    ) -> Result<Arc<Adapter>, RehearsalError> {
        if !self.folder.allow_writable
            && let Some(reason) = exposed([self.folder.dir.as_path()])
        {
            return Err(RehearsalError::Exposed(reason));
        }
        let name = match self.loader.load("", bytes, &Admission::default()) {
            Err(LoadError::Name { found, .. }) => found,
            Err(error) => return Err(error.into()),
            Ok(adapter) => adapter.name.to_string(),
        };
        let digest = Digest::of(bytes);
        if let Some(reason) = self.catalog.snapshot().held(&name, digest) {
            return Err(RehearsalError::Held(reason));
        }
        self.lock.pin(&name, digest);
        let vouched = self.folder.policy.check(&name, digest, &self.lock, signature);
        let signer = vouched?.signer;
        let adapter_limits = self.limits_of(&name);
        let admission = Admission { adapter_limits, trusted: true, signer };
        let waited = self.folder.truncated_for;
        let file = proved_by(&name).map_err(RehearsalError::Fixtures)?;
        let adapter = self.load(&file, bytes, &admission, &name, waited)?;
        self.catalog.publish(&adapter)?;
        Ok(adapter)
    }

    /// The same checks for files that are to be put into the directory while a thread follows it.
    pub fn rehearsal(&self) -> Rehearsal {
        Rehearsal { folder: self.folder.clone(), loader: self.loader.clone(), catalog: Arc::clone(&self.catalog) }
    }
}

/// The checks of the directory, beside the thread that follows it. They change nothing but the compile cache, in which
/// that thread then finds the code.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    folder: Folder,
    loader: Loader,
    catalog: Arc<Catalog>,
}

impl Rehearsal {
    /// The adapters' directory.
    pub fn dir(&self) -> &Path {
        &self.folder.dir
    }

    /// The largest file that is accepted, in bytes.
    pub fn largest(&self) -> usize {
        self.loader.engine().limits().structure.bytes
    }

    /// Checks bytes as a file `NAME.wasm` of the directory: pins and signatures, structure, manifest, the fixtures of
    /// the file at `proved_by`, and that it can serve beside the others. That the operator rolled back from it is no
    /// reason to refuse it. Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// The reason why the file would be refused.
    pub fn check(
        &self,
        name: &str,
        bytes: &[u8],
        signature: Option<&str>,
        proved_by: &Path,
    ) -> Result<Arc<Adapter>, RehearsalError> {
        if !self.folder.allow_writable
            && let Some(reason) = exposed([self.folder.dir.as_path()])
        {
            return Err(RehearsalError::Exposed(reason));
        }
        let mut watch = Watch::new(self.folder.clone(), self.loader.clone(), Arc::clone(&self.catalog));
        watch.read_lock();
        let digest = Digest::of(bytes);
        if let Some(quarantined) = self.catalog.snapshot().quarantined.get(&digest) {
            let reason = format!("it is quarantined ({}); release it first", quarantined.reason);
            return Err(RehearsalError::Held(reason));
        }
        let vouched = watch.folder.policy.check(name, digest, &watch.lock, signature)?;
        let admission =
            Admission { adapter_limits: watch.limits_of(name), trusted: vouched.pinned, signer: vouched.signer };
        let waited = watch.folder.truncated_for;
        let adapter = watch.load(proved_by, bytes, &admission, name, waited)?;
        if let Some(reason) = watch.downgrade(&adapter) {
            return Err(RehearsalError::Downgrade(reason));
        }
        self.catalog.check_beside(&adapter)?;
        Ok(adapter)
    }
}
