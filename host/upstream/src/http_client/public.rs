//! The client for addresses that the operator did not write: it reaches the public internet and nothing else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, RequestBuilder, Url};

use super::super::outbound::OutboundProxy;
use super::{HttpClientError, builder_through};

/// Sends requests to public addresses over https, and to no others.
///
/// A host that is an address is checked here, since no resolver sees it; a name is
/// checked when it is resolved, and the connection goes to the very addresses that were checked. Redirects are not
/// followed: the caller sends the next request through the same check. A proxy resolves the names itself, so that the
/// addresses that they lead to are its operator's care.
#[derive(Clone, Debug)]
pub struct PublicClient {
    client: Client,
    /// The host of the proxy, which may have any address and is none that a request may be for.
    proxy: Option<String>,
}

/// Why a request is refused before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum NotPublic {
    /// The scheme is not https.
    Scheme,
    /// The url names a user, whose name and password would be sent.
    User,
    /// The host is none, an address of a private or special network, or a name without a dot.
    Host,
}

impl NotPublic {
    /// What is wrong with the address.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "only https is",
            Self::User => "it holds a user's name",
            Self::Host => "it is not a public one",
        }
    }
}

impl PublicClient {
    /// A client without connections. The caller limits the time of each request.
    pub fn new(proxy: Option<&OutboundProxy>) -> Result<Self, HttpClientError> {
        let host = proxy.map(|proxy| proxy.host().to_ascii_lowercase());
        let resolver = PublicResolver { proxy: host.clone() };
        let client = builder_through(proxy)?.https_only(true).dns_resolver(resolver).build()?;
        Ok(Self { client, proxy: host })
    }

    /// Begins a request to an address that may be tried.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, NotPublic> {
        check(&url)?;
        if url.host_str() == self.proxy.as_deref() {
            return Err(NotPublic::Host);
        }
        Ok(self.client.request(method, url))
    }
}

/// Checks a url by itself. The addresses of a name are checked when it is resolved.
fn check(url: &Url) -> Result<(), NotPublic> {
    check_user(url)?;
    if url.scheme() != "https" {
        return Err(NotPublic::Scheme);
    }
    // The host as the client connects to it: `https://0x7f.1` is `127.0.0.1` by now.
    if url.host_str().is_some_and(is_public_host) { Ok(()) } else { Err(NotPublic::Host) }
}

/// Refuses a url with a user's name, which the client would send along.
pub(crate) fn check_user(url: &Url) -> Result<(), NotPublic> {
    if url.username().is_empty() && url.password().is_none() { Ok(()) } else { Err(NotPublic::User) }
}

/// Resolves names to their public addresses and fails for those that have others.
#[derive(Debug, Clone)]
struct PublicResolver {
    /// The host of the proxy, in lower case.
    proxy: Option<String>,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !is_proxy && !addresses.iter().all(|address| is_public(address.ip())) {
                let reason = "the name leads to an address that is not public";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether a url's host may be tried: a name, or a public address. A connector does not resolve addresses, so that this
/// is their only guard.
fn is_public_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or(bare.contains('.') && !bare.ends_with('.'), is_public)
}

/// Whether an address is one of the public internet: by the registries of special addresses (RFC 6890 and its
/// successors).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if let Some(inner) = embedded(&segments) {
        return is_public_v4(inner);
    }
    // Global unicast, but for documentation and the block of protocols' own addresses.
    let special = segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8);
    (segments[0] & 0xe000) == 0x2000 && segments[0] != 0x3fff && !special
}

/// The IPv4 address that stands in an IPv6 one: mapped, by NAT64, by 6to4.
fn embedded(segments: &[u16; 8]) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match *segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(of(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::{DirectHost, Outbound, Secret};

    #[test]
    fn addresses_of_ones_own_network_are_not_public() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "2001:4860:4860::8888"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_is_refused_in_every_spelling() {
        let client = PublicClient::new(None).unwrap();
        let asked = |url: &str| client.request(Method::GET, Url::parse(url).unwrap()).map(drop);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "①②⑦.0.0.1",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:a00:1]",
            "[64:ff9b::a00:1]",
            "169.254.169.254",
            "0",
            "localhost",
            "a.",
        ] {
            assert_eq!(asked(&format!("https://{host}/")), Err(NotPublic::Host), "{host}");
        }
        assert_eq!(asked("http://example.com/"), Err(NotPublic::Scheme));
        assert_eq!(asked("ftp://example.com/"), Err(NotPublic::Scheme));
        assert_eq!(asked("https://me@example.com/"), Err(NotPublic::User));
        assert_eq!(asked("https://:pw@example.com/"), Err(NotPublic::User));
        assert_eq!(asked("https://example.com:8443/a"), Ok(()));
        assert_eq!(asked("https://1.1.1.1/"), Ok(()));
    }

    #[test]
    fn the_proxy_is_no_address_for_a_request() {
        let direct = vec![DirectHost::Below(".internal".into())];
        let outbound = Outbound { proxy: Secret::new("http://Proxy.internal:3128"), direct, media: true };
        let client = PublicClient::new(Some(&OutboundProxy::new(&outbound).unwrap())).unwrap();
        let asked = |url: &str| client.request(Method::GET, Url::parse(url).unwrap()).map(drop);
        assert_eq!(asked("https://proxy.internal/"), Err(NotPublic::Host));
        assert_eq!(asked("https://PROXY.internal:3128/"), Err(NotPublic::Host));
        assert_eq!(asked("https://example.com/"), Ok(()));
    }

    #[tokio::test]
    async fn a_name_of_ones_own_network_is_resolved_and_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        // Past the check of the url, as a name with a dot would be.
        let error = PublicClient::new(None).unwrap().client.get(&url).send().await.unwrap_err();
        assert!(super::super::reason(&error).ends_with("not public"), "{error:?}");
        let accepted = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
        assert!(accepted.is_err(), "a connection came");
    }

    #[test]
    fn hosts_are_names_with_a_dot_or_public_addresses() {
        assert!(is_public_host("example.com") && is_public_host("1.1.1.1"));
        for host in ["localhost", "127.0.0.1", "[::1]", "metadata", "example.com."] {
            assert!(!is_public_host(host), "{host}");
        }
    }
}
