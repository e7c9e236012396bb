//! Checks the licences of all linked crates against the list in `deny.toml`; `cargo deny` does this and more.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Findings;
use crate::process::{self, cargo};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    let deny = std::fs::read_to_string(workspace.root.join("deny.toml")).context("could not read deny.toml")?;
    let allowed = allowed(&deny)?;
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["metadata", "--format-version", "1", "--all-features", "--locked"]);
    let metadata: Value = serde_json::from_str(&process::read(&mut command)?)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Packages without a source are this workspace's.
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(licence) = package["license"].as_str() else {
            findings.problem(format!("{name} names no licence"));
            continue;
        };
        if !is_allowed(licence, &allowed) {
            findings.problem(format!("{name} is licensed {licence:?}, which deny.toml does not allow"));
        }
    }
    Ok(())
}

/// The strings of `allow = [...]` in the table `[licenses]`.
fn allowed(deny: &str) -> Result<Vec<String>> {
    let table = deny.split_once("[licenses]").map(|(_, rest)| rest).unwrap_or_default();
    let list = table.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']'));
    let Some((list, _)) = list else { bail!("deny.toml has no [licenses] with an allow = [...]") };
    Ok(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether a licence expression (SPDX, or with the old `/` for `OR`) is satisfied by the list.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = either(&words, allowed);
    met && rest.is_empty()
}

/// Parses `A OR B`; returns the words that are left.
fn either<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = both(words, allowed);
    while let Some((&"OR", after)) = rest.split_first() {
        let (next, left) = both(after, allowed);
        met |= next;
        rest = left;
    }
    (met, rest)
}

/// Parses `A AND B`, which binds tighter.
fn both<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let Some((&"AND", after)) = rest.split_first() {
        let (next, left) = one(after, allowed);
        met &= next;
        rest = left;
    }
    (met, rest)
}

/// Parses a licence, a licence with an exception, or a group.
fn one<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", rest @ ..] => {
            let (met, rest) = either(rest, allowed);
            (met, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.iter().any(|it| *it == format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.iter().any(|it| it == licence), rest),
        [] => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_as_they_say() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "GPL-3.0 AND ISC OR MIT",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "MIT WITH GCC-exception", "(GPL-3.0 OR ISC) AND MIT", "", "MIT MIT"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn the_list_is_that_of_the_licences() {
        let deny = "[bans]\nallow = [\"x\"]\n[licenses]\n# why\nallow = [\n  \"MIT\", # plain\n  \"ISC\",\n]\n";
        assert_eq!(allowed(deny).unwrap(), ["MIT", "ISC"]);
        assert!(allowed("[licenses]").is_err());
    }
}
