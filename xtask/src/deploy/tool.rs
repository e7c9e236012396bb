//! Tools from Debian's packages.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process;

/// Longest time to install a package.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The path of a program. If it is missing and this is a Debian in CI that may install packages, its package is
/// installed.
pub(crate) fn find(program: &str, package: &str) -> Option<PathBuf> {
    if let Some(found) = process::find(program) {
        return Some(found);
    }
    if std::env::var_os("CI").is_some() && process::find("apt-get").is_some() {
        let apt = |words: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive").args(words);
            process::succeeds_within(&mut apt, TIMEOUT)
        };
        let _updated = apt(&["update"]);
        // Steps run side by side, and another may be installing.
        if !apt(&["install", "-y", "-o", "DPkg::Lock::Timeout=240", "--no-install-recommends", package]) {
            println!("{package} cannot be installed");
        }
    }
    process::find(program)
}
