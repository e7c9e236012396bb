//! Checks that a request comes from this machine itself, so that it is served without a key or token. A loopback
//! address does not prove that: a web page in a local browser (also by DNS rebinding) and a local proxy send from
//! loopback, too.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, Uri, header};

use super::{Caller, CallerDenied, Origin};
use weir_config::Config;
use weir_translate::dialect::endpoints::Head;

/// Headers that a proxy adds to a forwarded request, besides all that begin with [`FORWARDED`].
const PROXY_HEADERS: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
];
const FORWARDED: &str = "x-forwarded-";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The most characters of a client's value that an error repeats.
const SHOWN: usize = 100;

/// Why a request is not this machine's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLocal {
    /// A proxy forwarded the request.
    #[error("the header `{0}` shows that a proxy passes this request on")]
    Forwarded(HeaderName),
    /// The request is for a host that is not a loopback name.
    #[error("this request is for the host `{0}`, which is not a loopback name")]
    Host(String),
    /// The request names no host.
    #[error("this request names no host")]
    NoHost,
    /// Another site's web page sent the request.
    #[error("this request comes from another site's web page ({0})")]
    CrossSite(String),
}

impl NotLocal {
    /// The error code for clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forwarded(_) => "proxy_not_allowed",
            Self::Host(_) | Self::NoHost => "host_not_allowed",
            Self::CrossSite(_) => "origin_not_allowed",
        }
    }
}

/// The caller where there are no keys.
pub(super) fn caller(config: &Config, head: &Head<'_>, origin: Origin<'_>) -> Result<Caller, CallerDenied> {
    let address = origin.address;
    if config.server.anonymous {
        return Ok(Caller::anonymous(address));
    }
    // Without a known address it may be any machine's; a program's own calls do not come this way.
    if address.is_none_or(|address| !address.to_canonical().is_loopback()) {
        return Err(CallerDenied::Elsewhere);
    }
    check(origin.uri, head.headers, &config.server.allowed_origins).map_err(CallerDenied::NotLocal)?;
    Ok(Caller::anonymous(address))
}

/// Checks whether a request that came over loopback is this machine's own, or comes from a page of one of these
/// origins.
///
/// # Errors
///
/// The reason why it is not.
pub fn check(uri: &Uri, headers: &HeaderMap, pages: &[String]) -> Result<(), NotLocal> {
    if let Some(name) = forwarding_header(headers) {
        return Err(NotLocal::Forwarded(name.clone()));
    }
    check_host(uri, headers)?;
    check_site(headers, pages)
}

/// The first header that shows that a proxy forwarded the request.
pub(crate) fn forwarding_header(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.keys().find(|name| name.as_str().starts_with(FORWARDED) || PROXY_HEADERS.contains(&name.as_str()))
}

fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), NotLocal> {
    let mut is_named = false;
    let named = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?"));
    for host in uri.authority().map(Authority::as_str).into_iter().chain(named) {
        if !is_loopback(host) {
            return Err(NotLocal::Host(shown(host)));
        }
        is_named = true;
    }
    if is_named { Ok(()) } else { Err(NotLocal::NoHost) }
}

fn check_site(headers: &HeaderMap, pages: &[String]) -> Result<(), NotLocal> {
    let cross = |name: &HeaderName, value: &str| NotLocal::CrossSite(format!("{name}: {}", shown(value)));
    for value in headers.get_all(header::ORIGIN) {
        let origin = value.to_str().unwrap_or("?");
        if pages.iter().any(|page| page.eq_ignore_ascii_case(origin)) {
            return Ok(());
        }
        let host = origin.split_once("://").map(|(_, host)| host);
        if !host.is_some_and(is_loopback) {
            return Err(cross(&header::ORIGIN, origin));
        }
    }
    for value in headers.get_all(FETCH_SITE) {
        let site = value.to_str().unwrap_or("?");
        if !["same-origin", "same-site", "none"].contains(&site) {
            return Err(cross(&FETCH_SITE, site));
        }
    }
    Ok(())
}

/// Whether a host, with or without a port, is a loopback address or `localhost`.
fn is_loopback(host: &str) -> bool {
    // What nearly all requests have need not be parsed.
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if matches!(name, "localhost" | "127.0.0.1") && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let Ok(authority) = Authority::try_from(host) else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    let name = name.strip_suffix('.').unwrap_or(name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(uri: &str, headers: &[(&str, &str)]) -> Result<(), NotLocal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        check(&uri.parse().unwrap(), &map, &["https://chat.example.com".to_owned(), "*".to_owned()])
    }

    #[test]
    fn only_loopback_names_are_local() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "localhost.",
            "127.0.0.1",
            "127.9.8.7:1",
            "[::1]:8080",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(check_with("/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "0.0.0.0",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::]",
            "[2001:db8::1]",
            "evil@localhost",
            "",
            "local host",
            "127.1",
        ] {
            assert!(matches!(check_with("/", &[("host", host)]), Err(NotLocal::Host(_))), "{host}");
        }
        assert_eq!(check_with("/", &[]), Err(NotLocal::NoHost));
        assert_eq!(check_with("http://localhost:80/", &[]), Ok(()));
        assert!(check_with("http://evil.example/", &[("host", "localhost")]).is_err());
        assert!(check_with("/", &[("host", "localhost"), ("host", "evil.example")]).is_err());
    }

    #[test]
    fn pages_of_other_sites_are_not_local() {
        for (name, value) in [
            ("origin", "http://localhost:3000"),
            ("origin", "https://127.0.0.1"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(check_with("/", &[("host", "localhost"), (name, value)]), Ok(()), "{name}: {value}");
        }
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost.evil.example"),
            ("origin", "chrome-extension://abc"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "?"),
        ] {
            let refused = check_with("/", &[("host", "localhost"), (name, value)]);
            assert!(matches!(refused, Err(NotLocal::CrossSite(_))), "{name}: {value}");
        }
    }

    #[test]
    fn forwarded_requests_are_not_local() {
        for name in ["forwarded", "Via", "X-Real-IP", "x-forwarded-for", "x-forwarded-proto", "cf-connecting-ip"] {
            let refused = check_with("/", &[("host", "localhost"), (name, "127.0.0.1")]);
            assert!(matches!(refused, Err(NotLocal::Forwarded(_))), "{name}");
        }
    }
}
