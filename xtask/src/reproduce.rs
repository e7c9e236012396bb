//! `cargo xtask reproduce`: builds an adapter here and in another place with another cargo home, and compares the
//! bytes. So anyone with the sources of a release can check what its adapters were built of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::check::Outcome;
use crate::plugins::{self, Progress};
use crate::workspace::{Adapter, Workspace};
use crate::{dist, path_remapping, process};

/// The internal verb for the build in the second place.
pub(crate) const VERB: &str = "build-elsewhere";
/// The adapter of the check: one that takes the least time.
const USUAL: &str = "groq";

/// Builds the named adapter, or one of the small ones, in two places.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let name = match words {
        [] => USUAL,
        [name] => name,
        _ => bail!("usage: cargo xtask reproduce [NAME]"),
    };
    let adapter = named(workspace, name)?;
    let place = workspace.target.join("reproduce");
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("could not remove {}", place.display()))?;
    }
    plugins::put(workspace, vec![adapter], &Progress::of(1, 0))?;
    let (sources, home) = (bring_sources(workspace, &place)?, bring_home(&place)?);
    let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
    command.current_dir(&sources).env("CARGO_HOME", home).env("CARGO_TARGET_DIR", place.join("target"));
    process::run(command.arg(VERB).arg(place.join("there")).arg(name))?;
    let file = format!("plugins/{name}.wasm");
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("there is no {}", path.display()));
    let (here, there) = (read(workspace.root.join(&file))?, read(place.join("there").join(&file))?);
    ensure!(here == there, "{file} differs from the one in {}", place.join("there").display());
    let lock = fs::read_to_string(place.join("there/plugins.lock"))?;
    let digest = lock.lines().find_map(|line| line.strip_prefix("digest = ")).unwrap_or_default();
    println!("{name}: two builds, the same digest {digest}");
    Ok(())
}

/// The step of `cargo xtask test`.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    run(workspace, &[]).map(|()| Outcome::Passed)
}

/// Builds an adapter for others into a folder; runs in the second place.
pub(crate) fn build(workspace: &Workspace, words: &[String]) -> Result<()> {
    let [folder, name] = words else { bail!("usage: cargo xtask {VERB} FOLDER NAME") };
    plugins::put_for_others(workspace, vec![named(workspace, name)?], Path::new(folder))
}

fn named(workspace: &Workspace, name: &str) -> Result<Adapter> {
    let found = workspace.adapters.iter().find(|adapter| adapter.name == name).cloned();
    found.with_context(|| format!("there is no adapter {name:?}"))
}

/// Copies the sources, as git knows them, to another place.
fn bring_sources(workspace: &Workspace, place: &Path) -> Result<PathBuf> {
    let sources = place.join("elsewhere/sources");
    let listed = process::read(Command::new("git").current_dir(&workspace.root).args(["ls-files", "-z"]))?;
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        let from = workspace.root.join(file);
        // One may be deleted and not committed yet.
        if from.is_file() {
            dist::copy(&from, &sources.join(file))?;
        }
    }
    Ok(sources)
}

/// Another home of cargo with the same registry: links, so that nothing is fetched again.
fn bring_home(place: &Path) -> Result<PathBuf> {
    let home = place.join("home-of-cargo");
    fs::create_dir_all(&home)?;
    let own = path_remapping::cargo_home().context("cargo has no home")?;
    for entry in fs::read_dir(&own).with_context(|| format!("could not read {}", own.display()))? {
        let entry = entry?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(entry.path(), home.join(entry.file_name()))?;
        #[cfg(not(unix))]
        dist::copy(&entry.path(), &home.join(entry.file_name()))?;
    }
    Ok(home)
}
