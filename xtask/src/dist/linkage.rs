//! How the distributed program is linked: statically if this machine can do that.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// A target to build for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Linkage {
    pub(super) target: String,
    /// How the program is linked, as a line for the output.
    pub(super) message: String,
}

impl Linkage {
    /// Picks the musl target if the toolchain has it and there is a C compiler for it; otherwise the machine's own
    /// target.
    pub(super) fn find(workspace: &Workspace) -> Result<Self> {
        let rustc = || {
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
            rustc.current_dir(&workspace.root);
            rustc
        };
        let sysroot = process::read(rustc().args(["--print", "sysroot"]))?;
        let about = process::read(rustc().arg("-vV"))?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc tells no host")?;
        Ok(Self::of(host, Path::new(sysroot.trim()), |program| process::find(program).is_some()))
    }

    /// Picks the target. glibc is never linked statically: its name resolver loads libraries at run time, which must
    /// have the very version that was linked, and another machine rarely has it.
    fn of(host: &str, sysroot: &Path, is_installed: impl Fn(&str) -> bool) -> Self {
        let Some(machine) = host.strip_suffix("-unknown-linux-gnu") else {
            return Self { target: host.to_owned(), message: format!("linked as {host} links by default") };
        };
        let musl = format!("{machine}-unknown-linux-musl");
        let mut missing = Vec::new();
        if !sysroot.join("lib/rustlib").join(&musl).join("lib").is_dir() {
            missing.push(format!("`rustup target add {musl}`"));
        }
        if !["musl-gcc".to_owned(), format!("{machine}-linux-musl-gcc")].iter().any(|program| is_installed(program)) {
            missing.push("musl-gcc (Debian: musl-tools)".to_owned());
        }
        if missing.is_empty() {
            return Self {
                target: musl,
                message: "linked statically: it runs on any Linux of this machine's kind".to_owned(),
            };
        }
        let message =
            format!("not static: it needs a glibc as new as this one; {} would change that", missing.join(" and "));
        Self { target: host.to_owned(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "x86_64-unknown-linux-gnu";

    #[test]
    fn musl_is_taken_where_both_the_library_and_the_compiler_are_there() {
        let sysroot = tempfile::tempdir().unwrap();
        let of = |tool: &'static str| Linkage::of(HOST, sysroot.path(), move |program| program == tool);
        assert_eq!(of("musl-gcc").target, HOST);
        assert!(of("musl-gcc").message.contains("rustup target add x86_64-unknown-linux-musl"));
        std::fs::create_dir_all(sysroot.path().join("lib/rustlib/x86_64-unknown-linux-musl/lib")).unwrap();
        assert_eq!(of("musl-gcc").target, "x86_64-unknown-linux-musl");
        let without = of("clang");
        assert!(
            without.target == HOST && without.message.contains("musl-tools") && !without.message.contains("rustup")
        );
    }

    #[test]
    fn another_system_is_taken_as_it_is() {
        let apple = "aarch64-apple-darwin";
        assert_eq!(Linkage::of(apple, Path::new("/"), |_| true).target, apple);
    }
}
