//! Builds a project: runs its recipe's commands, converts their product to a component, checks it and installs it in
//! the project.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use super::component::{ComponentError, component};
use super::project::Project;
use super::recipe::{self, RecipeError, Step};
use weir_adapters::atomic_file::{self, Readers};
use weir_adapters::load::{Admission, LoadError, Loader};
use weir_sandbox::Adapter;

/// Why a project cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no recipe, mostly since a tool is missing.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A command failed; its own output precedes this error.
    #[error("`{command}` failed ({how}){}", hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default())]
    Command {
        /// The command line.
        command: String,
        /// The exit code, or why it did not start.
        how: String,
        /// The likely cause.
        hint: Option<String>,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The product is neither a module nor a component.
    #[error("{}: {source}", path.display())]
    Product {
        /// The product.
        path: PathBuf,
        /// The problem.
        source: ComponentError,
    },
    /// Weir would refuse the component.
    #[error("Weir would refuse {}: {source}", path.display())]
    Refused {
        /// The component.
        path: PathBuf,
        /// The reason.
        source: Box<LoadError>,
    },
}

/// A component that was built.
#[derive(Debug)]
pub struct Built {
    /// Path of the file.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: usize,
    /// The adapter, loaded as Weir would load it.
    pub adapter: Arc<Adapter>,
}

/// Builds a project. Its tools print to the terminal; `progress` receives each command line before it runs.
pub fn build(project: &Project, loader: &Loader, progress: &mut dyn FnMut(&str)) -> Result<Built, BuildError> {
    let recipe = recipe::of(project)?;
    let scratch = project.scratch();
    std::fs::create_dir_all(&scratch).map_err(|source| BuildError::Io { path: scratch, source })?;
    for step in &recipe.steps {
        progress(&step.line());
        run(step, project)?;
    }
    let path = recipe.product;
    let product = std::fs::read(&path).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    let bytes = component(product, &project.dir.join("wit")).map_err(|source| BuildError::Product { path, source })?;
    let path = project.output();
    let adapter = loader
        .load(&project.name, &bytes, &Admission::default())
        .map_err(|source| BuildError::Refused { path: path.clone(), source: Box::new(source) })?;
    atomic_file::put(&path, &bytes, Readers::All).map_err(|source| BuildError::Io { path: path.clone(), source })?;
    Ok(Built { path, bytes: bytes.len(), adapter })
}

fn run(step: &Step, project: &Project) -> Result<(), BuildError> {
    let failed = |how: String| BuildError::Command { command: step.line(), how, hint: recipe::hint(project) };
    let status = step.command(&project.dir).stdin(Stdio::null()).status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}
