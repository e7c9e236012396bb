//! Models that a request names beside its own: a client may name those that it may use, in every lane.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::dialect::request_peek::RequestPeek;
use crate::dialect::request_peek::named_models::{self, Unreadable};
use weir_types::fault::Fault;
use weir_types::query;

/// Checks that a caller may use every model that a query and a body name.
pub(super) fn permit(caller: &Caller, query: &str, peek: &RequestPeek, body: &[Bytes]) -> Result<(), Fault> {
    if caller.may_use_all() {
        return Ok(());
    }
    let mut of_query = query::pairs(query).filter(|(name, _)| name.eq_ignore_ascii_case("model"));
    if let Some((_, model)) = of_query.find(|(_, model)| !caller.may_use(model)) {
        return Err(not_allowed(caller, &model));
    }
    if peek.found.is_some() { permit_each(caller, body) } else { Ok(()) }
}

/// The same of a request in the unified model, whose members that only one format has are extensions, and whose tools that a
/// provider runs itself are opaque.
pub(super) fn permit_unified(caller: &Caller, request: &Value) -> Result<(), Fault> {
    let each = |name: &str| request[name].as_array().into_iter().flatten();
    for extension in each("extensions") {
        let name = &extension["key"];
        permit_each(caller, &[format!("{{{name}:{}}}", document(&extension["json"])?).into()])?;
    }
    for tool in each("tools").map(|tool| &tool["Opaque"]["json"]).filter(|json| json.is_string()) {
        permit_each(caller, &[format!("{{\"tools\":[{}]}}", document(tool)?).into()])?;
    }
    Ok(())
}

/// The document that a text of the unified model is, with all that it has.
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
    let denied = names.iter().find(|model| !caller.may_use(model));
    denied.map_or(Ok(()), |model| Err(not_allowed(caller, model)))
}
