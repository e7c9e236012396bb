//! `weir plugin build`: builds a project's component.

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::{CommandError, Failure};
use weir_author::build::{self, BuildError};
use weir_author::project::{Project, ProjectError};

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// Why nothing is built.
#[derive(Debug, thiserror::Error)]
enum NotBuilt {
    /// The folder has no project, or a wrong one.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The project does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl CommandError for NotBuilt {}

pub(super) fn run(asked: &Build) -> Result<String, Failure> {
    let project = Project::read(&asked.dir).map_err(NotBuilt::from)?;
    let mut tell = |line: &str| crate::cli::print_stderr(&format!("> {line}"));
    let built = build::build(&project, &super::loader()?, &mut tell).map_err(NotBuilt::from)?;
    Ok(shown(&built))
}

/// A line about the component that was built.
pub(super) fn shown(built: &build::Built) -> String {
    let adapter = &built.adapter;
    let interfaces: Vec<&str> = adapter.interfaces.iter().map(weir_sandbox::Interface::name).collect();
    format!(
        "{}: {} KiB, {}, contract {}, {}",
        built.path.display(),
        built.bytes.div_ceil(1024),
        adapter.digest.short(),
        adapter.manifest.contract,
        interfaces.join(" "),
    )
}
