//! A request to a provider's own endpoint before it is sent: its passage, its demand, and its outgoing form.

use std::sync::Arc;

use http::request::Parts;
use http::uri::Authority;
use http::{Method, Version, header};

use super::super::own_url;
use super::PermittedPass;
use crate::accounting::UnmeteredRequest;
use crate::admission::{Demand, Uses, bytes_of};
use crate::attempt::{PassedRequest, keep_apart};
use crate::dialect::request_peek::RequestPeek;
use crate::method::reads_as;
use crate::passthrough::{KnownEndpoint, Passage, path};
use crate::route::Target;
use crate::serving::{Serving, Stored};
use weir_translate::dialect::endpoints::Head;
use weir_translate::dialect::path::PathParams;
use weir_types::contract::about::Operation;
use weir_types::contract::types::{ErrorKind, Framing};
use weir_types::fault::{Fault, Side};
use weir_types::query;
use weir_upstream::Chunks;

/// Members of a query by which some servers treat a request as one with another method, or with other headers.
const OVERRIDES: [&str; 6] =
    ["_method", "$httpMethod", "$httpHeaders", "x-http-method-override", "x-http-method", "x-method-override"];

/// The passage that a request takes, and the path at its provider.
pub(super) fn passage<'a>(serving: &'a Serving, path: &str) -> Result<(&'a Passage, String), Fault> {
    let found = path::split(path).and_then(|(name, path)| Some((&**serving.passages.to(name)?, path.to_owned())));
    found.ok_or_else(|| {
        let message = "no provider of this name is open for pass-through: `passthrough` in `[[providers]]` opens one";
        Fault::not_found(message).with_status(404).with_code("unknown_url")
    })
}

/// Refuses tunnels and upgrades, addresses of other servers, and queries that override the method or the headers.
pub(super) fn refuse_tunnels_and_overrides(head: &Parts) -> Result<(), Fault> {
    if reads_as(head.method.as_str(), &[Method::CONNECT, Method::TRACE]) {
        let fault = Fault::invalid(format!("{} does not pass through", head.method));
        return Err(fault.with_status(405).with_code("method_not_allowed"));
    }
    // Before HTTP/2, only a request for a proxy names a server in its first line.
    if head.version < Version::HTTP_2 && head.uri.authority().is_some() {
        let message = "the request's target must be a path: this gateway is not a proxy for other addresses";
        return Err(Fault::invalid(message).with_status(400).with_code("passthrough_path"));
    }
    if head.version >= Version::HTTP_11 && !names_one_host(head) {
        let message = "a request names one host, as `Host: NAME` or `Host: NAME:PORT`, or in `:authority` of HTTP/2";
        return Err(Fault::invalid(message).with_status(400).with_code("passthrough_path"));
    }
    let is_override = |name: &str| OVERRIDES.iter().any(|one| name.trim().eq_ignore_ascii_case(one));
    if query::pairs(head.uri.query().unwrap_or_default()).any(|(name, _)| is_override(&name)) {
        let message = "the query asks the provider's server for another method or other headers";
        return Err(Fault::invalid(message).with_status(400).with_code("passthrough_path"));
    }
    let upgrades = head.headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    // An offer of HTTP/2 needs no answer.
    if upgrades.flat_map(|value| value.split(',')).any(|one| !one.trim().to_ascii_lowercase().starts_with("h2")) {
        let message = "a connection cannot be upgraded by pass-through, so no websockets pass";
        let fault = Fault::new(Side::Client, ErrorKind::Unsupported, message);
        return Err(fault.with_status(400).with_code("upgrade_not_supported"));
    }
    Ok(())
}

/// Whether a head names exactly one host: proxies differ in which of several they take. A client of HTTP/2 names it in
/// the authority, and may repeat it in a header.
fn names_one_host(head: &Parts) -> bool {
    let is_name = |host: &str| !host.contains('@') && host.parse::<Authority>().is_ok();
    let mut hosts = head.headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let (host, has_more, authority) = (hosts.next(), hosts.next().is_some(), head.uri.authority());
    let is_same = |authority: &Authority| host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str()));
    let named = authority.map(Authority::as_str).or(host);
    !has_more && named.is_some_and(is_name) && authority.is_none_or(is_same)
}

/// The alias of a model at a provider, and the target with its prices: the configuration may name them.
pub(super) fn priced<'a>(
    serving: &'a Serving,
    target: &Arc<Target>,
    model: Option<&str>,
) -> (Option<&'a str>, Arc<Target>) {
    let Some(model) = model else { return (None, Arc::clone(target)) };
    match serving.routes.of_provider(&target.label, model) {
        Some((alias, configured)) => (Some(alias), Arc::clone(configured)),
        None => (serving.routes.find(model).map(|route| route.alias.as_str()), Arc::clone(target)),
    }
}

/// The names of the models whose guards judge a request: its own, and those that were read in its body. Empty if it may
/// be for any model.
pub(super) fn guarded_names<'a>(own: [Option<&'a str>; 2], read: Option<&'a [String]>) -> Vec<&'a str> {
    match read {
        Some([]) => Vec::new(),
        read => own.into_iter().flatten().chain(read.unwrap_or_default().iter().map(String::as_str)).collect(),
    }
}

/// What a request uses, as far as that can be known. If it names no model at an endpoint that takes one, the provider
/// chooses: the charge is as unknown as that of an undeclared endpoint.
pub(super) fn uses(
    method: &Method,
    known: Option<KnownEndpoint<'_>>,
    peek: Option<&RequestPeek>,
    stored: Stored,
) -> Uses {
    let reads_only = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE);
    let names_model = peek.is_some_and(|peek| peek.model.is_some());
    let is_tiered = known.is_some_and(|known| !known.endpoint.face.service_tier.is_empty());
    match known.map(|known| &known.acceptance.operation) {
        _ if reads_only || stored.is_old() => Uses::Free,
        Some(Operation::Chat) if names_model => Uses::Both,
        Some(Operation::Embeddings | Operation::Rerank) if names_model => Uses::Input,
        Some(Operation::Moderation | Operation::CountTokens) if peek.is_some() => Uses::Nothing,
        _ if names_model && is_tiered => Uses::Both,
        _ if names_model || known.is_some_and(|known| known.is_free()) => Uses::Nothing,
        _ => Uses::Unknown,
    }
}

/// The size of a request whose answer may not report its usage.
pub(super) fn unmetered(request: &PassedRequest<'_>, demand: &Demand<'_>) -> Option<UnmeteredRequest> {
    let (known, _) = request.known.as_ref().filter(|_| demand.uses == Uses::Nothing && demand.model.is_some())?;
    UnmeteredRequest::of(&known.acceptance.operation, known.endpoint.face.body, demand.body_len)
}

/// A request's demand on limits and budgets. `earlier` is the number of tokens that the provider has stored and reads
/// again for it.
pub(super) fn demand<'a>(
    permitted: &'a PermittedPass<'_>,
    peek: Option<&'a RequestPeek>,
    stream: bool,
    earlier: u32,
) -> Demand<'a> {
    Demand {
        model: peek.and_then(|peek| peek.model.as_deref()),
        same_models: &[],
        further_models: &permitted.further_models,
        output_limit: peek.and_then(|peek| peek.output_limit),
        candidates: peek.map_or(1, |peek| peek.candidates),
        service_tier: peek.and_then(|peek| peek.service_tier.as_deref()),
        body_len: permitted.body_len,
        counted_len: permitted.body_len.saturating_add(bytes_of(earlier)),
        stream,
        uses: permitted.uses,
        work: permitted.work.as_ref().and_then(|work| work.as_deref().ok()).unwrap_or_default(),
    }
}

/// The announced length of a body of JSON.
pub(super) fn announced_text(head: &Parts) -> usize {
    let length = head.headers.get(header::CONTENT_LENGTH).filter(|_| is_text(head));
    length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or_default()
}

/// Whether a body is JSON, whose text may become tokens.
pub(super) fn is_text(head: &Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json"))
}

/// The outgoing request, without anything that may be a client's credential.
pub(super) fn passed<'a>(
    serving: &Serving,
    permitted: &'a PermittedPass<'_>,
    known: Option<(KnownEndpoint<'a>, PathParams)>,
    head: Parts,
    path: String,
    body: Chunks,
    peek: Option<&RequestPeek>,
) -> PassedRequest<'a> {
    let tells_of_work = known.as_ref().is_some_and(|(known, _)| serving.tells_of_work(known.endpoint.index));
    let own_url = tells_of_work.then(|| own_url::of(&serving.config.server, &head)).flatten();
    let query = head.uri.query().unwrap_or_default();
    let about = Head { headers: &head.headers, query };
    let framing = known.as_ref().map_or(Framing::Sse, |(known, _)| known.endpoint.framing(&about));
    let (adapter, named) = (&permitted.target.adapter.name, &serving.config.server.key_headers);
    let (mut headers, query) = serving.endpoints.without_credentials(adapter, named, head.headers, query);
    keep_apart(&mut headers, &permitted.caller.tenant);
    PassedRequest {
        id: permitted.id,
        passage: permitted.passage,
        target: &permitted.target,
        known,
        method: head.method,
        path,
        query,
        headers,
        body,
        model: peek.and_then(|peek| peek.model.clone()).unwrap_or_default(),
        stream: peek.is_some_and(|peek| peek.stream),
        framing,
        can_cut: head.version < Version::HTTP_2,
        stored: permitted.stored,
        own_url,
        may_claim: permitted.sent.is_some(),
    }
}
