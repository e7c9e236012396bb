//! What clippy's driver has warned of while everything was built. A warning is kept beside what was built, so that
//! cargo tells it again without a second build.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde_json::Value;

use super::EVERYTHING;
use crate::process::{self, linting_cargo};
use crate::workspace::Workspace;

/// Prints each warning of the build, and fails if there is one.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let mut command = linting_cargo();
    command.current_dir(&workspace.root).args(EVERYTHING).args(["--quiet", "--message-format=json"]);
    let warnings = warnings(&process::read(&mut command)?);
    for warning in &warnings {
        println!("{warning}");
    }
    if !warnings.is_empty() {
        bail!("{} warnings, which stand above", warnings.len());
    }
    Ok(())
}

/// The warnings among cargo's messages. A library's stand there once more for its unit tests.
fn warnings(messages: &str) -> BTreeSet<String> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let rendered = messages.filter_map(|message| Some(message["message"]["rendered"].as_str()?.to_owned()));
    rendered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_told_once() {
        let warning = r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: odd\n"}}"#;
        let artifact = r#"{"reason":"compiler-artifact","fresh":true}"#;
        let messages = [warning, artifact, warning, "no message"].join("\n");
        assert_eq!(warnings(&messages), BTreeSet::from(["warning: odd\n".to_owned()]));
        assert!(warnings(artifact).is_empty());
    }
}
