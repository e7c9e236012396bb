//! The way out through a proxy, which makes a tunnel to each server and sees no more than its host and port.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use percent_encoding::percent_decode_str;

use weir_config::{DirectHost, Outbound};

/// The port of a proxy whose address has none.
const USUAL_PORT: u16 = 3128;

/// Why there is no way through a proxy.
#[derive(Debug, thiserror::Error)]
#[error("`outbound.proxy` is not an address of a proxy")]
pub struct BadProxy;

/// A proxy, and the hosts that are reached without it.
#[derive(Clone)]
pub struct OutboundProxy(Arc<Inner>);

struct Inner {
    address: Uri,
    login: Option<HeaderValue>,
    direct: Vec<DirectHost>,
    is_for_media: bool,
}

impl OutboundProxy {
    /// The proxy of a configuration.
    pub fn new(Outbound { proxy, direct, media }: &Outbound) -> Result<Self, BadProxy> {
        let written = proxy.expose().trim();
        let authority = written.strip_prefix("http://").ok_or(BadProxy)?.trim_end_matches('/');
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let address = with_port(&host.parse().map_err(|_| BadProxy)?, USUAL_PORT)?;
        let login = user.map(login).transpose()?;
        Ok(Self(Arc::new(Inner { address, login, direct: direct.clone(), is_for_media: *media })))
    }

    /// The proxy of a configuration that may have none.
    pub fn of(outbound: Option<&Outbound>) -> Result<Option<Self>, BadProxy> {
        outbound.map(Self::new).transpose()
    }

    /// The proxy's own host.
    pub(super) fn host(&self) -> &str {
        self.0.address.host().unwrap_or_default()
    }

    /// Whether media at addresses that clients name are fetched through it.
    pub(super) fn is_for_media(&self) -> bool {
        self.0.is_for_media
    }

    /// A connector that makes tunnels by the connections of another one.
    pub(super) fn tunnel<C>(&self, connector: C) -> Tunnel<C> {
        let tunnel = Tunnel::new(self.0.address.clone(), connector);
        match &self.0.login {
            Some(login) => tunnel.with_auth(login.clone()),
            None => tunnel,
        }
    }

    /// Whether a host is reached through the proxy.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let address = bare.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return false;
        }
        let is_direct = |direct: &DirectHost| match direct {
            DirectHost::Name(name) => *name == host,
            DirectHost::Below(ending) => host.ends_with(ending.as_str()),
            DirectHost::Network(network) => address.is_some_and(|address| network.contains(&address)),
        };
        !self.0.direct.iter().any(is_direct)
    }

    /// The same way for the calls of other clients than the one of providers. Those over plain HTTP go directly, such
    /// as a cloud's service of tokens and a collector in the cluster: there is no tunnel for them, and the proxy would
    /// read them.
    pub(super) fn apply(&self, client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let own = self.clone();
        let address = reqwest::Url::parse(&self.0.address.to_string()).ok();
        let way = move |url: &reqwest::Url| {
            address.clone().filter(|_| url.scheme() == "https" && url.host_str().is_some_and(|host| own.is_for(host)))
        };
        let proxy = reqwest::Proxy::custom(way);
        client.proxy(match &self.0.login {
            Some(login) => proxy.custom_http_auth(login.clone()),
            None => proxy,
        })
    }
}

/// The address of a host to which a tunnel leads. The port has to stand in it.
pub(super) fn tunnelled(to: &Uri) -> Option<Uri> {
    let port = if to.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    with_port(to.authority()?, port).ok()
}

fn with_port(authority: &Authority, usual: u16) -> Result<Uri, BadProxy> {
    let port = authority.port_u16().unwrap_or(usual);
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(format!("{}:{port}", authority.host()));
    uri.path_and_query(PathAndQuery::from_static("/")).build().map_err(|_| BadProxy)
}

/// `USER:PASSWORD` of a url as the header that shows it (RFC 7617).
fn login(user: &str) -> Result<HeaderValue, BadProxy> {
    let plain: Vec<u8> = percent_decode_str(user).collect();
    let plain = if plain.contains(&b':') { plain } else { [&plain, &b":"[..]].concat() };
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(plain))).map_err(|_| BadProxy)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for OutboundProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundProxy").field("address", &self.0.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::IpNet;
    use weir_config::Secret;

    fn proxy(address: &str, direct: Vec<DirectHost>) -> OutboundProxy {
        OutboundProxy::new(&Outbound { proxy: Secret::new(address), direct, media: false }).unwrap()
    }

    #[test]
    fn this_machine_and_listed_hosts_are_reached_directly() {
        let network: IpNet = "10.0.0.0/8".parse().unwrap();
        let direct =
            [DirectHost::Name("vllm".into()), DirectHost::Below(".internal".into()), DirectHost::Network(network)];
        let proxy = proxy("http://proxy.example.com:3128", direct.into());
        for host in ["localhost", "127.0.0.1", "[::1]", "::ffff:127.0.0.1", "vllm", "VLLM.", "a.internal", "10.1.2.3"] {
            assert!(!proxy.is_for(host), "{host}");
        }
        for host in ["api.example.com", "internal", "vllm.example.com", "11.1.2.3", "[2001:db8::1]"] {
            assert!(proxy.is_for(host), "{host}");
        }
    }

    #[test]
    fn an_address_may_have_a_login_which_is_not_shown() {
        let with_login = proxy("http://ann:a%40b@proxy.example.com/", Vec::new());
        assert_eq!(with_login.0.address, "http://proxy.example.com:3128/");
        assert_eq!(with_login.0.login.as_ref().unwrap(), "Basic YW5uOmFAYg==");
        assert!(!format!("{with_login:?}").contains("YW5u"));
        assert!(proxy("http://proxy:8080", Vec::new()).0.login.is_none());
    }

    #[test]
    fn a_tunnel_leads_to_a_port() {
        for (to, expected) in [
            ("https://api.example.com/v1", "http://api.example.com:443/"),
            ("http://api.example.com", "http://api.example.com:80/"),
            ("https://api.example.com:8443/", "http://api.example.com:8443/"),
            ("https://[2001:db8::1]/", "http://[2001:db8::1]:443/"),
        ] {
            assert_eq!(tunnelled(&to.parse().unwrap()).unwrap(), expected);
        }
    }
}
