//! `cargo xtask dist`: makes the distribution, as a folder and as an archive. The program finds the adapters beside it,
//! wherever the folder is unpacked.

mod linkage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::plugins;
use crate::process::{self, cargo};
use crate::workspace::Workspace;
use linkage::Linkage;

/// The version of the workspace, which all of its crates share.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Files that are copied unchanged. The recordings are those that the example configuration answers from.
const FILES: [&str; 7] =
    ["config.example.toml", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "deploy", "docs/recordings", "plugins.lock"];
/// The variable by which the program learns its commit when it is built.
const COMMIT: &str = "WEIR_COMMIT";
/// Shells whose completions are made.
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// Builds the distribution.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let linkage = Linkage::find(workspace)?;
    let adapters = workspace.adapters.clone();
    plugins::put(workspace, adapters, &plugins::Progress::of(workspace.adapters.len(), 0))?;
    let program = build(workspace, &linkage)?;
    let folder = workspace.target.join("dist").join(format!("weir-{VERSION}-{}", linkage.target));
    gather(workspace, &program, &folder)?;
    describe(&folder)?;
    let archive = pack(&folder)?;
    println!("{}\n{}\n{}", folder.display(), archive.display(), linkage.message);
    Ok(())
}

/// Builds the release profile for a named target, so that flags for the program do not reach build scripts.
fn build(workspace: &Workspace, linkage: &Linkage) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--release", "--package", "weir", "--target", &linkage.target]);
    if std::env::var_os(COMMIT).is_none() {
        let asked = process::read(Command::new("git").current_dir(&workspace.root).args(["rev-parse", "HEAD"]));
        // Without git, as in an unpacked archive, the commit is unknown.
        if let Ok(commit) = asked {
            command.env(COMMIT, commit.trim());
        }
    }
    process::run(&mut command)?;
    let program = format!("weir{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join(&linkage.target).join("release").join(program))
}

/// Adds the manual and the completions, which the program prints.
fn describe(folder: &Path) -> Result<()> {
    let weir = || Command::new(folder.join(format!("weir{}", std::env::consts::EXE_SUFFIX)));
    process::run(weir().arg("man").arg("--out").arg(folder.join("share/man/man1")))?;
    let completions = folder.join("share/completions");
    fs::create_dir_all(&completions)?;
    for shell in SHELLS {
        fs::write(completions.join(format!("weir.{shell}")), process::read(weir().args(["completions", shell]))?)?;
    }
    Ok(())
}

/// Makes the folder anew, so that nothing of an earlier one remains.
pub(crate) fn gather(workspace: &Workspace, program: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    copy(program, &folder.join(program.file_name().unwrap_or_default()))?;
    for file in FILES {
        copy(&workspace.root.join(file), &folder.join(file))?;
    }
    for adapter in &workspace.adapters {
        let file = Path::new("plugins").join(format!("{}.wasm", adapter.name));
        copy(&workspace.root.join(&file), &folder.join(&file))?;
    }
    Ok(())
}

/// Copies a file, or a folder with its contents.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to).with_context(|| format!("could not copy {} to {}", from.display(), to.display()))?;
        return Ok(());
    }
    for entry in fs::read_dir(from).with_context(|| format!("could not read {}", from.display()))? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Packs the folder as a `.tar.gz` beside it.
fn pack(folder: &Path) -> Result<PathBuf> {
    let (Some(place), Some(name)) = (folder.parent(), folder.file_name().and_then(|name| name.to_str())) else {
        anyhow::bail!("{} is no folder to pack", folder.display());
    };
    let archive = format!("{name}.tar.gz");
    ensure!(process::find("tar").is_some(), "`tar` is not installed; {} is complete", folder.display());
    process::run(Command::new("tar").current_dir(place).args(["-czf", &archive, name]))?;
    Ok(place.join(archive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Adapter;

    fn workspace(root: &Path) -> Workspace {
        let adapter = Adapter {
            name: "zeta".into(),
            folder: "plugins/zeta".into(),
            package: "weir-zeta".into(),
            profile: "adapter".into(),
        };
        Workspace { root: root.into(), target: root.join("target"), adapters: vec![adapter], test_adapters: Vec::new() }
    }

    fn write(file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, file.file_name().unwrap().as_encoded_bytes()).unwrap();
    }

    /// The files in a folder, relative to its root.
    fn list(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(folder).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_adapters_stand_beside_the_program_and_nothing_old_does() {
        let root = tempfile::tempdir().unwrap();
        let at = |file: &str| root.path().join(file);
        for file in FILES.map(|file| if file == "docs/recordings" { "docs/recordings/zeta/chat.json" } else { file }) {
            write(&at(file));
        }
        for file in
            ["target/release/weir", "plugins/zeta.wasm", "plugins/mine.wasm", "target/dist/weir-x/plugins/old.wasm"]
        {
            write(&at(file));
        }
        let folder = at("target/dist/weir-x");
        gather(&workspace(root.path()), &at("target/release/weir"), &folder).unwrap();
        let expected = [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "config.example.toml",
            "deploy",
            "docs/recordings/zeta/chat.json",
            "plugins.lock",
            "plugins/zeta.wasm",
            "weir",
        ];
        assert_eq!(list(&folder), expected);
        assert!(pack(&folder).unwrap().ends_with("dist/weir-x.tar.gz"));
        fs::remove_dir_all(&folder).unwrap();
        let unpacked = Command::new("tar").current_dir(at("target/dist")).args(["-xzf", "weir-x.tar.gz"]).status();
        assert!(unpacked.unwrap().success());
        assert_eq!(list(&folder), expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = gather(&workspace(root.path()), &root.path().join("weir"), &root.path().join("to")).unwrap_err();
        assert!(error.to_string().contains("weir"), "{error:#}");
    }
}
