//! `cargo xtask tidy`: checks the project's rules that can be checked mechanically. The rest is for reviewers.

mod circles;
mod citations;
mod comments;
mod conformance;
mod layers;
mod lengths;
mod licences;
mod pages;
mod paths;
mod source;
mod visibility;
mod wit;
mod words;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use source::Tree;

/// Findings of the checks.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// What a check finds in a tree of these files, each a path with its text.
    #[cfg(test)]
    fn of(check: fn(&Tree, &mut Self), files: &[(&str, &str)]) -> Self {
        let mut findings = Self::default();
        let files = files.iter().map(|(path, text)| source::File::new(path, text)).collect();
        check(&Tree { root: ".".into(), files }, &mut findings);
        findings
    }
}

/// Runs all checks and prints their findings.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let tree = Tree::read(&workspace.root)?;
    let mut findings = Findings::default();
    circles::check(&tree, &mut findings);
    citations::check(&tree, &mut findings);
    comments::check(&tree, &mut findings);
    layers::check(&tree, &mut findings);
    lengths::check(&tree, &mut findings);
    visibility::check(&tree, &mut findings);
    words::check(&tree, &mut findings);
    paths::check(&tree, &mut findings);
    conformance::check(&tree, &mut findings);
    pages::check(&tree, &mut findings);
    // A check that cannot run must not hide the findings of the others.
    for made in [wit::check(&tree, &mut findings), licences::check(workspace, &mut findings)] {
        made.unwrap_or_else(|error| findings.problem(format!("{error:#}")));
    }
    for warning in &findings.warnings {
        println!("tidy: warning: {warning}");
    }
    for problem in &findings.problems {
        println!("tidy: {problem}");
    }
    if !findings.problems.is_empty() {
        bail!("tidy found {} problem(s)", findings.problems.len());
    }
    println!("tidy: {} files, no problem", tree.files.len());
    Ok(())
}
