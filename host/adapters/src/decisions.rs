//! Decisions about versions that outlive a restart: quarantined digests, versions that the operator rolled back from,
//! and the versions that serve instead.
//!
//! Each plugins folder has one small file, `decisions-HASH.json`, in the directory of the compile cache, which belongs
//! to Weir's user alone and holds the code of the versions that serve instead. Several Weirs may share it (the replicas
//! of one configuration): each merges only its *own* changes into the current file, atomically and one after another,
//! so that of two different decisions about the same version the later one stays. A running Weir does not read the file
//! again.
//!
//! ```json
//! {"version": 1,
//!  "quarantined": {"sha256:…": {"name": "openai", "reason": "…", "since": 1760000000000, "by": "judge"}},
//!  "adapters": {"openai": {"rolled_back_from": "sha256:…", "since": 1760000000000,
//!    "instead": {"digest": "sha256:…", "trusted": true, "signer": null}}}}
//! ```
//!
//! Times are milliseconds since 1970. A file that cannot be read is ignored with a warning: Weir then serves the
//! contents of the folder, as on its first start.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::atomic_file::{self, Readers};
use weir_sandbox::digest::Digest;
use weir_sandbox::fault::{clean, head};

/// Version of the file format. A file of another version is ignored.
const VERSION: u32 = 1;
/// Maximum number of quarantined digests and of adapters with a decision; the latest are kept.
const REMEMBERED: usize = 256;
/// Maximum size of a file that is read, and of a reason in it, in bytes.
const FILE: u64 = 1 << 20;
const REASON: usize = 500;
/// Prefix of the names of decision files.
const PREFIX: &str = "decisions-";

/// The author of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The judge, based on the adapter's own counters.
    Judge,
    /// An operator with admin rights.
    Operator,
}

impl DecidedBy {
    /// The name that operators see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Operator => "operator",
        }
    }
}

/// A quarantined digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The adapter's name.
    pub name: String,
    /// The reason, for the operator.
    pub reason: String,
    /// Start of the quarantine.
    #[serde(with = "moment")]
    pub since: SystemTime,
    /// The author of the decision.
    pub by: DecidedBy,
    /// How often in a row the judge has quarantined it. Each time doubles the pause before the next attempt.
    #[serde(default)]
    pub times: u32,
}

/// A digest that the judge had quarantined and that serves again on probation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedAgain {
    /// How often in a row the judge had quarantined it.
    pub times: u32,
    /// Start of the probation.
    #[serde(with = "moment")]
    pub since: SystemTime,
}

/// The version that serves instead of one that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Whether the lock file pinned it when it was loaded.
    pub trusted: bool,
    /// The trusted key that had signed it.
    pub signer: Option<String>,
}

/// The decisions about one adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The version that the operator rolled back from.
    pub rolled_back_from: Option<Digest>,
    /// The version that serves instead of that, or instead of a quarantined one.
    pub instead: Option<StandIn>,
    /// Time of the decision.
    #[serde(with = "moment")]
    pub since: SystemTime,
}

/// The decisions about the adapters of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Quarantined digests.
    pub quarantined: BTreeMap<Digest, Quarantined>,
    /// Decisions by the adapter's name.
    pub adapters: BTreeMap<String, Choice>,
    /// Digests that were quarantined and are on probation.
    #[serde(default)]
    pub tried_again: BTreeMap<Digest, TriedAgain>,
}

#[derive(Serialize, Deserialize)]
struct DecisionsFile {
    version: u32,
    #[serde(flatten)]
    decisions: Decisions,
}

impl Decisions {
    /// Why these bytes must not serve under this name, although the file itself is sound.
    pub fn held(&self, name: &str, digest: Digest) -> Option<String> {
        let rolled_back_from = self.adapters.get(name).and_then(|choice| choice.rolled_back_from);
        held(self.quarantined.get(&digest), rolled_back_from == Some(digest))
    }

    /// Applies the changes between two states; entries that are equal in both stay as they are here.
    fn change(&mut self, from: &Self, to: &Self) {
        change(&mut self.quarantined, &from.quarantined, &to.quarantined);
        change(&mut self.adapters, &from.adapters, &to.adapters);
        change(&mut self.tried_again, &from.tried_again, &to.tried_again);
        self.bound();
    }

    fn bound(&mut self) {
        for quarantined in self.quarantined.values_mut() {
            let reason = clean(&quarantined.reason);
            head(&reason, REASON).clone_into(&mut quarantined.reason);
        }
        keep_the_latest(&mut self.quarantined, |quarantined| quarantined.since);
        keep_the_latest(&mut self.adapters, |choice| choice.since);
        keep_the_latest(&mut self.tried_again, |tried| tried.since);
    }
}

/// Why bytes must not serve, given these decisions about them.
pub(super) fn held(quarantined: Option<&Quarantined>, is_rolled_back_from: bool) -> Option<String> {
    if let Some(quarantined) = quarantined {
        return Some(format!("quarantined: {}", quarantined.reason));
    }
    is_rolled_back_from.then(|| "rolled back by the operator; activate it, or put another file in its place".to_owned())
}

fn change<K: Ord + Clone, V: PartialEq + Clone>(at: &mut BTreeMap<K, V>, from: &BTreeMap<K, V>, to: &BTreeMap<K, V>) {
    for key in from.keys().filter(|key| !to.contains_key(key)) {
        at.remove(key);
    }
    let changed = to.iter().filter(|(key, value)| from.get(key) != Some(value));
    at.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
}

/// Removes the oldest entries beyond the limit.
pub(super) fn keep_the_latest<K: Ord + Clone, V>(all: &mut BTreeMap<K, V>, since: impl Fn(&V) -> SystemTime) {
    while all.len() > REMEMBERED {
        let oldest = all.iter().min_by_key(|(_, value)| since(value));
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
        all.remove(&oldest);
    }
}

/// Stores decisions in a file.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    /// The decisions last read or written.
    known: Mutex<Decisions>,
}

impl Keeper {
    /// Opens the decisions about the adapters of one folder. Only Weir's user may have write access to the directory
    /// `private`.
    pub fn open(private: &Path, plugins: &Path) -> Self {
        let plugins = std::fs::canonicalize(plugins).or_else(|_| std::path::absolute(plugins));
        let plugins = plugins.map_or_else(|_| Vec::new(), |path| path.into_os_string().into_encoded_bytes());
        let mut hash = Digest::of(&plugins).hex();
        hash.truncate(16);
        let path = private.join(format!("{PREFIX}{hash}.json"));
        let known = read(&path).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), %error, "the decisions about adapters cannot be read; the folder's files serve");
            Decisions::default()
        });
        Self { path, known: Mutex::new(known) }
    }

    /// The decisions as far as this process knows them.
    pub fn known(&self) -> Decisions {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores the current decisions. A failure is logged and does no other harm.
    pub(super) fn keep(&self, now: Decisions) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == now {
            return;
        }
        if let Err(error) = self.write(&known, &now) {
            tracing::error!(file = %self.path.display(), %error, "the decisions about adapters cannot be written: a restart forgets them");
        }
        *known = now;
    }

    fn write(&self, before: &Decisions, now: &Decisions) -> io::Result<()> {
        let _turn = atomic_file::turn(&self.path)?;
        // An unreadable file was logged at the start, and is replaced by the known decisions.
        let mut decisions = read(&self.path).unwrap_or_else(|_| before.clone());
        decisions.change(before, now);
        let written = serde_json::to_vec_pretty(&DecisionsFile { version: VERSION, decisions })?;
        atomic_file::put(&self.path, &written, Readers::Owner)
    }
}

/// Whether a file in the private directory may hold decisions.
pub(super) fn is_file(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    is_json && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// The decisions in a file; none if it does not exist.
fn read(path: &Path) -> io::Result<Decisions> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Decisions::default()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE {
        return Err(io::Error::other("it is too long"));
    }
    let DecisionsFile { version, mut decisions } = serde_json::from_slice(&bytes)?;
    if version != VERSION {
        return Err(io::Error::other(format!("it is of version {version}, and this Weir knows {VERSION}")));
    }
    decisions.bound();
    Ok(decisions)
}

/// Times as milliseconds since 1970.
mod moment {
    use std::time::{Duration, SystemTime};

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        serializer.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let since = Duration::from_millis(u64::deserialize(deserializer)?);
        Ok(SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH))
    }
}

#[cfg(test)]
mod tests;
