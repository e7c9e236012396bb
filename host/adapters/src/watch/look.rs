//! Looks at files of the directory: reads, checks, loads and proves them. That changes nothing, so that several new
//! files are looked at at once; what was seen is taken into the catalog afterwards, in the order of the names.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::super::load::Admission;
use super::super::semver::is_older;
use super::proofs::needed_of;
use super::{ProofError, Retry, State, Unproved, Watch, exposed, file, grants, read_signature};
use weir_sandbox::adapter::Adapter;
use weir_sandbox::digest::Digest;

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Look {
    /// It changed while it was read: the next scan sees another stamp.
    Changed,
    /// It is truncated, but may just be incomplete yet.
    Short,
    /// It cannot be read, or must not be.
    Unreadable(String),
    /// It was read.
    Read(Version, FileOutcome),
}

/// A file's bytes, by digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    digest: Digest,
    /// Whether the lock file pins them.
    trusted: bool,
}

/// What becomes of a file's bytes.
#[derive(Debug)]
pub(super) enum FileOutcome {
    /// They are quarantined, or the operator rolled back from them.
    Held { reason: String, bytes: Vec<u8>, signature: Option<String> },
    /// They are refused.
    Refused(String),
    /// They are refused as long as the machine has no time to prove them.
    Starved(String),
    /// They serve already.
    Serves,
    /// They are to serve, and may await their proof: then with what that needs of them.
    Loaded(Arc<Adapter>, Vec<u8>),
}

/// Why an adapter cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unloaded {
    /// The file may just be incomplete yet.
    #[error("the file is incomplete")]
    Unfinished,
    /// It breaks a rule, or fails its proof.
    #[error("{0}")]
    Refused(String),
    /// Its proof lacked time.
    #[error("{0}")]
    Starved(String),
}

impl From<ProofError> for Unloaded {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Failed(reason) => Self::Refused(reason),
            ProofError::LackedTime(reason) => Self::Starved(reason),
        }
    }
}

impl Watch {
    /// Looks at all new files, with a thread for each core.
    pub(super) fn look_at_the_new(&self, now: Instant) -> BTreeMap<String, Look> {
        let new: Vec<&String> =
            self.files.iter().filter(|(_, file)| file.state == State::New).map(|(name, _)| name).collect();
        let next = AtomicUsize::new(0);
        let look_at_some = || {
            let mut looks = Vec::new();
            while let Some(name) = new.get(next.fetch_add(1, Relaxed)) {
                looks.extend(self.look(name, now).map(|look| ((*name).clone(), look)));
            }
            looks
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(new.len());
        thread::scope(|scope| {
            // Where the system has no thread left, the others look at more.
            let begin = |_| thread::Builder::new().spawn_scoped(scope, look_at_some).ok();
            let others: Vec<_> = (1..threads).map_while(begin).collect();
            let mut looks = look_at_some();
            // What a thread that panicked saw is missing, and looked at again.
            looks.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
            looks.into_iter().collect()
        })
    }

    /// Looks at a file; `None` if nothing is due.
    pub(super) fn look(&self, name: &str, now: Instant) -> Option<Look> {
        let file = self.files.get(name).filter(|file| file.gone.is_none())?;
        let is_due = match file.state {
            State::New => file.is_settled(self.folder.settle, now),
            State::Short | State::Unreadable => true,
            // A file that neither serves nor was refused has been released: from quarantine, or by a rollback of the
            // operator.
            State::Done { digest, trusted } => {
                trusted != self.lock.trusts(name, digest) || !self.catalog.snapshot().accounts_for(name, digest)
            }
            State::Conflict { generation } => generation != self.catalog.snapshot().generation,
            State::Starved { digest, trusted, retry } => retry.is_due(now) || trusted != self.lock.trusts(name, digest),
        };
        if !is_due {
            return None;
        }
        if !self.folder.allow_writable
            && let Some(reason) = exposed([self.folder.dir.as_path(), file.stamp.path()])
        {
            return Some(Look::Unreadable(reason));
        }
        let bytes = match file::read(&file.stamp, self.loader.engine().limits().structure.bytes) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Some(Look::Changed),
            Err(error) => return Some(Look::Unreadable(format!("cannot read it: {error}"))),
        };
        let waited = now.duration_since(file.since).max(file.stamp.age().unwrap_or_default());
        let signature =
            file.signature.as_ref().filter(|_| self.folder.policy.reads_signatures()).and_then(read_signature);
        let digest = Digest::of(&bytes);
        let version = Version { digest, trusted: self.lock.trusts(name, digest) };
        let fate = self.fate(name, version, bytes, signature, waited);
        Some(fate.map_or(Look::Short, |fate| Look::Read(version, fate)))
    }

    /// What becomes of these bytes; `None` if they may just be incomplete yet.
    fn fate(
        &self,
        name: &str,
        Version { digest, trusted }: Version,
        bytes: Vec<u8>,
        signature: Option<String>,
        waited: Duration,
    ) -> Option<FileOutcome> {
        let snapshot = self.catalog.snapshot();
        if let Some(reason) = snapshot.held(name, digest) {
            return Some(FileOutcome::Held { reason, bytes, signature });
        }
        let signer = match self.folder.policy.check(name, digest, &self.lock, signature.as_deref()) {
            Ok(vouched) => vouched.signer,
            Err(missing) => return Some(FileOutcome::Refused(missing.to_string())),
        };
        let adapter_limits = self.limits_of(name);
        let known = snapshot.version(name, digest).filter(|adapter| grants::has(adapter, &adapter_limits.grants));
        let known = known.filter(|adapter| adapter.trusted == trusted && adapter.signer == signer);
        let adapter = match known {
            Some(known) if !known.state.rests() => return Some(FileOutcome::Serves),
            // It has proved itself before.
            Some(known) => Arc::clone(known),
            None => {
                let is_beside = trusted && self.may_prove_beside(name) && !snapshot.adapters.contains_key(name);
                let admission = Admission { adapter_limits, trusted, signer };
                let loaded = if is_beside {
                    self.load_unproved(&bytes, &admission, name, waited)
                } else {
                    self.load(&self.file(name), &bytes, &admission, name, waited)
                };
                match loaded {
                    Ok(adapter) => {
                        adapter.pool().set_awaits_proof(is_beside);
                        adapter
                    }
                    Err(Unloaded::Unfinished) => return None,
                    Err(Unloaded::Refused(reason)) => return Some(FileOutcome::Refused(reason)),
                    Err(Unloaded::Starved(reason)) => return Some(FileOutcome::Starved(reason)),
                }
            }
        };
        Some(match self.downgrade(&adapter) {
            Some(reason) => FileOutcome::Refused(reason),
            None if adapter.pool().awaits_proof() => FileOutcome::Loaded(adapter, needed_of(bytes)),
            None => FileOutcome::Loaded(adapter, Vec::new()),
        })
    }

    /// Takes what was seen of a file into the catalog.
    pub(super) fn take(&mut self, name: &str, look: Look) {
        let state = match look {
            Look::Changed => return,
            Look::Short => State::Short,
            Look::Unreadable(reason) => {
                self.catalog.refuse(name, None, reason);
                State::Unreadable
            }
            Look::Read(version, fate) => self.act_on(name, version, fate),
        };
        if let Some(file) = self.files.get_mut(name) {
            file.state = state;
        }
    }

    fn act_on(&mut self, name: &str, Version { digest, trusted }: Version, fate: FileOutcome) -> State {
        match fate {
            FileOutcome::Held { reason, bytes, signature } => {
                self.catalog.refuse(name, Some(digest), reason.clone());
                self.stand_in(name, &bytes, signature.as_deref(), &reason);
            }
            FileOutcome::Refused(reason) => self.catalog.refuse(name, Some(digest), reason),
            FileOutcome::Starved(reason) => {
                self.catalog.refuse(name, Some(digest), reason);
                if let Some(retry) = self.retry_of(name, digest) {
                    return State::Starved { digest, trusted, retry };
                }
            }
            FileOutcome::Serves => {
                self.catalog.withdraw(name, digest);
                self.catalog.clear_refusal(name);
            }
            FileOutcome::Loaded(adapter, bytes) => {
                if self.catalog.publish(&adapter).is_err() {
                    return State::Conflict { generation: self.catalog.snapshot().generation };
                }
                self.warn_of_other_bytes(&adapter);
                if adapter.pool().awaits_proof() {
                    self.unproved.push(Unproved::new(adapter, bytes));
                }
            }
        }
        State::Done { digest, trusted }
    }

    /// Warns that an adapter serves whose bytes are not those that the lock file pins: a build, or a file from
    /// elsewhere.
    fn warn_of_other_bytes(&self, adapter: &Adapter) {
        let pinned = self.lock.pinned(&adapter.name).filter(|_| !adapter.trusted && adapter.signer.is_none());
        if let Some(pinned) = pinned {
            let (name, digest, pinned) = (&*adapter.name, adapter.digest.short(), pinned.short());
            tracing::warn!(
                adapter = name,
                digest,
                pinned,
                "the lock file pins other bytes: `weir plugin install` pins these, `require_lock` refuses them"
            );
        }
    }

    /// Why a signed version must not replace a later one that is pinned: an old signature stays valid although the
    /// version has defects.
    pub(super) fn downgrade(&self, adapter: &Adapter) -> Option<String> {
        let version = &adapter.manifest.version;
        let pinned = self.lock.version(&adapter.name).filter(|_| !adapter.trusted && adapter.signer.is_some())?;
        is_older(version, pinned).then(|| {
            format!(
                "its version {version} is older than {pinned}, which is pinned: `weir plugin install --allow-downgrade`"
            )
        })
    }

    /// Loads and proves an adapter, by the fixtures beside a file or in these bytes.
    pub(super) fn load(
        &self,
        file: &Path,
        bytes: &[u8],
        admission: &Admission,
        name: &str,
        waited: Duration,
    ) -> Result<Arc<Adapter>, Unloaded> {
        let adapter = self.load_unproved(bytes, admission, name, waited)?;
        self.prove(&adapter, file, bytes)?;
        Ok(adapter)
    }

    /// When to prove a file again whose proof lacked time; `None` if that was the last attempt.
    fn retry_of(&self, name: &str, digest: Digest) -> Option<Retry> {
        let former = match self.files.get(name)?.state {
            State::Starved { digest: former, retry, .. } if former == digest => Some(retry),
            _ => None,
        };
        Retry::next(former, self.folder.breather)
    }

    /// Loads an adapter from a file of this name that is at least as old as given.
    fn load_unproved(
        &self,
        bytes: &[u8],
        admission: &Admission,
        name: &str,
        waited: Duration,
    ) -> Result<Arc<Adapter>, Unloaded> {
        self.loader.load(name, bytes, admission).map_err(|error| {
            let is_awaited = error.may_pass() && waited < self.folder.truncated_for;
            if is_awaited { Unloaded::Unfinished } else { Unloaded::Refused(error.to_string()) }
        })
    }

    /// The file of this name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.dir.join(format!("{name}.wasm"))
    }
}
