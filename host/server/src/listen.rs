//! Listening sockets. `::` means all addresses of both families, whatever the system's default is, and those of IPv4 alone
//! where there is no IPv6: so one setting fits every container.

use std::io::Result;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// Most connections that wait to be accepted, if the system allows so many (Linux: `net.core.somaxconn`). A client beyond
/// them tries again after a second. tokio's own are 128, fewer than the clients that a gateway's restart brings at once.
const BACKLOG: i32 = 4096;

/// Binds a listening socket and returns its actual address.
pub async fn bind(host: &str, port: u16) -> Result<(TcpListener, SocketAddr)> {
    let listener = match host.parse::<Ipv6Addr>() {
        Ok(address) if address.is_unspecified() => match on_both(port) {
            Ok(listener) => listener,
            Err(error) => {
                // If the port is the cause, it is so for IPv4 too, and that is the error to report.
                tracing::debug!(%error, "IPv6 is not listened on");
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?
            }
        },
        _ => TcpListener::bind((host, port)).await?,
    };
    // A second call changes the number.
    SockRef::from(&listener).listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A socket for all addresses of both families.
fn on_both(port: u16) -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
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
        assert_eq!(bind("::", address.port()).await.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        let (_other, address) = bind("127.0.0.1", 0).await.unwrap();
        assert_eq!(bind("127.0.0.1", address.port()).await.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    }
}
