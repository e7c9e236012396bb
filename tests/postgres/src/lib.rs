//! A PostgreSQL server of a test's own, where it is installed. It ends with the test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails a test")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server with its data in a temporary folder.
#[derive(Debug)]
pub struct Database {
    folder: PathBuf,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    /// Stops the server and removes its folder when its input ends: that of a process that was killed ends too.
    _guard: Child,
    _temporary: TempDir,
}

impl Database {
    /// Starts a server that listens at loopback and at a socket in its folder; none, and a line that says so, where
    /// PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::start_with("", &[])
    }

    /// The same with further settings (lines of `postgresql.conf`), and files in its data folder that they name.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    #[expect(clippy::print_stderr, reason = "what is skipped is printed")]
    pub fn start_with(settings: &str, files: &[(&str, &[u8])]) -> Option<Self> {
        let Some(bin) = newest_bin() else {
            eprintln!("SKIPPED: PostgreSQL (initdb, pg_ctl) is not installed, so this test shows nothing");
            return None;
        };
        // initdb refuses to run as root.
        let user =
            if id(&["-u"]) == Some(0) { Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)) } else { None };
        let temporary = tempfile::Builder::new().prefix("weir-db-").tempdir().unwrap();
        let folder = temporary.path().to_owned();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let guard = guard(&bin, &folder, user);
        let database = Self { folder, bin, user, port, _guard: guard, _temporary: temporary };
        let data = database.data();
        database
            .run("initdb", &["-D", &data, "-U", "weir", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]);
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\n{settings}",
            database.folder.display()
        );
        for (name, content) in files.iter().chain([&("postgresql.auto.conf", settings.as_bytes())]) {
            database.write(name, content);
        }
        database.go();
        Some(database)
    }

    /// Its port at loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address at loopback.
    pub fn url(&self) -> String {
        format!("postgres://weir@127.0.0.1:{}/postgres", self.port)
    }

    /// Its address through a socket of the file system.
    pub fn socket_url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://weir@{folder}:{}/postgres", self.port)
    }

    /// Starts it again.
    pub fn go(&self) {
        let log = self.folder.join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "start"]);
    }

    /// Stops it; its data stay.
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "fast", "-w", "stop"]);
    }

    /// Keeps what it has now, for [`Self::restore`].
    pub fn back_up(&self) {
        self.stop();
        self.copy("data", "backup");
        self.go();
    }

    /// Puts it back to what it had.
    pub fn restore(&self) {
        self.stop();
        self.copy("backup", "data");
        self.go();
    }

    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.folder.join(name));
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.is_ok_and(|status| status.success()), "the data cannot be copied");
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Writes a file that only the server may read, as it asks of keys.
    fn write(&self, name: &str, content: &[u8]) {
        let path = Path::new(&self.data()).join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = as_user(self.bin.join(program), self.user);
        let command = command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{program}");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Before its folder goes, without which it could no longer be stopped.
        let mut command = as_user(self.bin.join("pg_ctl"), self.user);
        let stop = command.args(["-D", &self.data(), "-m", "immediate", "-w", "stop"]).current_dir("/");
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn as_user(program: PathBuf, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn guard(bin: &Path, folder: &Path, user: Option<(u32, u32)>) -> Child {
    let script = r#"read -r line; "$0/pg_ctl" -D "$1/data" -m immediate stop; rm -rf "$1""#;
    let mut command = as_user("/bin/sh".into(), user);
    command.args(["-c", script]).arg(bin).arg(folder).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn newest_bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    bins.retain(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists());
    bins.sort();
    bins.pop()
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
