//! `cargo xtask dist`: makes the distribution, as a folder and as an archive. The program finds the adapters beside it,
//! wherever the folder is unpacked. `cargo xtask install` puts the same into a prefix, as `cargo install` does.

mod bill;
mod crates;
mod licences;
mod linkage;
mod order;
mod pgo;
mod sums;
mod vendored;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, cargo};
use crate::workspace::Workspace;
use crate::{path_remapping, plugins};
use bill::Part;
use crates::Known;
use linkage::Linkage;
use order::Order;

/// The version of the workspace, which all of its crates share.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Files that are copied unchanged. The recordings are those that the example configuration answers from.
const FILES: [&str; 6] =
    ["config.example.toml", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "deploy", "docs/recordings"];
/// The licences of all crates and libraries, in the folder.
const LICENCES: &str = "THIRD-PARTY-LICENSES.txt";
/// The variable by which the program learns its commit when it is built.
const COMMIT: &str = "WEIR_COMMIT";
/// The time of files in archives, in seconds since 1970, as other tools know it; else the commit's.
const EPOCH: &str = "SOURCE_DATE_EPOCH";
/// Shells whose completions are made.
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];
/// Where a prefix has the adapters: the program looks there from `bin/`.
const IN_PREFIX: &str = "lib/weir";

/// Builds the distribution for each target.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let order = Order::read(words)?;
    let linkages = match &order.targets[..] {
        [] => vec![Linkage::find(workspace)?],
        targets => targets.iter().map(|target| Linkage::of_target(workspace, target)).collect::<Result<_>>()?,
    };
    let known = Known::read(workspace)?;
    let place = workspace.target.join("dist");
    let adapters = place.join("adapters");
    plugins::put_for_others(workspace, workspace.adapters.clone(), &adapters)?;
    for linkage in &linkages {
        let folder = place.join(format!("weir-{VERSION}-{}", linkage.target));
        let flags = if order.pgo { pgo::flags(workspace, linkage, &order.profile, &adapters)? } else { Vec::new() };
        let program = build(workspace, linkage, &order.profile, &flags)?;
        gather(workspace, &program, &folder, &adapters)?;
        describe(&folder, &caller(workspace, linkage, &folder)?)?;
        account(workspace, &known, &folder, &linkage.target)?;
        let archive = pack(workspace, &folder)?;
        println!("{}\n{}\n{}", folder.display(), archive.display(), linkage.message);
    }
    sums::write(&place, &format!("weir-{VERSION}-"))?;
    println!("{}", place.join(sums::NAME).display());
    Ok(())
}

/// Installs the program and the adapters below a prefix: `bin/weir` and `lib/weir/plugins`.
pub(crate) fn install(workspace: &Workspace, words: &[String]) -> Result<()> {
    let [prefix] = words else { bail!("usage: cargo xtask install PREFIX") };
    let prefix = std::path::absolute(prefix).context("the prefix is no path")?;
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["install", "--locked", "--force", "--path", "host/weir", "--root"]);
    process::run(with_commit(workspace, &mut command).arg(&prefix))?;
    let adapters = workspace.target.join("dist/adapters");
    plugins::put_for_others(workspace, workspace.adapters.clone(), &adapters)?;
    bring_adapters(workspace, &adapters, &prefix.join(IN_PREFIX))
}

fn program_name() -> String {
    format!("weir{}", std::env::consts::EXE_SUFFIX)
}

/// Builds a profile for a named target, so that flags for the program do not reach build scripts.
fn build(workspace: &Workspace, linkage: &Linkage, profile: &str, flags: &[String]) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--package", "weir", "--bin", "weir"]);
    command.args(["--profile", profile, "--target", &linkage.target]);
    path_remapping::set(&mut command, &[&path_remapping::flags(workspace)?, flags].concat());
    if let Some(linker) = &linkage.linker {
        let target = linkage.target.replace('-', "_");
        command.env(format!("CARGO_TARGET_{}_LINKER", target.to_ascii_uppercase()), linker);
        command.env(format!("CC_{target}"), linker);
    }
    process::run(with_commit(workspace, &mut command))?;
    Ok(workspace.target.join(&linkage.target).join(profile).join(program_name()))
}

/// Tells the program its commit. Without git, as in an unpacked archive, that is unknown.
fn with_commit<'a>(workspace: &Workspace, command: &'a mut Command) -> &'a mut Command {
    match commit(std::env::var_os(COMMIT), || git(workspace, &["rev-parse", "HEAD"])) {
        Some(commit) => command.env(COMMIT, commit),
        None => command.env_remove(COMMIT),
    }
}

/// The commit that the caller names, else git's. The image's build names an empty one where it was given none.
fn commit(named: Option<OsString>, git: impl FnOnce() -> Result<String>) -> Option<OsString> {
    let named = named.filter(|commit| !commit.is_empty());
    named.or_else(|| git().ok().map(OsString::from).filter(|commit| !commit.is_empty()))
}

fn git(workspace: &Workspace, words: &[&str]) -> Result<String> {
    let output = process::read(Command::new("git").current_dir(&workspace.root).args(words))?;
    Ok(output.trim().to_owned())
}

/// A program of this machine's kind, which prints what one for another machine would.
fn built_here(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--profile", "quick", "--package", "weir", "--bin", "weir"]);
    process::run(&mut command)?;
    Ok(workspace.target.join("quick").join(program_name()))
}

/// What runs the program of a folder: nothing else for a machine of this kind; for another one, QEMU, which also shows
/// that the program starts; without QEMU, a program of this machine's kind takes its place.
fn caller(workspace: &Workspace, linkage: &Linkage, folder: &Path) -> Result<Vec<OsString>> {
    let own = folder.join(program_name());
    if !linkage.runs_here && linkage.emulator.is_empty() {
        println!("QEMU's user emulation is not installed: the program for {} is not started", linkage.target);
        return Ok(vec![built_here(workspace)?.into()]);
    }
    Ok(linkage.emulator.iter().map(OsString::from).chain([own.into()]).collect())
}

/// Adds the manual and the completions, which the program prints.
fn describe(folder: &Path, caller: &[OsString]) -> Result<()> {
    let (program, before) = caller.split_first().context("there is no program to run")?;
    let weir = || {
        let mut weir = Command::new(program);
        weir.args(before);
        weir
    };
    process::run(weir().arg("man").arg("--out").arg(folder.join("share/man/man1")))?;
    let completions = folder.join("share/completions");
    fs::create_dir_all(&completions)?;
    for shell in SHELLS {
        fs::write(completions.join(format!("weir.{shell}")), process::read(weir().args(["completions", shell]))?)?;
    }
    Ok(())
}

/// Adds the bill of materials, also beside the folder, and the licences of all crates and of the dashboard's libraries.
fn account(workspace: &Workspace, known: &Known, folder: &Path, target: &str) -> Result<()> {
    let part = |file: String, package: &str, target: &str| -> Result<Part> {
        let linked = known.linked(workspace, package, target)?;
        Ok(Part {
            sum: sums::of_file(&folder.join(&file))?,
            file,
            package: package.to_owned(),
            linked,
            holds: Vec::new(),
        })
    };
    let held = vendored::read(&workspace.root.join(vendored::FOLDER))?;
    let mut parts = vec![Part { holds: held.clone(), ..part(program_name(), "weir", target)? }];
    for adapter in &workspace.adapters {
        parts.push(part(format!("plugins/{}.wasm", adapter.name), &adapter.package, crate::wasm::TARGET)?);
    }
    let bill = serde_json::to_string_pretty(&bill::bill(VERSION, target, &parts))? + "\n";
    for file in [folder.join("share/sbom.cdx.json"), PathBuf::from(format!("{}.cdx.json", folder.display()))] {
        fs::write(&file, &bill).with_context(|| format!("could not write {}", file.display()))?;
    }
    let linked: BTreeMap<_, _> = parts.into_iter().flat_map(|part| part.linked).map(|one| (one.id(), one)).collect();
    let linked: Vec<_> = linked.into_values().collect();
    let collected = licences::collect(known, &linked, &held, &workspace.root.join("LICENSE-APACHE"))?;
    if !collected.without_text.is_empty() {
        println!("these crates come without the text of their licence: {}", collected.without_text.join(", "));
    }
    fs::write(folder.join(LICENCES), collected.text)?;
    Ok(())
}

/// Remakes the folder, so that nothing of an earlier one remains. The adapters are in `plugins/` of a folder that
/// has their `plugins.lock`.
pub(crate) fn gather(workspace: &Workspace, program: &Path, folder: &Path, adapters: &Path) -> Result<()> {
    empty(folder)?;
    copy(program, &folder.join(program.file_name().unwrap_or_default()))?;
    for file in FILES {
        copy(&workspace.root.join(file), &folder.join(file))?;
    }
    bring_adapters(workspace, adapters, folder)
}

/// Removes a folder of an earlier run and makes an empty one.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))
}

/// Copies the adapters, what pins them, and the fixtures by which each is proved before it serves.
fn bring_adapters(workspace: &Workspace, from: &Path, to: &Path) -> Result<()> {
    copy(&from.join("plugins.lock"), &to.join("plugins.lock"))?;
    for adapter in &workspace.adapters {
        let file = Path::new("plugins").join(format!("{}.wasm", adapter.name));
        copy(&from.join(&file), &to.join(&file))?;
        let fixtures = workspace.root.join(&adapter.folder).join("fixtures");
        if fixtures.is_dir() {
            copy(&fixtures, &to.join(file.with_extension("fixtures")))?;
        }
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

/// Packs the folder as a `.tar.gz` beside it: with GNU's tar, the same files make the same archive.
fn pack(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let (Some(place), Some(name)) = (folder.parent(), folder.file_name().and_then(|name| name.to_str())) else {
        bail!("{} is no folder to pack", folder.display());
    };
    let archive = format!("{name}.tar.gz");
    ensure!(process::find("tar").is_some(), "`tar` is not installed; {} is complete", folder.display());
    let mut tar = Command::new("tar");
    tar.current_dir(place).args(["-cf", &archive]);
    if process::read(Command::new("tar").arg("--version"))?.contains("GNU tar") {
        let time = std::env::var(EPOCH).or_else(|_| git(workspace, &["log", "-1", "--format=%ct"]));
        let time = format!("--mtime=@{}", time.unwrap_or_else(|_| "0".to_owned()));
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", &time]);
        tar.args(["--use-compress-program", "gzip -n"]);
    } else {
        tar.arg("-z");
    }
    process::run(tar.arg(name))?;
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
        for file in [
            "target/release/weir",
            "built/plugins/zeta.wasm",
            "built/plugins.lock",
            "plugins/zeta/fixtures/chat.json",
            "plugins/mine.wasm",
            "target/dist/weir-x/plugins/old.wasm",
        ] {
            write(&at(file));
        }
        let folder = at("target/dist/weir-x");
        gather(&workspace(root.path()), &at("target/release/weir"), &folder, &at("built")).unwrap();
        let expected = [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "config.example.toml",
            "deploy",
            "docs/recordings/zeta/chat.json",
            "plugins.lock",
            "plugins/zeta.fixtures/chat.json",
            "plugins/zeta.wasm",
            "weir",
        ];
        assert_eq!(list(&folder), expected);
        let archive = pack(&workspace(root.path()), &folder).unwrap();
        assert!(archive.ends_with("dist/weir-x.tar.gz"));
        let first = fs::read(&archive).unwrap();
        // Later, and by another user's rights, the same files make the same archive.
        let touched = Command::new("touch").args(["-d", "2001-01-01"]).arg(folder.join("README.md")).status();
        let opened = Command::new("chmod").arg("0600").arg(folder.join("README.md")).status();
        assert!(touched.unwrap().success() && opened.unwrap().success());
        pack(&workspace(root.path()), &folder).unwrap();
        assert_eq!(fs::read(&archive).unwrap(), first);
        fs::remove_dir_all(&folder).unwrap();
        let unpacked = Command::new("tar").current_dir(at("target/dist")).args(["-xzf", "weir-x.tar.gz"]).status();
        assert!(unpacked.unwrap().success());
        assert_eq!(list(&folder), expected);
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tempfile::tempdir().unwrap();
        let (program, to) = (root.path().join("weir"), root.path().join("to"));
        let error = gather(&workspace(root.path()), &program, &to, root.path()).unwrap_err();
        assert!(error.to_string().contains("weir"), "{error:#}");
    }

    #[test]
    fn the_commit_is_the_callers_or_gits_and_never_an_empty_one() {
        let git = || Ok("of git".to_owned());
        assert_eq!(commit(Some("named".into()), git), Some("named".into()));
        assert_eq!(commit(Some("".into()), git), Some("of git".into()));
        assert_eq!(commit(None, git), Some("of git".into()));
        assert_eq!(commit(Some("".into()), || bail!("no repository")), None);
        assert_eq!(commit(None, || Ok(String::new())), None);
    }
}
