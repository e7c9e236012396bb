//! For which target the distributed program is built and how it is linked: statically if this machine can do that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::Workspace;
use crate::{process, wasm};

/// A target to build for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Linkage {
    pub(super) target: String,
    /// The C compiler, which links as well, for another kind of machine.
    pub(super) linker: Option<String>,
    /// Whether this machine runs what is built.
    pub(super) runs_here: bool,
    /// What runs a program for another kind of machine here, with its arguments; empty if there is nothing.
    pub(super) emulator: Vec<String>,
    /// How the program is linked, as a line for the output.
    pub(super) message: String,
}

impl Linkage {
    /// Picks the musl target if the toolchain has it and there is a C compiler for it; otherwise the machine's own
    /// target.
    pub(super) fn find(workspace: &Workspace) -> Result<Self> {
        let (host, sysroot) = toolchain(workspace)?;
        Ok(Self::of(&host, &sysroot, |program| process::find(program).is_some()))
    }

    /// The target that is asked for. The toolchain is given its library where rustup can do that.
    pub(super) fn of_target(workspace: &Workspace, target: &str) -> Result<Self> {
        let (host, sysroot) = toolchain(workspace)?;
        let has_library = has_library(&sysroot, target) || wasm::rustup(&["target", "add", target]);
        ensure!(has_library, "the toolchain has no library for {target}, and `rustup target add {target}` brings none");
        Self::cross(&host, target, |program| process::find(program).is_some())
    }

    /// Picks the target. glibc is never linked statically: its name resolver loads libraries at run time, which must
    /// have the very version that was linked, and another machine rarely has it.
    fn of(host: &str, sysroot: &Path, is_installed: impl Fn(&str) -> bool) -> Self {
        let own = |message: String| Self {
            target: host.to_owned(),
            linker: None,
            runs_here: true,
            emulator: Vec::new(),
            message,
        };
        let Some(machine) = host.strip_suffix("-unknown-linux-gnu") else {
            return own(format!("linked as {host} links by default"));
        };
        let musl = format!("{machine}-unknown-linux-musl");
        let mut missing = Vec::new();
        if !has_library(sysroot, &musl) {
            missing.push(format!("`rustup target add {musl}`"));
        }
        if !compilers(machine, "musl").iter().any(|program| is_installed(program)) {
            missing.push("musl-gcc (Debian: musl-tools)".to_owned());
        }
        if missing.is_empty() {
            let message = "linked statically: it runs on any Linux of this machine's kind".to_owned();
            return Self { target: musl, linker: None, runs_here: true, emulator: Vec::new(), message };
        }
        own(format!("not static: it needs a glibc as new as this one; {} would change that", missing.join(" and ")))
    }

    /// A target that is asked for, with the compiler for it.
    fn cross(host: &str, target: &str, is_installed: impl Fn(&str) -> bool) -> Result<Self> {
        let message = if target.ends_with("-musl") {
            format!("linked statically: it runs on any Linux of the kind of {target}")
        } else {
            format!("not static: on {target} it needs libraries as new as those of the compiler for it")
        };
        let own = |message, runs_here| Self {
            target: target.to_owned(),
            linker: None,
            runs_here,
            emulator: Vec::new(),
            message,
        };
        let own_machine = host.split('-').next().unwrap_or_default();
        let Some((machine, libc)) = target.split_once("-unknown-linux-") else {
            ensure!(target == host, "this command knows no compiler for {target}: it knows Linux's targets");
            return Ok(own(message, true));
        };
        let runs_here = machine == own_machine && host.contains("-linux-");
        let compilers = compilers(machine, libc);
        let found = compilers.iter().find(|program| is_installed(program));
        if target == host || (runs_here && found.is_some()) {
            return Ok(own(message, runs_here));
        }
        let Some(linker) = found else {
            let packages = if libc == "gnu" { format!("gcc-{machine}-linux-gnu") } else { "musl-tools".to_owned() };
            bail!("{target} needs a C compiler: one of {} (Debian: {packages})", compilers.join(", "));
        };
        let emulator = if runs_here { Vec::new() } else { emulator(machine, libc, &is_installed) };
        Ok(Self { linker: Some(linker.clone()), emulator, ..own(message, runs_here) })
    }
}

/// QEMU's user emulation of a machine, with the libraries that the compiler for it brings; empty if it is not
/// installed.
fn emulator(machine: &str, libc: &str, is_installed: impl Fn(&str) -> bool) -> Vec<String> {
    let names = [format!("qemu-{machine}-static"), format!("qemu-{machine}")];
    let Some(name) = names.into_iter().find(|name| is_installed(name)) else { return Vec::new() };
    vec![name, "-L".to_owned(), format!("/usr/{machine}-linux-{libc}")]
}

/// The names of C compilers for a kind of Linux.
fn compilers(machine: &str, libc: &str) -> Vec<String> {
    let full = format!("{machine}-linux-{libc}-gcc");
    let is_own = machine == std::env::consts::ARCH && libc == "musl";
    if is_own { vec!["musl-gcc".to_owned(), full] } else { vec![full] }
}

fn has_library(sysroot: &Path, target: &str) -> bool {
    sysroot.join("lib/rustlib").join(target).join("lib").is_dir()
}

/// The machine's own target, and the toolchain's folder.
pub(super) fn toolchain(workspace: &Workspace) -> Result<(String, PathBuf)> {
    let rustc = || process::rustc(&workspace.root);
    let sysroot = process::read(rustc().args(["--print", "sysroot"]))?;
    let about = process::read(rustc().arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc tells no host")?;
    Ok((host.to_owned(), sysroot.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> String {
        format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
    }

    #[test]
    fn musl_is_taken_where_both_the_library_and_the_compiler_are_there() {
        let sysroot = tempfile::tempdir().unwrap();
        let (host, musl) = (host(), host().replace("gnu", "musl"));
        let of = |tool: &'static str| Linkage::of(&host, sysroot.path(), move |program| program == tool);
        assert_eq!(of("musl-gcc").target, host);
        assert!(of("musl-gcc").message.contains(&format!("rustup target add {musl}")));
        std::fs::create_dir_all(sysroot.path().join("lib/rustlib").join(&musl).join("lib")).unwrap();
        assert_eq!(of("musl-gcc").target, musl);
        let without = of("clang");
        assert!(
            without.target == host && without.message.contains("musl-tools") && !without.message.contains("rustup")
        );
    }

    #[test]
    fn another_system_is_taken_as_it_is() {
        let apple = "aarch64-apple-darwin";
        assert_eq!(Linkage::of(apple, Path::new("/"), |_| true).target, apple);
        assert!(Linkage::cross(apple, apple, |_| false).unwrap().runs_here);
        assert!(Linkage::cross(&host(), apple, |_| true).is_err());
    }

    #[test]
    fn another_kind_of_machine_needs_its_compiler() {
        let other = if std::env::consts::ARCH == "aarch64" { "x86_64" } else { "aarch64" };
        let target = format!("{other}-unknown-linux-gnu");
        let error = Linkage::cross(&host(), &target, |_| false).unwrap_err().to_string();
        assert!(error.contains(&format!("gcc-{other}-linux-gnu")), "{error}");
        let found = Linkage::cross(&host(), &target, |_| true).unwrap();
        assert_eq!((found.linker, found.runs_here), (Some(format!("{other}-linux-gnu-gcc")), false));
        let expected = [format!("qemu-{other}-static"), "-L".into(), format!("/usr/{other}-linux-gnu")];
        assert_eq!(found.emulator, expected);
        let without = Linkage::cross(&host(), &target, |program| !program.starts_with("qemu-")).unwrap();
        assert!(without.emulator.is_empty() && !without.runs_here);
        let own = Linkage::cross(&host(), &host(), |_| false).unwrap();
        assert!(own.linker.is_none() && own.runs_here && own.emulator.is_empty());
    }
}
