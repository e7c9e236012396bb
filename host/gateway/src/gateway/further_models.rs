//! Models that a request names besides its own. A client may only name models that it may use, the guards of each judge
//! the request, and budgets reserve the cost of the dearest, in every lane.

use std::iter;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::admission::not_allowed;
use crate::attempt::InboundRequest;
use crate::auth::Caller;
use crate::dialect::request_peek::RequestPeek;
use crate::dialect::request_peek::named_models::{self, Unreadable};
use crate::serving::Serving;
use weir_types::fault::Fault;
use weir_types::query;

/// The most models that a request may name besides its own where their prices are looked up.
const PRICED: usize = 64;

/// Checks that a caller may use every model that a query and a body name.
pub(super) fn permit(caller: &Caller, query: &str, peek: &RequestPeek, body: &[Bytes]) -> Result<(), Fault> {
    if caller.may_use_all() {
        return Ok(());
    }
    if let Some(model) = of_query(query).find(|model| !caller.may_name(model)) {
        return Err(not_allowed(caller, &model));
    }
    if peek.found.is_some() { permit_each(caller, body) } else { Ok(()) }
}

/// Like [`permit`], for a request in the unified model. There, members that only one format has are extensions, and
/// tools that a provider runs itself are opaque.
pub(super) fn permit_unified(caller: &Caller, request: &Value) -> Result<(), Fault> {
    documents(request)?.into_iter().try_for_each(|document| permit_each(caller, &[document]))
}

/// The models that a request names besides its own; `None` if the request cannot be read.
pub(super) fn named(inbound: &InboundRequest) -> Option<Vec<String>> {
    in_request(inbound, named_models::in_body).ok()
}

/// The models that a passed-through body names; `None` if it cannot be read.
pub(super) fn named_in_json(peek: &RequestPeek, body: &[Bytes]) -> Option<Vec<String>> {
    in_json(peek, body, named_models::in_body).ok()
}

/// All models besides the request's own that may answer it or be consulted, to price it: a client that names one in an
/// unusual way must not pay less.
pub(super) fn priced(inbound: &InboundRequest) -> Result<Vec<String>, Fault> {
    few(in_request(inbound, named_models::mentioned))
}

/// All models to price for a passed-through body, as [`priced`] finds them.
pub(super) fn priced_in_json(peek: &RequestPeek, body: &[Bytes]) -> Result<Vec<String>, Fault> {
    few(in_json(peek, body, named_models::mentioned))
}

/// Each name once.
///
/// # Errors
///
/// There are too many to look up their prices.
fn few(names: Result<Vec<String>, Unreadable>) -> Result<Vec<String>, Fault> {
    let too_many = || {
        let message = format!("a request that a budget counts names at most {PRICED} models besides its own");
        Fault::invalid(message).at("models")
    };
    let mut names = names.map_err(|_| too_many())?;
    names.sort_unstable();
    names.dedup();
    if names.len() > PRICED { Err(too_many()) } else { Ok(names) }
}

/// The names of all models whose guards judge a request: its own, those that it names besides, and the configuration's
/// aliases for these. Empty if the request may be for any model, or if guards do not differ by model.
pub(super) fn guarded(
    serving: &Serving,
    peek: &RequestPeek,
    further: impl FnOnce() -> Option<Vec<String>>,
) -> Vec<String> {
    let Some(own) = peek.model.as_ref().filter(|_| serving.guards.differ_by_model()) else { return Vec::new() };
    let Some(further) = further() else { return Vec::new() };
    let mut names: Vec<String> =
        iter::once(own.clone()).chain(serving.routes.aliases_of(own).map(str::to_owned)).collect();
    for name in further {
        names.extend(serving.routes.aliases_of(&name).map(str::to_owned));
        names.push(name);
    }
    names
}

/// The models that a query names.
fn of_query(query: &str) -> impl Iterator<Item = String> {
    query::pairs(query).filter(|(name, _)| name.eq_ignore_ascii_case("model")).map(|(_, model)| model)
}

/// Reads the names of models in a JSON body.
type Reader = fn(&[Bytes]) -> Result<Vec<String>, Unreadable>;

/// The models that a request's query and its body name.
fn in_request(inbound: &InboundRequest, read: Reader) -> Result<Vec<String>, Unreadable> {
    let in_body = match inbound.side.program() {
        Some(_) => in_unified(inbound, read),
        None => in_json(&inbound.peek, &inbound.body, read),
    };
    Ok(of_query(&inbound.query).chain(in_body?).collect())
}

fn in_json(peek: &RequestPeek, body: &[Bytes], read: Reader) -> Result<Vec<String>, Unreadable> {
    if peek.found.is_some() { read(body) } else { Ok(Vec::new()) }
}

fn in_unified(inbound: &InboundRequest, read: Reader) -> Result<Vec<String>, Unreadable> {
    let unreadable = Unreadable { member: "models" };
    let request = serde_json::from_slice(&inbound.side.json()).map_err(|_| unreadable)?;
    let documents = documents(&request).map_err(|_| unreadable)?;
    let named = documents.into_iter().map(|document| read(&[document]));
    Ok(named.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The members of a request in the unified model in which models are named, each as a body of its own.
fn documents(request: &Value) -> Result<Vec<Bytes>, Fault> {
    let each = |name: &str| request[name].as_array().into_iter().flatten();
    let extensions = each("extensions")
        .map(|extension| Ok(format!("{{{}:{}}}", extension["key"], document(&extension["json"])?).into()));
    let tools = each("tools").map(|tool| &tool["Opaque"]["json"]).filter(|json| json.is_string());
    let tools = tools.map(|tool| Ok(format!("{{\"tools\":[{}]}}", document(tool)?).into()));
    extensions.chain(tools).collect()
}

/// The JSON document that a text of the unified model contains.
fn document(text: &Value) -> Result<&RawValue, Fault> {
    let text = text.as_str().unwrap_or_default();
    serde_json::from_str(text).map_err(|_| Fault::invalid("what only one format has must be JSON"))
}

fn permit_each(caller: &Caller, body: &[Bytes]) -> Result<(), Fault> {
    let names = named_models::in_body(body).map_err(|Unreadable { member }| {
        let message =
            format!("`{member}` must be given once, and name models as texts: this key may not use every one");
        Fault::invalid(message).at(member)
    })?;
    let denied = names.iter().find(|model| !caller.may_name(model));
    denied.map_or(Ok(()), |model| Err(not_allowed(caller, model)))
}
