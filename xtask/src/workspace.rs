//! What cargo reports about this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The repository and its crates.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// The adapters and guards, by name.
    pub(crate) adapters: Vec<Adapter>,
    /// The adapters that only tests use, by name.
    pub(crate) test_adapters: Vec<Adapter>,
}

/// A crate of `plugins/`, `guards/` or `tests/adapters/`.
#[derive(Debug, Clone)]
pub(crate) struct Adapter {
    /// The folder's name.
    pub(crate) name: String,
    /// The folder, from the repository's root: `plugins/NAME`.
    pub(crate) folder: PathBuf,
    /// The package's name, for cargo.
    pub(crate) package: String,
    /// The build profile: `adapter`, or the one in `[package.metadata.weir]`.
    pub(crate) profile: String,
}

impl Workspace {
    /// Runs `cargo metadata` for the repository of the current folder.
    pub(crate) fn find() -> Result<Self> {
        let text = process::read(process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed something unexpected")?;
        let root = path(&metadata, "workspace_root")?;
        let target = path(&metadata, "target_directory")?;
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let within = |folders: &[&str]| {
            let one = |package| folders.iter().find_map(|folder| adapter(package, &root, Path::new(folder)));
            let mut adapters: Vec<Adapter> = packages.iter().filter_map(one).collect();
            adapters.sort_by(|a, b| a.name.cmp(&b.name));
            adapters
        };
        let (adapters, test_adapters) = (within(&["plugins", "guards"]), within(&["tests/adapters"]));
        Ok(Self { root, target, adapters, test_adapters })
    }
}

fn path(metadata: &Value, member: &str) -> Result<PathBuf> {
    let text = metadata[member].as_str().with_context(|| format!("cargo metadata has no {member}"))?;
    Ok(PathBuf::from(text))
}

/// The package as an adapter, if its folder is directly in `within`.
fn adapter(package: &Value, root: &Path, within: &Path) -> Option<Adapter> {
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.strip_prefix(root).ok()?;
    if folder.parent()? != within {
        return None;
    }
    let name = folder.file_name()?.to_str()?.to_owned();
    Some(Adapter {
        name,
        folder: folder.to_owned(),
        package: package["name"].as_str()?.to_owned(),
        profile: package["metadata"]["weir"]["profile"].as_str().unwrap_or("adapter").to_owned(),
    })
}
