//! `weir plugin build`: builds a project's component.

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::Failure;
use weir_author::build;
use weir_author::project::Project;

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

pub(super) fn run(asked: &Build) -> Result<String, Failure> {
    let project = Project::read(&asked.dir)?;
    let mut progress = |line: &str| crate::cli::print_stderr(&format!("> {line}"));
    let built = build::build(&project, &super::loader()?, &mut progress)?;
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
