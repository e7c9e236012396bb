//! The WebAssembly target: how this machine gets it, and the linker flags for components.
//!
//! The ordinary way is `rustup target add`. If rustup's server cannot be reached, the standard library is built from
//! its sources, which come with the toolchain, from rustup or from the distribution.

mod debian;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{path_remapping, process};

/// The target, whose programs import nothing by default.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The linker that comes with the toolchain and writes components.
pub(crate) const LINKER: &str = "wasm-component-ld";
/// Linker flags. A small stack keeps instances small; adapters do not recurse deeply. An initial heap saves nearly all
/// instances from growing theirs, and costs nothing if it is not touched. Without the last flag, each call and address
/// in the code is padded to five bytes, a tenth of a component.
const FLAGS: &str = "-C linker-flavor=wasm-ld -C link-arg=-zstack-size=131072 -C link-arg=--initial-heap=524288 \
                     -C link-arg=--compress-relocations";
/// Timeout of downloads.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The source of the target's standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Std {
    /// In the toolchain.
    Installed,
    /// Built beside the adapters, from the sources in the toolchain.
    Built,
}

/// Configures a call of cargo for building components, with more flags for rustc.
pub(crate) fn configure(command: &mut Command, std: Std, more: &[String]) {
    let flags: Vec<String> = FLAGS.split_whitespace().map(str::to_owned).chain(more.iter().cloned()).collect();
    path_remapping::set(command, &flags);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER);
    if std == Std::Built {
        // The option is unstable; this variable makes a stable cargo accept it.
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
}

/// The rungs, in order; the first that succeeds is used.
const RUNGS: [(&str, Rung); 4] = [
    ("the toolchain has it", installed),
    ("rustup target add", |_| add_target()),
    ("built from the toolchain's sources", |sysroot| has_sources(sysroot).or_else(|| add_sources(sysroot))),
    ("built from the distribution's sources", debian::add_sources),
];
type Rung = fn(&Sysroot) -> Option<Std>;

/// Makes sure that adapters can be built, and prints which rung was used.
///
/// `WEIR_WASM_RUNG=N` starts at the Nth rung, to test the later ones.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Std> {
    let sysroot = Sysroot::find(workspace)?;
    let first = std::env::var("WEIR_WASM_RUNG").ok().and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
    for (number, (name, rung)) in (1..).zip(RUNGS).skip(first.saturating_sub(1)) {
        let found = rung(&sysroot);
        // The first rung's success is not printed.
        if number > 1 || found.is_none() {
            println!("wasm target, rung {number}, {name}: {}", if found.is_some() { "yes" } else { "no" });
        }
        if let Some(std) = found {
            return Ok(std);
        }
    }
    bail!(
        "the adapters need the target {TARGET}, which this toolchain lacks and no rung of the ladder could bring.\n\
         Install one of these and try again:\n  \
         rustup target add {TARGET}\n  \
         rustup component add rust-src\n  \
         your distribution's package with that target's library (Debian: libstd-rust-dev-wasm32), or with the sources of \
         Rust {} (rust-src), whose `library` folder belongs in {}",
        sysroot.version,
        sysroot.sources().display()
    )
}

/// The facts about the toolchain that the rungs need.
#[derive(Debug)]
struct Sysroot {
    path: PathBuf,
    /// The version `1.95.0`, without a channel's suffix.
    version: String,
    /// The folder for downloads.
    scratch: PathBuf,
}

impl Sysroot {
    fn find(workspace: &Workspace) -> Result<Self> {
        let rustc = || Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let path = process::read(rustc().current_dir(&workspace.root).args(["--print", "sysroot"]))?;
        let version = process::read(rustc().current_dir(&workspace.root).arg("--version"))?;
        let number = version.split_whitespace().nth(1).unwrap_or_default();
        let number = number.split('-').next().unwrap_or_default();
        Ok(Self {
            path: PathBuf::from(path.trim()),
            version: number.to_owned(),
            scratch: workspace.target.join("rust-src"),
        })
    }

    /// The folder in which cargo looks for the standard library's sources.
    fn sources(&self) -> PathBuf {
        self.path.join("lib/rustlib/src/rust/library")
    }
}

fn installed(sysroot: &Sysroot) -> Option<Std> {
    let libraries = sysroot.path.join("lib/rustlib").join(TARGET).join("lib");
    let mut names = std::fs::read_dir(libraries).ok()?.flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with("libstd-")).then_some(Std::Installed)
}

fn add_target() -> Option<Std> {
    rustup(&["target", "add", TARGET]).then_some(Std::Installed)
}

fn has_sources(sysroot: &Sysroot) -> Option<Std> {
    is_library(&sysroot.sources()).then_some(Std::Built)
}

fn add_sources(sysroot: &Sysroot) -> Option<Std> {
    if !rustup(&["component", "add", "rust-src"]) {
        return None;
    }
    has_sources(sysroot)
}

/// Whether a folder has the standard library's sources; cargo needs the lock file first.
fn is_library(folder: &Path) -> bool {
    folder.join("Cargo.lock").is_file() && folder.join("std/Cargo.toml").is_file()
}

/// Lets rustup do something; returns whether it did.
pub(crate) fn rustup(words: &[&str]) -> bool {
    process::find("rustup").is_some_and(|rustup| process::succeeds_within(Command::new(rustup).args(words), TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysroot(path: &Path) -> Sysroot {
        Sysroot { path: path.to_owned(), version: "1.95.0".into(), scratch: path.join("scratch") }
    }

    #[test]
    fn a_target_folder_without_a_library_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(installed(&sysroot(folder.path())), None);
        let libraries = folder.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&libraries).unwrap();
        assert_eq!(installed(&sysroot(folder.path())), None);
        std::fs::write(libraries.join("libstd-0123.rlib"), "").unwrap();
        assert_eq!(installed(&sysroot(folder.path())), Some(Std::Installed));
    }

    #[test]
    fn sources_without_their_lock_file_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sysroot(folder.path()).sources();
        std::fs::create_dir_all(sources.join("std")).unwrap();
        std::fs::write(sources.join("std/Cargo.toml"), "").unwrap();
        assert_eq!(has_sources(&sysroot(folder.path())), None);
        std::fs::write(sources.join("Cargo.lock"), "").unwrap();
        assert_eq!(has_sources(&sysroot(folder.path())), Some(Std::Built));
    }
}
