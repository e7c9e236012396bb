//! Different readings of one request by different servers: a request that a provider could read differently than Weir
//! would bypass rights and prices.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Parts;

use super::super::coded_body;
use super::super::request_files::requests_not_read;
use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::dialect::request_peek::{RequestPeek, second_model};
use crate::passthrough::model_watch::ModelWatch;
use crate::serving::Serving;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::BodyKind;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::query;
use weir_wire::form::has_other_charset;

/// The field of forms and queries in which servers take a model.
const MODEL: &str = "model";
/// The fields in which servers take a model at endpoints that no adapter declares, without hyphens and underscores.
const MODEL_NAMES: [&str; 3] = ["model", "modelid", "modelname"];
/// Headers in which some servers take a model or its deployment.
const MODEL_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-model"),
    HeaderName::from_static("x-model-id"),
    HeaderName::from_static("x-model-name"),
    HeaderName::from_static("azureml-model-deployment"),
];
const URL_ENCODED: &str = "application/x-www-form-urlencoded";

/// Checks that a caller may use every model that a request names, and that the request names one if the provider would
/// choose otherwise.
pub(super) fn permit_models(caller: &Caller, endpoint: &Endpoint, peek: &RequestPeek) -> Result<(), Fault> {
    let named = peek.model.iter().chain(peek.model_places.iter().map(|spot| &spot.name));
    if let Some(model) = named.into_iter().find(|model| !caller.may_name(model)) {
        return Err(not_allowed(caller, model));
    }
    let may_leave_out = !endpoint.face.names_model() || caller.may_do(endpoint.face.operation.name(), false);
    if peek.model.is_none() && !caller.may_use_all() && !may_leave_out {
        return Err(no_model(caller));
    }
    Ok(())
}

/// The fault for a request without a model by a caller that may not use every one.
pub(super) fn no_model(caller: &Caller) -> Fault {
    let message =
        format!("name a `model`: the {} may not use every one that the provider could choose", caller.title());
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).at("model")
}

/// Watches a body for its model that goes to an endpoint which no adapter declares.
pub(super) fn watch(caller: &Caller, head: &Parts) -> Result<ModelWatch, Fault> {
    refuse_coded(head)?;
    ModelWatch::new(caller, kind(head))
        .map_err(|error| Fault::invalid(format!("the request's form cannot be read: {error}")))
}

/// The content type in a head.
pub(super) fn kind(head: &Parts) -> &str {
    head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Refuses a model in the query or in a header that the caller may not use, at an endpoint that no adapter declares.
fn permit_models_of_head(caller: &Caller, head: &Parts) -> Result<(), Fault> {
    if caller.may_use_all() {
        return Ok(());
    }
    let is_model = |name: &str| {
        let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect();
        MODEL_NAMES.iter().any(|one| plain.trim().eq_ignore_ascii_case(one))
    };
    let in_query = head.uri.query().unwrap_or_default();
    let of_query = query::pairs(in_query).filter(|(name, _)| is_model(name)).map(|(_, model)| model);
    let mut named = of_query.chain(models_of_headers(head));
    named.find(|model| !caller.may_name(model)).map_or(Ok(()), |model| Err(not_allowed(caller, &model)))
}

/// Checks the models in the head of a request to an endpoint that no adapter declares.
pub(super) fn permit_undeclared(serving: &Serving, caller: &Caller, head: &Parts) -> Result<(), Fault> {
    permit_models_of_head(caller, head)?;
    refuse_unknown_work(serving, caller, head)
}

/// Refuses to begin work, such as a batch, at an endpoint that no adapter declares, if the caller may not use every
/// model: a file at the provider would name the models.
fn refuse_unknown_work(serving: &Serving, caller: &Caller, head: &Parts) -> Result<(), Fault> {
    if caller.may_use_all() || !serving.may_begin_work(head) {
        return Ok(());
    }
    let message = format!(
        "the {} may not use every model, and it cannot be known for which ones work is done that is begun at this endpoint",
        caller.title()
    );
    Err(requests_not_read(message))
}

/// The models that headers name.
fn models_of_headers(head: &Parts) -> impl Iterator<Item = String> {
    let values = MODEL_HEADERS.into_iter().flat_map(|name| head.headers.get_all(name));
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Refuses a JSON body whose content type calls it something else as which it could also be read.
pub(super) fn refuse_other_body(endpoint: &Endpoint, head: &Parts, body: &[Bytes]) -> Result<(), Fault> {
    refuse_coded(head)?;
    let kind = kind(head).trim_start().to_ascii_lowercase();
    if kind.starts_with("multipart/") && endpoint.face.body == BodyKind::Json {
        return Err(other_kind());
    }
    if kind.starts_with(URL_ENCODED) && names_model(body) { Err(second_model()) } else { Ok(()) }
}

/// Refuses a compressed body.
pub(super) fn refuse_coded(head: &Parts) -> Result<(), Fault> {
    if !coded_body::coding(&head.headers).is_ok_and(|coding| coding.is_none()) {
        let message = "the body is compressed, and Weir has to read what it names: send it without `content-encoding`";
        return Err(Fault::invalid(message).with_status(415).with_code(coded_body::CODE));
    }
    let mut kinds = head.headers.get_all(CONTENT_TYPE).iter();
    let Some(first) = kinds.next() else { return Ok(()) };
    let is_usual = first.to_str().is_ok_and(|kind| !has_other_charset(kind));
    if is_usual && kinds.all(|kind| kind == first) { Ok(()) } else { Err(other_kind()) }
}

/// Refuses another model in the query or in a header, where some servers look for it.
pub(super) fn refuse_other_model(head: &Parts, peek: &RequestPeek) -> Result<(), Fault> {
    let in_query = head.uri.query().unwrap_or_default();
    let mut of_query =
        query::pairs(in_query).filter(|(name, _)| name.eq_ignore_ascii_case(MODEL)).map(|(_, model)| model);
    let is_other = |model: String| Some(&model) != peek.model.as_ref();
    if of_query.any(is_other) || models_of_headers(head).any(is_other) { Err(second_model()) } else { Ok(()) }
}

/// Whether a body names a model if it is read as a form of the url's kind.
fn names_model(body: &[Bytes]) -> bool {
    let text = body.concat();
    let text = String::from_utf8_lossy(&text);
    query::pairs(&text).any(|(name, _)| name.trim().eq_ignore_ascii_case(MODEL))
}

fn other_kind() -> Fault {
    let message =
        "the body's content type is of another kind than what this endpoint takes, or in a charset other than UTF-8";
    Fault::invalid(message).with_status(415)
}
