//! `cargo xtask contract`: writes the reference of the contract, `docs/contract.md` and one page for each file of
//! `wit/` and `wit/hook/`, the messages of gRPC with their numbers, and the types of the SDK for JavaScript. `--freeze`
//! writes the frozen copy of a released contract, `wit/vX.Y.Z/`, and `--bindings` the templates' bindings.

mod bindings;
mod frozen;
mod page;
mod protobuf;
mod read;
mod types;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use bindings::problems as bindings_problems;
pub(crate) use frozen::problems as frozen_problems;
use read::Contract;

use crate::process;
use crate::workspace::Workspace;

/// The folder of the working contract.
const WIT: &str = "wit";
/// The folder of the guards' contract, which uses the types of the working contract.
const GUARDS: &str = "wit/hook";
/// The script that makes the types for JavaScript; with `--check` it fails if those that are there are others.
const JAVASCRIPT: &str = "sdk/javascript/tools/contract.mjs";

/// Writes the pages; with `--freeze` the frozen copy; with `--bindings` the bindings of the C and Go templates.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    match words {
        [] => write(&workspace.root).and_then(|()| write_javascript(&workspace.root)),
        [word] if word == "--freeze" => frozen::freeze(&workspace.root),
        [word] if word == "--bindings" => bindings::write(&workspace.root),
        _ => bail!("usage: cargo xtask contract [--freeze | --bindings]"),
    }
}

fn pages(root: &Path) -> Result<Vec<(String, String)>> {
    let wit = root.join(WIT);
    let mut pages = page::pages(&Contract::read(&wit)?, &Contract::read_above(&wit, &root.join(GUARDS))?);
    pages.extend(protobuf::files(root, &wit)?);
    Ok(pages)
}

fn write(root: &Path) -> Result<()> {
    let pages = pages(root)?;
    for (path, text) in &pages {
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap_or(root))?;
        if fs::read_to_string(&place).is_ok_and(|present| present == *text) {
            continue;
        }
        fs::write(&place, text).with_context(|| format!("could not write {path}"))?;
        println!("contract: {path}");
    }
    for path in left_over(root, &pages) {
        fs::remove_file(root.join(&path))?;
        println!("contract: {path} is gone");
    }
    Ok(())
}

fn write_javascript(root: &Path) -> Result<()> {
    let Some(node) = process::find("node") else {
        println!("contract: {JAVASCRIPT} was not run, because node is not installed");
        return Ok(());
    };
    process::run(Command::new(node).current_dir(root).arg(JAVASCRIPT))
}

/// Whether the types for JavaScript are those of `wit/`; without Node that cannot be checked, and they pass.
pub(crate) fn javascript_is_fresh(root: &Path) -> bool {
    let checked = |node| Command::new(node).current_dir(root).args([JAVASCRIPT, "--check"]).output();
    process::find("node").is_none_or(|node| checked(node).is_ok_and(|output| output.status.success()))
}

/// Pages that differ from what `wit/` would generate.
pub(crate) fn stale(root: &Path) -> Result<Vec<String>> {
    let pages = pages(root)?;
    let differs = |(path, text): &&(String, String)| fs::read_to_string(root.join(path)).ok().as_ref() != Some(text);
    let mut stale: Vec<String> = pages.iter().filter(differs).map(|(path, _)| path.clone()).collect();
    stale.extend(left_over(root, &pages));
    Ok(stale)
}

/// Pages of files that no longer exist.
fn left_over(root: &Path, pages: &[(String, String)]) -> Vec<String> {
    let Ok(folder) = fs::read_dir(root.join(page::FOLDER)) else { return Vec::new() };
    let names = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let paths = names.map(|name| format!("{}/{name}", page::FOLDER));
    paths.filter(|path| !pages.iter().any(|(known, _)| known == path)).collect()
}
