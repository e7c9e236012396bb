//! Why a command fails, and its exit code.

use std::path::Path;
use std::process::ExitCode;

use crate::app::StartError;
use weir_config::Problems;
use weir_sandbox::component_file;

/// Why a command fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for cannot be done, or has failed. The exit code is 1.
    Failed(String),
    /// The command line has a mistake, or names a file that cannot be read, so that nothing was begun. The exit code is 2.
    Usage(String),
    /// The configuration has mistakes. The exit code is 2.
    Configuration(Box<Problems>),
}

impl Failure {
    /// Prints it, and returns the exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Self::Configuration(problems) => super::print_problems(problems),
            Self::Failed(message) | Self::Usage(message) => {
                super::print_stderr(&format!("error: {}", message.strip_prefix("error: ").unwrap_or(message)));
            }
        }
        match self {
            Self::Failed(_) => ExitCode::FAILURE,
            Self::Usage(_) | Self::Configuration(_) => ExitCode::from(2),
        }
    }
}

/// The bytes of a file that the command line names.
pub(super) fn read_named(file: &Path) -> Result<Vec<u8>, Failure> {
    component_file::read(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_owned())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(Box::new(problems))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => problems.into(),
            error if error.is_of_configuration() => Self::Usage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}
