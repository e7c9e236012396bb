//! Pass-through: requests to a provider's own endpoints, whatever these are, with the provider's credential in place of
//! the client's. What is served is what the operator allows, by provider and by client.
//!
//! | module | does |
//! |---|---|
//! | [`path`] | checks paths, which must not lead out of the provider's url |
//! | [`direct`] | knows the endpoints that lead past this gateway |
//! | [`client_body`] | a request's body, sent while it arrives |
//! | [`form_watch`] | what a form names, read while it arrives |
//! | [`model_watch`] | the model that a body names to an endpoint that no adapter declares |
//! | [`object_watch`] | other clients' objects in such a body |
//! | [`requests_watch`] | the models and objects that a file of requests for later work names |

pub(crate) mod client_body;
mod direct;
pub(crate) mod form_watch;
pub(crate) mod model_watch;
pub(crate) mod object_watch;
pub(crate) mod path;
pub(crate) mod requests_watch;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::accept::Acceptance;
use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::method::reads_as;
use crate::route::{Route, Target, keys};
use weir_config::{Alias, Model};
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::dialect::path::{PathParams, Pattern};
use weir_types::contract::about::{BodyKind, CredentialPlace, Face, Operation, StreamFlag};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_upstream::HeaderRules;

/// The name of the operation, the format and the lane, in metrics, logs and the operations of keys.
pub(crate) const NAME: &str = "passthrough";

/// Headers by which some servers take a request for another one: with a different method, or at a different path.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];
/// Headers of an answer that would give its sender rights on this gateway's own pages.
const OF_PAGES: &str = "access-control-";

/// The providers with endpoints that are passed through, by name.
#[derive(Debug, Default)]
pub struct Passages(HashMap<String, Arc<Passage>>);

impl Passages {
    /// The passages to these providers.
    pub(crate) fn new(passages: impl IntoIterator<Item = Passage>) -> Self {
        Self(passages.into_iter().map(|one| (one.target.provider.name.clone(), Arc::new(one))).collect())
    }

    /// Whether no provider has any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All passages.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Passage>> {
        self.0.values()
    }

    /// The passage to a provider.
    pub(crate) fn to(&self, provider: &str) -> Option<&Arc<Passage>> {
        self.0.get(provider)
    }
}

/// The way to one provider's own endpoints.
#[derive(Debug)]
pub struct Passage {
    target: Arc<Target>,
    /// What stands for the endpoint in logs and metrics. Its credentials are those of all of the adapter's faces.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Turns among the provider's keys, and the handles of metrics.
    pub(crate) route: Route,
    declared: Vec<Declared>,
    /// The segments of paths behind which a model's name stands.
    model_segments: Vec<String>,
    request_headers: HeaderRules,
    response_headers: HeaderRules,
}

/// An endpoint that the provider's adapter declares: its requests and answers can be read.
#[derive(Debug)]
struct Declared {
    pattern: Pattern,
    /// The acceptance's position.
    acceptance: usize,
    /// The face with the places in requests of the same format.
    endpoint: Arc<Endpoint>,
    /// What follows the model in the path's last segment: the name of a method that the provider may have for other
    /// models.
    method: Option<String>,
}

impl Declared {
    /// The parameters of a path with the same method of a model that has another place: below what precedes the usual
    /// one, such as a version, or elsewhere, such as one that was made for a client. Then its name is all that precedes
    /// the method.
    fn of_another_model(&self, path: &str) -> Option<PathParams> {
        let method = self.method.as_deref()?;
        let (model, last) = path.strip_prefix('/')?.rsplit_once(':')?;
        if model.is_empty() || !last.eq_ignore_ascii_case(method) {
            return None;
        }
        let mut ends = path.match_indices('/').filter_map(|(at, _)| path.get(at..));
        let usual = ends.find_map(|end| self.pattern.matches_in_any_case(end));
        Some(usual.unwrap_or_else(|| PathParams::of("model", model)))
    }
}

/// A declared endpoint that a request calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownEndpoint<'a> {
    /// What the adapter says of the endpoint's answers.
    pub(crate) acceptance: &'a Acceptance,
    /// What an adapter says of such requests.
    pub(crate) endpoint: &'a Arc<Endpoint>,
}

impl KnownEndpoint<'_> {
    /// Whether the request is read before it is sent: it is JSON that says what the answer will cost, or that may name
    /// objects, as none without a body does.
    pub(crate) fn is_read(&self, is_bare: bool) -> bool {
        let Face { body, model, object_ids, .. } = &self.endpoint.face;
        let names_objects = !object_ids.is_empty() && !is_bare;
        *body == BodyKind::Json && (!model.is_empty() || names_objects)
            || matches!(self.acceptance.operation, Operation::Chat | Operation::Embeddings | Operation::Rerank)
    }

    /// Whether the request is a form that may name the model.
    pub(crate) fn is_form(&self) -> bool {
        let Face { body, model, .. } = &self.endpoint.face;
        *body == BodyKind::Multipart && !model.is_empty()
    }

    /// Whether the endpoint concerns no model, such as one for files.
    pub(crate) fn is_free(&self) -> bool {
        !self.endpoint.face.names_model() && self.acceptance.operation.is_relayed_only()
    }
}

impl Passage {
    /// The passage to a target's provider. `endpoints` are those of all faces, `credentials` all headers with clients'
    /// credentials.
    pub(crate) fn new(target: Target, endpoints: &[Arc<Endpoint>], credentials: &[&str]) -> Self {
        let endpoint = Arc::new(endpoint(&target, endpoints));
        let model = Model { alias: Alias::Exact(NAME.to_owned()), ..Model::default() };
        let never = credentials.iter().copied().chain(OVERRIDES);
        let declared = declared(&target, endpoints);
        let model_segments = model_segments(&target);
        let target = Arc::new(target);
        Self {
            route: Route::new(&model, false, vec![Ok(Arc::clone(&target))]),
            target,
            endpoint,
            declared,
            model_segments,
            request_headers: HeaderRules::request(["*"], never),
            response_headers: HeaderRules::response(["*"]),
        }
    }

    /// The provider, with its first key.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The provider, with the next of its keys.
    pub(crate) fn next_target(&self) -> &Arc<Target> {
        let count = keys(&self.target).count();
        keys(&self.target).nth(self.route.next_key() % count.max(1)).unwrap_or(&self.target)
    }

    /// The provider's name.
    pub(crate) fn name(&self) -> &str {
        &self.target.provider.name
    }

    /// The declared endpoint of a request, with the values of its path's parameters. `path` is decoded. A spelling that
    /// some servers take for the endpoint counts as one, so that none leads around the rights and the costs of its
    /// model.
    pub(crate) fn known(&self, method: &Method, path: &str) -> Option<(KnownEndpoint<'_>, PathParams)> {
        let path = path::plainest(path);
        let known = |one: &'_ Declared, path_params: PathParams| {
            let is_same = |own: &&Acceptance| reads_as(method.as_str(), std::slice::from_ref(&own.method));
            let acceptance = self.target.accepts.get(one.acceptance).filter(is_same)?;
            Some((acceptance, path_params))
        };
        let declared = self.declared.iter().find_map(|one| {
            let (acceptance, path_params) = known(one, one.pattern.matches_in_any_case(&path)?)?;
            Some((KnownEndpoint { acceptance, endpoint: &one.endpoint }, path_params))
        });
        declared.or_else(|| {
            self.declared.iter().find_map(|one| {
                let (acceptance, path_params) = known(one, one.of_another_model(&path)?)?;
                Some((KnownEndpoint { acceptance, endpoint: &one.endpoint }, path_params))
            })
        })
    }

    /// Refuses a path with a model that the caller may not use, behind what a model follows in the paths that the
    /// adapter declares: another method of a model, or another place of it, is often served beside those.
    pub(crate) fn permit_model_of_path(&self, caller: &Caller, path: &str) -> Result<(), Fault> {
        let plain = path::plainest(path);
        let segments: Vec<&str> = plain.split('/').collect();
        for (at, _) in segments.iter().enumerate().filter(|(_, one)| self.precedes_model(one)) {
            let Some(rest) = segments.get(at + 1..).filter(|rest| !rest.is_empty()) else { continue };
            let rest_of_path = rest.join("/");
            if !path::beginnings(&rest_of_path).iter().any(|name| caller.may_name(name)) {
                return Err(not_allowed(caller, rest.first().copied().unwrap_or_default()));
            }
        }
        Ok(())
    }

    fn precedes_model(&self, segment: &str) -> bool {
        self.model_segments.iter().any(|one| segment.eq_ignore_ascii_case(one))
    }

    /// Whether a caller may send a request here; `is_keyed` means that callers have keys. `path` is decoded.
    pub(crate) fn permit(&self, caller: &Caller, is_keyed: bool, method: &Method, path: &str) -> Result<(), Fault> {
        let (name, method_of, method) = (self.name(), method, method.as_str());
        if !self.target.provider.passthrough.iter().any(|rule| rule.admits(method, path)) {
            let message = format!("`passthrough` of the provider `{name}` does not have this method and path");
            return Err(refused(message));
        }
        if direct::is_one(method_of, path)
            && !self.target.provider.passthrough.iter().any(|rule| rule.names(method, path))
        {
            let message = format!(
                "this endpoint of `{name}` leads past this gateway, where nothing is counted: no pattern opens it, and \
                 `passthrough` of the provider does not have its path as it is"
            );
            return Err(refused(message));
        }
        let may_pass = match (&caller.client, &caller.stored) {
            (Some(client), _) => client.may_pass(name, method, path),
            (None, Some(stored)) => stored.is_given(NAME),
            // Where callers have keys, one without a key may not.
            (None, None) => !is_keyed,
        };
        if !may_pass {
            let message = format!("the {} may not use this endpoint of `{name}` by pass-through", caller.title());
            return Err(refused(message));
        }
        Ok(())
    }

    /// The client's headers that go to the provider.
    pub(crate) fn request_headers(&self, theirs: &http::HeaderMap) -> http::HeaderMap {
        forwarded(&self.request_headers, theirs, |_| false)
    }

    /// The provider's headers that go to the client.
    pub(crate) fn response_headers(&self, theirs: &http::HeaderMap) -> http::HeaderMap {
        forwarded(&self.response_headers, theirs, |name| name.starts_with(OF_PAGES))
    }
}

/// Headers that pass by these rules, without Weir's own and those that `is_kept_back`.
fn forwarded(rules: &HeaderRules, from: &http::HeaderMap, is_kept_back: impl Fn(&str) -> bool) -> http::HeaderMap {
    let mut to = http::HeaderMap::with_capacity(from.len());
    rules.forward(from, &mut to);
    let out = |name: &http::HeaderName| name.as_str().starts_with("x-weir-") || is_kept_back(name.as_str());
    for name in to.keys().filter(|name| out(name)).cloned().collect::<Vec<_>>() {
        to.remove(name);
    }
    to
}

fn refused(message: String) -> Fault {
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).with_code("passthrough_not_allowed")
}

fn endpoint(target: &Target, endpoints: &[Arc<Endpoint>]) -> Endpoint {
    let own = endpoints.iter().filter(|endpoint| endpoint.adapter == target.adapter.name);
    let mut credentials: Vec<CredentialPlace> = Vec::new();
    for place in own.flat_map(|endpoint| &endpoint.face.credentials) {
        if !credentials.contains(place) {
            credentials.push(place.clone());
        }
    }
    let path = format!("{}{}/*", path::PREFIX, target.provider.name);
    let face = Face::unread(NAME, Operation::Other(NAME.to_owned()), "*", path);
    let face = Face { credentials, ..face };
    Endpoint {
        adapter: Arc::clone(&target.adapter.name),
        face,
        errors: None,
        id_header: None,
        limit_headers: Vec::new(),
        index: usize::MAX,
    }
}

fn model_segments(target: &Target) -> Vec<String> {
    let option = |name: &str| target.option(name);
    let before = |path: String| {
        let before = path.split_once("{model")?.0.strip_suffix('/')?.rsplit('/').next()?.to_owned();
        (!before.is_empty() && !before.contains('{')).then_some(before)
    };
    let mut all: Vec<String> = target.accepts.iter().flat_map(|one| one.shapes(option)).filter_map(before).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn declared(target: &Target, endpoints: &[Arc<Endpoint>]) -> Vec<Declared> {
    let option = |name: &str| target.option(name);
    let mut all = Vec::new();
    // Also those that this configuration does not use: the provider serves them.
    for (position, acceptance) in target.accepts.iter().enumerate().filter(|(_, one)| one.is_relayed()) {
        let is_same = |endpoint: &&Arc<Endpoint>| {
            endpoint.format() == acceptance.format && endpoint.face.operation == acceptance.operation
        };
        for (path, streams) in acceptance.shapes(option).zip([false, true]) {
            // Where streams have a path of their own, so do the faces.
            let is_of_path = |endpoint: &&Arc<Endpoint>| endpoint.face.stream == StreamFlag::Constant(streams);
            let same = || endpoints.iter().filter(is_same);
            let Some(endpoint) = same().find(is_of_path).or_else(|| same().next()) else { continue };
            if let Ok(pattern) = Pattern::parse(&format!("/{path}")) {
                let method = path.rsplit_once("{model}:").map(|(_, method)| method.to_owned());
                let one = Declared { pattern, acceptance: position, endpoint: Arc::clone(endpoint), method };
                all.push((!acceptance.is_open(option), one));
            }
        }
    }
    all.sort_by_key(|(is_unused, one)| (usize::MAX - one.pattern.weight(), *is_unused));
    all.into_iter().map(|(_, one)| one).collect()
}
