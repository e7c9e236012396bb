//! Replaces a provider's own address in answers by the address through which the client reached this gateway: clients
//! that follow such an address must come back here, where their key is known.
//!
//! Only addresses below the provider's url are replaced, with a path that is served here, so that no provider can lead
//! a client elsewhere.

use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Response};

use crate::accept::Filling;
use crate::attempt::{InboundRequest, ReplyBody};
use crate::auth::local::forwarding_header;
use crate::passthrough::{Passage, path};
use crate::route::Target;
use crate::serving::Serving;
use weir_config::Server;
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::path::Pattern;
use weir_wire::swap::StringSwap;

/// The prefix of addresses.
const START: &str = "http";

/// Scheme, host and port by which the client reached the gateway; `None` if that is unknown. Behind a proxy, the host
/// may be the proxy's name for this machine, and the scheme is that of the connection to the proxy.
pub(super) fn of(server: &Server, head: &Parts) -> Option<String> {
    if let Some(url) = &server.public_url {
        return Some(url.to_string());
    }
    if forwarding_header(&head.headers).is_some() {
        return None;
    }
    let named = || head.headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = head.uri.authority().cloned().or_else(named)?;
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    (!authority.as_str().contains('@')).then(|| format!("{scheme}://{authority}"))
}

/// Replaces a provider's addresses in a relayed answer about its work.
pub(super) fn put_in_answer(
    response: &mut Response<ReplyBody>,
    serving: &Serving,
    inbound: &InboundRequest,
    target: &Target,
) {
    let Some(own) = inbound.own_url.as_deref().filter(|_| is_readable(response)) else { return };
    let Some(acceptance) = target.accepts(inbound.endpoint.format(), inbound.operation()) else { return };
    let option = |name: &str| target.option(name);
    let id = inbound.path_params.get("id").unwrap_or_default();
    let at_provider = acceptance.path(&Filling { model: target.model(inbound.model()), id, option: &option }, false);
    // A prefix before the provider's path in this request also precedes the paths of the client's other requests.
    let root = inbound.path.strip_suffix(&*at_provider).filter(|root| root.ends_with('/'));
    let Some(root) = root.map(|root| format!("{own}{root}")) else { return };
    let (below, served) = (root.get(own.len()..).unwrap_or_default().to_owned(), served(serving, &inbound.endpoint));
    swap(response, target, root, move |path| {
        let path = format!("{below}{path}");
        served.iter().any(|pattern| pattern.matches(&path).is_some())
    });
}

/// Puts this gateway's address in an answer that passes through.
pub(super) fn put_in_passed(response: &mut Response<ReplyBody>, own: Option<&str>, passage: &Passage) {
    let Some(own) = own.filter(|_| is_readable(response)) else { return };
    let target = passage.target();
    let provider = target.provider.clone();
    let root = format!("{own}{}{}/", path::PREFIX, passage.name());
    swap(response, target, root, move |path| {
        provider.passthrough.iter().any(|rule| rule.admits(Method::GET.as_str(), path))
    });
}

/// Replaces addresses below the target's url by those below `root`, if their path is served here.
fn swap(
    response: &mut Response<ReplyBody>,
    target: &Target,
    root: String,
    is_served: impl Fn(&str) -> bool + Send + Sync + 'static,
) {
    let base = target.base.clone();
    let swap = StringSwap::new(START, move |url| {
        let below = base.path_below(url)?;
        let is_served = path::decoded(below).is_ok_and(|path| is_served(&path));
        is_served.then(|| format!("{root}{below}"))
    });
    if response.body_mut().swap_strings(swap) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

/// Paths of the requests that read something in the same format.
fn served(serving: &Serving, endpoint: &Endpoint) -> Vec<Pattern> {
    let alike = serving.endpoints.all().iter().filter(|other| {
        other.adapter == endpoint.adapter
            && other.format() == endpoint.format()
            && other.face.method == Method::GET.as_str()
    });
    let paths = alike.flat_map(|other| {
        let prefixes = other.face.prefixes.iter().map(String::as_str).chain([""]);
        prefixes.map(|prefix| format!("{prefix}{}", other.face.path))
    });
    paths.filter_map(|path| Pattern::parse(&path).ok()).collect()
}

/// Whether an answer is JSON in no coding.
fn is_readable(response: &Response<ReplyBody>) -> bool {
    let text = |headers: &HeaderMap, name| headers.get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
    let is_json = text(response.headers(), header::CONTENT_TYPE)
        .is_some_and(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"));
    is_json && response.status().is_success() && !response.headers().contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use weir_config::{Origin, TlsFiles};

    fn url(server: &Server, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        of(server, &request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_address_is_the_host_that_the_client_names_with_the_listeners_scheme() {
        let (plain, mut tls) = (Server::default(), Server::default());
        tls.tls = Some(TlsFiles::default());
        let host = [("host", "weir.example:8080")];
        assert_eq!(url(&plain, "/v1/x", &host).as_deref(), Some("http://weir.example:8080"));
        assert_eq!(url(&tls, "/v1/x", &host).as_deref(), Some("https://weir.example:8080"));
        // As in HTTP/2.
        assert_eq!(url(&tls, "https://weir.example/v1/x", &[]).as_deref(), Some("https://weir.example"));
        for headers in
            [vec![], vec![("host", "a b")], vec![("host", "me@weir.example")], vec![host[0], ("via", "1.1 p")]]
        {
            assert_eq!(url(&plain, "/v1/x", &headers), None, "{headers:?}");
        }
        let named = Server { public_url: Origin::parse("https://llm.example").ok(), ..plain };
        assert_eq!(url(&named, "/v1/x", &[host[0], ("via", "1.1 p")]).as_deref(), Some("https://llm.example"));
    }
}
