//! Work that a request begins, such as a batch: what its requests ask for is held back at the budgets before it is
//! sent. Where that is not known, a budget that refuses anything refuses the work.

use std::sync::Arc;

use bytes::Bytes;

use super::Gateway;
use super::request_files::requests_not_read;
use crate::admission::ModelWork;
use crate::auth::Caller;
use crate::dialect::request_peek::ObjectIds;
use crate::model_catalog;
use crate::provenance::{NamedModel, RequestFile};
use crate::route::Target;
use crate::serving::{Serving, Stored};
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::fault::Fault;

/// A request that may begin work.
pub(super) struct BeginningRequest<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) tenant: &'a str,
    pub(super) body: &'a [Bytes],
}

impl Gateway {
    /// What the requests of the work ask for that a request begins, or why that is not known; `None` if it begins none,
    /// or there is no budget.
    pub(super) fn work_begun(
        &self,
        serving: &Serving,
        BeginningRequest { endpoint, tenant, body }: BeginningRequest<'_>,
        named: impl FnOnce() -> ObjectIds,
    ) -> Option<Result<Vec<ModelWork>, String>> {
        if self.admission.budgets.is_empty() || serving.stored(endpoint.index) != Stored::Begun {
            return None;
        }
        let of = |file: &RequestFile| {
            file.models().iter().map(|named| model_work(serving, endpoint, named)).collect::<Vec<_>>()
        };
        if serving.begins_on_files(endpoint.index) {
            let files = self.files_named(tenant, &named());
            return Some(files.map(|files| files.iter().flat_map(|file| of(file)).collect()));
        }
        let unknown = || "this endpoint does not say where the requests of the batch stand".to_owned();
        let places = serving.inline_requests(endpoint.index).ok_or_else(unknown);
        Some(places.and_then(|places| places.read(body).map(|read| of(&read)).map_err(|mistake| mistake.to_string())))
    }

    /// The files of requests that a request names.
    fn files_named(&self, tenant: &str, named: &ObjectIds) -> Result<Vec<Arc<RequestFile>>, String> {
        const AGAIN: &str = "upload the file of requests through this gateway with this key, and name that one";
        if named.may_miss_some || named.are_none() {
            return Err(format!("the request names no file that was uploaded through this gateway: {AGAIN}"));
        }
        let file_of = |id: &String| {
            let file = self.reasoning_cache.owners().requests_of(id.as_bytes(), tenant);
            let file = file.ok_or_else(|| format!("the requests in `{id}` were not read when it was made: {AGAIN}"))?;
            match file.mistake() {
                Some(mistake) => Err(format!("{mistake}: {AGAIN}")),
                None => Ok(file),
            }
        };
        named.all().map(file_of).collect()
    }

    /// Refuses work of which it is not known what it may cost, if a budget counts it that refuses what it has no room
    /// for.
    pub(super) fn refuse_unread_work(
        &self,
        work: &Result<Vec<ModelWork>, String>,
        caller: &Caller,
        model: Option<&str>,
        targets: &[&Target],
    ) -> Result<(), Fault> {
        let Err(why) = work else { return Ok(()) };
        let Some(budget) = self.admission.budgets.enforcing(caller, model, targets) else { return Ok(()) };
        let message = format!("budget {budget:?} holds back what a batch may use, which is not known here: {why}");
        Err(requests_not_read(message))
    }
}

/// What requests ask of a model, with what the configuration has of it.
fn model_work(serving: &Serving, endpoint: &Endpoint, NamedModel { name, asks, .. }: &NamedModel) -> ModelWork {
    let is_it = |target: &&Arc<Target>| target.model.as_deref() == Some(name);
    let longest = match serving.targets().find(is_it) {
        Some(target) => target.capabilities_of(name).output,
        None => model_catalog::of(&endpoint.adapter, name).capabilities.output,
    };
    ModelWork { name: name.clone(), longest, asks: *asks }
}
