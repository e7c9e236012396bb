//! Models that a request names beside its own, in the member `models`: some providers let any of them answer. Whether its provider
//! does is nothing that an adapter can declare, so that the rights of a client hold for these names wherever they are sent.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::admission::not_allowed;
use crate::auth::Caller;
use crate::dialect::request_peek::{FURTHER_MODELS, RequestPeek};
use weir_types::fault::Fault;

#[derive(Deserialize)]
struct Named {
    models: Option<Vec<String>>,
}

/// Checks that a caller may use every model that a body names.
pub(super) fn permit(caller: &Caller, peek: &RequestPeek, body: &[Bytes]) -> Result<(), Fault> {
    if caller.may_use_all() || !peek.names_further_models() {
        return Ok(());
    }
    let Named { models } = serde_json::from_slice(&body.concat()).map_err(|_| unreadable())?;
    permit_each(caller, models.iter().flatten())
}

/// The same of a request in the unified model, whose members that only one format has are extensions.
pub(super) fn permit_unified(caller: &Caller, request: &Value) -> Result<(), Fault> {
    let extensions = request["extensions"].as_array().into_iter().flatten();
    for extension in extensions.filter(|extension| extension["key"] == FURTHER_MODELS) {
        let json = extension["json"].as_str().unwrap_or_default();
        let models: Option<Vec<String>> = serde_json::from_str(json).map_err(|_| unreadable())?;
        permit_each(caller, models.iter().flatten())?;
    }
    Ok(())
}

fn permit_each<'a>(caller: &Caller, models: impl IntoIterator<Item = &'a String>) -> Result<(), Fault> {
    let denied = models.into_iter().find(|model| !caller.may_use(model));
    denied.map_or(Ok(()), |model| Err(not_allowed(caller, model)))
}

fn unreadable() -> Fault {
    Fault::invalid("`models` must be given once, as a list of names").at(FURTHER_MODELS)
}
