//! Provenance of a request. Values from earlier answers decide where it is routed, and its answer is scanned for values
//! that later requests will carry. Only done if the route has a choice.

use std::sync::Arc;

use http::{Response, header};

use super::Gateway;
use super::rights::{depth, objects_of_program};
use crate::attempt::{InboundRequest, ReplyBody};
use crate::dialect::request_peek::{ObjectIds, RequestPeek};
use crate::provenance::{Carried, Claim, Kind, Making, ObjectKind, ProvenanceRecorder, ReadRequests, RecordScope};
use crate::route::{Plan, Target};
use crate::serving::{CreatedObject, Serving};
use weir_translate::dialect::endpoints::Endpoint;
use weir_translate::unified::Request;
use weir_types::contract::about::{BodyKind, Operation};

/// The most bytes of a body that is searched for object ids if the manifest names no place for them.
const SEARCHED: usize = 64 << 10;

impl Gateway {
    /// Looks up the issuers of the values and objects that a request carries.
    pub(super) fn carried(&self, serving: &Serving, inbound: &InboundRequest) -> Carried {
        let (provenance, tenant) = (self.reasoning_cache.provenance(), &*inbound.caller.tenant);
        if ![Kind::Value, Kind::Call, Kind::Object].into_iter().any(|kind| provenance.has(kind)) {
            return Carried::default();
        }
        let route = inbound.peek.model.as_deref().map(|model| serving.routes.find(model));
        let may_differ = route.is_none_or(|route| route.is_some_and(|route| route.has_accounts()));
        if !may_differ {
            return Carried::default();
        }
        if inbound.side.program().is_some() {
            return Carried::in_body(provenance, tenant, &[inbound.side.json().into()]);
        }
        let is_json = inbound.peek.found.is_some();
        let mut carried =
            if is_json { Carried::in_body(provenance, tenant, inbound.pieces()) } else { Carried::default() };
        if provenance.has(Kind::Object) {
            carried.names(provenance, tenant, inbound.named_objects().all());
            if carried.is_empty() && route.is_none() && may_be_searched(inbound) {
                carried.names_in_body(provenance, tenant, inbound.pieces());
            }
        }
        carried
    }

    /// Attaches a recorder to an answer, which records values that later requests will carry. For a stored answer it
    /// also finds the id.
    pub(super) fn learn(
        &self,
        response: &mut Response<ReplyBody>,
        serving: &Serving,
        inbound: &InboundRequest,
        plan: &Plan,
        target: &Target,
        is_stored: bool,
    ) {
        let may_differ = plan.route.has_accounts();
        let scope = RecordScope {
            values: may_differ && *inbound.operation() == Operation::Chat,
            objects: serving.makes_objects(inbound.endpoint.index, may_differ),
        };
        let is_success = response.status().is_success();
        let is_program = inbound.side.program().is_some();
        let claim = || {
            if is_program {
                return self.claim_of_program(serving, inbound, target);
            }
            self.claim(serving, &inbound.endpoint, &inbound.caller.tenant, || inbound.named_objects(), response)
        };
        let claim = if is_success { claim() } else { None };
        let claim = claim.map(|claim| Claim { requests: Arc::clone(&inbound.requests), ..claim });
        let work_id_places = serving.work_id_places(inbound.endpoint.index);
        let making = if is_program {
            self.making_of_program(serving, inbound, may_differ)
        } else {
            self.making(serving, &inbound.endpoint, &inbound.peek, may_differ, || inbound.named_objects())
        };
        let finds = claim.is_some() || is_stored || work_id_places.is_some() || making.is_some();
        if !is_success || !(scope.values || scope.objects || finds) {
            return;
        }
        let models = [inbound.model(), target.model(inbound.model())].map(str::to_owned).into();
        let (provenance, tenant) = (self.reasoning_cache.provenance().clone(), inbound.caller.tenant.clone());
        let recorder = ProvenanceRecorder::new(provenance, tenant, target.issuer(), scope, models).claiming(claim);
        let recorder =
            recorder.finding_own_id(is_stored.then(|| depth(response))).finding_work_ids(work_id_places).making(making);
        let is_plain = !response.headers().contains_key(header::CONTENT_ENCODING);
        response.body_mut().learn(Box::new(recorder), is_plain);
    }

    /// Finds the objects that the answer to a request makes besides itself; `None` if it makes none, or if neither
    /// their owners nor their places matter.
    pub(super) fn making(
        &self,
        serving: &Serving,
        endpoint: &Endpoint,
        peek: &RequestPeek,
        is_routed: bool,
        named: impl FnOnce() -> ObjectIds,
    ) -> Option<Making> {
        let places = serving.made_places(endpoint.index).filter(|_| peek.makes_objects())?;
        let owners = serving.separates(&self.stored_keys).then(|| self.reasoning_cache.owners().clone());
        if owners.is_none() && !is_routed {
            return None;
        }
        let named = named();
        // The answer may repeat a name that was not read.
        (!named.may_miss_some).then(|| Making::new(places, owners, is_routed, named.all().cloned().collect()))
    }
}

/// The same steps for programs, and for clients that use the unified model.
impl Gateway {
    /// The client's claim to an answer that its target stores.
    fn claim_of_program(&self, serving: &Serving, inbound: &InboundRequest, target: &Target) -> Option<Claim> {
        let format = target.format_for(inbound.endpoint.format(), inbound.operation());
        let stores = |endpoint: &Arc<Endpoint>| {
            endpoint.format() == format
                && serving.created_objects(endpoint.index, &self.stored_keys) == Some(CreatedObject::Answer)
        };
        if *inbound.operation() != Operation::Chat || !serving.endpoints.all().iter().any(stores) {
            return None;
        }
        let named = objects_of_program(serving, inbound);
        // The answer may repeat a name that was not read.
        (!named.may_miss_some).then(|| Claim {
            owners: self.reasoning_cache.owners().clone(),
            kind: ObjectKind::Answer,
            depth: if inbound.peek.stream { 2 } else { 1 },
            named: named.all().cloned().collect(),
            inputs: Vec::new(),
            sent: None,
            requests: ReadRequests::default(),
        })
    }

    /// Finds the objects that an answer makes besides itself.
    fn making_of_program(&self, serving: &Serving, inbound: &InboundRequest, is_routed: bool) -> Option<Making> {
        let Some(Request::Chat(chat)) = inbound.side.program() else { return None };
        let owners = serving.separates(&self.stored_keys).then(|| self.reasoning_cache.owners().clone());
        // Only a tool makes objects, or a member that only one format has.
        let makes = !chat.tools.is_empty() || !chat.extensions.is_empty();
        if !makes || owners.is_none() && !is_routed {
            return None;
        }
        let places = serving.own_parts().made()?;
        let named = objects_of_program(serving, inbound);
        (!named.may_miss_some).then(|| Making::new(places, owners, is_routed, named.all().cloned().collect()))
    }
}

/// Whether a body whose members the manifest does not describe is short JSON.
fn may_be_searched(inbound: &InboundRequest) -> bool {
    let kind = inbound.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let len: usize = inbound.body.iter().map(bytes::Bytes::len).sum();
    inbound.endpoint.face.body == BodyKind::Raw && kind.starts_with("application/json") && len <= SEARCHED
}
