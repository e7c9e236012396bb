//! What was decided about versions and outlives a restart: digests that are quarantined, versions that the operator rolled
//! back from, and what served instead of them.
//!
//! One small file for each plugins folder, `decisions-HASH.json`, in the directory of the compile cache: that belongs to
//! Weir's user alone, and holds the code of what is to serve instead. Several Weirs may share it (the replicas of one
//! configuration): each writes only what *it* changed into what the file says then, in one step and one after another, so
//! of two who decide differently about the same version the later one is remembered. A running Weir does not read it again.
//!
//! ```json
//! {"version": 1,
//!  "quarantined": {"sha256:…": {"name": "openai", "reason": "…", "since": 1760000000000, "by": "judge"}},
//!  "adapters": {"openai": {"rolled_back_from": "sha256:…", "since": 1760000000000,
//!    "instead": {"digest": "sha256:…", "trusted": true, "signer": null}}}}
//! ```
//!
//! Times are milliseconds since 1970. A file that cannot be read is left aside with a warning: Weir then serves what the
//! folder holds, as it does on its first start.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::install::{self, Readers};
use weir_sandbox::digest::Digest;
use weir_sandbox::fault::{clean, head};

/// The file's version. One that has another is left aside.
const VERSION: u32 = 1;
/// Digests that are remembered as quarantined, and adapters of which something is: the latest.
const REMEMBERED: usize = 256;
/// Bytes of a file that is read, and of a reason in it.
const FILE: u64 = 1 << 20;
const REASON: usize = 500;
/// What files with decisions are called.
const PREFIX: &str = "decisions-";

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The judge, by what the adapter's own counters said.
    Judge,
    /// Somebody with the admin's rights.
    Operator,
}

impl By {
    /// As operators read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Operator => "operator",
        }
    }
}

/// Bytes that are not to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The name that they served under.
    pub name: String,
    /// For the operator.
    pub reason: String,
    /// Since when.
    #[serde(with = "moment")]
    pub since: SystemTime,
    /// Who decided it.
    pub by: By,
    /// How often the judge has decided it in a row. The more often, the later they are tried again.
    #[serde(default)]
    pub times: u32,
}

/// Bytes that the judge had taken out of service, and that are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedAgain {
    /// How often the judge had decided it in a row.
    pub times: u32,
    /// Since when.
    #[serde(with = "moment")]
    pub since: SystemTime,
}

/// The version that serves instead of one that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instead {
    /// Which bytes.
    pub digest: Digest,
    /// Whether the lock file vouched for it when it came.
    pub trusted: bool,
    /// The trusted key that had signed it.
    pub signer: Option<String>,
}

/// What was decided about the adapter of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The version that the operator rolled back from.
    pub rolled_back_from: Option<Digest>,
    /// What serves instead of that, or of what is quarantined.
    pub instead: Option<Instead>,
    /// Since when.
    #[serde(with = "moment")]
    pub since: SystemTime,
}

/// What was decided about the adapters of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Bytes that are not to serve.
    pub quarantined: BTreeMap<Digest, Quarantined>,
    /// By the adapter's name.
    pub adapters: BTreeMap<String, Choice>,
    /// Bytes that were quarantined and are tried again.
    #[serde(default)]
    pub tried_again: BTreeMap<Digest, TriedAgain>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    #[serde(flatten)]
    decisions: Decisions,
}

impl Decisions {
    /// Why these bytes are not to serve under this name although nothing is wrong with the file.
    pub fn held(&self, name: &str, digest: Digest) -> Option<String> {
        let rolled_back_from = self.adapters.get(name).and_then(|choice| choice.rolled_back_from);
        held(self.quarantined.get(&digest), rolled_back_from == Some(digest))
    }

    /// Makes the changes that lead from one state to another; what is the same in both stays as it is here.
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

/// Why bytes of which this is known are not to serve.
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

/// Bounds how many there are.
pub(super) fn keep_the_latest<K: Ord + Clone, V>(all: &mut BTreeMap<K, V>, since: impl Fn(&V) -> SystemTime) {
    while all.len() > REMEMBERED {
        let oldest = all.iter().min_by_key(|(_, value)| since(value));
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
        all.remove(&oldest);
    }
}

/// Keeps decisions in a file.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    /// What was read, or written last.
    known: Mutex<Decisions>,
}

impl Keeper {
    /// The keeper of the decisions about the adapters in one folder. `private` is a directory that only Weir's user can
    /// write.
    pub fn open(private: &Path, plugins: &Path) -> Self {
        let plugins = std::fs::canonicalize(plugins).or_else(|_| std::path::absolute(plugins));
        let plugins = plugins.map_or_else(|_| Vec::new(), |path| path.into_os_string().into_encoded_bytes());
        let mut hash = Digest::of(&plugins).hex();
        hash.truncate(16);
        let path = private.join(format!("{PREFIX}{hash}.json"));
        let known = read(&path).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), %error, "what was decided about adapters cannot be read; what the folder holds serves");
            Decisions::default()
        });
        Self { path, known: Mutex::new(known) }
    }

    /// What was decided, as far as it is known here.
    pub fn known(&self) -> Decisions {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what is decided now. That it cannot be kept is told in the log and does no other harm.
    pub(super) fn keep(&self, now: Decisions) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == now {
            return;
        }
        if let Err(error) = self.write(&known, &now) {
            tracing::error!(file = %self.path.display(), %error, "what was decided about adapters will not outlive a restart");
        }
        *known = now;
    }

    fn write(&self, before: &Decisions, now: &Decisions) -> io::Result<()> {
        let _turn = install::turn(&self.path)?;
        // What cannot be read has been told of at the start, and is replaced by what is known.
        let mut decisions = read(&self.path).unwrap_or_else(|_| before.clone());
        decisions.change(before, now);
        let written = serde_json::to_vec_pretty(&Written { version: VERSION, decisions })?;
        install::put(&self.path, &written, Readers::Owner)
    }
}

/// Whether a file in the private directory may be one with decisions.
pub(super) fn is_file(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    is_json && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// The decisions in a file; one that is not there holds none.
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
    let Written { version, mut decisions } = serde_json::from_slice(&bytes)?;
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
