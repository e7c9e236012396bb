//! Checks the contract: a frozen generation (`wit/vX.Y.Z/`) is unchanged since its first commit, the working contract
//! does not contradict it, and the reference pages, the types for JavaScript and the templates' bindings are up to date
//! with `wit/`.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;

use super::Findings;
use super::source::Tree;
use crate::{contract, process};

pub(super) fn check(tree: &Tree, findings: &mut Findings) -> Result<()> {
    history(tree, findings)?;
    for problem in contract::frozen_problems(&tree.root)? {
        findings.problem(problem);
    }
    for problem in contract::bindings_problems(&tree.root)? {
        findings.problem(problem);
    }
    for page in contract::stale(&tree.root)? {
        findings.problem(format!("{page}: is not what wit/ says; run `cargo xtask contract`"));
    }
    if !contract::javascript_is_fresh(&tree.root) {
        findings.problem("sdk/javascript/: is not what wit/ says; run `cargo xtask contract`".to_owned());
    }
    Ok(())
}

fn history(tree: &Tree, findings: &mut Findings) -> Result<()> {
    for generation in generations(tree.files.iter().map(|file| file.path.as_str())) {
        let folder = format!("wit/{generation}");
        let git = || {
            let mut command = Command::new("git");
            command.current_dir(&tree.root);
            command
        };
        let added = process::read(git().args(["log", "--diff-filter=A", "--format=%H", "--", &folder]))?;
        // The oldest commit is the one that froze it; a folder without commits is being frozen.
        let Some(frozen) = added.lines().last() else { continue };
        let changed = process::read(git().args(["diff", "--name-only", frozen, "--", &folder]))?;
        for path in changed.lines() {
            findings.problem(format!("{path}: a frozen generation of the contract was changed"));
        }
    }
    Ok(())
}

/// The folders `vX` directly in `wit/`.
fn generations<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let folders = paths.filter_map(|path| path.strip_prefix("wit/")?.split_once('/')).map(|(folder, _)| folder);
    folders.filter(|folder| folder.strip_prefix('v').is_some_and(|rest| rest.starts_with(char::is_numeric))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_folders_with_a_version() {
        let paths = ["wit/chat.wit", "wit/v0.1.0/chat.wit", "wit/v0.1.0/about.wit", "wit/views/a.wit", "host/v1/a"];
        assert_eq!(generations(paths.into_iter()).into_iter().collect::<Vec<_>>(), ["v0.1.0"]);
    }

    #[test]
    fn a_changed_generation_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let git = |words: &[&str]| {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
            process::read(Command::new("git").current_dir(folder.path()).args(identity).args(words)).unwrap();
        };
        let file = folder.path().join("wit/v0.1.0/chat.wit");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "one").unwrap();
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "freeze"]);
        let found = || {
            let mut findings = Findings::default();
            history(&Tree::read(folder.path()).unwrap(), &mut findings).unwrap();
            findings.problems
        };
        assert_eq!(found(), [""; 0]);
        std::fs::write(&file, "two").unwrap();
        assert_eq!(found(), ["wit/v0.1.0/chat.wit: a frozen generation of the contract was changed"]);
    }
}
