//! The sockets that the program listens on, and the limits of their connections.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use super::error::Listener;
use crate::systemd::Sockets;
use weir_config::Config;
use weir_server::{Allowance, TrustedProxies};

/// Number of connections beyond the limit, for the operations endpoints.
const RESERVE: usize = 32;

/// Addresses that the program listens on.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The main listener, which also serves the operations endpoints if they have no listener.
    pub main: SocketAddr,
    /// The separate listener of the operations endpoints.
    pub admin: Option<SocketAddr>,
}

/// The sockets with their addresses, before they take connections.
pub(super) struct ReservedListeners {
    main: ReservedListener,
    admin: Option<ReservedListener>,
}

enum ReservedListener {
    /// A listener that was opened before the program started, and has taken connections since.
    Adopted(std::net::TcpListener),
    Own {
        address: String,
        socket: weir_server::Reserved,
    },
}

impl ReservedListeners {
    /// Begins to take connections: the listener for clients, and the one of the admin side if it has its own.
    pub(super) fn listen(self) -> Result<(TcpListener, Option<TcpListener>, Addresses), StartError> {
        let (main, main_address) = self.main.listen(Listener::Main)?;
        let (admin, admin_address) = self.admin.map(|admin| admin.listen(Listener::Admin)).transpose()?.unzip();
        Ok((main, admin, Addresses { main: main_address, admin: admin_address }))
    }
}

impl ReservedListener {
    fn listen(self, listener: Listener) -> Result<(TcpListener, SocketAddr), StartError> {
        match self {
            Self::Adopted(socket) => adopt(listener, socket),
            Self::Own { address, socket } => {
                socket.listen().map_err(|source| StartError::Listen { listener, address, source })
            }
        }
    }
}

/// Takes the addresses, so that a taken port is reported before adapters are compiled.
pub(super) async fn reserve(sockets: Sockets, config: &Config) -> Result<ReservedListeners, StartError> {
    let main = match sockets.main {
        Some(socket) => ReservedListener::Adopted(socket),
        None => own(Listener::Main, &config.server.host, config.server.port).await?,
    };
    let admin = match (sockets.admin, config.admin.listen) {
        (Some(socket), _) => Some(ReservedListener::Adopted(socket)),
        (None, Some(address)) => Some(own(Listener::Admin, &address.ip().to_string(), address.port()).await?),
        (None, None) => None,
    };
    Ok(ReservedListeners { main, admin })
}

async fn own(listener: Listener, host: &str, port: u16) -> Result<ReservedListener, StartError> {
    let address = format!("{host}:{port}");
    match weir_server::reserve(host, port).await {
        Ok(socket) => Ok(ReservedListener::Own { address, socket }),
        Err(source) => Err(StartError::Listen { listener, address, source }),
    }
}

/// Settings of the listeners.
pub(super) fn allowance(server: &weir_config::Server) -> Allowance {
    Allowance {
        connections: server.max_connections,
        reserve: RESERVE,
        per_address: server.max_connections_per_address,
        proxies: TrustedProxies::new(&server.trusted_proxies),
        header_bytes: server.max_header_bytes,
        header_timeout: server.header_timeout,
        idle_timeout: server.idle_timeout,
        ping: weir_server::PING,
        send_timeout: server.send_timeout,
        drain: server.shutdown_timeout,
        tls: None,
        metrics: weir_server::ListenerMetrics::default(),
    }
}

/// Serves on a socket that was opened before the program started.
fn adopt(listener: Listener, socket: std::net::TcpListener) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { listener, address: "the service manager's socket".to_owned(), source };
    let listener = TcpListener::from_std(socket).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
