//! The repository's files as the checks see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// All text files that git tracks or would add.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) files: Vec<File>,
}

/// A file of the tree.
#[derive(Debug)]
pub(super) struct File {
    /// From the root, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Tree {
    /// Reads the files that git knows or would add.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let list = process::read(Command::new("git").current_dir(root).args(words))
            .context("tidy asks git for the list of files")?;
        let mut files = Vec::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // Deleted files and files that are not text are not checked.
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                files.push(File { path: path.to_owned(), text });
            }
        }
        Ok(Self { root: root.to_owned(), files })
    }

    /// The Rust files without those that contain only tests.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_a("rs") && !file.is_test())
    }
}

impl File {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether its name ends in this extension.
    pub(super) fn is_a(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    fn is_test(&self) -> bool {
        let folders = ["tests", "benches", "examples", "fuzz"];
        let mut parts = self.path.split('/').rev();
        parts.next().is_some_and(|name| name == "tests.rs" || name.ends_with("_tests.rs"))
            || parts.any(|part| folders.contains(&part))
    }

    /// The lines with their numbers, up to the inline tests at the end.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The same lines without comments that begin a line or follow a space.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, without_comment(line)))
    }
}

/// Cuts off a comment. `//` within an address (`https://`) does not start one.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split(" // ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_is_neither_comment_nor_test() {
        let file =
            File::new("host/wire/src/a.rs", "//! doc\nlet a = \"http://b\"; // why\n#[cfg(test)]\nmod tests {\n");
        let code: Vec<_> = file.code().collect();
        assert_eq!(code, [(1, ""), (2, "let a = \"http://b\";")]);
    }

    #[test]
    fn files_of_tests_are_known_by_their_place() {
        for path in ["tests/src/lib.rs", "host/wire/tests/a.rs", "host/wire/src/frame/tests.rs", "fuzz/targets/a.rs"] {
            assert!(File::new(path, "").is_test(), "{path}");
        }
        for path in ["host/wire/src/attests.rs", "xtask/src/main.rs"] {
            assert!(!File::new(path, "").is_test(), "{path}");
        }
    }
}
