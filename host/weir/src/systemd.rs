//! What systemd, or another service manager with the same protocols, gives the program and gets from it: listening
//! sockets (`LISTEN_FDS`) and notices of the start, a reload and the stop (`NOTIFY_SOCKET`). Without a service manager
//! all of it does nothing.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The name (`FileDescriptorName=`) of the socket for the operations endpoints. Any other socket is the main one.
const ADMIN: &str = "admin";
/// The variable with the names of the sockets, separated by colons.
const NAMES: &str = "LISTEN_FDNAMES";

/// Why the sockets that the program was given cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A socket is not a listening TCP socket.
    #[error("socket {0} of the service manager is not a listening TCP socket: {1}")]
    Kind(usize, io::Error),
    /// There are two for the same listener.
    #[error("the service manager gave two sockets for the {0} listener: one of them needs `FileDescriptorName=admin`")]
    Twice(&'static str),
}

/// Listening sockets that were opened before the program started. They stay open while one program follows another, so
/// that no connection is refused meanwhile.
#[derive(Debug, Default)]
pub struct Sockets {
    pub(crate) main: Option<TcpListener>,
    pub(crate) admin: Option<TcpListener>,
}

impl Sockets {
    /// Takes the sockets that this process was given; none if it was given none.
    pub fn take() -> Result<Self, SocketError> {
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut given = ListenFd::from_env();
        let mut sockets = Self::default();
        for (index, name) in (0..given.len()).zip(names.split(':').chain(std::iter::repeat(""))) {
            let socket = given.take_tcp_listener(index).map_err(|error| SocketError::Kind(index, error))?;
            let Some(socket) = socket else { continue };
            // tokio's listeners must not block; systemd's do by default.
            socket.set_nonblocking(true).map_err(|error| SocketError::Kind(index, error))?;
            sockets.put(name, socket)?;
        }
        Ok(sockets)
    }

    fn put(&mut self, name: &str, socket: TcpListener) -> Result<(), SocketError> {
        let (listener, place) = if name == ADMIN { (ADMIN, &mut self.admin) } else { ("main", &mut self.main) };
        if place.replace(socket).is_some() {
            return Err(SocketError::Twice(listener));
        }
        Ok(())
    }
}

/// Notifies the service manager that requests are served, and where.
pub(crate) fn notify_ready(address: &str) {
    #[cfg(unix)]
    notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&format!("serving on {address}"))]);
    #[cfg(not(unix))]
    let _ = address;
}

/// Notifies the service manager that the program is about to stop.
pub(crate) fn notify_stopping() {
    #[cfg(unix)]
    notify(&[sd_notify::NotifyState::Stopping, sd_notify::NotifyState::Status("exchanges in progress are ending")]);
}

#[cfg(unix)]
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    // Does nothing without `NOTIFY_SOCKET`.
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be notified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn a_socket_serves_clients_unless_it_is_named_otherwise() {
        let mut sockets = Sockets::default();
        let (main, admin) = (socket(), socket());
        let (main_address, admin_address) = (main.local_addr().unwrap(), admin.local_addr().unwrap());
        sockets.put("weir.socket", main).unwrap();
        sockets.put("admin", admin).unwrap();
        assert_eq!(sockets.main.as_ref().unwrap().local_addr().unwrap(), main_address);
        assert_eq!(sockets.admin.as_ref().unwrap().local_addr().unwrap(), admin_address);
        assert!(matches!(sockets.put("", socket()), Err(SocketError::Twice("main"))));
        assert!(matches!(sockets.put("admin", socket()), Err(SocketError::Twice("admin"))));
    }
}
