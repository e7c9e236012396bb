//! Trouble around a program: a clock that is set wrong, and a disk that is full, read-only or hangs.
//!
//! A small library is loaded before the program's own ones, and takes the calls that ask for the time and that write
//! files. No right is needed for it, and nothing else of the machine is touched.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::program;

const PRELOAD: &str = include_str!("trouble/preload.c");

/// How a disk takes what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As ever.
    Well,
    /// It has no room left.
    Full,
    /// It was mounted read-only.
    ReadOnly,
    /// Each write waits until the disk is otherwise.
    Hanging,
}

/// The clock and the disk of the programs that are started through it.
#[derive(Debug)]
pub struct Trouble {
    folder: TempDir,
    clock: i64,
    disk: Disk,
}

impl Trouble {
    /// A right clock, and a disk that works.
    ///
    /// # Panics
    ///
    /// Without a C compiler, which each Rust toolchain here links with.
    pub fn none() -> Self {
        let mut trouble = Self { folder: tempfile::tempdir().unwrap(), clock: 0, disk: Disk::Well };
        trouble.set_clock(0);
        trouble
    }

    /// The command of `weir` with this clock and this disk, for [`program::Program::start_as`].
    pub fn command(&self) -> Command {
        let mut command = Command::new(program::file());
        command.env("LD_PRELOAD", library()).env("WEIR_TEST_TROUBLE", self.file());
        command
    }

    /// Sets the clock, from now on, so many seconds ahead of the machine's.
    pub fn set_clock(&mut self, seconds: i64) {
        self.clock = seconds;
        self.write();
    }

    /// Makes the disk so, from now on.
    pub fn set_disk(&mut self, disk: Disk) {
        self.disk = disk;
        self.write();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The running programs have the file in their memory, so that it is written in its place.
    fn write(&self) {
        let numbers = [self.clock, self.disk as i64].map(i64::to_ne_bytes).concat();
        let file = fs::File::options().create(true).truncate(false).write(true).open(self.file());
        std::io::Write::write_all(&mut file.unwrap(), &numbers).unwrap();
    }
}

/// The library, compiled once.
fn library() -> PathBuf {
    static BUILT: OnceLock<TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("preload.c");
        fs::write(&source, PRELOAD).unwrap();
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("preload.so")).arg(source);
        assert!(compile.status().is_ok_and(|status| status.success()), "a C compiler (cc) is needed");
        folder
    });
    folder.path().join("preload.so")
}
