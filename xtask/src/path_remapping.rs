//! Builds for others: what is built holds no path of the machine that built it, so that each machine builds the same
//! bytes.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Flags for rustc that replace the beginnings of paths. Of several that fit, rustc takes the last.
pub(crate) fn flags(workspace: &Workspace) -> Result<Vec<String>> {
    let mut named =
        vec![(workspace.root.clone(), "/weir".to_owned()), (workspace.target.clone(), "/target".to_owned())];
    if let Some(home) = cargo_home() {
        // A registry's folder has a name made of its address, which a mirror changes.
        let registries = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
        let registries: Vec<PathBuf> = registries.map(|entry| entry.path()).collect();
        named.push((home, "/cargo".to_owned()));
        named.extend(registries.into_iter().map(|folder| (folder, "/crates".to_owned())));
    }
    let rustc = || process::rustc(&workspace.root);
    let sysroot = process::read(rustc().args(["--print", "sysroot"]))?;
    let about = process::read(rustc().arg("-vV"))?;
    if let Some(commit) = about.lines().find_map(|line| line.strip_prefix("commit-hash: ")) {
        // Where a prebuilt library says that it comes from.
        let sources = PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust");
        named.push((sources, format!("/rustc/{commit}")));
    }
    Ok(named.into_iter().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display())).collect())
}

/// Sets rustc's flags for one call of cargo that names its target, so that no build script gets them.
pub(crate) fn set(command: &mut Command, flags: &[String]) {
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
}

/// The folder with cargo's registry and settings.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let of_user = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(of_user)
}
