//! Why a command fails, and its exit code.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::app::StartError;
use weir_adapters::lock::LockError;
use weir_author::build::BuildError;
use weir_author::dev::DevError;
use weir_author::project::ProjectError;
use weir_author::template::TemplateError;
use weir_config::Problems;
use weir_fixtures::fixture::{FolderError, RulesError};
use weir_sandbox::component_file;
use weir_sandbox::engine::EngineError;

/// Why a command fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for cannot be done, or has failed. The exit code is 1.
    Failed(Box<dyn Error>),
    /// The command line has a mistake, or names a file that cannot be read, so that nothing was begun. The exit code is
    /// 2.
    Usage(Box<dyn Error>),
    /// The configuration has mistakes. The exit code is 2.
    Configuration(Box<Problems>),
}

impl Failure {
    /// Prints it, and returns the exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Self::Configuration(problems) => super::print_problems(problems),
            Self::Failed(error) | Self::Usage(error) => super::print_stderr(&super::inert(&format!("error: {error}"))),
        }
        match self {
            Self::Failed(_) => ExitCode::FAILURE,
            Self::Usage(_) | Self::Configuration(_) => ExitCode::from(2),
        }
    }
}

/// An error of a command's own.
pub(super) trait CommandError: Error + 'static {
    /// Whether the command line has a mistake, or names a file that cannot be read, so that nothing was begun.
    const IS_OF_USAGE: bool = false;

    /// The same for errors whose cases differ.
    fn is_of_usage(&self) -> bool {
        Self::IS_OF_USAGE
    }
}

impl<E: CommandError> From<E> for Failure {
    fn from(error: E) -> Self {
        if error.is_of_usage() { Self::Usage(Box::new(error)) } else { Self::Failed(Box::new(error)) }
    }
}

// What the crates report, where a command has nothing to add to it.

impl CommandError for BuildError {}

impl CommandError for DevError {}

impl CommandError for EngineError {}

impl CommandError for FolderError {}

impl CommandError for LockError {}

impl CommandError for ProjectError {}

impl CommandError for RulesError {
    const IS_OF_USAGE: bool = true;
}

impl CommandError for TemplateError {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Name { .. })
    }
}

/// A file or a folder that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// Says where an error of the system happened.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self { path: path.to_owned(), source }
    }
}

impl CommandError for FileError {}

/// The command line names a file or a folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct NamedFileError(#[from] FileError);

impl NamedFileError {
    /// Says where an error of the system happened.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self(FileError::at(path)(error))
    }
}

impl CommandError for NamedFileError {
    const IS_OF_USAGE: bool = true;
}

/// The bytes of a file that the command line names.
pub(super) fn read_named(file: &Path) -> Result<Vec<u8>, NamedFileError> {
    component_file::read(file).map_err(NamedFileError::at(file))
}

/// A result that cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct UnwritableJson(#[from] serde_json::Error);

impl CommandError for UnwritableJson {}

/// The system gives no threads or sockets to wait with.
#[derive(Debug, thiserror::Error)]
#[error("no runtime: {0}")]
pub(super) struct NoRuntime(#[from] pub(super) io::Error);

impl CommandError for NoRuntime {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(Box::new(problems))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => problems.into(),
            error if error.is_of_configuration() => Self::Usage(Box::new(error)),
            error => Self::Failed(Box::new(error)),
        }
    }
}
