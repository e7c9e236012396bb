//! A PostgreSQL server of the test's own, in a folder of its own, that ends with the test.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use weir_store::{Postgres, PostgresOptions, Store};

use crate::place::Place;

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    pub(crate) port: u16,
    pub(crate) certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
    /// Stops the server and removes its folder when its input ends: that of a process that was killed ends too.
    _guard: Child,
    _temporary: TempDir,
}

impl Server {
    /// Starts one; none, and a loud word, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = newest_bin() else {
            eprintln!("SKIPPED: PostgreSQL (initdb, pg_ctl) is not installed, so its tests show nothing");
            return None;
        };
        // initdb refuses to run as root.
        let user = if number_of(&["-u"]) == Some(0) {
            Some((number_of(&["-u", "postgres"])?, number_of(&["-g", "postgres"])?))
        } else {
            None
        };
        let temporary = tempfile::Builder::new().prefix("weir-pg-").tempdir().unwrap();
        let folder = temporary.path().to_owned();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let guard = guard(&bin, &folder, user);
        let server = Self { folder, bin, user, port, certificate, _guard: guard, _temporary: temporary };
        let data = server.data();
        server
            .run("initdb", &["-D", &data, "-U", "weir", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]);
        server.write("server.crt", server.certificate.cert.pem().as_bytes());
        server.write("server.key", server.certificate.signing_key.serialize_pem().as_bytes());
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\n\
             ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nmax_connections = 200\n",
            server.folder.display()
        );
        server.write("postgresql.auto.conf", settings.as_bytes());
        server.go();
        Some(server)
    }

    /// The one that all tests share which leave it running.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn write(&self, name: &str, text: &[u8]) {
        let path = Path::new(&self.data()).join(name);
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
        }
    }

    pub(crate) fn go(&self) {
        let log = self.folder.join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "start"]);
    }

    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "fast", "-w", "stop"]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = as_user(self.bin.join(program), self.user);
        let output =
            command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(output.unwrap().success(), "{program}");
    }

    /// Its address through a socket of the file system.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://weir@{folder}:{}/postgres", self.port)
    }
}

impl Drop for Server {
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

fn number_of(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A schema of its own on the shared server.
pub(crate) struct Schema {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Schema {
    pub(crate) fn new() -> Option<Self> {
        Some(Self::on(Server::shared()?))
    }

    pub(crate) fn on(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("weir_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { url: server.url(), name }
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions { schema: self.name.clone(), timeout: Duration::from_mins(1), ..PostgresOptions::default() }
    }
}

impl Place for Schema {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Postgres::open(&self.url, self.options()).unwrap())
    }
}
