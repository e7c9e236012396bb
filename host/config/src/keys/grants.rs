//! `grants` of `[plugins.NAME]`: what one adapter may use beyond its input.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::Problem;
use crate::raw::Node;
use crate::section::{Entry, Located, Take, section};

section! {
    /// What one adapter may use beyond its input. No adapter can use the network; see docs/plugins.md.
    GRANTS = "grants = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Grants {
        /// Whether the adapter may read this machine's clocks. Otherwise the time is constant.
        clock: bool,
        /// Whether the adapter gets random numbers of the system. Otherwise it always gets the same ones.
        random: bool,
        /// Folders that the adapter may read, with everything below them. Paths are relative to the configuration's
        /// folder. In the adapter, each is at `/read/NAME`, where `NAME` is the last part of its path. Links that lead
        /// out of it are refused.
        read: Vec<PathBuf> as Folders,
    }
}

/// Takes folders that exist when the configuration is read, no two of them with the same name.
#[derive(Debug)]
struct Folders;

impl Take for Folders {
    type Value = Vec<PathBuf>;
    const TAKES: &'static str = "list of paths";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for written in Vec::<Located<String>>::take(entry, node)? {
            match folder(entry, &written, &folders) {
                Ok(folder) => folders.push(folder),
                Err(problem) => entry.reader().report(problem),
            }
        }
        Some(folders)
    }

    fn show(default: &Vec<PathBuf>) -> String {
        Vec::<PathBuf>::show(default)
    }

    fn example() -> String {
        Vec::<PathBuf>::example()
    }
}

/// Returns the folder's path, resolved against the configuration's folder, or why it cannot be granted beside the
/// others.
fn folder(entry: &Entry<'_, '_>, written: &Located<String>, others: &[PathBuf]) -> Result<PathBuf, Problem> {
    let wrong = |message: String| Problem::error(&written.place, format!("`{}`: {message}", entry.name));
    let joined = entry.reader().folder.join(&written.value);
    let shown = joined.display();
    // This follows links and `..`.
    let whole = joined.canonicalize().map_err(|error| {
        let help = "relative paths are taken from the configuration's folder";
        wrong(format!("there is no folder {shown} ({error})")).with_help(help)
    })?;
    if !whole.is_dir() {
        return Err(wrong(format!("{shown} is not a folder")).with_help("grant the folder that contains it"));
    }
    // The adapter finds it by the name written here. Only a path that ends in `..` gets the name of the folder itself.
    let found = if named(&joined).is_some() { std::path::absolute(&joined).unwrap_or(joined.clone()) } else { whole };
    let Some(name) = named(&found) else {
        return Err(wrong(format!("{shown} has no name by which the adapter could find it")));
    };
    match others.iter().find(|other| named(other) == Some(name)) {
        Some(other) => {
            let message = format!("{shown} and {} would both be at /read/{name}", other.display());
            Err(wrong(message).with_help("an adapter finds a folder by the last part of its path"))
        }
        None => Ok(found),
    }
}

/// Returns the last part of a path, as text.
fn named(path: &Path) -> Option<&str> {
    path.file_name().and_then(OsStr::to_str)
}
