//! A registry of a test's own, where one is installed.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::TIMEOUT;

/// A running registry with its data in a temporary folder.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    server: Child,
    _folder: TempDir,
}

impl Registry {
    /// Starts a registry; none, and a loud word, where docker-registry is not installed.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start.
    #[expect(clippy::print_stderr, reason = "what is skipped is printed")]
    pub fn start() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("weir-registry-").tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{address}\" }}\n",
            folder.path().join("data").display()
        );
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut server) = command.spawn() else {
            eprintln!("SKIPPED: docker-registry is not installed, so this test shows nothing");
            return None;
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < TIMEOUT, "the registry does not start: {ended:?}");
            std::thread::yield_now();
        }
        Some(Self { address, server, _folder: folder })
    }

    /// A reference to a repository in it: `oci://127.0.0.1:5000/NAME`.
    pub fn at(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
