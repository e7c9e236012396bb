//! The last rung: Debian's backports have the standard library's sources in the toolchain's exact version.
//!
//! apt runs with its own state here, so that the machine is unchanged except for the toolchain's source folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Std, Sysroot, TIMEOUT, has_sources, is_library};
use crate::process;

const SUITE: &str = "trixie-backports";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Adds the sources to the toolchain, if that works on this machine.
pub(super) fn add_sources(sysroot: &Sysroot) -> Option<Std> {
    process::find("apt-get")?;
    process::find("dpkg")?;
    if let Err(error) = fetch(sysroot) {
        println!("  {error:#}");
        return None;
    }
    has_sources(sysroot)
}

/// Copies the sources beside their place and renames them, so that a partial copy is never used.
///
/// rustup does not know these sources: `rustup component add rust-src` will ask the user to remove the folder.
fn fetch(sysroot: &Sysroot) -> Result<()> {
    let library = Apt::new(&sysroot.scratch)?.library(&sysroot.version)?;
    let place = sysroot.sources();
    let parent = place.parent().context("the toolchain has no folder for sources")?;
    let unsaid = || format!("could not write to {}", parent.display());
    fs::create_dir_all(parent).with_context(unsaid)?;
    let beside = parent.join(format!("library.{}", std::process::id()));
    let copied = process::run(Command::new("cp").arg("-a").arg(&library).arg(&beside));
    let placed = copied.and_then(|()| fs::rename(&beside, &place).with_context(unsaid));
    // Removes large leftovers: a failed copy, and the download in any case.
    let _ = fs::remove_dir_all(&beside);
    let _ = fs::remove_dir_all(&sysroot.scratch);
    placed
}

/// An apt that knows one suite and none of the installed packages.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
        // Leftovers of a failed attempt.
        let _ = fs::remove_dir_all(folder);
        for part in ["lists/partial", "cache/archives/partial", "state"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("could not make {}", folder.display()))?;
        }
        fs::write(folder.join("state/status"), "")?;
        fs::write(folder.join("weir.sources"), source()?)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut set = |option: &str, place: &Path| {
            command.arg("-o").arg(format!("{option}={}", place.display()));
        };
        set("Dir::State", &self.folder.join("state"));
        set("Dir::State::lists", &self.folder.join("lists"));
        set("Dir::State::status", &self.folder.join("state/status"));
        set("Dir::Cache", &self.folder.join("cache"));
        set("Dir::Etc::sourcelist", &self.folder.join("weir.sources"));
        set("Dir::Etc::sourceparts", Path::new("/dev/null"));
        // apt's unprivileged user cannot write to a folder of this user.
        set("APT::Sandbox::User", Path::new("root"));
        command.current_dir(&self.folder);
        command
    }

    /// Downloads and unpacks the sources of one Rust version; returns the folder of the standard library.
    fn library(&self, rust: &str) -> Result<PathBuf> {
        if !process::succeeds_within(self.command("apt-get").arg("update"), TIMEOUT) {
            bail!("apt-get update could not reach {SUITE}");
        }
        let versions = process::read(self.command("apt-cache").args(["madison", "rust-src"]))?;
        let version = pick(&versions, rust).with_context(|| format!("{SUITE} has no rust-src {rust}"))?;
        let package = format!("rust-src={version}");
        if !process::succeeds_within(self.command("apt-get").args(["download", &package]), TIMEOUT) {
            bail!("apt-get download {package} failed");
        }
        let archive = file(&self.folder, "rust-src_").context("apt-get download left no package")?;
        process::run(Command::new("dpkg").arg("-x").arg(archive).arg(self.folder.join("unpacked")))?;
        let library = self.folder.join(format!("unpacked/usr/src/rustc-{rust}/library"));
        anyhow::ensure!(is_library(&library), "{package} holds no standard library");
        Ok(library)
    }
}

/// The machine's apt source for Debian's archive, with the suite replaced.
fn source() -> Result<String> {
    let format = ["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"];
    let targets = process::read(Command::new("apt-get").args(format))?;
    let archive = archive(&targets).context("apt knows no Debian archive on this machine")?;
    let signed = if Path::new(KEYRING).is_file() { format!("Signed-By: {KEYRING}\n") } else { String::new() };
    Ok(format!("Types: deb\nURIs: {archive}\nSuites: {SUITE}\nComponents: main\n{signed}"))
}

/// The address of the main archive among apt's index targets (`URI COMPONENT` lines).
fn archive(targets: &str) -> Option<&str> {
    let mut lines = targets.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(address, part)| *part == "main" && address.trim_end_matches('/').ends_with("/debian"))
        .map(|(uri, _)| uri)
}

/// The Debian version that packages this version of Rust, from `apt-cache madison` (`name | version | origin`).
fn pick<'a>(versions: &'a str, rust: &str) -> Option<&'a str> {
    let mut packaged = versions.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    packaged.find(|version| version.strip_prefix(rust).is_some_and(|rest| rest.starts_with(['+', '-', '~'])))
}

fn file(folder: &Path, beginning: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    entries.find(|entry| entry.file_name().to_string_lossy().starts_with(beginning)).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_version_is_picked() {
        let versions = " rust-src | 1.95.10+dfsg1-1 | here\n rust-src | 1.95.1+dfsg1-2~bpo13+1 | here\n";
        assert_eq!(pick(versions, "1.95.1"), Some("1.95.1+dfsg1-2~bpo13+1"));
        assert_eq!(pick(versions, "1.95.0"), None);
    }

    #[test]
    fn the_security_archive_is_not_the_main_one() {
        let targets = "http://a/debian-security/ main\nhttp://a/debian/ contrib\nhttp://a/debian/ main\n";
        assert_eq!(archive(targets), Some("http://a/debian/"));
        assert_eq!(archive("http://a/ubuntu/ main\n"), None);
    }
}
