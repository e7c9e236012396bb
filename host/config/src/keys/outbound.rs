//! `[outbound]`: the way out.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::Secret;
use crate::raw::Node;
use crate::section::{Entry, Located, SecretUrl, Take, section};

section! {
    /// A proxy on the way to providers, and for all else that is reached by https: identity providers, webhooks, sinks
    /// and collectors of spans. Without this table, they are asked directly; proxies that environment variables name
    /// are not used.
    OUTBOUND = "[outbound]" at "outbound";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Outbound {
        /// The proxy, which makes a tunnel to each server (`CONNECT`): `"http://HOST:3128"`, or with a login
        /// `"http://USER:PASSWORD@HOST:3128"`. An address with a password is best written as `"env:NAME"` or
        /// `"file:PATH"`.
        proxy: Secret as ProxyUrl = Secret::new("") => required "the address of a proxy, such as \"http://proxy.example.com:3128\"",
        /// Hosts that are reached without the proxy: names, `"*.example.com"` for all below a name, addresses and
        /// networks. This machine always is.
        direct: Vec<DirectHost>,
        /// Whether media that requests refer to are fetched through the proxy, too. It resolves their names, so it has
        /// to keep clients from addresses of your own network.
        media: bool = false,
    }
}

/// Hosts that are reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectHost {
    /// The host of this name, in lower case.
    Name(String),
    /// All hosts whose names end so, with the dot in front.
    Below(String),
    /// The addresses of a network.
    Network(IpNet),
}

impl DirectHost {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if let Ok(network) = text.parse::<IpNet>() {
            return Some(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Network(address.to_canonical().into()));
        }
        let (name, is_below) = text.strip_prefix("*.").map_or((&*text, false), |name| (name, true));
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        is_name.then(|| if is_below { Self::Below(format!(".{name}")) } else { Self::Name(name.to_owned()) })
    }
}

impl Take for DirectHost {
    type Value = Self;
    const TAKES: &'static str = "host";
    const LIST: &'static str = "list of hosts";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let host = Self::parse(&text.value);
        if host.is_none() {
            let help = "a name, \"*.example.com\", an address or a network, without a scheme and a port";
            entry.error_with(&text.place, format!("`{}`: `{}` is no host", entry.name, text.value), help);
        }
        host
    }

    fn example() -> String {
        "\"*.example.com\"".to_owned()
    }
}

/// The address of a proxy, as a secret.
#[derive(Debug)]
struct ProxyUrl;

impl Take for ProxyUrl {
    type Value = Secret;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Secret> {
        let Located { value: secret, place } = SecretUrl::take(entry, node)?;
        let is_proxy = secret.expose().strip_prefix("http://").is_some_and(|rest| {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            host.parse::<http::uri::Authority>().is_ok_and(|host| !host.host().is_empty())
        });
        if !is_proxy {
            let help = "write \"http://HOST:PORT\", or \"http://USER:PASSWORD@HOST:PORT\"";
            entry.error_with(&place, format!("`{}` is not an address of a proxy", entry.name), help);
        }
        is_proxy.then_some(secret)
    }

    fn example() -> String {
        "\"http://proxy.example.com:3128\"".to_owned()
    }
}
