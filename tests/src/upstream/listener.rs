//! The listener: it can be shut and opened again.

use std::sync::{Arc, Mutex};

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::AbortHandle;

type Serve = dyn Fn(TcpStream) + Send + Sync;

/// A port that stays reserved while no socket listens on it.
pub(super) struct Listener {
    taken: TcpSocket,
    listening: Mutex<Option<AbortHandle>>,
    serve: Arc<Serve>,
}

impl Listener {
    /// A listener that accepts, and a handler for its connections.
    pub(super) fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = Self { taken: socket(0), listening: Mutex::default(), serve: Arc::new(serve) };
        listener.open();
        listener
    }

    pub(super) fn port(&self) -> u16 {
        self.taken.local_addr().unwrap().port()
    }

    pub(super) fn shut(&self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.abort();
        }
    }

    pub(super) fn open(&self) {
        let (listener, serve) = (socket(self.port()).listen(1024).unwrap(), Arc::clone(&self.serve));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream);
            }
        });
        *self.listening.lock().unwrap() = Some(accepting.abort_handle());
    }
}

/// A socket that shares its port.
fn socket(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    #[cfg(unix)]
    socket.set_reuseport(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    socket
}
