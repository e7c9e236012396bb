//! The identity provider that tests log in at: npm's `oidc-provider`, which the OpenID Foundation has certified.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// The variable that names the folder to the tests; without it, they say that they are skipped.
pub(crate) const FOLDER: &str = "OIDC_PROVIDER_FOLDER";
/// The version that is tested with.
const PINS: &str = "host/identity/tests/provider/package.json";

/// Installs it, again if another version is pinned; returns its folder.
pub(crate) fn install(workspace: &Workspace) -> Result<PathBuf> {
    let pins = fs::read_to_string(workspace.root.join(PINS)).with_context(|| format!("could not read {PINS}"))?;
    let folder = workspace.target.join("identity-provider");
    let stamp = folder.join("installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(folder);
    }
    let Some(npm) = process::find("npm").filter(|_| process::find("node").is_some()) else {
        bail!("node and npm, which run and fetch the identity provider, are not installed");
    };
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), &pins)?;
    let words = ["install", "--silent", "--no-audit", "--no-fund"];
    process::run(Command::new(npm).current_dir(&folder).args(words)).context("npm could not fetch oidc-provider")?;
    fs::write(stamp, pins)?;
    Ok(folder)
}
