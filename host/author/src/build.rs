//! Building a project: its recipe's commands, then a component of what they left, checked and put in its place.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use super::component::{ComponentError, component};
use super::project::Project;
use super::recipe::{self, Step};
use weir_adapters::load::{Admission, LoadError, Loader};
use weir_sandbox::Adapter;

/// A project cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool is missing; how to get it.
    #[error("{0}")]
    Missing(String),
    /// A command did not do its work; its own words stand above.
    #[error("`{command}` failed ({how}){}", hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default())]
    Command {
        /// Which one.
        command: String,
        /// The exit code, or why it did not start.
        how: String,
        /// What is likely missing.
        hint: Option<String>,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The commands left something else than a module or a component.
    #[error("{}: {source}", path.display())]
    Product {
        /// What they left.
        path: PathBuf,
        /// What is wrong with it.
        source: ComponentError,
    },
    /// Weir would not load it.
    #[error("Weir would refuse {}: {source}", path.display())]
    Refused {
        /// The component.
        path: PathBuf,
        /// Why.
        source: Box<LoadError>,
    },
}

/// A component in its place.
#[derive(Debug)]
pub struct Built {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// What it is, loaded as Weir loads it.
    pub adapter: Arc<Adapter>,
}

/// Builds a project. What its tools say goes to the terminal; each command is told first.
pub fn build(project: &Project, loader: &Loader, tell: &mut dyn FnMut(&str)) -> Result<Built, BuildError> {
    let recipe = recipe::of(project).map_err(BuildError::Missing)?;
    let scratch = project.scratch();
    std::fs::create_dir_all(&scratch).map_err(|source| BuildError::Io { path: scratch, source })?;
    for step in &recipe.steps {
        tell(&step.line());
        run(step, project)?;
    }
    let path = recipe.product;
    let product = std::fs::read(&path).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    let bytes = component(product, &project.dir.join("wit")).map_err(|source| BuildError::Product { path, source })?;
    let path = project.output();
    let adapter = loader
        .load(&project.name, &bytes, &Admission::default())
        .map_err(|source| BuildError::Refused { path: path.clone(), source: Box::new(source) })?;
    replace(&path, &bytes).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    Ok(Built { path, bytes: bytes.len(), adapter })
}

fn run(step: &Step, project: &Project) -> Result<(), BuildError> {
    let failed = |how: String| BuildError::Command { command: step.line(), how, hint: recipe::hint(project) };
    let status = step.command(&project.dir).stdin(Stdio::null()).status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

/// Writes a file beside its place and renames it, so that nobody ever reads half of it.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new{}", std::process::id()));
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // It may never have been made.
        let _ = std::fs::remove_file(&beside);
    }
    written
}
