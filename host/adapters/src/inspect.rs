//! The values that `weir plugin list` and `weir plugin inspect` print.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::decisions::Decisions;
use super::load::{Admission, LoadError, Loader};
use super::lock::Lock;
use super::policy::{Evidence, Policy, UnmetPolicy};
use super::watch::signature_beside;
use weir_sandbox::adapter::Adapter;
use weir_sandbox::component_file;
use weir_sandbox::digest::Digest;
use weir_sandbox::grants::Grants;
use weir_sandbox::limits::AdapterLimits;
use weir_sandbox::shape::{Shape, ShapeError};
use weir_types::contract::about::Manifest;

/// All facts about a component.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Version of the contract that it implements.
    pub contract: &'static str,
    /// The contract's interfaces that it exports.
    pub interfaces: Vec<&'static str>,
    /// Its structure.
    pub shape: Shape,
    /// Number of slots of the pool that an instance takes.
    pub weight: u32,
    /// The operator's grants: what it may use beyond its input.
    pub grants: Grants,
    /// Why fixtures cannot prove it pure; `None` without grants.
    pub impurity: Option<String>,
    /// The data that `describe` returned.
    pub manifest: Manifest,
}

/// Checks and compiles a component and calls `describe`, under the limits for serving.
pub fn inspect(loader: &Loader, bytes: &[u8]) -> Result<Inspection, LoadError> {
    // The name is reported, not judged, so any name is accepted.
    let admission = Admission::default();
    let adapter = match loader.load("", bytes, &admission) {
        Err(LoadError::Name { found, .. }) => loader.load(&found, bytes, &admission)?,
        other => other?,
    };
    of(&adapter)
}

/// The same facts about an adapter that is already loaded.
pub fn of(adapter: &Adapter) -> Result<Inspection, LoadError> {
    Ok(Inspection {
        digest: adapter.digest,
        contract: adapter.shape.version()?.name(),
        interfaces: adapter.interfaces.iter().map(weir_sandbox::Interface::name).collect(),
        weight: adapter.pool().weight(),
        shape: adapter.shape.clone(),
        grants: adapter.grants.clone(),
        impurity: adapter.grants.impurity(),
        manifest: adapter.manifest.clone(),
    })
}

/// The facts that are known without compiling.
pub fn shape(loader: &Loader, bytes: &[u8]) -> Result<Shape, ShapeError> {
    Shape::read(bytes, &loader.engine().limits().structure)
}

/// One line of `weir plugin list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PluginRow {
    /// The file's name without `.wasm`.
    pub name: String,
    /// Digest of its bytes; `None` if they cannot be read.
    pub digest: Option<Digest>,
    /// The adapter's version; `None` if it is refused.
    pub version: Option<String>,
    /// A short description, for people.
    pub description: Option<String>,
    /// Whether the lock file pins it.
    pub trusted: bool,
    /// The trusted key that signed it.
    pub signed_by: Option<String>,
    /// Formats of its faces.
    pub faces: Vec<String>,
    /// Formats that its provider takes unchanged.
    pub accepts: Vec<String>,
    /// The reason if it is refused; `None` if it would serve.
    pub refused: Option<String>,
    /// Whether fixtures prove it.
    pub proved: bool,
    /// The operator's grants: what it may use beyond its input.
    pub grants: Grants,
    /// Why fixtures cannot prove it pure; `None` without grants.
    pub impurity: Option<String>,
    /// Claims that would not be served, because other adapters serve these paths.
    pub left_out: Vec<String>,
    /// Its manifest; `None` if it is refused.
    #[serde(skip)]
    pub manifest: Option<Manifest>,
}

/// The operator's settings that a list of adapters takes into account.
#[derive(Debug, Default)]
pub struct ListSettings {
    /// The pinned digests.
    pub lock: Lock,
    /// The requirements of files.
    pub policy: Policy,
    /// The decisions about versions.
    pub decisions: Decisions,
    /// The grants by the adapter's name.
    pub grants: BTreeMap<String, Grants>,
}

/// Lists every component in a directory, ordered by name.
pub fn list(loader: &Loader, dir: &Path, wishes: &ListSettings) -> io::Result<Vec<PluginRow>> {
    let ListSettings { lock, policy, decisions, grants } = wishes;
    let mut names: Vec<String> = std::fs::read_dir(dir)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned))
        .filter(|name| !name.is_empty() && !name.starts_with('.'))
        .collect();
    names.sort();
    let vouch = |name: &str, digest, file: &Path| match decisions.held(name, digest) {
        Some(reason) => Err(Barred::Held(reason)),
        None => Ok(policy.check(name, digest, lock, signature_beside(file).as_deref())?),
    };
    let granted = |name: &str| grants.get(name).cloned().unwrap_or_default();
    let one = |name: String| listed(loader, dir, &vouch, granted(&name), name);
    Ok(names.into_iter().map(one).collect())
}

/// Why a file's bytes must not serve, although they are sound.
#[derive(Debug, thiserror::Error)]
enum Barred {
    /// The operator or the judge keeps them from serving.
    #[error("{0}")]
    Held(String),
    /// Nothing vouches for them as the policy demands.
    #[error(transparent)]
    UnmetPolicy(#[from] UnmetPolicy),
}

/// Checks a file's bytes: returns what vouches for them.
type Vouch<'a> = dyn Fn(&str, Digest, &Path) -> Result<Evidence, Barred> + 'a;

/// A file that would not serve, with its digest if it can be read.
struct Unserved {
    digest: Option<Digest>,
    reason: String,
}

fn listed(loader: &Loader, dir: &Path, vouch: &Vouch<'_>, grants: Grants, name: String) -> PluginRow {
    let read = read_listed(loader, dir, vouch, &grants, &name);
    let row = PluginRow { name, impurity: grants.impurity(), grants, ..PluginRow::default() };
    match read {
        Ok((vouched, adapter)) => serving_row(row, &vouched, &adapter),
        Err(Unserved { digest, reason }) => PluginRow { digest, refused: Some(reason), ..row },
    }
}

/// Reads a file, asks what vouches for it, and loads it.
fn read_listed(
    loader: &Loader,
    dir: &Path,
    vouch: &Vouch<'_>,
    grants: &Grants,
    name: &str,
) -> Result<(Evidence, Arc<Adapter>), Unserved> {
    let file = dir.join(format!("{name}.wasm"));
    let unread = |error: io::Error| Unserved { digest: None, reason: error.to_string() };
    let bytes = component_file::read(&file).map_err(unread)?;
    let digest = Digest::of(&bytes);
    let unserved = |reason: String| Unserved { digest: Some(digest), reason };
    let vouched = vouch(name, digest, &file).map_err(|barred| unserved(barred.to_string()))?;
    let adapter_limits = AdapterLimits { grants: grants.clone(), ..AdapterLimits::default() };
    let admission = Admission { adapter_limits, ..Admission::default() };
    let adapter = loader.load(name, &bytes, &admission).map_err(|error| unserved(error.to_string()))?;
    Ok((vouched, adapter))
}

fn serving_row(row: PluginRow, vouched: &Evidence, adapter: &Adapter) -> PluginRow {
    let manifest = &adapter.manifest;
    let unique = |formats: Vec<&String>| {
        let mut formats: Vec<String> = formats.into_iter().cloned().collect();
        formats.sort();
        formats.dedup();
        formats
    };
    PluginRow {
        digest: Some(adapter.digest),
        version: Some(manifest.version.clone()),
        description: Some(manifest.description.clone()),
        trusted: vouched.pinned,
        signed_by: vouched.signer.as_deref().map(str::to_owned),
        faces: unique(manifest.faces.iter().map(|face| &face.format).collect()),
        accepts: unique(manifest.accepts.iter().map(|accepts| &accepts.format).collect()),
        manifest: Some(manifest.clone()),
        ..row
    }
}

impl Display for PluginRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digest = self.digest.map_or_else(|| "-".to_owned(), |digest| digest.short());
        if let Some(reason) = &self.refused {
            return write!(f, "{:<16} refused   {digest:<12}  {reason}", self.name);
        }
        let trust = if self.trusted { "trusted" } else { "untrusted" };
        let version = self.version.as_deref().unwrap_or_default();
        let formats = |formats: &[String]| if formats.is_empty() { "-".to_owned() } else { formats.join(",") };
        let (faces, accepts) = (formats(&self.faces), formats(&self.accepts));
        write!(f, "{:<16} {version:<8}  {digest:<12}  {trust:<9}  faces {faces}  accepts {accepts}", self.name)?;
        self.impurity.iter().try_for_each(|impurity| write!(f, "  {impurity}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::decisions::Choice;
    use super::*;
    use crate::guest::{guest, loader, small};

    #[test]
    fn a_component_is_described_whatever_its_file_is_called() {
        let bytes = guest("zeta").build();
        let inspection = inspect(&loader(small()), &bytes).unwrap();
        assert_eq!(inspection.manifest.name, "zeta");
        assert_eq!(inspection.interfaces, ["about", "provider-errors"]);
        let json = serde_json::to_value(&inspection).unwrap();
        assert_eq!(json["digest"], Digest::of(&bytes).to_string());
        assert_eq!(json["shape"]["imports"][0]["name"], "weir:adapter/types@0.2.0");
        assert_eq!(json["shape"]["imports"][0]["functions"], serde_json::json!([]));
    }

    #[test]
    fn a_list_shows_valid_and_refused_adapters_and_their_trust() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = guest("zeta").build();
        std::fs::write(dir.path().join("zeta.wasm"), &bytes).unwrap();
        std::fs::write(dir.path().join("broken.wasm"), &bytes[..99]).unwrap();
        std::fs::write(dir.path().join(".hidden.wasm"), &bytes).unwrap();
        let mut lock = Lock::default();
        lock.pin("zeta", Digest::of(&bytes));
        let list = |decisions| {
            let wishes = ListSettings { lock: lock.clone(), decisions, ..ListSettings::default() };
            list(&loader(small()), dir.path(), &wishes).unwrap()
        };
        let all = list(Decisions::default());
        let listed: Vec<_> = all.iter().map(|one| (&*one.name, one.trusted, one.refused.is_some())).collect();
        assert_eq!(listed, [("broken", false, true), ("zeta", true, false)]);
        assert!(all[0].to_string().contains("cut short") && all[1].to_string().contains("trusted"));
        let choice = Choice { rolled_back_from: Some(Digest::of(&bytes)), instead: None, since: SystemTime::now() };
        let adapters = [("zeta".to_owned(), choice)].into();
        let held = list(Decisions { adapters, ..Decisions::default() });
        assert!(held[1].refused.as_deref().unwrap().contains("rolled back"), "{held:?}");
    }
}
