//! The loop of `weir plugin dev`. Each round builds the project, proves it with its fixtures, and installs it if it
//! passes. A failure ends the round, never the program.

use std::path::{Path, PathBuf};

use super::build::{self, BuildError, Built};
use super::project::{Project, ProjectError};
use super::running::{self, RunningError};
use weir_adapters::atomic_file::{self, Readers};
use weir_adapters::load::Loader;
use weir_config::Secret;
use weir_fixtures::proof;
use weir_fixtures::proof::{Bounds, Depth, GatherError};

/// Where adapters are installed.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The plugins folder of a running Weir.
    pub plugins: Option<PathBuf>,
    /// The url of a running Weir's operations endpoints, which report whether it serves the adapter.
    pub admin: Option<String>,
    /// The token for these endpoints, if they need one.
    pub token: Option<Secret>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// `adapter.toml` is invalid.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The project does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The fixtures cannot be read.
    #[error(transparent)]
    Fixtures(#[from] GatherError),
    /// The adapter fails its fixtures; the report was printed before.
    #[error("it is not installed")]
    Unproved,
    /// The adapter cannot be copied into the plugins folder.
    #[error("cannot install into {}: {source}", path.display())]
    Install {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The running Weir does not answer, or does not see the adapter.
    #[error(transparent)]
    Running(#[from] RunningError),
}

/// Runs one round. `progress` receives what it does, line by line.
pub fn round(dir: &Path, target: &Target, loader: &Loader, progress: &mut dyn FnMut(&str)) -> Result<Built, DevError> {
    let project = Project::read(dir)?;
    let built = build::build(&project, loader, progress)?;
    prove(&project, &built, progress)?;
    if let Some(folder) = &target.plugins {
        install(&project, &built, folder).map_err(|source| DevError::Install { path: folder.clone(), source })?;
        progress(&format!("installed: {}", folder.join(format!("{}.wasm", project.name)).display()));
    }
    if let Some(admin) = &target.admin {
        let served = running::await_digest(admin, target.token.as_ref(), &project.name, built.adapter.digest)?;
        progress(&served);
    }
    Ok(built)
}

fn prove(project: &Project, built: &Built, progress: &mut dyn FnMut(&str)) -> Result<(), DevError> {
    if !project.fixtures.is_dir() {
        progress("there are no fixtures: nothing is proved");
        return Ok(());
    }
    let fixtures = proof::at(&project.fixtures, Bounds::COMMAND)?;
    let report = proof::prove_to(&built.adapter, &fixtures, Depth::COMMAND);
    progress(report.human(false).trim_end());
    if report.failed == 0 { Ok(()) } else { Err(DevError::Unproved) }
}

/// Installs the adapter. The fixtures come first, so that Weir finds them beside the component.
fn install(project: &Project, built: &Built, folder: &Path) -> std::io::Result<()> {
    if project.fixtures.is_dir() {
        let place = folder.join(format!("{}.fixtures", project.name));
        if place.is_dir() {
            std::fs::remove_dir_all(&place)?;
        }
        copy(&project.fixtures, &place)?;
    }
    let bytes = std::fs::read(&built.path)?;
    atomic_file::put(&folder.join(format!("{}.wasm", project.name)), &bytes, Readers::All)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let place = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &place)?;
        } else if path.extension().is_some_and(|kind| kind == "json") {
            std::fs::copy(&path, &place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fixtures_are_copied_with_their_folders() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(from.path().join("more")).unwrap();
        for file in ["a.json", "more/b.json", "notes.txt"] {
            std::fs::write(from.path().join(file), "{}").unwrap();
        }
        let to = to.path().join("zeta.fixtures");
        copy(from.path(), &to).unwrap();
        assert!(to.join("a.json").is_file() && to.join("more/b.json").is_file());
        assert!(!to.join("notes.txt").exists());
    }
}
