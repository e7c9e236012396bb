//! The crates that a package is linked of: as `cargo tree` resolves them for a target, without build scripts, macros
//! and tests, with what `cargo metadata` and `Cargo.lock` know of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{self, cargo};
use crate::workspace::Workspace;

/// A crate's name and version.
pub(super) type Id = (String, String);

/// What is known of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: Option<String>,
    pub(super) repository: Option<String>,
    /// The folder of its sources.
    pub(super) folder: PathBuf,
    /// The SHA-256 of its archive in the registry; none for the crates of this repository.
    pub(super) checksum: Option<String>,
    /// The crates that it depends on, linked or not.
    pub(super) uses: BTreeSet<Id>,
}

impl Crate {
    pub(super) fn id(&self) -> Id {
        (self.name.clone(), self.version.clone())
    }
}

/// All crates that the workspace's lock file names.
#[derive(Debug)]
pub(super) struct Known(BTreeMap<Id, Crate>);

impl Known {
    /// Reads what cargo knows.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let mut command = cargo();
        command.current_dir(&workspace.root).args(["metadata", "--format-version", "1", "--locked"]);
        let metadata = serde_json::from_str(&process::read(&mut command)?).context("cargo metadata printed no JSON")?;
        let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("could not read Cargo.lock")?;
        Self::of(&metadata, &lock)
    }

    fn of(metadata: &Value, lock: &str) -> Result<Self> {
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let checksums = checksums(lock);
        let (mut known, mut ids) = (BTreeMap::new(), BTreeMap::new());
        for package in list(&metadata["packages"]) {
            let name = text(&package["name"]).context("a package has no name")?;
            let version = text(&package["version"]).context("a package has no version")?;
            let id = (name.clone(), version.clone());
            ids.insert(text(&package["id"]).unwrap_or_default(), id.clone());
            let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
            let one = Crate {
                licence: text(&package["license"]).map(|licence| spdx(&licence)),
                repository: text(&package["repository"]),
                folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
                checksum: checksums.get(&id).cloned(),
                uses: BTreeSet::new(),
                name,
                version,
            };
            known.insert(id, one);
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let id = node["id"].as_str().and_then(|id| ids.get(id)).context("a dependency is not known")?;
            let uses = list(&node["dependencies"]);
            let uses = uses.iter().filter_map(|id| ids.get(id.as_str()?).cloned()).collect();
            if let Some(one) = known.get_mut(id) {
                one.uses = uses;
            }
        }
        Ok(Self(known))
    }

    /// The crates that a package is linked of for a target, by name: itself, too.
    pub(super) fn linked(&self, workspace: &Workspace, package: &str, target: &str) -> Result<Vec<Crate>> {
        let mut command = cargo();
        command.current_dir(&workspace.root).args(["tree", "--locked", "--edges", "normal,no-proc-macro"]);
        command.args(["--prefix", "none", "--format", "{p}", "--target", target, "--package", package]);
        self.of_tree(&process::read(&mut command)?)
    }

    /// The crates of the lines `NAME vVERSION …`.
    pub(super) fn of_tree(&self, tree: &str) -> Result<Vec<Crate>> {
        let mut ids = BTreeSet::new();
        for line in tree.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let (name, version) = words.next().zip(words.next()).context("cargo tree printed something unexpected")?;
            ids.insert((name.to_owned(), version.trim_start_matches('v').to_owned()));
        }
        let one = |id: &Id| self.0.get(id).cloned().with_context(|| format!("{} {} is not in Cargo.lock", id.0, id.1));
        ids.iter().map(one).collect()
    }

    /// A crate of the same repository that has a file for which `has` holds.
    pub(super) fn sibling(&self, of: &Crate, has: impl Fn(&Path) -> bool) -> Option<&Crate> {
        let repository = of.repository.as_deref().map(repository_root)?;
        let is_sibling = |one: &&Crate| one.repository.as_deref().map(repository_root) == Some(repository);
        self.0.values().filter(is_sibling).find(|one| has(&one.folder))
    }
}

/// The part of a repository's address that its crates share.
fn repository_root(address: &str) -> &str {
    let address = address.split("/tree/").next().unwrap_or(address).trim_end_matches('/');
    address.trim_end_matches(".git")
}

/// A licence expression in SPDX's form: older crates separate choices with a slash.
fn spdx(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The checksums of `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let one = |block| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?));
    lock.split("[[package]]").filter_map(one).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\n\
                        checksum = \"00ff\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";

    /// The crate `b` of this repository, which uses `a`, in these folders.
    pub(in crate::dist) fn known(a: &Path, b: &Path) -> Known {
        let package = |name: &str, version: &str, licence: &str, folder: &Path| {
            json!({"name": name, "version": version, "id": format!("{name}#{version}"), "license": licence,
                   "repository": "https://code.example/both.git", "manifest_path": folder.join("Cargo.toml")})
        };
        let packages = [package("a", "1.0.0", "MIT/Apache-2.0", a), package("b", "2.0.0", "MIT", b)];
        let nodes = json!([{"id": "a#1.0.0", "dependencies": []}, {"id": "b#2.0.0", "dependencies": ["a#1.0.0"]}]);
        Known::of(&json!({"packages": packages, "resolve": {"nodes": nodes}}), LOCK).unwrap()
    }

    #[test]
    fn crates_have_their_checksums_licences_and_uses() {
        let known = known(Path::new("/a"), Path::new("/b"));
        let linked = known.of_tree("b v2.0.0 (/b)\na v1.0.0\na v1.0.0 (*)\n").unwrap();
        assert_eq!(linked.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(linked[0].checksum.as_deref(), Some("00ff"));
        assert_eq!(linked[0].licence.as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!((linked[1].checksum.as_deref(), linked[1].uses.contains(&linked[0].id())), (None, true));
        assert!(known.of_tree("c v1.0.0\n").unwrap_err().to_string().contains("c 1.0.0"));
    }
}
