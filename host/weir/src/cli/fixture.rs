//! `weir fixture …`: imports recordings, makes them of logged requests, and checks them for secrets.

mod check;
mod import;
mod pin;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::failure::NamedFileError;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Converts recordings of other tools: HAR files, VCR cassettes (Ruby and Python), `curl --trace`.
    Import(import::Import),
    /// Makes a recording of a request whose content is in the log, for the adapter that answered it.
    Pin(pin::Pin),
    /// Finds secrets and personal data in recordings, and files that are not recordings.
    Check(check::Check),
}

pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::Import(asked) => import::run(&asked),
        Command::Pin(asked) => pin::run(&asked),
        Command::Check(asked) => check::run(&asked),
    }
}

/// Maximum depth of nested folders.
const DEPTH: u32 = 8;

/// The files with these extensions, including those in folders, sorted.
fn files(given: &[PathBuf], extensions: &[&str]) -> Result<Vec<PathBuf>, NamedFileError> {
    let mut files = Vec::new();
    for path in given {
        collect(path, extensions, DEPTH, &mut files).map_err(NamedFileError::at(path))?;
    }
    Ok(files)
}

fn collect(path: &Path, extensions: &[&str], depth: u32, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        // A file that is named explicitly counts whatever its extension.
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path)? {
        entries.push(entry?.path());
    }
    entries.sort();
    let is_wanted = |path: &Path| path.extension().is_some_and(|own| extensions.iter().any(|wanted| own == *wanted));
    for entry in entries {
        if (entry.is_dir() && depth > 0) || (!entry.is_dir() && is_wanted(&entry)) {
            collect(&entry, extensions, depth.saturating_sub(1), files)?;
        }
    }
    Ok(())
}
