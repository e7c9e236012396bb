//! `weir man`: the manual.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

#[derive(Debug, Args)]
pub(super) struct Man {
    /// A folder for the pages of all commands (weir.1, weir-serve.1, ...), instead of printing the page of `weir`.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn run(asked: &Man) -> Result<String, String> {
    let command = super::Cli::command();
    let Some(folder) = &asked.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(|error| format!("error: {error}"))?;
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| format!("error: {}: {error}", folder.display()))?;
    Ok(format!("the manual is in {}", folder.display()))
}
