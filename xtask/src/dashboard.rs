//! `cargo xtask dashboard` and `screenshots`: the dashboard in a real Chromium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::check::Outcome;
use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;
use crate::{identity_provider, plugins, python};

/// Debian's packages of the browser and its driver.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];
/// The checks of accessibility, from npm; tests only.
const AXE: &str = "axe-core@4.14.1";
/// The adapters that the tests serve with.
const ADAPTERS: [&str; 2] = ["openai", "anthropic"];
/// Longest time to install packages.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Builds the prerequisites and runs the tests; `words` are names of tests or options for unittest.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    build(workspace)?;
    match drive(workspace, words)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

/// The step of `cargo xtask test`; it expects the binary and the adapters to be built.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    drive(workspace, &[])
}

/// Remakes the pictures in `docs/ui/`.
pub(crate) fn screenshots(workspace: &Workspace) -> Result<()> {
    build(workspace)?;
    match drive_script(workspace)? {
        Outcome::Passed => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

fn build(workspace: &Workspace) -> Result<()> {
    plugins::build(workspace, &ADAPTERS.map(str::to_owned))?;
    process::run(linting_cargo().current_dir(&workspace.root).args(["build", "--package", "weir", "--bin", "weir"]))
}

fn drive(workspace: &Workspace, words: &[String]) -> Result<Outcome> {
    let Some(mut command) = driver(workspace)? else { return Ok(missing()) };
    match axe(&workspace.target.join("dashboard")) {
        Ok(file) => {
            command.env("WEIR_AXE", file);
        }
        Err(error) => println!("SKIPPED: accessibility is not checked: {error:#}"),
    }
    match identity_provider::install(workspace) {
        Ok(folder) => {
            command.env(identity_provider::FOLDER, folder);
        }
        Err(error) => println!("SKIPPED: no login at an identity provider is tested: {error:#}"),
    }
    process::run(command.args(["-m", "unittest"]).args(words)).map(|()| Outcome::Passed)
}

fn drive_script(workspace: &Workspace) -> Result<Outcome> {
    let Some(mut command) = driver(workspace)? else { return Ok(missing()) };
    process::run(command.arg("screenshots.py").arg(workspace.root.join("docs/ui"))).map(|()| Outcome::Passed)
}

fn missing() -> Outcome {
    let needed = PACKAGES.join(" and ");
    Outcome::Skipped(format!("the dashboard is not tested: it needs python3, {needed} (Debian: apt install {needed})"))
}

/// Python in the tests' folder, if there are a browser and its driver, or could be installed.
fn driver(workspace: &Workspace) -> Result<Option<Command>> {
    let Some(found) = python::find() else { return Ok(None) };
    if !has_browser() {
        install();
    }
    if !has_browser() {
        return Ok(None);
    }
    python::command(workspace, &found, &workspace.root.join("tests/ui"), &[]).map(Some)
}

fn has_browser() -> bool {
    let is_there = |program| process::find(program).is_some();
    is_there("chromedriver") && ["chromium", "chromium-browser", "google-chrome"].into_iter().any(is_there)
}

/// Installs the browser where that needs no password: as root on Debian, as in a container.
fn install() {
    let Some(apt) = process::find("apt-get") else { return };
    println!("installing {}", PACKAGES.join(" and "));
    let mut command = Command::new(apt);
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "--yes", "--no-install-recommends"]);
    if !process::succeeds_within(command.args(PACKAGES), TIMEOUT) {
        println!("apt-get could not install them");
    }
}

/// Fetches axe-core once; returns its file.
fn axe(folder: &Path) -> Result<PathBuf> {
    let file = folder.join(AXE).join("package/axe.min.js");
    if file.exists() {
        return Ok(file);
    }
    let Some(npm) = process::find("npm") else { bail!("npm, which fetches axe-core, is not installed") };
    let place = folder.join(AXE);
    fs::create_dir_all(&place)?;
    let archive = process::read(Command::new(npm).current_dir(&place).args(["pack", "--silent", AXE]))
        .context("npm could not fetch axe-core")?;
    process::run(Command::new("tar").current_dir(&place).args(["-xzf", archive.trim()]))?;
    if file.exists() { Ok(file) } else { bail!("{AXE} has no axe.min.js") }
}
