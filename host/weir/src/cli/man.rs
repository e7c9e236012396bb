//! `weir man`: the manual.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::failure::{CommandError, Failure, FileError};

#[derive(Debug, Args)]
pub(super) struct Man {
    /// A folder for the pages of all commands (weir.1, weir-serve.1, ...), instead of printing the page of `weir`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The page cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct ManError(#[from] std::io::Error);

impl CommandError for ManError {}

pub(super) fn run(asked: &Man) -> Result<String, Failure> {
    let command = super::Cli::command();
    let Some(folder) = &asked.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(ManError)?;
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(FileError::at(folder))?;
    Ok(format!("the manual is in {}", folder.display()))
}
