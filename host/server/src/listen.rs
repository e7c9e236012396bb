//! Listening sockets. `::` means all addresses of both families, whatever the system's default is, and those of IPv4
//! alone where there is no IPv6: so one setting fits every container.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

/// Most connections that wait to be accepted, if the system allows so many (Linux: `net.core.somaxconn`). A client
/// beyond them tries again after a second. tokio's own are 128, fewer than the clients that a gateway's restart brings
/// at once.
const BACKLOG: i32 = 4096;

/// A socket that has its address and takes no connection yet: a client is refused, and no other program can listen
/// there. So a taken port is known before the work begins that has to be done first.
#[derive(Debug)]
pub struct Reserved(Socket);

impl Reserved {
    /// Begins to take connections. Returns the actual address, too.
    pub fn listen(self) -> Result<(TcpListener, SocketAddr)> {
        self.0.listen(BACKLOG)?;
        self.0.set_nonblocking(true)?;
        let listener = TcpListener::from_std(self.0.into())?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }
}

/// Binds a listening socket and returns its actual address.
pub async fn bind(host: &str, port: u16) -> Result<(TcpListener, SocketAddr)> {
    reserve(host, port).await?.listen()
}

/// Binds a socket to the first address of this name that is free.
pub async fn reserve(host: &str, port: u16) -> Result<Reserved> {
    if host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_unspecified()) {
        match on_both(port) {
            Ok(socket) => return Ok(Reserved(socket)),
            // If the port is the cause, it is so for IPv4 too, and that is the error to report.
            Err(error) => tracing::debug!(%error, "IPv6 is not listened on"),
        }
        return bound(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).map(Reserved);
    }
    let mut last = Error::new(ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match bound(address) {
            Ok(socket) => return Ok(Reserved(socket)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A socket for all addresses of both families.
fn on_both(port: u16) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    at(socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
}

fn bound(address: SocketAddr) -> Result<Socket> {
    at(Socket::new(Domain::for_address(address), Type::STREAM, None)?, address)
}

fn at(socket: Socket, address: SocketAddr) -> Result<Socket> {
    // Elsewhere it means that connections of a program before this one do not keep the port; on Windows, that two may
    // listen there.
    if cfg!(not(windows)) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn all_addresses_are_those_of_both_families() {
        let (listener, address) = bind("::", 0).await.unwrap();
        let families = if address.is_ipv6() { vec!["127.0.0.1", "::1"] } else { vec!["127.0.0.1"] };
        for host in families {
            let asked = TcpStream::connect((host, address.port())).await;
            // A machine may have IPv6 and no address of its own in it.
            if asked.is_ok() || host == "127.0.0.1" {
                let peer = listener.accept().await.unwrap().1;
                assert_eq!(peer.ip().to_canonical(), asked.unwrap().local_addr().unwrap().ip());
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_burst_of_clients_waits_to_be_accepted() {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let burst = allowed.trim().parse::<usize>().unwrap().min(400);
        for host in ["127.0.0.1", "::"] {
            let (_listener, address) = bind(host, 0).await.unwrap();
            let mut waiting = Vec::new();
            while waiting.len() < burst {
                let asked = TcpStream::connect(("127.0.0.1", address.port()));
                let connected = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
                waiting.push(connected.expect("it waits to be accepted").unwrap());
            }
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error() {
        let (_taken, address) = bind("::", 0).await.unwrap();
        assert_eq!(bind("::", address.port()).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        let (_other, address) = bind("127.0.0.1", 0).await.unwrap();
        assert_eq!(bind("127.0.0.1", address.port()).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_reserved_port_is_taken_and_refuses_until_it_listens() {
        let (listener, address) = bind("127.0.0.1", 0).await.unwrap();
        let taken = reserve("127.0.0.1", address.port()).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(listener);
        let reserved = reserve("127.0.0.1", address.port()).await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens yet");
        let (listener, listening) = reserved.listen().unwrap();
        assert_eq!(listening, address);
        let (asked, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        assert!(asked.is_ok() && accepted.is_ok());
    }
}
