//! A control group with the memory and the share of a processor that a small container has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The memory, in bytes.
pub(super) const MEMORY: u64 = 128 << 20;
/// Half a processor, as microseconds of each period.
const QUOTA: [u32; 2] = [50_000, 100_000];
/// Where Linux has control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// Control groups, which are removed when this is dropped. No process may be in them then.
pub(super) struct Limits {
    folders: Vec<PathBuf>,
}

impl Limits {
    /// Makes the groups: one of version 2, or one for each controller of version 1.
    pub(super) fn new() -> Result<Self> {
        let (root, name) = (Path::new(ROOT), format!("weir-deploy-{}", std::process::id()));
        let mut made = Self { folders: Vec::new() };
        if root.join("cgroup.controllers").is_file() {
            fs::write(root.join("cgroup.subtree_control"), "+memory +cpu").context("could not enable controllers")?;
            let group = made.group(root.join(name))?;
            write(&group, "memory.max", &MEMORY.to_string())?;
            write(&group, "cpu.max", &format!("{} {}", QUOTA[0], QUOTA[1]))?;
            // Where there is no swap, there is no such file.
            let _is_there = write(&group, "memory.swap.max", "0");
            return Ok(made);
        }
        let group = made.group(root.join("memory").join(&name))?;
        write(&group, "memory.limit_in_bytes", &MEMORY.to_string())?;
        let group = made.group(root.join("cpu").join(&name))?;
        write(&group, "cpu.cfs_period_us", &QUOTA[1].to_string())?;
        write(&group, "cpu.cfs_quota_us", &QUOTA[0].to_string())?;
        Ok(made)
    }

    fn group(&mut self, folder: PathBuf) -> Result<PathBuf> {
        fs::create_dir(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// The files that a process writes its number into to join, separated by spaces.
    pub(super) fn to_join(&self) -> String {
        let files: Vec<String> =
            self.folders.iter().map(|folder| folder.join("cgroup.procs").display().to_string()).collect();
        files.join(" ")
    }

    /// The most memory that the processes in them had, in bytes, where the system says so.
    pub(super) fn peak(&self) -> Option<u64> {
        let files = self
            .folders
            .iter()
            .flat_map(|folder| ["memory.peak", "memory.max_usage_in_bytes"].map(|file| folder.join(file)));
        files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).max()
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = fs::remove_dir(folder) {
                println!("could not remove {}: {error}", folder.display());
            }
        }
    }
}

fn write(group: &Path, file: &str, value: &str) -> Result<()> {
    let file = group.join(file);
    fs::write(&file, value).with_context(|| format!("could not write {}", file.display()))
}
