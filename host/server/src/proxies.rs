//! Trusted proxies in front of a listener, which name the client in `x-forwarded-for`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The addresses of proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// The proxies in these networks.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether one of them has this address.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client for which the proxy with this address sends a request. Each proxy adds the address that it sees at
    /// the end of the header. So the last address that is not a trusted proxy's is right, and the client itself may
    /// have written those before it.
    pub(super) fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut client = proxy;
        for address in entries.map_while(|entry| address(entry.trim())) {
            client = address;
            if !self.has(client) {
                break;
            }
        }
        client
    }
}

/// An address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port).or_else(bare);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(lines: &[&str]) -> String {
        let proxies = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client("10.0.0.1".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_clients() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
            (&["192.0.2.7", "10.0.0.3,fd00::2"], "192.0.2.7"),
            (&["10.1.1.1, 10.0.0.2"], "10.1.1.1"),
        ] {
            assert_eq!(client(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        assert_eq!(client(&["203.0.113.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(client(&["203.0.113.1", "192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(client(&["203.0.113.1, unknown"]), "10.0.0.1");
        assert_eq!(client(&["203.0.113.1, , 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client(&["203.0.113.1, _hidden, 10.0.0.2"]), "10.0.0.2");
    }
}
