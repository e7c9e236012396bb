//! A client's rights besides models: its operations, and access to objects, which belong to the client that made
//! them.

mod unified;

pub(super) use unified::objects_of_program;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, header};

use super::{Gateway, further_models};
use crate::admission::not_allowed;
use crate::attempt::{InboundRequest, ReplyBody};
use crate::auth::Caller;
use crate::dialect::request_peek::{MAX_IDS, ObjectIds, RequestPeek};
use crate::passthrough::object_watch::refuse_encoded;
use crate::provenance::{
    Claim, ObjectKind, Owners, ReadRequests, SentWords, anothers, anothers_in_field, anothers_in_text, last_segment,
    may_be_owned, not_here,
};
use crate::serving::{CreatedObject, Serving, reads_content};

use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::{BodyKind, Operation};
use weir_types::contract::types::{ErrorKind, Framing};
use weir_types::fault::{Fault, Side};
use weir_types::query;
use weir_wire::form::{FieldScan, FormError};
use weir_wire::{form, frame};

impl Gateway {
    /// Checks that the caller may use the operation and the objects that the request names.
    pub(super) fn permit(&self, serving: &Serving, inbound: &InboundRequest) -> Result<(), Fault> {
        may_do(inbound)?;
        further_models::permit(&inbound.caller, &inbound.query, &inbound.peek, &inbound.body)?;
        self.permit_work(serving, &inbound.endpoint, &inbound.caller, || inbound.named_objects())?;
        if serving.created_objects(inbound.endpoint.index, &self.stored_keys).is_none() {
            return Ok(());
        }
        self.refuse_unproved(serving, &inbound.endpoint, &inbound.caller, || inbound.named_objects())?;
        let (owners, tenant) = (&**self.reasoning_cache.owners(), &*inbound.caller.tenant);
        if !owners.has_any() {
            return Ok(());
        }
        // A server may decode it once more.
        let is_anothers = |id: &&str| id.contains('%') || owners.is_anothers(id.as_bytes(), tenant);
        if let Some(id) = inbound.path_params.get("id").filter(is_anothers) {
            return Err(not_here(id));
        }
        refuse_anothers_in_query(owners, tenant, &inbound.query)?;
        // Relayed bytes may be a form, and a file in it may list requests that name objects.
        let body = inbound.endpoint.face.body;
        if matches!(body, BodyKind::Raw | BodyKind::Multipart) {
            refuse_encoded(content_type(inbound), &inbound.body)?;
        }
        let id = match body {
            BodyKind::Json => anothers(owners, tenant, &inbound.body),
            BodyKind::Raw => anothers_in_text(owners, tenant, &inbound.body),
            BodyKind::Multipart => anothers_in_form(owners, tenant, inbound)?,
            _ => None,
        };
        if let Some(id) = id {
            return Err(not_here(&id));
        }
        refuse_anothers_named(owners, tenant, &inbound.named_objects())
    }

    /// Refuses a request of a restricted key for objects that are not known to be the key's own.
    pub(super) fn refuse_unproved(
        &self,
        serving: &Serving,
        endpoint: &Endpoint,
        caller: &Caller,
        named: impl FnOnce() -> ObjectIds,
    ) -> Result<(), Fault> {
        let created_objects = serving.created_objects(endpoint.index, &self.stored_keys);
        if !caller.is_restricted() || created_objects.is_none_or(|created| created == CreatedObject::Nothing) {
            return Ok(());
        }
        let named = named();
        refuse_too_many(&named)?;
        let owners = self.reasoning_cache.owners();
        let is_unproved = |id: &&String| !owners.is_own(id.as_bytes(), &caller.tenant) && named.is_kept(id);
        named.all().find(is_unproved).map_or(Ok(()), |id| Err(not_here(id)))
    }

    /// The claim of a client to the objects that the answer to its request makes, which names these; `None` if it has
    /// none.
    pub(super) fn claim(
        &self,
        serving: &Serving,
        endpoint: &Endpoint,
        tenant: &str,
        named: impl FnOnce() -> ObjectIds,
        response: &Response<ReplyBody>,
    ) -> Option<Claim> {
        // What the requests in a file ask for is kept with it, also where there is only one client.
        let is_kept = || serving.request_lines(endpoint.index).is_some() && !self.admission.budgets.is_empty();
        let created = serving.created_objects(endpoint.index, &self.stored_keys);
        let kind = match created.or_else(|| is_kept().then_some(CreatedObject::Object))? {
            CreatedObject::Answer => ObjectKind::Answer,
            CreatedObject::Object => ObjectKind::Object,
            CreatedObject::Nothing | CreatedObject::Named | CreatedObject::Unmade => return None,
        };
        let owners = self.reasoning_cache.owners();
        let named = named();
        // Reading an object does not make the client its owner, nor of what it has put into one.
        let may_claim = match &named.of_path {
            Some(id) => owners.is_own(id.as_bytes(), tenant) && !reads_content(endpoint),
            None => endpoint.face.method != Method::GET.as_str(),
        };
        may_claim.then(|| Claim {
            owners: owners.clone(),
            kind,
            depth: depth(response),
            named: named.all().cloned().collect(),
            inputs: inputs(serving, endpoint),
            sent: None,
            requests: ReadRequests::default(),
        })
    }
}

/// The members in which requests name what objects are made of, such as the file of a batch: an answer about such an
/// object repeats them.
pub(super) fn inputs(serving: &Serving, endpoint: &Endpoint) -> Vec<String> {
    let faces = serving.endpoints.all().iter().filter(|one| one.adapter == endpoint.adapter);
    let members = faces.flat_map(|one| one.face.own_object_ids()).filter_map(|place| place.strip_prefix('/'));
    members.filter(|member| !member.contains('/')).map(str::to_owned).collect()
}

/// Refuses a request that may name more objects than are read.
pub(super) fn refuse_too_many(named: &ObjectIds) -> Result<(), Fault> {
    if !named.may_miss_some {
        return Ok(());
    }
    Err(Fault::invalid(format!("the request has {MAX_IDS} places for objects of one kind or more, which are too many")))
}

/// The claim of a client to the object that the answer to its request makes at an endpoint that no adapter declares.
/// Its path and query name these, and its body has these words: what the client itself chose it has not made, nor is
/// the name of a model an object.
pub(super) fn claim_to_unknown(
    owners: &Arc<Owners>,
    serving: &Serving,
    path: &str,
    query: &str,
    sent: &Arc<SentWords>,
) -> Claim {
    for text in query::pairs(query).flat_map(|(name, value)| [name, value]) {
        words(&text).chain([text.as_str()]).for_each(|word| sent.add(word.as_bytes()));
    }
    words(path).for_each(|word| sent.add(word.as_bytes()));
    let of_path = path.split(['/', ':', ';']).chain(words(path)).map(str::to_owned);
    let models = serving.routes.iter().flat_map(|(_, route)| {
        let targets = route.targets.iter().flatten().filter_map(|target| target.model.as_deref());
        targets.chain([route.alias.as_str()]).map(|name| last_segment(name).to_owned()).collect::<Vec<_>>()
    });
    let named = of_path.chain(models).collect();
    let (kind, sent, requests) = (ObjectKind::Object, Some(Arc::clone(sent)), ReadRequests::default());
    Claim { owners: Arc::clone(owners), kind, depth: 1, named, inputs: Vec::new(), sent, requests }
}

/// What a caller means by the name of a model, if it may use that.
pub(super) fn meant(caller: &Caller, name: &str) -> Result<String, Fault> {
    if !caller.may_use(name) {
        return Err(not_allowed(caller, name));
    }
    Ok(caller.stored.as_ref().map_or(name, |stored| stored.model(name)).to_owned())
}

/// Replaces the model's name by what the caller's aliases mean by it, if the caller may use it. The lanes write the
/// model's own name into requests in any case.
pub(super) fn resolve_alias(caller: &Caller, endpoint: &Endpoint, peek: &mut RequestPeek) -> Result<(), Fault> {
    let (Some(stored), Some(name)) = (&caller.stored, peek.model.as_deref()) else { return Ok(()) };
    // A list, and one model of it, are filtered instead.
    if endpoint.face.operation == Operation::Models {
        return Ok(());
    }
    if !stored.may_use(name) {
        return Err(not_allowed(caller, name));
    }
    let meant = stored.model(name);
    if meant != name {
        peek.model = Some(meant.to_owned());
    }
    Ok(())
}

/// Checks that the caller may begin sessions, which always name a model.
pub(super) fn may_begin(caller: &Caller, operation: &str) -> Result<(), Fault> {
    if caller.is_anonymous() || caller.may_do(operation, true) { Ok(()) } else { Err(not_given(caller, operation, "")) }
}

/// The fault for an operation that a caller may not use.
fn not_given(caller: &Caller, operation: &str, what: &str) -> Fault {
    let whose = if caller.stored.is_some() { "its key, team or organisation" } else { "its configuration" };
    let message = format!(
        "the {} may not use the operation `{operation}`{what}: `operations` in {whose} says which it may",
        caller.title()
    );
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).with_code("operation_not_allowed")
}

fn may_do(inbound: &InboundRequest) -> Result<(), Fault> {
    let caller = &inbound.caller;
    if caller.is_anonymous() {
        return Ok(());
    }
    let operation = inbound.operation().name();
    let is_about_no_model = inbound.peek.model.is_none() && inbound.operation().is_relayed_only();
    let refused = |what: &str| Err(not_given(caller, operation, what));
    if !caller.may_do(operation, !is_about_no_model) {
        let names_none = caller.client.as_ref().is_some_and(|client| client.operations.is_none());
        return refused(if names_none { ", which names no model" } else { "" });
    }
    let shows_all = is_about_no_model && inbound.method == Method::GET && inbound.path_params.get("id").is_none();
    if shows_all && !caller.may_list(operation) {
        return refused(", which shows what others made");
    }
    Ok(())
}

/// Refuses a head of a request to a provider's own endpoint whose path, query or a header has the id of another
/// client's object. `path` is that at the provider, decoded.
pub(super) fn refuse_anothers(owners: &Owners, tenant: &str, path: &str, head: &Parts) -> Result<(), Fault> {
    if !owners.has_any() {
        return Ok(());
    }
    let of_path =
        path.split(['/', ':', ';']).chain(words(path)).find(|part| owners.is_anothers(part.as_bytes(), tenant));
    if let Some(id) = of_path {
        return Err(not_here(id));
    }
    refuse_anothers_in_query(owners, tenant, head.uri.query().unwrap_or_default())?;
    refuse_anothers_in_headers(owners, tenant, &head.headers)
}

/// Refuses headers of which one has the id of another client's object: some services take what to use from there.
fn refuse_anothers_in_headers(owners: &Owners, tenant: &str, headers: &HeaderMap) -> Result<(), Fault> {
    let mut values = headers.values().map(|value| Bytes::copy_from_slice(value.as_bytes()));
    let id = values.find_map(|value| anothers_in_text(owners, tenant, &[value]));
    id.map_or(Ok(()), |id| Err(not_here(&id)))
}

/// Refuses a query with the id of another client's object.
fn refuse_anothers_in_query(owners: &Owners, tenant: &str, query: &str) -> Result<(), Fault> {
    let texts = query::pairs(query).flat_map(|(name, value)| [name, value]);
    for text in texts.filter(|_| owners.has_any()) {
        let mut ids = words(&text).chain([text.as_str()]).filter(|id| may_be_owned(id.as_bytes()));
        let is_anothers = |id: &&str| owners.is_anothers(id.as_bytes(), tenant);
        // A server may decode it once more.
        let again = || anothers_in_text(owners, tenant, &[Bytes::copy_from_slice(text.as_bytes())]);
        if let Some(id) = ids.find(is_anothers).map(str::to_owned).or_else(again) {
            return Err(not_here(&id));
        }
    }
    Ok(())
}

/// The words of a text that may be ids.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'))
}

/// Refuses a request that names another client's object by its place, such as a url that ends in its id.
pub(super) fn refuse_anothers_named(owners: &Owners, tenant: &str, named: &ObjectIds) -> Result<(), Fault> {
    let mut parts = named.all().flat_map(|id| words(id));
    let anothers = parts.find(|part| owners.is_anothers(part.as_bytes(), tenant));
    anothers.filter(|_| owners.has_any()).map_or(Ok(()), |id| Err(not_here(id)))
}

/// Refuses a body that holds the id of another client's object.
pub(super) fn refuse_anothers_in(owners: &Owners, tenant: &str, body: &[Bytes]) -> Result<(), Fault> {
    if !owners.has_any() {
        return Ok(());
    }
    anothers(owners, tenant, body).map_or(Ok(()), |id| Err(not_here(&id)))
}

fn content_type(inbound: &InboundRequest) -> &str {
    inbound.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The first id of another client's object in a field of a form that is no file.
fn anothers_in_form(owners: &Owners, tenant: &str, inbound: &InboundRequest) -> Result<Option<String>, Fault> {
    let unreadable = |error: FormError| Fault::invalid(format!("the request's form cannot be read: {error}"));
    let mut scan = FieldScan::new(&form::boundary(content_type(inbound)).map_err(unreadable)?, Vec::new());
    for piece in &inbound.body {
        scan.push(piece).map_err(unreadable)?;
        let texts = scan.take_texts();
        if let Some(id) = texts.iter().find_map(|text| anothers_in_field(owners, tenant, text)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The depth of the object in an answer that has its id: in a stream, the object is inside its event.
pub(super) fn depth(response: &Response<ReplyBody>) -> u32 {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let framing = kind.and_then(frame::from_content_type);
    if framing.is_some_and(|framing| framing != Framing::JsonArray) { 2 } else { 1 }
}
