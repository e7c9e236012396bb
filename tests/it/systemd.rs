//! The program under a service manager: sockets that stay open while one process follows another, and notices.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use weir_tests::upstream::Gate;
use weir_tests::{Answer, Client, Folder, Program, Request, TIMEOUT, Upstream, program};

use crate::wire_format::{TEXT, ZETA, config_of, provider};

/// Streams that are open during the restart, half of them at the old process.
const STREAMS: usize = 500;

/// What systemd has: the socket for clients and the one for notices.
struct Manager {
    socket: TcpListener,
    notices: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let notices = UnixDatagram::bind(folder.path().join("notices")).unwrap();
        notices.set_read_timeout(Some(TIMEOUT * 2)).unwrap();
        Self { socket: TcpListener::bind("127.0.0.1:0").unwrap(), notices, folder }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn notices_at(&self) -> PathBuf {
        self.folder.path().join("notices")
    }

    fn start(&self, folder: &Folder, config: &str) -> Program {
        Program::start_on(&self.socket, &self.notices_at(), folder, config)
    }

    /// The next notice.
    fn notice(&self) -> String {
        let mut bytes = [0; 1024];
        let length = self.notices.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_takes_its_socket_and_tells_when_it_serves_and_stops() {
    let manager = Manager::new();
    let upstream = provider(ZETA).await;
    // The port of the configuration is not used.
    let folder = Folder::with(&["zeta"]);
    let program = manager.start(&folder, &config_of(&[ZETA], &upstream));
    let ready = manager.notice();
    assert!(ready.contains("READY=1") && ready.contains(&manager.address().to_string()), "{ready}");
    assert_eq!(program.address(), manager.address());
    let reply = program::ask(manager.address(), &ZETA.request("zeta", false)).await;
    assert_eq!(ZETA.parsed(&reply, false).text, TEXT);
    let version = program::ask(manager.address(), &Request::get("/version")).await.json();
    assert_eq!(version["contracts"][0], "0.2.0", "{version}");
    program.stop();
    assert!(manager.notice().contains("STOPPING=1"));
    assert!(program.has_succeeded());
}

/// Opens a stream and reads its beginning.
async fn begun(address: SocketAddr, model: &str) -> Client {
    let mut client = Client::connect(address).await;
    client.send(&ZETA.request(model, true)).await;
    client.head().await;
    client.until("Gr").await;
    client
}

/// Sends short requests on connections of their own until it is stopped; returns how many were answered.
async fn ask_until(done: Arc<AtomicBool>, address: SocketAddr) -> usize {
    let mut answered = 0;
    while !done.load(Ordering::Relaxed) {
        let reply = program::ask(address, &Request::get("/health")).await;
        assert_eq!(reply.status(), 200, "after {answered} answers: {}", reply.text());
        answered += 1;
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_streams_outlast_a_rolling_restart_and_no_request_is_refused() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let beginning = Answer::lines().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let upstream = Upstream::always(pieces[2..].iter().fold(beginning, Answer::piece).end()).await;
    let manager = Manager::new();
    let folder = Folder::with(&["zeta"]);
    let settings =
        format!("[server]\nmax_connections = 1024\nshutdown_timeout = \"5m\"\n{}", config_of(&[ZETA], &upstream));
    let old = manager.start(&folder, &settings);
    old.until("weir listens");
    let mut streams = Vec::new();
    for number in 0..STREAMS / 2 {
        streams.push(begun(manager.address(), ["zeta", "zeta-t"][number % 2]).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4).map(|_| tokio::spawn(ask_until(Arc::clone(&done), manager.address()))).collect();
    let new = manager.start(&folder, &settings);
    new.until("weir listens");
    old.stop();
    old.until("stopping");
    for number in 0..STREAMS / 2 {
        streams.push(begun(manager.address(), ["zeta", "zeta-t"][number % 2]).await);
    }
    let reply = program::ask(manager.address(), &Request::get("/ready")).await;
    assert_eq!(reply.json()["status"], Value::from("ready"), "only the new process accepts connections");
    for _ in 0..STREAMS {
        gate.open();
    }
    for mut client in streams {
        let (rest, is_cut) = client.rest().await;
        assert!(!is_cut && String::from_utf8_lossy(&rest).contains("\"k\":\"bye\""));
    }
    assert!(old.has_succeeded(), "it ended once its streams had");
    done.store(true, Ordering::Relaxed);
    for asking in asking {
        assert!(asking.await.unwrap() > 0);
    }
    let reply = program::ask(manager.address(), &Request::get("/health")).await;
    assert_eq!(reply.status(), 200);
    drop(new);
}
